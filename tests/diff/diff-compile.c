/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff-compile: eval against the user-space lookup in a compiled image, on random hosts. No
 * kernel, no privilege. What eval decides before it looks at any filter has no counterpart there
 * and is left out; the reason of a drop belongs to the datapath and is copied. */
#include <errno.h>
#include <stdio.h>

#include "compile/compile.h"
#include "diff.h"
#include "eval/eval.h"
#include "image.h"

struct compiled {
    struct host host;
    struct image image;
    uint64_t generation;
    unsigned n_merged; /* images with a merged group */
};

/* A fixed time: deadlines are drawn around it. */
static uint64_t now_ns(void *self)
{
    (void)self;
    return 100 * 3600000000000ULL;
}

static int new_host(void *self, struct rng *r, const struct host **ret)
{
    struct compiled *c = self;
    struct host h;
    int err = gen_host(r, &h);
    if (err < 0)
        return err;
    host_done(&c->host);
    c->host = h;
    *ret = &c->host;
    return 0;
}

static int install(void *self, const struct effective *e)
{
    struct compiled *c = self;
    struct compile_options o = {.generation = ++c->generation,
                                .seed = c->generation * 0x9e3779b97f4a7c15ULL,
                                .merge = c->generation % 2 ? MERGE_FORCED : MERGE_NEVER};
    struct compile_stats stats;
    struct image image;
    struct diag d;
    int err = compile_image(e, &o, &d, &image, &stats);
    if (err < 0) {
        if (err != -E2BIG)
            printf("compile: %s\n", d.message);
        return err;
    }
    image_done(&c->image);
    c->image = image;
    c->n_merged += stats.n_groups[0] + stats.n_groups[1] < stats.n_shapes[0] + stats.n_shapes[1];
    return 0;
}

static bool expect(void *self, const struct effective *e, const struct question *q,
                   struct verdict *ret)
{
    (void)self;
    *ret = eval_packet(e, &q->packet, q->now_ns);
    switch (ret->decider) {
    case DECIDED_NO_MATCH:
    case DECIDED_FILTER:
    case DECIDED_FAILSAFE:
        return true;
    case DECIDED_EXEMPTION:
        return ret->weight > 0;
    case DECIDED_STRUCTURE:
    case DECIDED_EARLIER:
        return false;
    }
    return false;
}

static int ask(void *self, const struct effective *e, const struct question *q, struct outcome *ret)
{
    struct compiled *c = self;
    struct verdict v = eval_packet(e, &q->packet, q->now_ns);
    struct image_hit hit = image_lookup(&c->image, &q->packet, eval_src_is_me(e, &q->packet),
                                        eval_dst_is_me(e, &q->packet), q->now_ns);
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
    struct compiled c = {.generation = 0};
    const struct backend b = {
        .name = "compile",
        .packets_per_policy = 200,
        .host = new_host,
        .now_ns = now_ns,
        .install = install,
        .expect = expect,
        .ask = ask,
        .self = &c,
    };
    int status = diff_main(argc, argv, &b);
    printf("groups merged in %u of %u policies\n", c.n_merged, (unsigned)c.generation);
    if (c.n_merged * 4 < c.generation) { /* half of them are asked to */
        printf("too few\n");
        status = 1;
    }
    image_done(&c.image);
    host_done(&c.host);
    return status;
}
