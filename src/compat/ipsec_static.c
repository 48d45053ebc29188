/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/ipsec_static.c: ipsecpol and ipseccmd with -w: policies, their rules and their assignment
 * (windows.md 3). Called when the switches are known to go together. A rule of the same name is
 * replaced; its filters are its own, there is no list behind them. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "ipsec_internal.h"
#include "text/text.h"

struct command {
    struct tool_run *t;
    const struct ipsec_args *a;
    struct diag *d;
    enum catalog_slot slot;
    char name[LIMIT_NAME_BYTES + 1]; /* of the policy */
    uint32_t poll_s;                 /* 0 = not given */
    struct ipsec_filters filters;
    struct ipsec_action action;
    struct ipsec_main_mode mm;
    struct strbuf mm_filters;
};

static void command_done(struct command *c)
{
    ipsec_filters_done(&c->filters);
    ipsec_action_done(&c->action);
    ipsec_main_mode_done(&c->mm);
    strbuf_done(&c->mm_filters);
}

/* REG, PERS, DS with what may stand behind a colon. */
static int parse_store(struct command *c)
{
    static const struct {
        const char *name;
        enum catalog_slot slot;
    } stores[] = {{"REG", CATALOG_LOCAL}, {"PERS", CATALOG_PERSISTENT}};
    const char *word = ipsec_value(c->a, SW_STORE);
    size_t n = strcspn(word, ":");
    const char *where = word[n] ? word + n + 1 : "";
    if (n == 2 && strncasecmp(word, "DS", 2) == 0) {
        int err = tool_fail_at(c->t, c->d, word, 0, strlen(word), DIAG_UNKNOWN_OBJECT,
                               "no domain is configured");
        diag_hint(c->d, "store it on this host: -w REG");
        return err;
    }
    for (size_t i = 0; i < ARRAY_SIZE(stores); i++) {
        if (strlen(stores[i].name) != n || strncasecmp(stores[i].name, word, n) != 0)
            continue;
        c->slot = stores[i].slot;
        while (*where == '\\')
            where++;
        return *where ? ipsec_check_computer(c->t, word, where, c->d) : 0;
    }
    int err = ipsec_fail(c->t, c->d, word, "unknown store '%s'", word);
    diag_hint(c->d, "REG is this host, PERS its persistent layer, DS the domain");
    return err;
}

/* NAME or NAME:MINUTES. */
static int parse_policy(struct command *c)
{
    const char *word = ipsec_value(c->a, SW_POLICY);
    size_t n = strlen(word);
    const char *colon = strrchr(word, ':');
    if (colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1)) {
        uint64_t minutes = strlen(colon) < 8 ? strtoull(colon + 1, NULL, 10) : UINT32_MAX;
        n = (size_t)(colon - word);
        if (minutes > 525600) {
            int err = tool_fail_at(c->t, c->d, word, n + 1, strlen(colon + 1), DIAG_USAGE,
                                   "poll interval '%s' is out of range", colon + 1);
            diag_hint(c->d, "minutes, 1 to 525600; the default is 180");
            return err;
        }
        c->poll_s = (uint32_t)(minutes > 0 ? minutes : 180) * 60; /* 0 = default, as stored there */
    }
    if (n == 0 || n > LIMIT_NAME_BYTES) {
        int err = tool_fail_at(c->t, c->d, word, 0, n > 0 ? n : 1, DIAG_USAGE,
                               n == 0 ? "the policy has no name" : "name is longer than %d bytes",
                               LIMIT_NAME_BYTES);
        diag_hint(c->d, "for example -p \"Block RPC Ports:30\"");
        return err;
    }
    format_into(c->name, sizeof(c->name), "%.*s", (int)n, word);
    return 0;
}

/* "NAME"-x makes one word in a shell: a name that ends like that is only believed when it is there
 * already. Scripts keep the quotes, so that the reader of their lines sees it. */
static int check_glued_name(struct command *c)
{
    const char *word = ipsec_value(c->a, SW_POLICY);
    size_t n = ipsec_glued(word);
    struct policy *p;
    struct diag ignored;
    if (n == 0 || c->t->from_file || !strchr("xyo", word[n + 1]) ||
        catalog_policy(c->t->catalog, c->name, &ignored, &p) == 0)
        return 0;
    int err = tool_fail_at(c->t, c->d, word, n, 2, DIAG_USAGE,
                           "the switch '%s' is glued to what stands before it", word + n);
    diag_hint(c->d, "write -p \"%.*s\" %s", (int)n, word, word + n);
    return err;
}

