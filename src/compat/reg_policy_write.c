/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/reg_policy_write.c: a policy as objects of the registry (windows.md 15).
 * Called by convert_write(). Invariant: the same policy gives the same bytes: identities are those
 * of the catalog or derived from them, and whenChanged is always 0. A preshared key is never
 * written. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "derived_guid.h"
#include "reg_policy.h"
#include "text/text.h"

#define PREFIX     REG_POLICY_KEY "\\"
#define PATH_BYTES 256

struct writer {
    struct catalog *c;
    const struct policy *p;
    struct convert_losses *l;
    struct reg_tree tree;
    char policy[PATH_BYTES]; /* reference to the policy */
    char **nfas;             /* references to the rules, owned */
    size_t n_nfas, cap_nfas;
};

static void strings_free(char **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(v[i]);
    free(v);
}

static void writer_done(struct writer *w)
{
    strings_free(w->nfas, w->n_nfas);
    reg_tree_done(&w->tree);
}

/* --- objects --- */
struct thing {
    const char *class, *name, *description; /* description NULL = none */
    struct guid guid;
    char reference[PATH_BYTES]; /* out */
};

static int begin(struct writer *w, struct thing *t, const struct blob_bytes *data,
                 struct reg_key **ret)
{
    char id[GUID_BRACED_BYTES], leaf[PATH_BYTES], path[sizeof(REG_ROOT) + PATH_BYTES];
    guid_print_braced(&t->guid, id);
    (void)format_into(leaf, sizeof(leaf), "%s%s", t->class, id);
    (void)format_into(t->reference, sizeof(t->reference), PREFIX "%.120s", leaf);
    (void)format_into(path, sizeof(path), REG_ROOT "%s", t->reference);
    struct reg_key *k = *ret = reg_make(&w->tree, path);
    if (!k)
        return -ENOMEM;
    int err = reg_set_text(k, "ClassName", REG_SZ, t->class);
    if (err == 0)
        err = reg_set_text(k, "name", REG_SZ, leaf);
    if (err == 0 && t->name)
        err = reg_set_text(k, "ipsecName", REG_SZ, t->name);
    if (err == 0 && t->description)
        err = reg_set_text(k, "description", REG_SZ, t->description);
    if (err == 0)
        err = reg_set_text(k, "ipsecID", REG_SZ, id);
    if (err == 0)
        err = reg_set_number(k, "ipsecDataType", REG_DATA_TYPE);
    if (err == 0)
        err = reg_set_bytes(k, "ipsecData", data->v, data->n);
    return err < 0 ? err : reg_set_number(k, "whenChanged", 0);
}

/* One more owner. Copies, because the value gives its strings up when it is set anew. */
static int own(struct reg_key *k, const char *owner)
{
    static const char name[] = "ipsecOwnersReference";
    const struct reg_value *v = reg_value_find(k, name);
    size_t n = v ? v->n_strings : 0;
    char **all = calloc(n + 1, sizeof(*all));
    bool whole = all != NULL;
    for (size_t i = 0; whole && i <= n; i++) {
        all[i] = strdup(i < n ? v->strings[i] : owner);
        whole = all[i] != NULL;
    }
    int err = whole ? reg_set_strings(k, name, (const char *const *)all, n + 1) : -ENOMEM;
    strings_free(all, all ? n + 1 : 0);
    return err;
}

/* An identity that hangs on another one. */
static struct guid related(const char *label, const struct guid *g, size_t n)
{
    char text[64];
    char id[GUID_TEXT_BYTES];
    guid_print(g, id);
    (void)format_into(text, sizeof(text), "%s %zu", id, n);
    return derived_guid(label, text, strlen(text));
}

/* --- filter lists --- */
static int lose_filter(struct writer *w, const struct rule *r, const struct filter *f,
                       const char *why)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(64 * 1024);
    struct filter bare = *f; /* borrows everything */
    bare.description = NULL;
    int err = text_print_filter(&bare, &text);
    return err < 0 ? err : convert_loss(w->l, "rule \"%s\": %s: %s", r->name, why, text.s);
}

