/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/reg_policy_read.c: policy objects of a registry export as policies, filter lists and
 * filter actions (windows.md 15).
 * Called by the importer. Invariant: a broken object is named with its key and left out, the others
 * go on; a preshared key goes to the secrets and into no message. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "reg_policy.h"
#include "text/text.h"

/* An object and what it has become. */
struct object {
    const struct reg_key *key;
    const char *leaf; /* "ipsecFilter{...}", part of the path */
    char *name;       /* owned; of the list, action or policy; NULL = broken or none */
    bool response;    /* a negotiation policy of the default response rule */
};
struct objects {
    struct object *v;
    size_t n, cap;
};
struct policy_reader {
    struct reg_reader *r;
    struct objects lists, actions, policies;
};

static void objects_done(struct objects *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i].name);
    free(l->v);
}

static void policy_reader_done(struct policy_reader *p)
{
    objects_done(&p->lists);
    objects_done(&p->actions);
    objects_done(&p->policies);
}

bool reg_policy_has(const char *path)
{
    size_t n = strlen(REG_POLICY_KEY);
    return strncasecmp(path, REG_POLICY_KEY, n) == 0 && (path[n] == '\0' || path[n] == '\\');
}

/* --- values of an object --- */
static const char *text_of(const struct reg_key *k, const char *name)
{
    const struct reg_value *v = reg_value_find(k, name);
    bool text = v && !v->removed && (v->type == REG_SZ || v->type == REG_EXPAND_SZ);
    return text && v->text && v->text[0] != '\0' ? v->text : NULL;
}

/* References of either type; NULL and 0 if there are none. */
static size_t references(const struct reg_key *k, const char *name, char *const **ret)
{
    struct reg_value *v = reg_value_find(k, name);
    if (!v || v->removed)
        return 0;
    if (v->type == REG_MULTI_SZ) {
        *ret = v->strings;
        return v->n_strings;
    }
    *ret = &v->text;
    return v->text && v->text[0] != '\0' ? 1 : 0;
}

static const char *leaf_of(const char *path)
{
    const char *slash = strrchr(path, '\\');
    return slash ? slash + 1 : path;
}

static int broken(struct policy_reader *p, const struct reg_key *k, const char *why)
{
    return reg_lost(p->r, "%s%s: %s", reg_place_of(p->r, k->line).text, k->path, why);
}

/* The blob. 1: it is there; 0: it is not, which was said. */
static int data_of(struct policy_reader *p, const struct reg_key *k, const struct reg_value **ret)
{
    const struct reg_value *v = reg_value_find(k, "ipsecData");
    *ret = v;
    if (v && !v->removed && v->type == REG_BINARY)
        return 1;
    return broken(p, k, "no ipsecData, the object is left out");
}

/* After a reader of blobs: 1 to go on, 0 if the object is broken, which was said. */
static int judge(struct policy_reader *p, const struct reg_key *k, int err, const struct diag *why)
{
    if (err == -ENOMEM)
        return err;
    return err == 0 ? 1 : broken(p, k, why->message);
}

static void identity_of(const struct reg_key *k, struct guid *ret)
{
    const char *id = text_of(k, "ipsecID"), *brace = strchr(leaf_of(k->path), '{');
    if ((!id || guid_parse(id, ret) < 0) && (!brace || guid_parse(brace, ret) < 0))
        *ret = (struct guid){{0}};
}

/* ipsecName, else the name of the key. */
static char *name_of(const struct reg_key *k)
{
    const char *name = text_of(k, "ipsecName");
    return strdup(name ? name : leaf_of(k->path));
}

static int describe(const struct reg_key *k, char **to)
{
    const char *s = text_of(k, "description");
    free(*to);
    *to = s && strlen(s) <= LIMIT_TEXT_STRING_BYTES ? strdup(s) : NULL;
    return s && strlen(s) <= LIMIT_TEXT_STRING_BYTES && !*to ? -ENOMEM : 0;
}

static int object_add(struct objects *l, const struct reg_key *k, struct object **ret)
{
    int err = array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));
    if (err < 0)
        return err;
    *ret = &l->v[l->n++];
    **ret = (struct object){.key = k, .leaf = leaf_of(k->path)};
    return 0;
}

