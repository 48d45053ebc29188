/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps two programs (ingress, egress) in front of every interface, by pinned TCX links
 * (datapath.md 2) or clsact filters (2.3). Called by datapath.c only, from one thread, always
 * in the network namespace whose interfaces are meant.
 *
 * Invariants: nothing here opens an interface that should be covered, except attach_forget(),
 * attach_clear() and role IFACE_NONE. Programs are replaced by link update or filter
 * replacement, so packets meet the old or the new one, never none. What others attached is
 * never removed. An interface counts as attached only if the hook of *this* ifindex in *this*
 * namespace lists our link: an ifindex is reused, and a link follows its device into another
 * namespace. */
#pragma once
#include "datapath/datapath.h"
#include "model/host.h"

struct attach;

struct attach_options {
    const char *pin_dir; /* directory of this namespace in a bpffs; "link" is made below it */
    enum hook_mode hook;
    /* Borrowed descriptors, duplicated. What every link shall run *now*: adopted links that
     * run something else are updated when attach_iface() or attach_reconcile() sees them. To
     * keep old programs in force until the first generation of new ones, open with the old
     * ones and call attach_set_programs() afterwards. */
    int prog_in_fd, prog_out_fd;
};

/* Finds out what this kernel has (HOOK_AUTO: TCX, else clsact; HOOK_TCX without TCX fails with
 * -EOPNOTSUPP) and adopts the pinned links <pin_dir>/link/<ifindex>-<in|out>. A pin that does
 * not lead to a TCX link of this direction, alive on this ifindex of this namespace, is
 * removed. Nothing is attached or updated yet. */
_must_check_ int attach_new(const struct attach_options *o, struct diag *d, struct attach **ret);
/* Closes descriptors, leaves pins and filters: enforcement goes on. NULL is fine. */
struct attach *attach_free(struct attach *at);
void attach_freep(struct attach **at);

/* Makes both directions of the interface run our programs, whatever was there (nothing, links
 * adopted or of the other hook kind, detached links). Idempotent, two system calls if nothing
 * is to do. Role IFACE_NONE: takes our programs off. The other hook kind is removed only after
 * the wanted one is in place. On error the direction that worked stays, the errno is kept for
 * attach_status(), and the next attach_reconcile() tries again. -ENODEV: it is gone already,
 * its RTM_DELLINK is under way. With clsact -EOPNOTSUPP: a legacy `ingress` qdisc stands
 * there, egress is not covered; -EEXIST: somebody else's filter has our place. */
_must_check_ int attach_iface(struct attach *at, const struct iface *f);
/* The interface is gone from this namespace: closes and unpins. Unknown ifindex is fine. */
void attach_forget(struct attach *at, uint32_t ifindex);
/* Other programs from now on; existing links are updated one by one. The errno of an interface
 * that fails is kept for attach_status(), and attach_reconcile() tries again. Negative: nothing
 * was changed. */
_must_check_ int attach_set_programs(struct attach *at, int prog_in_fd, int prog_out_fd);
/* Compares hooks, programs and pins of every interface of the host with what should be,
 * repairs, and forgets interfaces the host no longer has. Number of directions that had to be
 * repaired (pin put back, link or filter made again, program corrected); what cannot be
 * repaired is not counted but shows in the status. */
int attach_reconcile(struct attach *at, const struct host *h);
/* One entry per interface known by attach_iface(), sorted by ifindex; attached_* is asked from
 * the kernel now. Array owned by the caller. */
_must_check_ int attach_status(struct attach *at, struct iface_status **ret, size_t *ret_n);
/* Takes the oldest piece of news about the order of a chain; false: there is none. */
bool attach_front_news(struct attach *at, struct front_news *ret);
/* HOOK_TCX or HOOK_CLSACT. */
enum hook_mode attach_mode(const struct attach *at);
/* Takes everything of ours off, of both kinds and also from interfaces never given here:
 * the host is open. Qdiscs stay, they may be somebody else's. First errno, but goes on. */
_must_check_ int attach_clear(struct attach *at);