static int add_filter(const struct filter *f, const char *description, struct guid guid,
                      struct blob_filters *to)
{
    int err = array_reserve(&to->v, &to->cap, to->n + 1, sizeof(*to->v));
    if (err < 0)
        return err;
    struct blob_filter *b = &to->v[to->n];
    *b = (struct blob_filter){.guid = guid};
    filter_init(&b->filter);
    err = filter_copy(f, &b->filter);
    if (err < 0)
        return err;
    to->n++;
    b->description = description ? strdup(description) : NULL;
    return description && !b->description ? -ENOMEM : 0;
}

/* The filter with the i-th combination of one range on either side; borrows everything. */
static struct filter one_of(const struct filter *f, size_t i)
{
    struct filter one = *f;
    size_t n_d = f->dport.n > 0 ? f->dport.n : 1;
    if (f->sport.n > 0)
        one.sport = (struct portset){1, &f->sport.range[i / n_d]};
    if (f->dport.n > 0)
        one.dport = (struct portset){1, &f->dport.range[i % n_d]};
    one.action = ACTION_BLOCK;
    one.inpass = one.override = one.log = false;
    one.methods = one.description = NULL;
    return one;
}

/* Each combination is a filter there. An override block becomes a plain one (windows.md 20), and a
 * filter that logs goes on without. */
static int add_split(struct writer *w, const struct rule *r, const struct filter *f,
                     struct blob_filters *to)
{
    size_t n = (f->sport.n > 0 ? f->sport.n : 1) * (f->dport.n > 0 ? f->dport.n : 1);
    struct filter one = one_of(f, 0);
    const char *why = blob_filter_can(&one); /* ports of one range never matter */
    if (why) {
        char reason[64];
        (void)format_into(reason, sizeof(reason), "left out (%s)", why);
        return lose_filter(w, r, f, reason);
    }
    int err = f->override ? lose_filter(w, r, f, "written without override") : 0;
    if (err == 0 && f->log)
        err = lose_filter(w, r, f, "written without log");
    bool long_text = f->description && strlen(f->description) > BLOB_TEXT_BYTES;
    if (err == 0 && long_text)
        err = lose_filter(w, r, f, "written without its description, which is too long there");
    for (size_t i = 0; err == 0 && i < n; i++) {
        one = one_of(f, i);
        err = add_filter(&one, long_text ? NULL : f->description,
                         i == 0 ? f->guid : related("reg filter", &f->guid, i), to);
    }
    return err;
}

/* What an NFA joins. */
struct part {
    const struct rule *r;
    size_t index; /* of the part in the rule */
    struct guid list_guid;
    const char *list_name, *list_description;
    const struct filter *filters; /* the part's own are marked by the action below */
    size_t n_filters;
    const struct filter_action *action;
    bool all; /* every filter belongs to the part, whatever its action is */
};

static bool belongs(const struct part *part, const struct filter *f)
{
    const struct filter_action *a = part->action;
    if (part->all)
        return true;
    return f->action == a->action && f->inpass == a->inpass && !f->methods == !a->methods &&
           (!f->methods || strcmp(f->methods, a->methods) == 0);
}

static void blob_bytes_p(struct blob_bytes *b)
{
    blob_bytes_done(b);
}

static int write_list(struct writer *w, const struct part *part, const char *owner,
                      char ret[PATH_BYTES])
{
    _cleanup_(blob_filters_done) struct blob_filters b = {0};
    _cleanup_(blob_bytes_p) struct blob_bytes data = {0};
    struct thing t = {"ipsecFilter", part->list_name, part->list_description, part->list_guid, ""};
    struct reg_key *k = NULL;
    int err = 0;
    for (size_t i = 0; err == 0 && i < part->n_filters; i++) {
        struct filter f = part->filters[i]; /* borrows everything */
        if (!belongs(part, &f))
            continue;
        if (guid_is_null(&f.guid))
            f.guid = related("reg filter of list", &part->list_guid, i);
        err = add_split(w, part->r, &f, &b);
    }
    if (err == 0)
        err = blob_filters_write(&b, &data);
    if (err == 0)
        err = begin(w, &t, &data, &k);
    (void)format_into(ret, PATH_BYTES, "%s", t.reference);
    return err < 0 ? err : own(k, owner);
}

