/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff-patch: eval against an image that came about by changes in place. The image is compiled
 * from the policy and some more filters of the same shapes; then filters are deleted and added
 * one by one in random order until the policy is left. What cannot be done in place is compiled
 * anew, as the agent does. Stores are made, taken back and made again. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "compile/patch.h"
#include "diff.h"
#include "eval/eval.h"
#include "image.h"

enum { EXTRA = 16, FILTERS_MAX = GEN_FILTERS + EXTRA, STEPS = 24, IN_PLACE_PERCENT = 30 };

struct patched {
    struct host host;
    struct image image;
    struct compile_stats stats;
    struct image_patcher *patcher;
    uint64_t generation;
    struct filter extra[EXTRA];
    uint64_t steps, in_place;
    struct diag d;
};

/* A set of filters out of `all`. */
struct state {
    struct effective all;
    bool in[FILTERS_MAX];
    struct effective_filter v[FILTERS_MAX];
    size_t n;
};

static uint64_t now_ns(void *self)
{
    (void)self;
    return 100 * 3600000000000ULL;
}

static int new_host(void *self, struct rng *r, const struct host **ret)
{
    struct patched *c = self;
    struct host h;
    int err = gen_host(r, &h);
    if (err < 0)
        return err;
    host_done(&c->host);
    c->host = h;
    *ret = &c->host;
    return 0;
}

static struct effective current(struct state *s)
{
    s->n = 0;
    for (size_t i = 0; i < s->all.n; i++)
        if (s->in[i])
            s->v[s->n++] = s->all.v[i];
    return (struct effective){
        .v = s->v, .n = s->n, .settings = s->all.settings, .host = s->all.host};
}

static int compile_now(struct patched *c, struct state *s)
{
    struct compile_options o = {.generation = ++c->generation,
                                .seed = c->generation * 0x9e3779b97f4a7c15ULL,
                                .merge = c->generation % 2 ? MERGE_FORCED : MERGE_NEVER};
    struct effective e = current(s);
    struct image image;
    int err = compile_image(&e, &o, &c->d, &image, &c->stats);
    if (err < 0)
        return err;
    image_done(&c->image);
    c->image = image;
    return 0;
}

/* Makes the stores, takes them back, and makes them again. */
static int replay(struct patched *c, const struct image_patch *p)
{
    uint8_t *lines = c->image.lines;
    size_t size = (size_t)c->image.n_lines * IMG_LINE_BYTES;
    _cleanup_free_ uint8_t *before = malloc(size);
    if (!before)
        return -ENOMEM;
    memcpy(before, lines, size);
    for (size_t i = 0; i < p->n; i++)
        memcpy(lines + (size_t)p->v[i].word * sizeof(uint64_t), &p->v[i].value, sizeof(uint64_t));
    if (!image_patch_holds(&c->image, p))
        return -EBADMSG;
    for (size_t i = p->n; i-- > 0;)
        memcpy(lines + (size_t)p->v[i].word * sizeof(uint64_t), &p->v[i].before, sizeof(uint64_t));
    if (memcmp(before, lines, size) != 0)
        return -EBADMSG;
    for (size_t i = 0; i < p->n; i++)
        memcpy(lines + (size_t)p->v[i].word * sizeof(uint64_t), &p->v[i].value, sizeof(uint64_t));
    c->image.generation = p->generation;
    return 0;
}

/* Puts filter i in or takes it out, in place if that is possible. */
static int toggle(struct patched *c, struct state *s, size_t i)
{
    struct state before = *s;
    s->in[i] = !s->in[i];
    struct effective old = current(&before), new = current(s);
    size_t at = 0;
    for (size_t k = 0; k < i; k++)
        at += s->in[k];
    struct image_lists lists = {.before = &old,
                                .after = &new,
                                .added = &at,
                                .n_added = s->in[i],
                                .deleted = &at,
                                .n_deleted = !s->in[i],
                                .losers = c->stats.n_shadowed > 0,
                                .generation = ++c->generation};
    struct image_change change;
    _cleanup_(image_patch_done) struct image_patch patch = {0};
    int err = image_change_of(&lists, &change);
    if (err == 0)
        err = image_patch(c->patcher, &c->image, &change, &patch);
    c->steps++;
    if (err == -EAGAIN)
        return compile_now(c, s);
    c->in_place += err == 0;
    return err < 0 ? err : replay(c, &patch);
}

