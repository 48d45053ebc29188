/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blob_filter.c: ipsecFilter of the first version, and the list of both versions ([MS-GPIPSEC]
 * 2.2.1.5). The form of Windows 2000: IPv4, masks, one port or any. Callers: reg_policy*.c. */
#include "blob_filter.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "text/text.h"

enum { SPEC_BYTES = 3 * 4 + 16 + 4 + 5 * 4 + 4 + 4 + 4, TO_SERVER = 0x80, NAME_TEXT = 512 };

void blob_filters_done(struct blob_filters *b)
{
    for (size_t i = 0; i < b->n; i++) {
        free(b->v[i].description);
        filter_done(&b->v[i].filter);
    }
    free(b->v);
    *b = (struct blob_filters){0};
}

/* --- what both versions have --- */
struct blob_filter *blob_filters_more(struct blob_filters *b)
{
    if (array_reserve(&b->v, &b->cap, b->n + 1, sizeof(*b->v)) < 0)
        return NULL;
    struct blob_filter *f = &b->v[b->n++];
    *f = (struct blob_filter){0};
    filter_init(&f->filter);
    f->filter.action = ACTION_BLOCK;
    return f;
}

void blob_read_head(struct blob_reader *r, struct blob_filter *f, char *names[2])
{
    names[0] = blob_string(r);
    names[1] = blob_string(r);
    f->description = blob_string(r);
    const uint8_t *guid = blob_take(r, 16);
    if (guid)
        f->guid = blob_guid_read(guid);
    f->filter.mirrored = blob_u32(r) != 0;
}

void blob_put_head(struct blob_bytes *b, const struct blob_filter *f, int *err)
{
    uint8_t guid[16];
    blob_guid_write(&f->guid, guid);
    blob_put_string(b, f->filter.src.kind == ADDR_NAME ? f->filter.src.name : NULL, err);
    blob_put_string(b, f->filter.dst.kind == ADDR_NAME ? f->filter.dst.name : NULL, err);
    blob_put_string(b, f->description, err);
    blob_put(b, guid, 16, err);
    blob_put_u32(b, f->filter.mirrored, err);
}

/* The addresses beside a name are those it had when the filter was made; the name says more. The
 * grammar of names is the native one. */
void blob_set_name(struct blob_reader *r, struct addr *a, const char *name)
{
    _cleanup_(filter_done) struct filter f;
    struct diag ignored;
    char text[NAME_TEXT];
    size_t n = name ? strlen(name) : 0;
    bool good = n <= LIMIT_NAME_BYTES;
    filter_init(&f);
    if (!name || r->err < 0)
        return;
    for (size_t i = 0; good && i < n; i++)
        good = isalnum((unsigned char)name[i]) || strchr("-._", name[i]);
    n = format_into(text, sizeof(text), "block from \"%s\" to any", good ? name : "");
    if (text_parse_filter(text, n, &ignored, &f) < 0 || f.src.kind != ADDR_NAME) {
        r->err = diag_fail(r->d, DIAG_ADDRESS, "'%.200s' before byte %zu of the object is no name",
                           name, r->at);
        return;
    }
    addr_done(a);
    *a = f.src;
    f.src = addr_any();
}

void blob_set_proto(struct blob_reader *r, struct filter *f, uint32_t proto)
{
    if (r->err == 0 && proto > 255)
        (void)blob_reader_fail(r, "unknown protocol", proto);
    f->proto = proto == 0 || proto > 255 ? PROTO_ANY : (int16_t)proto;
}

void blob_set_ports(struct blob_reader *r, struct portset *s, uint32_t first, uint32_t last)
{
    struct port_range range = {(uint16_t)first, (uint16_t)last};
    if (r->err == 0 && first > last)
        (void)blob_reader_fail(r, "a range of ports ends before it begins, with", last);
    if (r->err == 0)
        r->err = portset_from(&range, 1, s);
}

