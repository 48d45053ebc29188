/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reply state of `keep state` (datapath.md 9): a permit with the mark makes an entry, an answer is
 * asked about before it is dropped. A program hands the packet over by a tail call, so that its own
 * way stays short for the verifier and for packets that have nothing to do with state. Included by
 * bpf/classify.bpf.c and bpf/guard.bpf.c with their side of sockets (state_skb.h, state_nf.h).
 * Invariants: a dropped packet makes no entry; whatever fails here leaves a block a block. */
#pragma once
#include "finish.h"
#include "flow.h"

/* One packet on its way through the state programs. */
struct pw_work {
    __u64 owner; /* the packet; 0 = free */
    __u64 now_ns;
    struct pw_packet packet;
    struct pw_meta meta;
    struct pw_verdict v;
    /* The flow that the packet answers. */
    struct pw_flow flow;
    struct pw_entry entry;
    __u32 where;   /* PW_IN_* */
    __u32 changed; /* the entry was judged again */
    __u32 epoch;   /* of the image that judged the packet */
    __u32 is_error;
    __u32 bits;
    __u32 _pad;
    /* Its forward packet, judged again. */
    struct pw_packet forward;
    struct pw_meta forward_meta;
    struct pw_verdict again;
};

_Static_assert(sizeof(struct pw_work) <= PW_WORK_BYTES, "the loader looks at the size");

/* pw_work.where: a table, or */
enum {
    PW_IN_SOCKET = PW_TABLES,
    PW_IN_ACCEPTED,  /* a connection to this host that is not stamped */
    PW_IN_TIME_WAIT, /* the socket is closed and carries no stamp */
    PW_IN_NOTHING,
};

/* Packets at work on one CPU: soft interrupts come between, and packets that answer packets. */
enum { PW_WORKS = 4 };

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, PW_WORKS);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, PW_WORK_BYTES);
} state_work SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, PW_NEW_MAX);
    __type(key, struct pw_flow);
    __type(value, struct pw_entry);
} lo_new SEC(".maps"), re_new SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, PW_EST_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct pw_flow);
    __type(value, struct pw_entry);
} lo_est SEC(".maps"), re_est SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, PW_SHARES_MAX);
    __type(key, struct pw_share);
    __type(value, __u32);
} state_shares SEC(".maps");

/* --- what the program's side of sockets defines --- */

/* Identity of the packet, for as long as it is at work. */
static __always_inline __u64 pw_identity(struct pw_ctx *ctx);
/* w->meta, from w->bits and from what the context still says. */
static __always_inline void pw_meta_again(struct pw_ctx *ctx, struct pw_work *w);
/* User who sent the packet. */
static __always_inline __u32 pw_user(struct pw_ctx *ctx);
/* Looks for the connection of w->flow, whose source (lo) or destination is here; fills w->entry.
 * Result as w->where. */
int pw_socket_find(struct pw_ctx *ctx, struct pw_work *w, __u32 lo);
/* 1 if a socket of this host carries the state of a TCP packet that was permitted. */
int pw_socket_note(struct pw_ctx *ctx, struct pw_work *w);
/* Writes w->entry into the stamp of the connection, or takes the stamp away. */
int pw_socket_write(struct pw_ctx *ctx, struct pw_work *w, __u32 keep);

/* --- handing over --- */

static __always_inline struct pw_work *pw_work_of(__u64 owner, __u64 take)
{
    for (__u32 i = 0; i < PW_WORKS; i++) {
        __u32 n = i;
        struct pw_work *w = bpf_map_lookup_elem(&state_work, &n);

        if (w && (take ? __sync_val_compare_and_swap(&w->owner, 0, take) == 0 : w->owner == owner))
            return w;
    }
    return NULL;
}

/* State may change the verdict, or the verdict may change state. */
static __always_inline bool pw_concerns_state(const struct img_header *h,
                                              const struct pw_verdict *v)
{
    if (!(h->flags & IMG_KEEP_STATE))
        return false;
    if (!v->block)
        return v->match.marks & IMG_MARK_STATE && (v->match.w & 3) == PW_ACTION_PERMIT;
    return v->reason == PW_DROP_FILTER || v->reason == PW_DROP_TIMED_BLOCK ||
           v->reason == PW_DROP_OVERRIDE;
}

/* Puts the packet on the way. A function of its own, since the caller is short of stack. bits:
 * of pw_meta, as pw_meta_again() of the program understands them. */
