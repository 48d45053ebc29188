/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/convert_netsh_filter.c: values and filters in a netsh script.
 * Called by convert_netsh_write.c. Invariant: a filter that netsh cannot say is left out and
 * listed, never widened; a range of ports is written port by port only where no other filter could
 * then win differently. */
#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "convert_netsh.h"
#include "model/weight.h"
#include "text/text.h"

enum { EXPANDED_PORTS = 1024 };

/* --- values --- */

int netsh_write_text(struct netsh_writer *w, enum netsh_tag tag, const char *s)
{
    bool changed = false;
    (void)strbuf_addf(w->out, " %s=\"", netsh_tag_name(tag)); /* errors are sticky */
    for (size_t i = 0, n = strlen(s); i < n;) {
        uint32_t cp;
        size_t len = utf8_decode(s + i, n - i, &cp);
        bool fancy = cp >= 0x201c && cp <= 0x201e;
        if (len == 0 || cp == '"' || fancy || utf8_is_control(cp)) {
            (void)strbuf_add_char(w->out, cp == '"' || fancy ? '\'' : ' ');
            changed = true;
        } else {
            (void)strbuf_add_n(w->out, s + i, len);
        }
        i += len > 0 ? len : 1;
    }
    (void)strbuf_add_char(w->out, '"');
    if (w->out->error < 0)
        return w->out->error;
    return changed ? convert_loss(w->losses, "%s '%s': quotes and control characters are replaced",
                                  netsh_tag_name(tag), s)
                   : 0;
}

void netsh_write_word(struct netsh_writer *w, enum netsh_tag tag, const char *s)
{
    (void)strbuf_addf(w->out, " %s=%s", netsh_tag_name(tag), s); /* sticky */
}

/* --- filters --- */

static int print_side(struct netsh_writer *w, const struct addr *a, enum netsh_tag addr,
                      enum netsh_tag mask)
{
    static const char *const words[_ADDR_KIND_MAX] = {
        [ADDR_ANY] = "any",           [ADDR_ME] = "me",
        [ADDR_KEYWORD_DNS] = "DNS",   [ADDR_KEYWORD_WINS] = "WINS",
        [ADDR_KEYWORD_DHCP] = "DHCP", [ADDR_KEYWORD_GATEWAY] = "GATEWAY",
    };
    char first[IP_TEXT_BYTES], last[IP_TEXT_BYTES], range[2 * IP_TEXT_BYTES + 1];
    if (words[a->kind] || a->kind == ADDR_NAME) {
        netsh_write_word(w, addr, words[a->kind] ? words[a->kind] : a->name);
        return 0;
    }
    ip_print(a->family, a->first, first);
    ip_print(a->family, a->last, last);
    bool all6 = a->kind == ADDR_PREFIX && a->family == FAMILY_6 && a->prefix_len == 0;
    bool zero =
        a->kind == ADDR_HOST && a->first.hi == 0 && a->first.lo == 0; /* alone: any or me? */
    if (a->kind == ADDR_RANGE || all6 || zero) {
        (void)format_into(range, sizeof(range), "%s-%s", first, last);
        netsh_write_word(w, addr, range);
        return 0;
    }
    netsh_write_word(w, addr, first);
    if (a->kind == ADDR_PREFIX && a->family == FAMILY_6)
        (void)strbuf_addf(w->out, " %s=%u", netsh_tag_name(mask), (unsigned)a->prefix_len);
    else if (a->kind == ADDR_PREFIX) {
        ip_print(FAMILY_4, ip_mask(FAMILY_4, a->prefix_len), last);
        netsh_write_word(w, mask, last);
    }
    return 0;
}

/* An address that netsh would read as something else. */
static bool is_misread(const struct addr *a)
{
    static const char *const words[] = {"any", "me", "dns", "wins", "dhcp", "gateway"};
    for (size_t i = 0; a->kind == ADDR_NAME && i < ARRAY_SIZE(words); i++)
        if (strcmp(a->name, words[i]) == 0)
            return true;
    return false;
}