static const struct object *object_find(const struct objects *l, const char *path)
{
    const char *leaf = leaf_of(path);
    for (size_t i = 0; i < l->n; i++)
        if (strcasecmp(l->v[i].leaf, leaf) == 0)
            return &l->v[i];
    return NULL;
}

/* "NAME (2)" and so on, cut to fit. */
static void numbered(const char *name, unsigned n, char ret[LIMIT_NAME_BYTES + 1])
{
    char tail[16];
    size_t len = strlen(name), tail_len = format_into(tail, sizeof(tail), " (%u)", n);
    if (len + tail_len > LIMIT_NAME_BYTES)
        len = LIMIT_NAME_BYTES - tail_len;
    while (len > 0 && !utf8_valid(name, len))
        len--;
    (void)format_into(ret, LIMIT_NAME_BYTES + 1, "%.*s%s", (int)len, name, tail);
}

/* --- filter lists --- */
static int trim_description(struct policy_reader *p, const struct reg_key *k, struct filter *f)
{
    size_t n = f->description ? strlen(f->description) : 1;
    if (n > 0 && n <= LIMIT_TEXT_STRING_BYTES)
        return 0;
    free(f->description);
    f->description = NULL;
    return n == 0 ? 0 : broken(p, k, "the description of a filter is too long and is left out");
}

static int list_filters(struct policy_reader *p, const struct reg_key *k, struct blob_filters *b,
                        struct filter_list *l)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < b->n; i++) {
        struct filter *f = &b->v[i].filter;
        struct diag why = {0};
        f->guid = b->v[i].guid;
        if (!f->description)
            f->description = TAKE_PTR(b->v[i].description);
        err = trim_description(p, k, f);
        if (err < 0)
            return err;
        f->action = ACTION_BLOCK;
        err =
            filter_validate(f, &why) < 0 ? broken(p, k, why.message) : filter_list_add_filter(l, f);
    }
    return err;
}

static bool same_list(const struct filter_list *a, const struct filter_list *b)
{
    if (a->n_filters != b->n_filters)
        return false;
    for (size_t i = 0; i < a->n_filters; i++)
        if (!filter_eq(&a->filters[i], &b->filters[i]))
            return false;
    return true;
}

/* The same object read again takes the place of what it was; another list of this name stays, and
 * the new one gets a number. */
static int place_list(struct policy_reader *p, struct filter_list *l, char **ret_name)
{
    struct catalog *c = p->r->t->catalog;
    char name[LIMIT_NAME_BYTES + 1];
    struct filter_list *old = NULL;
    struct diag ignored;
    int err = catalog_list(c, l->name, &ignored, &old);
    for (size_t i = 0; i < c->n_lists; i++)
        if (guid_cmp(&c->lists[i].guid, &l->guid) == 0)
            old = &c->lists[i];
    bool same = old && (guid_cmp(&old->guid, &l->guid) == 0 || same_list(old, l));
    if (same) {
        char *kept = TAKE_PTR(old->name);
        l->guid = old->guid;
        free(l->name);
        l->name = kept;
        filter_list_done(old);
        *old = *l;
        *l = (struct filter_list){0};
        *ret_name = strdup(kept);
        return *ret_name ? 0 : -ENOMEM;
    }
    (void)format_into(name, sizeof(name), "%s", l->name);
    for (unsigned n = 2; err == 0 && old; n++) {
        numbered(l->name, n, name);
        old = NULL;
        if (catalog_list(c, name, &ignored, &old) == -ENOENT)
            break;
    }
    free(l->name);
    l->name = strdup(name);
    *ret_name = strdup(name);
    if (!l->name || !*ret_name)
        return -ENOMEM;
    return catalog_list_add(c, l, p->r->d);
}

static int read_list(struct policy_reader *p, const struct reg_key *k, struct object *o)
{
    _cleanup_(filter_list_done) struct filter_list l = {.name = name_of(k)};
    _cleanup_(blob_filters_done) struct blob_filters b = {0};
    const struct reg_value *v;
    struct diag why = {0};
    int err = l.name ? data_of(p, k, &v) : -ENOMEM;
    if (err > 0)
        err = judge(p, k, blob_filters_read(v->bytes, v->n_bytes, &why, &b), &why);
    if (err > 0 && name_validate(l.name, "filter list", (struct span){0}, &why) < 0)
        err = broken(p, k, why.message);
    if (err <= 0)
        return err;
    identity_of(k, &l.guid);
    err = describe(k, &l.description);
    if (err == 0)
        err = list_filters(p, k, &b, &l);
    return err < 0 ? err : place_list(p, &l, &o->name);
}