__noinline int pw_put_on_the_way(struct pw_ctx *ctx, const struct pw_packet *p,
                                 const struct pw_verdict *v, __u32 epoch, __u32 bits)
{
    struct pw_work *w = p && v ? pw_work_of(0, pw_identity(ctx)) : NULL;

    if (!w)
        return -1;
    w->packet = *p;
    w->v = *v;
    w->epoch = epoch;
    w->bits = bits;
    return 0;
}

__noinline int pw_take_off_the_way(struct pw_ctx *ctx)
{
    struct pw_work *w = pw_work_of(pw_identity(ctx), 0);

    if (w)
        w->owner = 0;
    return 0;
}

/* Does not return if all is well: the program in slot 0 of `next` says what happens to the packet.
 * Else the verdict stays as it is. */
static __always_inline void pw_hand_over(struct pw_ctx *ctx, const struct img_header *h,
                                         const struct pw_packet *p, const struct pw_verdict *v,
                                         __u32 bits, void *next)
{
    if (pw_put_on_the_way(ctx, p, v, (__u32)h->state_epoch, bits) < 0)
        return;
    bpf_tail_call(ctx, next, 0);
    pw_take_off_the_way(ctx);
}

/* --- flows --- */

enum { PW_TCP_FIN = 1, PW_TCP_SYN = 2, PW_TCP_RST = 4, PW_TCP_ACK = 16 };

static __always_inline bool pw_is_opening(const struct pw_packet *p)
{
    return p->proto == 6 && (p->tcp_flags & (PW_TCP_SYN | PW_TCP_ACK)) == PW_TCP_SYN;
}

static __always_inline bool pw_is_icmp(const struct pw_packet *p)
{
    return p->proto == 1 || p->proto == 58;
}

static __always_inline __u8 pw_echo_type(__u8 family, bool reply)
{
    if (family == 4)
        return reply ? 0 : 8;
    return reply ? 129 : 128;
}

static __always_inline bool pw_is_icmp_error(const struct pw_packet *p)
{
    __u8 type = p->dport >> 8;

    if (p->l4 != PW_L4_ICMP)
        return false;
    return p->family == 4 ? type == 3 || type == 11 || type == 12 : type >= 1 && type <= 4;
}

/* Bytes behind the packet's layer 4 header begins. */
static __always_inline int pw_read_l4(struct pw_ctx *ctx, const struct pw_packet *p, __u32 at,
                                      __u32 n, union pw_bytes *h)
{
    if (!p->l4_at)
        return -1;
    return pw_load(ctx, h, p->net + p->l4_at * PW_L4_UNIT + at, n,
                   p->from_frame ? BPF_HDR_START_MAC : BPF_HDR_START_NET);
}

/* The packet's tuple into w->flow. Negative: packets like this one are in no flow. */
__noinline int pw_flow_of(struct pw_ctx *ctx, struct pw_work *w, __u32 reply)
{
    union pw_bytes h;

    if (!w)
        return -1;
    const struct pw_packet *p = &w->packet;
    struct pw_flow f = {
        .src_hi = p->src_hi,
        .src_lo = p->src_lo,
        .dst_hi = p->dst_hi,
        .dst_lo = p->dst_lo,
        .sport = p->sport,
        .dport = p->dport,
        .proto = p->proto,
        .family = p->family,
    };
    if (p->later_fragment)
        return -1;
    if (pw_is_icmp(p)) {
        if (p->dport >> 8 != pw_echo_type(p->family, reply) || pw_read_l4(ctx, p, 4, 2, &h) < 0)
            return -1;
        f.sport = f.dport = bpf_ntohs(h.half[0]);
    }
    w->flow = f;
    return 0;
}

static __always_inline void pw_reverse(struct pw_flow *f)
{
    struct pw_flow old = *f;

    f->src_hi = old.dst_hi;
    f->src_lo = old.dst_lo;
    f->dst_hi = old.src_hi;
    f->dst_lo = old.src_lo;
    f->sport = old.dport;
    f->dport = old.sport;
}

/* --- tables --- */

static __always_inline void *pw_table(__u32 n)
{
    switch (n) {
    case PW_LO_NEW:
        return &lo_new;
    case PW_LO_EST:
        return &lo_est;
    case PW_RE_NEW:
        return &re_new;
    default:
        return &re_est;
    }
}

