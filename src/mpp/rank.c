/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mpp/rank.c: the answers to `portward mpp top` and `simulate`: every connection with its score and
 * what would become of it, by a look that ends none. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "engine.h"

enum { HISTORY_MS = 250 };

struct ranking {
    struct mpp_ranking *to;
    size_t max, cap;
};

/* Worse, or as bad and larger. */
static bool is_worse(const struct mpp_conn *a, const struct mpp_conn *b)
{
    if (a->score != b->score)
        return a->score > b->score;
    return a->queued > b->queued;
}

/* Moves v[i] down until its children are worse: the least bad of those kept is v[0]. */
static void sift(struct mpp_conn *v, size_t n, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++)
            if (is_worse(&v[least], &v[child]))
                least = child;
        if (least == i)
            return;
        struct mpp_conn t = v[i];
        v[i] = v[least];
        v[least] = t;
        i = least;
    }
}

static int on_record(void *ctx, const struct mpp_record *r)
{
    struct ranking *k = ctx;
    struct mpp_ranking *to = k->to;
    struct mpp_conn c;

    mpp_decode(r, &c);
    to->total++;
    to->by_verdict[c.verdict]++;
    to->bytes_by_verdict[c.verdict] += c.queued;
    if (to->n < k->max) {
        int err = array_reserve(&to->v, &k->cap, to->n + 1, sizeof(*to->v));
        if (err < 0)
            return err;
        to->v[to->n++] = c;
        for (size_t i = to->n == k->max ? to->n / 2 : 0; i-- > 0;)
            sift(to->v, to->n, i);
    } else if (to->n && is_worse(&c, &to->v[0])) {
        to->v[0] = c;
        sift(to->v, to->n, 0);
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct mpp_conn *x = a, *y = b;
    return is_worse(x, y) ? -1 : is_worse(y, x) ? 1 : 0;
}

/* Without pressure nobody has looked before, and nothing is known to stall. */
static int make_history(struct mpp *m, struct mpp_sums *sums)
{
    const struct timespec t = {.tv_nsec = HISTORY_MS * 1000000L};

    if (m->machine.state != MPP_NORMAL)
        return 0;
    int r = engine_look(m, 0, NULL, NULL, sums);
    if (r == 0)
        (void)nanosleep(&t, NULL); /* shorter: less history */
    if (r == 0)
        r = engine_look(m, 0, NULL, NULL, sums);
    return r;
}

int mpp_rank(struct mpp *m, size_t max, struct mpp_ranking *ret)
{
    struct mpp_ranking x = {.v = NULL};
    struct ranking k = {.to = &x, .max = max};
    struct mpp_sums sums = {.established = 0};

    int r = make_history(m, &sums);
    if (r == 0 && m->machine.state == MPP_NORMAL)
        m->machine.sums = sums; /* of which the cutoff is made */
    if (r == 0)
        r = engine_look(m, MPP_DO_LIST | (m->machine.by_idle ? MPP_DO_IDLE : 0), on_record, &k,
                        &sums);
    if (r < 0) {
        mpp_ranking_done(&x);
        return r;
    }
    if (x.n)
        qsort(x.v, x.n, sizeof(*x.v), compare);
    uint64_t lo = mpp_lo(&m->machine.s);
    x.need = m->machine.s.mem > lo ? (m->machine.s.mem - lo) * m->machine.s.page_bytes : 0;
    x.attack = mpp_judge_sums(&m->machine, m->machine.state == MPP_PRUNE).attack;
    x.would_conns = x.by_verdict[MPP_WOULD_PRUNE];
    x.would_bytes = x.bytes_by_verdict[MPP_WOULD_PRUNE];
    *ret = x;
    return 0;
}

void mpp_ranking_done(struct mpp_ranking *r)
{
    free(r->v);
    *r = (struct mpp_ranking){.v = NULL};
}
