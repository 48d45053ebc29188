/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-blob.c: any bytes as a policy blob of each class. What is accepted is written as a blob
 * that reads back as the same; what is refused has a message.
 * PORTWARD_BLOB=policy|isakmp|nfa|negotiation|filter makes every input one of that class, so that
 * a campaign can give each decoder its own time. */
#include <errno.h>
#include <string.h>

#include "../../src/compat/blob.h"
#include "fuzz.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool same_text(const char *a, const char *b)
{
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

/* --- filters --- */
static bool same_filter(const struct blob_filter *a, const struct blob_filter *b)
{
    return guid_cmp(&a->guid, &b->guid) == 0 && filter_eq(&a->filter, &b->filter) &&
           same_text(a->description, b->description);
}

/* The second version stands behind the first, so the order may change: each filter has its own
 * partner. */
static void require_eq(const struct blob_filters *a, const struct blob_filters *b)
{
    _cleanup_free_ bool *taken = calloc(b->n + 1, sizeof(*taken));
    require(taken && a->n == b->n);
    for (size_t i = 0; i < a->n; i++) {
        size_t j = 0;
        while (j < b->n && (taken[j] || !same_filter(&a->v[i], &b->v[j])))
            j++;
        require(j < b->n);
        taken[j] = true;
    }
}

static void fuzz_filters(const uint8_t *data, size_t n, struct diag *d)
{
    _cleanup_(blob_filters_done) struct blob_filters b = {0}, back = {0};
    _cleanup_(blob_bytes_done) struct blob_bytes out = {0};
    int err = blob_filters_read(data, n, d, &b);
    require(err == 0 || d->message[0]);
    if (err < 0)
        return;
    require(blob_filters_write(&b, &out) == 0);
    require(blob_filters_read(out.v, out.n, d, &back) == 0);
    require_eq(&b, &back);
}

/* --- the others --- */
static void fuzz_policy(const uint8_t *data, size_t n, struct diag *d)
{
    _cleanup_(blob_bytes_done) struct blob_bytes out = {0};
    struct blob_policy p = {0}, back = {0};
    int err = blob_policy_read(data, n, d, &p);
    require(err == 0 || d->message[0]);
    if (err < 0)
        return;
    require(blob_policy_write(&p, &out) == 0);
    require(blob_policy_read(out.v, out.n, d, &back) == 0 && back.poll_s == p.poll_s);
}

static void fuzz_offers(const uint8_t *data, size_t n, struct diag *d)
{
    _cleanup_(blob_negotiation_done) struct blob_negotiation b = {0}, back = {0};
    _cleanup_(blob_bytes_done) struct blob_bytes out = {0};
    int err = blob_negotiation_read(data, n, d, &b);
    require(err == 0 || d->message[0]);
    if (err < 0)
        return;
    require(blob_negotiation_write(&b, &out) == 0);
    require(blob_negotiation_read(out.v, out.n, d, &back) == 0 && back.n_offers == b.n_offers);
    require(memcmp(b.offers, back.offers, b.n_offers * sizeof(*b.offers)) == 0);
}

static void fuzz_main_mode(const uint8_t *data, size_t n, struct diag *d)
{
    _cleanup_(blob_isakmp_done) struct blob_isakmp b = {0}, back = {0};
    _cleanup_(blob_bytes_done) struct blob_bytes out = {0};
    int err = blob_isakmp_read(data, n, d, &b);
    require(err == 0 || d->message[0]);
    if (err < 0)
        return;
    require(blob_isakmp_write(&b, &out) == 0);
    require(blob_isakmp_read(out.v, out.n, d, &back) == 0 && back.n_offers == b.n_offers);
    require(back.master_pfs == b.master_pfs && back.qm_limit == b.qm_limit);
    require(back.mm_life_s == b.mm_life_s);
    require(memcmp(b.offers, back.offers, b.n_offers * sizeof(*b.offers)) == 0);
}

static void fuzz_nfa(const uint8_t *data, size_t n, struct diag *d)
{
    _cleanup_(blob_nfa_done) struct blob_nfa b = {0}, back = {0};
    _cleanup_(blob_bytes_done) struct blob_bytes out = {0};
    int err = blob_nfa_read(data, n, d, &b);
    require(err == 0 || d->message[0]);
    if (err < 0)
        return;
    err = blob_nfa_write(&b, &out);
    if (err == -E2BIG) /* a string of the greatest length has no room for its end */
        return;
    require(err == 0 && blob_nfa_read(out.v, out.n, d, &back) == 0 && back.n_auth == b.n_auth);
    for (size_t i = 0; i < b.n_auth; i++) {
        require(back.auth[i].method == b.auth[i].method);
        require(same_text(back.auth[i].data, b.auth[i].data));
    }
    require(back.interface_type == b.interface_type);
    require(same_text(back.interface_name, b.interface_name));
    require(back.is_tunnel == b.is_tunnel && back.is_active == b.is_active);
    require(ip_eq(back.tunnel, b.tunnel) && back.has_tunnel6 == b.has_tunnel6);
    require(!b.has_tunnel6 || ip_eq(back.tunnel6, b.tunnel6));
}

/* --- which --- */
static const struct {
    const char *name;
    void (*run)(const uint8_t *data, size_t n, struct diag *d);
} classes[_BLOB_CLASS_MAX] = {
    [BLOB_POLICY] = {"policy", fuzz_policy},
    [BLOB_ISAKMP] = {"isakmp", fuzz_main_mode},
    [BLOB_NFA] = {"nfa", fuzz_nfa},
    [BLOB_FILTER] = {"filter", fuzz_filters},
    [BLOB_NEGOTIATION] = {"negotiation", fuzz_offers},
};

static int wanted_class(void)
{
    const char *name = getenv("PORTWARD_BLOB");
    for (int i = 0; name && i < _BLOB_CLASS_MAX; i++)
        if (strcmp(name, classes[i].name) == 0)
            return i;
    require(!name); /* a word that names none would fuzz nothing */
    return -1;
}

static void force_class(int class, uint8_t *data)
{
    static const uint8_t guids[_BLOB_CLASS_MAX][16] = {
        [BLOB_POLICY] = {0x63, 0x21, 0x20, 0x22, 0x4c, 0x4f, 0xd1, 0x11, 0x86, 0x3b, 0x00, 0xa0,
                         0x24, 0x8d, 0x30, 0x21},
        [BLOB_ISAKMP] = {0xb8, 0x20, 0xdc, 0x80, 0xc8, 0x2e, 0xd1, 0x11, 0xa8, 0x9e, 0x00, 0xa0,
                         0x24, 0x8d, 0x30, 0x21},
        [BLOB_NFA] = {0x00, 0xac, 0xbb, 0x11, 0x8d, 0x49, 0xd1, 0x11, 0x86, 0x39, 0x00, 0xa0, 0x24,
                      0x8d, 0x30, 0x21},
        [BLOB_NEGOTIATION] = {0xb9, 0x20, 0xdc, 0x80, 0xc8, 0x2e, 0xd1, 0x11, 0xa8, 0x9e, 0x00,
                              0xa0, 0x24, 0x8d, 0x30, 0x21},
        [BLOB_FILTER] = {0xb5, 0x20, 0xdc, 0x80, 0xc8, 0x2e, 0xd1, 0x11, 0xa8, 0x9e, 0x00, 0xa0,
                         0x24, 0x8d, 0x30, 0x21},
    };
    memcpy(data, guids[class], 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* An exact copy, so that the address sanitizer sees each byte read too far. */
    _cleanup_free_ uint8_t *exact = malloc(size > 0 ? size : 1);
    struct diag d = {0};
    int class = wanted_class();
    require(exact != NULL);
    if (size > 0)
        memcpy(exact, data, size);
    if (class >= 0 && size >= 16)
        force_class(class, exact);
    class = blob_class_of(exact, size);
    if (class >= 0)
        classes[class].run(exact, size, &d);
    return 0;
}
