/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/batch.c: one change made of several: each OP is prepared as if it were a change of its
 * own, on the layers and in the transaction of the whole batch.
 * Called by change.c. Invariant: the batch comes into force in one generation, or nothing of it
 * does; an error says to which OP it belongs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dynamic_index.h"
#include "internal.h"

enum { OPS_WITHOUT_INDEX = 8 };

void batch_forget(struct job *j)
{
    for (size_t i = 0; i < j->result.n_ops; i++) {
        struct agent_op_result *r = &j->result.ops[i];
        agent_filters_done(&r->filters);
        agent_filters_done(&r->exceptions);
        free(r->policies);
        agent_mpp_changes_done(&r->mpp);
        free(r->name);
        free(r->before);
        free(j->batch[i].audit);
        free(j->batch[i].object);
        free(j->batch[i].reason);
    }
    free(j->result.ops);
    free(j->batch);
    j->result.ops = NULL;
    j->result.n_ops = 0;
    j->batch = NULL;
    j->index = dynamic_index_free(j->index);
}

static int copy_text(const char *s, char **ret)
{
    *ret = s[0] ? strdup(s) : NULL;
    return s[0] && !*ret ? -ENOMEM : 0;
}

/* What the OP left in the job goes to its result; the job is as before for the next one. What is
 * said of the batch as a whole stays: warnings, rules that negotiate, whether to enforce. */
static int take_result(struct job *j, enum agent_change_kind kind)
{
    struct agent_result *from = &j->result;
    struct batch_op *b = &j->batch[from->n_ops];
    struct agent_op_result *to = &from->ops[from->n_ops++];
    *to = (struct agent_op_result){.kind = kind,
                                   .change = from->change,
                                   .filters = from->filters,
                                   .mpp = from->mpp,
                                   .policies = from->policies,
                                   .n_policies = from->n_policies};
    b->subject_id = j->subject_id;
    from->filters = (struct agent_filters){0};
    from->policies = NULL;
    from->mpp = (struct agent_mpp_changes){0};
    from->n_policies = 0;
    from->change = NULL;
    if (copy_text(from->name, &to->name) < 0 || copy_text(from->before, &to->before) < 0 ||
        copy_text(j->audit, &b->audit) < 0 || copy_text(j->object, &b->object) < 0 ||
        copy_text(j->reason, &b->reason) < 0)
        return -ENOMEM;
    from->name[0] = from->before[0] = j->audit[0] = j->object[0] = j->reason[0] = '\0';
    j->subject_id = 0;
    return 0;
}

/* Runs one OP: for so long the job is this change. */
static int prepare_op(struct agent *a, struct job *j, const struct agent_change *op)
{
    const struct agent_change whole = j->change;
    bool enforce = j->enforce;
    j->change = *op;
    j->change.author = whole.author;
    j->change.dry_run = whole.dry_run;
    j->enforce = false;
    int err = request_prepare(a, j);
    j->enforce |= enforce;
    j->change = whole;
    return err == 0 ? take_result(j, op->kind) : err;
}

int prepare_batch(struct agent *a, struct job *j)
{
    const struct agent_change *c = &j->change;
    j->result.change = "none";
    if (c->n_ops == 0)
        return 0;
    j->result.ops = calloc(c->n_ops, sizeof(*j->result.ops));
    j->batch = calloc(c->n_ops, sizeof(*j->batch));
    if (!j->result.ops || !j->batch)
        return -ENOMEM;
    int err = c->n_ops > OPS_WITHOUT_INDEX
                  ? dynamic_index_new(&j->next_layers.dynamic, c->n_ops, &j->index)
                  : 0;
    const char *change = "none";
    for (size_t i = 0; err == 0 && i < c->n_ops; i++) {
        err = prepare_op(a, j, &c->ops[i]);
        j->result.has_op = err < 0;
        j->result.op = i;
        if (err == 0 && j->result.ops[i].change && strcmp(j->result.ops[i].change, "none") != 0)
            change = "replaced";
    }
    j->index = dynamic_index_free(j->index);
    j->result.change = change;
    return err;
}

/* Place of a dynamic filter among the written ones of x, SIZE_MAX if it is not there. */
static size_t place_of(const struct desired *x, uint32_t id)
{
    return x ? desired_find_dynamic(x, id) : SIZE_MAX;
}

void batch_show(struct agent *a, const struct desired *x, struct job *j)
{
    bool complete = true;
    j->notes_end_ns = agent_now_ns() + (j->change.dry_run ? AGENT_PREVIEW_NS / 2 : AGENT_NOTES_NS);
    for (size_t i = 0; i < j->result.n_ops; i++) {
        struct agent_op_result *r = &j->result.ops[i];
        size_t at = place_of(x, j->batch[i].subject_id);
        struct agent_filter f;
        if (at == SIZE_MAX) /* none, or a later OP deleted it */
            continue;
        if (view_filter(a, x, at, NULL, &f) < 0 || filters_add(&r->filters, &f) < 0)
            continue; /* out of memory: the answer lacks the text, the filter is in force */
        if (complete && agent_now_ns() < j->notes_end_ns)
            notes_for_one(a, x, j, at);
        else
            complete = false;
        r->exceptions = j->result.exceptions;
        j->result.exceptions = (struct agent_filters){0};
    }
    if (!complete)
        warning_add(&j->result.warnings, "exceptions-incomplete", "portward list",
                    "there may be more permits that stay open than those listed");
}

uint64_t batch_audit_bytes(const struct job *j)
{
    enum { ROW_BYTES = 256 }; /* numbers, the texts of the author */
    const char *whole = j->change.author.reason ? j->change.author.reason : "";
    uint64_t bytes = 0;
    for (size_t i = 0; i < j->result.n_ops; i++) {
        const struct batch_op *b = &j->batch[i];
        if (b->audit)
            bytes += ROW_BYTES + strlen(b->audit) + (b->object ? strlen(b->object) : 0) +
                     strlen(b->reason ? b->reason : whole);
    }
    return bytes;
}

int batch_audit(struct agent *a, const struct job *j, struct diag *d)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < j->result.n_ops; i++) {
        const struct batch_op *b = &j->batch[i];
        struct author author = j->change.author;
        if (!b->audit) /* nothing changed, or the store wrote its row itself */
            continue;
        if (b->reason)
            author.reason = b->reason;
        err = store_audit(a->store, &author, b->audit, b->object ? b->object : "",
                          a->run.generation, d);
    }
    return err;
}
