/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host looks like, live from rtnetlink: interfaces with their roles (datapath.md
 * 2.1.1) and the local addresses as the routing table has them (5.6). Called by datapath.c,
 * which writes what the ops report into the maps `ifrole`, `local4`, `local6` and attaches.
 *
 * Invariants: the socket subscribes before the first dump, so nothing falls between; what
 * rtnl_host() shows is exactly what the ops were told. A lost or interrupted message is
 * answered by a new dump whose *differences* go through the ops. /sys is never read, since it
 * shows another namespace under nsenter. One thread only. */
#pragma once
#include "base/diag.h"
#include "model/host.h"

/* Told about every change while it is applied. A negative result does not stop the processing:
 * the first one is returned at the end (rtnl_open() fails with it). The pointers are valid
 * during the call only. The ops must not call back into rtnl, except rtnl_host(). */
struct rtnl_ops {
    /* A prefix became local, or its kind changed (same prefix, no local_del in between). */
    int (*local_set)(void *u, const struct local_route *);
    int (*local_del)(void *u, const struct local_route *);
    /* A new interface, or any field of a known one changed (role, name, forwarding, dhcp). */
    int (*iface_set)(void *u, const struct iface *, bool is_new);
    /* The ifindex is free now; it may come again at once with another interface. */
    int (*iface_del)(void *u, uint32_t ifindex);
};

struct rtnl;

/* Subscribes in the network namespace of the calling thread, then dumps everything through the
 * ops: interfaces first, then local prefixes. ops and u must outlive *ret. */
_must_check_ int rtnl_open(const struct rtnl_ops *ops, void *u, struct diag *d, struct rtnl **ret);
struct rtnl *rtnl_close(struct rtnl *r); /* reports nothing; NULL is fine; returns NULL */
void rtnl_closep(struct rtnl **r);

int rtnl_fd(const struct rtnl *r); /* readable = call rtnl_process() */
/* Sorted: interfaces by ifindex, prefixes by family, address, length. Valid until the next
 * rtnl_process() or rtnl_resync(). */
const struct host *rtnl_host(const struct rtnl *r);
/* Interfaces have these profiles from now on; before the first call none has one. */
void rtnl_set_profiles(struct rtnl *r, const struct profile_patterns *l);

/* Reads what is pending and reports it through the ops. *ret_changes: HOST_CHANGED_* of
 * datapath.h, or 0. It is set even if the result is negative. */
_must_check_ int rtnl_process(struct rtnl *r, unsigned *ret_changes);
/* Dumps everything again and reports the differences: for the full reconciliation every 30 s.
 * Also sees what sends no message: the sysctl accept_local and sockets of DHCP clients. */
_must_check_ int rtnl_resync(struct rtnl *r, unsigned *ret_changes);
