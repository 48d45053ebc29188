/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets/settle.c: order of the rows, join with their holders, and words for people
 * (sockets/sockets.h). Pure. Called by read.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/sortkey.h"
#include "base/strbuf.h"
#include "internal.h"

static const uint8_t nowhere[16];

static size_t address_bytes(const struct socket_row *r)
{
    return r->family == AF_INET ? 4 : r->family == AF_INET6 ? 16 : 0;
}

bool socket_is_any_address(const struct socket_row *r)
{
    return memcmp(r->local, nowhere, address_bytes(r)) == 0;
}

bool socket_is_loopback(const struct socket_row *r)
{
    static const uint8_t one[16] = {[15] = 1};
    static const uint8_t mapped[13] = {[10] = 0xff, 0xff, 127};

    if (r->family == AF_INET)
        return r->local[0] == 127;
    return r->family == AF_INET6 && (memcmp(r->local, one, sizeof(one)) == 0 ||
                                     memcmp(r->local, mapped, sizeof(mapped)) == 0);
}

/* TCP, SCTP, UDP, UDP-Lite, then what has no ports. */
static unsigned rank(const struct socket_row *r)
{
    if (r->family != AF_INET && r->family != AF_INET6)
        return 6;
    if (r->state == SOCKET_RAW)
        return 5;
    switch (r->proto) {
    case IPPROTO_TCP:
        return 0;
    case IPPROTO_SCTP:
        return 1;
    case IPPROTO_UDP:
        return 2;
    default:
        return 3;
    }
}

static int by_number(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_place(const void *pa, const void *pb)
{
    const struct socket_row *a = pa, *b = pb;
    int c = by_number(rank(a), rank(b));

    if (!c)
        c = by_number(a->port, b->port);
    if (!c)
        c = by_number(a->family, b->family);
    if (!c)
        c = memcmp(a->local, b->local, sizeof(a->local));
    if (!c)
        c = by_number(a->state, b->state);
    if (!c)
        c = memcmp(a->peer, b->peer, sizeof(a->peer));
    if (!c)
        c = by_number(a->peer_port, b->peer_port);
    if (!c)
        c = by_number(a->ifindex, b->ifindex);
    if (!c)
        c = by_number(a->inode, b->inode);
    return c ? c : by_number(a->cookie, b->cookie);
}

static bool is_same(const struct socket_row *a, const struct socket_row *b)
{
    return (a->cookie || a->inode) && by_place(a, b) == 0;
}

static void drop_twins(struct sockets *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (kept && is_same(&s->v[kept - 1], &s->v[i]))
            continue;
        if (kept != i)
            s->v[kept] = s->v[i];
        kept++;
    }
    s->n = kept;
}

/* The fields that by_place() looks at first, as far as they go into a number. */
static uint64_t key_of(const struct socket_row *r)
{
    uint64_t address = 0;

    for (unsigned i = 0; i < 4; i++)
        address = address << 8 | r->local[i];
    return (uint64_t)rank(r) << 56 | (uint64_t)r->port << 40 |
           (uint64_t)(r->family != AF_INET) << 32 | address;
}

/* By number, which is linear; then runs of equal numbers by comparison. */
static int sort_rows(struct sockets *s)
{
    _cleanup_free_ struct sort_key *keys = malloc((s->n + 1) * sizeof(*keys));
    struct socket_row *sorted = malloc((s->n + 1) * sizeof(*sorted));

    if (!keys || !sorted) {
        free(sorted);
        return -ENOMEM;
    }
    for (size_t i = 0; i < s->n; i++)
        keys[i] = (struct sort_key){key_of(&s->v[i]), (uint32_t)i};
    int r = sort_keys(keys, s->n);
    for (size_t i = 0; r == 0 && i < s->n; i++)
        sorted[i] = s->v[keys[i].index];
    if (r < 0) {
        free(sorted);
        return r;
    }
    for (size_t i = 0, n; i < s->n; i += n) {
        for (n = 1; i + n < s->n && keys[i + n].key == keys[i].key; n++)
            ;
        if (n > 1)
            qsort(sorted + i, n, sizeof(*sorted), by_place);
    }
    free(s->v);
    s->v = sorted;
    s->cap = s->n + 1;
    return 0;
}

int holders_add(struct sockets *s, uint32_t inode, uint32_t pid)
{
    int r = array_reserve(&s->holders, &s->cap_holders, s->n_holders + 1, sizeof(*s->holders));

    if (r == 0)
        s->holders[s->n_holders++] = (struct socket_holder){inode, pid};
    return r;
}

/* By inode, then pid; a process may hold a socket by several descriptors. */
static int sort_holders(struct sockets *s)
{
    _cleanup_free_ struct sort_key *keys = malloc((s->n_holders + 1) * sizeof(*keys));
    size_t kept = 0;

    if (!keys)
        return -ENOMEM;
    for (size_t i = 0; i < s->n_holders; i++)
        keys[i] = (struct sort_key){(uint64_t)s->holders[i].inode << 32 | s->holders[i].pid, 0};
    int r = sort_keys(keys, s->n_holders);
    for (size_t i = 0; r == 0 && i < s->n_holders; i++)
        if (!kept || keys[i].key != keys[i - 1].key)
            s->holders[kept++] =
                (struct socket_holder){(uint32_t)(keys[i].key >> 32), (uint32_t)keys[i].key};
    s->n_holders = kept;
    return r;
}

