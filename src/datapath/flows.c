/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listing, finding and deleting what `keep state` remembers, see datapath/flows.h. Called by the
 * agent for `portward state`. A table changes while it is walked: an entry may be missed or seen
 * twice, and the next walk sees it right. */
#include "flows.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <time.h>

#include "internal.h"
#include "model/packet.h"

_Static_assert((int)FLOW_OUT_NEW == (int)PW_LO_NEW && (int)FLOW_OUT_ANSWERED == (int)PW_LO_EST &&
                   (int)FLOW_IN_NEW == (int)PW_RE_NEW && (int)FLOW_IN_ANSWERED == (int)PW_RE_EST &&
                   (int)FLOW_TABLES == (int)PW_TABLES && MAP_LO_EST == MAP_LO_NEW + 1 &&
                   MAP_RE_NEW == MAP_LO_NEW + 2 && MAP_RE_EST == MAP_LO_NEW + 3,
               "tables have one order");

uint64_t flows_now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_BOOTTIME, &t); /* cannot fail with this clock */
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int flows_map(const struct datapath *dp, enum flow_table t)
{
    return dp->set.progs.map[MAP_LO_NEW + t];
}

bool flow_is_silent(const struct pw_flow *f, const struct pw_entry *e, uint64_t now_ns)
{
    /* Written on another CPU after our look at the clock: young. */
    return now_ns > e->last_seen_ns &&
           now_ns - e->last_seen_ns >= pw_lifetime(f->proto, e->flags) * 1000000000;
}

void flow_from(enum flow_table table, const struct pw_flow *f, const struct pw_entry *e,
               uint64_t now_ns, struct flow *ret)
{
    *ret = (struct flow){
        .table = table,
        .family = f->family == 4 ? FAMILY_4 : FAMILY_6,
        .src = {.hi = f->src_hi, .lo = f->src_lo},
        .dst = {.hi = f->dst_hi, .lo = f->dst_lo},
        .sport = f->sport,
        .dport = f->dport,
        .proto = f->proto,
        .out = e->flags & PW_FLOW_EGRESS,
        .counter_id = e->counter_id,
        .idle_ns = now_ns > e->last_seen_ns ? now_ns - e->last_seen_ns : 0,
    };
}

int flows_walk(int map_fd, flow_batch_fn *fn, void *arg)
{
    _cleanup_free_ struct flow_batch *b = malloc(sizeof(*b));
    /* The kernel wants room for a key, of which it uses four bytes as the number of a bucket. */
    struct pw_flow at = {0}, next = {0};
    bool first = true;
    int r = 0;

    if (!b)
        return -ENOMEM;
    for (bool more = true; more && r == 0; first = false) {
        b->n = FLOWS_BATCH;
        int e = bpf_map_lookup_batch(map_fd, first ? NULL : &at, &next, b->flows, b->entries, &b->n,
                                     NULL);
        more = e == 0;
        if (e < 0 && e != -ENOENT)
            return e;
        if (b->n > 0)
            r = fn(arg, b);
        at = next;
    }
    return r;
}

struct listing {
    flow_visitor *visit;
    void *arg;
    enum flow_table table;
    uint64_t now_ns;
};

static int list_batch(void *arg, const struct flow_batch *b)
{
    const struct listing *l = arg;
    int r = 0;

    for (uint32_t i = 0; i < b->n && r == 0; i++) {
        struct flow f;

        if (flow_is_silent(&b->flows[i], &b->entries[i], l->now_ns))
            continue;
        flow_from(l->table, &b->flows[i], &b->entries[i], l->now_ns, &f);
        r = l->visit(l->arg, &f);
    }
    return r;
}

int datapath_flows(const struct datapath *dp, flow_visitor *visit, void *arg)
{
    struct listing l = {.visit = visit, .arg = arg, .now_ns = flows_now_ns()};
    int r = 0;

    for (l.table = 0; l.table < FLOW_TABLES && r == 0; l.table++)
        r = flows_walk(flows_map(dp, l.table), list_batch, &l);
    return r < 0 ? r : flows_connections(dp, visit, arg);
}

/* --- one flow --- */

static struct pw_flow key_of(const struct packet *p, bool reversed)
{
    struct ip src = reversed ? p->dst : p->src, dst = reversed ? p->src : p->dst;

    return (struct pw_flow){
        .src_hi = src.hi,
        .src_lo = src.lo,
        .dst_hi = dst.hi,
        .dst_lo = dst.lo,
        .sport = reversed ? p->dport : p->sport,
        .dport = reversed ? p->sport : p->dport,
        .proto = p->proto,
        .family = p->family == FAMILY_4 ? 4 : 6,
    };
}

struct finding {
    struct pw_flow key;
    struct flow *ret;
};

enum { FOUND = 1 };

static int is_connection(void *arg, const struct flow *f)
{
    const struct finding *x = arg;

    if (f->sport != x->key.sport || f->dport != x->key.dport || f->src.hi != x->key.src_hi ||
        f->src.lo != x->key.src_lo || f->dst.hi != x->key.dst_hi || f->dst.lo != x->key.dst_lo)
        return 0;
    *x->ret = *f;
    return FOUND;
}

int datapath_flow_find(const struct datapath *dp, const struct packet *p, struct flow *ret)
{
    uint64_t now_ns = flows_now_ns();
    int r = 0;

    if (p->later_fragment || p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6)
        return -ENOENT;
    for (int reversed = 0; reversed < 2 && r == 0; reversed++) {
        struct finding x = {.key = key_of(p, reversed), .ret = ret};

        for (enum flow_table t = 0; t < FLOW_TABLES; t++) {
            struct pw_entry e;

            if (bpf_map_lookup_elem(flows_map(dp, t), &x.key, &e) < 0 ||
                flow_is_silent(&x.key, &e, now_ns))
                continue;
            flow_from(t, &x.key, &e, now_ns, ret);
            return 0;
        }
        if (p->proto == PROTO_TCP)
            r = flows_connections(dp, is_connection, &x);
    }
    return r == FOUND ? 0 : r < 0 ? r : -ENOENT;
}

/* The program that finds a socket by addresses and takes its stamp. */
static int take_stamp(struct datapath *dp, const struct flow *f, const struct pw_flow *key)
{
    uint8_t frame[PW_FORGET_AT + sizeof(*key)] = {0};
    struct __sk_buff skb = {.cb = {f->out}, .ifindex = f->ifindex};
    LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = sizeof(frame),
                .ctx_in = &skb, .ctx_size_in = sizeof(skb));

    memcpy(frame + PW_FORGET_AT, key, sizeof(*key));
    int r = bpf_prog_test_run_opts(dp->set.progs.prog[PROG_FORGET], &o);
    return r < 0 ? r : o.retval ? -ENOENT : 0;
}

int datapath_flow_delete(struct datapath *dp, const struct flow *f)
{
    struct pw_flow key = {
        .src_hi = f->src.hi,
        .src_lo = f->src.lo,
        .dst_hi = f->dst.hi,
        .dst_lo = f->dst.lo,
        .sport = f->sport,
        .dport = f->dport,
        .proto = f->proto,
        .family = f->family == FAMILY_4 ? 4 : 6,
    };

    if (f->table == FLOW_CONNECTION)
        return take_stamp(dp, f, &key);
    return bpf_map_delete_elem(flows_map(dp, f->table), &key);
}
