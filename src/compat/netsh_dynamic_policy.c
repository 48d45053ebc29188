/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_dynamic_policy.c: netsh ipsec dynamic mmpolicy and qmpolicy, and what show prints of
 * them and of associations (windows.md 5). Called through the table of commands.
 *
 * They are kept as one setting each, a row of quoted strings: name and values, name and values.
 * They have no effect on packets, and unlike on Windows they outlive the agent: they end by delete.
 * Invariant: names are unique without regard to case. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "netsh.h"
#include "text/text.h"

enum { IKE_TAGS = 4, SETTING_BYTES = LIMIT_TEXT_STRING_BYTES };

/* The two kinds. */
struct kind {
    const char *key, *title;
    enum netsh_error exists;
    enum netsh_tag tags[IKE_TAGS];
    size_t n_tags;
};
static const struct kind main_mode = {
    "dialect.mmpolicies",
    "mmpolicy",
    NETSH_MMPOLICY_EXISTS,
    {T_QMPERMM, T_MMLIFETIME, T_SOFTSAEXPIRATIONTIME, T_MMSECMETHODS},
    4};
static const struct kind quick_mode = {"dialect.qmpolicies",
                                       "qmpolicy",
                                       NETSH_QMPOLICY_EXISTS,
                                       {T_SOFT, T_PFSGROUP, T_QMSECMETHODS},
                                       3};

/* name, then the values of the tags, "" if not given. */
struct ike_policy {
    char *field[1 + IKE_TAGS];
};
struct ike_policies {
    struct ike_policy *v;
    size_t n, cap;
};

static void policy_clear(struct ike_policy *p)
{
    for (size_t i = 0; i < ARRAY_SIZE(p->field); i++)
        free(p->field[i]);
    *p = (struct ike_policy){0};
}

static void policies_done(struct ike_policies *l)
{
    for (size_t i = 0; i < l->n; i++)
        policy_clear(&l->v[i]);
    free(l->v);
    *l = (struct ike_policies){0};
}

/* One quoted string; *at moves behind it. NULL at the end or if there is none. */
static char *read_string(const char **at)
{
    const char *s = *at + strspn(*at, " ");
    if (*s != '"')
        return NULL;
    char *out = malloc(strlen(s) + 1);
    size_t n = 0;
    for (s++; out && *s != '\0' && *s != '"'; s++) {
        s += *s == '\\' && s[1] != '\0'; /* names hold no control characters */
        out[n++] = *s;
    }
    if (out)
        out[n] = '\0';
    *at = *s == '"' ? s + 1 : s;
    return out;
}

static int load(struct netsh *n, const struct kind *k, struct diag *d, struct ike_policies *ret)
{
    _cleanup_free_ char *text = NULL;
    _cleanup_(policies_done) struct ike_policies l = {0};
    int err = catalog_setting_get(n->t->catalog, k->key, d, &text);
    if (err < 0)
        return err;
    for (const char *at = text ? text : ""; at[strspn(at, " ")] == '"';) {
        err = array_reserve(&l.v, &l.cap, l.n + 1, sizeof(*l.v));
        if (err < 0)
            return err;
        struct ike_policy *p = &l.v[l.n++];
        *p = (struct ike_policy){0};
        for (size_t i = 0; i <= k->n_tags; i++) {
            p->field[i] = read_string(&at);
            if (!p->field[i])
                return diag_fail(d, DIAG_CORRUPT, "setting '%s' is damaged", k->key);
        }
    }
    *ret = l;
    l = (struct ike_policies){0};
    return 0;
}

static int save(struct netsh *n, const struct kind *k, const struct ike_policies *l, struct diag *d)
{
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(SETTING_BYTES);
    for (size_t i = 0; i < l->n; i++)
        for (size_t f = 0; f <= k->n_tags; f++) {
            (void)strbuf_add(&out, out.len > 0 ? " " : ""); /* errors are sticky */
            (void)text_print_string(l->v[i].field[f], &out);
        }
    if (out.error == -E2BIG)
        return netsh_fail(n, d, NETSH_REFUSED, DIAG_LIMIT, "too many of %s", k->title);
    return out.error < 0 ? out.error
                         : catalog_setting_set(n->t->catalog, k->key, out.len > 0 ? out.s : NULL);
}

