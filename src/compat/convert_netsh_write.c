/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/convert_netsh_write.c: policies, rules, filter lists and filter actions as a netsh script.
 * Called by convert_write(), exportpolicy and dump. Invariant: a list and an action are written
 * once in a script, before the first rule that names them. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "convert_netsh.h"

static void writer_done(struct netsh_writer *w)
{
    for (size_t i = 0; i < w->n_own; i++)
        free(w->own[i]);
    free(w->own);
    free(w->lists.v);
    free(w->actions.v);
}

/* --- lists and actions --- */

static bool is_written(const struct written_names *l, const char *name)
{
    uint32_t hash = utf8_casehash(name);
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].hash == hash && utf8_casecmp(l->v[i].name, name) == 0)
            return true;
    return false;
}

static int remember(struct written_names *l, const char *name)
{
    int err = array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));
    if (err == 0)
        l->v[l->n++] = (struct written_name){utf8_casehash(name), name};
    return err;
}

static int begin_list(struct netsh_writer *w, const char *name, const char *description)
{
    (void)strbuf_add(w->out, "add filterlist"); /* errors are sticky */
    int err = netsh_write_text(w, T_NAME, name);
    if (err == 0 && description)
        err = netsh_write_text(w, T_DESCRIPTION, description);
    if (err == 0)
        err = strbuf_add_char(w->out, '\n');
    return err < 0 ? err : remember(&w->lists, name);
}

static int write_list(struct netsh_writer *w, const struct filter_list *l)
{
    if (is_written(&w->lists, l->name))
        return 0;
    int err = begin_list(w, l->name, l->description);
    for (size_t i = 0; err == 0 && i < l->n_filters; i++)
        err = netsh_write_filter(w, l->name, &l->filters[i]);
    return err;
}

static int write_action(struct netsh_writer *w, const struct filter_action *x)
{
    const char *raw = attributes_get(&x->attributes, "qm-methods");
    const char *soft = attributes_get(&x->attributes, "soft");
    const char *pfs = attributes_get(&x->attributes, "qm-pfs");
    bool negotiate = x->action == ACTION_NEGOTIATE || x->inpass;
    if (is_written(&w->actions, x->name))
        return 0;
    (void)strbuf_add(w->out, "add filteraction"); /* errors are sticky */
    int err = netsh_write_text(w, T_NAME, x->name);
    if (err == 0 && x->description)
        err = netsh_write_text(w, T_DESCRIPTION, x->description);
    if (pfs && strcmp(pfs, "no") != 0)
        netsh_write_word(w, T_QMPFS, "yes");
    if (x->inpass)
        netsh_write_word(w, T_INPASS, "yes");
    if (soft && strcmp(soft, "no") != 0)
        netsh_write_word(w, T_SOFT, "yes");
    netsh_write_word(w, T_ACTION, negotiate ? "negotiate" : action_name(x->action));
    if (err == 0 && negotiate && raw)
        err = netsh_write_text(w, T_QMSECMETHODS, raw);
    else if (err == 0 && x->methods)
        err = convert_loss(w->losses, "filter action '%s': written without its methods: %s",
                           x->name, x->methods);
    if (err == 0)
        err = strbuf_add_char(w->out, '\n');
    return err < 0 ? err : remember(&w->actions, x->name);
}

/* --- rules --- */

/* "POLICY: RULE", cut to fit, and unlike every list and action there is; with a number behind it
 * from *number on if that is more than 1. */
static int make_name(struct netsh_writer *w, const char *suffix, unsigned *number, const char **ret)
{
    struct filter_list *l;
    struct filter_action *x;
    for (;; ++*number) {
        char name[LIMIT_NAME_BYTES + 1], tail[16] = "";
        if (*number > 1)
            (void)format_into(tail, sizeof(tail), " %u", *number);
        size_t room = sizeof(name) - strlen(tail);
        size_t len = format_into(name, room, "%s: %s", w->p->name, suffix);
        name[utf8_whole(name, len)] = '\0';
        strcat(name, tail); /* room was kept */
        if (is_written(&w->lists, name) || is_written(&w->actions, name) ||
            catalog_list(w->c, name, NULL, &l) == 0 || catalog_action(w->c, name, NULL, &x) == 0)
            continue;
        int err = array_reserve(&w->own, &w->cap_own, w->n_own + 1, sizeof(*w->own));
        char *copy = err < 0 ? NULL : strdup(name);
        if (!copy)
            return -ENOMEM;
        w->own[w->n_own++] = copy;
        *ret = copy;
        return 0;
    }
}

