/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See dce.h. Integers are in the order that each answer names, those of towers always little
 * endian, ports and addresses in towers always big endian (C706, appendix L). */
#include "dce.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/strbuf.h"

enum {
    ANNOTATION_MAX = 64,
    TOWER_MAX = 2048,
    FLOORS_MAX = 16,
    FLAG_LAST = 2,
    RESPONSE_SKIP = 8, /* alloc_hint, context, cancel count */
    OPNUM_LOOKUP = 2,
    ENTRIES_ASKED = 500,
    XMIT = 4280,
};
static const uint32_t ept_s_not_registered = 0x16c9a0d6;

static const uint8_t epm_syntax[20] = {0x08, 0x83, 0xaf, 0xe1, 0x1f, 0x5d, 0xc9, 0x11, 0x91, 0xa4,
                                       0x08, 0x00, 0x2b, 0x14, 0xa0, 0xfa, 3,    0,    0,    0};
static const uint8_t ndr_syntax[20] = {0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8,
                                       0x08, 0x00, 0x2b, 0x10, 0x48, 0x60, 2,    0,    0,    0};

/* --- integers --- */
static uint16_t get16(const uint8_t *p, bool little)
{
    return (uint16_t)(little ? p[0] | p[1] << 8 : p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p, bool little)
{
    uint32_t a = get16(p, little), b = get16(p + 2, little);
    return little ? a | b << 16 : a << 16 | b;
}

static void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, (uint16_t)v);
    put16(p + 2, (uint16_t)(v >> 16));
}

/* What is left of bytes that came in; a read beyond the end makes it bad, and everything after it.
 */
struct rest {
    const uint8_t *p;
    size_t at, n;
    bool little, bad;
};

static const uint8_t *take(struct rest *r, size_t n)
{
    if (r->bad || r->n - r->at < n) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->p + r->at;
    r->at += n;
    return p;
}

static uint32_t take32(struct rest *r)
{
    const uint8_t *p = take(r, 4);
    return p ? get32(p, r->little) : 0;
}

static uint16_t take16(struct rest *r)
{
    const uint8_t *p = take(r, 2);
    return p ? get16(p, r->little) : 0;
}

/* Padding may be missing at the very end. */
static void align4(struct rest *r)
{
    size_t to = (r->at + 3) & ~(size_t)3;
    r->at = to < r->n ? to : r->n;
}

/* --- PDUs --- */
int dce_header_read(const uint8_t b[DCE_HEADER_BYTES], struct dce_header *ret)
{
    bool little = b[4] >> 4 == 1;
    struct dce_header h = {.type = b[2],
                           .flags = b[3],
                           .little = little,
                           .frag_len = get16(b + 8, little),
                           .call = get32(b + 12, little)};
    if (b[0] != 5 || b[1] > 1 || b[4] >> 4 > 1 || h.frag_len < DCE_HEADER_BYTES ||
        get16(b + 10, little) != 0)
        return -EBADMSG;
    *ret = h;
    return 0;
}

static void put_header(uint8_t *b, enum dce_pdu type, uint16_t len, uint32_t call)
{
    memset(b, 0, len);
    b[0] = 5;
    b[2] = (uint8_t)type;
    b[3] = 3;    /* first and last fragment */
    b[4] = 0x10; /* little endian, ASCII, IEEE */
    put16(b + 8, len);
    put32(b + 12, call);
}

void dce_put_bind(uint8_t out[DCE_BIND_BYTES], uint32_t call)
{
    put_header(out, DCE_BIND, DCE_BIND_BYTES, call);
    put16(out + 16, XMIT);
    put16(out + 18, XMIT);
    put32(out + 24, 1); /* one context, number 0 */
    put16(out + 30, 1); /* one transfer syntax */
    memcpy(out + 32, epm_syntax, sizeof(epm_syntax));
    memcpy(out + 52, ndr_syntax, sizeof(ndr_syntax));
}

void dce_put_lookup(uint8_t out[DCE_LOOKUP_BYTES], uint32_t call,
                    const uint8_t handle[DCE_HANDLE_BYTES])
{
    put_header(out, DCE_REQUEST, DCE_LOOKUP_BYTES, call);
    put32(out + 16, DCE_LOOKUP_BYTES - 24);
    put16(out + 22, OPNUM_LOOKUP);
    put32(out + 36, 1); /* every version; all interfaces, no object */
    memcpy(out + 40, handle, DCE_HANDLE_BYTES);
    put32(out + 60, ENTRIES_ASKED);
}

void dce_answer_done(struct dce_answer *a)
{
    free(a->stub);
    *a = (struct dce_answer){0};
}