/* --- filter actions --- */
static const struct {
    const char *guid;
    enum action action;
    bool inpass;
} action_guids[] = {
    {GUID_BLOCK, ACTION_BLOCK, false},
    {GUID_PERMIT, ACTION_PERMIT, false},
    {GUID_SECURE, ACTION_NEGOTIATE, false},
    {GUID_INPASS, ACTION_PERMIT, true},
};

static bool action_of(const char *guid, struct filter_action *a)
{
    for (size_t i = 0; guid && i < ARRAY_SIZE(action_guids); i++)
        if (strcasecmp(guid, action_guids[i].guid) == 0) {
            a->action = action_guids[i].action;
            a->inpass = action_guids[i].inpass;
            return true;
        }
    return false;
}

/* The documents disagree whether 0 or 1 means with PFS: the value is kept as it stands there. */
static int set_pfs(struct policy_reader *p, const struct reg_key *k,
                   const struct blob_negotiation *b, struct filter_action *a)
{
    uint32_t pfs = 0;
    bool differ = false;
    char text[16];
    for (size_t i = 0; i < b->n_offers; i++) {
        if (b->offers[i].n_algorithms == 0)
            continue;
        differ = differ || (pfs != 0 && b->offers[i].pfs != pfs);
        pfs = pfs != 0 ? pfs : b->offers[i].pfs;
    }
    if (pfs == 0)
        return 0;
    (void)format_into(text, sizeof(text), "%u", pfs);
    int err = attributes_set(&a->attributes, "qm-pfs", pfs == 1 ? "yes" : text);
    if (err == 0)
        err = tool_remark(p->r->t, NOTE_WARNING, p->r->d,
                          "%s%s: its PFS value %u is kept, documents disagree whether 0 or 1 "
                          "means with PFS",
                          reg_place_of(p->r, k->line).text, k->path, pfs);
    return err == 0 && differ
               ? broken(p, k, "its methods differ in PFS, the first one stands for all")
               : err;
}

static int action_methods(struct policy_reader *p, const struct reg_key *k,
                          const struct blob_negotiation *b, struct filter_action *a)
{
    _cleanup_free_ char *raw = NULL, *native = NULL;
    bool lost, soft = false;
    if (a->action != ACTION_NEGOTIATE && !a->inpass)
        return 0;
    int err = reg_methods_print(b, &raw, &native, &lost);
    for (size_t i = 0; i < b->n_offers; i++)
        soft = soft || b->offers[i].n_algorithms == 0;
    if (err == 0 && raw)
        err = attributes_set(&a->attributes, "qm-methods", raw);
    if (err == 0 && soft)
        err = attributes_set(&a->attributes, "soft", "yes");
    if (err == 0)
        err = set_pfs(p, k, b, a);
    if (err == 0 && lost)
        err = broken(p, k, "a security method has no words here and is left out");
    if (err == 0 && !a->inpass)
        a->methods = TAKE_PTR(native);
    return err;
}

static bool same_action(const struct filter_action *a, const struct filter_action *b)
{
    if (a->action != b->action || a->inpass != b->inpass || !a->methods != !b->methods)
        return false;
    return (!a->methods || strcmp(a->methods, b->methods) == 0) &&
           attributes_eq(&a->attributes, &b->attributes);
}

static int place_action(struct policy_reader *p, struct filter_action *a, char **ret_name)
{
    struct catalog *c = p->r->t->catalog;
    char name[LIMIT_NAME_BYTES + 1];
    struct filter_action *old = NULL;
    struct diag ignored;
    int err = catalog_action(c, a->name, &ignored, &old);
    for (size_t i = 0; i < c->n_actions; i++)
        if (guid_cmp(&c->actions[i].guid, &a->guid) == 0)
            old = &c->actions[i];
    if (old && (guid_cmp(&old->guid, &a->guid) == 0 || same_action(old, a))) {
        char *kept = TAKE_PTR(old->name);
        a->guid = old->guid;
        free(a->name);
        a->name = kept;
        filter_action_done(old);
        *old = *a;
        *a = (struct filter_action){0};
        *ret_name = strdup(kept);
        return *ret_name ? 0 : -ENOMEM;
    }
    (void)format_into(name, sizeof(name), "%s", a->name);
    for (unsigned n = 2; err == 0 && old; n++) {
        numbered(a->name, n, name);
        old = NULL;
        if (catalog_action(c, name, &ignored, &old) == -ENOENT)
            break;
    }
    free(a->name);
    a->name = strdup(name);
    *ret_name = strdup(name);
    if (!a->name || !*ret_name)
        return -ENOMEM;
    return catalog_action_add(c, a, p->r->d);
}

