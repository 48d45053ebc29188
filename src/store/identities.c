/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/identities.c: GUIDs and handles of a policy as one blob beside the text of a revision,
 * so that a rollback brings back the same filters and not only the same words.
 * Called by policy_put.c (write) and history.c (read). Invariant: the order is that of the
 * canonical text; a blob that does not fit its text is damage, never half applied. */
#include <errno.h>
#include <string.h>

#include "db.h"

enum { HANDLE_BYTES = 4, RULE_BYTES = 16, FILTER_BYTES = RULE_BYTES + HANDLE_BYTES };

static size_t bytes_needed(const struct policy *p)
{
    return p->n_rules * RULE_BYTES + policy_n_filters(p) * FILTER_BYTES;
}

static uint8_t *put_guid(uint8_t *to, const struct guid *g)
{
    memcpy(to, g->b, sizeof(g->b));
    return to + sizeof(g->b);
}

static const uint8_t *get_guid(const uint8_t *from, struct guid *g)
{
    memcpy(g->b, from, sizeof(g->b));
    return from + sizeof(g->b);
}

int identities_write(const struct policy *p, uint8_t **ret, size_t *ret_n)
{
    size_t n = bytes_needed(p);
    uint8_t *blob = malloc(n + 1);
    if (!blob)
        return -ENOMEM;
    uint8_t *at = blob;
    for (size_t i = 0; i < p->n_rules; i++) {
        const struct rule *r = &p->rules[i];
        at = put_guid(at, &r->guid);
        for (size_t k = 0; k < r->n_filters; k++) {
            uint32_t handle = r->filters[k].handle;
            at = put_guid(at, &r->filters[k].guid);
            for (unsigned b = 0; b < HANDLE_BYTES; b++)
                *at++ = (uint8_t)(handle >> (8 * (HANDLE_BYTES - 1 - b)));
        }
    }
    *ret = blob;
    *ret_n = n;
    return 0;
}

bool identities_read(struct policy *p, const uint8_t *blob, size_t n)
{
    if (n != bytes_needed(p))
        return false;
    for (size_t i = 0; i < p->n_rules; i++) {
        struct rule *r = &p->rules[i];
        blob = get_guid(blob, &r->guid);
        for (size_t k = 0; k < r->n_filters; k++) {
            struct filter *f = &r->filters[k];
            blob = get_guid(blob, &f->guid);
            f->handle = 0;
            for (unsigned b = 0; b < HANDLE_BYTES; b++)
                f->handle = f->handle << 8 | *blob++;
        }
    }
    return true;
}
