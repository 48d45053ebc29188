/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_audit.c: `portward audit`: findings as a table, all of it as JSON. Called from the table
 * of commands. "Failed" (1) and "found something" (6) are never the same code. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "cli/audit.h"

enum { EXIT_FINDINGS = 6, ADVICE_MAX = 4096 };

static uint32_t now_ms(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* exists */
    return (uint32_t)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

/* --- words of a row --- */
/* Letters of both families, the worse one first; 'c': some sources only. */
static char allowed_letter(const struct audit_side *s)
{
    return s->facts.allowed == TRI_YES  ? 'A'
           : s->conditional             ? 'c'
           : s->facts.allowed == TRI_NO ? '-'
                                        : '?';
}

static char reached_letter(const struct audit_side *s)
{
    return s->facts.reached == TRI_YES ? 'R' : s->facts.reached == TRI_NO ? '-' : '?';
}

/* The family that the class of the row is of. */
static const struct audit_side *main_side(const struct audit_row *r)
{
    const struct audit_side *a = &r->side[0], *b = &r->side[1];

    if (!a->there || !b->there)
        return a->there ? a : b;
    return b->class == r->class && a->class != r->class ? b : a;
}

const char *audit_verdict(const struct audit_row *r)
{
    const struct audit_side *s = main_side(r);

    if (r->changed)
        return "changed during audit";
    switch (s->facts.listens) {
    case LISTENS_NOT:
        return s->facts.reached == TRI_YES ? "reachable" : "nobody listens";
    case LISTENS_RESERVED:
        return "bound only";
    case LISTENS_LOOPBACK:
        return "loopback only";
    case LISTENS_YES:
        break;
    }
    if (s->facts.reached == TRI_YES && !s->conditional)
        return "reachable";
    if (s->conditional)
        return "conditional";
    if (s->facts.reached == TRI_UNKNOWN && s->facts.allowed == TRI_YES)
        return "reachable";
    return "blocked";
}

void audit_owner(const struct audit *a, const struct audit_row *r, struct strbuf *out)
{
    const char *unit, *path;
    size_t n;

    if (!r->socket)
        return;
    if (exposure_unit_of(&a->sockets, r->socket, &unit, &n, &path) == UNIT_FOUND && n > 1) {
        (void)strbuf_add_n(out, unit, n); /* errors are sticky */
        return;
    }
    if (exposure_owner_of(&a->sockets, r->socket) == OWNER_KERNEL) {
        (void)strbuf_add(out, "kernel");
        return;
    }
    if (!r->socket->n_holders)
        return;
    const struct socket_process *p =
        socket_processes_find(&a->sockets.processes, a->sockets.s.holders[r->socket->holder].pid);
    if (p && p->known)
        (void)strbuf_addf(out, "%s", p->name);
}

/* --- table --- */
static void add_letters(struct cli_table *t, const struct audit_row *r)
{
    const struct audit_side *s = main_side(r);
    char text[8];

    (void)snprintf(text, sizeof(text), "%c %c %c", audit_listens_letter(s->facts.listens),
                   allowed_letter(s), reached_letter(s)); /* fits */
    cli_table_add(t, STYLE_PLAIN, text);
}

static void add_text(struct cli_table *t, const struct strbuf *b)
{
    cli_table_add(t, STYLE_PLAIN, b->s ? b->s : "");
}

static void add_finding(struct cli_table *t, const struct audit *a, const struct audit_row *r,
                        enum audit_class class)
{
    _cleanup_(strbuf_done) struct strbuf advice = STRBUF_INIT(ADVICE_MAX);
    _cleanup_(strbuf_done) struct strbuf owner = STRBUF_INIT(ADVICE_MAX);
    char text[128];

    cli_table_add(t, STYLE_PLAIN, r->udp ? "udp" : "tcp");
    (void)snprintf(text, sizeof(text), "%u", r->port); /* fits */
    cli_table_add(t, STYLE_PLAIN, text);
    add_letters(t, r);
    (void)snprintf(text, sizeof(text), "%s: %s", audit_class_name(class),
                   audit_class_means(class)); /* fits */
    cli_table_add(t, STYLE_WARNING, text);
    audit_owner(a, r, &owner);
    add_text(t, &owner);
    audit_advice(a, r, class, &advice);
    add_text(t, &advice);
}

/* The class itself, then what else was found. */
static size_t classes_of(const struct audit_row *r, enum audit_class ret[9])
{
    size_t n = 0;

    if (audit_is_finding(r->class))
        ret[n++] = r->class;
    for (size_t i = 0; i < r->n_more; i++)
        ret[n++] = r->more[i];
    return n;
}

static void put_findings(const struct audit *a)
{
    static const struct cli_column columns[] = {{"PROTO", false}, {"PORT", true},
                                                {"L A R", false}, {"CLASS", false},
                                                {"OWNER", false}, {"WHAT TO DO", false}};
    _cleanup_(cli_table_done) struct cli_table t;
    size_t n = 0;

    cli_table_init(&t, columns, ARRAY_SIZE(columns));
    for (unsigned severity = 0; severity < 20; severity++)
        for (size_t i = 0; i < a->n; i++) {
            enum audit_class classes[9];
            size_t found = audit_row_is_finding(&a->v[i]) ? classes_of(&a->v[i], classes) : 0;

            for (size_t k = 0; k < found; k++)
                if (audit_severity(classes[k]) == severity) {
                    add_finding(&t, a, &a->v[i], classes[k]);
                    n++;
                }
        }
    if (n)
        cli_table_print(&t, a->c->env->out, a->c->header, a->c->colour);
    for (size_t i = 0; i < a->n_notes; i++) {
        (void)fprintf(a->c->env->out, "%s: ", audit_class_name(a->notes[i].class));
        cli_put(a->c, a->notes[i].what);
        (void)fputs(": ", a->c->env->out);
        cli_put(a->c, a->notes[i].text);
        (void)fputc('\n', a->c->env->out);
    }
}

static void add_row(struct cli_table *t, const struct audit *a, const struct audit_row *r)
{
    const struct audit_side *s = main_side(r);
    _cleanup_(strbuf_done) struct strbuf owner = STRBUF_INIT(ADVICE_MAX);
    char port[8];

    cli_table_add(t, STYLE_PLAIN, r->udp ? "udp" : "tcp");
    (void)snprintf(port, sizeof(port), "%u", r->port); /* fits */
    cli_table_add(t, STYLE_PLAIN, port);
    add_letters(t, r);
    cli_table_add(t, audit_row_is_finding(r) ? STYLE_WARNING : STYLE_PLAIN,
                  audit_class_name(r->class));
    cli_table_add(t, STYLE_PLAIN, audit_verdict(r));
    cli_table_add(t, STYLE_PLAIN, s->text);
    cli_table_add(t, STYLE_ID, s->filter);
    cli_table_add(t, STYLE_PLAIN, s->probed ? "by veth" : NULL);
    audit_owner(a, r, &owner);
    add_text(t, &owner);
}

static void put_all(const struct audit *a)
{
    static const struct cli_column columns[] = {
        {"PROTO", false},  {"PORT", true},     {"L A R", false},
        {"CLASS", false},  {"VERDICT", false}, {"POLICY", false},
        {"FILTER", false}, {"PROBED", false},  {"OWNER", false}};
    _cleanup_(cli_table_done) struct cli_table t;

    cli_table_init(&t, columns, ARRAY_SIZE(columns));
    for (size_t i = 0; i < a->n; i++)
        if (!a->v[i].is_control || audit_row_is_finding(&a->v[i]))
            add_row(&t, a, &a->v[i]);
    cli_table_print(&t, a->c->env->out, a->c->header, a->c->colour);
    (void)fputc('\n', a->c->env->out);
}

struct audit_sums audit_sum(const struct audit *a)
{
    struct audit_sums s = {.findings = audit_count_findings(a)};

    for (size_t i = 0; i < a->n; i++) {
        const struct audit_row *r = &a->v[i];

        s.as_intended += r->n_sockets && !audit_row_is_finding(r) ? r->n_sockets : 0;
        s.disagree += r->class == AUDIT_BREACH || r->class == AUDIT_BLOCKED_ELSEWHERE ||
                      r->class == AUDIT_MODEL_GAP;
        for (unsigned f = 0; f < AUDIT_FAMILIES; f++)
            s.probed += r->side[f].probed;
    }
    return s;
}

static void put_sum(const struct audit *a)
{
    struct audit_sums s = audit_sum(a);
    struct cli *c = a->c;

    cli_put_count(c, (int64_t)s.findings, "finding");
    (void)fprintf(c->env->out, ", %zu socket%s as intended; probe and policy disagree on %zu\n",
                  s.as_intended, s.as_intended == 1 ? "" : "s", s.disagree);
    if (c->quiet)
        return;
    if (!a->probed)
        (void)fprintf(c->env->err, "note: nothing was probed (%s); R is unknown\n", a->why_not);
    else
        (void)fprintf(c->env->err, "note: %zu ports probed by veth from outside addresses, %u ms\n",
                      s.probed, a->elapsed_ms);
    if (a->foreign_why[0])
        (void)fprintf(c->env->err, "note: rules of others are not known: %s\n", a->foreign_why);
}

/* --- JSON --- */
static json_t *tri(enum audit_tri t)
{
    return t == TRI_UNKNOWN ? json_null() : json_boolean(t == TRI_YES);
}

static json_t *json_foreign(const struct audit *a, const struct audit_side *s)
{
    if (!a->foreign)
        return json_null();
    return json_pack("{s:s, s:o, s:o}", "verdict", foreign_verdict_name(s->foreign.verdict), "rule",
                     api_text_json(s->foreign.rule), "redirect",
                     api_text_json(s->foreign.redirect));
}

static json_t *json_side(const struct audit *a, const struct audit_row *r, unsigned f)
{
    static const char *const listens[] = {[LISTENS_NOT] = "no",
                                          [LISTENS_RESERVED] = "reserved",
                                          [LISTENS_LOOPBACK] = "loopback",
                                          [LISTENS_YES] = "yes"};
    const struct audit_side *s = &r->side[f];
    char target[IP_TEXT_BYTES];

    ip_print(audit_family(f), audit_target(a, s, f), target);
    return json_pack(
        "{s:i, s:s, s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "family", f ? 6 : 4,
        "class", audit_class_name(s->class), "listens", listens[s->facts.listens], "allowed",
        tri(s->facts.allowed), "conditional", s->conditional, "reached", tri(s->facts.reached),
        "probed", s->probed ? json_string("veth") : json_null(), "target",
        s->probed ? json_string(target) : json_null(), "policy", api_text_json(s->text), "filter",
        api_text_json(s->filter), "rule", api_text_json(s->rule), "foreign", json_foreign(a, s));
}

static json_t *json_findings(const struct audit *a, const struct audit_row *r)
{
    enum audit_class classes[9];
    size_t n = audit_row_is_finding(r) ? classes_of(r, classes) : 0;
    _cleanup_json_ json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        _cleanup_(strbuf_done) struct strbuf advice = STRBUF_INIT(ADVICE_MAX);

        audit_advice(a, r, classes[i], &advice);
        if (json_array_append_new(
                list, json_pack("{s:s, s:s, s:o}", "class", audit_class_name(classes[i]), "means",
                                audit_class_means(classes[i]), "advice", api_text_json(advice.s))))
            return NULL;
    }
    return json_incref(list);
}