static int read_action(struct policy_reader *p, const struct reg_key *k, struct object *o)
{
    _cleanup_(filter_action_done) struct filter_action a = {.name = name_of(k)};
    _cleanup_(blob_negotiation_done) struct blob_negotiation b = {0};
    const struct reg_value *v;
    struct diag why = {0};
    const char *type = text_of(k, "ipsecNegotiationPolicyType");
    o->response = type && strcasecmp(type, GUID_TYPE_RESPONSE) == 0;
    if (o->response)
        return 0;
    int err = a.name ? data_of(p, k, &v) : -ENOMEM;
    if (err > 0)
        err = judge(p, k, blob_negotiation_read(v->bytes, v->n_bytes, &why, &b), &why);
    if (err > 0 && name_validate(a.name, "filter action", (struct span){0}, &why) < 0)
        err = broken(p, k, why.message);
    if (err > 0 && !action_of(text_of(k, "ipsecNegotiationPolicyAction"), &a))
        err = broken(p, k, "ipsecNegotiationPolicyAction is none that is known");
    if (err <= 0)
        return err;
    identity_of(k, &a.guid);
    err = describe(k, &a.description);
    if (err == 0)
        err = action_methods(p, k, &b, &a);
    return err < 0 ? err : place_action(p, &a, &o->name);
}

/* --- rules --- */
/* A text that is too long or no UTF-8 breaks no more than itself. */
static int set_text(struct policy_reader *p, const struct reg_key *k, struct attributes *to,
                    const char *key, const char *value)
{
    int err = attributes_set(to, key, value);
    return err == -E2BIG || err == -EINVAL
               ? broken(p, k, "a text is too long or no UTF-8, and is left out")
               : err;
}

static int set_auth(struct policy_reader *p, const struct reg_key *k, const struct blob_nfa *b,
                    struct attributes *to)
{
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    char secret[48];
    for (size_t i = 0; i < b->n_auth; i++) {
        const struct blob_auth *a = &b->auth[i];
        const char *data = a->data ? a->data : "";
        (void)strbuf_add(&out, out.len > 0 ? " " : ""); /* errors are sticky */
        if (a->method == BLOB_AUTH_KERBEROS) {
            (void)strbuf_add(&out, "kerberos");
        } else if (a->method == BLOB_AUTH_CERT) {
            (void)strbuf_add(&out, "cert:");
            (void)text_print_string(data, &out);
        } else {
            int err = catalog_secret_add(p->r->t->catalog, data, secret);
            if (err < 0)
                return err;
            (void)strbuf_add(&out, secret);
        }
    }
    if (out.error == -E2BIG)
        return broken(p, k, "its authentication is too long and is left out");
    if (out.error < 0 || !out.s || strcmp(out.s, "kerberos") == 0) /* what no word means as well */
        return out.error;
    return set_text(p, k, to, "auth", out.s);
}

static int set_rule(struct policy_reader *p, const struct reg_key *k, const struct blob_nfa *b,
                    struct rule *r)
{
    char tunnel[IP_TEXT_BYTES];
    const char *description = text_of(k, "description");
    r->inactive = !b->is_active;
    r->connection = b->interface_type == BLOB_IF_LAN      ? CONNECTION_LAN
                    : b->interface_type == BLOB_IF_DIALUP ? CONNECTION_DIALUP
                                                          : CONNECTION_ALL;
    int err = set_auth(p, k, b, &r->attributes);
    if (err == 0 && description)
        err = set_text(p, k, &r->attributes, "description", description);
    if (err < 0 || !b->is_tunnel)
        return err;
    ip_print(b->has_tunnel6 ? FAMILY_6 : FAMILY_4, b->has_tunnel6 ? b->tunnel6 : b->tunnel, tunnel);
    return attributes_set(&r->attributes, "tunnel", tunnel);
}

