/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/auditfind.c: findings that the class of one port does not say, and what to do about each
 * (cli/audit.h). Called by audit.c and by those that print. */
#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "cli/audit.h"

enum { UID_FIRST_USER = 1000, UID_NOBODY = 65534 };

static void add_finding(struct audit_row *r, enum audit_class class)
{
    for (size_t i = 0; i < r->n_more; i++)
        if (r->more[i] == class)
            return;
    if (r->n_more < ARRAY_SIZE(r->more))
        r->more[r->n_more++] = class;
}

/* Somebody outside gets there, as far as is known. */
static bool is_open(const struct audit_side *s)
{
    return s->there && s->facts.listens == LISTENS_YES &&
           (s->facts.reached == TRI_YES ||
            (s->facts.reached == TRI_UNKNOWN && s->facts.allowed == TRI_YES));
}

static bool is_shut(const struct audit_side *s)
{
    return s->there && s->facts.listens == LISTENS_YES &&
           (s->facts.reached == TRI_NO ||
            (s->facts.reached == TRI_UNKNOWN && s->facts.allowed == TRI_NO));
}

static bool is_dead(const struct audit *a, const struct audit_row *r)
{
    const char *unit, *path;
    size_t n;

    return r->socket && exposure_unit_of(&a->sockets, r->socket, &unit, &n, &path) == UNIT_DEAD;
}

static bool is_of_user(const struct audit_row *r)
{
    return r->socket && r->socket->uid >= UID_FIRST_USER && r->socket->uid != UID_NOBODY;
}

static void look_at(const struct audit *a, struct audit_row *r)
{
    bool open = false, any = false;

    for (unsigned f = 0; f < AUDIT_FAMILIES; f++) {
        const struct audit_side *s = &r->side[f];

        open |= is_open(s);
        any |= is_open(s) && s->any;
        if (s->there && s->facts.listens == LISTENS_YES && s->hole[0])
            add_finding(r, AUDIT_MIRRORED_HOLE);
        if (s->there && s->facts.reached == TRI_YES && s->foreign.elsewhere)
            add_finding(r, AUDIT_NETNS_PUBLISHED);
        if (audit_is_finding(s->class) && s->class != r->class)
            add_finding(r, s->class);
    }
    if ((is_open(&r->side[0]) && is_shut(&r->side[1])) ||
        (is_open(&r->side[1]) && is_shut(&r->side[0])))
        add_finding(r, AUDIT_FAMILY_MISMATCH);
    if (any && audit_privileged_service(r->udp, r->port))
        add_finding(r, AUDIT_PRIVILEGED_SERVICE);
    if (open && is_of_user(r))
        add_finding(r, AUDIT_UNPRIVILEGED_BIND);
    if (is_dead(a, r))
        add_finding(r, AUDIT_DEAD_UNIT);
}

bool audit_row_is_finding(const struct audit_row *r)
{
    return !r->changed && (audit_is_finding(r->class) || r->n_more > 0);
}

size_t audit_count_findings(const struct audit *a)
{
    size_t n = a->n_notes;

    for (size_t i = 0; i < a->n; i++)
        n += audit_row_is_finding(&a->v[i]);
    return n;
}

/* --- paths beside the hook --- */
static void add_note(struct audit *a, const char *what, const char *text)
{
    if (array_reserve(&a->notes, &a->cap_notes, a->n_notes + 1, sizeof(*a->notes)) < 0)
        cli_out_of_memory();
    struct audit_note *n = &a->notes[a->n_notes++];

    *n = (struct audit_note){.class = AUDIT_BESIDE_HOOK};
    (void)format_into(n->what, sizeof(n->what), "%s", what);
    (void)format_into(n->text, sizeof(n->text), "%s", text);
}

static void look_at_interface(struct audit *a, const json_t *i)
{
    const char *name = cli_str(i, "name"), *front = cli_str(i, "front_in");
    char text[256];

    if (strcmp(name, a->scratch.link) == 0 || strcmp(cli_str(i, "role"), "normal") != 0)
        return;
    if (!json_is_true(json_object_get(i, "attached_in")) ||
        !json_is_true(json_object_get(i, "attached_out")))
        add_note(a, name, "not attached: no filter sees its packets, or the guard alone");
    if (*front) {
        (void)format_into(text, sizeof(text), "program '%.100s' stands in front of the filters",
                          front);
        add_note(a, name, text);
    }
}

