/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/change_filter.c: changes of the dynamic layer: add or extend, delete, flush; and the
 * reset of counters.
 * Called by change.c. Works on the job's copy of the layers. Invariant: several items are
 * deleted all or not at all. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "dynamic_index.h"
#include "internal.h"
#include "quick.h"
#include "text/text.h"

enum { FILTER_TEXT_MAX = 256 * 1024 };

/* The first change of a job finds the layer as it is in force. */
static const struct dynamic_index *index_of(struct agent *a, const struct job *j)
{
    const struct live *l = j->index || j->batch ? NULL : quick_live(a);
    return l ? l->index : j->index;
}

static int text_error(struct job *j, int err)
{
    diag_list_add(&j->result.errors, &j->result.diag, false);
    return err;
}

static void set_object(struct job *j, const struct filter *f)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(FILTER_TEXT_MAX);
    if (text_print_filter(f, &text) == 0)
        (void)snprintf(j->object, sizeof(j->object), "d%u %s", f->handle, text.s); /* cut */
}

static int add_new(struct job *j, struct command_filter *c, uint64_t deadline_ns,
                   const char *reason)
{
    struct dynamic_new o = {.filter = &c->filter, .deadline_ns = deadline_ns, .reason = reason};
    size_t i;
    int err = agent_random_guid(&o.guid);
    if (err == 0)
        err = dynamic_add(&j->next_layers.dynamic, &o, &j->result.diag, &i);
    if (err < 0)
        return err;
    const struct filter *f = &j->next_layers.dynamic.v[i]->filter;
    j->subject = f->guid;
    j->subject_id = f->handle;
    if (j->index)
        dynamic_index_add(j->index, &j->next_layers.dynamic, f);
    j->result.change = "added";
    (void)snprintf(j->audit, sizeof(j->audit), "%s", action_name(f->action)); /* fits */
    set_object(j, f);
    negotiation_add_filter(&j->negotiation, f);
    return 0;
}

static int extend(struct job *j, size_t i, uint64_t deadline_ns, const char *reason)
{
    bool changed;
    struct dynamic *l = &j->next_layers.dynamic;
    int err = dynamic_extend(l, i, deadline_ns, reason, &changed);
    if (err < 0)
        return err;
    j->subject = l->v[i]->filter.guid;
    j->subject_id = l->v[i]->filter.handle;
    negotiation_add_filter(&j->negotiation, &l->v[i]->filter);
    j->result.change = changed ? "extended" : "none";
    if (changed) {
        (void)snprintf(j->audit, sizeof(j->audit), "extend"); /* fits */
        set_object(j, &l->v[i]->filter);
    }
    return 0;
}

int prepare_filter_add(struct agent *a, struct job *j)
{
    _cleanup_(command_filter_done) struct command_filter c = {0};
    const char *text = j->change.text ? j->change.text : "";
    int err = text_parse_command(text, strlen(text), &j->result.diag, &c);
    if (err < 0)
        return text_error(j, err);
    uint64_t deadline_ns = c.for_s ? agent_now_ns() + (uint64_t)c.for_s * 1000000000ULL : 0;
    const char *reason = c.reason ? c.reason : j->change.author.reason;
    if (c.reason) /* the parser knows the limit */
        (void)snprintf(j->reason, sizeof(j->reason), "%s", c.reason);
    size_t i = dynamic_index_find(index_of(a, j), &j->next_layers.dynamic, &c.filter);
    err = i == SIZE_MAX ? add_new(j, &c, deadline_ns, reason) : extend(j, i, deadline_ns, reason);
    j->enforce = err == 0 && strcmp(j->result.change, "none") != 0;
    return err;
}

/* "d17" -> 'd', 17. False if the item is no id. */
static bool parse_id(const char *item, char *ret_letter, uint32_t *ret_id)
{
    size_t n = strlen(item);
    if (n < 2 || n > 11 || !strchr("dspg", item[0]) || item[1] == '0' ||
        strspn(item + 1, "0123456789") != n - 1)
        return false;
    uint64_t id = strtoull(item + 1, NULL, 10);
    if (id >= UINT32_MAX)
        return false;
    *ret_letter = item[0];
    *ret_id = (uint32_t)id;
    return true;
}

static int refuse_static(const struct effective_filter *ef, struct diag *d)
{
    char id[16];
    filter_id(ef->filter, ef->layer, id);
    int err = diag_fail(d, DIAG_USAGE, "'%s' is not a dynamic filter, policy '%s' holds it", id,
                        ef->policy);
    diag_hint(d, "portward rule delete \"%s\" \"%s\"", ef->policy, ef->rule);
    return err;
}