/* The rule with the list and the action, or why it cannot be one. */
static int bind_rule(struct policy_reader *p, const struct reg_key *k, struct rule *r,
                     const char *list, const char *action)
{
    struct filter_list *l = NULL;
    struct filter_action *a = NULL;
    struct diag why = {0};
    int err = catalog_list(p->r->t->catalog, list, p->r->d, &l);
    if (err == 0)
        err = catalog_action(p->r->t->catalog, action, p->r->d, &a);
    for (size_t i = 0; err == 0 && i < l->n_filters; i++) {
        struct filter f = l->filters[i]; /* borrows everything */
        f.action = a->action;
        f.inpass = a->inpass;
        f.methods = a->methods;
        if (filter_validate(&f, &why) < 0) {
            err = broken(p, k, why.message);
            return err < 0 ? err : -ENOENT;
        }
    }
    if (err == 0)
        err = attributes_set(&r->attributes, "filterlist", l->name);
    return err < 0 ? err : attributes_set(&r->attributes, "filteraction", a->name);
}

static int name_rule(const struct policy *to, const char *wanted, struct rule *r)
{
    char name[LIMIT_NAME_BYTES + 1];
    struct diag ignored;
    bool fits = name_validate(wanted, "rule", (struct span){0}, &ignored) == 0;
    (void)format_into(name, sizeof(name), "%s", fits ? wanted : "Rule");
    for (unsigned n = 2; policy_find_rule(to, name); n++)
        numbered(fits ? wanted : "Rule", n, name);
    r->name = strdup(name);
    return r->name ? 0 : -ENOMEM;
}

struct nfa {
    const struct reg_key *key;
    struct blob_nfa b;
    const struct object *action;
};

/* One rule of the NFA, for one of its lists. */
static int add_rule(struct policy_reader *p, struct policy *to, const struct nfa *n,
                    const struct object *list)
{
    struct rule r;
    bool replaced;
    const char *name = text_of(n->key, "ipsecName");
    rule_init(&r);
    int err = name_rule(to, name ? name : list->name, &r);
    if (err == 0)
        err = set_rule(p, n->key, &n->b, &r);
    if (err == 0) {
        err = bind_rule(p, n->key, &r, list->name, n->action->name);
        if (err == 0) {
            identity_of(n->key, &r.guid);
            for (size_t i = 0; i < to->n_rules; i++)
                if (guid_cmp(&to->rules[i].guid, &r.guid) == 0)
                    r.guid = (struct guid){{0}}; /* the second list of one NFA */
            err = catalog_rule_put(p->r->t->catalog, to, &r, p->r->d, &replaced);
        } else if (err == -ENOENT) {
            err = 0; /* it was said */
        }
    }
    rule_done(&r);
    return err;
}

static int add_response(struct policy_reader *p, struct policy *to, const struct nfa *n)
{
    int err = attributes_set(&to->attributes, "default-response", n->b.is_active ? "yes" : "no");
    struct attributes auth = {0};
    if (err == 0)
        err = set_auth(p, n->key, &n->b, &auth);
    const char *value = attributes_get(&auth, "auth");
    if (err == 0 && value)
        err = attributes_set(&to->attributes, "default-auth", value);
    attributes_done(&auth);
    return err;
}

static int add_rules(struct policy_reader *p, struct policy *to, struct nfa *n)
{
    char *const *refs = NULL;
    size_t k = references(n->key, "ipsecNegotiationPolicyReference", &refs);
    n->action = k > 0 ? object_find(&p->actions, refs[0]) : NULL;
    if (!n->action)
        return broken(p, n->key,
                      k > 0 ? "its filter action is not in the file"
                            : "it refers to no filter action");
    if (n->action->response)
        return add_response(p, to, n);
    if (!n->action->name)
        return broken(p, n->key, "its filter action is broken, the rule is left out");
    k = references(n->key, "ipsecFilterReference", &refs);
    if (k == 0)
        return broken(p, n->key, "it refers to no filter list");
    int err = 0;
    for (size_t i = 0; err == 0 && i < k; i++) {
        const struct object *list = object_find(&p->lists, refs[i]);
        if (list && list->name)
            err = add_rule(p, to, n, list);
        else
            err = broken(p, n->key,
                         list ? "its filter list is broken, the rule is left out"
                              : "its filter list is not in the file");
    }
    return err;
}

