/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blob_filter2.c: one filter of the second version ([MS-GPIPSEC] 2.2.1.5): IPv6, ranges of
 * addresses and ports. Callers: blob_filter.c. */
#include <errno.h>
#include <string.h>

#include "blob_filter.h"

enum { TYPE_ANY = 0, TYPE_HOST = 1, TYPE_RANGE = 2, TYPE_SUBNET = 4, TYPE_ME = 8 };
enum { VERSION_4 = 1, VERSION_6 = 2, VERSION_BOTH = 3 };
enum { PORT_ANY = 0, PORT_ONE = 1, PORT_RANGE = 2 };
enum { FLAG_INSTEAD = 8 };

static const struct {
    uint32_t type;
    enum addr_kind kind;
} plain_types[] = {
    {TYPE_ANY, ADDR_ANY},      {TYPE_ME, ADDR_ME},        {0x10, ADDR_KEYWORD_DNS},
    {0x20, ADDR_KEYWORD_WINS}, {0x40, ADDR_KEYWORD_DHCP}, {0x80, ADDR_KEYWORD_GATEWAY},
};

/* --- reading --- */
static void read_bounds(struct blob_reader *r, uint32_t type, uint32_t version, const uint8_t *p,
                        struct addr *ret)
{
    enum family family = version == VERSION_4 ? FAMILY_4 : FAMILY_6;
    struct ip first = ip_from_bytes(family, p), last = ip_from_bytes(family, p + 16);
    if (version == VERSION_BOTH)
        (void)blob_reader_fail(r, "an address of IP version", version);
    else if (type == TYPE_HOST)
        *ret = addr_host(family, first);
    else if (type == TYPE_SUBNET)
        blob_set_masked(r, family, p, p + 16, ret);
    else if (type != TYPE_RANGE)
        (void)blob_reader_fail(r, "unknown type of address", type);
    else if (ip_cmp(first, last) > 0)
        r->err =
            diag_fail(r->d, DIAG_ADDRESS, "the range before byte %zu ends before it begins", r->at);
    else
        *ret = ip_eq(first, last) ? addr_host(family, first) : addr_range(family, first, last);
}

static uint32_t read_address(struct blob_reader *r, struct addr *ret)
{
    uint32_t type = blob_u32(r), version = blob_u32(r);
    const uint8_t *p = blob_take(r, 32);
    if (!p)
        return 0;
    if (version < VERSION_4 || version > VERSION_BOTH) {
        (void)blob_reader_fail(r, "unknown IP version", version);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(plain_types); i++) {
        if (plain_types[i].type == type) {
            *ret = (struct addr){.kind = plain_types[i].kind};
            return version;
        }
    }
    read_bounds(r, type, version, p, ret);
    return version;
}

/* A class of both families that is meant for one: "any" can say so, and then the filter is. */
static void narrow(struct blob_reader *r, struct filter *f, uint32_t versions)
{
    enum family family = versions == VERSION_4 ? FAMILY_4 : FAMILY_6;
    struct addr *side = f->src.kind == ADDR_ANY ? &f->src : &f->dst;
    if (r->err < 0 || versions == VERSION_BOTH)
        return;
    if (versions == 0)
        (void)blob_reader_fail(r, "the sides have no common IP version:", versions);
    else if (filter_family(f) != FAMILY_ANY)
        return;
    else if (side->kind != ADDR_ANY)
        (void)blob_reader_fail(r, "cannot say that both sides mean one IP version:", versions);
    else
        *side = addr_prefix(family, (struct ip){0}, 0);
}

static void read_port(struct blob_reader *r, struct portset *ret)
{
    uint32_t type = blob_u32(r), first = blob_u16(r), last = blob_u16(r);
    if (r->err < 0 || type == PORT_ANY)
        return;
    if (type > PORT_RANGE)
        (void)blob_reader_fail(r, "unknown type of port", type);
    else
        blob_set_ports(r, ret, first, type == PORT_ONE ? first : last);
}

void blob_read_spec2(struct blob_reader *r, struct blob_filter *f, bool *ret_instead)
{
    char *names[2] = {NULL, NULL};
    struct filter *to = &f->filter;
    blob_read_head(r, f, names);
    /* The version of an address beside a name is not one of the name. */
    uint32_t versions = read_address(r, &to->src) | (names[0] ? VERSION_BOTH : 0);
    versions &= read_address(r, &to->dst) | (names[1] ? VERSION_BOTH : 0);
    blob_set_name(r, &to->src, names[0]);
    blob_set_name(r, &to->dst, names[1]);
    free(names[0]);
    free(names[1]);
    read_port(r, &to->sport);
    read_port(r, &to->dport);
    blob_set_proto(r, to, blob_u32(r));
    uint32_t flags = blob_u32(r);
    *ret_instead = (flags & FLAG_INSTEAD) != 0;
    narrow(r, to, versions);
    blob_check(r, to);
}

/* --- writing --- */
static void put_address(struct blob_bytes *b, const struct addr *a, enum family family, int *err)
{
    uint8_t bytes[32] = {0};
    uint32_t type = TYPE_HOST;
    for (size_t i = 0; i < ARRAY_SIZE(plain_types); i++)
        if (plain_types[i].kind == a->kind)
            type = plain_types[i].type;
    if (a->kind == ADDR_NAME) {
        /* As in the first version: an address that no packet comes from. */
        memset(bytes, 0xff, family == FAMILY_6 ? 16 : 4);
        family = family == FAMILY_ANY ? FAMILY_4 : family;
    } else if (a->kind == ADDR_HOST || a->kind == ADDR_PREFIX || a->kind == ADDR_RANGE) {
        ip_to_bytes(a->family, a->first, bytes);
        if (a->kind == ADDR_PREFIX)
            ip_to_bytes(a->family, ip_mask(a->family, a->prefix_len), bytes + 16);
        if (a->kind == ADDR_RANGE)
            ip_to_bytes(a->family, a->last, bytes + 16);
        type = a->kind == ADDR_HOST ? TYPE_HOST : a->kind == ADDR_PREFIX ? TYPE_SUBNET : TYPE_RANGE;
    }
    blob_put_u32(b, type, err);
    blob_put_u32(b,
                 family == FAMILY_4   ? VERSION_4
                 : family == FAMILY_6 ? VERSION_6
                                      : VERSION_BOTH,
                 err);
    blob_put(b, bytes, sizeof(bytes), err);
}

static void put_port(struct blob_bytes *b, const struct portset *s, int *err)
{
    struct port_range range = s->n > 0 ? s->range[0] : (struct port_range){0, 0};
    bool one = range.first == range.last;
    blob_put_u32(b, s->n == 0 ? PORT_ANY : one ? PORT_ONE : PORT_RANGE, err);
    blob_put_u16(b, range.first, err);
    blob_put_u16(b, range.last, err);
}

void blob_put_spec2(struct blob_bytes *b, const struct blob_filter *f, int *err)
{
    const struct filter *p = &f->filter;
    enum family family = filter_family(p);
    blob_put_head(b, f, err);
    put_address(b, &p->src, family, err);
    put_address(b, &p->dst, family, err);
    put_port(b, &p->sport, err);
    put_port(b, &p->dport, err);
    blob_put_u32(b, p->proto == PROTO_ANY ? 0 : (uint32_t)p->proto, err);
    blob_put_u32(b, FLAG_INSTEAD, err);
}
