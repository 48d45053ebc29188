/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netdiag_filter.c: one filter as the blocks that netdiag prints of it (windows.md 10).
 * Called by netdiag.c. A block has one source, one destination, one port at each side and one
 * direction, so a filter is taken apart. Invariant: blocks of a filter differ in what they say, and
 * therefore in their ids, which stay the same as long as they say the same. */
#include <string.h>

#include "derived_guid.h"
#include "netdiag.h"

enum { SIDE_BYTES = 320, BLOCK_BYTES = 2048, PORT_BYTES = 16 };

/* One way of a filter: as written, or its twin. */
struct way {
    const struct addr *src, *dst;
    const struct portset *sport, *dport;
};

struct printer {
    const struct netdiag_filter *f;
    const struct netdiag_addresses *own;
    struct netdiag_section *to;
    enum family family;
};

/* --- directions --- */
static bool contains(const struct addr *a, const struct addr *own)
{
    return a->family == own->family && ip_cmp(a->first, own->first) <= 0 &&
           ip_cmp(own->first, a->last) <= 0;
}

/* Whether a packet of this host can stand at this side. What is only resolved later can. */
static bool can_be_local(const struct printer *p, const struct addr *a)
{
    if (a->kind == ADDR_ANY || a->kind == ADDR_ME || addr_is_resolved(a))
        return true;
    for (size_t i = 0; i < p->own->n; i++)
        if (contains(a, &p->own->v[i]))
            return true;
    return false;
}

/* --- one block --- */
static void put_mask(enum family family, unsigned len, char out[SIDE_BYTES])
{
    if (family == FAMILY_4)
        ip_print(FAMILY_4, ip_mask(FAMILY_4, len), out);
    else
        (void)format_into(out, SIDE_BYTES, "%u", len);
}

static void put_side(const struct addr *a, enum family family, char out[SIDE_BYTES],
                     char mask[SIDE_BYTES])
{
    static const char *const keywords[_ADDR_KIND_MAX] = {
        [ADDR_KEYWORD_DNS] = "DNS",
        [ADDR_KEYWORD_WINS] = "WINS",
        [ADDR_KEYWORD_DHCP] = "DHCP",
        [ADDR_KEYWORD_GATEWAY] = "GATEWAY",
    };
    bool any = a->kind == ADDR_ANY;
    if (addr_is_resolved(a)) {
        const char *name = a->kind == ADDR_NAME ? a->name : keywords[a->kind];
        (void)format_into(out, SIDE_BYTES, "%s", name ? name : "?");
    } else if (any) {
        ip_print(family, (struct ip){0, 0}, out);
    } else {
        ip_print(a->family, a->first, out);
    }
    if (a->kind == ADDR_RANGE) {
        size_t n = strlen(out);
        (void)format_into(out + n, SIDE_BYTES - n, "-");
        ip_print(a->family, a->last, out + n + 1);
    }
    put_mask(family, any ? 0 : a->kind == ADDR_PREFIX ? a->prefix_len : family_bits(family), mask);
}

static void put_port(const struct port_range *r, char out[PORT_BYTES])
{
    if (!r)
        (void)format_into(out, PORT_BYTES, "0");
    else if (r->first == r->last)
        (void)format_into(out, PORT_BYTES, "%u", r->first);
    else
        (void)format_into(out, PORT_BYTES, "%u-%u", r->first, r->last);
}

static const char *flag_of(const struct filter *f)
{
    if (f->inpass)
        return "Inpass";
    switch (f->action) {
    case ACTION_BLOCK:
        return f->override ? "Block (override)" : "Block";
    case ACTION_PERMIT:
        return f->keep_state ? "Permit (keep state)" : "Permit";
    case ACTION_NEGOTIATE:
        return "Negotiate";
    }
    return "Block";
}

static void put_body(const struct printer *p, const struct addr side[2],
                     const struct port_range *const port[2], bool out, struct strbuf *b)
{
    const struct filter *f = p->f->filter;
    char addr[2][SIDE_BYTES], mask[2][SIDE_BYTES], ports[2][PORT_BYTES];
    for (unsigned i = 0; i < 2; i++) {
        put_side(&side[i], p->family, addr[i], mask[i]);
        put_port(port[i], ports[i]);
    }
    (void)strbuf_addf(b, "    Src Addr : %s Src Mask : %s\n", addr[0], mask[0]); /* sticky error */
    (void)strbuf_addf(b, "    Dest Addr : %s Dest Mask : %s\n", addr[1], mask[1]);
    (void)strbuf_addf(b, "    Tunnel Addr : %s Src Port : %s Dest Port : %s\n",
                      p->f->tunnel ? p->f->tunnel : "0.0.0.0", ports[0], ports[1]);
    (void)strbuf_addf(b, "    Protocol : %d TunnelFilter: %s\n",
                      f->proto == PROTO_ANY ? 0 : f->proto, p->f->tunnel ? "Yes" : "No");
    if (f->icmp_type >= 0)
        (void)strbuf_addf(b, "    ICMP Type : %d\n", f->icmp_type);
    if (f->icmp_code >= 0)
        (void)strbuf_addf(b, "    ICMP Code : %d\n", f->icmp_code);
    if (f->interface)
        (void)strbuf_addf(b, "    Interface : %s\n", f->interface);
    (void)strbuf_addf(b, "    Flags : %s %s\n", out ? "Outbound" : "Inbound", flag_of(f));
}

