/* SPDX-License-Identifier: GPL-2.0-or-later */
/* eval/state.c: reply state as one plain list (policy.md 4, datapath.md 9). Called by tests, and by
 * the agent for questions about answers. Invariants: an entry is made only by a packet that a
 * keep-state permit let through; a dropped packet changes nothing but an entry of an older epoch
 * that no longer holds. struct packet carries no ICMP identifier, so echoes are told apart by
 * their addresses only. */
#include "eval/state.h"

#include <errno.h>

#include "internal.h"

#define SECONDS 1000000000ULL

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };
enum { WEIGHT_ADDRESS_SHIFT = 23 }; /* field A of policy.md 3 */

struct conversation {
    struct packet forward; /* the packet that the permit let through */
    struct verdict permit; /* its verdict: tier and weight are the key of the entry */
    uint64_t last_seen_ns;
    uint32_t epoch;
    bool answered;
    bool closing; /* FIN or RST in the permit's direction */
};

struct eval_state {
    struct conversation *v;
    size_t n, cap;
    uint32_t epoch;
};

int eval_state_new(struct eval_state **ret)
{
    struct eval_state *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    *ret = s;
    return 0;
}

struct eval_state *eval_state_free(struct eval_state *s)
{
    if (s)
        free(s->v);
    free(s);
    return NULL;
}

void eval_state_freep(struct eval_state **s)
{
    *s = eval_state_free(*s);
}

void eval_state_next_epoch(struct eval_state *s)
{
    s->epoch++;
}

size_t eval_state_size(const struct eval_state *s)
{
    return s->n;
}

static bool is_echo(const struct packet *p, bool reply)
{
    if (p->family == FAMILY_4)
        return p->proto == PROTO_ICMP && p->icmp_type == (reply ? 0 : 8);
    return p->proto == PROTO_ICMPV6 && p->icmp_type == (reply ? 129 : 128);
}

static bool is_icmp(const struct packet *p)
{
    return p->proto == PROTO_ICMP || p->proto == PROTO_ICMPV6;
}

/* Errors that may quote a packet: v4 3, 11, 12, v6 1-4. */
static bool is_icmp_error(const struct packet *p)
{
    if (!p->l4_known)
        return false;
    if (p->family == FAMILY_4)
        return p->proto == PROTO_ICMP &&
               (p->icmp_type == 3 || p->icmp_type == 11 || p->icmp_type == 12);
    return p->proto == PROTO_ICMPV6 && p->icmp_type >= 1 && p->icmp_type <= 4;
}