static struct ike_policy *find(const struct ike_policies *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (utf8_casecmp(l->v[i].field[0], name) == 0)
            return &l->v[i];
    return NULL;
}

static int fail_unknown(struct netsh *n, const struct kind *k, const char *name, struct diag *d)
{
    int err =
        netsh_fail(n, d, NETSH_NOT_FOUND, DIAG_UNKNOWN_OBJECT, "unknown %s '%s'", k->title, name);
    diag_hint(d, "netsh ipsec dynamic show %s all", k->title);
    return err;
}

/* Every value is read as its type before it is stored as text. */
static int check_values(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    static const struct netsh_range per_mm = {0, 1000000, NULL};
    static const struct netsh_range life = {1, 5256000, "minutes"};
    static const struct netsh_range soft_sa = {1, 315360000, "seconds"};
    static const char *const groups[] = {"GRP1", "GRP2", "GRP3", "GRPMM", "NOPFS", NULL};
    _cleanup_free_ char *mm = NULL, *raw = NULL, *native = NULL;
    uint32_t number;
    int choice;
    bool yes = false;
    int err;
    if ((err = netsh_get_number(n, a, T_QMPERMM, &per_mm, d, &number)) < 0 ||
        (err = netsh_get_number(n, a, T_MMLIFETIME, &life, d, &number)) < 0 ||
        (err = netsh_get_number(n, a, T_SOFTSAEXPIRATIONTIME, &soft_sa, d, &number)) < 0 ||
        (err = netsh_get_choice(n, a, T_PFSGROUP, groups, d, &choice)) < 0 ||
        (err = netsh_get_bool(n, a, T_SOFT, d, &yes)) < 0 ||
        (err = netsh_get_mm_methods(n, a, d, &mm)) < 0)
        return err;
    return netsh_get_qm_methods(n, a, d, &raw, &native);
}

static int fill(const struct kind *k, const struct netsh_args *a, struct ike_policy *p)
{
    for (size_t i = 0; i < k->n_tags; i++) {
        const char *s = a->value[k->tags[i]];
        if (!s && p->field[i + 1])
            continue;
        char *copy = strdup(s ? s : "");
        if (!copy)
            return -ENOMEM;
        free(p->field[i + 1]);
        p->field[i + 1] = copy;
    }
    return 0;
}

static int add(struct netsh *n, const struct kind *k, const struct netsh_args *a, struct diag *d)
{
    _cleanup_(policies_done) struct ike_policies l = {0};
    const char *name = a->value[T_NAME];
    int err = name_validate(name, k->title, (struct span){0}, d);
    if (err == 0)
        err = check_values(n, a, d);
    if (err == 0)
        err = load(n, k, d, &l);
    if (err < 0)
        return err;
    if (find(&l, name))
        return netsh_fail(n, d, k->exists, DIAG_CONFLICT, "%s '%s' exists already", k->title, name);
    err = array_reserve(&l.v, &l.cap, l.n + 1, sizeof(*l.v));
    if (err < 0)
        return err;
    struct ike_policy *p = &l.v[l.n++];
    *p = (struct ike_policy){.field = {strdup(name)}};
    err = p->field[0] ? fill(k, a, p) : -ENOMEM;
    return err < 0 ? err : save(n, k, &l, d);
}

static int set(struct netsh *n, const struct kind *k, const struct netsh_args *a, struct diag *d)
{
    _cleanup_(policies_done) struct ike_policies l = {0};
    int err = check_values(n, a, d);
    if (err == 0)
        err = load(n, k, d, &l);
    if (err < 0)
        return err;
    struct ike_policy *p = find(&l, a->value[T_NAME]);
    if (!p)
        return fail_unknown(n, k, a->value[T_NAME], d);
    err = fill(k, a, p);
    return err < 0 ? err : save(n, k, &l, d);
}

static int delete (struct netsh *n, const struct kind *k, const struct netsh_args *a,
                   struct diag *d)
{
    _cleanup_(policies_done) struct ike_policies l = {0};
    if (a->value[T_ALL])
        return catalog_setting_set(n->t->catalog, k->key, NULL);
    int err = load(n, k, d, &l);
    if (err < 0)
        return err;
    struct ike_policy *p = find(&l, a->value[T_NAME]);
    if (!p)
        return fail_unknown(n, k, a->value[T_NAME], d);
    policy_clear(p);
    *p = l.v[--l.n];
    return save(n, k, &l, d);
}