static __always_inline bool pw_take_share(__u32 table, const struct pw_flow *f,
                                          const struct pw_entry *e)
{
    struct pw_share s = pw_share_of(table, f, e);
    bool is_new = table == PW_LO_NEW || table == PW_RE_NEW;
    __u32 one = 1, most = (is_new ? PW_NEW_MAX : PW_EST_MAX) / PW_SHARE;
    __u32 *n = bpf_map_lookup_elem(&state_shares, &s);

    if (!n)
        return bpf_map_update_elem(&state_shares, &s, &one, BPF_ANY) == 0;
    if (*n >= most)
        return false;
    __sync_fetch_and_add(n, 1);
    return true;
}

static __always_inline void pw_give_share(__u32 table, const struct pw_flow *f,
                                          const struct pw_entry *e)
{
    struct pw_share s = pw_share_of(table, f, e);
    __u32 *n = bpf_map_lookup_elem(&state_shares, &s);

    if (n && *n)
        __sync_fetch_and_add(n, -1);
}

/* The oldest of the first entries that come. */
struct pw_sample {
    struct pw_flow oldest;
    __u64 seen_ns;
    __u32 n;
    __u32 _pad;
};

static long pw_sample_one(void *map, struct pw_flow *f, struct pw_entry *e, struct pw_sample *s)
{
    (void)map;
    if (!s->n || e->last_seen_ns < s->seen_ns) {
        s->oldest = *f;
        s->seen_ns = e->last_seen_ns;
    }
    s->n = pw_forget(s->n) + 1; /* the verifier would count along */
    return s->n >= PW_EVICT_SAMPLE;
}

__noinline int pw_evict(__u32 lo)
{
    struct pw_sample s = {};

    if (lo)
        bpf_for_each_map_elem(&lo_est, pw_sample_one, &s, 0);
    else
        bpf_for_each_map_elem(&re_est, pw_sample_one, &s, 0);
    if (!s.n)
        return -1;
    return (int)bpf_map_delete_elem(pw_table(lo ? PW_LO_EST : PW_RE_EST), &s.oldest);
}

/* Puts w->entry into a table, within the owner's share. */
__noinline int pw_insert(struct pw_work *w, __u32 table)
{
    if (!w || !pw_take_share(table, &w->flow, &w->entry))
        return -1;
    long r = bpf_map_update_elem(pw_table(table), &w->flow, &w->entry, BPF_ANY);
    if (r == -7 /* E2BIG */ && (table == PW_LO_EST || table == PW_RE_EST) &&
        pw_evict(table == PW_LO_EST) == 0)
        r = bpf_map_update_elem(pw_table(table), &w->flow, &w->entry, BPF_ANY);
    if (r < 0)
        pw_give_share(table, &w->flow, &w->entry);
    return (int)r;
}

__noinline int pw_delete(struct pw_work *w, __u32 table)
{
    if (!w || bpf_map_delete_elem(pw_table(table), &w->flow) < 0)
        return -1;
    pw_give_share(table, &w->flow, &w->entry);
    return 0;
}

/* An entry of w->flow that is not silent for too long, into w->entry. */
__noinline int pw_lookup(struct pw_work *w, __u32 lo)
{
    if (!w)
        return PW_IN_NOTHING;
    for (int i = 0; i < 2; i++) {
        __u32 table = lo ? (i ? PW_LO_NEW : PW_LO_EST) : (i ? PW_RE_NEW : PW_RE_EST);
        const struct pw_entry *e = bpf_map_lookup_elem(pw_table(table), &w->flow);

        if (!e)
            continue;
        w->entry = *e;
        if (w->now_ns - e->last_seen_ns < pw_lifetime(w->flow.proto, e->flags) * 1000000000ULL)
            return (int)table;
        pw_delete(w, table);
    }
    return PW_IN_NOTHING;
}

/* Old enough to be written again. */
static __always_inline bool pw_is_stale(const struct pw_work *w)
{
    __u64 life = pw_lifetime(w->flow.proto, w->entry.flags) * 1000000000ULL;

    return w->now_ns - w->entry.last_seen_ns > life / 4;
}

/* --- permitted packets --- */

static __always_inline __u8 pw_meta_flags(const struct pw_meta *m)
{
    return (m->egress ? PW_FLOW_EGRESS : 0) | (m->judged ? PW_FLOW_JUDGED : 0) |
           (m->from_host ? PW_FLOW_FROM_HOST : 0) | (m->to_host ? PW_FLOW_TO_HOST : 0) |
           (m->not_me ? PW_FLOW_NOT_ME : 0) |
           (m->no_martian || m->accept_local ? PW_FLOW_NO_MARTIAN : 0);
}