/* --- filter actions --- */
static const char *action_guid(const struct filter_action *a)
{
    if (a->inpass)
        return GUID_INPASS;
    return a->action == ACTION_BLOCK    ? GUID_BLOCK
           : a->action == ACTION_PERMIT ? GUID_PERMIT
                                        : GUID_SECURE;
}

static int offers_of(struct writer *w, const struct rule *r, const struct filter_action *a,
                     struct blob_negotiation *b)
{
    const char *pfs = attributes_get(&a->attributes, "qm-pfs");
    uint32_t value = !pfs || strcmp(pfs, "no") == 0 ? 0 : (uint32_t)strtoul(pfs, NULL, 10);
    bool lost = false;
    if (a->action != ACTION_NEGOTIATE && !a->inpass)
        return 0;
    if (value == 0 && pfs && strcmp(pfs, "no") != 0)
        value = 1; /* yes */
    int err = reg_methods_parse(attributes_get(&a->attributes, "qm-methods"), a->methods, b, &lost);
    if (err == 0 && attributes_get(&a->attributes, "soft"))
        err = reg_methods_add(b, &(struct blob_offer){.n_algorithms = 0});
    for (size_t i = 0; err == 0 && i < b->n_offers; i++)
        b->offers[i].pfs = b->offers[i].n_algorithms > 0 ? value : 0;
    if (err == 0 && lost)
        err = convert_loss(w->l, "rule \"%s\": a security method has no form there", r->name);
    return err;
}

static int write_action(struct writer *w, const struct rule *r, const struct filter_action *a,
                        const char *owner, char ret[PATH_BYTES])
{
    _cleanup_(blob_negotiation_done) struct blob_negotiation b = {0};
    _cleanup_(blob_bytes_p) struct blob_bytes data = {0};
    struct thing t = {"ipsecNegotiationPolicy", a->name, a->description, a->guid, ""};
    struct reg_key *k = NULL;
    int err = offers_of(w, r, a, &b);
    if (err == 0)
        err = blob_negotiation_write(&b, &data);
    if (err == 0)
        err = begin(w, &t, &data, &k);
    if (err == 0)
        err = reg_set_text(k, "ipsecNegotiationPolicyAction", REG_SZ, action_guid(a));
    if (err == 0)
        err = reg_set_text(k, "ipsecNegotiationPolicyType", REG_SZ, GUID_TYPE_STANDARD);
    (void)format_into(ret, PATH_BYTES, "%s", t.reference);
    return err < 0 ? err : own(k, owner);
}

/* --- rules --- */
static int add_auth(struct blob_nfa *b, uint32_t method, char *data)
{
    struct blob_auth *v = reallocarray(b->auth, b->n_auth + 1, sizeof(*v));
    if (!v) {
        free(data);
        return -ENOMEM;
    }
    b->auth = v;
    v[b->n_auth++] = (struct blob_auth){method, data};
    return 0;
}

/* The quoted text behind cert:, NULL if it has characters that are written by number. Advances. */
static char *unquote(const char **at, size_t max)
{
    const char *s = *at + (**at == '"');
    char *out = calloc(1, max + 1);
    size_t n = 0;
    bool plain = true;
    for (; out && *s != '\0' && *s != '"'; s++) {
        if (*s == '\\' && s[1] != '\0') {
            s++;
            plain = plain && (*s == '"' || *s == '\\');
        }
        out[n++] = *s;
    }
    *at = *s == '"' ? s + 1 : s;
    if (!plain) {
        free(out);
        return NULL;
    }
    return out;
}