static int set_attribute(struct command *c, struct attributes *to, const char *key,
                         const char *value)
{
    if (!value)
        return 0;
    int err = attributes_set(to, key, value);
    return err == -E2BIG ? diag_fail(c->d, DIAG_LIMIT, "'%s' is too long", key) : err;
}

static int set_number(struct command *c, struct attributes *to, const char *key, uint32_t value)
{
    char text[16];
    format_into(text, sizeof(text), "%u", value);
    return value > 0 ? set_attribute(c, to, key, text) : 0;
}

/* -1f: which packets main mode is for; addresses only. */
static int main_mode_filters(struct command *c)
{
    _cleanup_(ipsec_filters_done) struct ipsec_filters filters = {0};
    int err = ipsec_filters_parse(c->t, c->a, SW_MM_FILTER, c->d, &filters);
    for (size_t i = 0; err == 0 && i < filters.n; i++) {
        const struct ipsec_filter *f = &filters.v[i];
        const struct filter *x = &f->spec.filter;
        if (f->spec.bracket || x->proto != PROTO_ANY || x->interface) {
            err = ipsec_fail(c->t, c->d, f->word, "a filter of main mode has addresses only");
            diag_hint(c->d, "for example -1f 0=192.0.2.1");
        } else {
            err = strbuf_addf(&c->mm_filters, "%s%s", i > 0 ? " " : "", f->word);
        }
    }
    return err;
}

static int set_policy_attributes(struct command *c, struct policy *p)
{
    struct attributes *to = &p->attributes;
    int err = set_attribute(c, to, "mm-methods", c->mm.methods);
    if (err == 0)
        err = set_attribute(c, to, "mm-filters", c->mm_filters.s);
    if (err == 0)
        err = set_attribute(c, to, "mm-pfs", c->mm.pfs ? "yes" : NULL);
    if (err == 0)
        err = set_number(c, to, "mm-lifetime", c->mm.seconds);
    if (err == 0)
        err = set_number(c, to, "qm-per-mm", c->mm.quick_modes);
    return err < 0 ? err : set_number(c, to, "soft-sa", c->mm.soft_sa);
}

static int set_rule_attributes(struct command *c, struct rule *r)
{
    _cleanup_free_ char *auth = NULL;
    struct attributes *to = &r->attributes;
    const struct ipsec_action *action = &c->action;
    int err = ipsec_auth_parse(c->t, c->a, c->d, &auth);
    if (err == 0)
        err = set_attribute(c, to, "tunnel", ipsec_value(c->a, SW_TUNNEL));
    if (err == 0)
        err = set_attribute(c, to, "auth", auth);
    if (err == 0)
        err = set_attribute(c, to, "qm-methods", action->qm_methods);
    if (err == 0)
        err = set_attribute(c, to, "qm-pfs", action->pfs[0] ? action->pfs : NULL);
    if (err < 0 || !ipsec_given(c->a, SW_SOFT))
        return err;
    if (action->action != ACTION_NEGOTIATE)
        return tool_remark(c->t, NOTE, c->d, "-soft has no effect on %s",
                           ipsec_value(c->a, SW_ACTION));
    return set_attribute(c, to, "soft", "yes");
}

static int check_static_filter(struct command *c, const struct ipsec_filter *f)
{
    if (f->spec.bracket) {
        int err = tool_fail_at(c->t, c->d, f->word, 0, 1, DIAG_USAGE,
                               "brackets have no place in a policy");
        diag_hint(c->d, "write %.*s and %s", (int)strlen(f->word) - 2, f->word + 1,
                  f->spec.bracket == '[' ? "-n BLOCK" : "-n PASS");
        return err;
    }
    if (f->spec.filter.interface) {
        int err = ipsec_fail(c->t, c->d, f->word, "an interface has no place in a policy");
        diag_hint(c->d, "write 0 for this host's addresses, or use: portward rule add");
        return err;
    }
    return 0;
}

static int parse_filters(struct command *c)
{
    int err = ipsec_filters_parse(c->t, c->a, SW_FILTER, c->d, &c->filters);
    if (err == 0)
        err = ipsec_action_parse(c->t, c->a, c->d, &c->action);
    for (size_t i = 0; err == 0 && i < c->filters.n; i++) {
        struct ipsec_filter *f = &c->filters.v[i];
        err = check_static_filter(c, f);
        if (err == 0)
            err = ipsec_filter_finish(c->t, f->word, &c->action, c->d, &f->spec.filter);
    }
    return err;
}

