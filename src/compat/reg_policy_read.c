/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/reg_policy_read.c: policy objects of a registry export as policies and rules (windows.md
 * 15).
 * Called by the importer. Invariant: a broken object is named with its key and left out, the others
 * go on; a preshared key goes to the secrets and into no message. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "reg_policy_reader.h"
#include "text/text.h"

static void objects_done(struct reg_objects *l)
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
    reg_names_done(&p->names);
}

bool reg_policy_has(const char *path)
{
    size_t n = strlen(REG_POLICY_KEY);
    return strncasecmp(path, REG_POLICY_KEY, n) == 0 && (path[n] == '\0' || path[n] == '\\');
}

/* --- values of an object --- */
const char *reg_text_of(const struct reg_key *k, const char *name)
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

int reg_broken(struct policy_reader *p, const struct reg_key *k, const char *why)
{
    return reg_lost(p->r, "%s%s: %s", reg_place_of(p->r, k->line).text, k->path, why);
}

int reg_data_of(struct policy_reader *p, const struct reg_key *k, const struct reg_value **ret)
{
    const struct reg_value *v = reg_value_find(k, "ipsecData");
    *ret = v;
    if (v && !v->removed && v->type == REG_BINARY)
        return 1;
    return reg_broken(p, k, "no ipsecData, the object is left out");
}

int reg_judge(struct policy_reader *p, const struct reg_key *k, int err, const struct diag *why)
{
    if (err == -ENOMEM)
        return err;
    return err == 0 ? 1 : reg_broken(p, k, why->message);
}

void reg_identity_of(const struct reg_key *k, struct guid *ret)
{
    const char *id = reg_text_of(k, "ipsecID"), *brace = strchr(leaf_of(k->path), '{');
    if ((!brace || guid_parse(brace, ret) < 0) && (!id || guid_parse(id, ret) < 0))
        *ret = (struct guid){{0}};
}

char *reg_name_of(const struct reg_key *k)
{
    const char *name = reg_text_of(k, "ipsecName");
    return strdup(name ? name : leaf_of(k->path));
}

int reg_describe(const struct reg_key *k, char **to)
{
    const char *s = reg_text_of(k, "description");
    free(*to);
    *to = s && strlen(s) <= LIMIT_TEXT_STRING_BYTES ? strdup(s) : NULL;
    return s && strlen(s) <= LIMIT_TEXT_STRING_BYTES && !*to ? -ENOMEM : 0;
}

static int object_add(struct reg_objects *l, const struct reg_key *k, struct reg_object **ret)
{
    int err = array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));
    if (err < 0)
        return err;
    *ret = &l->v[l->n++];
    **ret = (struct reg_object){.key = k, .leaf = leaf_of(k->path)};
    return 0;
}

static const struct reg_object *object_find(const struct reg_objects *l, const char *path)
{
    const char *leaf = leaf_of(path);
    for (size_t i = 0; i < l->n; i++)
        if (strcasecmp(l->v[i].leaf, leaf) == 0)
            return &l->v[i];
    return NULL;
}

bool reg_is_of_file(const struct reg_objects *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].name && utf8_casecmp(l->v[i].name, name) == 0)
            return true;
    return false;
}

/* --- rules --- */
/* A text that is too long or no UTF-8 breaks no more than itself. */
static int set_text(struct policy_reader *p, const struct reg_key *k, struct attributes *to,
                    const char *key, const char *value)
{
    int err = attributes_set(to, key, value);
    return err == -E2BIG || err == -EINVAL
               ? reg_broken(p, k, "a text is too long or no UTF-8, and is left out")
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
        return reg_broken(p, k, "its authentication is too long and is left out");
    if (out.error < 0 || !out.s || strcmp(out.s, "kerberos") == 0) /* what no word means as well */
        return out.error;
    return set_text(p, k, to, "auth", out.s);
}