static int print_rule(struct netsh_writer *w, const struct rule *r, const char *name,
                      const char *list, const char *action)
{
    const char *tunnel = attributes_get(&r->attributes, "tunnel");
    const char *description = attributes_get(&r->attributes, "description");
    const char *auth = attributes_get(&r->attributes, "auth");
    (void)strbuf_add(w->out, "add rule"); /* errors are sticky */
    int err = netsh_write_text(w, T_NAME, name);
    if (err == 0)
        err = netsh_write_text(w, T_POLICY, w->p->name);
    if (err == 0)
        err = netsh_write_text(w, T_FILTERLIST, list);
    if (err == 0)
        err = netsh_write_text(w, T_FILTERACTION, action);
    if (tunnel)
        netsh_write_word(w, T_TUNNEL, tunnel);
    if (r->connection != CONNECTION_ALL)
        netsh_write_word(w, T_CONNTYPE, connection_name(r->connection));
    if (r->inactive)
        netsh_write_word(w, T_ACTIVATE, "no");
    if (err == 0 && description)
        err = netsh_write_text(w, T_DESCRIPTION, description);
    if (err == 0 && auth && !netsh_print_auth(auth, w->out))
        err = convert_loss(w->losses, "policy '%s', rule '%s': written without its preshared key",
                           w->p->name, r->name);
    return err < 0 ? err : strbuf_add_char(w->out, '\n');
}

static bool same_action(const struct filter *a, const struct filter *b)
{
    bool methods =
        a->methods && b->methods ? strcmp(a->methods, b->methods) == 0 : a->methods == b->methods;
    return a->action == b->action && a->inpass == b->inpass && methods;
}

/* The action of f under a name of its own, once for the policy. */
static int write_own_action(struct netsh_writer *w, const struct rule *r, const struct filter *f,
                            const char **ret)
{
    const char *raw = attributes_get(&r->attributes, "qm-methods");
    const char *word = f->inpass ? "inpass" : action_name(f->action);
    char name[LIMIT_NAME_BYTES + 1];
    unsigned number = 1;
    (void)format_into(name, sizeof(name), "%s: %s", w->p->name, word);
    bool plain = f->action != ACTION_NEGOTIATE && !f->inpass;
    for (size_t i = 0; plain && i < w->n_own; i++)
        if (strcmp(w->own[i], name) == 0 && is_written(&w->actions, name)) {
            *ret = w->own[i];
            return 0;
        }
    if (!plain && w->n_secure++ > 0)
        number = w->n_secure;
    int err = make_name(w, word, &number, ret);
    if (err < 0)
        return err;
    struct filter_action x = {.name = w->own[w->n_own - 1],
                              .action = f->action,
                              .inpass = f->inpass,
                              .methods = f->methods};
    err = raw ? attributes_set(&x.attributes, "qm-methods", raw) : 0;
    if (err == 0 && attributes_get(&r->attributes, "soft"))
        err = attributes_set(&x.attributes, "soft", "yes");
    if (err == 0 && attributes_get(&r->attributes, "qm-pfs"))
        err = attributes_set(&x.attributes, "qm-pfs", "yes");
    if (err == 0)
        err = write_action(w, &x);
    attributes_done(&x.attributes);
    return err;
}

/* The rule's name, for further parts with a number that no rule of the policy has. */
static void name_group(struct netsh_writer *w, const struct rule *r, bool first,
                       char ret[LIMIT_NAME_BYTES + 1])
{
    (void)format_into(ret, LIMIT_NAME_BYTES + 1, "%s", r->name);
    while (!first) {
        char tail[16];
        size_t room = LIMIT_NAME_BYTES - format_into(tail, sizeof(tail), " (%u)", w->n_extra++ + 2);
        size_t len = utf8_whole(r->name, strnlen(r->name, room));
        (void)format_into(ret, LIMIT_NAME_BYTES + 1, "%.*s%s", (int)len, r->name, tail);
        first = !policy_find_rule(w->p, ret);
    }
}

