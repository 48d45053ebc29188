/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an agent leaves to the next one besides the dynamic layer: which counter belongs to
 * which filter, and what the last generation looked like, so that an unchanged one need not be
 * installed again. File <runtime-dir>/counters.bin, written before each flip. It is a cache:
 * without it counters begin at zero and the image is installed anew; nothing opens. */
#pragma once
#include "counter_ids.h"
#include "snapshot.h"

struct runstate {
    uint64_t generation;
    uint64_t digest[2]; /* of struct desired */
};
#define RUNSTATE_NAME "counters.bin"
_must_check_ int runstate_write(const char *dir, const struct runstate *s,
                                const struct counter_ids *ids, const struct snapshot_origin *o,
                                struct diag *d);
/* Gives its room on the disk back. */
void runstate_remove(const char *dir);
/* Fills *s and the empty *ids. -ENOENT if there is none for this boot and namespace, -EIO if it
 * is damaged (ids may then hold a part: throw it away). */
_must_check_ int runstate_read(const char *dir, const struct snapshot_origin *o,
                               struct runstate *ret, struct counter_ids *ids);
