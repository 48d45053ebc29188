/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/change_policy.c: changes of policies, rules and assignments.
 * Called by change.c inside a store transaction. Invariant: a policy that is assigned to a slot
 * is stored only if it can be enforced completely; what is in force and what is stored change
 * together. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "internal.h"
#include "text/text.h"

enum { TITLE_BYTES = LIMIT_REASON_BYTES };

static void policy_list_donep(struct policy_list *l)
{
    policy_list_done(l);
}

/* Stored policy of this name; *ret NULL if there is none. */
static int find_stored(struct agent *a, const char *name, struct diag *d, struct policy **ret)
{
    struct diag why = {0};
    int err = store_policy_get(a->store, name, &why, ret);
    if (err == -ENOENT) {
        *ret = NULL;
        return 0;
    }
    if (err < 0)
        *d = why;
    return err;
}

static bool is_assigned(const struct layers *l, enum assign_slot slot, const char *name)
{
    return l->policy[slot] && utf8_casecmp(l->policy[slot]->policy->name, name) == 0;
}

/* Puts the policy just stored into the slots that hold one of its name, or of the name that it had
 * before (NULL = none). True if it is in one. */
static bool replace_in_layers(struct job *j, const char *before)
{
    const char *name = j->kept->policy->name;
    bool any = false;
    for (unsigned s = 0; s < _ASSIGN_SLOT_MAX; s++) {
        if (!is_assigned(&j->next_layers, s, name) &&
            (!before || !is_assigned(&j->next_layers, s, before)))
            continue;
        layers_share_policy(&j->next_layers, s, j->kept);
        any = j->enforce = true;
    }
    return any;
}

static bool is_stored(struct agent *a, const char *name)
{
    struct policy_identity ignored;
    return store_policy_identity(a->store, name, NULL, &ignored) == 0;
}

static void describe_policy(const struct policy *p, const char *change, bool assigned,
                            struct agent_policy_change *ret)
{
    *ret = (struct agent_policy_change){.change = change,
                                        .revision = p->revision,
                                        .n_rules = (uint32_t)p->n_rules,
                                        .n_filters = (uint32_t)policy_n_filters(p),
                                        .assigned = assigned};
    (void)snprintf(ret->name, sizeof(ret->name), "%s", p->name); /* at most 255 bytes */
}

/* Stores *owner and takes it over: from then on the job keeps it. */
static int put_policy(struct agent *a, struct job *j, struct policy **owner,
                      const struct policy_put *o, struct agent_policy_change *ret)
{
    const struct policy *p = *owner;
    bool changed, assigned = false, old = is_stored(a, o->renamed_from ? o->renamed_from : p->name);
    /* The store sees to it that rules keep their identities. */
    uint64_t since = agent_now_ns();
    int err = store_policy_put(a->store, *owner, o, &j->change.author, &j->result.diag, &changed);
    phase_end(j, AGENT_PHASE_STORE, &since);
    if (err == 0)
        err = kept_put(j, owner);
    if (err < 0)
        return err;
    negotiation_add_policy(&j->negotiation, p);
    if (changed)
        assigned = replace_in_layers(j, o->renamed_from);
    else
        for (unsigned s = 0; s < _ASSIGN_SLOT_MAX; s++)
            assigned |= is_assigned(&j->next_layers, s, p->name);
    describe_policy(p, !changed ? "none" : old ? "replaced" : "added", assigned, ret);
    return 0;
}

static int rename_policy(struct job *j, struct policy_list *l, const char *name)
{
    if (l->n != 1) {
        int err =
            diag_fail(&j->result.diag, DIAG_USAGE,
                      "a name can be given for a file with one policy, this one has %zu", l->n);
        diag_hint(&j->result.diag, "portward policy load FILE");
        return err;
    }
    size_t n = strlen(name);
    if (n == 0 || n > LIMIT_NAME_BYTES || !utf8_valid(name, n))
        return diag_fail(&j->result.diag, DIAG_LIMIT,
                         "a policy name has 1 to %d bytes of UTF-8, this one has %zu",
                         LIMIT_NAME_BYTES, n);
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    free(l->v[0]->name);
    l->v[0]->name = copy;
    return 0;
}

/* The part of a file that belongs to policy i: comments before it go with it. Mostly a file has one
 * policy: then it is the text itself, and nothing is copied to *ret_owned. */