void blob_set_masked(struct blob_reader *r, enum family family, const uint8_t *addr,
                     const uint8_t *mask, struct addr *ret)
{
    struct ip ip = ip_from_bytes(family, addr), m = ip_from_bytes(family, mask);
    unsigned len = 0, bits = family_bits(family);
    while (len < bits && !ip_eq(m, ip_mask(family, len)))
        len++;
    if (!ip_eq(m, ip_mask(family, len)))
        r->err =
            diag_fail(r->d, DIAG_ADDRESS, "the mask before byte %zu of the object has gaps", r->at);
    else
        *ret = len == bits ? addr_host(family, ip) : addr_prefix(family, ip, len);
}

void blob_check(struct blob_reader *r, const struct filter *f)
{
    if (r->err == 0)
        r->err = filter_validate(f, r->d);
}

/* --- the first version --- */
/* Windows says "me" by address 0.0.0.0 with a full mask, "any" by an empty one. */
static void set_address(struct blob_reader *r, const uint8_t *p, struct addr *ret)
{
    static const uint8_t zero[4], full[4] = {0xff, 0xff, 0xff, 0xff};
    if (memcmp(p, zero, 4) == 0 && memcmp(p + 4, full, 4) == 0)
        *ret = addr_me();
    else if (memcmp(p + 4, zero, 4) != 0)
        blob_set_masked(r, FAMILY_4, p, p + 4, ret);
    else if (memcmp(p, zero, 4) != 0)
        r->err = diag_fail(r->d, DIAG_ADDRESS, "an address without mask before byte %zu", r->at);
}

static void set_server(struct blob_reader *r, struct filter *f, unsigned special)
{
    static const enum addr_kind kinds[] = {[1] = ADDR_KEYWORD_DNS,
                                           [2] = ADDR_KEYWORD_WINS,
                                           [3] = ADDR_KEYWORD_DHCP,
                                           [4] = ADDR_KEYWORD_GATEWAY};
    unsigned which = special & ~(unsigned)TO_SERVER;
    struct addr *side = special & TO_SERVER ? &f->dst : &f->src;
    if (r->err < 0 || special == 0)
        return;
    if (which == 0 || which >= ARRAY_SIZE(kinds)) {
        (void)blob_reader_fail(r, "unknown special server", special);
        return;
    }
    addr_done(side);
    *side = (struct addr){.kind = kinds[which]};
}

static void read_spec(struct blob_reader *r, struct blob_filter *f)
{
    char *names[2] = {NULL, NULL};
    blob_read_head(r, f, names);
    const uint8_t *addresses = blob_take(r, 20);
    uint32_t proto = blob_u32(r), sport = blob_u16(r), dport = blob_u16(r);
    const uint8_t *flags = blob_take(r, 4);
    if (addresses && flags) {
        set_address(r, addresses, &f->filter.src);
        if (r->err == 0)
            set_address(r, addresses + 8, &f->filter.dst);
        blob_set_name(r, &f->filter.src, names[0]);
        blob_set_name(r, &f->filter.dst, names[1]);
        blob_set_proto(r, &f->filter, proto);
        if (sport > 0)
            blob_set_ports(r, &f->filter.sport, sport, sport);
        if (dport > 0)
            blob_set_ports(r, &f->filter.dport, dport, dport);
        f->is_tunnel = flags[0] != 0;
        set_server(r, &f->filter, flags[1]);
        blob_check(r, &f->filter);
    }
    free(names[0]);
    free(names[1]);
}

/* --- both --- */
struct list_reader {
    struct blob_reader r;
    struct blob_filters first, second;
    struct hash_table *replaced; /* GUIDs of the second that stand instead of the first */
};

static void list_done(struct list_reader *l)
{
    blob_filters_done(&l->first);
    blob_filters_done(&l->second);
    hash_table_freep(&l->replaced);
}

