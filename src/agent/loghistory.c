/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/loghistory.c: see loghistory.h. Called by droplog.c for each entry and by log_query.c.
 * Invariant: never more than LOG_HISTORY_MAX entries, nor more than LOG_HISTORY_BYTES. */
#include "loghistory.h"

#include <stdlib.h>
#include <string.h>

struct log_kept {
    struct log_entry entry;
    size_t bytes;
    char text[];
};

static size_t text_bytes(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

/* Copies one string behind the others. */
static const char *put(char **at, const char *s)
{
    char *to = *at;
    size_t n = text_bytes(s);
    if (!s)
        return NULL;
    memcpy(to, s, n);
    *at += n;
    return to;
}

static void drop_oldest(struct log_history *h)
{
    struct log_kept *k = h->v[h->first];
    h->bytes -= k->bytes;
    h->first = (h->first + 1) % LOG_HISTORY_MAX;
    h->n--;
    free(k);
}

void log_history_add(struct log_history *h, struct log_entry *e)
{
    const char *const s[] = {e->dir,    e->reason, e->filter, e->rule,
                             e->policy, e->layer,  e->iface,  e->marks};
    size_t bytes = sizeof(struct log_kept);
    if (h->next_seq == 0)
        h->next_seq = 1;
    e->seq = h->next_seq++;
    for (size_t i = 0; i < ARRAY_SIZE(s); i++)
        bytes += text_bytes(s[i]);
    while (h->n > 0 && (h->n == LOG_HISTORY_MAX || h->bytes + bytes > LOG_HISTORY_BYTES))
        drop_oldest(h);
    struct log_kept *k = malloc(bytes);
    if (!k)
        return;
    *k = (struct log_kept){.entry = *e, .bytes = bytes};
    char *at = k->text;
    k->entry.dir = put(&at, e->dir);
    k->entry.reason = put(&at, e->reason);
    k->entry.filter = put(&at, e->filter);
    k->entry.rule = put(&at, e->rule);
    k->entry.policy = put(&at, e->policy);
    k->entry.layer = put(&at, e->layer);
    k->entry.iface = put(&at, e->iface);
    k->entry.marks = put(&at, e->marks);
    h->v[(h->first + h->n++) % LOG_HISTORY_MAX] = k;
    h->bytes += bytes;
}

void log_history_done(struct log_history *h)
{
    while (h->n > 0)
        drop_oldest(h);
}

const struct log_entry *log_history_at(const struct log_history *h, size_t i)
{
    return &h->v[(h->first + i) % LOG_HISTORY_MAX]->entry;
}
