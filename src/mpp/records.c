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

static const uint64_t ended_ns = 10000000000;
_Static_assert(MPP_ENDED == 1 << (64 - 52), "a slot for each hash");

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

/* How many of the source were ended within ten seconds, this one included. A source that pruning is
 * quick with has never many that stall at the same time. */
static unsigned count_ended(struct mpp *m, uint64_t source)
{
    uint64_t now = m->machine.s.now_ns, slot = source * 0x9e3779b97f4a7c15 >> 52;
    struct mpp_ended *e = &m->ended[slot];

    if (now - e->since_ns > ended_ns)
        e->n = 0;
    if (e->n && e->source != source) { /* the more frequent one stays */
        e->n--;
        return 1;
    }
    if (!e->n)
        *e = (struct mpp_ended){.source = source, .since_ns = now};
    return ++e->n;
}

static void on_end(struct mpp *m, const struct mpp_record *r)
{
    struct mpp_conn c;

    mpp_decode(r, &c);
    c.verdict = MPP_WOULD_PRUNE;
    note_pass(&m->pass, &c);
    keep(m, &c);
    unsigned n = count_ended(m, mpp_source(&c));
    if ((c.same_source >= MPP_BAN_SAME || n >= MPP_BAN_SAME) &&
        gate_ban(&m->gate, mpp_source(&c), m->machine.s.now_ns) == -ENOSPC)
        m->pass.ban_full = true;
}

bool records_end(const struct mpp *m)
{
    return m->by_diag || !m->kern.destroy;
}

/* bpf_sock_destroy does not take them. */
static bool is_no_full_socket(uint8_t state)
{
    return state == MPP_TCP_TIME_WAIT || state == MPP_TCP_NEW_SYN_RECV;
}

/* True if it is ended now. What went by itself meanwhile is none of ours. */
static bool end_by_diag(struct mpp *m, const struct mpp_record *r)
{
    struct mpp_by_reader *b = &m->pass.by_reader;
    int err = diag_kill(&m->diag, r);

    if (err == 0) {
        b->killed++;
        b->bytes += r->queued;
        b->by_reason[r->reason < _MPP_REASON_MAX ? r->reason : MPP_NO_REASON]++;
        return true;
    }
    m->no_diag = err == -EOPNOTSUPP;
    b->failed++;
    b->failed_bytes += r->queued;
    b->errors += err != -ENOENT;
    return false;
}

static int on_sample(void *ctx, void *data, size_t len)
{
    struct mpp *m = ctx;
    struct mpp_record r;

    if (len < sizeof(r))
        return 0;
    memcpy(&r, data, sizeof(r));
    if ((records_end(m) || is_no_full_socket(r.state)) && !end_by_diag(m, &r))
        return 0;
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
    diag_close(&m->diag);
    free(m->records);
    m->records = NULL;
    m->n_records = m->cap_records = 0;
}

/* The counters of the kernel count these, too: its program alone changes them, and it rests. */
static void count_by_reader(struct mpp *m)
{
    const struct mpp_by_reader *b = &m->pass.by_reader;

    gate_count(&m->gate, MPP_N_ERRORS, b->errors);
    gate_count(&m->gate, MPP_N_KILLED, b->killed);
    gate_count(&m->gate, MPP_N_KILLED_BYTES, b->bytes);
    for (unsigned i = 0; i < _MPP_REASON_MAX; i++)
        gate_count(&m->gate, MPP_N_REASON + i, b->by_reason[i]);
}

void records_take(struct mpp *m, struct mpp_sums *sums)
{
    const struct mpp_by_reader *b = &m->pass.by_reader;

    memset(&m->pass, 0, sizeof(m->pass));
    (void)ring_buffer__consume(m->ring); /* what stays comes with the next pass */
    count_by_reader(m);
    sums->killed -= b->failed < sums->killed ? b->failed : sums->killed;
    sums->killed_bytes -=
        b->failed_bytes < sums->killed_bytes ? b->failed_bytes : sums->killed_bytes;
    sums->errors += b->errors;
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
