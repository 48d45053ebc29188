/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of ports: sorted, disjoint ranges. Overlapping items are joined when a list is made;
 * adjacent items stay apart, because each item of a list is a filter of its own with its own
 * weight (policy.md 1): "135,136" is two exact ports, "135-136" a range of two. No range means
 * any port; 0-65535 is stored like that. */
#pragma once
#include "base/util.h"

struct port_range {
    uint16_t first, last;
};
struct portset {
    uint32_t n;
    struct port_range *range; /* owned, NULL if n == 0 */
};
/* Sorts and joins items[0..n); n <= LIMIT_PORT_ITEMS. 0 or -ENOMEM. */
_must_check_ int portset_from(const struct port_range *items, size_t n, struct portset *ret);
bool portset_is_any(const struct portset *s);
bool portset_contains(const struct portset *s, uint16_t port);
bool portset_eq(const struct portset *a, const struct portset *b);
_must_check_ int portset_copy(const struct portset *s, struct portset *ret);
void portset_done(struct portset *s);
