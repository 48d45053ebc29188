/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The maps of sources of scan detection. Included by the programs of the classifier (scan_count.h)
 * and by bpf/mpp.bpf.c, which knows of completed handshakes. Invariant: what a remote host can
 * forge goes to `scan_spoofable` alone, so that it pushes out no source that is proven. */
#pragma once
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "scan.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct scan_control);
} scan_control SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, SCAN_SPOOFABLE_SETS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct scan_set);
} scan_spoofable SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, SCAN_PROVEN_SETS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct scan_set);
} scan_proven SEC(".maps");

static __always_inline const struct scan_control *scan_the_control(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&scan_control, &zero);
}

static __always_inline struct scan_entry *scan_find(struct scan_set *s, __u64 source)
{
    if (s->source[0] == source)
        return &s->entry[0];
    if (s->source[1] == source)
        return &s->entry[1];
    if (s->source[2] == source)
        return &s->entry[2];
    return s->source[3] == source ? &s->entry[3] : NULL;
}

/* How much would be lost with an entry: packets counted, less than that if its window is over. */
static __always_inline __u64 scan_worth(const struct scan_entry *e, __u64 source,
                                        const struct scan_control *c, __u32 now)
{
    if (!source)
        return 0;
    return now - e->slow_at > c->slow_ticks ? 1 : (__u64)e->count << 32 | e->fast_at;
}

/* Gives the entry that is worth least to the source. Whether one was lost that was counting. */
static __always_inline bool scan_replace(struct scan_set *s, __u64 source,
                                         const struct scan_control *c, __u32 now,
                                         struct scan_entry **ret)
{
    __u64 least = ~0ULL;
    __u32 at = 0;

    for (__u32 i = 0; i < SCAN_WAYS; i++) {
        __u64 worth = scan_worth(&s->entry[i], s->source[i], c, now);

        if (worth < least) {
            least = worth;
            at = i;
        }
    }
    at &= SCAN_WAYS - 1;
    struct scan_entry *e = &s->entry[at];
    bool lost = s->source[at] && now - e->fast_at <= c->fast_ticks && e->count;
    *e = (struct scan_entry){.fast_at = now, .slow_at = now};
    s->source[at] = source;
    *ret = e;
    return lost;
}

static __always_inline struct scan_set *scan_set_at(void *map, __u64 source,
                                                    const struct scan_control *c, __u32 n_sets)
{
    __u32 set = scan_set_of(source, c->seed, n_sets);

    return bpf_map_lookup_elem(map, &set);
}

/* A handshake with this source was completed. What it did before is kept. */
static __always_inline void scan_prove(__u64 source, __u64 now_ns)
{
    const struct scan_control *c = scan_the_control();
    struct scan_set *s = c ? scan_set_at(&scan_proven, source, c, SCAN_PROVEN_SETS) : NULL;
    struct scan_entry *e;

    if (!s || !c->on || scan_find(s, source))
        return;
    struct scan_set *from = scan_set_at(&scan_spoofable, source, c, SCAN_SPOOFABLE_SETS);
    const struct scan_entry *before = from ? scan_find(from, source) : NULL;
    (void)scan_replace(s, source, c, (__u32)(now_ns >> SCAN_TICK_SHIFT), &e);
    if (before)
        *e = *before;
}
