/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last entries of the packet log, for whoever asks (`portward log`). Part of struct agent.
 * Bounded by number and bytes: the oldest go first. */
#pragma once
#include "text/logline.h"

enum { LOG_HISTORY_MAX = 4096, LOG_HISTORY_BYTES = 4 * 1024 * 1024 };

struct log_kept; /* an entry with its strings, one allocation */
struct log_history {
    struct log_kept *v[LOG_HISTORY_MAX]; /* a ring */
    size_t first, n;
    size_t bytes;
    uint64_t next_seq; /* of the next entry; the first one is 1 */
};
/* Gives *e its number and keeps a copy; without memory it is only numbered. */
void log_history_add(struct log_history *h, struct log_entry *e);
void log_history_done(struct log_history *h);
/* The i-th of those that are kept, the oldest first; borrowed until the next log_history_add(). */
const struct log_entry *log_history_at(const struct log_history *h, size_t i);