static int put_block(const struct printer *p, const struct addr side[2],
                     const struct port_range *const port[2], bool out)
{
    _cleanup_(strbuf_done) struct strbuf body = STRBUF_INIT(BLOCK_BYTES),
                                         identity = STRBUF_INIT(BLOCK_BYTES);
    char guid[GUID_TEXT_BYTES], id[GUID_BRACED_BYTES], action[GUID_BRACED_BYTES];
    put_body(p, side, port, out, &body);
    guid_print(p->f->guid, guid);
    (void)strbuf_addf(&identity, "%s %s", guid, body.s ? body.s : "");
    if (body.error || identity.error)
        return body.error ? body.error : identity.error;
    struct guid g = derived_guid("netdiag filter", identity.s, identity.len);
    guid_print_braced(&g, id);
    guid_print_braced(&p->f->action, action);
    const char *name = p->f->filter->description;
    p->to->n++;
    (void)strbuf_add_escaped(&p->to->text, name ? name : "No Name", name ? strlen(name) : 7);
    return strbuf_addf(&p->to->text, "\n    Filter Id: %s\n    Policy Id: %s\n%s", id, action,
                       body.s);
}

/* --- all blocks of one way --- */
static uint32_t n_items(const struct portset *s)
{
    return s->n > 0 ? s->n : 1;
}

static int put_ports(const struct printer *p, const struct way *w, const struct addr side[2],
                     bool out)
{
    uint32_t n_dport = n_items(w->dport);
    int r = 0;
    for (uint32_t i = 0; i < n_items(w->sport) * n_dport && r == 0; i++) {
        const struct port_range *const port[2] = {
            w->sport->n > 0 ? &w->sport->range[i / n_dport] : NULL,
            w->dport->n > 0 ? &w->dport->range[i % n_dport] : NULL,
        };
        r = put_block(p, side, port, out);
    }
    return r;
}

/* `me` is every own address of the family; at the other side it cannot stand as well. */
static int put_direction(const struct printer *p, const struct way *w, bool out)
{
    struct addr side[2] = {*w->src, *w->dst}; /* borrow the names */
    struct addr *me = side[0].kind == ADDR_ME ? &side[0] : &side[1];
    int r = 0;
    if (me->kind != ADDR_ME)
        return put_ports(p, w, side, out);
    for (size_t i = 0; i < p->own->n && r == 0; i++) {
        if (p->own->v[i].family != p->family)
            continue;
        *me = p->own->v[i];
        r = put_ports(p, w, side, out);
    }
    return r;
}

static int put_way(const struct printer *p, const struct way *w)
{
    bool src_me = w->src->kind == ADDR_ME, dst_me = w->dst->kind == ADDR_ME;
    bool out = !dst_me && can_be_local(p, w->src), in = !src_me && can_be_local(p, w->dst);
    if (src_me && dst_me)
        return 0; /* no packet is both */
    if (!in && !out)
        in = true; /* forwarded packets are judged on the way in (policy.md 2) */
    int r = in ? put_direction(p, w, /* out= */ false) : 0;
    return r < 0 || !out ? r : put_direction(p, w, /* out= */ true);
}

int netdiag_print_filter(const struct netdiag_filter *x, const struct netdiag_addresses *own,
                         struct netdiag_section *to)
{
    const struct filter *f = x->filter;
    struct printer p = {.f = x, .own = own, .to = to, .family = FAMILY_4};
    const struct way written = {&f->src, &f->dst, &f->sport, &f->dport};
    const struct way twin = {&f->dst, &f->src, &f->dport, &f->sport};
    if (filter_family(f) == FAMILY_6 || f->proto == PROTO_ICMPV6)
        p.family = FAMILY_6;
    int r = put_way(&p, &written);
    if (r < 0 || !f->mirrored || (addr_eq(&f->src, &f->dst) && portset_eq(&f->sport, &f->dport)))
        return r;
    return put_way(&p, &twin);
}
