/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The classifier at TCX (or clsact) ingress and egress of every interface, and the same
 * classifier as test entries that write no map (datapath.md 1, 2, 6). Loaded, pinned and attached
 * by src/datapath. One image pointer per packet: everything that depends on a generation is read
 * through it. No image, or an image that leads nowhere, drops while armed. */
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_packet.h>

#include "verdict.h"

/* TCX_NEXT has the value of TC_ACT_UNSPEC, TCX_DROP that of TC_ACT_SHOT: one program serves both
 * hooks. Programs of others behind ours still run. */
enum { PW_NEXT = -1, PW_DROP = 2 };

/* The tag in skb->tc_index. A right secret with no bit: seen at a port, judged by nobody. The
 * inverted secret marks a packet that was judged on *egress* of a stacked device, so that the
 * device below neither judges it again nor takes it for a masqueraded one. */
static __always_inline __u32 pw_tag(const struct img_header *h, __u32 bits)
{
    return (h->tag_secret & IMG_TAG_SECRET_MASK) | bits;
}

static __always_inline __u32 pw_tag_sent(const struct img_header *h)
{
    return (~h->tag_secret & IMG_TAG_SECRET_MASK) | IMG_TAG_ME;
}

static __always_inline void *pw_image_at(__u32 slot, const struct img_header **ret)
{
    void *image = bpf_map_lookup_elem(&roots, &slot);
    const struct img_header *h = image ? pw_line(image, IMG_HEADER_LINE) : NULL;

    if (!h || h->magic != IMG_MAGIC || h->layout != IMG_LAYOUT)
        return NULL;
    *ret = h;
    return image;
}

static __always_inline __u64 pw_segments(const struct __sk_buff *skb)
{
    return skb->gso_segs ? skb->gso_segs : 1;
}

static __always_inline void pw_stat(struct __sk_buff *skb, bool egress, __u32 index)
{
    __u32 key = (egress ? PW_STAT_MAX : 0) + index;
    __u64 *n = bpf_map_lookup_elem(&stats, &key);

    if (n)
        *n += pw_segments(skb);
}

static __always_inline void pw_count(struct __sk_buff *skb, __u32 id)
{
    __u32 chunk = id >> PW_CHUNK_SHIFT, index = id & (PW_CHUNK_IDS - 1);
    void *inner = bpf_map_lookup_elem(&counters, &chunk);
    struct pw_counter *c = inner ? bpf_map_lookup_elem(inner, &index) : NULL;

    if (!c)
        return;
    c->packets += pw_segments(skb);
    c->bytes += skb->len;
}

/* Counts the verdict and turns it into the program's result. */
static __always_inline int pw_finish(struct __sk_buff *skb, const struct img_header *h, bool egress,
                                     const struct pw_verdict *v)
{
    __u32 id = (__u32)v->match.order_and_id;

    if (v->match.w && id != IMG_NO_COUNTER && (h->flags & IMG_COUNTERS))
        pw_count(skb, id);
    if (v->block)
        pw_stat(skb, egress, v->reason & (PW_STAT_MAX - 1));
    else if (v->kind != PW_QUIET)
        pw_stat(skb, egress, v->kind == PW_EXEMPT ? PW_STAT_EXEMPT_ND : PW_STAT_PASSED);
    return v->block ? PW_DROP : PW_NEXT;
}

/* Programs are attached only when an image is in force, so its absence is a malfunction: IP
 * packets are dropped, everything else is not ours. */
static __always_inline int pw_no_image(struct __sk_buff *skb, bool egress)
{
    struct pw_packet p = {0};

    if (pw_parse(skb, &p) == 0 && !p.family)
        return PW_NEXT;
    pw_stat(skb, egress, PW_DROP_INTERNAL);
    return PW_DROP;
}

/* A macvlan child's packet passes the parent first, as one for another host. If the child is in
 * this namespace its address is local, and the child judges it. */
static __always_inline bool pw_is_childs(struct __sk_buff *skb, const struct pw_packet *p)
{
    return skb->pkt_type == PACKET_OTHERHOST && p->family && !p->reason &&
           pw_local_kind(p, p->dst_hi, p->dst_lo) == PW_LOCAL_UNICAST;
}

static __always_inline __u32 pw_bits_in(const struct pw_packet *p, const struct pw_verdict *v)
{
    if (v->kind == PW_QUIET || pw_is_multicast(p))
        return IMG_TAG_ME | IMG_TAG_FORWARDED;
    return v->dst_me ? IMG_TAG_ME : IMG_TAG_FORWARDED;
}