/* What an entry says about its permit. */
static __always_inline bool pw_learn(struct pw_entry *e, const struct pw_match *m, __u32 epoch)
{
    __u32 id = (__u32)m->id;
    bool same = e->w == m->w && e->counter_id == id && e->epoch == epoch;

    e->w = m->w;
    e->counter_id = id;
    e->epoch = epoch;
    e->marks = (__u8)m->marks & (IMG_MARK_STATE | IMG_MARK_LOG);
    return !same;
}

static __always_inline __u8 pw_closing(const struct pw_packet *p, __u8 flags)
{
    if (pw_is_opening(p))
        return flags & ~PW_FLOW_CLOSING;
    if (p->proto == 6 && p->tcp_flags & (PW_TCP_FIN | PW_TCP_RST))
        return flags | PW_FLOW_CLOSING;
    return flags;
}

/* A packet that a permit with the mark lets through: its entry, new or as it is. */
__noinline int pw_state_note(struct pw_ctx *ctx, struct pw_work *w)
{
    if (!w || pw_flow_of(ctx, w, 0) < 0)
        return 0;
    const struct pw_packet *p = &w->packet;
    if (p->proto == 6 && pw_socket_note(ctx, w) > 0)
        return 0;
    __u32 lo = w->meta.egress;
    int table = pw_lookup(w, lo);
    if (table == PW_IN_NOTHING) {
        if (p->proto == 6 && !pw_is_opening(p))
            return 0;
        w->entry = (struct pw_entry){
            .last_seen_ns = w->now_ns,
            .flags = pw_meta_flags(&w->meta),
            .zone = w->meta.zone,
            .owner = lo ? pw_user(ctx) : 0,
        };
        pw_learn(&w->entry, &w->v.match, w->epoch);
        if (pw_insert(w, lo ? PW_LO_NEW : PW_RE_NEW) < 0)
            pw_stat(ctx, lo, PW_STAT_STATE_REFUSED);
        return 0;
    }
    __u8 flags = pw_closing(p, w->entry.flags);
    bool write = pw_learn(&w->entry, &w->v.match, w->epoch) || flags != w->entry.flags;
    w->entry.flags = flags;
    if (!write && !pw_is_stale(w))
        return 0;
    w->entry.last_seen_ns = w->now_ns;
    return (int)bpf_map_update_elem(pw_table((__u32)table), &w->flow, &w->entry, BPF_EXIST);
}

/* --- answers --- */

static __always_inline int pw_try(struct pw_ctx *ctx, struct pw_work *w, bool lo, bool sockets)
{
    int where = PW_IN_NOTHING;

    if (sockets && w->flow.proto == 6)
        where = pw_socket_find(ctx, w, lo);
    return where == PW_IN_NOTHING ? pw_lookup(w, lo) : where;
}

/* The tuple that an ICMP error quotes, into w->flow. 1 = of a packet that may have been forward, 2
 * = an answer, 3 = either. */
static __always_inline int pw_quoted4(struct pw_ctx *ctx, const struct pw_packet *p,
                                      union pw_bytes *h, struct pw_flow *f)
{
    if (pw_read_l4(ctx, p, 8, 20, h) < 0 || h->b[0] >> 4 != 4)
        return -1;
    if (bpf_ntohs(h->half[3]) & 0x1fff)
        return -1;
    f->src_lo = bpf_ntohl(h->word[3]);
    f->dst_lo = bpf_ntohl(h->word[4]);
    f->proto = h->b[9];
    return (h->b[0] & 15) * 4;
}

static __always_inline int pw_quoted6(struct pw_ctx *ctx, const struct pw_packet *p,
                                      union pw_bytes *h, struct pw_flow *f)
{
    if (pw_read_l4(ctx, p, 8, 40, h) < 0 || h->b[0] >> 4 != 6)
        return -1;
    f->proto = h->b[6];
    f->src_hi = bpf_be64_to_cpu(h->twice[1]);
    f->src_lo = bpf_be64_to_cpu(h->twice[2]);
    f->dst_hi = bpf_be64_to_cpu(h->twice[3]);
    f->dst_lo = bpf_be64_to_cpu(h->twice[4]);
    return 40;
}

enum { PW_QUOTES_FORWARD = 1, PW_QUOTES_ANSWER = 2 };

