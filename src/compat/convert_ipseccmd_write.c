/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/convert_ipseccmd_write.c: a policy as a script of ipseccmd lines for cmd.exe. Called by
 * convert_write(). Invariants: the script makes the same verdicts, or what is missing stands among
 * the losses; nothing is written wider or narrower but an `override` block, which becomes a plain
 * one and is named. A rule of several actions becomes several rules. No text of the policy becomes
 * a command of cmd.exe. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "convert_internal.h"
#include "ipsec_internal.h"
#include "text/text.h"

/* cmd.exe takes 8191 characters; a longer rule is written as several. */
enum { LINE_BYTES = 6000, TEXT_BYTES = 4 * LIMIT_TEXT_STRING_BYTES };

struct writer {
    const struct policy *p;
    struct strbuf *out;
    struct convert_losses *l;
    unsigned n_extra; /* rules that were added to hold parts of others */
};

/* cmd.exe ends the quoted part at every quote, whatever stands before it, and takes & and | behind
 * it for its own: a quote in a name has no form. */
static bool has_no_form(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f || c == '"';
}

static bool has_form(const char *s)
{
    while (*s && !has_no_form(*s))
        s++;
    return !*s;
}

/* The text between quotes, as cmd.exe and the run time of its programs read it. */
static void put_quoted(const char *s, struct strbuf *out)
{
    size_t backslashes = 0;
    (void)strbuf_add_char(out, '"'); /* errors are sticky in out */
    for (; *s; s++) {
        if (*s == '%')
            (void)strbuf_add_char(out, '%');
        (void)strbuf_add_char(out, has_no_form(*s) ? '_' : *s);
        backslashes = *s == '\\' ? backslashes + 1 : 0;
    }
    for (; backslashes > 0; backslashes--) /* else the quote would belong to the name */
        (void)strbuf_add_char(out, '\\');
    (void)strbuf_add_char(out, '"');
}

/* Whether the value of an attribute, which is any text, can stand without quotes and is no switch.
 */
static bool is_plain(const char *s, const char *more)
{
    for (size_t i = 0; s[i]; i++) {
        bool dash = s[i] == '-' && (i == 0 || s[i - 1] == ' ');
        if (dash || (!isalnum((unsigned char)s[i]) && !strchr(more, s[i])))
            return false;
    }
    return s[0] != '\0';
}

/* Attributes that are written as they are, and the characters that they need. */
static const struct plain_attribute {
    const char *key, *more;
} plain_attributes[] = {{"mm-methods", "- "}, {"mm-filters", "*=+:./-_ "}, {"tunnel", ".:-_"}};

/* The attribute of such a key, NULL if it is not given or no such text. */
static const char *plain_attribute(const struct attributes *a, const char *key)
{
    const char *value = attributes_get(a, key);
    for (size_t i = 0; value && i < ARRAY_SIZE(plain_attributes); i++)
        if (strcmp(plain_attributes[i].key, key) == 0)
            return is_plain(value, plain_attributes[i].more) ? value : NULL;
    return value;
}

static uint32_t poll_minutes(const struct policy *p)
{
    uint32_t minutes = p->poll_s / 60;
    return minutes == 0 ? 1 : minutes > 525600 ? 525600 : minutes;
}

/* -p "NAME[:MINUTES]": also with minutes if the name ends like them. */
static void put_policy(const struct writer *w, bool minutes)
{
    _cleanup_(strbuf_done) struct strbuf value = STRBUF_INIT(4 * LIMIT_NAME_BYTES);
    const char *colon = strrchr(w->p->name, ':');
    bool alike = colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1);
    (void)strbuf_add(&value, w->p->name);
    if (w->p->poll_s > 0 && (minutes || alike))
        (void)strbuf_addf(&value, ":%u", poll_minutes(w->p));
    else if (alike)
        (void)strbuf_add(&value, ":180");
    (void)strbuf_add(w->out, "ipseccmd -w REG -p ");
    put_quoted(value.s ? value.s : "", w->out);
}

/* --- what has no form --- */
static int lose_attributes(struct writer *w, const struct attributes *a, const char *const *known,
                           const char *rule)
{
    for (size_t i = 0; i < a->n; i++) {
        bool is_known = false;
        for (size_t k = 0; known[k]; k++)
            is_known = is_known || (strcmp(a->v[i].key, known[k]) == 0 &&
                                    plain_attribute(a, a->v[i].key) != NULL);
        if (is_known)
            continue;
        int err = rule ? convert_loss(w->l, "rule \"%s\": attribute %s", rule, a->v[i].key)
                       : convert_loss(w->l, "policy \"%s\": attribute %s", w->p->name, a->v[i].key);
        if (err < 0)
            return err;
    }
    return 0;
}

