/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The classifier at TCX (or clsact) ingress and egress of every interface, and the same
 * classifier as a test entry that writes no map (datapath.md 1, 2, 6). Loaded, pinned and attached
 * by src/datapath. One image pointer per packet: everything that depends on a generation is read
 * through it. No image, or an image that leads nowhere, drops while armed. */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_packet.h>

#include "read_skb.h" /* before what parses */

#include "parse_linear.h"
#include "state_skb.h"
#include "syngate.h"

/* TCX_NEXT has the value of TC_ACT_UNSPEC, TCX_DROP that of TC_ACT_SHOT: one program serves both
 * hooks. Programs of others behind ours still run. */
enum { PW_NEXT = -1, PW_DROP = 2 };

/* A macvlan child's packet passes the parent first, as one for another host. If the child is in
 * this namespace its address is local, and the child judges it. */
static __always_inline bool pw_is_childs(struct __sk_buff *skb, const struct pw_packet *p)
{
    return pw_unlikely(skb->pkt_type == PACKET_OTHERHOST) && p->family && !p->reason &&
           pw_local_kind(p, p->dst_hi, p->dst_lo) == PW_LOCAL_UNICAST;
}

static __always_inline __u32 pw_bits_in(const struct pw_packet *p, const struct pw_verdict *v)
{
    if (v->kind == PW_QUIET || pw_is_multicast(p->family, p))
        return IMG_TAG_ME | IMG_TAG_FORWARDED;
    return v->dst_me ? IMG_TAG_ME : IMG_TAG_FORWARDED;
}

/* Whatever the address says, the packet is for this host: an interface that forwards nothing took
 * it in. Of an address that `local` does not know yet, the guard says it better. */
static __always_inline bool pw_is_to_host(const struct __sk_buff *skb, struct pw_ifrole role,
                                          const struct pw_packet *p)
{
    __u8 forwarding = p->family == 4 ? PW_IF_FORWARDING4 : PW_IF_FORWARDING6;

    return skb->pkt_type == PACKET_HOST && !(role.flags & (forwarding | PW_IF_GUARDED));
}

/* Bridge, bond and team hand a frame to 01:80:c2:00:00:0x up on the port itself, whatever is in
 * it (RX_HANDLER_PASS in br_handle_frame, bond_handle_frame, team_handle_frame). */
static __always_inline bool pw_is_for_port(struct __sk_buff *skb)
{
    __u16 to[3];

    if (skb->pkt_type != PACKET_MULTICAST)
        return false;
    if (bpf_skb_load_bytes_relative(skb, 0, to, sizeof(to), BPF_HDR_START_MAC) < 0)
        return true;
    return to[0] == bpf_htons(0x0180) && to[1] == bpf_htons(0xc200) && bpf_ntohs(to[2]) < 16;
}

SEC("tc")
int pw_in(struct __sk_buff *skb)
{
    __u32 ifindex = skb->ifindex;
    const struct img_header *h;
    void *image = pw_image_at(PW_ROOT_ACTIVE, &h);
    const struct pw_ifrole role = pw_iface(ifindex);

    if (pw_unlikely(!image))
        return pw_no_image(skb, false) ? PW_DROP : PW_NEXT;
    if (pw_unlikely(role.role == PW_ROLE_PORT) && !pw_is_for_port(skb)) {
        skb->tc_index = (__u16)pw_tag(h, 0);
        return PW_NEXT;
    }
    if (pw_unlikely(skb->pkt_type ==
                    PACKET_LOOPBACK)) { /* own broadcast or multicast coming back: like lo */
        skb->tc_index = (__u16)pw_tag(h, IMG_TAG_ME | IMG_TAG_FORWARDED);
        return PW_NEXT;
    }
    struct pw_packet p = {.classify_source_routes = !!(h->flags & IMG_SOURCE_ROUTE_CLASSIFY)};
    pw_parse_packet(skb, &p);
    if (pw_unlikely(pw_is_childs(skb, &p))) {
        skb->tc_index = 0;
        return PW_NEXT;
    }
    if (pw_unlikely(pw_syn_gate(skb, &p))) {
        pw_stat(skb, false, PW_DROP_MPP_GATE);
        return PW_DROP;
    }
    struct pw_meta meta = {
        .to_host = (__u8)pw_forget(pw_is_to_host(skb, role, &p)),
        .accept_local = !!(role.flags & PW_IF_ACCEPT_LOCAL),
        .zone = role.zone,
        .ethernet = !!(role.flags & PW_IF_ETHERNET),
    };
    struct pw_verdict v;
    pw_judge(image, h, &p, &meta, &v);
    skb->tc_index = (__u16)pw_tag(h, pw_bits_in(&p, &v));
    if (pw_unlikely(pw_concerns_state(h, &v)))
        pw_hand_over(skb, h, &p, &v, 0, &state_next);
    return pw_finish(skb, h, &p, &meta, &v) ? PW_DROP : PW_NEXT;
}

/* Leaves the mark for the device below, or clears the field. */
static __always_inline void pw_leave(struct __sk_buff *skb, const struct img_header *h,
                                     struct pw_ifrole role)
{
    skb->tc_index = role.flags & PW_IF_STACKED ? (__u16)pw_tag_sent(h) : 0;
}