int dce_answer_take(struct dce_answer *a, const struct dce_header *h, const uint8_t *body, size_t n)
{
    size_t skip = h->type == DCE_RESPONSE || h->type == DCE_FAULT ? RESPONSE_SKIP : 0;
    if (h->call != a->call || n < skip || ++a->fragments > DCE_FRAGMENTS ||
        (a->started && (h->type != a->type || h->little != a->little)))
        return -EBADMSG;
    if (n - skip > RPC_DUMP_STUB_BYTES - a->len)
        return -E2BIG;
    int err = array_reserve(&a->stub, &a->cap, a->len + n - skip + 1, 1);
    if (err < 0)
        return err;
    memcpy(a->stub + a->len, body + skip, n - skip);
    a->len += n - skip;
    a->started = true;
    a->type = h->type;
    a->little = h->little;
    return h->type != DCE_RESPONSE || h->flags & FLAG_LAST ? 1 : 0;
}

int dce_read_bind_ack(const struct dce_answer *a)
{
    struct rest r = {.p = a->stub, .n = a->len, .little = a->little};
    if (a->type == DCE_BIND_NAK || a->type == DCE_FAULT)
        return -ECONNREFUSED;
    if (a->type != DCE_BIND_ACK)
        return -EBADMSG;
    (void)take(&r, 8); /* fragment sizes, association group */
    (void)take(&r, take16(&r));
    align4(&r);
    const uint8_t *n_results = take(&r, 4);
    uint16_t result = take16(&r);
    if (r.bad || !n_results || n_results[0] == 0)
        return -EBADMSG;
    return result == 0 ? 0 : -ECONNREFUSED;
}

/* --- towers --- */
void clean_text(char *out, size_t size, const uint8_t *in, size_t n)
{
    size_t i = 0;
    for (; i < n && i + 1 < size && in[i]; i++)
        out[i] = in[i] >= 0x20 && in[i] < 0x7f ? (char)in[i] : '?';
    out[i] = '\0';
}

static void print_uuid(char *out, size_t size, const uint8_t *p, bool little)
{
    (void)format_into(out, size, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                      get32(p, little), get16(p + 4, little), get16(p + 6, little), p[8], p[9],
                      p[10], p[11], p[12], p[13], p[14], p[15]);
}

struct floor {
    const uint8_t *left, *right;
    size_t n_left, n_right;
};

static int take_floor(struct rest *r, struct floor *f)
{
    f->n_left = take16(r);
    f->left = take(r, f->n_left);
    f->n_right = take16(r);
    f->right = take(r, f->n_right);
    return r->bad || f->n_left == 0 ? -EBADMSG : 0;
}

static void take_interface(const struct floor *f, struct rpc_endpoint *e)
{
    if (f->left[0] != 0x0d || f->n_left < 19)
        return;
    print_uuid(e->interface, sizeof(e->interface), f->left + 1, true);
    unsigned major = get16(f->left + 17, true);
    unsigned minor = f->n_right >= 2 ? get16(f->right, true) : 0u;
    (void)format_into(e->version, sizeof(e->version), "%u.%u", major, minor);
}

static void take_port(const struct floor *f, enum rpc_transport t, struct rpc_endpoint *e)
{
    e->transport = t;
    if (f->n_right == 2)
        e->port = get16(f->right, false);
}

/* Where it can be reached: everything behind the transfer syntax. */
static void take_place(const struct floor *f, struct rpc_endpoint *e)
{
    static const uint8_t any[16];
    switch (f->left[0]) {
    case 0x07:
        take_port(f, RPC_TRANSPORT_TCP, e);
        break;
    case 0x08:
        take_port(f, RPC_TRANSPORT_UDP, e);
        break;
    case 0x1f:
        take_port(f, RPC_TRANSPORT_HTTP, e);
        break;
    case 0x09:
        if ((f->n_right != 4 && f->n_right != 16) || memcmp(f->right, any, f->n_right) == 0)
            break;
        (void)inet_ntop(f->n_right == 4 ? AF_INET : AF_INET6, f->right, e->address,
                        sizeof(e->address)); /* fits */
        break;
    case 0x0f:
        e->transport = RPC_TRANSPORT_PIPE;
        clean_text(e->path, sizeof(e->path), f->right, f->n_right);
        break;
    case 0x0c: /* ncalrpc */
        e->transport = RPC_TRANSPORT_LOCAL;
        break;
    case 0x10:
        clean_text(e->path, sizeof(e->path), f->right, f->n_right);
        break;
    case 0x11:
        clean_text(e->host, sizeof(e->host), f->right, f->n_right);
        break;
    default: /* connection-oriented or not: the next floor says more */
        break;
    }
}

