/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every hook does around a verdict: finding the image, counting, and the tag. Included by
 * bpf/classify.bpf.c and bpf/guard.bpf.c after their reader; the test entries use none of what
 * writes a map. A program turns "dropped" into the number that its hook understands. */
#pragma once
#include "log.h"
#include "scan_count.h"

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
    __u32 first = IMG_HEADER_LINE / IMG_PAGE_LINES;
    const struct img_header *h = image ? bpf_map_lookup_elem(image, &first) : NULL;

    if (pw_unlikely(!h || h->magic != IMG_MAGIC || h->layout != IMG_LAYOUT))
        return NULL;
    *ret = h;
    return image;
}

static __always_inline void pw_stat(struct pw_ctx *ctx, bool egress, __u32 index)
{
    __u32 key = (egress ? PW_STAT_MAX : 0) + index;
    __u64 *n = bpf_map_lookup_elem(&stats, &key);

    if (n)
        *n += pw_segments(ctx);
}

static __always_inline void pw_count(struct pw_ctx *ctx, __u32 id)
{
    __u32 chunk = id >> PW_CHUNK_SHIFT;
    __u32 index = pw_counter_index(bpf_get_smp_processor_id(), id);
    void *inner = bpf_map_lookup_elem(&counters, &chunk);
    struct pw_counter *c = inner ? bpf_map_lookup_elem(inner, &index) : NULL;

    if (!c)
        return;
    c->packets += pw_segments(ctx);
    c->bytes += pw_length(ctx);
}

/* What a filter with `log` decided, and whatever was dropped without one. */
static __always_inline bool pw_is_logged(const struct pw_verdict *v)
{
    return v->match.w ? v->match.marks & IMG_MARK_LOG : v->block;
}

static __always_inline __u32 pw_log_flags(const struct pw_meta *meta, const struct pw_verdict *v)
{
    bool forwarded = !meta->egress && v->match.w && !v->dst_me;

    return meta->log_flags | (meta->egress ? PW_RECORD_EGRESS : 0) |
           (forwarded ? PW_RECORD_FORWARDED : 0) |
           (meta->egress && meta->judged ? PW_RECORD_MASQUERADED : 0) |
           (meta->ethernet ? PW_LOG_ETHERNET : 0);
}

/* Counts and logs the verdict; whether the packet is dropped. */
static __always_inline bool pw_finish(struct pw_ctx *ctx, const struct img_header *h,
                                      struct pw_packet *p, const struct pw_meta *meta,
                                      struct pw_verdict *v)
{
    bool egress = meta->egress;
    __u32 id = (__u32)v->match.id;

    if (v->match.w && id != IMG_NO_COUNTER && (h->flags & IMG_COUNTERS))
        pw_count(ctx, id);
    if (v->block)
        pw_stat(ctx, egress, v->reason & (PW_STAT_MAX - 1));
    else if (v->kind != PW_QUIET)
        pw_stat(ctx, egress, v->kind == PW_EXEMPT ? PW_STAT_EXEMPT_ND : PW_STAT_PASSED);
    pw_scan(ctx, p, meta, v);
    if (pw_unlikely(pw_is_logged(v)) && pw_may_log(v, (const void *)(h + IMG_LOG_LINE)))
        pw_log(ctx, p, v, (__u32)h->generation, pw_log_flags(meta, v));
    return v->block;
}

/* Programs are attached only when an image is in force, so its absence is a malfunction: IP
 * packets are dropped, everything else is not ours. */
static __always_inline bool pw_no_image(struct pw_ctx *ctx, bool egress)
{
    struct pw_packet p = {0};

    if (pw_parse(ctx, &p) == 0 && !p.family)
        return false;
    pw_stat(ctx, egress, PW_DROP_INTERNAL);
    return true;
}