static int parse_auth(struct writer *w, const char *rule, const char *auth, struct blob_nfa *b)
{
    int err = 0;
    for (const char *s = auth ? auth : "kerberos"; err == 0 && *(s += strspn(s, " ")) != '\0';) {
        size_t len = strcspn(s, " ");
        if (strncmp(s, "cert:", 5) == 0) {
            s += 5;
            char *ca = unquote(&s, strlen(s));
            err = ca ? add_auth(b, BLOB_AUTH_CERT, ca)
                     : convert_loss(w->l, "rule \"%s\": a certificate authority", rule);
            continue;
        }
        if (len == 8 && strncmp(s, "kerberos", 8) == 0)
            err = add_auth(b, BLOB_AUTH_KERBEROS, NULL);
        else if (strncmp(s, "psk:", 4) == 0)
            err = convert_loss(w->l, "rule \"%s\": preshared key, never written", rule);
        else
            err = convert_loss(w->l, "rule \"%s\": authentication '%.*s'", rule, (int)len, s);
        s += len;
    }
    return err;
}

static int fill_nfa(struct writer *w, const struct rule *r, struct blob_nfa *b)
{
    static const uint32_t types[_CONNECTION_MAX] = {[CONNECTION_ALL] = BLOB_IF_ALL,
                                                    [CONNECTION_LAN] = BLOB_IF_LAN,
                                                    [CONNECTION_DIALUP] = BLOB_IF_DIALUP};
    const char *tunnel = attributes_get(&r->attributes, "tunnel");
    enum family family;
    struct ip ip;
    b->interface_type = types[r->connection];
    b->is_active = !r->inactive;
    int err = parse_auth(w, r->name, attributes_get(&r->attributes, "auth"), b);
    if (err < 0 || !tunnel)
        return err;
    if (ip_parse(tunnel, strlen(tunnel), &family, &ip) < 0)
        return convert_loss(w->l, "rule \"%s\": tunnel end '%s' is no address", r->name, tunnel);
    b->is_tunnel = true;
    b->has_tunnel6 = family == FAMILY_6;
    *(b->has_tunnel6 ? &b->tunnel6 : &b->tunnel) = ip;
    return 0;
}

/* The NFA itself; the reference is kept for the policy. */
static int write_nfa(struct writer *w, struct thing *t, const struct blob_nfa *b,
                     struct reg_key **ret)
{
    _cleanup_(blob_bytes_p) struct blob_bytes data = {0};
    int err = blob_nfa_write(b, &data);
    if (err == 0)
        err = begin(w, t, &data, ret);
    if (err == 0)
        err = own(*ret, w->policy);
    if (err == 0)
        err = array_reserve(&w->nfas, &w->cap_nfas, w->n_nfas + 1, sizeof(*w->nfas));
    if (err < 0)
        return err;
    w->nfas[w->n_nfas] = strdup(t->reference);
    return w->nfas[w->n_nfas++] ? 0 : -ENOMEM;
}

static int write_part(struct writer *w, const struct part *part)
{
    const struct rule *r = part->r;
    struct blob_nfa b = {0};
    struct thing t = {"ipsecNFA", r->name, attributes_get(&r->attributes, "description"), r->guid,
                      ""};
    struct reg_key *k = NULL;
    char list[PATH_BYTES] = "", action[PATH_BYTES] = "", path[sizeof(REG_ROOT) + PATH_BYTES];
    if (guid_is_null(&r->guid))
        t.guid = derived_guid("reg rule", r->name, strlen(r->name));
    if (part->index > 0)
        t.guid = related("reg rule part", &t.guid, part->index);
    int err = fill_nfa(w, r, &b);
    if (err == 0)
        err = write_nfa(w, &t, &b, &k);
    blob_nfa_done(&b);
    if (err == 0)
        err = write_list(w, part, t.reference, list);
    if (err == 0)
        err = write_action(w, r, part->action, t.reference, action);
    if (err < 0)
        return err;
    (void)format_into(path, sizeof(path), REG_ROOT "%s", t.reference);
    k = reg_find(&w->tree, path); /* it may have moved */
    if (!k)
        return -ENOMEM;
    const char *references[] = {list};
    err = reg_set_strings(k, "ipsecFilterReference", references, 1);
    return err < 0 ? err : reg_set_text(k, "ipsecNegotiationPolicyReference", REG_SZ, action);
}