/* Why the filter cannot be written; NULL if it can. */
static const char *why_not(const struct filter *f)
{
    if (f->keep_state)
        return "keep state";
    if (f->icmp_type >= 0)
        return "ICMP type";
    if (f->interface)
        return "interface";
    if (f->profile != PROFILE_NONE)
        return "profile";
    if (f->proto == 0)
        return "protocol 0";
    if (is_misread(&f->src) || is_misread(&f->dst))
        return "address";
    if (f->src.kind == ADDR_ME && f->dst.kind == ADDR_ME)
        return "both sides me";
    return NULL;
}

static int filter_loss(struct netsh_writer *w, const struct filter *f, const char *rule,
                       const char *what)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(1024 * 1024);
    struct filter bare = *f; /* borrows everything */
    bare.description = NULL;
    int err = text_print_filter(&bare, &text);
    if (err < 0)
        return err;
    return w->p ? convert_loss(w->losses, "policy '%s', '%s': %s: %s", w->p->name, rule, what,
                               text.s)
                : convert_loss(w->losses, "filter list '%s': %s: %s", rule, what, text.s);
}

/* Address and protocol fields of the weight; the fields of ports come below. */
static uint32_t upper_weight(const struct filter *f, bool twin)
{
    return filter_weight(f, twin ? &f->dst : &f->src, twin ? &f->src : &f->dst, NULL, NULL) >> 14;
}

static bool ports_meet(const struct portset *a, const struct portset *b)
{
    if (a->n == 0 || b->n == 0)
        return true;
    for (uint32_t i = 0; i < a->n; i++)
        for (uint32_t k = 0; k < b->n; k++)
            if (a->range[i].first <= b->range[k].last && b->range[k].first <= a->range[i].last)
                return true;
    return false;
}

static bool is_literal(const struct addr *a)
{
    return a->kind == ADDR_HOST || a->kind == ADDR_PREFIX || a->kind == ADDR_RANGE;
}

/* False: no address is in both. */
static bool addresses_meet(const struct addr *a, const struct addr *b)
{
    if (!is_literal(a) || !is_literal(b))
        return true;
    return a->family == b->family && ip_cmp(a->first, b->last) <= 0 &&
           ip_cmp(b->first, a->last) <= 0;
}

/* One of the two forms of f against one of g, where the fields above the ports are equal. */
static bool forms_meet(const struct filter *f, bool f_twin, const struct filter *g, bool g_twin)
{
    return addresses_meet(f_twin ? &f->dst : &f->src, g_twin ? &g->dst : &g->src) &&
           addresses_meet(f_twin ? &f->src : &f->dst, g_twin ? &g->src : &g->dst) &&
           upper_weight(f, f_twin) == upper_weight(g, g_twin) &&
           ports_meet(f_twin ? &f->dport : &f->sport, g_twin ? &g->dport : &g->sport) &&
           ports_meet(f_twin ? &f->sport : &f->dport, g_twin ? &g->sport : &g->dport);
}

/* Whether ports of their own could change who wins against g. */
static bool could_change(const struct filter *f, const struct filter *g)
{
    if (filter_effect(f) == filter_effect(g) || (g->proto != f->proto && g->proto != PROTO_ANY))
        return false;
    if (filter_is_resolved(f) || filter_is_resolved(g))
        return true;
    for (int a = 0; a <= f->mirrored; a++)
        for (int b = 0; b <= g->mirrored; b++)
            if (forms_meet(f, a, g, b))
                return true;
    return false;
}

static bool could_change_in(const struct filter *f, const struct policy *p)
{
    for (size_t i = 0; i < p->n_rules; i++)
        for (size_t k = 0; k < p->rules[i].n_filters; k++)
            if (could_change(f, &p->rules[i].filters[k]))
                return true;
    return false;
}

static bool has_range(const struct portset *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->range[i].first != s->range[i].last)
            return true;
    return false;
}