/* Filters of one action from index `from` on, as a list, an action and a rule. */
static int write_group(struct netsh_writer *w, const struct rule *r, size_t from, bool is_first)
{
    static const struct filter none = {.action = ACTION_BLOCK};
    const struct filter *first = r->n_filters > 0 ? &r->filters[from] : &none;
    const char *list, *action;
    char name[LIMIT_NAME_BYTES + 1];
    unsigned list_number = 1;
    int err = make_name(w, r->name, &list_number, &list);
    if (err == 0)
        err = begin_list(w, list, NULL);
    for (size_t i = from; err == 0 && i < r->n_filters; i++)
        if (same_action(&r->filters[i], first))
            err = netsh_write_filter(w, list, &r->filters[i]);
    if (err == 0)
        err = write_own_action(w, r, first, &action);
    if (err < 0)
        return err;
    name_group(w, r, is_first, name);
    return print_rule(w, r, name, list, action);
}

static int write_unbound(struct netsh_writer *w, const struct rule *r)
{
    int err = r->n_filters == 0 ? write_group(w, r, 0, true) : 0;
    for (size_t i = 0; err == 0 && i < r->n_filters; i++) {
        bool seen = false;
        for (size_t k = 0; !seen && k < i; k++)
            seen = same_action(&r->filters[k], &r->filters[i]);
        if (!seen)
            err = write_group(w, r, i, i == 0);
    }
    return err;
}

static int write_rule(struct netsh_writer *w, const struct rule *r)
{
    const char *list = attributes_get(&r->attributes, "filterlist");
    const char *action = attributes_get(&r->attributes, "filteraction");
    struct filter_list *l;
    struct filter_action *x;
    if (!list || !action || catalog_list(w->c, list, NULL, &l) < 0 ||
        catalog_action(w->c, action, NULL, &x) < 0)
        return write_unbound(w, r);
    int err = write_list(w, l);
    if (err == 0)
        err = write_action(w, x);
    return err < 0 ? err : print_rule(w, r, r->name, l->name, x->name);
}

/* --- policies --- */

static int print_minutes(struct netsh_writer *w, enum netsh_tag tag, uint64_t seconds)
{
    (void)strbuf_addf(w->out, " %s=%llu", netsh_tag_name(tag),
                      (unsigned long long)((seconds + 59) / 60)); /* sticky */
    return seconds % 60 == 0 ? 0
                             : convert_loss(w->losses, "policy '%s': %s is rounded up to minutes",
                                            w->p->name, netsh_tag_name(tag));
}

static int print_main_mode(struct netsh_writer *w)
{
    static const struct {
        const char *key;
        enum netsh_tag tag;
    } plain[] = {
        {"mm-pfs", T_MMPFS},
        {"qm-per-mm", T_QMPERMM},
        {"default-response", T_ACTIVATEDEFAULTRULE},
    };
    const struct attributes *v = &w->p->attributes;
    const char *life = attributes_get(v, "mm-lifetime"), *mm = attributes_get(v, "mm-methods");
    int err = 0;
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        if (attributes_get(v, plain[i].key))
            netsh_write_word(w, plain[i].tag, attributes_get(v, plain[i].key));
    if (life)
        err = print_minutes(w, T_MMLIFETIME, strtoull(life, NULL, 10));
    return err == 0 && mm ? netsh_write_text(w, T_MMSECMETHODS, mm) : err;
}

/* Words of the policy that the dialect does not have. */
static int report_policy(struct netsh_writer *w)
{
    static const char *const known[] = {
        "mm-pfs",     "qm-per-mm",   "default-response", "mm-lifetime",
        "mm-methods", "default-pfs", "default-methods",  "default-auth",
    };
    const struct policy *p = w->p;
    int err = 0;
    if (p->local_permits >= 0)
        err = convert_loss(w->losses, "policy '%s': written without local-permits", p->name);
    if (err == 0 && p->weak >= 0)
        err = convert_loss(w->losses, "policy '%s': written without weak", p->name);
    for (size_t i = 0; err == 0 && i < p->attributes.n; i++) {
        bool has = false;
        for (size_t k = 0; k < ARRAY_SIZE(known); k++)
            has = has || strcmp(p->attributes.v[i].key, known[k]) == 0;
        if (!has)
            err = convert_loss(w->losses, "policy '%s': written without %s", p->name,
                               p->attributes.v[i].key);
    }
    return err;
}

