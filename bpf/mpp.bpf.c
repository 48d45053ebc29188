/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory pressure protection: a stamp for every TCP connection with the settings of the moment it
 * was made (sockops at the root of cgroup2), and the look at all connections that measures, ranks
 * and ends (iter/tcp). Loaded by src/mpp. Invariants: a connection is ended only if its stamp says
 * that it is a candidate; everything a record says is read before the socket is destroyed, which
 * unhashes it; one look at a time runs, so that its sums need no atomic operations. */
#include <linux/types.h>
#include <stdbool.h>

#include "mpp_kernel.h" /* before what includes linux/in6.h by another way */

#include <bpf/bpf_endian.h>

#include "mpp_maps.h"
#include "mpp_score.h"
#include "scan_maps.h"

/* Filled in before loading. */
const volatile __u64 mpp_netns; /* cookie: other namespaces below the cgroup are not ours */

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct mpp_stamp);
} mpp_stamps SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, __u64);
    __type(value, struct mpp_source);
} mpp_sources SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct mpp_scan);
} mpp_scan SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct mpp_sums);
} mpp_sums SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 22);
} mpp_ring SEC(".maps");

/* --- stamps --- */

static __always_inline bool mpp_is_mapped(const __u32 a[4])
{
    return !a[0] && !a[1] && a[2] == bpf_htonl(0xffff);
}

/* Key of a source: the IPv4 address, or the upper half of the IPv6 one. a in network order. */
static __always_inline __u64 mpp_source_of(__u32 ipv6, const __u32 a[4])
{
    return ipv6 ? (__u64)bpf_ntohl(a[0]) << 32 | bpf_ntohl(a[1]) : bpf_ntohl(a[0]);
}

/* A completed handshake proves its prefix, and is what a proven prefix is charged with. */
static __always_inline void mpp_prove(__u32 ipv6, __u64 source, __u32 ifindex, __u64 now)
{
    __u64 prefix = ipv6 ? source : source >> 8;
    struct mpp_rate *r = bpf_map_lookup_elem(&mpp_conn_rate, &prefix);

    if (!r) {
        struct mpp_rate fresh = {.last_ns = now, .full_ns = now + MPP_RATE_NS};

        bpf_map_update_elem(&mpp_conn_rate, &prefix, &fresh, BPF_NOEXIST);
        return;
    }
    bool proven = now - r->last_ns < MPP_PROVEN_NS;
    r->last_ns = now;
    mpp_charge(&r->full_ns, now, MPP_RATE_NS, MPP_RATE_BURST);
    struct mpp_ifrule *i = bpf_map_lookup_elem(&mpp_ifaces, &ifindex);
    if (proven && i && i->rate)
        mpp_charge(&i->full_ns, now, 1000000000 / i->rate, 2000000000);
}

static __always_inline void mpp_stamp_new(struct bpf_sock_ops *ops, struct mpp_stamp *s,
                                          __u32 ifindex)
{
    const struct mpp_control *c = mpp_the_control();
    const struct mpp_ruleset *r = c ? mpp_rules_now(c) : NULL;
    __u32 peer[4] = {ops->remote_ip4, 0, 0, 0};
    __u32 ipv6 = 0;

    if (ops->family == MPP_AF_INET6) {
        peer[0] = ops->remote_ip6[0];
        peer[1] = ops->remote_ip6[1];
        peer[2] = ops->remote_ip6[2];
        peer[3] = ops->remote_ip6[3];
        ipv6 = !mpp_is_mapped(peer);
        if (!ipv6)
            peer[0] = peer[3];
    }
    if (!r)
        return;
    s->born_ns = s->progress_ns = bpf_ktime_get_ns();
    s->ifindex = ifindex;
    s->generation = r->generation;
    s->flags = mpp_flags_now(r, ipv6, (__u16)ops->local_port, ifindex);
    mpp_count_n(MPP_N_STAMPED, 1);
    if (ops->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) {
        mpp_prove(ipv6, mpp_source_of(ipv6, peer), ifindex, s->born_ns);
        scan_prove(mpp_source_of(ipv6, peer), s->born_ns);
    }
}

