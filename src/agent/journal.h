/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of single dynamic filters since dynamic.json and counters.bin were written, one line
 * each: <runtime-dir>/dynamic.journal. So a change costs a line on disk, however many filters there
 * are. The first line names the write that it continues (snapshot_origin.serial); a journal of
 * another one says nothing. A line is complete when its end is there: what was being written when a
 * process was killed had not begun to decide. Written without fsync, as after a loss of power
 * nothing of it counts. */
#pragma once
#include "runstate.h"

struct json_t;
struct journal {
    int fd;               /* -1 = not begun */
    uint64_t size, limit; /* beyond the limit it is time to write both files anew */
};
#define JOURNAL_NAME "dynamic.journal"

/* What a line says: layer and run state afterwards. Without names; delta as of desired_change(). */
struct journal_change {
    const struct dynamic *after;
    const struct dynamic_delta *delta;
    const struct dynamic *before;
    uint32_t added_counter;
    uint32_t deleted_counter[DELTA_MAX];
    struct runstate run;
};
/* -EFBIG when it is long enough, or another errno; then the file says what it said before. */
_must_check_ int journal_append(struct journal *j, const char *dir, const struct snapshot_origin *o,
                                const struct journal_change *c);
/* Both files are written anew: what it says counts no more. limit: how long the next one gets. */
void journal_end(struct journal *j, const char *dir, uint64_t limit);

/* Lines that continue o->serial, none if there is no such journal. -EBADMSG: damaged. */
_must_check_ int journal_read(const char *dir, const struct snapshot_origin *o,
                              struct json_t **ret);
/* The layer after all lines, with the generation of the last one. */
_must_check_ int journal_apply(const struct json_t *lines, struct diag *d, struct dynamic *l,
                               uint64_t *generation);
/* -EIO if they do not fit. */
_must_check_ int journal_apply_counters(const struct json_t *lines, struct counter_ids *ids,
                                        struct runstate *run);