static void find_beside(struct audit *a)
{
    _cleanup_json_ json_t *doc = NULL;
    const json_t *data, *j;
    size_t i;

    if (cli_fetch(a->c, "GET", "/v1/status", &doc))
        return; /* shown; the rest of the audit is true without it */
    data = cli_data(doc);
    json_array_foreach(json_object_get(json_object_get(data, "enforcement"), "interfaces"), i, j)
        look_at_interface(a, j);
    json_array_foreach(json_object_get(data, "beside"), i, j)
    {
        if (cli_int(j, "pid", 0) != getpid())
            add_note(a, cli_str(j, "kind"), cli_str(j, "text"));
    }
}

void audit_find_more(struct audit *a)
{
    for (size_t i = 0; i < a->n; i++)
        look_at(a, &a->v[i]);
    find_beside(a);
}

/* --- what to do --- */
/* The side that shows the class. */
static const struct audit_side *side_of(const struct audit_row *r, enum audit_class class)
{
    for (unsigned f = 0; f < AUDIT_FAMILIES; f++)
        if (r->side[f].there && r->side[f].class == class)
            return &r->side[f];
    return r->side[0].there ? &r->side[0] : &r->side[1];
}

static void explain(const struct audit *a, const struct audit_row *r, const struct audit_side *s,
                    struct strbuf *out)
{
    unsigned f = s == &r->side[1];
    char source[IP_TEXT_BYTES];

    ip_print(audit_family(f), a->scratch.source[f], source);
    (void)strbuf_addf(out, "portward explain in %s from %s to me port %u --live",
                      r->udp ? "udp" : "tcp", source, r->port); /* errors are sticky */
}

static void advise_elsewhere(const struct audit *a, const struct audit_side *s, struct strbuf *out)
{
    if (s->foreign.rule[0])
        (void)strbuf_addf(out, "%s %s it: nft -a list ruleset", s->foreign.rule,
                          s->foreign.verdict == FOREIGN_DROP ? "drops" : "may drop");
    else if (!a->foreign)
        (void)strbuf_addf(out, "rules of others are not known: %s", a->foreign_why);
    else
        (void)strbuf_add(out, "no rule says why: backlog, address or device");
}

static void block(const struct audit_row *r, struct strbuf *out)
{
    (void)strbuf_addf(out, "portward block in %s port %u", r->udp ? "udp" : "tcp", r->port);
}

void audit_advice(const struct audit *a, const struct audit_row *r, enum audit_class class,
                  struct strbuf *out)
{
    const struct audit_side *s = side_of(r, class);

    switch (class) {
    case AUDIT_BREACH:
        explain(a, r, s, out);
        break;
    case AUDIT_REDIRECTED:
    case AUDIT_REDIRECTED_ALLOWED:
    case AUDIT_NETNS_PUBLISHED:
        if (s->foreign.redirect[0])
            (void)strbuf_addf(out, "%s redirects it: ", s->foreign.redirect);
        block(r, out);
        break;
    case AUDIT_BLOCKED_ELSEWHERE:
        advise_elsewhere(a, s, out);
        break;
    case AUDIT_MODEL_GAP:
        (void)strbuf_addf(out, "rules of others: %s%s%s, probe: %s; please report it",
                          foreign_verdict_name(s->foreign.verdict),
                          s->foreign.rule[0] ? " by " : "", s->foreign.rule,
                          s->facts.reached == TRI_YES ? "open" : "not reached");
        break;
    case AUDIT_STALE_PERMIT:
        (void)strbuf_add(out, r->permit);
        break;
    case AUDIT_FAMILY_MISMATCH:
        (void)strbuf_addf(out, "IPv%c is open, IPv%c is not: ", is_open(&r->side[0]) ? '4' : '6',
                          is_open(&r->side[0]) ? '6' : '4');
        explain(a, r, is_open(&r->side[0]) ? &r->side[0] : &r->side[1], out);
        break;
    case AUDIT_MIRRORED_HOLE:
        (void)strbuf_addf(out, "open to packets from port %s: use 'keep state'",
                          r->side[0].hole[0] ? r->side[0].hole : r->side[1].hole);
        break;
    case AUDIT_PRIVILEGED_SERVICE:
        (void)strbuf_addf(out, "%s: ", audit_privileged_service(r->udp, r->port));
        block(r, out);
        break;
    case AUDIT_UNPRIVILEGED_BIND:
        (void)strbuf_addf(out, "uid %u serves it: ", r->socket ? r->socket->uid : 0);
        block(r, out);
        break;
    case AUDIT_DEAD_UNIT:
        (void)strbuf_add(out, "end the process that inherited it");
        break;
    case AUDIT_BESIDE_HOOK:
    case AUDIT_OPEN:
    case AUDIT_PROTECTED:
    case AUDIT_LOCAL:
    case AUDIT_RESERVED:
    case AUDIT_NOTHING:
    case AUDIT_UNPROBED:
    case _AUDIT_CLASS_MAX:
        break;
    }
}