static int check_rule_names(struct command *c)
{
    const struct ipsec_words *rules = &c->a->values[SW_RULE];
    for (size_t i = 0; i < rules->n; i++)
        if (name_validate(rules->v[i], "rule", (struct span){0}, c->d) < 0)
            return ipsec_fail(c->t, c->d, rules->v[i], "name of a rule has 1 to %d bytes of UTF-8",
                              LIMIT_NAME_BYTES);
    return 0;
}

/* Everything that was typed, before anything is looked up or changed: a wrong word is told also
 * without an agent. */
static int parse_command(struct command *c)
{
    const char *tunnel = ipsec_value(c->a, SW_TUNNEL);
    bool is_address;
    int err = parse_store(c);
    if (err == 0)
        err = parse_policy(c);
    if (err == 0)
        err = check_rule_names(c);
    if (err == 0 && ipsec_given(c->a, SW_FILTER))
        err = parse_filters(c);
    if (err == 0)
        err = ipsec_main_mode_parse(c->t, c->a, c->d, &c->mm);
    if (err == 0)
        err = main_mode_filters(c);
    if (err == 0)
        err = ipsec_auth_check(c->t, c->a, c->d);
    if (err == 0 && tunnel)
        err = ipsec_check_tunnel(c->t, tunnel, c->d, &is_address);
    return err;
}

static int fill_rule(struct command *c, struct rule *r)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < c->filters.n; i++)
        err = rule_add_filter(r, &c->filters.v[i].spec.filter);
    if (err < 0)
        return err;
    r->connection = ipsec_given(c->a, SW_LAN)      ? CONNECTION_LAN
                    : ipsec_given(c->a, SW_DIALUP) ? CONNECTION_DIALUP
                                                   : CONNECTION_ALL;
    return set_rule_attributes(c, r);
}

/* DEFAULT alone makes no rule: it is an option of the policy. */
static int note_default(struct command *c, struct policy *p)
{
    const char *name = ipsec_value(c->a, SW_RULE);
    int err = attributes_set(&p->attributes, "default-response", "yes");
    if (err == 0)
        err = tool_remark(c->t, NOTE, c->d,
                          "the default response rule is stored, it matches no packet");
    if (err == 0 && c->filters.n == 0 && policy_find_rule(p, name))
        err = tool_remark(c->t, NOTE_WARNING, c->d,
                          "rule '%s' stays as it is: DEFAULT makes no rule; -o deletes it", name);
    return err;
}

static int add_rule(struct command *c, struct policy *p)
{
    _cleanup_(rule_done) struct rule r;
    const char *name = ipsec_value(c->a, SW_RULE);
    bool replaced = false, secured = c->action.action == ACTION_NEGOTIATE || c->action.inpass;
    rule_init(&r);
    int err = c->filters.has_default ? note_default(c, p) : 0;
    if (err < 0)
        return err;
    if (c->filters.n == 0) {
        catalog_policy_changed(c->t->catalog, p, "default response (%s)", ipsec_tool_name(c->t));
        return 0;
    }
    r.name = strdup(name);
    err = r.name ? fill_rule(c, &r) : -ENOMEM;
    if (err == 0)
        err = catalog_rule_put(c->t->catalog, p, &r, c->d, &replaced);
    if (err == 0 && secured)
        err = tool_remark(c->t, NOTE_FORETOLD, c->d,
                          "rule '%s' needs negotiated security: its packets are denied in the "
                          "clear",
                          name);
    if (err == 0)
        catalog_policy_changed(c->t->catalog, p, "%s rule \"%s\" (%s)",
                               replaced ? "replace" : "add", name, ipsec_tool_name(c->t));
    return err;
}

static int unassign(struct command *c, struct policy *p)
{
    const char *assigned;
    int err = catalog_assigned(c->t->catalog, c->slot, c->d, &assigned);
    if (err < 0)
        return err;
    if (strcasecmp(assigned, p->name) != 0)
        return tool_remark(c->t, NOTE, c->d, "policy '%s' was not assigned", p->name);
    err = catalog_assign(c->t->catalog, c->slot, NULL, c->d);
    if (err < 0)
        return err;
    return tool_remark(c->t, NOTE_WARNING, c->d,
                       "policy '%s' is not assigned any more: nothing it blocked is blocked by it",
                       p->name);
}

