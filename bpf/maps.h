/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The maps of the classifier. The loader (src/datapath/progs.c) pins every one of them below
 * map/ and hands them to the next build if the layout version is the same, so a changed map here
 * needs a new IMG_LAYOUT. Policy lies in images alone: a packet reads `roots` once. */
#pragma once
#include <bpf/bpf_helpers.h>

#include "image.h"

enum { PW_IFROLES_MAX = 65536, PW_LOCALS_MAX = 262144 };

/* An image: written by user space through mmap while nobody reads it. BPF_F_RDONLY_PROG would
 * forbid that mapping (kernel/bpf/syscall.c, bpf_map_mmap). */
struct pw_image {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, IMG_LINE_BYTES);
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

/* Sizes instead of types: clang emits a type that only an inner map names as a mere declaration. */
struct pw_chunk {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, sizeof(struct pw_counter));
    __uint(max_entries, PW_CHUNK_IDS);
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
