/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_show.c: filters, filter lists and filter actions as netsh shows them (windows.md 4,
 * "Known output"). Called by the show commands of both contexts. Invariant: what is shown is the
 * catalog, so a script sees what it has made so far. */
#include <string.h>

#include "base/utf8.h"
#include "netsh.h"

int netsh_get_look(struct netsh *n, const struct netsh_args *a, bool verbose, struct diag *d,
                   struct netsh_look *ret)
{
    static const char *const levels[] = {"normal", "verbose", NULL};
    static const char *const formats[] = {"list", "table", NULL};
    int level = verbose, format = 0;
    bool resolve = false;
    *ret = (struct netsh_look){0};
    int err = netsh_get_choice(n, a, T_LEVEL, levels, d, &level);
    if (err == 0)
        err = netsh_get_choice(n, a, T_FORMAT, formats, d, &format);
    if (err == 0)
        err = netsh_get_bool(n, a, T_WIDE, d, &ret->wide);
    if (err == 0)
        err = netsh_get_bool(n, a, T_RESOLVEDNS, d, &resolve);
    ret->verbose = level == 1;
    ret->table = format == 1;
    if (err == 0 && resolve)
        err = tool_remark(n->t, NOTE, d, "resolvedns has no effect: addresses are shown as stored");
    return err;
}

/* Text of others never reaches the terminal as it is. */
void netsh_print_field(struct strbuf *out, const char *name, const char *value)
{
    (void)strbuf_addf(out, "%-24s : ", name); /* errors are sticky in out */
    (void)strbuf_add_escaped(out, value, strlen(value));
    (void)strbuf_add_char(out, '\n');
}

void netsh_print_row(struct strbuf *out, const struct netsh_column *v, size_t n, bool wide)
{
    size_t start = out->len;
    for (size_t i = 0; i < n; i++) {
        unsigned width = 0;
        size_t len = strlen(v[i].text), at = 0, step;
        uint32_t cp;
        while (at < len && (step = utf8_decode(v[i].text + at, len - at, &cp)) > 0) {
            unsigned w = utf8_width(v[i].text + at, step);
            if (!wide && i + 1 < n && width + w > (unsigned)v[i].width)
                break;
            width += w;
            at += step;
        }
        (void)strbuf_add_escaped(out, v[i].text, at);
        for (; i + 1 < n && width < (unsigned)v[i].width + 1; width++)
            (void)strbuf_add_char(out, ' ');
    }
    while (out->error == 0 && out->len > start && out->s[out->len - 1] == ' ')
        out->s[--out->len] = '\0';
    (void)strbuf_add_char(out, '\n');
}

/* --- filters --- */

enum { ADDRESS_BYTES = 300 };

/* As the tools of Windows write a side: address and mask. */
static void format_side(const struct addr *a, char address[ADDRESS_BYTES], char mask[ADDRESS_BYTES])
{
    char first[IP_TEXT_BYTES] = "", last[IP_TEXT_BYTES] = "";
    static const char *const words[_ADDR_KIND_MAX] = {
        [ADDR_ANY] = "<Any IP Address>",       [ADDR_ME] = "<My IP Address>",
        [ADDR_KEYWORD_DNS] = "<DNS Server>",   [ADDR_KEYWORD_WINS] = "<WINS Server>",
        [ADDR_KEYWORD_DHCP] = "<DHCP Server>", [ADDR_KEYWORD_GATEWAY] = "<Default Gateway>",
    };
    (void)format_into(mask, ADDRESS_BYTES, "%s",
                      a->kind == ADDR_ANY ? "0.0.0.0" : "255.255.255.255");
    if (words[a->kind] || a->kind == ADDR_NAME) {
        (void)format_into(address, ADDRESS_BYTES, "%s", words[a->kind] ? words[a->kind] : a->name);
        return;
    }
    ip_print(a->family, a->first, first);
    ip_print(a->family, a->last, last);
    (void)format_into(address, ADDRESS_BYTES, a->kind == ADDR_RANGE ? "%s-%s" : "%s", first, last);
    unsigned len = a->kind == ADDR_PREFIX ? a->prefix_len : family_bits(a->family);
    if (a->family == FAMILY_6)
        (void)format_into(mask, ADDRESS_BYTES, "%u", len);
    else if (a->kind == ADDR_PREFIX) {
        ip_print(FAMILY_4, ip_mask(FAMILY_4, len), first);
        (void)format_into(mask, ADDRESS_BYTES, "%s", first);
    }
}

