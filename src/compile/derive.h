/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries that settings and host imply, given out one by one as filters. Private to compile. */
#pragma once
#include "model/effective.h"

struct derived {
    const struct filter *f; /* borrowed for the call */
    enum tier tier;         /* TIER_FAILSAFE or TIER_EXEMPTION */
    uint8_t zone;           /* of f->interface, 0 = everywhere */
    unsigned failsafe;      /* number of the entry, with TIER_FAILSAFE */
};
/* 0 or a negative errno, which ends the walk. */
typedef int derived_fn(void *arg, const struct derived *x);
_must_check_ int derive_entries(const struct effective *e, derived_fn *emit, void *arg);
