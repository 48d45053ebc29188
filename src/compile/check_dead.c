/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/check_dead.c: filters that never matter: shadowed, redundant, never-wins.
 * Called by check.c. Invariant: what is reported can be taken out of the policy, and every packet
 * has the verdict that it had. */
#include "check.h"

/* Taken out, the exemption of IKE between its hosts goes as well, whoever decides its packets. */
static bool exempts(const struct filter *f)
{
    return filter_effect(f) == ACTION_NEGOTIATE;
}

/* They do more than decide: let answers back, are seen in the log. */
static bool does_more(const struct filter *f)
{
    return f->keep_state || f->log;
}

/* Looks for a packet that the filter decides and that matters. */
static int search_filter(struct check *c, size_t i, struct effect_search *s)
{
    bool more = does_more(c->e->v[i].filter);
    *s = (struct effect_search){.c = c, .without = i, .want_matters = !more};
    for (size_t k = 0; k < check_n_parts(c, i) && !s->matters; k++) {
        s->p = check_part(c, i, k);
        int r = check_effect(s, &s->p->box);
        if (r < 0)
            return r;
        if (s->decides && !s->want_matters)
            return 0;
        if (!s->matters && (c->outer.exhausted || c->inner.exhausted))
            return 1; /* not known */
    }
    return 0;
}

/* --- never-wins --- */

/* A block that names me, and decides what the permit would if it named me as well. */
struct me_search {
    struct check *c;
    size_t without;
    struct part would; /* the part of the permit with me */
    bool found;
    struct box piece;
    const struct part *block;
};

static int visit_blocked(void *arg, const struct box *piece, const struct part *winner)
{
    struct me_search *s = arg;
    if (!winner || winner->effect != ACTION_BLOCK || winner->index == SIZE_MAX ||
        winner->box.class == CLASS_ALL)
        return 0;
    s->found = true;
    s->piece = *piece;
    s->block = winner;
    return 1;
}

static int visit_would_win(void *arg, const struct box *piece, const struct part *winner)
{
    struct me_search *s = arg;
    if (winner)
        return 0;
    return walk_split(&s->c->inner, &s->c->rules, piece, &s->c->lower, visit_blocked, s);
}

static int search_me_part(struct me_search *s)
{
    struct check *c = s->c;
    walk_begin(&c->outer);
    walk_begin(&c->inner);
    int r = walk_find(&c->outer, &c->rules, &s->would.box, &c->found);
    if (r < 0)
        return r;
    /* Both lists are parts of the one that was found, in its order. */
    size_t n = 0;
    while (n < c->found.n && (c->rules.v[c->found.v[n]].tier > s->would.tier ||
                              c->rules.v[c->found.v[n]].weight > s->would.weight))
        n++;
    c->lower.n = 0;
    c->lower.without = s->without;
    r = array_reserve(&c->lower.v, &c->lower.cap, c->found.n + 1, sizeof(*c->lower.v));
    for (size_t i = n; i < c->found.n && r == 0; i++) {
        if (c->rules.v[c->found.v[i]].index != s->without)
            c->lower.v[c->lower.n++] = c->found.v[i];
    }
    c->found.n = n;
    if (r == 0)
        r = walk_split(&c->outer, &c->rules, &s->would.box, &c->found, visit_would_win, s);
    return r < 0 ? r : 0;
}

/* Would filter i win if this side, any, were me? */
static int search_me(struct check *c, size_t i, enum finding_side side, struct me_search *s)
{
    struct filter f = *c->e->v[i].filter; /* borrows its names and ports */
    struct effective_filter with_me = c->e->v[i];
    _cleanup_free_ struct part *v = NULL;
    struct rules r = {.e = c->e, .names = c->rules.names};
    if (side == SIDE_SOURCE)
        f.src = addr_me();
    else
        f.dst = addr_me();
    with_me.filter = &f;
    int err = rules_expand(&r, &with_me, i);
    v = r.v;
    *s = (struct me_search){.c = c, .without = i};
    for (size_t k = 0; k < r.n && err == 0 && !s->found; k++) {
        s->would = v[k];
        err = search_me_part(s);
    }
    return err;
}

static int report_never_wins(struct check *c, size_t i, const struct part *p, bool *ret_done)
{
    const struct filter *f = c->e->v[i].filter;
    *ret_done = false;
    if (filter_effect(f) != ACTION_PERMIT || f->src.kind == ADDR_ME || f->dst.kind == ADDR_ME)
        return 0;
    static const enum finding_side sides[] = {SIDE_DESTINATION, SIDE_SOURCE};
    for (unsigned k = 0; k < ARRAY_SIZE(sides); k++) {
        if ((sides[k] == SIDE_SOURCE ? f->src.kind : f->dst.kind) != ADDR_ANY)
            continue;
        struct me_search s;
        int r = search_me(c, i, sides[k], &s);
        if (r < 0)
            return r;
        if (!s.found)
            continue;
        struct finding x = {.kind = FINDING_NEVER_WINS, .side = sides[k]};
        check_name(&x, p);
        check_name(&x, s.block);
        check_show(c, &x, &s.piece, s.block);
        *ret_done = true;
        return check_add(c, &x);
    }
    return 0;
}

/* --- reports --- */

/* From me to me, for example: no packet is both. */
static int report_empty(struct check *c, size_t i)
{
    const struct effective_filter *ef = &c->e->v[i];
    bool expired = ef->deadline_ns && c->o->now_ns >= ef->deadline_ns;
    if (expired || filter_is_resolved(ef->filter))
        return 0;
    struct finding x = {.kind = FINDING_SHADOWED, .n_filters = 1};
    x.filter[0].index = i;
    x.filter[0].tier = ef->filter->override ? TIER_OVERRIDE : TIER_ORDINARY;
    c->seen[i] |= SEEN_DEAD;
    return check_add(c, &x);
}

static int report_dead(struct check *c, size_t i, const struct effect_search *s)
{
    const struct part *p = check_part(c, i, 0);
    c->seen[i] |= SEEN_DEAD;
    if (c->seen[i] & SEEN_CONFLICT_LOST && !s->decides)
        return 0;
    bool done;
    int r = report_never_wins(c, i, p, &done);
    if (r < 0 || done)
        return r;
    struct finding x = {.kind = s->decides ? FINDING_REDUNDANT : FINDING_SHADOWED};
    check_name(&x, s->decides ? s->p : p);
    check_name(&x, s->decides ? s->below_decided : s->winner);
    if (s->decides)
        check_show(c, &x, &s->decided, s->p);
    else
        check_show(c, &x, &s->lost, s->winner);
    return check_add(c, &x);
}

int check_dead(struct check *c)
{
    for (size_t i = 0; i < c->e->n && !check_is_late(c); i++) {
        if (check_n_parts(c, i) == 0) {
            int r = report_empty(c, i);
            if (r < 0)
                return r;
            continue;
        }
        struct effect_search s;
        const struct filter *f = c->e->v[i].filter;
        if (exempts(f))
            continue;
        int r = search_filter(c, i, &s);
        if (r == 0 && !s.matters && !(s.decides && does_more(f)))
            r = report_dead(c, i, &s);
        if (r < 0)
            return r;
    }
    return 0;
}
