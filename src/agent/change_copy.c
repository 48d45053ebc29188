/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/change_copy.c: a request of a caller as the queue keeps it.
 * Called by change.c. Invariant: a copy owns all that it points at, whatever the caller frees while
 * his change waits. Ops of a batch hold no batches, so nothing here goes deeper than one level. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "text/text.h"

static void free_const(const void *p)
{
    union {
        const void *in;
        void *out;
    } u = {p}; /* our own copy behind the const of the request's struct */
    free(u.out);
}

/* A preshared key is not left in memory that others get. */
static void clear_secret(const struct agent_change *c)
{
    union {
        const char *in;
        char *out;
    } u = {c->text};
    if (c->kind == AGENT_SECRET && c->text)
        explicit_bzero(u.out, strlen(c->text));
}

static void op_done(struct agent_change *c)
{
    clear_secret(c);
    const char *const owned[] = {c->policy, c->rule, c->text, c->key, c->title, c->renamed_from};
    for (size_t i = 0; i < ARRAY_SIZE(owned); i++)
        free_const(owned[i]);
    for (size_t i = 0; i < c->n_items; i++)
        free_const(c->items[i]);
    free_const(c->items);
    for (size_t i = 0; i < c->n_renamed_rules; i++) {
        free_const(c->renamed_rules[i].now);
        free_const(c->renamed_rules[i].before);
    }
    free_const(c->renamed_rules);
}

void change_forget(struct agent_change *c)
{
    op_done(c);
    free_const(c->author.origin);
    free_const(c->author.reason);
    union {
        const struct agent_change *in;
        struct agent_change *out;
    } ops = {c->ops};
    for (size_t i = 0; i < c->n_ops; i++)
        op_done(&ops.out[i]);
    free(ops.out);
    *c = (struct agent_change){0};
}

static int copy_text(const char *s, const char **ret)
{
    *ret = s ? strdup(s) : NULL;
    return s && !*ret ? -ENOMEM : 0;
}

static int copy_items(const struct agent_change *c, struct agent_change *ret)
{
    const char **items = c->n_items ? calloc(c->n_items, sizeof(*items)) : NULL;
    if (c->n_items && !items)
        return -ENOMEM;
    ret->items = items;
    for (size_t i = 0; i < c->n_items; i++) {
        if (copy_text(c->items[i], &items[i]) < 0)
            return -ENOMEM;
        ret->n_items++;
    }
    return 0;
}

static int copy_renamed(const struct agent_change *c, struct agent_change *ret)
{
    struct renamed *v = c->n_renamed_rules ? calloc(c->n_renamed_rules, sizeof(*v)) : NULL;
    if (c->n_renamed_rules && !v)
        return -ENOMEM;
    ret->renamed_rules = v;
    for (size_t i = 0; i < c->n_renamed_rules; i++) {
        ret->n_renamed_rules++; /* both are NULL or ours: op_done() frees them */
        if (copy_text(c->renamed_rules[i].now, &v[i].now) < 0 ||
            copy_text(c->renamed_rules[i].before, &v[i].before) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* Without author and ops. On failure *ret holds a part, which op_done() frees. */
static int copy_op(const struct agent_change *c, struct agent_change *ret)
{
    *ret = *c;
    ret->policy = ret->rule = ret->text = ret->key = ret->title = ret->renamed_from = NULL;
    ret->author.origin = ret->author.reason = NULL;
    ret->items = NULL;
    ret->renamed_rules = NULL;
    ret->ops = NULL;
    ret->n_items = ret->n_renamed_rules = ret->n_ops = 0;
    if (copy_text(c->policy, &ret->policy) < 0 || copy_text(c->rule, &ret->rule) < 0 ||
        copy_text(c->text_given ? NULL : c->text, &ret->text) < 0 ||
        copy_text(c->key, &ret->key) < 0 || copy_text(c->title, &ret->title) < 0 ||
        copy_text(c->renamed_from, &ret->renamed_from) < 0 || copy_items(c, ret) < 0)
        return -ENOMEM;
    return copy_renamed(c, ret);
}

int change_copy(const struct agent_change *c, struct agent_change *ret)
{
    if (copy_op(c, ret) < 0 ||
        copy_text(c->author.origin ? c->author.origin : "agent", &ret->author.origin) < 0 ||
        copy_text(c->author.reason, &ret->author.reason) < 0)
        return -ENOMEM;
    struct agent_change *ops = c->n_ops ? calloc(c->n_ops, sizeof(*ops)) : NULL;
    if (c->n_ops && !ops)
        return -ENOMEM;
    ret->ops = ops;
    for (size_t i = 0; i < c->n_ops; i++) {
        ret->n_ops++; /* what it holds so far change_forget() frees */
        if (copy_op(&c->ops[i], &ops[i]) < 0)
            return -ENOMEM;
    }
    if (c->text_given) /* last: it is the caller's if anything failed */
        ret->text = c->text;
    return 0;
}