/* First holders by inode: open addressing, twice as large as it must be. */
struct index {
    uint32_t *v; /* number of the holder, plus one */
    size_t mask;
};

static size_t slot_of(const struct index *x, const struct sockets *s, uint32_t inode)
{
    size_t at = inode * UINT32_C(2654435761) & x->mask; /* Knuth's multiplier */

    while (x->v[at] && s->holders[x->v[at] - 1].inode != inode)
        at = (at + 1) & x->mask;
    return at;
}

static int join(struct sockets *s)
{
    struct index x = {.mask = 15};

    while (x.mask < s->n_holders * 2)
        x.mask = x.mask * 2 + 1;
    _cleanup_free_ uint32_t *v = x.v = calloc(x.mask + 1, sizeof(*x.v));
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < s->n_holders; i++)
        if (i == 0 || s->holders[i].inode != s->holders[i - 1].inode)
            x.v[slot_of(&x, s, s->holders[i].inode)] = (uint32_t)i + 1;
    for (size_t i = 0; i < s->n; i++) {
        struct socket_row *r = &s->v[i];
        uint32_t first = r->inode ? x.v[slot_of(&x, s, r->inode)] : 0;

        r->holder = first ? first - 1 : 0;
        r->n_holders = 0;
        while (first && r->holder + r->n_holders < s->n_holders &&
               s->holders[r->holder + r->n_holders].inode == r->inode)
            r->n_holders++;
    }
    return 0;
}

int sockets_settle(struct sockets *s)
{
    int r = sort_rows(s);

    if (r < 0)
        return r;
    drop_twins(s);
    r = sort_holders(s);
    return r < 0 ? r : join(s);
}

void sockets_done(struct sockets *s)
{
    free(s->v);
    free(s->holders);
    *s = (struct sockets){0};
}

const char *socket_state_name(enum socket_state state)
{
    static const char *const names[_SOCKET_STATE_MAX] = {
        [SOCKET_LISTEN] = "listen",     [SOCKET_BOUND] = "bound",
        [SOCKET_RESERVED] = "reserved", [SOCKET_CONNECTED] = "connected",
        [SOCKET_RAW] = "raw",           [SOCKET_SNIFF] = "sniff",
        [SOCKET_XSK] = "xsk",
    };

    return names[state];
}

const char *socket_proto_name(const struct socket_row *r)
{
    if (r->family == AF_PACKET)
        return "packet";
    if (r->family == AF_XDP)
        return "xdp";
    if (r->state == SOCKET_RAW)
        return "raw";
    switch (r->proto) {
    case IPPROTO_TCP:
        return "tcp";
    case IPPROTO_SCTP:
        return "sctp";
    case IPPROTO_UDP:
        return "udp";
    default:
        return "udplite";
    }
}

/* Decimal digits without stdio, which would be most of the cost of a long list. */
static size_t put_number(char *out, unsigned n)
{
    char digits[10];
    size_t len = 0;

    do
        digits[len++] = (char)('0' + n % 10);
    while (n /= 10);
    for (size_t i = 0; i < len; i++)
        out[i] = digits[len - 1 - i];
    return len;
}

static size_t put_ipv4(char *out, const uint8_t *a)
{
    size_t len = 0;

    for (unsigned i = 0; i < 4; i++) {
        len += put_number(out + len, a[i]);
        out[len++] = '.';
    }
    out[--len] = '\0';
    return len;
}

void socket_address_print(const struct socket_row *r, bool peer, char out[SOCKET_TEXT_BYTES])
{
    const uint8_t *a = peer ? r->peer : r->local;

    if (r->family == AF_INET)
        (void)put_ipv4(out, a);
    else if (!inet_ntop(r->family, a, out, SOCKET_TEXT_BYTES))
        out[0] = '\0'; /* neither IPv4 nor IPv6 */
}

void socket_print(const struct socket_row *r, bool peer, const char *device,
                  char out[SOCKET_TEXT_BYTES])
{
    unsigned port = peer ? r->peer_port : r->port;
    const char *percent = device ? "%" : "", *name = device ? device : "";
    bool six = r->family == AF_INET6;
    char text[SOCKET_TEXT_BYTES];

    if (r->family == AF_INET && r->state != SOCKET_RAW && !device) {
        size_t len = put_ipv4(out, peer ? r->peer : r->local);

        out[len++] = ':';
        out[len + put_number(out + len, port)] = '\0';
        return;
    }
    socket_address_print(r, peer, text);
    if (r->family == AF_XDP)
        (void)format_into(out, SOCKET_TEXT_BYTES, "*%s%s", percent, name);
    else if (r->family == AF_PACKET)
        (void)format_into(out, SOCKET_TEXT_BYTES, "*%s%s:0x%04x", percent, name, port);
    else if (r->state == SOCKET_RAW)
        (void)format_into(out, SOCKET_TEXT_BYTES, "%.46s%s%s proto %u", text, percent, name,
                          r->proto);
    else
        (void)format_into(out, SOCKET_TEXT_BYTES, six ? "[%.46s]%s%s:%u" : "%.46s%s%s:%u", text,
                          percent, name, port);
}
