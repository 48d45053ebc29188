/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile/winner.c: splits a box of packets by who decides them (policy.md 8).
 * Called by diff, check and exceptions. Works depth first, so that whoever looks for one piece
 * only finds it without making all. Invariant: the pieces are disjoint and together the box,
 * unless the budget was used up, which is always told. */
#include <errno.h>

#include "analysis.h"

enum { STEPS_PER_LOOK = 4096 }; /* at the clock: some 50 us of work */

void part_list_done(struct part_list *l)
{
    free(l->v);
    *l = (struct part_list){0};
}

void walk_done(struct walk *w)
{
    free(w->hits);
    *w = (struct walk){0};
}

void walk_begin(struct walk *w)
{
    w->n_boxes = 0;
    w->exhausted = w->stopped;
}

bool walk_is_over(const struct walk *w)
{
    return w->exhausted;
}

static void take_step(struct walk *w, size_t n)
{
    const struct budget *b = w->budget;
    w->n_steps += n;
    if (w->n_steps >= STEPS_PER_LOOK && b && b->stop) {
        w->n_steps = 0;
        w->stopped = w->stopped || b->stop(b->arg);
    }
    if (w->stopped || w->n_boxes > (b && b->max_boxes ? b->max_boxes : BUDGET_BOXES))
        w->exhausted = true;
}

int walk_find(struct walk *w, const struct rules *r, const struct box *b, struct part_list *ret)
{
    size_t words = r->n / 64 + 1;
    ret->n = 0;
    ret->without = SIZE_MAX;
    if (w->exhausted)
        return 0;
    int err = array_reserve(&w->hits, &w->hits_words, words, sizeof(*w->hits));
    if (err < 0)
        return err;
    for (size_t i = 0; i < words; i++)
        w->hits[i] = 0;
    size_t compared = rules_find(r, b, w->hits);
    for (size_t i = 0; i < words; i++) {
        for (uint64_t left = w->hits[i]; left; left &= left - 1) {
            err = array_reserve(&ret->v, &ret->cap, ret->n + 1, sizeof(*ret->v));
            if (err < 0)
                return err;
            ret->v[ret->n++] = (uint32_t)(i * 64 + (size_t)__builtin_ctzll(left));
        }
    }
    take_step(w, compared + ret->n + words / 16);
    return 0;
}

/* A piece not yet decided, and the first part that it was not compared with. */
struct open_piece {
    struct box box;
    size_t next;
};
struct open_pieces {
    struct open_piece *v;
    size_t n, cap;
};

static void open_pieces_done(struct open_pieces *o)
{
    free(o->v);
}

static int open_add(struct open_pieces *o, const struct box *b, size_t next)
{
    int err = array_reserve(&o->v, &o->cap, o->n + 1, sizeof(*o->v));
    if (err == 0)
        o->v[o->n++] = (struct open_piece){*b, next};
    return err;
}

/* Place in the list of the first part from there on that overlaps b; parts->n if there is none.
 * The index is asked where it has less to compare than the list. */
static size_t next_place(struct walk *w, const struct rules *r, const struct box *b,
                         const struct part_list *parts, size_t from)
{
    enum { WORTH_ASKING = 8 };
    size_t left = parts->n - from, i = from;
    uint32_t number = NEXT_MANY;
    if (r->index && left > WORTH_ASKING)
        number = rules_next(r, b, parts, from, left / 4);
    if (number == NEXT_MANY) {
        while (i < parts->n && !box_overlaps(b, &r->v[parts->v[i]].box))
            i++;
        take_step(w, i - from + 1);
        return i;
    }
    take_step(w, WORTH_ASKING);
    if (number == NEXT_NONE)
        return parts->n;
    for (size_t end = parts->n; i < end;) {
        size_t mid = i + (end - i) / 2;
        if (parts->v[mid] < number)
            i = mid + 1;
        else
            end = mid;
    }
    return i;
}

int walk_split(struct walk *w, const struct rules *r, const struct box *b,
               const struct part_list *parts, piece_fn *visit, void *arg)
{
    _cleanup_(open_pieces_done) struct open_pieces open = {0};
    int err = open_add(&open, b, 0);
    while (err == 0 && open.n > 0 && !w->exhausted) {
        struct open_piece p = open.v[--open.n];
        size_t i = next_place(w, r, &p.box, parts, p.next);
        const struct part *winner = i < parts->n ? &r->v[parts->v[i]] : NULL;
        struct box inside = p.box, piece[BOX_PIECES];
        if (winner && box_intersect(&p.box, &winner->box, &inside)) {
            unsigned n = box_subtract(&p.box, &winner->box, piece);
            for (unsigned j = 0; j < n && err == 0; j++)
                err = open_add(&open, &piece[j], i + 1);
        }
        w->n_boxes++;
        if (err == 0)
            err = visit(arg, &inside, winner);
    }
    return err;
}