static size_t count_ports(const struct portset *s)
{
    size_t n = s->n == 0;
    for (uint32_t i = 0; i < s->n; i++)
        n += (size_t)(s->range[i].last - s->range[i].first) + 1;
    return n;
}

/* Why its ports cannot be written one by one. */
static const char *why_no_ports(const struct netsh_writer *w, const struct filter *f)
{
    if (count_ports(&f->sport) * count_ports(&f->dport) > EXPANDED_PORTS)
        return "more than 1024 ports";
    if (!has_range(&f->sport) && !has_range(&f->dport))
        return NULL;
    if (w->p && !w->all)
        return could_change_in(f, w->p) ? "port range" : NULL;
    for (size_t i = 0; i < w->c->n_policies; i++)
        if (w->c->policies[i].now && could_change_in(f, w->c->policies[i].now))
            return "port range";
    return NULL;
}

/* Steps through the ports of a set; 0 alone for any. */
struct port_walk {
    const struct portset *set;
    uint32_t item, port;
};

static bool next_port(struct port_walk *k)
{
    if (k->set->n == 0)
        return k->item++ == 0;
    if (k->item > 0 && k->port < k->set->range[k->item - 1].last) {
        k->port++;
        return true;
    }
    if (k->item == k->set->n)
        return false;
    k->port = k->set->range[k->item++].first;
    return true;
}

static int print_one(struct netsh_writer *w, const char *list, const struct filter *f,
                     uint32_t sport, uint32_t dport)
{
    (void)strbuf_add(w->out, "add filter"); /* errors are sticky */
    int err = netsh_write_text(w, T_FILTERLIST, list);
    if (err == 0)
        err = print_side(w, &f->src, T_SRCADDR, T_SRCMASK);
    if (err == 0)
        err = print_side(w, &f->dst, T_DSTADDR, T_DSTMASK);
    if (err < 0)
        return err;
    if (f->proto == PROTO_TCP || f->proto == PROTO_UDP || f->proto == PROTO_ICMP)
        netsh_write_word(w, T_PROTOCOL,
                         f->proto == PROTO_TCP   ? "TCP"
                         : f->proto == PROTO_UDP ? "UDP"
                                                 : "ICMP");
    else if (f->proto != PROTO_ANY)
        (void)strbuf_addf(w->out, " %s=%d", netsh_tag_name(T_PROTOCOL), f->proto);
    netsh_write_word(w, T_MIRRORED, f->mirrored ? "yes" : "no");
    if (sport > 0)
        (void)strbuf_addf(w->out, " %s=%u", netsh_tag_name(T_SRCPORT), sport);
    if (dport > 0)
        (void)strbuf_addf(w->out, " %s=%u", netsh_tag_name(T_DSTPORT), dport);
    if (f->description)
        err = netsh_write_text(w, T_DESCRIPTION, f->description);
    return err < 0 ? err : strbuf_add_char(w->out, '\n');
}

static bool has_port_zero(const struct portset *s)
{
    return s->n > 0 && s->range[0].first == 0;
}

int netsh_write_filter(struct netsh_writer *w, const char *list, const struct filter *f)
{
    const char *why = why_not(f);
    int err = 0;
    if (!why && (has_port_zero(&f->sport) || has_port_zero(&f->dport)))
        why = "port 0";
    if (!why)
        why = why_no_ports(w, f);
    if (why) {
        char text[64];
        (void)format_into(text, sizeof(text), "left out (%s)", why);
        return filter_loss(w, f, list, text);
    }
    if (f->override)
        err = filter_loss(w, f, list, "written without override");
    if (err == 0 && f->log)
        err = filter_loss(w, f, list, "written without log");
    struct port_walk s = {.set = &f->sport};
    while (err == 0 && next_port(&s)) {
        struct port_walk k = {.set = &f->dport};
        while (err == 0 && next_port(&k))
            err = print_one(w, list, f, s.port, k.port);
    }
    return err;
}
