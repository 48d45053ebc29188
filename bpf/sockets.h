/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the iterators of bpf/sockets.bpf.c write. */
#pragma once
#include <linux/types.h>

/* For every descriptor that is a socket. */
struct pw_holder {
    __u32 pid; /* of the process, in the first pid namespace */
    __u32 pad;
    __u64 inode;
};

/* For every TCP socket that listens. */
struct pw_listener {
    __u64 cgroup, cookie; /* 0 = not known */
    __u32 inode, uid, ifindex;
    __u16 port, family; /* AF_INET, AF_INET6 */
    __u32 six_only;
    __u32 pad;
    __u8 local[16]; /* IPv4: the first four bytes */
};
