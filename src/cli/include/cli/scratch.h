/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network namespace of our own, joined to this one by a veth pair, from which this host is
 * probed: what it sends goes through the same hooks as what the network sends. It has no name and
 * no file: the kernel removes it, and the pair with it, when the process ends in whatever way. */
#pragma once
#include <net/if.h>

#include "base/diag.h"
#include "model/ip.h"

struct scratch {
    int home, netns;        /* descriptors of namespaces */
    char link[IF_NAMESIZE]; /* our end */
    unsigned ifindex;       /* of it */
    struct ip here6;        /* our end */
    struct ip source[2];    /* of the probes, IPv4 and IPv6 */
};
/* Needs CAP_SYS_ADMIN and CAP_NET_ADMIN. Our end is down until scratch_up(), so that the agent has
 * its programs there before the first packet. */
_must_check_ int scratch_open(struct diag *d, struct scratch *ret);
_must_check_ int scratch_up(struct scratch *s, struct diag *d);
/* This thread goes into the namespace, and comes back. */
_must_check_ int scratch_enter(const struct scratch *s, struct diag *d);
_must_check_ int scratch_leave(const struct scratch *s, struct diag *d);
void scratch_close(struct scratch *s);
/* Only the addresses that probes would come from. */
void scratch_sources(struct scratch *s);