static void format_ports(const struct portset *p, struct strbuf *out)
{
    if (p->n == 0)
        (void)strbuf_add(out, "ANY");
    for (uint32_t i = 0; i < p->n; i++) {
        (void)strbuf_addf(out, "%s%u", i > 0 ? "," : "", (unsigned)p->range[i].first);
        if (p->range[i].first != p->range[i].last)
            (void)strbuf_addf(out, "-%u", (unsigned)p->range[i].last);
    }
}

static void format_protocol(int proto, char out[16])
{
    const char *name = proto == PROTO_ICMP  ? "ICMP"
                       : proto == PROTO_TCP ? "TCP"
                       : proto == PROTO_UDP ? "UDP"
                       : proto == 255       ? "RAW"
                       : proto < 0          ? "ANY"
                                            : NULL;
    if (name)
        (void)format_into(out, 16, "%s", name);
    else
        (void)format_into(out, 16, "%d", proto);
}

/* What the dialect has no word for, so that nothing looks wider than it is. */
static void print_more(struct strbuf *out, const struct filter *f)
{
    char text[32];
    if (f->icmp_type >= 0) {
        (void)format_into(text, sizeof(text), "%d", f->icmp_type);
        netsh_print_field(out, "ICMP Type", text);
    }
    if (f->icmp_code >= 0) {
        (void)format_into(text, sizeof(text), "%d", f->icmp_code);
        netsh_print_field(out, "ICMP Code", text);
    }
    if (f->interface)
        netsh_print_field(out, "Interface", f->interface);
    if (f->profile != PROFILE_NONE)
        netsh_print_field(out, "Profile", profile_name(f->profile));
    if (f->keep_state)
        netsh_print_field(out, "Keep State", "YES");
    if (f->override)
        netsh_print_field(out, "Override", "YES");
    if (f->log)
        netsh_print_field(out, "Log", "YES");
}

void netsh_print_filter(struct strbuf *out, const struct filter *f, const struct netsh_look *look)
{
    char src[ADDRESS_BYTES], src_mask[ADDRESS_BYTES], dst[ADDRESS_BYTES], dst_mask[ADDRESS_BYTES];
    char proto[16];
    _cleanup_(strbuf_done) struct strbuf sport = STRBUF_INIT(4096), dport = STRBUF_INIT(4096);
    format_side(&f->src, src, src_mask);
    format_side(&f->dst, dst, dst_mask);
    format_protocol(f->proto, proto);
    format_ports(&f->sport, &sport);
    format_ports(&f->dport, &dport);
    const char *mirrored = f->mirrored ? "YES" : "NO";
    if (look->table) {
        const struct netsh_column row[] = {
            {src, 18},
            {src_mask, 15},
            {dst, 18},
            {dst_mask, 15},
            {proto, 5},
            {sport.s ? sport.s : "", 5},
            {dport.s ? dport.s : "", 5},
            {mirrored, 3},
        };
        netsh_print_row(out, row, ARRAY_SIZE(row), look->wide);
        return;
    }
    (void)strbuf_add(out, "-----------------------------------------------------------\n");
    netsh_print_field(out, "Source IP Address", src);
    netsh_print_field(out, "Source Mask", src_mask);
    netsh_print_field(out, "Destination IP Address", dst);
    netsh_print_field(out, "Destination Mask", dst_mask);
    netsh_print_field(out, "Protocol", proto);
    netsh_print_field(out, "Source Port", sport.s ? sport.s : "");
    netsh_print_field(out, "Destination Port", dport.s ? dport.s : "");
    netsh_print_field(out, "Mirrored", mirrored);
    print_more(out, f);
    if (f->description)
        netsh_print_field(out, "Description", f->description);
}

/* --- lists and actions --- */

static void print_guid(struct strbuf *out, const struct guid *g)
{
    char text[GUID_TEXT_BYTES], braced[GUID_TEXT_BYTES + 2];
    guid_print(g, text);
    (void)format_into(braced, sizeof(braced), "{%s}", text);
    netsh_print_field(out, "GUID", braced);
}