static int source_of(const struct policy_list *l, size_t i, const char *text, char **ret_owned,
                     const char **ret)
{
    size_t from = i == 0 ? 0 : l->v[i]->at.offset;
    *ret = text + from;
    if (i + 1 == l->n)
        return 0;
    size_t to = l->v[i + 1]->at.offset;
    *ret = *ret_owned = from <= to ? strndup(text + from, to - from) : NULL;
    return *ret ? 0 : -ENOMEM;
}

static int check_title(const char *title, struct diag *d)
{
    size_t n = title ? strlen(title) : 1;
    if (n > 0 && n <= TITLE_BYTES)
        return 0;
    return diag_fail(d, DIAG_LIMIT, "the line for history has 1 to %d bytes, this one has %zu",
                     TITLE_BYTES, n);
}

int prepare_policy_load(struct agent *a, struct job *j)
{
    _cleanup_(policy_list_donep) struct policy_list l = {0};
    const char *text = j->change.text ? j->change.text : "";
    int err = check_title(j->change.title, &j->result.diag);
    if (err < 0)
        return err;
    uint64_t since = agent_now_ns();
    err = text_parse_policies(text, strlen(text), &j->result.errors, &l);
    phase_end(j, AGENT_PHASE_PARSE, &since);
    if (err < 0 && j->result.errors.n > 0)
        j->result.diag = j->result.errors.d[0];
    if (err == 0 && j->change.policy)
        err = rename_policy(j, &l, j->change.policy);
    if (err == 0 && l.n == 0)
        err = diag_fail(&j->result.diag, DIAG_SYNTAX, "the file holds no policy");
    if (err == 0 && l.n > 1 && (j->change.renamed_from || j->change.n_renamed_rules))
        err = diag_fail(&j->result.diag, DIAG_USAGE, "one policy can be renamed, this text has %zu",
                        l.n);
    if (err < 0)
        return err;
    j->result.policies = calloc(l.n, sizeof(*j->result.policies));
    if (!j->result.policies)
        return -ENOMEM;
    j->result.change = "none";
    for (size_t i = 0; i < l.n; i++) {
        _cleanup_free_ char *owned = NULL;
        const char *source;
        err = source_of(&l, i, text, &owned, &source);
        struct policy_put o = {.replace = j->change.replace,
                               .source = source,
                               .change = j->change.title ? j->change.title : "load",
                               .renamed_from = j->change.renamed_from,
                               .renamed_rules = j->change.renamed_rules,
                               .n_renamed_rules = j->change.n_renamed_rules};
        if (err == 0)
            err = put_policy(a, j, &l.v[i], &o, &j->result.policies[i]);
        if (err < 0)
            return err;
        j->result.n_policies++;
        if (strcmp(j->result.policies[i].change, "none") != 0)
            j->result.change = j->result.policies[i].change;
    }
    return 0;
}

/* Takes the policy out of all slots. */
static int unassign_everywhere(struct agent *a, struct job *j, const char *name)
{
    int err = 0;
    char before[256];
    for (unsigned s = 0; err == 0 && s < _ASSIGN_SLOT_MAX; s++) {
        if (!is_assigned(&j->next_layers, s, name))
            continue;
        err = store_assign(a->store, s, NULL, &j->change.author, &j->result.diag, before);
        layers_unset_policy(&j->next_layers, s);
        j->enforce = true;
    }
    return err;
}

int prepare_policy_delete(struct agent *a, struct job *j)
{
    struct diag *d = &j->result.diag;
    _cleanup_(policy_freep) struct policy *p = NULL;
    int err = store_policy_get(a->store, j->change.policy, d, &p);
    if (err == 0 && j->change.unassign)
        err = unassign_everywhere(a, j, p->name);
    if (err == 0)
        err = store_policy_delete(a->store, p->name, &j->change.author, d);
    if (err < 0)
        return err;
    j->result.policies = calloc(1, sizeof(*j->result.policies));
    if (!j->result.policies)
        return -ENOMEM;
    j->result.n_policies = 1;
    describe_policy(p, "deleted", false, &j->result.policies[0]);
    j->result.change = "deleted";
    return 0;
}

