/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths beside the hook (datapath.md 2.4): what reads packets before the filters or sends past
 * them in this network namespace. Asked for status, since a verdict is only as true as its
 * coverage. Reads the kernel only; nothing here changes anything. */
#pragma once
#include "base/diag.h"

enum beside_kind {
    BESIDE_PACKET_SOCKET, /* AF_PACKET: reads before the filters, may send past them */
    BESIDE_XDP_SOCKET,    /* AF_XDP: the same; only kernels with xdp_diag tell */
    BESIDE_XDP_PROGRAM,   /* runs before the filters on an interface */
    BESIDE_XFRM_POLICY,   /* transforms packets: inner ones are the guard's */
    _BESIDE_KIND_MAX,
};
/* "packet-socket", "xdp-socket", "xdp-program", "xfrm-policy". */
const char *beside_kind_name(enum beside_kind kind);

struct beside {
    enum beside_kind kind;
    bool only_sends; /* packet socket of one protocol or none: reads behind the filters */
    uint32_t n;      /* of this kind, interface and owner */
    char ifname[16]; /* "" = all of them, or it has no name any more */
    char
        program[64]; /* of the process that holds the socket, or of the XDP program; "" = unknown */
    uint32_t pid;    /* 0 = unknown */
};
enum { BESIDE_TEXT_BYTES = 192 };
/* "packet socket of dhclient (pid 640), reads before the filters" */
void beside_text(const struct beside *b, char ret[BESIDE_TEXT_BYTES]);

/* Everything found, in the order of the kinds; array owned by the caller. Processes are looked
 * through for at most max_ms: what is not found by then has no program. A question that this kernel
 * does not answer gives nothing. -ENOMEM, or -errno of the netlink socket. */
_must_check_ int datapath_beside(unsigned max_ms, struct beside **ret, size_t *ret_n);