static int read_second(struct list_reader *l)
{
    struct blob_reader *r = &l->r;
    (void)blob_u32(r);
    uint32_t n_first = blob_u32(r);
    size_t count = blob_count(r, BLOB_SPEC2_BYTES);
    if (r->err == 0 && n_first > l->first.n)
        return blob_reader_fail(r, "impossible count", n_first);
    for (size_t i = n_first; n_first > 0 && r->err == 0 && i < l->first.n; i++) {
        free(TAKE_PTR(l->first.v[i].description));
        filter_done(&l->first.v[i].filter);
    }
    if (n_first > 0 && r->err == 0)
        l->first.n = n_first;
    /* The table keeps pointers into the array: it must not move any more. */
    if (r->err < 0 ||
        array_reserve(&l->second.v, &l->second.cap, count + 1, sizeof(*l->second.v)) < 0)
        return r->err < 0 ? r->err : -ENOMEM;
    for (size_t i = 0; i < count && r->err == 0; i++) {
        bool instead = false;
        struct blob_filter *f = blob_filters_more(&l->second);
        blob_read_spec2(r, f, &instead);
        int err = r->err < 0 || !instead ? r->err : hash_table_put(l->replaced, &f->guid, 16, f);
        if (err < 0 && err != -EEXIST)
            return err;
    }
    return r->err;
}

/* A GUID stands for one filter: where a file gives it to several, written anew the second version
 * of one would stand instead of the others. */
static int separate(struct blob_filters *l)
{
    _cleanup_(hash_table_freep) struct hash_table *seen = NULL;
    int err = hash_table_new((struct hash_seed){(uintptr_t)l, (uintptr_t)l->v}, &seen);
    for (size_t i = 0; err == 0 && i < l->n; i++) {
        uint8_t *last = (uint8_t *)&l->v[i].guid + 12;
        uint32_t number, step = (uint32_t)i;
        while ((err = hash_table_put(seen, &l->v[i].guid, 16, &l->v[i])) == -EEXIST) {
            memcpy(&number, last, sizeof(number));
            number += step++;
            memcpy(last, &number, sizeof(number));
        }
    }
    return err;
}

static int join(struct list_reader *l, struct blob_filters *ret)
{
    struct blob_filters all = {0};
    if (array_reserve(&all.v, &all.cap, l->first.n + l->second.n + 1, sizeof(*all.v)) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < l->first.n; i++) {
        struct blob_filter *f = &l->first.v[i];
        if (!hash_table_get(l->replaced, &f->guid, 16)) {
            all.v[all.n++] = *f;
            continue;
        }
        free(f->description);
        filter_done(&f->filter);
    }
    l->first.n = 0;
    for (size_t i = 0; i < l->second.n; i++)
        all.v[all.n++] = l->second.v[i];
    l->second.n = 0;
    *ret = all;
    return separate(ret);
}

int blob_filters_read(const uint8_t *data, size_t n, struct diag *d, struct blob_filters *ret)
{
    _cleanup_(list_done) struct list_reader l = {.r = blob_reader_start(data, n, BLOB_FILTER, d)};
    (void)blob_u32(&l.r);
    size_t count = blob_count(&l.r, SPEC_BYTES);
    for (size_t i = 0; i < count && l.r.err == 0; i++) {
        struct blob_filter *f = blob_filters_more(&l.first);
        if (!f)
            return -ENOMEM;
        read_spec(&l.r, f);
    }
    if (l.r.err < 0)
        return l.r.err;
    /* Collisions cost time only, and the GUIDs of a list are at most 65536. */
    int err = hash_table_new((struct hash_seed){(uintptr_t)&l, (uintptr_t)data}, &l.replaced);
    if (err == 0 && blob_take_guid(&l.r, blob_guid_v2))
        err = read_second(&l);
    return err < 0 ? err : join(&l, ret);
}

/* --- writing --- */
static unsigned special_of(const struct filter *f)
{
    static const uint8_t numbers[_ADDR_KIND_MAX] = {[ADDR_KEYWORD_DNS] = 1,
                                                    [ADDR_KEYWORD_WINS] = 2,
                                                    [ADDR_KEYWORD_DHCP] = 3,
                                                    [ADDR_KEYWORD_GATEWAY] = 4};
    return numbers[f->src.kind] > 0   ? numbers[f->src.kind]
           : numbers[f->dst.kind] > 0 ? (unsigned)numbers[f->dst.kind] | TO_SERVER
                                      : 0;
}