static __always_inline int pw_quoted_ports(const union pw_bytes *h, struct pw_flow *f)
{
    switch (f->proto) {
    case 6:
    case 17:
    case 33:
    case 132:
    case 136:
        f->sport = bpf_ntohs(h->half[0]);
        f->dport = bpf_ntohs(h->half[1]);
        break;
    case 1:
    case 58:
        f->sport = f->dport = bpf_ntohs(h->half[2]);
        if (h->b[0] == pw_echo_type(f->family, false))
            return PW_QUOTES_FORWARD;
        return h->b[0] == pw_echo_type(f->family, true) ? PW_QUOTES_ANSWER : 0;
    }
    return PW_QUOTES_FORWARD | PW_QUOTES_ANSWER;
}

__noinline int pw_quoted(struct pw_ctx *ctx, struct pw_work *w)
{
    union pw_bytes h;

    if (!w)
        return 0;
    const struct pw_packet *p = &w->packet;
    struct pw_flow f = {.family = p->family};
    int bytes = p->family == 4 ? pw_quoted4(ctx, p, &h, &f) : pw_quoted6(ctx, p, &h, &f);
    if (bytes < 20 || f.src_hi != p->dst_hi || f.src_lo != p->dst_lo)
        return 0;
    if (pw_read_l4(ctx, p, 8 + (__u32)bytes, 8, &h) < 0)
        return 0;
    int may_be = pw_quoted_ports(&h, &f);
    w->flow = f;
    return may_be;
}

static __always_inline int pw_find_quoted(struct pw_ctx *ctx, struct pw_work *w, bool me)
{
    int where = PW_IN_NOTHING, may_be = pw_quoted(ctx, w);

    w->is_error = 1;
    if (may_be & PW_QUOTES_FORWARD)
        where = pw_try(ctx, w, me, me);
    if (where != PW_IN_NOTHING || !(may_be & PW_QUOTES_ANSWER))
        return where;
    pw_reverse(&w->flow);
    return pw_try(ctx, w, w->meta.egress, me);
}

/* The flow that a blocked packet belongs to. */
__noinline int pw_state_find(struct pw_ctx *ctx, struct pw_work *w)
{
    if (!w)
        return PW_IN_NOTHING;
    bool egress = w->meta.egress, me = !egress && w->v.dst_me;

    w->is_error = 0;
    if (w->packet.later_fragment || pw_is_opening(&w->packet))
        return PW_IN_NOTHING;
    if (pw_is_icmp_error(&w->packet))
        return pw_find_quoted(ctx, w, me);
    if (pw_flow_of(ctx, w, 1) < 0)
        return PW_IN_NOTHING;
    pw_reverse(&w->flow);
    return pw_try(ctx, w, me, egress || me);
}

/* The forward packet of w->flow, as it was judged. */
__noinline int pw_state_forward(struct pw_work *w)
{
    if (!w)
        return 0;
    const struct pw_flow *f = &w->flow;
    __u8 flags = w->entry.flags;
    struct pw_packet p = {
        .src_hi = f->src_hi,
        .src_lo = f->src_lo,
        .dst_hi = f->dst_hi,
        .dst_lo = f->dst_lo,
        .family = f->family,
        .proto = f->proto,
        .hop_limit = 64,
    };
    if (f->proto == 1 || f->proto == 58) {
        p.l4 = PW_L4_ICMP;
        p.dport = (__u16)(pw_echo_type(f->family, false) << 8);
    } else if (f->proto == 6 || f->proto == 17 || f->proto == 33 || f->proto == 132 ||
               f->proto == 136) {
        p.l4 = PW_L4_PORTS;
        p.sport = f->sport;
        p.dport = f->dport;
    }
    w->forward = p;
    w->forward_meta = (struct pw_meta){
        .egress = !!(flags & PW_FLOW_EGRESS),
        .judged = !!(flags & PW_FLOW_JUDGED),
        .from_host = !!(flags & PW_FLOW_FROM_HOST),
        .to_host = !!(flags & PW_FLOW_TO_HOST),
        .not_me = !!(flags & PW_FLOW_NOT_ME),
        .no_martian = !!(flags & PW_FLOW_NO_MARTIAN),
        .zone = w->entry.zone,
    };
    return 0;
}

/* The filters have changed since: the forward packet is judged under this image. */
static __always_inline bool pw_is_still_permitted(void *image, const struct img_header *h,
                                                  struct pw_work *w)
{
    const struct pw_match *m = &w->again.match;

