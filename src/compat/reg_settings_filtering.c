/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/reg_settings_filtering.c: TCP/IP filtering of Windows (windows.md 17) as a policy named
 * "TCP/IP filtering".
 * Called by the importer. Invariant: nothing is open that was closed on the interface: without
 * --map all interfaces share one set of rules, and open is only what every one of them opened. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "reg_internal.h"
#include "text/text.h"

#define PARAMETERS "SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters"
#define INTERFACES PARAMETERS "\\Interfaces\\"
static const char policy_name[] = "TCP/IP filtering";

enum { LIST_TCP, LIST_UDP, LIST_RAW, _LIST_MAX };
static const struct {
    const char *value, *proto;
    uint32_t max;
} lists[_LIST_MAX] = {
    [LIST_TCP] = {"TCPAllowedPorts", "tcp", 65535},
    [LIST_UDP] = {"UDPAllowedPorts", "udp", 65535},
    [LIST_RAW] = {"RawIpAllowedProtocols", NULL, 255},
};

enum { BITMAP_BYTES = 65536 / 8 };
/* What is open; all: everything, the bitmap does not count. */
struct opened {
    bool all;
    uint8_t bits[BITMAP_BYTES];
};
struct filtering {
    struct opened lists[_LIST_MAX];
};

static bool is_open(const struct opened *o, uint32_t n)
{
    return o->bits[n / 8] & (1u << (n % 8));
}

static bool is_interface(const char *path, const char **ret_guid)
{
    size_t n = strlen(INTERFACES);
    *ret_guid = path + n;
    return strncasecmp(path, INTERFACES, n) == 0 && path[n] != '\0' && !strchr(path + n, '\\');
}

bool reg_filtering_has(const char *path, const char *name)
{
    const char *guid;
    if (strcasecmp(path, PARAMETERS) == 0)
        return strcasecmp(name, "EnableSecurityFilters") == 0;
    for (int i = 0; is_interface(path, &guid) && i < _LIST_MAX; i++)
        if (strcasecmp(name, lists[i].value) == 0)
            return true;
    return false;
}

/* A list that is not there, or holds 0, opens everything. */
static int read_list(struct reg_reader *r, const struct reg_key *k, int which, struct opened *ret)
{
    const struct reg_value *v = reg_value_find(k, lists[which].value);
    *ret = (struct opened){.all = !v || v->removed};
    if (ret->all)
        return 0;
    if (v->type != REG_MULTI_SZ)
        return diag_fail(r->d, DIAG_SYNTAX, "%s'%s' is no REG_MULTI_SZ",
                         reg_place_of(r, v->line).text, v->name);
    for (size_t i = 0; i < v->n_strings; i++) {
        const char *s = v->strings[i];
        size_t n = strspn(s, "0123456789");
        unsigned long number = n > 0 && n < 6 ? strtoul(s, NULL, 10) : 1000000;
        if (s[n] != '\0' || number > lists[which].max)
            return diag_fail(r->d, DIAG_SYNTAX, "%s'%s': '%.64s' is no number up to %u",
                             reg_place_of(r, v->line).text, v->name, s, lists[which].max);
        ret->all = ret->all || number == 0;
        ret->bits[number / 8] = (uint8_t)(ret->bits[number / 8] | (1u << (number % 8)));
    }
    return 0;
}

static int read_interface(struct reg_reader *r, const struct reg_key *k, struct filtering *ret)
{
    int err = 0;
    for (int i = 0; err == 0 && i < _LIST_MAX; i++)
        err = read_list(r, k, i, &ret->lists[i]);
    return err;
}

/* Leaves open what both open. */
static void narrow(struct filtering *f, const struct filtering *by)
{
    for (int i = 0; i < _LIST_MAX; i++) {
        struct opened *a = &f->lists[i];
        const struct opened *b = &by->lists[i];
        if (a->all) {
            *a = *b;
            continue;
        }
        for (size_t k = 0; !b->all && k < BITMAP_BYTES; k++)
            a->bits[k] &= b->bits[k];
    }
}

