/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The maps of the classifier. The loader (src/datapath/progs.c) pins every one of them below
 * map/ and hands them to the next build if the layout version is the same, so a changed map here
 * needs a new IMG_LAYOUT. Policy lies in images alone: a packet reads `roots` once. */
#pragma once
#include <bpf/bpf_helpers.h>

#include "bits.h"
#include "image.h"

enum { PW_IFROLES_MAX = 65536, PW_LOCALS_MAX = 262144 };

/* An image: written by user space through mmap while nobody reads it. BPF_F_RDONLY_PROG would
 * forbid that mapping (kernel/bpf/syscall.c, bpf_map_mmap). */
struct pw_image {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, IMG_PAGE_BYTES);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, PW_ROOTS);
    __type(key, __u32);
    __array(values, struct pw_image);
} roots SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, PW_IFROLES_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u32);
    __type(value, struct pw_ifrole);
} ifrole SEC(".maps");

/* A copy of its low part, since the lookup in an array is no call. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, PW_IFROLES_LOW);
    __type(key, __u32);
    __type(value, struct pw_ifrole);
} ifrole_low SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __uint(value_size, PW_HINT_WORDS * sizeof(__u64));
} local_hint SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, PW_EXACT_WORDS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, __u64);
} local_exact SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, PW_LOCALS_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct pw_lpm4);
    __type(value, __u32);
} local4 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, PW_LOCALS_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct pw_lpm6);
    __type(value, __u32);
} local6 SEC(".maps");

/* Sizes instead of types: clang emits a type that only an inner map names as a mere declaration.
 * The loader gives another template: PW_CHUNK_IDS entries for every possible CPU. */
struct pw_chunk {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, sizeof(struct pw_counter));
    __uint(max_entries, PW_CHUNK_IDS);
    __uint(map_flags, BPF_F_MMAPABLE);
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, PW_CHUNKS);
    __type(key, __u32);
    __array(values, struct pw_chunk);
} counters SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 2 * PW_STAT_MAX);
    __type(key, __u32);
    __type(value, __u64);
} stats SEC(".maps");

/* Slot 0: the program that goes on with what has to do with `keep state` (state.h), for the
 * classifier and for the guard, whose programs are of another type. Filled by the loader. */
struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} state_next SEC(".maps"), guard_next SEC(".maps");

/* The same number, of which the verifier knows nothing any more: what is added to a pointer would
 * otherwise be told apart in every state, one per group for a start. Only spills of whole slots or
 * of their lower halves are followed, and a zero. (clang may keep the upper half alone and put it
 * at the beginning of a slot. That costs states, not correctness; keeping the slot whole costs
 * stack.) */
static __always_inline __u32 pw_forget(__u32 n)
{
    struct {
        __u32 lower, upper;
    } __attribute__((aligned(8))) slot;
    volatile __u32 *at = &slot.upper;

    *at = n + 1;
    return *at - 1;
}

/* Role 0 = nothing is known about the interface, all is zero. */
static __always_inline struct pw_ifrole pw_iface(__u32 ifindex)
{
    const __u32 *word;
    union {
        __u32 word; /* all that counts */
        struct pw_ifrole role;
    } u = {.role = {0}};

    if (pw_likely(ifindex < PW_IFROLES_LOW)) {
        word = bpf_map_lookup_elem(&ifrole_low, &ifindex);
        barrier_var(word); /* else one lookup in either map, which is a call */
    } else {
        word = bpf_map_lookup_elem(&ifrole, &ifindex);
    }
    u.word = pw_forget(word ? *word : 0);
    return u.role;
}