/* NULL if a reference points nowhere. */
static const struct reg_key *follow(const struct policy_reader *p, const char *reference)
{
    char path[REG_PATH_BYTES];
    size_t n = format_into(path, sizeof(path), REG_ROOT REG_POLICY_KEY "\\%s", leaf_of(reference));
    const struct reg_key *k = n + 1 < sizeof(path) ? reg_find(p->r->tree, path) : NULL;
    return k && !reg_is_removed(k) ? k : NULL;
}

static int read_nfa(struct policy_reader *p, struct policy *to, const struct reg_key *k)
{
    struct nfa n = {.key = k};
    const struct reg_value *v;
    struct diag why = {0};
    int err = data_of(p, k, &v);
    if (err > 0)
        err = judge(p, k, blob_nfa_read(v->bytes, v->n_bytes, &why, &n.b), &why);
    if (err > 0)
        err = add_rules(p, to, &n);
    blob_nfa_done(&n.b);
    return err;
}

/* --- main mode --- */
static int set_number(struct attributes *to, const char *key, uint32_t value, uint32_t usual)
{
    char text[16];
    (void)format_into(text, sizeof(text), "%u", value);
    return value == usual || value == 0 ? 0 : attributes_set(to, key, text);
}

static int read_isakmp(struct policy_reader *p, struct policy *to, const struct reg_key *k)
{
    _cleanup_(blob_isakmp_done) struct blob_isakmp b = {0};
    _cleanup_(strbuf_done) struct strbuf methods = STRBUF_INIT(METHODS_BYTES);
    const struct reg_value *v;
    struct diag why = {0};
    bool lost = false;
    int err = data_of(p, k, &v);
    if (err > 0)
        err = judge(p, k, blob_isakmp_read(v->bytes, v->n_bytes, &why, &b), &why);
    if (err <= 0)
        return err;
    err = reg_main_mode_print(&b, &methods, &lost);
    if (err == 0 && lost)
        err = broken(p, k, "a main mode method has no words here and is left out");
    if (err == 0 && methods.s && strcmp(methods.s, MAIN_MODE_DEFAULTS) != 0)
        err = attributes_set(&to->attributes, "mm-methods", methods.s);
    if (err == 0 && b.master_pfs != 0)
        err = attributes_set(&to->attributes, "mm-pfs", "yes");
    if (err == 0)
        err = set_number(&to->attributes, "mm-lifetime", b.mm_life_s, MAIN_MODE_DEFAULT_S);
    return err < 0 ? err : set_number(&to->attributes, "qm-per-mm", b.qm_limit, 0);
}

/* --- policies --- */
static int read_parts(struct policy_reader *p, const struct reg_key *k, struct policy *to)
{
    char *const *refs = NULL;
    size_t n = references(k, "ipsecISAKMPReference", &refs);
    const struct reg_key *part = n > 0 ? follow(p, refs[0]) : NULL;
    int err = part    ? read_isakmp(p, to, part)
              : n > 0 ? broken(p, k, "its main mode object is not in the file")
                      : 0;
    n = references(k, "ipsecNFAReference", &refs);
    for (size_t i = 0; err == 0 && i < n; i++) {
        part = follow(p, refs[i]);
        if (part)
            err = read_nfa(p, to, part);
        else
            err = reg_lost(p->r, "%s%s: rule '%.80s' is not in the file",
                           reg_place_of(p->r, k->line).text, k->path, leaf_of(refs[i]));
    }
    return err;
}

/* Two policies of one name in one file: the second gets a number. */
static int unique_name(const struct policy_reader *p, const char *wanted, char **ret)
{
    char name[LIMIT_NAME_BYTES + 1];
    (void)format_into(name, sizeof(name), "%s", wanted);
    for (unsigned n = 2;; n++) {
        bool taken = false;
        for (size_t i = 0; i < p->policies.n; i++)
            taken =
                taken || (p->policies.v[i].name && utf8_casecmp(p->policies.v[i].name, name) == 0);
        if (!taken)
            break;
        numbered(wanted, n, name);
    }
    *ret = strdup(name);
    return *ret ? 0 : -ENOMEM;
}