/* Same shapes as filters of the policy, with other actions, addresses or ports. */
static void make_extra(struct patched *c, struct rng *r, const struct effective *e,
                       struct effective_filter *v)
{
    for (size_t i = 0; i < EXTRA; i++) {
        const struct effective_filter *like = &e->v[rng_below(r, (uint32_t)e->n)];
        const struct effective_filter *other = &e->v[rng_below(r, (uint32_t)e->n)];
        struct filter f = *like->filter;
        if (rng_below(r, 2) && other->filter->src.kind == f.src.kind &&
            other->filter->src.family == f.src.family)
            f.src = other->filter->src;
        if (rng_below(r, 2) && !f.override && filter_effect(&f) != ACTION_NEGOTIATE)
            f.action = f.action == ACTION_BLOCK ? ACTION_PERMIT : ACTION_BLOCK;
        f.guid.b[0] = (uint8_t)rng_below(r, 256);
        f.guid.b[7] = (uint8_t)(i + 1);
        c->extra[i] = f;
        v[i] = *like;
        v[i].filter = &c->extra[i];
        v[i].counter_id = (uint32_t)(GEN_COUNTERS + i);
    }
}

static int install(void *self, const struct effective *e)
{
    struct patched *c = self;
    struct effective_filter v[FILTERS_MAX];
    struct state s = {.all = *e};
    struct rng r = {e->n * 0x9e3779b97f4a7c15ULL + 1};
    s.all.v = v;
    if (e->n > 0) {
        memcpy(v, e->v, e->n * sizeof(*v));
        make_extra(c, &r, e, v + e->n);
        s.all.n += EXTRA;
    }
    for (size_t i = 0; i < s.all.n; i++)
        s.in[i] = i < e->n || rng_below(&r, 2);
    int err = compile_now(c, &s);
    for (unsigned k = 0; k < STEPS && s.all.n > 0 && err == 0; k++)
        err = toggle(c, &s, rng_below(&r, (uint32_t)s.all.n));
    for (size_t i = 0; i < s.all.n && err == 0; i++)
        if (s.in[i] != (i < e->n))
            err = toggle(c, &s, i);
    if (err < 0 && err != -E2BIG)
        printf("patch: %s\n", err == -EBADMSG
                                  ? "an entry is not found, or stores taken back leave a rest"
                                  : c->d.message);
    return err;
}

static bool expect(void *self, const struct effective *e, const struct question *q,
                   struct verdict *ret)
{
    (void)self;
    *ret = eval_packet(e, &q->packet, q->now_ns);
    return ret->decider == DECIDED_NO_MATCH || ret->decider == DECIDED_FILTER ||
           ret->decider == DECIDED_FAILSAFE ||
           (ret->decider == DECIDED_EXEMPTION && ret->weight > 0);
}

static int ask(void *self, const struct effective *e, const struct question *q, struct outcome *ret)
{
    struct patched *c = self;
    const struct img_header *h = c->image.lines;
    struct verdict v = eval_packet(e, &q->packet, q->now_ns);
    struct image_hit hit = image_lookup(&c->image, &q->packet, eval_src_is_me(e, &q->packet),
                                        eval_dst_is_me(e, &q->packet), q->now_ns);
    if (h->generation != c->image.generation || !(h->flags & IMG_ARMED) == effective_is_armed(e))
        return -EBADMSG;
    *ret = (struct outcome){
        .block = hit.w && (hit.w & 3) != ACTION_PERMIT,
        .reason = v.reason,
        .tier = (enum tier)(hit.w >> 32),
        .weight = (uint32_t)hit.w,
        .counter_id = hit.w ? hit.counter_id : COUNTER_NONE,
    };
    return 0;
}

int main(int argc, char **argv)
{
    struct patched c = {.generation = 0};
    const struct backend b = {
        .name = "patch",
        .packets_per_policy = 200,
        .host = new_host,
        .now_ns = now_ns,
        .install = install,
        .expect = expect,
        .ask = ask,
        .self = &c,
    };
    int status = image_patcher_new(&c.patcher) < 0 || diff_main(argc, argv, &b);
    printf("%" PRIu64 " changes, %" PRIu64 " in place\n", c.steps, c.in_place);
    if (c.in_place * 100 < c.steps * IN_PLACE_PERCENT) {
        printf("FAILED: too few changes were made in place to mean something\n");
        status = 1;
    }
    image_done(&c.image);
    host_done(&c.host);
    image_patcher_free(c.patcher);
    return status;
}