    pw_state_forward(w);
    pw_judge(image, h, &w->forward, &w->forward_meta, &w->again);
    if (w->again.block || !(m->marks & IMG_MARK_STATE) || (m->w & 3) != PW_ACTION_PERMIT)
        return false;
    pw_learn(&w->entry, m, (__u32)h->state_epoch);
    w->changed = 1;
    return true;
}

/* Replies do not beat bans: the block is more specific in its addresses (field A), or of a higher
 * tier. */
static __always_inline bool pw_beats(__u64 block, __u64 permit)
{
    if (block >> 32 != permit >> 32)
        return block >> 32 > permit >> 32;
    return (__u32)block >> 23 > (__u32)permit >> 23;
}

/* Field B of the side that is not this host. */
static __always_inline bool pw_names_peer(__u64 w, bool egress)
{
    __u32 a = (__u32)w >> 23, b = ((__u32)w >> 15) & 255;

    return (egress ? a - b : b) > 0;
}

/* An answer passes: the entry lives on, in the table of those that were answered. */
__noinline int pw_state_answered(struct pw_ctx *ctx, struct pw_work *w)
{
    if (!w)
        return 0;
    __u32 table = w->where;
    if (table >= PW_TABLES)
        return w->changed ? pw_socket_write(ctx, w, 1) : 0;
    bool is_new = table == PW_LO_NEW || table == PW_RE_NEW;
    bool stale = pw_is_stale(w);
    w->entry.last_seen_ns = w->now_ns;
    if (is_new && !w->is_error) {
        struct pw_entry before = w->entry;
        w->entry.flags |= PW_FLOW_ANSWERED;
        if (pw_insert(w, table + 1) == 0)
            return pw_delete(w, table);
        w->entry = before;
    }
    if (!stale && !w->changed)
        return 0;
    return (int)bpf_map_update_elem(pw_table(table), &w->flow, &w->entry, BPF_EXIST);
}

__noinline int pw_state_forget(struct pw_ctx *ctx, struct pw_work *w)
{
    if (!w)
        return 0;
    return w->where < PW_TABLES ? pw_delete(w, w->where) : pw_socket_write(ctx, w, 0);
}

static __always_inline void pw_pass(struct pw_verdict *v, __u64 w, __u32 counter_id, __u8 marks)
{
    v->block = 0;
    v->reason = 0;
    v->kind = PW_PASSED;
    v->match.w = w;
    v->match.id = counter_id;
    v->match.marks = marks;
}

static __always_inline void pw_state_ask(struct pw_ctx *ctx, void *image,
                                         const struct img_header *h, struct pw_work *w)
{
    struct pw_verdict *v = &w->v;

    w->where = (__u32)pw_state_find(ctx, w);
    if (w->where == PW_IN_NOTHING)
        return;
    if (w->where == PW_IN_TIME_WAIT) {
        if (!w->is_error && !(w->packet.tcp_flags & PW_TCP_SYN) && v->reason != PW_DROP_OVERRIDE &&
            !pw_names_peer(v->match.w, w->meta.egress))
            pw_pass(v, 0, IMG_NO_COUNTER, 0);
        return;
    }
    bool unknown = w->where == PW_IN_ACCEPTED;
    w->changed = 0;
    if ((unknown || w->entry.epoch != (__u32)h->state_epoch) &&
        !pw_is_still_permitted(image, h, w)) {
        if (!unknown) {
            v->reason = PW_DROP_STATE_EXPIRED;
            pw_state_forget(ctx, w);
        }
        return;
    }
    if (pw_beats(v->match.w, w->entry.w))
        return;
    pw_state_answered(ctx, w);
    pw_pass(v, w->entry.w, w->entry.counter_id, w->entry.marks);
}

/* The state programs: whether the packet is dropped. */
static __always_inline bool pw_state(struct pw_ctx *ctx)
{
    struct pw_work *w = pw_work_of(pw_identity(ctx), 0);
    const struct img_header *h;
    void *image = pw_image_at(PW_ROOT_ACTIVE, &h);

    if (!w)
        return true;
    if (!image) {
        w->owner = 0;
        return true;
    }
    w->now_ns = bpf_ktime_get_boot_ns();
    pw_parse(ctx, &w->packet);
    pw_meta_again(ctx, w);
    if (w->v.block)
        pw_state_ask(ctx, image, h, w);
    else
        pw_state_note(ctx, w);
    bool dropped = pw_finish(ctx, h, &w->packet, &w->meta, &w->v);
    w->owner = 0;
    return dropped;
}
