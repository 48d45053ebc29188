/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blob_isakmp.c: ipsecISAKMPPolicy, the main mode offers ([MS-GPIPSEC] 2.2.1.2). Callers:
 * reg_policy*.c. */
#include <errno.h>

#include "blob_cursor.h"

enum { OFFER_BYTES = 64, OFFER_VERSION = 2 };

void blob_isakmp_done(struct blob_isakmp *b)
{
    free(b->offers);
    *b = (struct blob_isakmp){0};
}

/* Of the 64-bit algorithms the upper half holds rubbish. */
static void read_offer(struct blob_reader *r, struct blob_main_mode_offer *o)
{
    (void)blob_take(r, 4);
    o->encryption = blob_u32(r);
    (void)blob_take(r, 8);
    o->hash = blob_u32(r);
    (void)blob_take(r, 24);
    o->group = blob_u32(r);
    o->qm_limit = blob_u32(r);
    o->kilobytes = blob_u32(r);
    o->seconds = blob_u32(r);
    o->pfs = blob_u32(r);
}

int blob_isakmp_read(const uint8_t *data, size_t n, struct diag *d, struct blob_isakmp *ret)
{
    _cleanup_(blob_isakmp_done) struct blob_isakmp b = {0};
    struct blob_reader r = blob_reader_start(data, n, BLOB_ISAKMP, d);
    (void)blob_take(&r, 4 + 16 + 4);
    b.master_pfs = blob_u32(&r);
    (void)blob_take(&r, 8);
    b.qm_limit = blob_u32(&r);
    b.mm_life_s = blob_u32(&r);
    (void)blob_take(&r, 20);
    size_t count = blob_count(&r, OFFER_BYTES);
    b.offers = calloc(count + 1, sizeof(*b.offers));
    if (!b.offers)
        return -ENOMEM;
    for (; b.n_offers < count && r.err == 0; b.n_offers++)
        read_offer(&r, &b.offers[b.n_offers]);
    if (r.err < 0)
        return r.err;
    *ret = b;
    b = (struct blob_isakmp){0};
    return 0;
}

int blob_isakmp_write(const struct blob_isakmp *p, struct blob_bytes *out)
{
    int err = p->n_offers > BLOB_ITEMS ? -E2BIG : 0;
    size_t place = blob_begin(out, blob_guids[BLOB_ISAKMP], &err);
    blob_put_zero(out, 16 + 4, &err);
    blob_put_u32(out, p->master_pfs, &err);
    blob_put_zero(out, 8, &err);
    blob_put_u32(out, p->qm_limit, &err);
    blob_put_u32(out, p->mm_life_s, &err);
    blob_put_zero(out, 20, &err);
    blob_put_u32(out, (uint32_t)p->n_offers, &err);
    for (size_t i = 0; err == 0 && i < p->n_offers; i++) {
        const struct blob_main_mode_offer *o = &p->offers[i];
        blob_put_u16(out, OFFER_VERSION, &err);
        blob_put_zero(out, 2, &err);
        blob_put_u32(out, o->encryption, &err);
        blob_put_zero(out, 8, &err);
        blob_put_u32(out, o->hash, &err);
        blob_put_zero(out, 24, &err);
        blob_put_u32(out, o->group, &err);
        blob_put_u32(out, o->qm_limit, &err);
        blob_put_u32(out, o->kilobytes, &err);
        blob_put_u32(out, o->seconds, &err);
        blob_put_u32(out, o->pfs, &err);
    }
    blob_end(out, place, 0, err);
    blob_put_zero(out, 1, &err);
    return err;
}
