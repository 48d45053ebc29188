/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stand-in that calls the classifier. The kernel does not attach the same program twice to one
 * TCX hook, so that ours could go to the front again only with a gap: this one stands there while
 * ours is taken off and put back. Loaded and attached by src/datapath/attach_front.c, for some
 * microseconds. A classifier that cannot be called drops. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

enum { PW_DROP = 2 };

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 2); /* by direction */
    __type(key, __u32);
    __type(value, __u32);
} classifier SEC(".maps");

SEC("tc")
int pw_front_in(struct __sk_buff *skb)
{
    bpf_tail_call(skb, &classifier, 0);
    return PW_DROP;
}

SEC("tc")
int pw_front_out(struct __sk_buff *skb)
{
    bpf_tail_call(skb, &classifier, 1);
    return PW_DROP;
}

char LICENSE[] SEC("license") = "GPL";
