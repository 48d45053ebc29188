/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mpp/records.c: the audit trail. Each ended connection is one record of the ring; the last 65,536
 * are kept for questions, the 16 worst of a pass go to the journal. Also decides bans: a source
 * that had many stalled connections, never one connection alone, since an address may be shared.
 * Invariant: records + lost = connections ended by the kernel. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "engine.h"

enum { BAN_SAME = 32 };

static void count_key(struct mpp_tally *v, unsigned *n, uint64_t key)
{
    for (unsigned i = 0; i < *n; i++) {
        if (v[i].key == key) {
            v[i].n++;
            return;
        }
    }
    if (*n < MPP_TALLIES)
        v[(*n)++] = (struct mpp_tally){.key = key, .n = 1};
}

/* The worst first. */
static void note_top(struct mpp_pass *p, const struct mpp_conn *c)
{
    unsigned at = p->n_top;

    while (at > 0 && p->top[at - 1].score < c->score)
        at--;
    if (at == MPP_JOURNAL_MAX)
        return;
    if (p->n_top < MPP_JOURNAL_MAX)
        p->n_top++;
    memmove(&p->top[at + 1], &p->top[at], (p->n_top - 1 - at) * sizeof(p->top[0]));
    p->top[at] = *c;
}

static void note_pass(struct mpp_pass *p, const struct mpp_conn *c)
{
    uint64_t source = mpp_source(c);

    p->killed++;
    p->bytes += c->queued;
    p->ipv6 += c->family == FAMILY_6;
    p->by_reason[c->reason]++;
    count_key(p->ports, &p->n_ports, c->lport);
    count_key(p->prefixes, &p->n_prefixes, c->family == FAMILY_6 ? source : source >> 8);
    note_top(p, c);
}

static void keep(struct mpp *m, const struct mpp_conn *c)
{
    if (m->n_records < MPP_RECORDS_MAX) {
        if (array_reserve(&m->records, &m->cap_records, m->n_records + 1, sizeof(*c)) < 0)
            return; /* the journal has the worst of it */
        m->records[m->n_records++] = *c;
        return;
    }
    m->records[m->first_record] = *c;
    m->first_record = (m->first_record + 1) % MPP_RECORDS_MAX;
}

static void on_end(struct mpp *m, const struct mpp_record *r)
{
    struct mpp_conn c;

    mpp_decode(r, &c);
    c.verdict = MPP_WOULD_PRUNE;
    note_pass(&m->pass, &c);
    keep(m, &c);
    if (c.same_source >= BAN_SAME &&
        gate_ban(&m->gate, mpp_source(&c), m->machine.s.now_ns) == -ENOSPC)
        m->pass.ban_full = true;
}

static int on_sample(void *ctx, void *data, size_t len)
{
    struct mpp *m = ctx;
    struct mpp_record r;

    if (len < sizeof(r))
        return 0;
    memcpy(&r, data, sizeof(r));
    if (!m->kern.destroy && diag_kill(&r) < 0) {
        m->machine.sums.errors++;
        return 0;
    }
    on_end(m, &r);
    return 0;
}

int records_open(struct mpp *m)
{
    m->ring = ring_buffer__new(m->kern.ring, on_sample, m, NULL);
    return m->ring ? 0 : -errno;
}

void records_close(struct mpp *m)
{
    ring_buffer__free(m->ring); /* NULL is fine */
    m->ring = NULL;
    free(m->records);
    m->records = NULL;
    m->n_records = m->cap_records = 0;
}

void records_take(struct mpp *m)
{
    memset(&m->pass, 0, sizeof(m->pass));
    (void)ring_buffer__consume(m->ring); /* what stays comes with the next pass */
    if (m->pass.killed || m->pass.ban_full)
        tell_pass(m);
}

int mpp_records(struct mpp *m, size_t max, struct mpp_conn **ret, size_t *ret_n)
{
    size_t n = m->n_records < max ? m->n_records : max;
    struct mpp_conn *v = calloc(n ? n : 1, sizeof(*v));

    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        v[i] = m->records[(m->first_record + m->n_records - n + i) % m->n_records];
    *ret = v;
    *ret_n = n;
    return 0;
}