static int lose_policy(struct writer *w)
{
    static const char *const known[] = {"mm-methods", "mm-pfs",  "mm-lifetime",      "qm-per-mm",
                                        "mm-filters", "soft-sa", "default-response", NULL};
    const struct policy *p = w->p;
    int err = lose_attributes(w, &p->attributes, known, NULL);
    if (err == 0 && p->description)
        err = convert_loss(w->l, "policy \"%s\": description", p->name);
    if (err == 0 && p->local_permits >= 0)
        err = convert_loss(w->l, "policy \"%s\": local-permits", p->name);
    if (err == 0 && p->weak >= 0)
        err = convert_loss(w->l, "policy \"%s\": weak", p->name);
    if (err == 0 && p->poll_s > 0 && p->poll_s != 60 * poll_minutes(p))
        err = convert_loss(w->l, "policy \"%s\": poll interval, written as %u minutes", p->name,
                           poll_minutes(p));
    if (err == 0 && !has_form(p->name))
        err = convert_loss(w->l, "policy \"%s\": quotes in the name, written as _", p->name);
    return err;
}

static int lose_filter(struct writer *w, const struct rule *r, const struct filter *f,
                       const char *why)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
    int err = text_print_filter(f, &text);
    return err < 0 ? err : convert_loss(w->l, "rule \"%s\": %s: %s", r->name, text.s, why);
}

/* Whether the list has only words that put_auth() can write. */
static bool auth_has_form(const char *auth)
{
    for (const char *s = auth; *s; s += strspn(s, " ")) {
        bool quoted = strncmp(s, "cert:\"", 6) == 0;
        size_t n = quoted ? 6 : strcspn(s, " ");
        while (quoted && s[n] && s[n] != '"') {
            if (has_no_form(s[n]) || (s[n] == '\\' && s[n + 1] != '\\'))
                return false;
            n += s[n] == '\\' ? 2 : 1;
        }
        if (quoted && s[n++] != '"')
            return false;
        if (!quoted && strncmp(s, "psk:", 4) != 0 && (n != 8 || strncmp(s, "kerberos", n) != 0))
            return false;
        s += n;
    }
    return true;
}

static int lose_rule(struct writer *w, const struct rule *r)
{
    /* Here a rule has its own filters and action: the names of shared ones mean nothing. */
    static const char *const known[] = {"tunnel", "auth",       "qm-methods",   "qm-pfs",
                                        "soft",   "filterlist", "filteraction", NULL};
    int err = lose_attributes(w, &r->attributes, known, r->name);
    const char *auth = attributes_get(&r->attributes, "auth");
    if (err == 0 && auth && strstr(auth, "psk:"))
        err = convert_loss(w->l, "rule \"%s\": preshared key, never written", r->name);
    if (err == 0 && r->inactive)
        err = convert_loss(w->l, "rule \"%s\": inactive, not written", r->name);
    else if (err == 0 && r->n_filters == 0)
        err = convert_loss(w->l, "rule \"%s\": no filters, not written", r->name);
    if (err == 0 && auth && !auth_has_form(auth))
        err = convert_loss(w->l, "rule \"%s\": attribute auth", r->name);
    if (err == 0 && !has_form(r->name))
        err = convert_loss(w->l, "rule \"%s\": quotes in the name, written as _", r->name);
    return err;
}

/* --- one command --- */
static const char *action_word(const struct filter *f)
{
    if (f->action == ACTION_BLOCK)
        return "BLOCK";
    return f->inpass ? "INPASS" : "PASS";
}

/* Kerberos and authorities; keys stay where they are. */
static void put_auth(const char *auth, struct strbuf *out)
{
    bool any = false;
    for (const char *s = auth; *s;) {
        const char *quote = strncmp(s, "cert:\"", 6) == 0 ? s + 5 : NULL;
        size_t n = quote ? 6 : strcspn(s, " ");
        while (quote && s[n] && s[n] != '"')
            n += s[n] == '\\' && s[n + 1] ? 2 : 1;
        if (strncmp(s, "psk:", 4) != 0)
            (void)strbuf_add(out, any ? " " : " -a ");
        any = any || strncmp(s, "psk:", 4) != 0;
        if (quote) {
            _cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT(TEXT_BYTES);
            (void)strbuf_add(&name, "CERT:");
            for (size_t i = 6; i < n; i++) {
                i += s[i] == '\\' && i + 1 < n;
                (void)strbuf_add_char(&name, s[i]);
            }
            put_quoted(name.s ? name.s : "", out);
            n += s[n] == '"';
        } else if (strncmp(s, "kerberos", n) == 0) {
            (void)strbuf_add(out, "KERBEROS");
        }
        s += n;
        s += strspn(s, " ");
    }
}