static bool is_opening_syn(const struct packet *p)
{
    return p->proto == PROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static uint64_t lifetime_ns(const struct conversation *c)
{
    if (is_icmp(&c->forward) || c->closing)
        return 10 * SECONDS;
    if (c->forward.proto == PROTO_TCP)
        return 7440 * SECONDS;
    return (c->answered ? 180 : 60) * SECONDS;
}

static bool is_silent(const struct conversation *c, uint64_t now_ns)
{
    return now_ns - c->last_seen_ns >= lifetime_ns(c);
}

static bool same_tuple(const struct packet *a, const struct packet *b)
{
    return a->family == b->family && a->proto == b->proto && ip_eq(a->src, b->src) &&
           ip_eq(a->dst, b->dst) && a->sport == b->sport && a->dport == b->dport;
}

/* The exact reversed tuple; for ICMP the reply to the echo. */
static bool is_reversed(const struct packet *p, const struct packet *forward)
{
    struct packet reversed = *forward;
    reversed.src = forward->dst;
    reversed.dst = forward->src;
    reversed.sport = forward->dport;
    reversed.dport = forward->sport;
    if (p->later_fragment || !same_tuple(p, &reversed))
        return false;
    return !is_icmp(p) || is_echo(p, /* reply= */ true);
}

static bool is_answer(const struct packet *p, const struct packet *forward)
{
    return !is_opening_syn(p) && is_reversed(p, forward);
}

/* An error goes back to the sender of what it quotes: a packet that was let through, or an answer
 * to one. */
static bool is_error_about(const struct packet *p, const struct packet *quoted,
                           const struct packet *forward, bool of_answer)
{
    if (!quoted || !is_icmp_error(p) || !ip_eq(p->dst, quoted->src))
        return false;
    if (of_answer)
        return is_reversed(quoted, forward); /* an error quotes no TCP flags */
    return same_tuple(quoted, forward) && (!is_icmp(quoted) || is_echo(quoted, false));
}

static void forget(struct eval_state *s, size_t i)
{
    s->v[i] = s->v[--s->n];
}

static void forget_silent(struct eval_state *s, uint64_t now_ns)
{
    for (size_t i = 0; i < s->n;) {
        if (is_silent(&s->v[i], now_ns))
            forget(s, i);
        else
            i++;
    }
}

static bool keeps_state(const struct effective *e, const struct verdict *v)
{
    if (v->block || v->decider != DECIDED_FILTER)
        return false;
    const struct filter *f = e->v[v->index].filter;
    return f->action == ACTION_PERMIT && f->keep_state;
}

/* Which permitted packets open a conversation: TCP only by its SYN, ICMP only by an echo. */
static bool may_open(const struct packet *p)
{
    if (p->later_fragment)
        return false;
    if (p->proto == PROTO_TCP)
        return is_opening_syn(p);
    return !is_icmp(p) || is_echo(p, /* reply= */ false);
}

static int remember(struct eval_state *s, const struct packet *p, const struct verdict *v,
                    uint64_t now_ns)
{
    struct conversation *c = NULL;
    for (size_t i = 0; i < s->n && !c && !p->later_fragment; i++)
        if (same_tuple(&s->v[i].forward, p) && (!is_icmp(p) || is_echo(p, false)))
            c = &s->v[i];
    if (!c && !may_open(p))
        return 0;
    if (!c) {
        int r = array_reserve(&s->v, &s->cap, s->n + 1, sizeof(*s->v));
        if (r < 0)
            return r;
        c = &s->v[s->n++];
        *c = (struct conversation){.forward = *p};
    }
    c->permit = *v;
    c->epoch = s->epoch;
    c->last_seen_ns = now_ns;
    if (is_opening_syn(p))
        c->closing = false;
    else if (p->proto == PROTO_TCP && (p->tcp_flags & (TCP_FIN | TCP_RST)))
        c->closing = true;
    return 0;
}

/* Replies do not beat bans: the block must not be more specific in its addresses. */
static bool beats(const struct verdict *block, const struct verdict *permit)
{
    if (block->tier != permit->tier)
        return block->tier > permit->tier;
    return block->weight >> WEIGHT_ADDRESS_SHIFT > permit->weight >> WEIGHT_ADDRESS_SHIFT;
}

/* The filters say block. Changes *ret if conversation i lets the packet pass all the same. */
static void ask_conversation(struct eval_state *s, size_t i, const struct effective *e,
                             const struct packet *p, uint64_t now_ns, struct verdict *ret)
{
    struct conversation *c = &s->v[i];
    if (c->epoch != s->epoch) {
        struct verdict again = eval_packet(e, &c->forward, now_ns);
        if (!keeps_state(e, &again)) {
            forget(s, i);
            ret->reason = DROP_STATE_EXPIRED;
            return;
        }
        c->permit = again;
        c->epoch = s->epoch;
    }
    if (beats(ret, &c->permit))
        return;
    c->last_seen_ns = now_ns;
    c->answered = c->answered || !is_icmp_error(p);
    *ret = c->permit;
}

/* The conversation that the packet belongs to; s->n if there is none. */
static size_t find(const struct eval_state *s, const struct packet *p, const struct packet *quoted)
{
    for (size_t i = 0; i < s->n; i++)
        if (is_answer(p, &s->v[i].forward) || is_error_about(p, quoted, &s->v[i].forward, false))
            return i;
    for (size_t i = 0; i < s->n; i++)
        if (is_error_about(p, quoted, &s->v[i].forward, true))
            return i;
    return s->n;
}

int eval_state_packet(struct eval_state *s, const struct effective *e, const struct packet *p,
                      const struct packet *quoted, uint64_t now_ns, struct verdict *ret)
{
    struct verdict v = eval_packet(e, p, now_ns);
    forget_silent(s, now_ns);
    if (keeps_state(e, &v)) {
        int r = remember(s, p, &v, now_ns);
        if (r < 0)
            return r;
    }
    bool asks = v.block && v.decider == DECIDED_FILTER && v.reason != DROP_NO_SA &&
                effective_keeps_state(e); /* without such a filter nobody looks, nothing is used */
    size_t i = asks ? find(s, p, quoted) : s->n;
    if (i < s->n)
        ask_conversation(s, i, e, p, now_ns, &v);
    *ret = v;
    return 0;
}
