/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-record.c: any bytes as a record of the log. What is accepted is within its types, and is
 * what the bytes say. */
#include <stdlib.h>
#include <string.h>

#include "../../src/datapath/logrecord.h"
#include "fuzz.h"
#include "record.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct log_record r;
    struct pw_record raw;
    uint8_t *copy = malloc(size > 0 ? size : 1); /* exact: ASan sees a read behind it */
    require(copy != NULL);
    memcpy(copy, data, size);
    int err = record_decode(copy, size, &r);
    free(copy);
    if (err < 0)
        return 0;
    require(size == sizeof(raw));
    memcpy(&raw, data, sizeof(raw));
    require(r.reason < _DROP_REASON_MAX && (unsigned)r.reason == raw.reason);
    require(r.family == FAMILY_ANY || r.family == FAMILY_4 || r.family == FAMILY_6);
    require(r.family != FAMILY_4 || (r.src.hi == 0 && r.src.lo <= UINT32_MAX));
    require(r.tier == (r.reason == DROP_OVERRIDE ? TIER_OVERRIDE : TIER_ORDINARY));
    require(r.counter_id == raw.counter_id && r.suppressed == raw.suppressed);
    require(memcmp(r.head, raw.head, sizeof(raw.head)) == 0);
    return 0;
}