static int read_policy(struct policy_reader *p, const struct reg_key *k, struct object *o)
{
    struct catalog *c = p->r->t->catalog;
    _cleanup_free_ char *wanted = p->r->o->name ? strdup(p->r->o->name) : name_of(k);
    struct blob_policy b = {0};
    struct policy *to = NULL;
    const struct reg_value *v;
    struct diag why = {0};
    bool made = false;
    int err = wanted ? data_of(p, k, &v) : -ENOMEM;
    if (err > 0)
        err = judge(p, k, blob_policy_read(v->bytes, v->n_bytes, &why, &b), &why);
    if (err > 0 && name_validate(wanted, "policy", (struct span){0}, &why) < 0)
        err = broken(p, k, why.message);
    if (err <= 0)
        return err;
    err = unique_name(p, wanted, &o->name);
    if (err == 0)
        err = catalog_policy_make(c, o->name, p->r->d, &to, &made);
    if (err < 0)
        return err;
    while (to->n_rules > 0)
        policy_remove_rule(to, to->n_rules - 1);
    attributes_done(&to->attributes);
    if (made)
        identity_of(k, &to->guid);
    if (guid_is_null(&to->guid))
        to->guid = catalog_new_guid(c);
    to->poll_s = b.poll_s == POLL_DEFAULT_S ? 0 : b.poll_s;
    err = describe(k, &to->description);
    if (err == 0)
        err = read_parts(p, k, to);
    if (err == 0)
        catalog_policy_changed(c, to, "import");
    return err;
}

static int read_active(struct policy_reader *p, const struct reg_key *k)
{
    const char *path = text_of(k, "ActivePolicy");
    if (!path)
        return 0;
    const struct object *o = object_find(&p->policies, path);
    if (!o || !o->name)
        return broken(p, k, "the assigned policy is not in the file, or broken");
    if (p->r->o->assign)
        return catalog_assign(p->r->t->catalog, CATALOG_LOCAL, o->name, p->r->d);
    return tool_remark(p->r->t, NOTE, p->r->d,
                       "policy '%s' is the assigned one of the file; here it is only stored",
                       o->name);
}

/* --- the whole --- */
/* A branch of the tree: objects whose key begins with the word and a brace. */
static int read_class(struct policy_reader *p, const char *class, struct objects *to,
                      int (*read)(struct policy_reader *p, const struct reg_key *k,
                                  struct object *o))
{
    size_t root = strlen(REG_POLICY_KEY), len = strlen(class);
    int err = 0;
    for (size_t i = 0; err == 0 && i < p->r->tree->n; i++) {
        const struct reg_key *k = &p->r->tree->v[i];
        char path[REG_PATH_BYTES];
        struct object *o = NULL;
        if (reg_is_removed(k) || !reg_path_below(k->path, path) || !reg_policy_has(path) ||
            path[root] == '\0' || strchr(path + root + 1, '\\') ||
            strncasecmp(path + root + 1, class, len) != 0 || path[root + 1 + len] != '{')
            continue;
        err = object_add(to, k, &o);
        if (err == 0)
            err = read(p, k, o);
    }
    return err;
}

static int check_name(const struct policy_reader *p)
{
    size_t n = p->policies.n;
    if (!p->r->o->name || n <= 1)
        return 0;
    int err = diag_fail(p->r->d, DIAG_USAGE, "%s holds %zu policies, one name is given",
                        p->r->o->file ? p->r->o->file : "the file", n);
    diag_hint(p->r->d, "leave --name out");
    return err;
}

static int note_removed(struct policy_reader *p)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < p->r->tree->n; i++) {
        const struct reg_key *k = &p->r->tree->v[i];
        char path[REG_PATH_BYTES];
        if (reg_is_removed(k) && reg_path_below(k->path, path) && reg_policy_has(path))
            err = broken(p, k, "the file removes it, nothing is deleted here");
    }
    return err;
}

int reg_policy_read(struct reg_reader *r)
{
    _cleanup_(policy_reader_done) struct policy_reader p = {.r = r};
    int err = read_class(&p, "ipsecFilter", &p.lists, read_list);
    if (err == 0)
        err = read_class(&p, "ipsecNegotiationPolicy", &p.actions, read_action);
    if (err == 0)
        err = read_class(&p, "ipsecPolicy", &p.policies, read_policy);
    if (err == 0)
        err = check_name(&p);
    const struct reg_key *root = reg_find(r->tree, REG_ROOT REG_POLICY_KEY);
    if (err == 0 && root)
        err = read_active(&p, root);
    return err < 0 ? err : note_removed(&p);
}