/* --- rules with filters of their own --- */
/* "POLICY: RULE", each cut to fit. */
static void own_name(const struct writer *w, const struct rule *r, const char *tail,
                     char ret[LIMIT_NAME_BYTES + 1])
{
    const char *policy = w->p->name;
    size_t n_policy = utf8_whole(policy, strnlen(policy, 100));
    size_t n_rule = utf8_whole(r->name, strnlen(r->name, 120));
    (void)format_into(ret, LIMIT_NAME_BYTES + 1, "%.*s: %.*s%s", (int)n_policy, policy, (int)n_rule,
                      r->name, tail);
}

static int own_action(const struct writer *w, const struct rule *r, const struct filter *f,
                      size_t index, struct filter_action *ret)
{
    static const char *const keys[] = {"qm-methods", "qm-pfs", "soft"};
    char name[LIMIT_NAME_BYTES + 1], tail[32];
    char id[GUID_TEXT_BYTES];
    bool secure = f->action == ACTION_NEGOTIATE;
    int err = 0;
    *ret = (struct filter_action){.action = f->action, .inpass = f->inpass};
    (void)format_into(name, sizeof(name), "%s", f->inpass ? "inpass" : action_name(f->action));
    ret->guid = derived_guid("reg action", name, strlen(name));
    if (secure) {
        guid_print(&w->p->guid, id);
        (void)format_into(tail, sizeof(tail), " (%zu)", index);
        own_name(w, r, tail, name);
        ret->guid = derived_guid(id, name, strlen(name));
    }
    for (size_t i = 0; err == 0 && secure && i < ARRAY_SIZE(keys); i++) {
        const char *value = attributes_get(&r->attributes, keys[i]);
        if (value)
            err = attributes_set(&ret->attributes, keys[i], value);
    }
    if (err < 0)
        return err;
    ret->name = strdup(name);
    ret->methods = f->methods ? strdup(f->methods) : NULL;
    return !ret->name || (f->methods && !ret->methods) ? -ENOMEM : 0;
}

/* Whether a filter before this one opened the part already. */
static bool is_seen(const struct rule *r, size_t at)
{
    const struct filter *f = &r->filters[at];
    for (size_t i = 0; i < at; i++) {
        const struct filter *g = &r->filters[i];
        if (g->action == f->action && g->inpass == f->inpass && !g->methods == !f->methods &&
            (!g->methods || strcmp(g->methods, f->methods) == 0))
            return true;
    }
    return false;
}

static int write_own(struct writer *w, const struct rule *r)
{
    size_t index = 0;
    int err = 0;
    if (r->n_filters == 0)
        return convert_loss(w->l, "rule \"%s\": no filters, not written", r->name);
    for (size_t i = 0; err == 0 && i < r->n_filters; i++) {
        _cleanup_(filter_action_done) struct filter_action a = {0};
        char name[LIMIT_NAME_BYTES + 1], tail[16] = "";
        if (is_seen(r, i))
            continue;
        if (index > 0)
            (void)format_into(tail, sizeof(tail), " (%zu)", index + 1);
        own_name(w, r, tail, name);
        err = own_action(w, r, &r->filters[i], index, &a);
        struct part part = {.r = r,
                            .index = index,
                            .list_guid = related(name, &r->guid, index),
                            .list_name = name,
                            .filters = r->filters,
                            .n_filters = r->n_filters,
                            .action = &a};
        if (err == 0)
            err = write_part(w, &part);
        index++;
    }
    return err;
}

static int lose_attributes(struct writer *w, const struct attributes *a, const char *const *known,
                           const char *what, const char *name)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < a->n; i++) {
        bool is_known = false;
        for (size_t k = 0; known[k]; k++)
            is_known = is_known || strcmp(a->v[i].key, known[k]) == 0;
        if (!is_known)
            err = convert_loss(w->l, "%s \"%s\": attribute %s", what, name, a->v[i].key);
    }
    return err;
}