static int not_found(const char *item, struct diag *d)
{
    int err = diag_fail(d, DIAG_UNKNOWN_OBJECT, "no dynamic filter '%s'", item);
    diag_hint(d, "portward list --layer dynamic");
    return err;
}

static int find_by_id(struct agent *a, struct job *j, const char *item, char letter, uint32_t id,
                      size_t *ret_i)
{
    struct diag *d = &j->result.diag;
    if (letter == 'd') {
        *ret_i = dynamic_find_id(&j->next_layers.dynamic, id);
        return *ret_i == SIZE_MAX ? not_found(item, d) : 0;
    }
    for (size_t i = 0; i < a->in_force->e.n; i++) {
        const struct effective_filter *ef = &a->in_force->e.v[i];
        if (ef->filter->handle == id && layer_letter(ef->layer) == letter)
            return refuse_static(ef, d);
    }
    return not_found(item, d);
}

static int find_by_text(struct agent *a, struct job *j, const char *item, size_t *ret_i)
{
    struct filter f;
    struct diag *d = &j->result.diag;
    filter_init(&f);
    int err = text_parse_filter(item, strlen(item), d, &f);
    if (err < 0)
        return text_error(j, err);
    *ret_i = dynamic_index_find(index_of(a, j), &j->next_layers.dynamic, &f);
    if (*ret_i == SIZE_MAX) {
        err = not_found(item, d);
        for (size_t i = 0; i < a->in_force->e.n; i++)
            if (a->in_force->e.v[i].layer != LAYER_DYNAMIC &&
                filter_eq(desired_written(a->in_force, i), &f)) {
                err = refuse_static(&a->in_force->e.v[i], d);
                break;
            }
    }
    filter_done(&f);
    return err;
}

/* Place of a dynamic entry in what is in force; SIZE_MAX if an OP before in this batch added it. */
static size_t place_in_force(const struct agent *a, const struct dynamic_entry *e)
{
    return desired_find_dynamic(a->in_force, e->filter.handle);
}

/* The filter as it was, with its counters, into the answer; then out of the layer. */
static int take_out(struct agent *a, struct job *j, size_t i)
{
    struct dynamic *l = &j->next_layers.dynamic;
    struct agent_filter f;
    size_t at = place_in_force(a, l->v[i]);
    int err = at == SIZE_MAX ? view_stored(&l->v[i]->filter, LAYER_DYNAMIC, NULL, NULL, &f)
                             : view_filter(a, a->in_force, at, NULL, &f);
    if (err == 0)
        err = filters_add(&j->result.filters, &f);
    if (err < 0)
        return err;
    dynamic_remove(l, i);
    return 0;
}

int prepare_filter_delete(struct agent *a, struct job *j)
{
    for (size_t k = 0; k < j->change.n_items; k++) {
        const char *item = j->change.items[k];
        char letter;
        uint32_t id;
        size_t i;
        int err = parse_id(item, &letter, &id) ? find_by_id(a, j, item, letter, id, &i)
                                               : find_by_text(a, j, item, &i);
        if (err == 0)
            err = take_out(a, j, i);
        if (err < 0)
            return err;
        (void)snprintf(j->object, sizeof(j->object), "%s", item); /* cut; of many the last */
    }
    j->enforce = j->change.n_items > 0;
    j->result.change = j->enforce ? "deleted" : "none";
    if (j->enforce)
        (void)snprintf(j->audit, sizeof(j->audit), "delete %zu filters", j->change.n_items);
    return 0;
}

int prepare_flush(struct agent *a, struct job *j)
{
    struct dynamic *l = &j->next_layers.dynamic;
    size_t n = l->n;
    for (size_t i = 0; i < n; i++) {
        int err = take_out(a, j, l->n - 1);
        if (err < 0)
            return err;
    }
    j->enforce = n > 0;
    j->result.change = n > 0 ? "deleted" : "none";
    if (n > 0)
        (void)snprintf(j->audit, sizeof(j->audit), "flush %zu filters", n);
    const struct policy_ref *p = j->next_layers.policy[ASSIGN_LOCAL];
    if (p)
        (void)snprintf(j->result.name, sizeof(j->result.name), "%s", p->policy->name);
    return 0;
}

int prepare_counters_reset(struct agent *a, struct job *j)
{
    for (size_t i = 0; i < a->in_force->n_written; i++) {
        int err =
            j->change.dry_run ? 0 : datapath_counter_reset(a->dp, a->in_force->e.v[i].counter_id);
        if (err < 0)
            return diag_errno(&j->result.diag, err, "cannot reset counters");
        j->result.n_reset++;
    }
    (void)snprintf(j->audit, sizeof(j->audit), "reset counters"); /* fits */
    return 0;
}
