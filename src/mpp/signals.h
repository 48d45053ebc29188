/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel says about memory and connections, read from /proc. The parsers are pure: text
 * in, numbers out. Called by mpp.c at each tick; what cannot be read keeps its old value. */
#pragma once
#include "machine.h"

struct mpp_reader {
    struct mpp_signals s;
    uint64_t fd_looked_ns;
    int limits_prog; /* of load.h; -1: /proc alone */
};

/* 0, or -errno if TCP memory or its limits cannot be read: then there is nothing to act on. */
_must_check_ int mpp_read_signals(struct mpp_reader *r);
uint64_t mpp_now_ns(void); /* CLOCK_MONOTONIC, as bpf_ktime_get_ns() */
uint64_t mpp_cpu_ns(void); /* that this thread has used */

/* /proc/net/sockstat; -EBADMSG. */
_must_check_ int mpp_parse_sockstat(const char *text, struct mpp_signals *s);
/* /proc/net/sockstat6, behind the one above: adds to its number of connections. */
void mpp_add_sockstat6(const char *text, struct mpp_signals *s);
/* /proc/sys/net/ipv4/tcp_mem */
_must_check_ int mpp_parse_tcp_mem(const char *text, struct mpp_signals *s);
/* /proc/net/netstat: names in one line, numbers in the next one. */
_must_check_ int mpp_parse_netstat(const char *text, struct mpp_signals *s);