static bool address_fits(const struct addr *a)
{
    switch (a->kind) {
    case ADDR_HOST:
        return a->family == FAMILY_4 && a->first.lo != 0;
    case ADDR_PREFIX:
        return a->family == FAMILY_4 && a->prefix_len > 0;
    case ADDR_RANGE:
        return false;
    case ADDR_ANY:
    case ADDR_ME:
    case ADDR_NAME:
    case ADDR_KEYWORD_DNS:
    case ADDR_KEYWORD_WINS:
    case ADDR_KEYWORD_DHCP:
    case ADDR_KEYWORD_GATEWAY:
        return true;
    case _ADDR_KIND_MAX:
        break;
    }
    return false;
}

static bool port_fits(const struct portset *s)
{
    return s->n == 0 ||
           (s->n == 1 && s->range[0].first == s->range[0].last && s->range[0].first > 0);
}

static bool is_server(const struct addr *a)
{
    return addr_is_resolved(a) && a->kind != ADDR_NAME;
}

static bool fits_first(const struct filter *f)
{
    return address_fits(&f->src) && address_fits(&f->dst) && port_fits(&f->sport) &&
           port_fits(&f->dport) && !(is_server(&f->src) && is_server(&f->dst));
}

const char *blob_filter_can(const struct filter *f)
{
    if (f->icmp_type >= 0 || f->icmp_code >= 0)
        return "ICMP types";
    if (f->keep_state)
        return "keep state";
    if (f->override)
        return "override";
    if (f->log)
        return "log";
    if (f->interface)
        return "an interface";
    if (f->profile != PROFILE_NONE)
        return "a profile";
    if (f->sport.n > 1 || f->dport.n > 1)
        return "a list of ports";
    if (f->proto == 0)
        return "protocol 0, which means any there";
    return NULL;
}

/* Nobody resolves a name here: beside it stands an address that no packet comes from. */
static void put_address(struct blob_bytes *b, const struct addr *a, int *err)
{
    uint8_t bytes[8] = {0};
    if (a->kind == ADDR_NAME)
        memset(bytes, 0xff, 4);
    if (a->kind == ADDR_HOST || a->kind == ADDR_PREFIX) {
        ip_to_bytes(FAMILY_4, a->first, bytes);
        ip_to_bytes(FAMILY_4, ip_mask(FAMILY_4, a->prefix_len), bytes + 4);
    } else if (a->kind != ADDR_ANY) {
        memset(bytes + 4, 0xff, 4);
    }
    blob_put(b, bytes, 8, err);
}

static void put_spec(struct blob_bytes *b, const struct blob_filter *f, int *err)
{
    const struct filter *p = &f->filter;
    blob_put_head(b, f, err);
    put_address(b, &p->src, err);
    put_address(b, &p->dst, err);
    blob_put_zero(b, 4, err);
    blob_put_u32(b, p->proto == PROTO_ANY ? 0 : (uint32_t)p->proto, err);
    blob_put_u16(b, p->sport.n > 0 ? p->sport.range[0].first : 0, err);
    blob_put_u16(b, p->dport.n > 0 ? p->dport.range[0].first : 0, err);
    blob_put_u16(b, (f->is_tunnel ? 1 : 0) | special_of(p) << 8, err);
    blob_put_zero(b, 2, err);
}

int blob_filters_write(const struct blob_filters *p, struct blob_bytes *out)
{
    uint32_t n_first = 0;
    int err = p->n > BLOB_ITEMS ? -E2BIG : 0;
    for (size_t i = 0; err == 0 && i < p->n; i++) {
        if (blob_filter_can(&p->v[i].filter))
            err = -EOPNOTSUPP;
        n_first += fits_first(&p->v[i].filter);
    }
    size_t place = blob_begin(out, blob_guids[BLOB_FILTER], &err);
    blob_put_u32(out, n_first, &err);
    for (size_t i = 0; err == 0 && i < p->n; i++)
        if (fits_first(&p->v[i].filter))
            put_spec(out, &p->v[i], &err);
    blob_end(out, place, 4, err);
    if (err < 0 || n_first == p->n)
        return err;
    place = blob_begin(out, blob_guid_v2, &err);
    blob_put_u32(out, n_first, &err);
    blob_put_u32(out, (uint32_t)p->n - n_first, &err);
    for (size_t i = 0; err == 0 && i < p->n; i++)
        if (!fits_first(&p->v[i].filter))
            blob_put_spec2(out, &p->v[i], &err);
    blob_end(out, place, 0, err);
    return err;
}