SEC("tc")
int pw_out(struct __sk_buff *skb)
{
    __u32 ifindex = skb->ifindex, tag = skb->tc_index;
    const struct img_header *h;
    void *image = pw_image_at(PW_ROOT_ACTIVE, &h);
    const struct pw_ifrole role = pw_iface(ifindex);

    if (pw_unlikely(!image))
        return pw_no_image(skb, true) ? PW_DROP : PW_NEXT;
    bool seen = (tag & IMG_TAG_SECRET_MASK) == pw_tag(h, 0);
    bool port = role.role == PW_ROLE_PORT;
    pw_leave(skb, h, role);
    if (tag == pw_tag_sent(h) || (seen && port))
        return PW_NEXT;
    struct pw_packet p = {
        .classify_source_routes = !!(h->flags & IMG_SOURCE_ROUTE_CLASSIFY),
        .from_frame = !!(role.flags & PW_IF_ETHERNET),
    };
    pw_parse_packet(skb, &p);
    struct pw_meta meta = {
        .egress = 1,
        .judged = (__u8)pw_forget(seen && (tag & (IMG_TAG_ME | IMG_TAG_FORWARDED))),
        .zone = role.zone,
        .ethernet = !!(role.flags & PW_IF_ETHERNET),
    };
    struct pw_verdict v;
    pw_judge(image, h, &p, &meta, &v);
    if (pw_unlikely(pw_concerns_state(h, &v)))
        pw_hand_over(skb, h, &p, &v, PW_FLOW_EGRESS | (meta.judged ? PW_FLOW_JUDGED : 0),
                     &state_next);
    return pw_finish(skb, h, &p, &meta, &v) ? PW_DROP : PW_NEXT;
}

static __always_inline void pw_meta_again(struct pw_ctx *ctx, struct pw_work *w)
{
    const struct pw_ifrole role = pw_iface(ctx->ifindex);
    bool egress = w->bits & PW_FLOW_EGRESS;

    w->meta = (struct pw_meta){
        .egress = egress,
        .judged = !!(w->bits & PW_FLOW_JUDGED),
        .to_host = !egress && pw_is_to_host(ctx, role, &w->packet),
        .accept_local = !!(role.flags & PW_IF_ACCEPT_LOCAL),
        .zone = role.zone,
        .ethernet = !!(role.flags & PW_IF_ETHERNET),
    };
}

/* Goes on with what pw_in or pw_out handed over. */
SEC("tc")
int pw_state_tc(struct __sk_buff *skb)
{
    return pw_state(skb) ? PW_DROP : PW_NEXT;
}

/* Takes the stamp of the connection whose flow the packet names, which is a question of the agent.
 * cb[0]: this host opened it. */
SEC("tc")
int state_forget(struct __sk_buff *skb)
{
    struct pw_flow f;

    if (bpf_skb_load_bytes(skb, PW_FORGET_AT, &f, sizeof(f)) < 0)
        return 1;
    struct bpf_sock *sk = pw_socket(skb, &f, skb->cb[0]);
    if (!sk)
        return 1;
    long r = bpf_sk_storage_delete(&st_sk, sk);
    bpf_sk_release(sk);
    return r < 0;
}

/* The same question for a root slot of the caller's choice; see struct pw_test_in and _out. */
SEC("tc")
int pw_test(struct __sk_buff *skb)
{
    __u32 slot = skb->cb[0], flags = skb->cb[1], zone = skb->cb[2];
    __u8 egress = !!(flags & PW_TEST_EGRESS);
    const struct img_header *h;
    void *image = pw_image_at(slot, &h);
    struct pw_verdict v;

    skb->cb[0] = 0;
    skb->cb[1] = IMG_NO_COUNTER;
    skb->cb[2] = 0;
    skb->cb[3] = 0;
    skb->cb[4] = 0;
    if (!image)
        return PW_TEST_RET(0, 1, PW_DROP_INTERNAL);
    struct pw_packet p = {
        .classify_source_routes = !!(h->flags & IMG_SOURCE_ROUTE_CLASSIFY),
        .from_frame = egress,
    };
    struct pw_meta meta = {
        .egress = egress,
        .judged = !!(flags & PW_TEST_JUDGED),
        .to_host = !!(flags & PW_TEST_TO_HOST),
        .accept_local = !!(flags & PW_TEST_ACCEPT_LOCAL),
        .zone = (__u8)zone,
    };
    pw_parse_packet(skb, &p);
    pw_judge(image, h, &p, &meta, &v);
    skb->cb[0] = (__u32)h->generation;
    skb->cb[1] = (__u32)v.match.id;
    skb->cb[2] = (__u32)v.match.w;
    skb->cb[3] = (__u32)(v.match.w >> 32);
    skb->cb[4] = (__u32)v.match.probes;
    return PW_TEST_RET(v.match.w && v.match.w >> 32 <= PW_TIER_OVERRIDE, v.block, v.reason);
}

char LICENSE[] SEC("license") = "GPL";
