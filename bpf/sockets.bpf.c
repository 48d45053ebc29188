/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which TCP sockets listen, and who holds which socket: iterators over the kernel's tables, several
 * times as fast as sock_diag and /proc. Loaded and pinned by src/sockets; they need no right to
 * trace the processes. Nothing is changed. */
#include <linux/types.h>

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "sockets.h"

char LICENSE[] SEC("license") = "GPL";

enum { FILE_TYPE = 0170000, FILE_SOCKET = 0140000 }; /* stat(2) */
enum { FAMILY_INET = 2, FAMILY_INET6 = 10, STATE_LISTEN = 10 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct inode {
    unsigned short i_mode;
    unsigned long i_ino;
};
struct file {
    struct inode *f_inode;
};
struct task_struct {
    int pid, tgid;
};
struct socket {
    struct file *file;
};
struct kernfs_node {
    __u64 id;
};
struct cgroup {
    struct kernfs_node *kn;
};
struct sock_cgroup_data {
    struct cgroup *cgroup;
};
struct in6_addr {
    union {
        __u8 u6_addr8[16];
    } in6_u;
};
typedef struct {
    long long counter;
} atomic64_t;
struct sock_common {
    __u32 skc_rcv_saddr;
    __u16 skc_num;
    unsigned short skc_family;
    volatile unsigned char skc_state;
    unsigned char skc_ipv6only : 1;
    int skc_bound_dev_if;
    struct in6_addr skc_v6_rcv_saddr;
    atomic64_t skc_cookie;
};
struct sock {
    struct sock_common __sk_common;
    struct socket *sk_socket;
    struct sock_cgroup_data sk_cgrp_data;
};
struct tcp_sock;
struct seq_file;
struct bpf_iter_meta {
    struct seq_file *seq;
};
struct bpf_iter__task_file {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
    __u32 fd;
    struct file *file;
};
struct bpf_iter__tcp {
    struct bpf_iter_meta *meta;
    struct sock_common *sk_common;
    unsigned int uid;
};
#pragma clang attribute pop

SEC("iter/task_file")
int pw_holders(struct bpf_iter__task_file *ctx)
{
    struct task_struct *task = ctx->task;
    struct file *file = ctx->file;
    struct inode *inode = file ? file->f_inode : NULL;

    if (!task || !inode || (inode->i_mode & FILE_TYPE) != FILE_SOCKET)
        return 0;
    struct pw_holder h = {.pid = (__u32)task->tgid, .inode = inode->i_ino};
    bpf_seq_write(ctx->meta->seq, &h, sizeof(h));
    return 0;
}

SEC("iter/tcp")
int pw_listeners(struct bpf_iter__tcp *ctx)
{
    struct sock_common *c = ctx->sk_common;

    if (!c || c->skc_state != STATE_LISTEN)
        return 0;
    struct sock *sk = (struct sock *)bpf_skc_to_tcp_sock(c);
    if (!sk)
        return 0;
    struct pw_listener l = {
        .cgroup = sk->sk_cgrp_data.cgroup ? sk->sk_cgrp_data.cgroup->kn->id : 0,
        .cookie = (__u64)c->skc_cookie.counter,
        .uid = ctx->uid,
        .ifindex = (__u32)c->skc_bound_dev_if,
        .port = c->skc_num,
        .family = c->skc_family,
        .six_only = BPF_CORE_READ_BITFIELD(c, skc_ipv6only),
    };
    /* Of a listener that is being closed there is none. */
    struct socket *s = sk->sk_socket;
    struct file *file = s ? s->file : NULL;
    l.inode = file ? (__u32)file->f_inode->i_ino : 0;
    if (l.family == FAMILY_INET6)
        __builtin_memcpy(l.local, &c->skc_v6_rcv_saddr, sizeof(l.local));
    else
        __builtin_memcpy(l.local, &c->skc_rcv_saddr, 4);
    bpf_seq_write(ctx->meta->seq, &l, sizeof(l));
    return 0;
}