static __always_inline bool pw_forwards(const struct pw_ifrole *role, const struct pw_packet *p)
{
    return role && (role->flags & (p->family == 4 ? PW_IF_FORWARDING4 : PW_IF_FORWARDING6));
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
    const struct pw_ifrole *role = bpf_map_lookup_elem(&ifrole, &ifindex);

    if (!image)
        return pw_no_image(skb, false);
    if (role && role->role == PW_ROLE_PORT && !pw_is_for_port(skb)) {
        skb->tc_index = (__u16)pw_tag(h, 0);
        return PW_NEXT;
    }
    if (skb->pkt_type == PACKET_LOOPBACK) { /* own broadcast or multicast coming back: like lo */
        skb->tc_index = (__u16)pw_tag(h, IMG_TAG_ME | IMG_TAG_FORWARDED);
        return PW_NEXT;
    }
    struct pw_packet p = {.classify_source_routes = !!(h->flags & IMG_SOURCE_ROUTE_CLASSIFY)};
    pw_parse(skb, &p);
    if (pw_is_childs(skb, &p)) {
        skb->tc_index = 0;
        return PW_NEXT;
    }
    struct pw_meta meta = {
        .to_host = skb->pkt_type == PACKET_HOST && !pw_forwards(role, &p),
        .accept_local = role && (role->flags & PW_IF_ACCEPT_LOCAL),
        .zone = role ? role->zone : 0,
    };
    struct pw_verdict v;
    pw_judge(image, h, &p, &meta, &v);
    skb->tc_index = (__u16)pw_tag(h, pw_bits_in(&p, &v));
    return pw_finish(skb, h, false, &v);
}

/* Leaves the mark for the device below, or clears the field. */
static __always_inline void pw_leave(struct __sk_buff *skb, const struct img_header *h,
                                     const struct pw_ifrole *role)
{
    skb->tc_index = role && (role->flags & PW_IF_STACKED) ? (__u16)pw_tag_sent(h) : 0;
}

SEC("tc")
int pw_out(struct __sk_buff *skb)
{
    __u32 ifindex = skb->ifindex, tag = skb->tc_index;
    const struct img_header *h;
    void *image = pw_image_at(PW_ROOT_ACTIVE, &h);
    const struct pw_ifrole *role = bpf_map_lookup_elem(&ifrole, &ifindex);

    if (!image)
        return pw_no_image(skb, true);
    bool seen = (tag & IMG_TAG_SECRET_MASK) == pw_tag(h, 0);
    bool port = role && role->role == PW_ROLE_PORT;
    pw_leave(skb, h, role);
    if (tag == pw_tag_sent(h) || (seen && port))
        return PW_NEXT;
    struct pw_packet p = {
        .classify_source_routes = !!(h->flags & IMG_SOURCE_ROUTE_CLASSIFY),
        .from_frame = role && (role->flags & PW_IF_ETHERNET),
    };
    pw_parse(skb, &p);
    struct pw_meta meta = {
        .egress = 1,
        .judged = seen && (tag & (IMG_TAG_ME | IMG_TAG_FORWARDED)),
        .zone = role ? role->zone : 0,
    };
    struct pw_verdict v;
    pw_judge(image, h, &p, &meta, &v);
    return pw_finish(skb, h, true, &v);
}

/* The same question for a root slot of the caller's choice; see struct pw_test_in and _out. */
static __always_inline int pw_test(struct __sk_buff *skb, bool egress)
{
    __u32 slot = skb->cb[0], flags = skb->cb[1], zone = skb->cb[2];
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
    pw_parse(skb, &p);
    pw_judge(image, h, &p, &meta, &v);
    skb->cb[0] = (__u32)h->generation;
    skb->cb[1] = (__u32)v.match.order_and_id;
    skb->cb[2] = (__u32)v.match.w;
    skb->cb[3] = (__u32)(v.match.w >> 32);
    skb->cb[4] = (__u32)v.match.probes;
    return PW_TEST_RET(v.match.w && v.match.w >> 32 <= PW_TIER_OVERRIDE, v.block, v.reason);
}

SEC("tc")
int test_in(struct __sk_buff *skb)
{
    return pw_test(skb, false);
}

SEC("tc")
int test_out(struct __sk_buff *skb)
{
    return pw_test(skb, true);
}

char LICENSE[] SEC("license") = "GPL";
