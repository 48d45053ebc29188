/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blob_negotiation.c: ipsecNegotiationPolicy, the offers of a filter action ([MS-GPIPSEC]
 * 2.2.1.4). Callers: reg_policy*.c. */
#include <errno.h>

#include "blob_cursor.h"

enum { OFFER_BYTES = 80, ALGORITHMS = 3, ALGORITHM_REST = 8, ALGORITHM_BYTES = 20 };

void blob_negotiation_done(struct blob_negotiation *b)
{
    free(b->offers);
    *b = (struct blob_negotiation){0};
}

static void read_offer(struct blob_reader *r, struct blob_offer *o)
{
    o->seconds = blob_u32(r);
    o->kilobytes = blob_u32(r);
    (void)blob_u32(r);
    o->pfs = blob_u32(r);
    o->n_algorithms = blob_u32(r);
    if (r->err == 0 && o->n_algorithms > ALGORITHMS)
        (void)blob_reader_fail(r, "impossible number of algorithms", o->n_algorithms);
    for (uint32_t i = 0; i < ALGORITHMS; i++) {
        struct blob_algorithm a = {blob_u32(r), 0, 0};
        a.integrity = blob_u32(r);
        a.operation = blob_u32(r);
        (void)blob_take(r, ALGORITHM_REST);
        /* The unused places hold rubbish. */
        if (i < o->n_algorithms)
            o->algorithm[i] = a;
    }
}

int blob_negotiation_read(const uint8_t *data, size_t n, struct diag *d,
                          struct blob_negotiation *ret)
{
    _cleanup_(blob_negotiation_done) struct blob_negotiation b = {0};
    struct blob_reader r = blob_reader_start(data, n, BLOB_NEGOTIATION, d);
    (void)blob_u32(&r);
    size_t count = blob_count(&r, OFFER_BYTES);
    b.offers = calloc(count + 1, sizeof(*b.offers));
    if (!b.offers)
        return -ENOMEM;
    for (; b.n_offers < count && r.err == 0; b.n_offers++)
        read_offer(&r, &b.offers[b.n_offers]);
    if (r.err < 0)
        return r.err;
    *ret = b;
    b = (struct blob_negotiation){0};
    return 0;
}

int blob_negotiation_write(const struct blob_negotiation *p, struct blob_bytes *out)
{
    int err = p->n_offers > BLOB_ITEMS ? -E2BIG : 0;
    size_t place = blob_begin(out, blob_guids[BLOB_NEGOTIATION], &err);
    blob_put_u32(out, (uint32_t)p->n_offers, &err);
    for (size_t i = 0; err == 0 && i < p->n_offers; i++) {
        const struct blob_offer *o = &p->offers[i];
        if (o->n_algorithms > ALGORITHMS)
            return -EINVAL;
        blob_put_u32(out, o->seconds, &err);
        blob_put_u32(out, o->kilobytes, &err);
        blob_put_u32(out, 0, &err);
        blob_put_u32(out, o->pfs, &err);
        blob_put_u32(out, o->n_algorithms, &err);
        for (uint32_t j = 0; j < o->n_algorithms; j++) {
            blob_put_u32(out, o->algorithm[j].algorithm, &err);
            blob_put_u32(out, o->algorithm[j].integrity, &err);
            blob_put_u32(out, o->algorithm[j].operation, &err);
            blob_put_zero(out, ALGORITHM_REST, &err);
        }
        blob_put_zero(out, (size_t)(ALGORITHMS - o->n_algorithms) * ALGORITHM_BYTES, &err);
    }
    blob_end(out, place, 0, err);
    blob_put_zero(out, 1, &err);
    return err;
}
