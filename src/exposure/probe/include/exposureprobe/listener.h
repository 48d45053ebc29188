/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The target's side of a cooperative scan: an eBPF program marks the ports whose tagged probes
 * arrived before any filter, and those whose probes were delivered behind all of them. No packet
 * reaches user space. Needs CAP_BPF, CAP_NET_RAW and CAP_NET_ADMIN; ends with the process. */
#pragma once
#include "exposureprobe/probe.h"

struct probe_listener;
struct probe_heard {
    struct probe_ports arrived, delivered;
    bool any; /* the rest is of the first probe */
    enum family family;
    struct ip source, target;
    uint16_t source_port;
    unsigned ifindex;
    char ifname[IF_NAMESIZE];
};
_must_check_ int probe_listener_open(const uint64_t key[2], enum family family, bool udp,
                                     struct diag *d, struct probe_listener **ret);
void probe_listener_freep(struct probe_listener **l);
/* What was heard so far. */
void probe_listener_read(const struct probe_listener *l, struct probe_heard *ret);
