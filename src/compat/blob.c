/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blob.c: what all policy blobs share, and the smallest of them, ipsecPolicy ([MS-GPIPSEC]
 * 2.2.1.1). Callers: reg_policy*.c. */
#include "blob.h"

#include <string.h>

#include "blob_cursor.h"

void blob_bytes_done(struct blob_bytes *b)
{
    free(b->v);
    *b = (struct blob_bytes){0};
}

int blob_class_of(const uint8_t *data, size_t n)
{
    for (int i = 0; n >= 16 && i < _BLOB_CLASS_MAX; i++)
        if (memcmp(data, blob_guids[i], 16) == 0)
            return i;
    return -1;
}

/* The order is its own inverse. */
static const uint8_t guid_order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

struct guid blob_guid_read(const uint8_t bytes[16])
{
    struct guid g;
    for (size_t i = 0; i < 16; i++)
        g.b[i] = bytes[guid_order[i]];
    return g;
}

void blob_guid_write(const struct guid *g, uint8_t bytes[16])
{
    for (size_t i = 0; i < 16; i++)
        bytes[i] = g->b[guid_order[i]];
}

int blob_policy_read(const uint8_t *data, size_t n, struct diag *d, struct blob_policy *ret)
{
    struct blob_reader r = blob_reader_start(data, n, BLOB_POLICY, d);
    (void)blob_u32(&r);
    uint32_t poll = blob_u32(&r);
    if (r.err == 0)
        *ret = (struct blob_policy){poll};
    return r.err;
}

int blob_policy_write(const struct blob_policy *p, struct blob_bytes *out)
{
    int err = 0;
    size_t place = blob_begin(out, blob_guids[BLOB_POLICY], &err);
    blob_put_u32(out, p->poll_s, &err);
    blob_end(out, place, 0, err);
    blob_put_zero(out, 1, &err);
    return err;
}