/* --- rules --- */
static int add_filter(struct reg_reader *r, struct rule *rule, const char *interface,
                      struct strbuf *text)
{
    _cleanup_(filter_done) struct filter f;
    filter_init(&f);
    if (interface) {
        (void)strbuf_add(text, " on "); /* errors are sticky in text */
        (void)text_print_string(interface, text);
    }
    int err = text->error;
    if (err == 0)
        err = text_parse_filter(text->s, text->len, r->d, &f);
    if (err == 0)
        err = rule_add_filter(rule, &f);
    strbuf_done(text);
    *text = (struct strbuf)STRBUF_INIT(4096);
    return err;
}

/* permit in for what is open, block in for the rest, permit out with state for replies. */
static int add_ports(struct reg_reader *r, struct rule *rule, const char *interface,
                     const struct opened *o, const char *proto)
{
    struct strbuf text = STRBUF_INIT(4096);
    int err = 0;
    for (uint32_t n = 1; err == 0 && n <= 65535; n++) {
        uint32_t last = n;
        if (!is_open(o, n))
            continue;
        while (last < 65535 && is_open(o, last + 1))
            last++;
        (void)strbuf_addf(&text, "permit in %s from any to me port %u", proto, n);
        if (last > n)
            (void)strbuf_addf(&text, "-%u", last);
        err = add_filter(r, rule, interface, &text);
        n = last;
    }
    if (err == 0) {
        (void)strbuf_addf(&text, "block in %s from any to me", proto);
        err = add_filter(r, rule, interface, &text);
    }
    if (err == 0) {
        (void)strbuf_addf(&text, "permit out %s from me to any keep state", proto);
        err = add_filter(r, rule, interface, &text);
    }
    strbuf_done(&text);
    return err;
}

/* TCP and UDP have lists of their own, and ICMP cannot be filtered there. */
static int add_protocols(struct reg_reader *r, struct rule *rule, const char *interface,
                         const struct filtering *f)
{
    struct strbuf text = STRBUF_INIT(4096);
    int err = 0;
    for (uint32_t n = 1; err == 0 && n <= 255; n++) {
        bool own = n == PROTO_TCP || n == PROTO_UDP;
        bool open = own ? f->lists[n == PROTO_TCP ? LIST_TCP : LIST_UDP].all
                        : n == PROTO_ICMP || n == PROTO_ICMPV6 || is_open(&f->lists[LIST_RAW], n);
        if (!open)
            continue;
        (void)strbuf_addf(&text, "permit in %u from any to me", n);
        err = add_filter(r, rule, interface, &text);
    }
    if (err == 0) {
        (void)strbuf_add(&text, "block in from any to me");
        err = add_filter(r, rule, interface, &text);
    }
    strbuf_done(&text);
    return err;
}

static int add_rules(struct reg_reader *r, struct policy *p, const char *interface,
                     const struct filtering *f)
{
    struct rule rule;
    char name[300];
    bool replaced;
    int err = 0;
    rule_init(&rule);
    (void)format_into(name, sizeof(name), "%.200s", interface ? interface : "All interfaces");
    rule.name = strdup(name);
    if (!rule.name)
        return -ENOMEM;
    for (int i = LIST_TCP; err == 0 && i <= LIST_UDP; i++)
        if (!f->lists[i].all)
            err = add_ports(r, &rule, interface, &f->lists[i], lists[i].proto);
    if (err == 0 && !f->lists[LIST_RAW].all)
        err = add_protocols(r, &rule, interface, f);
    if (err == 0 && rule.n_filters > 0)
        err = catalog_rule_put(r->t->catalog, p, &rule, r->d, &replaced);
    rule_done(&rule);
    return err;
}

