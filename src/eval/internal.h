/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of eval share: one question (struct query) and one answer per matching expansion
 * (struct match). The flow is: eval.c asks the steps of docs/internals/parsing.md section 6;
 * exempt.c makes filters of failsafe and exemption entries; match.c expands each filter and hands
 * every expansion that matches to a visitor; eval.c keeps the best, explain.c keeps all. */
#pragma once
#include "eval/eval.h"

struct query {
    const struct effective *e;
    const struct packet *p;
    uint64_t now_ns;
    bool src_me, dst_me;
    bool typed_only; /* only filters that give an ICMP type are looked at */
};

/* One expansion that matches the packet. */
struct match {
    enum tier tier;
    uint32_t weight;
    enum layer layer; /* of a filter */
    struct guid guid; /* of a filter, null for entries */
    enum action action;
    size_t index;      /* into e->v, SIZE_MAX for entries */
    const char *entry; /* name of the entry, NULL for filters */
    size_t failsafe;   /* number of the failsafe entry, else SIZE_MAX */
    bool block;
    bool twin;
    bool expired;
};
typedef void match_visitor(void *arg, const struct match *m);

/* Where a filter comes from: copied into each of its matches. */
struct origin {
    enum tier tier;
    enum layer layer;
    enum connection connection;
    size_t index;
    const char *entry;
    size_t failsafe;
    uint64_t deadline_ns;
};

/* me.c: kind of the longest prefix of the local routes, LOCAL_NONE if there is none. */
enum local_kind local_kind_of(const struct host *h, enum family f, struct ip ip);
bool ip_in_prefix(enum family f, struct ip ip, struct ip prefix, unsigned len);

/* One packet set with one weight: mirrored twins exchanged, one item of each port list. */
struct expansion {
    const struct addr *src, *dst;
    const struct port_range *sport, *dport; /* NULL = any */
    bool twin;
};

/* weigh.c */
uint32_t expansion_weight(const struct filter *f, const struct expansion *x);

/* match.c: visits every expansion of f that matches. */
void match_filter(const struct query *q, const struct filter *f, const struct origin *o,
                  match_visitor *visit, void *arg);

/* exempt.c */
bool is_neighbour_discovery(const struct packet *p);
/* Name of the row of policy.md 6 that only a typed filter can block, NULL if p is in none. */
const char *typed_exemption(const struct packet *p);
void match_failsafe(const struct query *q, match_visitor *visit, void *arg);
void match_exemptions(const struct query *q, match_visitor *visit, void *arg);

/* eval.c: the steps before the filters. True: *ret is the verdict; false: ask the filters, *q is
 * ready. */
bool decide_before_filters(const struct effective *e, const struct packet *p, uint64_t now_ns,
                           struct query *q, struct verdict *ret);
void match_everything(const struct query *q, match_visitor *visit, void *arg);
/* Orders matches of different filters: > 0 if a decides before b. */
int match_cmp(const struct match *a, const struct match *b);
/* Verdict of the deciding match, NULL = none. */
struct verdict verdict_of(const struct query *q, const struct match *m);