int dce_read_tower(const uint8_t *t, size_t n, struct rpc_endpoint *e)
{
    struct rest r = {.p = t, .n = n, .little = true};
    unsigned floors = take16(&r);
    e->transport = RPC_TRANSPORT_OTHER;
    if (r.bad || floors > FLOORS_MAX)
        return -EBADMSG;
    for (unsigned i = 0; i < floors; i++) {
        struct floor f;
        int err = take_floor(&r, &f);
        if (err < 0)
            return err;
        if (i == 0)
            take_interface(&f, e);
        else if (i > 1) /* 1 is the transfer syntax */
            take_place(&f, e);
    }
    return 0;
}

/* --- the answer to a lookup --- */
void rpc_endpoints_done(struct rpc_endpoints *l)
{
    free(l->v);
    *l = (struct rpc_endpoints){0};
}

struct rpc_endpoint *endpoints_add(struct rpc_endpoints *l)
{
    if (l->n >= RPC_DUMP_ENTRIES || array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v)) < 0)
        return NULL;
    l->v[l->n] = (struct rpc_endpoint){.port = 0};
    return &l->v[l->n++];
}

/* Object, whether a tower follows, annotation. */
static int take_entry(struct rest *r, struct rpc_endpoint *e, bool *ret_tower)
{
    static const uint8_t nil[16];
    const uint8_t *object = take(r, 16);
    *ret_tower = take32(r) != 0;
    (void)take32(r); /* offset of the array: 0 */
    uint32_t len = take32(r);
    const uint8_t *text = len <= ANNOTATION_MAX ? take(r, len) : NULL;
    if (r->bad || !object || (!text && len > 0))
        return -EBADMSG;
    if (memcmp(object, nil, sizeof(nil)) != 0)
        print_uuid(e->object, sizeof(e->object), object, r->little);
    if (text)
        clean_text(e->name, sizeof(e->name), text, len);
    e->source = RPC_DUMP_DCE;
    e->transport = RPC_TRANSPORT_OTHER;
    align4(r);
    return 0;
}

static int take_tower(struct rest *r, struct rpc_endpoint *e)
{
    uint32_t conformance = take32(r), len = take32(r);
    const uint8_t *t = len <= TOWER_MAX && len <= conformance ? take(r, len) : NULL;
    if (r->bad || !t)
        return -EBADMSG;
    int err = dce_read_tower(t, len, e);
    align4(r);
    return err;
}

/* Entries come first, all of them, then the towers of those that have one. */
static int take_entries(struct rest *r, uint32_t n, struct rpc_endpoints *l)
{
    size_t first = l->n;
    _cleanup_free_ bool *has_tower = calloc((size_t)n + 1, sizeof(*has_tower));
    int err = has_tower ? 0 : -ENOMEM;
    for (uint32_t i = 0; err == 0 && i < n; i++) {
        struct rpc_endpoint *e = endpoints_add(l);
        err = e ? take_entry(r, e, &has_tower[i]) : -E2BIG;
    }
    for (uint32_t i = 0; err == 0 && i < n; i++)
        if (has_tower[i])
            err = take_tower(r, &l->v[first + i]);
    return err;
}

int dce_read_lookup(const struct dce_answer *a, uint8_t handle[DCE_HANDLE_BYTES],
                    struct rpc_endpoints *l)
{
    static const uint8_t nil[DCE_HANDLE_BYTES];
    struct rest r = {.p = a->stub, .n = a->len, .little = a->little};
    if (a->type != DCE_RESPONSE)
        return a->type == DCE_FAULT ? -EREMOTEIO : -EBADMSG;
    const uint8_t *next = take(&r, DCE_HANDLE_BYTES);
    uint32_t count = take32(&r), max = take32(&r);
    (void)take32(&r); /* offset */
    uint32_t actual = take32(&r);
    /* The smallest entry has 28 bytes: a count that cannot be true is not believed. */
    if (r.bad || !next || actual > count || actual > max || actual > (r.n - r.at) / 28)
        return -EBADMSG;
    size_t before = l->n;
    int err = take_entries(&r, actual, l);
    uint32_t status = take32(&r);
    if (err < 0 || r.bad) {
        l->n = before; /* half an answer is none */
        return err < 0 ? err : -EBADMSG;
    }
    memcpy(handle, next, DCE_HANDLE_BYTES);
    if (status != 0 && status != ept_s_not_registered) /* which comes with the last entries */
        return -EREMOTEIO;
    return status != 0 || actual == 0 || memcmp(handle, nil, sizeof(nil)) == 0 ? 1 : 0;
}

const char *rpc_transport_protseq(enum rpc_transport t)
{
    static const char *const names[] = {
        [RPC_TRANSPORT_TCP] = "ncacn_ip_tcp", [RPC_TRANSPORT_UDP] = "ncadg_ip_udp",
        [RPC_TRANSPORT_HTTP] = "ncacn_http",  [RPC_TRANSPORT_PIPE] = "ncacn_np",
        [RPC_TRANSPORT_LOCAL] = "ncalrpc",    [RPC_TRANSPORT_OTHER] = "unknown",
    };
    return names[t];
}
