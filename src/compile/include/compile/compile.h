/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiles effective filters into a classifier image (datapath.md 3). Pure: the same input,
 * seed and generation give the same bytes, whatever the order of the filters. */
#pragma once
#include "base/diag.h"
#include "model/packet.h"

struct image {
    void *lines; /* n_lines * 64 bytes, layout in bpf/image.h, owned */
    uint32_t n_lines;
    uint64_t generation;
};
void image_done(struct image *img);

/* Groups of equal shapes but for the length of prefixes become one (datapath.md 3.2 step 6). */
enum merge_mode {
    MERGE_PRODUCT, /* when there are more than 64, or very many filters */
    MERGE_NEVER,
    MERGE_FORCED, /* as many as can be */
};
struct compile_options {
    uint64_t generation;
    uint64_t state_epoch;
    uint64_t seed;         /* hash seed of the image, from getrandom; a failed insertion derives
                              the next one from it */
    uint16_t tag_secret;   /* multiple of 4 */
    enum merge_mode merge; /* tests only, besides MERGE_PRODUCT */
    unsigned force_probes; /* tests only: chains of at most this many lines, 0 = IMG_PROBES */
    unsigned force_load_percent; /* tests only: 0 = the product's rule */
};

struct compile_stats {
    uint32_t n_filters;    /* effective filters given */
    uint32_t n_entries[2]; /* slots used, v4, v6 */
    uint32_t n_groups[2], n_tuples[2];
    uint32_t n_shapes[2]; /* before merging */
    uint32_t n_intervals;
    uint32_t seed_tries;
    uint32_t table_doublings;
    uint32_t longest_chain; /* lines */
    uint32_t n_shadowed;    /* equal keys of one tuple, entered once */
    uint64_t size_bytes;
};

/* 0, -ENOMEM, or -E2BIG with DIAG_LIMIT and the number: groups ("too many mask shapes: 71,
 * limit 64; used by one filter only: s812, s813"), tuples, port intervals, copies, or an
 * insertion that failed with every seed and size. stats may be NULL. The image has been
 * verified: every entry is found by a lookup over the finished bytes. */
_must_check_ int compile_image(const struct effective *e, const struct compile_options *o,
                               struct diag *d, struct image *ret, struct compile_stats *stats);

/* User-space lookup over a finished image, the same steps as the eBPF program takes after
 * parsing. For the verification pass, unit tests and benchmarks; not an oracle. src_me, dst_me
 * as the datapath derives them. Returns weight with tier (0 = no match) and the rule entry. */
struct image_hit {
    uint64_t w;
    uint32_t counter_id, order;
    uint32_t probes;
};
struct image_hit image_lookup(const struct image *img, const struct packet *p, bool src_me,
                              bool dst_me, uint64_t now_ns);