void netsh_print_list(struct netsh *n, const struct filter_list *l, const struct netsh_look *look)
{
    struct strbuf *out = &n->t->out;
    char count[24];
    (void)format_into(count, sizeof(count), "%zu", l->n_filters);
    if (look->table && !look->verbose) {
        const struct netsh_column row[] = {
            {l->name, 30}, {count, 8}, {l->description ? l->description : "", 40}};
        netsh_print_row(out, row, ARRAY_SIZE(row), look->wide);
        return;
    }
    netsh_print_field(out, "FilterList Name", l->name);
    netsh_print_field(out, "Description", l->description ? l->description : "NONE");
    netsh_print_field(out, "No. of Filters", count);
    if (look->verbose) {
        print_guid(out, &l->guid);
        for (size_t i = 0; i < l->n_filters; i++)
            netsh_print_filter(out, &l->filters[i], look);
    }
    (void)strbuf_add_char(out, '\n');
}

void netsh_print_action(struct netsh *n, const struct filter_action *x,
                        const struct netsh_look *look)
{
    struct strbuf *out = &n->t->out;
    const char *action = x->inpass || x->action == ACTION_NEGOTIATE ? "NEGOTIATE SECURITY"
                         : x->action == ACTION_BLOCK                ? "BLOCK"
                                                                    : "PERMIT";
    const char *methods = attributes_get(&x->attributes, "qm-methods");
    if (look->table && !look->verbose) {
        const struct netsh_column row[] = {
            {x->name, 30}, {action, 18}, {x->description ? x->description : "", 40}};
        netsh_print_row(out, row, ARRAY_SIZE(row), look->wide);
        return;
    }
    netsh_print_field(out, "FilterAction Name", x->name);
    netsh_print_field(out, "Description", x->description ? x->description : "NONE");
    netsh_print_field(out, "Action", action);
    netsh_print_field(out, "InBound PassThrough", x->inpass ? "YES" : "NO");
    netsh_print_field(out, "Fallback to Clear",
                      attributes_get(&x->attributes, "soft") ? "YES" : "NO");
    netsh_print_field(out, "PFS", attributes_get(&x->attributes, "qm-pfs") ? "YES" : "NO");
    if (look->verbose) {
        print_guid(out, &x->guid);
        if (methods)
            netsh_print_field(out, "Security Methods", methods);
    }
    (void)strbuf_add_char(out, '\n');
}

/* The list or action that a rule of any policy names. */
static int name_from_rule(struct netsh *n, const struct netsh_args *a, const char *key,
                          struct diag *d, const char **ret)
{
    struct catalog *c = n->t->catalog;
    int err = catalog_load_all(c, d);
    for (size_t i = 0; err == 0 && i < c->n_policies; i++) {
        const struct policy *p = c->policies[i].now;
        const struct rule *r = p ? policy_find_rule(p, a->value[T_RULE]) : NULL;
        *ret = r ? attributes_get(&r->attributes, key) : NULL;
        if (*ret)
            return 0;
    }
    return err < 0 ? err
                   : netsh_fail(n, d, NETSH_NOT_FOUND, DIAG_UNKNOWN_OBJECT,
                                "no rule '%s' with a shared %s", a->value[T_RULE],
                                strcmp(key, "filterlist") == 0 ? "filter list" : "filter action");
}

int netsh_show_filterlist(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    struct netsh_look look;
    struct filter_list *l;
    const char *name = a->value[T_NAME];
    int err = netsh_get_look(n, a, false, d, &look);
    if (err == 0)
        err = netsh_load_library(n, d);
    if (err == 0 && a->value[T_RULE])
        err = name_from_rule(n, a, "filterlist", d, &name);
    if (err < 0)
        return err;
    if (name) {
        err = catalog_list(c, name, d, &l);
        if (err == 0)
            netsh_print_list(n, l, &look);
        return err;
    }
    for (size_t i = 0; i < c->n_lists; i++)
        netsh_print_list(n, &c->lists[i], &look);
    (void)strbuf_addf(&n->t->out, "\nNo. of FilterLists : %zu\n", c->n_lists);
    return 0;
}

int netsh_show_filteraction(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    struct catalog *c = n->t->catalog;
    struct netsh_look look;
    struct filter_action *x;
    const char *name = a->value[T_NAME];
    int err = netsh_get_look(n, a, false, d, &look);
    if (err == 0)
        err = netsh_load_library(n, d);
    if (err == 0 && a->value[T_RULE])
        err = name_from_rule(n, a, "filteraction", d, &name);
    if (err < 0)
        return err;
    if (name) {
        err = catalog_action(c, name, d, &x);
        if (err == 0)
            netsh_print_action(n, x, &look);
        return err;
    }
    for (size_t i = 0; i < c->n_actions; i++)
        netsh_print_action(n, &c->actions[i], &look);
    (void)strbuf_addf(&n->t->out, "\nNo. of FilterActions : %zu\n", c->n_actions);
    return 0;
}