int prepare_policy_rollback(struct agent *a, struct job *j)
{
    _cleanup_(policy_freep) struct policy *p = NULL;
    int err =
        store_revision_get(a->store, j->change.policy, j->change.revision, &j->result.diag, &p);
    if (err < 0)
        return err;
    char change[64];
    (void)snprintf(change, sizeof(change), "rollback to revision %" PRIu32, p->revision); /* fits */
    struct policy_put o = {.replace = true, .change = change};
    j->result.restored = p->revision;
    j->result.policies = calloc(1, sizeof(*j->result.policies));
    if (!j->result.policies)
        return -ENOMEM;
    err = put_policy(a, j, &p, &o, &j->result.policies[0]);
    if (err < 0)
        return err;
    j->result.n_policies = 1;
    j->result.change = j->result.policies[0].change;
    return 0;
}

int prepare_assign(struct agent *a, struct job *j)
{
    struct diag *d = &j->result.diag;
    enum assign_slot slot = j->change.persistent ? ASSIGN_PERSISTENT : ASSIGN_LOCAL;
    struct policy_ref *kept;
    uint64_t since = agent_now_ns();
    int err = kept_get(a, j, j->change.policy, &kept);
    phase_end(j, AGENT_PHASE_STORE, &since);
    if (err < 0)
        return err;
    const struct policy *p = kept->policy;
    (void)snprintf(j->result.name, sizeof(j->result.name), "%s", p->name);
    negotiation_add_policy(&j->negotiation, p);
    if (is_assigned(&j->next_layers, slot, p->name)) {
        (void)snprintf(j->result.before, sizeof(j->result.before), "%s", p->name);
        j->result.change = "none";
        return 0;
    }
    err = store_assign(a->store, slot, p->name, &j->change.author, d, j->result.before);
    if (err < 0)
        return err;
    layers_share_policy(&j->next_layers, slot, kept);
    j->enforce = true;
    j->result.change = j->result.before[0] ? "replaced" : "added";
    return 0;
}

int prepare_unassign(struct agent *a, struct job *j)
{
    enum assign_slot slot = j->change.persistent ? ASSIGN_PERSISTENT : ASSIGN_LOCAL;
    char before[256];
    j->result.change = "none";
    if (!j->next_layers.policy[slot])
        return 0;
    int err = store_assign(a->store, slot, NULL, &j->change.author, &j->result.diag, before);
    if (err < 0)
        return err;
    memcpy(j->result.name, before, sizeof(before));
    layers_unset_policy(&j->next_layers, slot);
    j->enforce = true;
    j->result.change = "deleted";
    return 0;
}

/* --- rules --- */
/* Puts f into the rule of p: a new one, or in the place of the old one's filters. Takes *f
 * over. */
static int put_rule(struct policy *p, const char *name, struct filter *f, struct diag *d)
{
    struct rule *r = policy_find_rule(p, name);
    if (r) {
        for (size_t i = 0; i < r->n_filters; i++)
            filter_done(&r->filters[i]);
        r->n_filters = 0;
        return rule_add_filter(r, f);
    }
    struct rule fresh;
    rule_init(&fresh);
    fresh.name = strdup(name);
    int err = fresh.name ? rule_add_filter(&fresh, f) : -ENOMEM;
    if (err == 0)
        err = policy_add_rule(p, &fresh, d);
    if (err < 0)
        rule_done(&fresh);
    return err;
}

static int check_rule_name(const char *name, struct diag *d)
{
    size_t n = name ? strlen(name) : 0;
    if (n > 0 && n <= LIMIT_NAME_BYTES && utf8_valid(name, n))
        return 0;
    return diag_fail(d, DIAG_LIMIT, "a rule name has 1 to %d bytes of UTF-8, this one has %zu",
                     LIMIT_NAME_BYTES, n);
}

/* Filters of the rule as they are stored now, into the answer. */
static int show_rule(struct job *j, const struct policy *p, const char *name, bool persistent)
{
    enum layer layer = persistent ? LAYER_PERSISTENT : LAYER_LOCAL;
    const struct rule *r = policy_find_rule(p, name);
    for (size_t i = 0; r && i < r->n_filters; i++) {
        struct agent_filter f;
        int err = view_stored(&r->filters[i], layer, p->name, r->name, &f);
        if (err == 0)
            err = filters_add(&j->result.filters, &f);
        if (err < 0)
            return err;
    }
    return 0;
}