SEC("sockops")
int mpp_sockops(struct bpf_sock_ops *ops)
{
    if (ops->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB &&
        ops->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
        return 1;
    if (bpf_get_netns_cookie(ops) != mpp_netns)
        return 1;
    struct bpf_sock *sk = ops->sk;
    if (!sk || !bpf_cast_to_kern_ctx)
        return 1;
    struct mpp_stamp *s = bpf_sk_storage_get(&mpp_stamps, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!s) {
        mpp_count_n(MPP_N_ERRORS, 1);
        return 1;
    }
    /* The last packet of the handshake: where the connection comes in. */
    struct bpf_sock_ops_kern *kern = bpf_cast_to_kern_ctx(ops);
    struct sk_buff *skb = kern->skb;
    mpp_stamp_new(ops, s, skb ? (__u32)BPF_CORE_READ(skb, skb_iif) : 0);
    return 1;
}

/* --- a look at one connection --- */

static __always_inline void mpp_copy6(const struct in6_addr *from, __u32 to[4])
{
    to[0] = from->in6_u.u6_addr32[0];
    to[1] = from->in6_u.u6_addr32[1];
    to[2] = from->in6_u.u6_addr32[2];
    to[3] = from->in6_u.u6_addr32[3];
}

static __always_inline void mpp_read_ends(struct sock_common *skc, struct mpp_record *r)
{
    __u32 *local = (__u32 *)r->local, *peer = (__u32 *)r->peer;

    r->lport = skc->skc_num;
    r->rport = bpf_ntohs(skc->skc_dport);
    r->state = skc->skc_state;
    r->family = 4;
    if (skc->skc_family == MPP_AF_INET6) {
        mpp_copy6(&skc->skc_v6_daddr, peer);
        mpp_copy6(&skc->skc_v6_rcv_saddr, local);
        if (!mpp_is_mapped(peer)) {
            r->family = 6;
            return;
        }
        __builtin_memset(peer, 0, 16);
        __builtin_memset(local, 0, 16);
    }
    peer[0] = skc->skc_daddr;
    local[0] = skc->skc_rcv_saddr;
}

static __always_inline void mpp_read_look(struct tcp_sock *tp, __u8 state, struct mpp_look *l)
{
    struct sock *sk = (struct sock *)tp;

    l->queued = (__u32)sk->sk_wmem_queued;
    l->snd_wnd = tp->snd_wnd;
    l->mss = tp->mss_cache;
    l->in_flight = tp->packets_out;
    l->rtt_us = tp->rtt_min.s[0].v + 1 ? tp->rtt_min.s[0].v : 0; /* ~0: none was measured */
    l->acked = tp->bytes_acked;
    l->received = tp->bytes_received;
    l->retransmits = tp->inet_conn.icsk_retransmits;
    /* A connection that nobody has accepted yet has no descriptor either. */
    l->orphan = !sk->sk_socket && state != MPP_TCP_ESTABLISHED && state != MPP_TCP_CLOSE_WAIT;
}

/* Older than the programs, or settings are to hold for all. */
static __always_inline void mpp_stamp_again(struct tcp_sock *tp, const struct mpp_scan *scan,
                                            struct mpp_record *r, struct mpp_stamp *s, __u64 now)
{
    const struct mpp_control *c = mpp_the_control();
    const struct mpp_ruleset *rules = c ? mpp_rules_now(c) : NULL;
    struct sock *sk = (struct sock *)tp;
    __u32 adopted = s->flags & MPP_STAMP_ADOPTED;

    if (s->born_ns && !(scan->what & MPP_DO_RESTAMP))
        return;
    if (!s->born_ns) {
        s->born_ns = s->progress_ns = now;
        s->ifindex = bpf_core_field_exists(sk->sk_rx_dst_ifindex) ? sk->sk_rx_dst_ifindex : 0;
        adopted = MPP_STAMP_ADOPTED;
        mpp_count_n(MPP_N_ADOPTED, 1);
    }
    if (!rules) {
        s->flags = MPP_STAMP_OFF | adopted;
        return;
    }
    s->generation = rules->generation;
    s->flags = mpp_flags_now(rules, r->family == 6, r->lport, s->ifindex) | adopted;
}

static __always_inline __u32 mpp_kept_now(const struct mpp_record *r)
{
    const __u32 *peer = (const __u32 *)r->peer;
    const struct mpp_control *c = mpp_the_control();
    const struct mpp_ruleset *rules = c ? mpp_rules_now(c) : NULL;

    if (r->family == 4 ? r->peer[0] == 127
                       : !peer[0] && !peer[1] && !peer[2] && peer[3] == bpf_htonl(1))
        return MPP_STAMP_KEPT;
    return rules && mpp_is_kept(rules, r->lport) ? MPP_STAMP_KEPT : 0;
}

/* Since when nothing is drained. After a scan that did not see it there is no history. */
static __always_inline __u32 mpp_stall(struct mpp_stamp *s, const struct mpp_look *l, __u32 epoch,
                                       __u64 now)
{
    bool known = s->epoch == epoch || s->epoch + 1 == epoch;

    s->epoch = epoch;
    if (!known || l->queued < MPP_MIN_QUEUED || mpp_is_ours(l) ||
        l->acked - s->acked >= MPP_MIN_PROGRESS) {
        s->progress_ns = now;
        s->acked = l->acked;
    }
    return (__u32)((now - s->progress_ns) / 1000000);
}

static __always_inline struct mpp_source *mpp_source_at(__u64 key, __u32 epoch)
{
    struct mpp_source *s = bpf_map_lookup_elem(&mpp_sources, &key);

    if (!s) {
        struct mpp_source fresh = {.epoch = epoch};

        bpf_map_update_elem(&mpp_sources, &key, &fresh, BPF_NOEXIST);
        return bpf_map_lookup_elem(&mpp_sources, &key);
    }
    if (s->epoch != epoch) {
        s->stalled_before = s->epoch + 1 == epoch ? s->stalled : 0;
        s->unused_before = s->epoch + 1 == epoch ? s->unused : 0;
        s->stalled = s->unused = 0;
        s->epoch = epoch;
    }
    return s;
}

/* How many of the same source are like this one: as the last look said, or this one so far. */
static __always_inline __u32 mpp_same(const struct mpp_record *r, __u32 epoch, bool unused)
{
    struct mpp_source *s =
        mpp_source_at(mpp_source_of(r->family == 6, (const __u32 *)r->peer), epoch);

    if (!s)
        return 1;
    __u32 now = unused ? ++s->unused : ++s->stalled;
    __u32 before = unused ? s->unused_before : s->stalled_before;
    return now > before ? now : before;
}

static __always_inline void mpp_tally_spared(const struct mpp_record *r, bool stalls,
                                             struct mpp_sums *sums)
{
    if (r->flags & MPP_STAMP_EXEMPT)
        sums->exempt++;
    else if (r->flags & (MPP_STAMP_OFF | MPP_STAMP_IF_OFF))
        sums->off++;
    else if (r->flags & MPP_STAMP_SPARED)
        sums->spared++;
    else
        sums->kept++;
    if (stalls && r->queued > sums->spared_top_bytes) {
        sums->spared_top_bytes = r->queued;
        sums->spared_top_if = r->ifindex;
        sums->spared_top_port = r->lport;
    }
}

static __always_inline void mpp_tally(const struct mpp_record *r, const struct mpp_look *l,
                                      struct mpp_sums *sums)
{
    __u32 is = r->flags & (MPP_STAMP_SETTINGS | MPP_STAMP_KEPT) ? 1 : 0;
    bool stalls = r->stall_ms >= mpp_short_ms(l);

    sums->conns[is]++;
    sums->queued += l->queued;
    if (r->state == MPP_TCP_ESTABLISHED) {
        sums->established++;
        if (!l->received)
            sums->unused[is]++;
    }
    if (r->flags & MPP_STAMP_ADOPTED)
        sums->adopted++;
    if (stalls)
        sums->stalled[is] += l->queued;
    if (l->orphan && !is)
        sums->orphans += l->queued;
    if (is)
        mpp_tally_spared(r, stalls, sums);
}

/* Whom only the connection's peer is to blame for, and for long. */
static __always_inline bool mpp_is_blamed(const struct mpp_scan *scan, const struct mpp_record *r,
                                          const struct mpp_stamp *s)
{
    if (!(scan->what & MPP_DO_RESTRICTED))
        return true;
    return r->reason != MPP_R_NO_PROGRESS && r->stall_ms >= scan->old_ms &&
           (s->progress_ns < scan->pressure_ns || r->same >= scan->old_same);
}

/* Unused, and so are many of its source; or the machine asks for the oldest. */
static __always_inline bool mpp_judge_idle(const struct mpp_scan *scan, const struct mpp_look *l,
                                           struct mpp_record *r, struct mpp_sums *sums)
{
    __u64 age_ms = (r->time_ns - r->born_ns) / 1000000;

    if (l->received || l->queued >= MPP_MIN_QUEUED || r->state != MPP_TCP_ESTABLISHED ||
        age_ms < scan->idle_ms)
        return false;
    sums->unused_old++;
    r->same = mpp_same(r, scan->epoch, true);
    r->reason = MPP_R_IDLE;
    r->stall_ms = (__u32)age_ms;
    return scan->what & MPP_DO_IDLE && r->same > scan->idle_same;
}

static __always_inline bool mpp_judge_slow(const struct mpp_scan *scan, const struct mpp_look *l,
                                           struct mpp_record *r)
{
    if (!(scan->what & MPP_DO_SLOW) || mpp_is_ours(l) || l->queued < MPP_MIN_QUEUED ||
        mpp_drain_s(l->queued, l->acked, (r->time_ns - r->born_ns) / 1000000) < MPP_SLOW_S)
        return false;
    r->reason = MPP_R_SLOW_DRAIN;
    return true;
}

/* Whether it is over the cutoff; fills reason, score and the histogram. */
static __always_inline bool mpp_judge(const struct mpp_scan *scan, const struct mpp_look *l,
                                      const struct mpp_stamp *s, struct mpp_record *r,
                                      struct mpp_sums *sums)
{
    if (r->flags & (MPP_STAMP_SETTINGS | MPP_STAMP_KEPT) ||
        (l->orphan && scan->what & MPP_DO_SKIP_ORPHANS))
        return false;
    if (l->queued < MPP_MIN_QUEUED)
        return mpp_judge_idle(scan, l, r, sums);
    /* From the short stall on, so that the count is known when the first of them is over its floor.
     */
    if (r->stall_ms >= mpp_short_ms(l)) {
        r->same = mpp_same(r, scan->epoch, false);
        sums->crowd[r->same >= MPP_SAME_MAX]++;
    }
    __u32 floor_ms = mpp_floor_for(l, r->same, scan->floor_ms, scan->many_ms);
    if (r->stall_ms < mpp_floor_ms(l, floor_ms))
        return mpp_judge_slow(scan, l, r);
    r->score = mpp_score_of(r->stall_ms, r->same);
    r->reason = (__u8)mpp_reason_of(l);
    if (!mpp_is_blamed(scan, r, s))
        return false;
    __u32 bucket = mpp_bucket_of(r->score, r->same);
    barrier_var(bucket); /* clang knows the largest score, the verifier does not */
    if (bucket < MPP_BUCKETS) {
        sums->hist[bucket] += l->queued;
        sums->hist_conns[bucket]++;
    }
    return bucket >= scan->cutoff;
}

/* --- the end of one --- */

static __always_inline bool mpp_tell(const struct mpp_record *r)
{
    struct mpp_record *to = bpf_ringbuf_reserve(&mpp_ring, sizeof(*to), 0);

    if (!to)
        return false;
    *to = *r;
    bpf_ringbuf_submit(to, BPF_RB_NO_WAKEUP);
    return true;
}

/* What the agent ends itself, by sock_diag: all, or what is no full socket. */
static __always_inline bool mpp_is_readers(const struct mpp_scan *scan, const struct mpp_record *r)
{
    return scan->what & MPP_DO_BY_READER || r->state == MPP_TCP_TIME_WAIT ||
           r->state == MPP_TCP_NEW_SYN_RECV;
}

static __always_inline void mpp_end(struct sock_common *skc, const struct mpp_scan *scan,
                                    const struct mpp_record *r, struct mpp_sums *sums)
{
    if (sums->killed >= scan->budget_kills)
        return;
    if (!mpp_is_readers(scan, r)) {
        if (!bpf_sock_destroy || bpf_sock_destroy(skc)) {
            sums->errors++;
            mpp_count_n(MPP_N_ERRORS, 1);
            return;
        }
        mpp_count_n(MPP_N_KILLED, 1);
        mpp_count_n(MPP_N_KILLED_BYTES, r->queued);
        mpp_count_n(MPP_N_REASON + (r->reason & 7), 1);
    }
    if (mpp_tell(r)) {
        sums->killed++;
        sums->killed_bytes += r->queued;
    } else if (!mpp_is_readers(scan, r)) {
        sums->killed++;
        sums->killed_bytes += r->queued;
        mpp_count_n(MPP_N_LOST, 1);
    }
}

static __always_inline void mpp_listener(struct tcp_sock *tp, struct mpp_sums *sums)
{
    struct sock *sk = (struct sock *)tp;
    __u32 waiting = sk->sk_ack_backlog, most = sk->sk_max_ack_backlog;

    sums->backlog += waiting;
    if (waiting >= most)
        sums->backlog_full++;
}

static __always_inline void mpp_connection(struct seq_file *seq, struct sock_common *skc,
                                           struct tcp_sock *tp, const struct mpp_scan *scan,
                                           struct mpp_sums *sums)
{
    struct mpp_record r = {.time_ns = bpf_ktime_get_ns()};
    struct mpp_look l = {};
    struct mpp_stamp *s =
        bpf_sk_storage_get(&mpp_stamps, (struct sock *)tp, 0, BPF_SK_STORAGE_GET_F_CREATE);

    if (!s) {
        sums->errors++;
        return;
    }
    mpp_read_ends(skc, &r);
    mpp_read_look(tp, r.state, &l);
    mpp_stamp_again(tp, scan, &r, s, r.time_ns);
    r.born_ns = s->born_ns;
    r.ifindex = s->ifindex;
    r.generation = s->generation;
    r.flags = (__u8)(s->flags | mpp_kept_now(&r));
    r.queued = l.queued;
    r.snd_wnd = l.snd_wnd;
    r.stall_ms = mpp_stall(s, &l, scan->epoch, r.time_ns);
    mpp_tally(&r, &l, sums);
    bool over = mpp_judge(scan, &l, s, &r, sums);
    r.cookie = bpf_get_socket_cookie(tp);
    if (scan->what & MPP_DO_LIST) {
        r.over = over;
        bpf_seq_write(seq, &r, sizeof(r));
    } else if (over && scan->what & (MPP_DO_PRUNE | MPP_DO_IDLE | MPP_DO_SLOW) &&
               sums->killed_bytes < scan->budget_bytes) {
        mpp_end(skc, scan, &r, sums);
    }
}

/* Half-open connections and TIME_WAIT of a source that is condemned. They have no stamp and no
 * interface: what settings say about port and family holds; whatever the source has on interfaces
 * that are spared is not counted among what condemns it. */
static __always_inline void mpp_leftover(struct sock_common *skc, const struct mpp_scan *scan,
                                         struct mpp_sums *sums)
{
    struct mpp_record r = {.time_ns = bpf_ktime_get_ns()};
    const struct mpp_control *c = mpp_the_control();
    const struct mpp_ruleset *rules = c ? mpp_rules_now(c) : NULL;

    if (!rules || !(scan->what & MPP_DO_PRUNE) || scan->what & MPP_DO_RESTRICTED)
        return;
    mpp_read_ends(skc, &r);
    __u64 key = mpp_source_of(r.family == 6, (const __u32 *)r.peer);
    const struct mpp_source *s = bpf_map_lookup_elem(&mpp_sources, &key);
    if (!s || s->epoch + 1 < scan->epoch)
        return;
    r.same = s->stalled > s->stalled_before ? s->stalled : s->stalled_before;
    r.flags = (__u8)(mpp_flags_now(rules, r.family == 6, r.lport, 0) | mpp_kept_now(&r));
    if (r.same < MPP_BAN_SAME || r.flags & (MPP_STAMP_SETTINGS | MPP_STAMP_KEPT))
        return;
    r.born_ns = r.time_ns;
    r.generation = rules->generation;
    r.reason = r.state == MPP_TCP_TIME_WAIT ? MPP_R_ORPHAN : MPP_R_NO_ACK;
    r.cookie = bpf_get_socket_cookie(skc);
    mpp_end(skc, scan, &r, sums);
}

SEC("?iter/tcp")
int mpp_look_at(struct bpf_iter__tcp *ctx)
{
    struct sock_common *skc = ctx->sk_common;
    __u32 zero = 0;
    const struct mpp_scan *scan = bpf_map_lookup_elem(&mpp_scan, &zero);
    struct mpp_sums *sums = bpf_map_lookup_elem(&mpp_sums, &zero);

    if (!skc || !scan || !sums)
        return 0;
    __u8 state = skc->skc_state;
    if (state == MPP_TCP_TIME_WAIT) {
        sums->time_wait++;
        mpp_leftover(skc, scan, sums);
        return 0;
    }
    if (state == MPP_TCP_NEW_SYN_RECV) {
        sums->syn_recv++;
        mpp_leftover(skc, scan, sums);
        return 0;
    }
    struct tcp_sock *tp = bpf_skc_to_tcp_sock(skc);
    if (!tp)
        return 0;
    if (state == MPP_TCP_LISTEN)
        mpp_listener(tp, sums);
    else
        mpp_connection(ctx->meta->seq, skc, tp, scan, sums);
    return 0;
}

/* --- the limits of TCP memory --- */

/* Where the kernel keeps them: every TCP socket knows. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} mpp_limits_at SEC(".maps");

/* Over the files of the agent, which holds a TCP socket for this. */
SEC("?iter/task_file")
int mpp_find_limits(struct bpf_iter__task_file *ctx)
{
    struct file *file = ctx->file;
    struct socket *socket = file ? bpf_sock_from_file(file) : NULL;
    __u32 zero = 0;

    if (!socket)
        return 0;
    struct sock *sk = BPF_CORE_READ(socket, sk);
    if (!sk || BPF_CORE_READ(sk, sk_protocol) != MPP_IPPROTO_TCP)
        return 0;
    __u64 at = (__u64)BPF_CORE_READ(sk, __sk_common.skc_prot, sysctl_mem);
    bpf_map_update_elem(&mpp_limits_at, &zero, &at, BPF_ANY);
    return 0;
}

/* Run by the agent itself; 0 = they were read. */
SEC("?syscall")
int mpp_read_limits(struct mpp_limits *ctx)
{
    __u32 zero = 0;
    const __u64 *at = bpf_map_lookup_elem(&mpp_limits_at, &zero);
    long pages[3] = {};

    if (!at || bpf_probe_read_kernel(pages, sizeof(pages), (const void *)*at) < 0)
        return 1;
    ctx->pages[0] = (__u64)pages[0];
    ctx->pages[1] = (__u64)pages[1];
    ctx->pages[2] = (__u64)pages[2];
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
