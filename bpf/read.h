/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every reader of packets shares. A reader is the only code that knows the context of its
 * program type: read_skb.h for programs at TCX and clsact, read_nf.h for those at netfilter hooks.
 * It defines
 *   struct pw_ctx                the context (a macro, since the verifier knows it by its name)
 *   pw_load(ctx, to, at, n, start)  n bytes from BPF_HDR_START_*; negative if they are not there
 *   pw_ethertype(ctx)            of the network header, in host order
 *   pw_has_vlan_tag(ctx)         1 if the device took a tag off
 *   pw_gso_size(ctx)             0 if the packet is no super-packet
 *   pw_ifindex(ctx)              where it comes in, or leaves
 *   pw_vlan_id(ctx)              of the tag that the device took off, 0 = none
 *   pw_segments(ctx)             packets it will be on the wire, at least 1
 *   pw_length(ctx)               bytes
 *   pw_is_for_one(ctx)           sent to this host, not to a group, as far as the frame says
 *   pw_clock_ns()                monotonic, as coarse as the program type allows
 * A program includes exactly one reader, before parse.h. */
#pragma once
#include <linux/types.h>

/* What one read fetches: the fixed header of IPv6 is the longest. */
union pw_bytes {
    __u8 b[40];
    __u16 half[20];
    __u32 word[10];
    __u64 twice[5];
};