static int write_default_rule(struct netsh_writer *w)
{
    const struct attributes *v = &w->p->attributes;
    const char *pfs = attributes_get(v, "default-pfs"), *auth = attributes_get(v, "default-auth");
    const char *methods = attributes_get(v, "default-methods");
    if (!pfs && !auth && !methods)
        return 0;
    (void)strbuf_add(w->out, "set defaultrule"); /* errors are sticky */
    int err = netsh_write_text(w, T_POLICY, w->p->name);
    if (pfs)
        netsh_write_word(w, T_QMPFS, pfs);
    if (err == 0 && methods)
        err = netsh_write_text(w, T_QMSECMETHODS, methods);
    if (err == 0 && auth && !netsh_print_auth(auth, w->out))
        err = convert_loss(w->losses, "policy '%s': written without its preshared key", w->p->name);
    return err < 0 ? err : strbuf_add_char(w->out, '\n');
}

static int write_assign(struct netsh_writer *w, const char *name)
{
    (void)strbuf_add(w->out, "set policy"); /* errors are sticky */
    int err = netsh_write_text(w, T_NAME, name);
    netsh_write_word(w, T_ASSIGN, "yes\n");
    return err < 0 ? err : w->out->error;
}

static int write_policy(struct netsh_writer *w, const struct policy *p, bool assigned)
{
    w->p = p;
    w->n_secure = w->n_extra = 0;
    (void)strbuf_add(w->out, "add policy"); /* errors are sticky */
    int err = netsh_write_text(w, T_NAME, p->name);
    if (err == 0 && p->description)
        err = netsh_write_text(w, T_DESCRIPTION, p->description);
    if (err == 0 && p->poll_s > 0)
        err = print_minutes(w, T_POLLINGINTERVAL, p->poll_s);
    if (err == 0)
        err = print_main_mode(w);
    if (err == 0)
        err = strbuf_add_char(w->out, '\n');
    for (size_t i = 0; err == 0 && i < p->n_rules; i++)
        err = write_rule(w, &p->rules[i]);
    if (err == 0)
        err = write_default_rule(w);
    if (err == 0)
        err = report_policy(w);
    if (err == 0 && assigned)
        err = write_assign(w, p->name);
    w->p = NULL;
    return err;
}

int convert_write_netsh(struct catalog *c, const struct policy *p, bool assigned,
                        struct strbuf *out, struct convert_losses *l)
{
    _cleanup_(writer_done) struct netsh_writer w = {.c = c, .out = out, .losses = l};
    (void)strbuf_addf(out, "pushd %s\n", netsh_context_name(CONTEXT_STATIC)); /* sticky */
    int err = write_policy(&w, p, assigned);
    return err < 0 ? err : strbuf_add(out, "popd\n");
}

/* Lists and actions that no rule uses come last: those of rules belong to their policies. */
static int write_rest(struct netsh_writer *w)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < w->c->n_lists; i++)
        err = write_list(w, &w->c->lists[i]);
    for (size_t i = 0; err == 0 && i < w->c->n_actions; i++)
        err = write_action(w, &w->c->actions[i]);
    return err;
}

static int write_persistent(struct netsh_writer *w, struct diag *d)
{
    const char *name;
    int err = catalog_assigned(w->c, CATALOG_PERSISTENT, d, &name);
    if (err < 0 || name[0] == '\0')
        return err;
    (void)strbuf_add(w->out, "set store location=persistent\n"); /* errors are sticky */
    err = write_assign(w, name);
    return err < 0 ? err : strbuf_add(w->out, "set store location=local\n");
}

int netsh_write_all(struct catalog *c, bool replace, struct strbuf *out, struct convert_losses *l,
                    struct diag *d)
{
    _cleanup_(writer_done) struct netsh_writer w = {.c = c, .all = true, .out = out, .losses = l};
    struct filter_list *list;
    const char *assigned;
    int err = catalog_load_all(c, d);
    if (err == 0)
        err = catalog_settle(c, d);
    if (err == 0)
        err = catalog_assigned(c, CATALOG_LOCAL, d, &assigned);
    if (err == 0 && catalog_list(c, "", d, &list) < 0 && !c->has_library)
        err = -EIO; /* d says why */
    if (err < 0)
        return err;
    (void)strbuf_addf(out, "# run it with: netsh -f FILE\npushd %s\n%s",
                      netsh_context_name(CONTEXT_STATIC), replace ? "delete all\n" : "");
    for (size_t i = 0; err == 0 && i < c->n_policies; i++) {
        const struct policy *p = c->policies[i].now;
        if (p)
            err = write_policy(&w, p, strcmp(p->name, assigned) == 0);
    }
    if (err == 0)
        err = write_rest(&w);
    if (err == 0)
        err = write_persistent(&w, d);
    return err < 0 ? err : strbuf_add(out, "popd\n");
}