/* A rule that comes in parts, or whose name is written as another one, takes none that is in use.
 */
static void put_rule_name(struct writer *w, const struct rule *r, bool first)
{
    char name[LIMIT_NAME_BYTES + 1], number[24];
    format_into(name, sizeof(name), "%s", r->name);
    first = first && has_form(r->name);
    while (!first) {
        size_t n = format_into(number, sizeof(number), " (%u)", w->n_extra++ + 2);
        size_t len = format_into(name, sizeof(name) - n, "%s", r->name);
        len = utf8_whole(name, len);
        format_into(name + len, sizeof(name) - len, "%s", number);
        for (char *c = name; *c; c++)
            if (has_no_form(*c))
                *c = '_';
        first = !policy_find_rule(w->p, name);
    }
    (void)strbuf_add(w->out, " -r ");
    put_quoted(name, w->out);
}

/* Filters of one action, as many as fit into a line. */
struct part {
    const struct rule *r;
    const struct filter *like; /* has the action and the methods of all */
    struct strbuf specs, action;
    bool first; /* part of its rule */
};

static int put_part(struct writer *w, struct part *part)
{
    static const char *const connections[] = {
        [CONNECTION_ALL] = "", [CONNECTION_LAN] = " -lan", [CONNECTION_DIALUP] = " -dialup"};
    const char *auth = attributes_get(&part->r->attributes, "auth");
    const char *tunnel = plain_attribute(&part->r->attributes, "tunnel");
    if (part->specs.len == 0)
        return 0;
    put_policy(w, /* minutes= */ false);
    put_rule_name(w, part->r, part->first);
    (void)strbuf_add(w->out, connections[part->r->connection]); /* errors are sticky */
    if (tunnel && !strstr(part->action.s, " -t ")) {
        (void)strbuf_add(w->out, " -t ");
        put_quoted(tunnel, w->out);
    }
    if (auth && auth_has_form(auth))
        put_auth(auth, w->out);
    (void)strbuf_addf(w->out, " -f%s -n %s\r\n", part->specs.s, part->action.s);
    part->first = false;
    int err = part->specs.error < 0 ? part->specs.error : w->out->error;
    strbuf_done(&part->specs);
    part->specs = (struct strbuf)STRBUF_INIT(TEXT_BYTES);
    return err;
}

static bool same_action(const struct filter *a, const struct filter *b)
{
    bool methods =
        a->methods && b->methods ? strcmp(a->methods, b->methods) == 0 : a->methods == b->methods;
    return a->action == b->action && a->inpass == b->inpass && methods;
}

/* Adds the filter to the part, or to the losses. */
static int add_filter(struct writer *w, struct part *part, const struct filter *f)
{
    _cleanup_(strbuf_done) struct strbuf spec = STRBUF_INIT(TEXT_BYTES);
    const char *why = f->interface ? "interfaces have no form in a policy" : NULL;
    int err = 0;
    if (!why)
        err = ipsec_spec_print(f, &spec, &why);
    if (why)
        return lose_filter(w, part->r, f, why);
    if (err == 0 && f->override)
        err = lose_filter(w, part->r, f, "'override' has no form, written as a plain block");
    if (err == 0 && f->log)
        err = lose_filter(w, part->r, f, "'log' has no form, written without it");
    if (err == 0 && f->description)
        err = lose_filter(w, part->r, f, "the description has no form, written without it");
    if (err == 0 && part->specs.len + spec.len > LINE_BYTES)
        err = put_part(w, part);
    return err < 0 ? err : strbuf_addf(&part->specs, " \"%s\"", spec.s);
}

/* All filters from i on that have its action. */
static int write_group(struct writer *w, struct part *part, size_t i)
{
    const struct rule *r = part->r;
    _cleanup_(strbuf_done) struct strbuf methods = STRBUF_INIT(TEXT_BYTES);
    const char *stored = attributes_get(&r->attributes, "qm-methods");
    int err = 0;
    part->like = &r->filters[i];
    if (part->like->action == ACTION_NEGOTIATE)
        err = ipsec_methods_print(part->like->methods, &part->action, &methods);
    else
        err = strbuf_add(&part->action, action_word(part->like));
    bool no_form = err == -EOPNOTSUPP;
    if (err == 0 && stored && methods.len > 0 && strcmp(stored, methods.s) != 0)
        err = convert_loss(w->l, "rule \"%s\": attribute qm-methods, written as %s", r->name,
                           methods.s);
    for (size_t k = i; (err == 0 || no_form) && k < r->n_filters; k++) {
        if (!same_action(part->like, &r->filters[k]))
            continue;
        err = no_form ? lose_filter(w, r, &r->filters[k], "these methods have no form")
                      : add_filter(w, part, &r->filters[k]);
        if (err < 0)
            return err;
    }
    return err < 0 ? err : put_part(w, part);
}