static int delete_policy(struct command *c, struct policy *p)
{
    bool was = false;
    int err = 0;
    for (int i = 0; err == 0 && i < _CATALOG_SLOT_MAX; i++) {
        const char *assigned;
        err = catalog_assigned(c->t->catalog, (enum catalog_slot)i, c->d, &assigned);
        was = was || (err == 0 && strcasecmp(assigned, p->name) == 0);
    }
    if (err == 0 && was)
        err = tool_remark(c->t, NOTE_WARNING, c->d,
                          "policy '%s' was assigned: nothing it blocked is blocked by it any more",
                          p->name);
    return err < 0 ? err : catalog_policy_delete(c->t->catalog, c->name, c->d);
}

/* -o: the rules named, and with the last of them the policy; without names the policy. */
static int delete_rules(struct command *c)
{
    const struct ipsec_words *rules = &c->a->values[SW_RULE];
    struct policy *p;
    int err = catalog_policy(c->t->catalog, c->name, c->d, &p);
    if (err == 0 && ipsec_given(c->a, SW_ASSIGN))
        err = tool_remark(c->t, NOTE, c->d, "-o deletes: -x is ignored");
    /* A name that is not there is told before one is gone, so that all that exist are named. */
    for (size_t i = 0; err == 0 && i < rules->n; i++)
        if (!policy_find_rule(p, rules->v[i]))
            err = catalog_rule_delete(c->t->catalog, p, rules->v[i], c->d);
    for (size_t i = 0; err == 0 && i < rules->n; i++)
        if (policy_find_rule(p, rules->v[i])) /* else it was named twice */
            err = catalog_rule_delete(c->t->catalog, p, rules->v[i], c->d);
    if (err < 0)
        return err;
    if (rules->n == 0 || p->n_rules == 0)
        return delete_policy(c, p);
    if (rules->n == 1)
        catalog_policy_changed(c->t->catalog, p, "delete rule \"%s\" (%s)", rules->v[0],
                               ipsec_tool_name(c->t));
    else
        catalog_policy_changed(c->t->catalog, p, "delete %zu rules (%s)", rules->n,
                               ipsec_tool_name(c->t));
    return ipsec_given(c->a, SW_UNASSIGN) ? unassign(c, p) : 0;
}

static bool has_policy_settings(const struct command *c)
{
    return c->poll_s > 0 || ipsec_given(c->a, SW_MM_METHOD) || ipsec_given(c->a, SW_MM_REKEY) ||
           ipsec_given(c->a, SW_MM_PFS) || ipsec_given(c->a, SW_MM_FILTER) ||
           ipsec_given(c->a, SW_SOFT_SA);
}

static int change_policy(struct command *c)
{
    struct policy *p;
    bool made = false;
    /* To assign or unassign only, the policy must be there. */
    bool only = !ipsec_given(c->a, SW_FILTER) && !has_policy_settings(c) &&
                (ipsec_given(c->a, SW_ASSIGN) || ipsec_given(c->a, SW_UNASSIGN));
    int err = check_glued_name(c);
    if (err == 0)
        err = only ? catalog_policy(c->t->catalog, c->name, c->d, &p)
                   : catalog_policy_make(c->t->catalog, c->name, c->d, &p, &made);
    if (err < 0)
        return err;
    if (made)
        catalog_policy_changed(c->t->catalog, p, "create (%s)", ipsec_tool_name(c->t));
    else if (has_policy_settings(c))
        catalog_policy_changed(c->t->catalog, p, "change options (%s)", ipsec_tool_name(c->t));
    if (c->poll_s > 0)
        p->poll_s = c->poll_s;
    err = set_policy_attributes(c, p);
    if (err == 0 && ipsec_given(c->a, SW_FILTER))
        err = add_rule(c, p);
    if (err == 0 && ipsec_given(c->a, SW_ASSIGN))
        err = catalog_assign(c->t->catalog, c->slot, c->name, c->d);
    if (err == 0 && ipsec_given(c->a, SW_UNASSIGN))
        err = unassign(c, p);
    return err;
}

int ipsec_run_static(struct tool_run *t, const struct ipsec_args *a, struct diag *d)
{
    _cleanup_(command_done) struct command c = {
        .t = t, .a = a, .d = d, .mm_filters = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES)};
    int err = parse_command(&c);
    if (err < 0)
        return err;
    t->changes = true;
    return ipsec_given(a, SW_DELETE) ? delete_rules(&c) : change_policy(&c);
}
