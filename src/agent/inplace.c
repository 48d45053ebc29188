/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/inplace.c: a change of few filters without a new image (datapath.md 6): what differs from
 * what is in force becomes stores in the active image.
 * Called by quick.c for changes of the dynamic layer, and by change.c for all others, whose
 * difference is looked for in the whole; -EAGAIN sends the job the long way through install.c.
 * Invariants: the snapshot is written before the first store; the generation number, written last,
 * says in the image and on disk that the change is complete, so that a start after a kill in
 * between installs the desired state anew; an answer of the patched image that differs from the
 * evaluator's takes the stores back. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "inplace.h"
#include "internal.h"
#include "selftest.h"

enum {
    CHANGES_MAX = PATCH_DELETIONS,
    /* Filters that the evaluator looks at for the test of one change, about 1 ms. */
    TEST_WORK = 60000,
    TEST_WORK_PER_PACKET = 150,
};

struct difference {
    size_t added[1], deleted[CHANGES_MAX];
    size_t n_added, n_deleted;
};

static bool same_filter(const struct effective_filter *a, const struct effective_filter *b)
{
    return a->layer == b->layer && a->connection == b->connection &&
           a->counter_id == b->counter_id && a->deadline_ns == b->deadline_ns &&
           guid_cmp(&a->filter->guid, &b->filter->guid) == 0 &&
           (a->filter == b->filter || filter_eq(a->filter, b->filter));
}

/* Both lists keep the order of what they share, so the longer rest has the extra one. */
static int compare(const struct effective *old, const struct effective *new, struct difference *ret)
{
    struct difference x = {.n_added = 0};
    size_t i = 0, j = 0;
    while (i < old->n || j < new->n) {
        if (i < old->n && j < new->n &&same_filter(&old->v[i], &new->v[j])) {
            i++;
            j++;
        } else if (old->n - i > new->n - j && x.n_deleted < CHANGES_MAX) {
            x.deleted[x.n_deleted++] = i++;
        } else if (old->n - i < new->n - j && x.n_added < ARRAY_SIZE(x.added)) {
            x.added[x.n_added++] = j++;
        } else {
            return -EAGAIN;
        }
    }
    *ret = x;
    return 0;
}

/* Settings and derived entries are those that the image was compiled with. */
static bool same_surroundings(struct agent *a, const struct desired *next)
{
    const struct host *h = datapath_host(a->dp);
    struct effective old = {.settings = &a->in_force->layers.settings};
    struct effective new = {.settings = &next->layers.settings};
    uint64_t print_old[2], print_new[2];
    desired_digest(&old, h, print_old);
    desired_digest(&new, h, print_new);
    return memcmp(print_old, print_new, sizeof(print_old)) == 0 &&
           host_print(h, a->in_force->places) == a->host_print;
}

static int make_patch(struct agent *a, const struct desired *next, const struct difference *x,
                      uint64_t generation, struct image_patch *ret)
{
    struct image_lists l = {.before = &a->in_force->e,
                            .after = &next->e,
                            .added = x->added,
                            .n_added = x->n_added,
                            .deleted = x->deleted,
                            .n_deleted = x->n_deleted,
                            .losers = a->stats.n_shadowed > 0,
                            .generation = generation};
    struct image_change c;
    int err = image_change_of(&l, &c);
    return err < 0 ? err : inplace_compute(a, &c, ret);
}

int inplace_compute(struct agent *a, const struct image_change *c, struct image_patch *ret)
{
    struct image active;
    int err = a->patcher ? 0 : image_patcher_new(&a->patcher);
    if (err == 0)
        err = datapath_image(a->dp, &active);
    if (err == 0 && active.generation != a->run.generation)
        err = -ESTALE;
    return err < 0 ? err : image_patch(a->patcher, &active, c, ret);
}

static int ask_active(void *ctx, const uint8_t *frame, size_t len, const struct packet_meta *meta,
                      struct datapath_answer *ret)
{
    return datapath_test(ctx, DATAPATH_ACTIVE, frame, len, meta, ret);
}

/* The program about packets of the filters that came or went. */
static int test_patched(struct agent *a, const struct inplace_test *t, struct diag *d)
{
    uint32_t cost = t->near->cost + (uint32_t)t->near->n_later_always;
    uint32_t budget = TEST_WORK / (cost + TEST_WORK_PER_PACKET) + 1;
    struct selftest s = {
        .e = t->e, .near = t->near, .ask = ask_active, .ctx = a->dp, .now_ns = agent_now_ns};
    if (getrandom(&s.seed, sizeof(s.seed), 0) != sizeof(s.seed))
        return diag_errno(d, errno, "cannot draw a seed");
    int err = 0;
    for (unsigned i = 0; i < t->n && err == 0; i++)
        err = selftest_filter(&s, t->filter[i], budget, d);
    return err;
}

int inplace_store(struct agent *a, const struct image_patch *p, const struct inplace_test *t)
{
    struct diag d = {0};
    struct image active;
    int err = datapath_patch(a->dp, p);
    if (err < 0)
        return err;
    err = datapath_image(a->dp, &active);
    if (err == 0 && !image_patch_holds(&active, p))
        err = diag_fail(&d, DIAG_SELF_TEST, "an entry is not found where it was put");
    if (err == 0)
        err = test_patched(a, t, &d);
    if (err == 0)
        return 0;
    event_log(EV_SELF_TEST_FAILED, "DIFFERENCE", d.message, NULL);
    int undone = datapath_unpatch(a->dp, p);
    if (undone < 0)
        event_log(EV_WORKER_FAILED, "ERROR", strerror(-undone), NULL);
    return err;
}

static int put_in_force(struct agent *a, struct desired *next, const struct difference *x,
                        const struct image_patch *p)
{
    _cleanup_(near_done) struct near near = {0};
    struct inplace_test t = {.e = &next->e, .near = &near};
    int err = near_build(&near, &next->e, next->e.n);
    for (size_t i = 0; i < x->n_added; i++)
        t.filter[t.n++] = next->e.v[x->added[i]].filter;
    for (size_t i = 0; i < x->n_deleted; i++)
        t.filter[t.n++] = a->in_force->e.v[x->deleted[i]].filter;
    return err < 0 ? err : inplace_store(a, p, &t);
}

int install_in_place(struct agent *a, struct desired **next)
{
    struct desired *x = *next;
    struct difference diff;
    _cleanup_(image_patch_done) struct image_patch patch = {0};
    struct diag d = {0};
    x->e.host = datapath_host(a->dp);
    if (!a->in_force || a->run.generation != datapath_generation(a->dp) ||
        counter_ids_limit(a->ids) > datapath_counter_room(a->dp) || !same_surroundings(a, x) ||
        compare(&a->in_force->e, &x->e, &diff) < 0)
        return -EAGAIN;
    struct runstate run = {.generation = install_next_number(a),
                           .digest = {x->digest[0], x->digest[1]}};
    if (make_patch(a, x, &diff, run.generation, &patch) < 0) {
        a->unused_number = run.generation;
        return -EAGAIN;
    }
    if (install_write_files(a, x, &run, &d) < 0 || put_in_force(a, x, &diff, &patch) < 0) {
        install_restore_files(a);
        return -EAGAIN; /* the long way meets the same error, and says so, or helps */
    }
    install_take(a, next);
    a->host_print = host_print(a->in_force->e.host, a->in_force->places);
    a->run = run;
    a->in_force_since_ns = agent_now_ns();
    a->patched = true;
    counter_ids_commit(a->ids);
    return 0;
}