/* --- the whole --- */
static int read_interfaces(struct reg_reader *r, struct policy *p)
{
    _cleanup_free_ struct filtering *one = calloc(1, sizeof(*one)), *all = calloc(1, sizeof(*all));
    size_t n_all = 0;
    int err = one && all ? 0 : -ENOMEM;
    for (size_t i = 0; err == 0 && i < r->tree->n; i++) {
        const struct reg_key *k = &r->tree->v[i];
        char path[REG_PATH_BYTES];
        const char *guid, *interface;
        if (reg_is_removed(k) || !reg_path_below(k->path, path) || !is_interface(path, &guid))
            continue;
        err = read_interface(r, k, one);
        if (err < 0)
            return err;
        interface = reg_interface(r, guid);
        if (interface) {
            err = add_rules(r, p, interface, one);
        } else if (r->o->n_map > 0) {
            err = reg_lost(r,
                           "%s%s: no interface is known for it, its filters are not taken over; "
                           "say --map %s=eth0",
                           reg_place_of(r, k->line).text, k->path, guid);
        } else if (n_all++ == 0) {
            *all = *one;
        } else {
            narrow(all, one);
        }
    }
    if (err == 0 && n_all > 0)
        err = add_rules(r, p, NULL, all);
    if (err == 0 && n_all > 0)
        err = tool_remark(r->t, NOTE, r->d,
                          "policy '%s' holds for all interfaces: open is what all %zu of the file "
                          "open; --map GUID=eth0 keeps them apart",
                          policy_name, n_all);
    return err;
}

/* Whether a list is there that closes something. */
static bool has_lists(const struct reg_reader *r)
{
    for (size_t i = 0; i < r->tree->n; i++) {
        const struct reg_key *k = &r->tree->v[i];
        char path[REG_PATH_BYTES];
        const char *guid;
        if (reg_is_removed(k) || !reg_path_below(k->path, path) || !is_interface(path, &guid))
            continue;
        for (int j = 0; j < _LIST_MAX; j++)
            if (reg_value_find(k, lists[j].value))
                return true;
    }
    return false;
}

static bool is_enabled(const struct reg_reader *r)
{
    for (size_t i = 0; i < r->tree->n; i++) {
        const struct reg_key *k = &r->tree->v[i];
        char path[REG_PATH_BYTES];
        if (reg_is_removed(k) || !reg_path_below(k->path, path) ||
            strcasecmp(path, PARAMETERS) != 0)
            continue;
        const struct reg_value *v = reg_value_find(k, "EnableSecurityFilters");
        if (v && !v->removed && v->type == REG_DWORD && v->number != 0)
            return true;
    }
    return false;
}

/* In place of what has the name. */
static int put_policy(struct reg_reader *r, struct policy *from)
{
    struct catalog *c = r->t->catalog;
    struct policy *p = NULL;
    bool made, replaced;
    int err = catalog_policy_make(c, policy_name, r->d, &p, &made);
    if (err < 0)
        return err;
    while (p->n_rules > 0)
        policy_remove_rule(p, p->n_rules - 1);
    for (size_t i = 0; err == 0 && i < from->n_rules; i++)
        err = catalog_rule_put(c, p, &from->rules[i], r->d, &replaced);
    if (err == 0)
        catalog_policy_changed(c, p, "import of TCP/IP filtering");
    return err;
}

int reg_filtering_read(struct reg_reader *r)
{
    _cleanup_(policy_freep) struct policy *p = NULL;
    if (!has_lists(r))
        return 0;
    if (!is_enabled(r))
        return tool_remark(r->t, NOTE, r->d,
                           "TCP/IP filtering is off in the file (EnableSecurityFilters), its lists "
                           "are not taken over");
    int err = policy_new(policy_name, &p);
    if (err == 0)
        err = read_interfaces(r, p);
    if (err < 0)
        return err;
    return p->n_rules > 0 ? put_policy(r, p)
                          : tool_remark(r->t, NOTE, r->d,
                                        "TCP/IP filtering of the file closes nothing that could be "
                                        "taken over, there is no policy for it");
}