/* Which letter the ids of a policy have: p if it is in the persistent slot alone. */
static bool is_persistent_only(const struct job *j, const char *name)
{
    return is_assigned(&j->next_layers, ASSIGN_PERSISTENT, name) &&
           !is_assigned(&j->next_layers, ASSIGN_LOCAL, name);
}

static int policy_for_rule(struct agent *a, struct job *j, struct policy **ret)
{
    int err = find_stored(a, j->change.policy, &j->result.diag, ret);
    if (err < 0 || *ret)
        return err;
    if (j->change.create)
        return policy_new(j->change.policy, ret);
    struct diag *d = &j->result.diag;
    err = store_policy_get(a->store, j->change.policy, d, ret); /* for its message and hint */
    return err < 0 ? err : -ENOENT;
}

static int rule_exists(struct job *j, const struct policy *p, const struct rule *r)
{
    struct diag *d = &j->result.diag;
    int err = diag_fail(d, DIAG_CONFLICT, "rule '%s' of policy '%s' has another filter", r->name,
                        p->name);
    diag_hint(d, "portward rule add --replace \"%s\" \"%s\" ...", p->name, r->name);
    return err;
}

static int store_rule_change(struct agent *a, struct job *j, struct policy **p, const char *verb)
{
    char change[320];
    bool fresh = guid_is_null(&(*p)->guid); /* it was not stored before */
    (void)snprintf(change, sizeof(change), "%s%s rule \"%s\"", fresh ? "create, " : "", verb,
                   j->change.rule); /* cut */
    struct policy_put o = {.replace = true, .change = change};
    j->result.policies = calloc(1, sizeof(*j->result.policies));
    if (!j->result.policies)
        return -ENOMEM;
    int err = put_policy(a, j, p, &o, &j->result.policies[0]);
    if (err == 0)
        j->result.n_policies = 1;
    return err;
}

static int add_rule(struct agent *a, struct job *j, struct filter *f)
{
    struct diag *d = &j->result.diag;
    _cleanup_(policy_freep) struct policy *p = NULL;
    int err = policy_for_rule(a, j, &p);
    if (err < 0)
        return err;
    const struct rule *old = policy_find_rule(p, j->change.rule);
    bool same = old && old->n_filters == 1 && filter_eq(&old->filters[0], f);
    j->result.change = same ? "none" : old ? "replaced" : "added";
    if (old && !same && !j->change.replace)
        return rule_exists(j, p, old);
    if (!same)
        err = put_rule(p, j->change.rule, f, d);
    if (err == 0)
        err = store_rule_change(a, j, &p, old ? "replace" : "add");
    if (err < 0)
        return err;
    const struct policy *now = j->kept->policy;
    return show_rule(j, now, j->change.rule, is_persistent_only(j, now->name));
}

int prepare_rule_add(struct agent *a, struct job *j)
{
    struct diag *d = &j->result.diag;
    const char *text = j->change.text ? j->change.text : "";
    struct filter f;
    filter_init(&f);
    int err = check_rule_name(j->change.rule, d);
    if (err < 0)
        return err;
    err = text_parse_filter(text, strlen(text), d, &f);
    if (err < 0)
        diag_list_add(&j->result.errors, d, false);
    else
        err = add_rule(a, j, &f);
    filter_done(&f);
    return err;
}

int prepare_rule_delete(struct agent *a, struct job *j)
{
    struct diag *d = &j->result.diag;
    _cleanup_(policy_freep) struct policy *p = NULL;
    int err = store_policy_get(a->store, j->change.policy, d, &p);
    if (err < 0)
        return err;
    const struct rule *r = policy_find_rule(p, j->change.rule);
    if (!r) {
        err = diag_fail(d, DIAG_UNKNOWN_OBJECT, "no rule '%s' in policy '%s'", j->change.rule,
                        p->name);
        diag_hint(d, "portward policy show \"%s\"", p->name);
        return err;
    }
    err = show_rule(j, p, j->change.rule, is_persistent_only(j, p->name));
    if (err < 0)
        return err;
    policy_remove_rule(p, (size_t)(r - p->rules));
    j->result.change = "deleted";
    return store_rule_change(a, j, &p, "delete");
}
