/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The few calls of bpf(2) that libbpf 1.1.2 does not have, and the constants that the headers
 * of Debian 12 (6.1) lack, under own names (datapath.md 10). Everything else goes through
 * libbpf. Called by attach*.c and by whoever needs the id of a program or link.
 *
 * Kernel answers are read into buffers of our own: the union inside struct bpf_link_info of
 * the old header does not know TCX. All functions return 0 or a descriptor, else -errno. */
#pragma once
#include "base/util.h"
#include "model/packet.h"

enum {
    SYSBPF_TCX_INGRESS = 46, /* attach types, Linux 6.6 */
    SYSBPF_TCX_EGRESS = 47,
    SYSBPF_LINK_TYPE_TCX = 11,
    SYSBPF_PROG_TYPE_NETFILTER = 32, /* Linux 6.4 */
    SYSBPF_NETFILTER = 45,           /* attach type */
    SYSBPF_LINK_TYPE_NETFILTER = 10,
    SYSBPF_F_BEFORE = 1 << 3,
    /* Verdicts. NEXT has the value of TC_ACT_UNSPEC and DROP that of TC_ACT_SHOT, so that one
     * program serves TCX and clsact. */
    SYSBPF_TCX_NEXT = -1,
    SYSBPF_TCX_PASS = 0,
    SYSBPF_TCX_DROP = 2,
};

/* Attaches a sched_cls program to a TCX hook, in front of everything that is there now.
 * attach_type is SYSBPF_TCX_INGRESS or _EGRESS; the ifindex is one of the caller's network
 * namespace. Returns the link's descriptor (close-on-exec). -EINVAL: this kernel has no TCX;
 * -EEXIST: the same program is attached there already; -ENODEV: no such interface. */
_must_check_ int sysbpf_tcx_link(int prog_fd, uint32_t ifindex, uint32_t attach_type);
/* Attaches a netfilter program to a hook (NF_INET_*) of a family (NFPROTO_*) of the caller's
 * network namespace, which lives as long as the link. -EBUSY: something has this priority at this
 * hook already. Such a link takes no other program later. */
_must_check_ int sysbpf_netfilter_link(int prog_fd, uint32_t pf, uint32_t hook, int32_t priority);
/* Whether the kernel knows such programs (Linux 6.4). */
bool sysbpf_has_netfilter(void);
/* Puts another program into a link: one pointer store for packets, no gap. -ENOLINK: the link
 * is detached (its interface is gone or somebody detached it). */
_must_check_ int sysbpf_link_update(int link_fd, int prog_fd);
/* Takes the program off the hook although descriptors and pins of the link still exist. */
_must_check_ int sysbpf_link_detach(int link_fd);

struct sysbpf_link_info {
    uint32_t type; /* SYSBPF_LINK_TYPE_* */
    uint32_t id;
    uint32_t prog_id;
    /* The next two only for TCX, else 0. */
    uint32_t ifindex; /* in whatever namespace the interface is; 0 = detached */
    uint32_t attach_type;
    /* Only for netfilter, else 0. They stay when the link is detached. */
    uint32_t pf, hook;
    int32_t priority;
};
_must_check_ int sysbpf_link_info(int link_fd, struct sysbpf_link_info *ret);

struct sysbpf_prog_info {
    uint32_t type, id;
    uint8_t tag[8]; /* hash of the instructions */
};
_must_check_ int sysbpf_prog_info(int prog_fd, struct sysbpf_prog_info *ret);

/* Who is attached to one TCX hook, in the order in which packets meet them. The kernel takes
 * at most 64 (BPF_MPROG_MAX). link_id is 0 for a program attached without a link. */
enum { SYSBPF_HOOK_MAX = 64 };
struct sysbpf_hook {
    uint32_t n;
    uint64_t revision; /* changes with every change of the hook */
    uint32_t prog_id[SYSBPF_HOOK_MAX];
    uint32_t link_id[SYSBPF_HOOK_MAX];
};
/* -EINVAL: this kernel has no TCX. */
_must_check_ int sysbpf_hook_query(uint32_t ifindex, uint32_t attach_type, struct sysbpf_hook *ret);
/* The TCX hook of a direction. */
uint32_t sysbpf_tcx_hook(enum direction dir);
/* Position of a link in the chain, 0 = first; -ENOENT. */
int sysbpf_hook_find(const struct sysbpf_hook *h, uint32_t link_id);
