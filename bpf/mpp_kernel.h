/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The few kernel structures that bpf/mpp.bpf.c looks into, with offsets taken from the running
 * kernel (CO-RE): only the names of the members count, not their order or neighbours. */
#pragma once
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
    union {
        __u32 u6_addr32[4];
    } in6_u;
};

struct proto {
    long *sysctl_mem;
};

struct sock_common {
    struct proto *skc_prot;
    __u32 skc_daddr, skc_rcv_saddr;
    __u16 skc_dport, skc_num;
    unsigned short skc_family;
    volatile unsigned char skc_state;
    struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};

struct sock {
    struct sock_common __sk_common;
    int sk_wmem_queued;
    int sk_rx_dst_ifindex; /* Linux 5.16 */
    __u32 sk_ack_backlog, sk_max_ack_backlog;
    struct socket *sk_socket;
    __u16 sk_protocol;
};

struct socket {
    struct sock *sk;
};

struct file;
struct bpf_iter__task_file {
    struct file *file;
};

struct inet_sock {
    struct sock sk;
};

struct inet_connection_sock {
    struct inet_sock icsk_inet;
    __u8 icsk_retransmits;
};

struct minmax_sample {
    __u32 v;
};

struct minmax {
    struct minmax_sample s[3];
};

struct tcp_sock {
    struct inet_connection_sock inet_conn;
    __u32 snd_wnd, packets_out, mss_cache;
    struct minmax rtt_min;
    __u64 bytes_acked, bytes_received;
};

struct sk_buff {
    int skb_iif;
};

struct bpf_sock_ops_kern {
    struct sk_buff *skb;
};

struct seq_file;
struct bpf_iter_meta {
    struct seq_file *seq;
};
struct bpf_iter__tcp {
    struct bpf_iter_meta *meta;
    struct sock_common *sk_common;
};

#pragma clang attribute pop

enum { MPP_AF_INET = 2, MPP_AF_INET6 = 10, MPP_IPPROTO_TCP = 6 };

extern int bpf_sock_destroy(struct sock_common *sk) __ksym __weak;
extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;