static int show(struct netsh *n, const struct kind *k, const struct netsh_args *a, struct diag *d)
{
    _cleanup_(policies_done) struct ike_policies l = {0};
    struct strbuf *out = &n->t->out;
    const char *name = a ? a->value[T_NAME] : NULL;
    int err = load(n, k, d, &l);
    if (err < 0)
        return err;
    if (name && !find(&l, name))
        return fail_unknown(n, k, name, d);
    for (size_t i = 0; i < l.n; i++) {
        const struct ike_policy *p = &l.v[i];
        if (name && p != find(&l, name))
            continue;
        netsh_print_field(out, k == &main_mode ? "MM Policy Name" : "QM Policy Name", p->field[0]);
        for (size_t f = 0; f < k->n_tags; f++)
            if (p->field[f + 1][0] != '\0')
                netsh_print_field(out, netsh_tag_name(k->tags[f]), p->field[f + 1]);
        (void)strbuf_add_char(out, '\n'); /* sticky */
    }
    if (l.n == 0)
        (void)strbuf_addf(out, "No %s\n", k->title);
    return 0;
}

int netsh_dynamic_add_mmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    return add(n, &main_mode, a, d);
}

int netsh_dynamic_add_qmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    return add(n, &quick_mode, a, d);
}

int netsh_dynamic_set_mmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    return set(n, &main_mode, a, d);
}

int netsh_dynamic_set_qmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    return set(n, &quick_mode, a, d);
}

int netsh_dynamic_delete_mmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    return delete (n, &main_mode, a, d);
}

int netsh_dynamic_delete_qmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    return delete (n, &quick_mode, a, d);
}

int netsh_dynamic_show_mmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    return show(n, &main_mode, a, d);
}

int netsh_dynamic_show_qmpolicy(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    return show(n, &quick_mode, a, d);
}

int netsh_has_ike_policy(struct netsh *n, bool is_main, const char *name, struct diag *d, bool *ret)
{
    _cleanup_(policies_done) struct ike_policies l = {0};
    int err = load(n, is_main ? &main_mode : &quick_mode, d, &l);
    *ret = err == 0 && find(&l, name);
    return err;
}

/* A value that was never given is not given back either. */
static int drop(struct netsh *n, const struct kind *k, struct diag *d)
{
    _cleanup_free_ char *text = NULL;
    int err = catalog_setting_get(n->t->catalog, k->key, d, &text);
    return err < 0 || !text ? err : catalog_setting_set(n->t->catalog, k->key, NULL);
}

int netsh_drop_ike_policies(struct netsh *n, struct diag *d)
{
    int err = drop(n, &main_mode, d);
    return err < 0 ? err : drop(n, &quick_mode, d);
}

int netsh_dynamic_show_sas(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    (void)d;
    (void)strbuf_addf(&n->t->out, "No %s security associations: none\n",
                      strcmp(a->command->object, "mmsas") == 0 ? "main mode" : "quick mode");
    return 0;
}

int netsh_dynamic_show_stats(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    const struct tool_host *host = n->t->host;
    struct tool_filter *v = NULL;
    size_t n_filters = 0;
    uint64_t packets = 0, bytes = 0;
    char text[32];
    (void)a;
    int err = host && host->filters ? host->filters(host->ctx, d, &v, &n_filters) : 0;
    if (err < 0)
        return err;
    for (size_t i = 0; i < n_filters; i++) {
        packets += v[i].packets;
        bytes += v[i].bytes;
    }
    (void)format_into(text, sizeof(text), "%zu", n_filters);
    netsh_print_field(&n->t->out, "Filters in force", text);
    (void)format_into(text, sizeof(text), "%llu", (unsigned long long)packets);
    netsh_print_field(&n->t->out, "Packets matched", text);
    (void)format_into(text, sizeof(text), "%llu", (unsigned long long)bytes);
    netsh_print_field(&n->t->out, "Bytes matched", text);
    netsh_print_field(&n->t->out, "Security associations", "0");
    tool_filters_free(v, n_filters);
    return 0;
}

int netsh_dynamic_show_all(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    int err = show(n, &main_mode, NULL, d);
    if (err == 0)
        err = show(n, &quick_mode, NULL, d);
    if (err == 0)
        err = netsh_dynamic_show_rule(n, a, d);
    return err < 0 ? err : netsh_show_config(n, a, d);
}