static int write_rule(struct writer *w, const struct rule *r)
{
    static const char *const known[] = {"filterlist", "filteraction", "description",
                                        "tunnel",     "auth",         "qm-methods",
                                        "qm-pfs",     "soft",         NULL};
    const char *list = attributes_get(&r->attributes, "filterlist");
    const char *action = attributes_get(&r->attributes, "filteraction");
    struct filter_list *l = NULL;
    struct filter_action *a = NULL;
    struct diag ignored;
    int err = lose_attributes(w, &r->attributes, known, "rule", r->name);
    if (err < 0)
        return err;
    if (!list || !action || catalog_list(w->c, list, &ignored, &l) < 0 ||
        catalog_action(w->c, action, &ignored, &a) < 0)
        return write_own(w, r);
    struct part part = {r, 0, l->guid, l->name, l->description, l->filters, l->n_filters, a, true};
    return write_part(w, &part);
}

/* --- the default response rule --- */
static int write_response(struct writer *w)
{
    const char *value = attributes_get(&w->p->attributes, "default-response");
    _cleanup_(blob_bytes_p) struct blob_bytes data = {0};
    struct blob_negotiation none = {0};
    struct blob_nfa b = {.interface_type = BLOB_IF_ALL};
    struct thing nfa = {"ipsecNFA", NULL, NULL, related("reg response", &w->p->guid, 0), ""};
    struct thing t = {"ipsecNegotiationPolicy", NULL, NULL,
                      related("reg response action", &w->p->guid, 0), ""};
    struct reg_key *k = NULL;
    char path[sizeof(REG_ROOT) + PATH_BYTES];
    if (!value)
        return 0;
    b.is_active = strcmp(value, "yes") == 0;
    int err =
        parse_auth(w, "default response", attributes_get(&w->p->attributes, "default-auth"), &b);
    if (err == 0)
        err = write_nfa(w, &nfa, &b, &k);
    blob_nfa_done(&b);
    if (err == 0)
        err = blob_negotiation_write(&none, &data);
    if (err == 0)
        err = begin(w, &t, &data, &k);
    if (err == 0)
        err = reg_set_text(k, "ipsecNegotiationPolicyAction", REG_SZ, GUID_SECURE);
    if (err == 0)
        err = reg_set_text(k, "ipsecNegotiationPolicyType", REG_SZ, GUID_TYPE_RESPONSE);
    if (err == 0)
        err = own(k, nfa.reference);
    (void)format_into(path, sizeof(path), REG_ROOT "%s", nfa.reference);
    k = err == 0 ? reg_find(&w->tree, path) : NULL;
    if (err == 0)
        err = k ? reg_set_text(k, "ipsecNegotiationPolicyReference", REG_SZ, t.reference) : -ENOMEM;
    return err;
}

/* --- main mode and the policy --- */
static uint32_t number_of(const struct policy *p, const char *key, uint32_t otherwise)
{
    const char *s = attributes_get(&p->attributes, key);
    return s ? (uint32_t)strtoul(s, NULL, 10) : otherwise;
}

static int write_isakmp(struct writer *w, char ret[PATH_BYTES])
{
    _cleanup_(blob_isakmp_done) struct blob_isakmp b = {0};
    _cleanup_(blob_bytes_p) struct blob_bytes data = {0};
    const char *methods = attributes_get(&w->p->attributes, "mm-methods");
    const char *pfs = attributes_get(&w->p->attributes, "mm-pfs");
    struct thing t = {"ipsecISAKMPPolicy", NULL, NULL, related("reg main mode", &w->p->guid, 0),
                      ""};
    struct reg_key *k = NULL;
    bool lost;
    b.master_pfs = pfs && strcmp(pfs, "yes") == 0;
    b.qm_limit = number_of(w->p, "qm-per-mm", 0);
    b.mm_life_s = number_of(w->p, "mm-lifetime", MAIN_MODE_DEFAULT_S);
    int err = reg_main_mode_parse(methods ? methods : MAIN_MODE_DEFAULTS, &b, &lost);
    if (err == 0 && lost)
        err = convert_loss(w->l, "policy \"%s\": a main mode method has no form there", w->p->name);
    if (err == 0)
        err = blob_isakmp_write(&b, &data);
    if (err == 0)
        err = begin(w, &t, &data, &k);
    (void)format_into(ret, PATH_BYTES, "%s", t.reference);
    return err < 0 ? err : own(k, w->policy);
}