static int set_rule(struct policy_reader *p, const struct reg_key *k, const struct blob_nfa *b,
                    struct rule *r)
{
    char tunnel[IP_TEXT_BYTES];
    const char *description = reg_text_of(k, "description");
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

struct nfa {
    const struct reg_key *key;
    struct blob_nfa b;
    const struct reg_object *action;
};

/* One interface cannot be told by the name that Windows gave it. A block for all of them shuts no
 * less; anything else would let more through. */
static int check_interface(struct policy_reader *p, const struct nfa *n,
                           const struct filter_action *a)
{
    bool block = a->action == ACTION_BLOCK && !a->inpass;
    if (!n->b.interface_name)
        return 0;
    int err = reg_broken(p, n->key,
                         block ? "its interface name is left out, the rule holds on all of its type"
                               : "it is for one interface only, the rule is left out");
    return err < 0 || block ? err : -ENOENT;
}

/* The rule with the list and the action; -ENOENT: it cannot be one, which was said. */
static int bind_rule(struct policy_reader *p, const struct nfa *n, struct rule *r, const char *list)
{
    struct filter_list *l = NULL;
    struct filter_action *a = NULL;
    struct diag why = {0};
    int err = catalog_list(p->r->t->catalog, list, p->r->d, &l);
    if (err == 0)
        err = catalog_action(p->r->t->catalog, n->action->name, p->r->d, &a);
    if (err == 0)
        err = check_interface(p, n, a);
    for (size_t i = 0; err == 0 && i < l->n_filters; i++) {
        struct filter f = l->filters[i]; /* borrows everything */
        f.action = a->action;
        f.inpass = a->inpass;
        f.methods = a->methods;
        if (filter_validate(&f, &why) < 0) {
            err = reg_broken(p, n->key, why.message);
            return err < 0 ? err : -ENOENT;
        }
    }
    if (err == 0)
        err = attributes_set(&r->attributes, "filterlist", l->name);
    return err < 0 ? err : attributes_set(&r->attributes, "filteraction", a->name);
}

static bool rule_is_taken(void *ctx, const char *name)
{
    return policy_find_rule(ctx, name) != NULL;
}

static int name_rule(struct policy_reader *p, struct policy *to, const char *wanted, struct rule *r)
{
    const struct reg_taken taken = {rule_is_taken, to};
    char name[LIMIT_NAME_BYTES + 1], scope[LIMIT_NAME_BYTES + 8];
    struct diag ignored;
    bool fits = name_validate(wanted, "rule", (struct span){0}, &ignored) == 0;
    (void)format_into(scope, sizeof(scope), "rule %s", to->name);
    int err = reg_names_free(&p->names, scope, fits ? wanted : "Rule", &taken, name);
    r->name = err < 0 ? NULL : strdup(name);
    return err < 0 || r->name ? err : -ENOMEM;
}

/* One rule of the NFA, for one of its lists. */
static int add_rule(struct policy_reader *p, struct policy *to, const struct nfa *n,
                    const struct reg_object *list)
{
    struct rule r;
    bool replaced;
    const char *name = reg_text_of(n->key, "ipsecName");
    rule_init(&r);
    int err = name_rule(p, to, name ? name : list->name, &r);
    if (err == 0)
        err = set_rule(p, n->key, &n->b, &r);
    if (err == 0) {
        err = bind_rule(p, n, &r, list->name);
        if (err == 0) {
            reg_identity_of(n->key, &r.guid);
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
        return reg_broken(p, n->key,
                          k > 0 ? "its filter action is not in the file"
                                : "it refers to no filter action");
    if (n->action->response)
        return add_response(p, to, n);
    if (!n->action->name)
        return reg_broken(p, n->key, "its filter action is broken, the rule is left out");
    k = references(n->key, "ipsecFilterReference", &refs);
    if (k == 0)
        return reg_broken(p, n->key, "it refers to no filter list");
    int err = 0;
    for (size_t i = 0; err == 0 && i < k; i++) {
        const struct reg_object *list = object_find(&p->lists, refs[i]);
        if (list && list->name)
            err = add_rule(p, to, n, list);
        else
            err = reg_broken(p, n->key,
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
    int err = reg_data_of(p, k, &v);
    if (err > 0)
        err = reg_judge(p, k, blob_nfa_read(v->bytes, v->n_bytes, &why, &n.b), &why);
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
    int err = reg_data_of(p, k, &v);
    if (err > 0)
        err = reg_judge(p, k, blob_isakmp_read(v->bytes, v->n_bytes, &why, &b), &why);
    if (err <= 0)
        return err;
    err = reg_main_mode_print(&b, &methods, &lost);
    if (err == 0 && lost)
        err = reg_broken(p, k, "a main mode method has no words here and is left out");
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
              : n > 0 ? reg_broken(p, k, "its main mode object is not in the file")
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

static bool policy_is_taken(void *ctx, const char *name)
{
    return reg_is_of_file(&((const struct policy_reader *)ctx)->policies, name);
}

/* Two policies of one name in one file: the second gets a number. */
static int unique_name(struct policy_reader *p, const char *wanted, char **ret)
{
    const struct reg_taken taken = {policy_is_taken, p};
    char name[LIMIT_NAME_BYTES + 1];
    if (p->policies.n > LIMIT_POLICIES)
        return diag_fail(p->r->d, DIAG_LIMIT, "more than %d policies", LIMIT_POLICIES);
    int err = reg_names_free(&p->names, "policy", wanted, &taken, name);
    *ret = err < 0 ? NULL : strdup(name);
    return err < 0 || *ret ? err : -ENOMEM;
}

static int read_policy(struct policy_reader *p, const struct reg_key *k, struct reg_object *o)
{
    struct catalog *c = p->r->t->catalog;
    _cleanup_free_ char *wanted = p->r->o->name ? strdup(p->r->o->name) : reg_name_of(k);
    struct blob_policy b = {0};
    struct policy *to = NULL;
    const struct reg_value *v;
    struct diag why = {0};
    bool made = false;
    int err = wanted ? reg_data_of(p, k, &v) : -ENOMEM;
    if (err > 0)
        err = reg_judge(p, k, blob_policy_read(v->bytes, v->n_bytes, &why, &b), &why);
    if (err > 0 && name_validate(wanted, "policy", (struct span){0}, &why) < 0)
        err = reg_broken(p, k, why.message);
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
        reg_identity_of(k, &to->guid);
    if (guid_is_null(&to->guid))
        to->guid = catalog_new_guid(c);
    to->poll_s = b.poll_s == POLL_DEFAULT_S ? 0 : b.poll_s;
    err = reg_describe(k, &to->description);
    if (err == 0)
        err = read_parts(p, k, to);
    if (err == 0)
        catalog_policy_changed(c, to, "import");
    return err;
}

static int read_active(struct policy_reader *p, const struct reg_key *k)
{
    const char *path = reg_text_of(k, "ActivePolicy");
    if (!path)
        return 0;
    const struct reg_object *o = object_find(&p->policies, path);
    if (!o || !o->name)
        return reg_broken(p, k, "the assigned policy is not in the file, or broken");
    if (p->r->o->assign)
        return catalog_assign(p->r->t->catalog, CATALOG_LOCAL, o->name, p->r->d);
    const char *here = "";
    int err = catalog_assigned(p->r->t->catalog, CATALOG_LOCAL, p->r->d, &here);
    if (err < 0 || utf8_casecmp(here, o->name) == 0)
        return err;
    return tool_remark(p->r->t, NOTE, p->r->d,
                       "policy '%s' is the assigned one of the file; here it is only stored",
                       o->name);
}

/* --- the whole --- */
/* A branch of the tree: objects whose key begins with the word and a brace. */
static int read_class(struct policy_reader *p, const char *class, struct reg_objects *to,
                      int (*read)(struct policy_reader *p, const struct reg_key *k,
                                  struct reg_object *o))
{
    size_t root = strlen(REG_POLICY_KEY), len = strlen(class);
    int err = 0;
    for (size_t i = 0; err == 0 && i < p->r->tree->n; i++) {
        const struct reg_key *k = &p->r->tree->v[i];
        char path[REG_PATH_BYTES];
        struct reg_object *o = NULL;
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
            err = reg_broken(p, k, "the file removes it, nothing is deleted here");
    }
    return err;
}

int reg_policy_read(struct reg_reader *r)
{
    _cleanup_(policy_reader_done) struct policy_reader p = {.r = r};
    int err = read_class(&p, "ipsecFilter", &p.lists, reg_read_list);
    if (err == 0)
        err = read_class(&p, "ipsecNegotiationPolicy", &p.actions, reg_read_action);
    if (err == 0)
        err = read_class(&p, "ipsecPolicy", &p.policies, read_policy);
    if (err == 0)
        err = check_name(&p);
    const struct reg_key *root = reg_find(r->tree, REG_ROOT REG_POLICY_KEY);
    if (err == 0 && root)
        err = read_active(&p, root);
    return err < 0 ? err : note_removed(&p);
}