static json_t *json_row(const struct audit *a, const struct audit_row *r)
{
    _cleanup_(strbuf_done) struct strbuf owner = STRBUF_INIT(ADVICE_MAX);
    _cleanup_json_ json_t *sides = json_array();

    for (unsigned f = 0; f < AUDIT_FAMILIES; f++)
        if (r->side[f].there && json_array_append_new(sides, json_side(a, r, f)))
            return NULL;
    audit_owner(a, r, &owner);
    return json_pack("{s:s, s:i, s:s, s:s, s:o, s:I, s:b, s:o, s:O}", "protocol",
                     r->udp ? "udp" : "tcp", "port", r->port, "class", audit_class_name(r->class),
                     "verdict", audit_verdict(r), "owner", api_text_json(owner.s), "sockets",
                     (json_int_t)r->n_sockets, "changed", r->changed, "findings",
                     json_findings(a, r), "sides", sides);
}

static json_t *json_audit(const struct audit *a)
{
    _cleanup_json_ json_t *rows = json_array(), *notes = json_array();
    struct audit_sums s = audit_sum(a);

    for (size_t i = 0; i < a->n; i++)
        if ((!a->v[i].is_control || audit_row_is_finding(&a->v[i])) &&
            json_array_append_new(rows, json_row(a, &a->v[i])))
            cli_out_of_memory();
    for (size_t i = 0; i < a->n_notes; i++)
        if (json_array_append_new(notes, json_pack("{s:s, s:o, s:o}", "class",
                                                   audit_class_name(a->notes[i].class), "what",
                                                   api_text_json(a->notes[i].what), "text",
                                                   api_text_json(a->notes[i].text))))
            cli_out_of_memory();
    return json_pack("{s:O, s:O, s:I, s:I, s:I, s:I, s:o, s:o}", "rows", rows, "beside", notes,
                     "n_findings", (json_int_t)s.findings, "as_intended", (json_int_t)s.as_intended,
                     "disagree", (json_int_t)s.disagree, "probed", (json_int_t)s.probed,
                     "not_probed", api_text_json(a->why_not), "foreign_unknown",
                     api_text_json(a->foreign_why));
}

int cmd_audit(struct cli *c)
{
    struct audit a = {.c = c, .scratch = {.home = -1, .netns = -1}};
    uint32_t begun = now_ms();
    int code = audit_run(&a);

    a.elapsed_ms = now_ms() - begun;
    scratch_close(&a.scratch);
    if (code == 0) {
        c->generation = a.generation;
        code = audit_count_findings(&a) ? EXIT_FINDINGS : 0;
        int written = c->args.value[OPT_HTML] ? audit_write_html(&a, c->args.value[OPT_HTML]) : 0;
        if (written) {
            audit_done(&a);
            return written;
        }
        if (c->json) {
            cli_put_document(c, "audit", json_audit(&a));
        } else {
            if (c->args.given[OPT_ALL])
                put_all(&a);
            put_findings(&a);
            put_sum(&a);
        }
    }
    audit_done(&a);
    return code;
}