static int lose_policy(struct writer *w)
{
    static const char *const known[] = {"mm-methods", "mm-pfs",           "mm-lifetime",
                                        "qm-per-mm",  "default-response", "default-auth",
                                        NULL};
    int err = lose_attributes(w, &w->p->attributes, known, "policy", w->p->name);
    if (err == 0 && w->p->local_permits >= 0)
        err = convert_loss(w->l, "policy \"%s\": local-permits", w->p->name);
    if (err == 0 && w->p->weak >= 0)
        err = convert_loss(w->l, "policy \"%s\": weak", w->p->name);
    return err;
}

static int write_parts(struct writer *w, char isakmp[PATH_BYTES])
{
    int err = lose_policy(w);
    if (err == 0)
        err = write_isakmp(w, isakmp);
    for (size_t i = 0; err == 0 && i < w->p->n_rules; i++)
        err = write_rule(w, &w->p->rules[i]);
    return err < 0 ? err : write_response(w);
}

static int write_policy(struct writer *w, bool assigned)
{
    _cleanup_(blob_bytes_p) struct blob_bytes data = {0};
    const struct blob_policy b = {w->p->poll_s > 0 ? w->p->poll_s : POLL_DEFAULT_S};
    struct thing t = {"ipsecPolicy", w->p->name, w->p->description, w->p->guid, ""};
    char isakmp[PATH_BYTES] = "", path[sizeof(REG_ROOT) + PATH_BYTES];
    struct reg_key *k = assigned ? reg_make(&w->tree, REG_ROOT REG_POLICY_KEY) : NULL;
    int err = assigned && !k ? -ENOMEM : blob_policy_write(&b, &data);
    if (err == 0)
        err = begin(w, &t, &data, &k);
    if (err < 0)
        return err;
    (void)format_into(w->policy, sizeof(w->policy), "%s", t.reference);
    (void)format_into(path, sizeof(path), REG_ROOT "%s", t.reference);
    err = write_parts(w, isakmp);
    k = err == 0 ? reg_find(&w->tree, path) : NULL; /* it may have moved */
    if (!k)
        return err < 0 ? err : -ENOMEM;
    err = reg_set_text(k, "ipsecISAKMPReference", REG_SZ, isakmp);
    if (err == 0)
        err = reg_set_strings(k, "ipsecNFAReference", (const char *const *)w->nfas, w->n_nfas);
    k = assigned ? reg_find(&w->tree, REG_ROOT REG_POLICY_KEY) : NULL;
    return err < 0 || !k ? err : reg_set_text(k, "ActivePolicy", REG_SZ, w->policy);
}

/* The next policy into the same tree: what it shares with one before is there already. */
static int write_next(struct writer *w, const struct policy *p, bool assigned)
{
    strings_free(w->nfas, w->n_nfas);
    w->nfas = NULL;
    w->n_nfas = w->cap_nfas = 0;
    w->p = p;
    return write_policy(w, assigned);
}

int convert_write_reg(struct catalog *c, const struct policy *p, bool assigned, struct strbuf *out,
                      struct convert_losses *l)
{
    _cleanup_(writer_done) struct writer w = {.c = c, .l = l};
    int err = write_next(&w, p, assigned);
    return err < 0 ? err : reg_print(&w.tree, out);
}

int convert_write_reg_all(struct catalog *c, struct strbuf *out, struct convert_losses *l,
                          struct diag *d)
{
    _cleanup_(writer_done) struct writer w = {.c = c, .l = l};
    const char *assigned = "";
    int err = catalog_assigned(c, CATALOG_LOCAL, d, &assigned);
    for (size_t i = 0; err == 0 && i < c->n_policies; i++) {
        const struct policy *p = c->policies[i].now;
        if (p)
            err = write_next(&w, p, strcmp(p->name, assigned) == 0);
    }
    return err < 0 ? err : reg_print(&w.tree, out);
}