static void part_done(struct part *part)
{
    strbuf_done(&part->specs);
    strbuf_done(&part->action);
}

static int write_rule(struct writer *w, const struct rule *r)
{
    bool first = true;
    int err = lose_rule(w, r);
    if (r->inactive)
        return err;
    for (size_t i = 0; err == 0 && i < r->n_filters; i++) {
        _cleanup_(part_done) struct part part = {.r = r,
                                                 .specs = STRBUF_INIT(TEXT_BYTES),
                                                 .action = STRBUF_INIT(TEXT_BYTES),
                                                 .first = first};
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = same_action(&r->filters[k], &r->filters[i]);
        if (seen)
            continue;
        err = write_group(w, &part, i);
        first = part.first;
    }
    return err;
}

/* --- the policy itself --- */
static bool is_number(const char *s)
{
    return s && s[0] && strspn(s, "0123456789") == strlen(s) && strlen(s) < 10;
}

/* 3DES-SHA1-2 as the tool of that time knew it: 3DES-SHA-2. */
static void put_main_mode(const char *methods, struct strbuf *out)
{
    (void)strbuf_add(out, " -1s ");
    for (const char *s = methods; *s; s++) {
        (void)strbuf_add_char(out, *s);
        if (s - methods >= 2 && strncmp(s - 2, "SHA1-", 5) == 0)
            s++;
    }
}

static void put_options(const struct writer *w)
{
    const struct attributes *a = &w->p->attributes;
    const char *methods = plain_attribute(a, "mm-methods"), *pfs = attributes_get(a, "mm-pfs");
    const char *life = attributes_get(a, "mm-lifetime"), *quick = attributes_get(a, "qm-per-mm");
    const char *filters = plain_attribute(a, "mm-filters"), *soft = attributes_get(a, "soft-sa");
    bool has_life = is_number(life), has_quick = is_number(quick) && strcmp(quick, "0") != 0;
    put_policy(w, /* minutes= */ true);
    if (methods)
        put_main_mode(methods, w->out);
    if (has_quick || has_life)
        (void)strbuf_addf(w->out, " -1k %s%s%s%s%s", has_quick ? quick : "", has_quick ? "Q" : "",
                          has_quick && has_life ? "/" : "", has_life ? life : "",
                          has_life ? "S" : "");
    if (pfs && strcmp(pfs, "yes") == 0)
        (void)strbuf_add(w->out, " -1p");
    if (is_number(soft))
        (void)strbuf_addf(w->out, " -1e %s", soft);
    if (filters)
        (void)strbuf_addf(w->out, " -1f %s", filters);
    (void)strbuf_add(w->out, "\r\n");
}

static bool uses_port_lists(const struct policy *p)
{
    for (size_t i = 0; i < p->n_rules; i++)
        for (size_t k = 0; k < p->rules[i].n_filters; k++) {
            const struct portset *sets[] = {&p->rules[i].filters[k].sport,
                                            &p->rules[i].filters[k].dport};
            for (size_t s = 0; s < ARRAY_SIZE(sets); s++)
                if (sets[s]->n > 1 ||
                    (sets[s]->n == 1 && sets[s]->range[0].first != sets[s]->range[0].last))
                    return true;
        }
    return false;
}

int convert_write_ipseccmd(struct catalog *c _unused_, const struct policy *p, bool assigned,
                           struct strbuf *out, struct convert_losses *l)
{
    struct writer w = {.p = p, .out = out, .l = l};
    const char *standard = attributes_get(&p->attributes, "default-response");
    int err = lose_policy(&w);
    if (err < 0)
        return err;
    (void)strbuf_add(out, "rem policy "); /* errors are sticky */
    put_quoted(p->name, out);
    (void)strbuf_add(out, "\r\n");
    if (uses_port_lists(p))
        (void)strbuf_add(out, "rem lists and ranges of ports like 80,443 and 5001-5021 are an "
                              "extension of portward\r\n");
    for (size_t i = 0; err == 0 && i < p->n_rules; i++)
        err = write_rule(&w, &p->rules[i]);
    if (err < 0)
        return err;
    put_options(&w); /* behind the rules, whose main mode is the policy's, too */
    if (standard && strcmp(standard, "yes") == 0) {
        put_policy(&w, /* minutes= */ false);
        (void)strbuf_add(out, " -r \"Default response\" -f DEFAULT -n ESP[3DES,SHA]\r\n");
    }
    if (assigned) {
        put_policy(&w, /* minutes= */ false);
        (void)strbuf_add(out, " -x\r\n");
    }
    return out->error;
}
