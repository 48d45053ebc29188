/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From layers to what shall be enforced: the policies of both slots, the dynamic layer and the
 * settings become one struct effective with counter ids. A struct desired owns (by reference)
 * everything its effective filters point at, except the host, which is the datapath's live one. */
#pragma once
#include "counter_ids.h"
#include "dynamic.h"
#include "model/effective.h"
#include "model/policy.h"
#include "names.h"
#include "store/store.h"

/* A policy shared by the generations that use it. */
struct policy_ref {
    unsigned refs;
    bool named; /* an active filter asks for a name or keyword */
    struct policy *policy;
};
/* Takes *p over on success. */
_must_check_ int policy_ref_new(struct policy *p, struct policy_ref **ret);
struct policy_ref *policy_ref_get(struct policy_ref *r);
struct policy_ref *policy_ref_put(struct policy_ref *r);

struct layers {
    struct policy_ref *policy[_ASSIGN_SLOT_MAX]; /* NULL = none assigned */
    struct dynamic dynamic;
    struct filter_settings settings;
    const struct names *names; /* borrowed from the agent: what names stand for at the next
                                  build; NULL = no name stands for anything */
};
_must_check_ int layers_copy(const struct layers *from, struct layers *ret);
void layers_done(struct layers *l);
/* Takes a reference of its own. */
void layers_share_policy(struct layers *l, enum assign_slot slot, struct policy_ref *r);
/* Takes *p over on success. */
_must_check_ int layers_set_policy(struct layers *l, enum assign_slot slot, struct policy *p);
void layers_unset_policy(struct layers *l, enum assign_slot slot);
enum layer layer_of_slot(enum assign_slot slot);

/* e.v[0 .. n_written) is one entry per filter written, those of the dynamic layer last: the filter
 * itself, or the first of the address filters that its names and keywords stand for (expansions);
 * further expansions follow from n_written on. A name that stands for nothing stays and matches no
 * packet. What is in force is changed by desired_change() alone. */
struct desired {
    struct layers layers;
    struct effective e; /* e.v has room for e.n; e.host is set at each use */
    struct effective_filter *v;
    size_t cap_v; /* at least one is free */
    size_t n_written;
    struct filter *expanded; /* strings and ports belong to the filters written */
    struct expansion_origin {
        const struct filter *written;
        size_t index; /* in e.v */
    } * origin;       /* of expanded[i] */
    size_t n_expanded;
    size_t dynamic_first, n_dynamic; /* e.v[dynamic_first + i] is layers.dynamic.v[i] */
    size_t *fresh;                   /* indices of filters whose counter id is new */
    size_t n_fresh;
    bool places; /* a filter asks for the interface: see host_print() */
    uint64_t digest[2];
};
/* Calls counter_ids_begin() and _get(); the caller commits or rolls back, also after a failure.
 * Takes *l over on success. DIAG_LIMIT beyond LIMIT_EFFECTIVE_FILTERS. */
_must_check_ int desired_build(struct layers *l, const struct host *host, struct counter_ids *ids,
                               struct diag *d, struct desired **ret);
struct desired *desired_free(struct desired *x);
void desired_freep(struct desired **x);
/* Effective filter i as it was written, and its place among the written ones. */
const struct filter *desired_written(const struct desired *x, size_t i);
size_t desired_origin(const struct desired *x, size_t i);
/* The address filters that written filter `origin` stands for, none if it has no name. */
const struct filter *desired_expansions(const struct desired *x, size_t origin, size_t *ret_n);
/* Place of a dynamic filter by its number; SIZE_MAX if there is none. */
size_t desired_find_dynamic(const struct desired *x, uint32_t id);
/* A change of the dynamic layer of which no filter concerned has names. delta: from
 * x->layers.dynamic to *next. Reserving may fail, changing not; it takes *next over. Digest and
 * fresh follow. */
_must_check_ int desired_reserve(struct desired *x, const struct dynamic_delta *delta);
void desired_change(struct desired *x, const struct dynamic_delta *delta, struct dynamic *next,
                    uint32_t counter_id);
/* The digest that it will have. */
void desired_digest_after(const struct desired *x, const struct dynamic_delta *delta,
                          const struct dynamic *next, uint32_t counter_id, uint64_t ret[2]);
/* Dynamic entry of effective filter i, NULL for other layers. */
const struct dynamic_entry *desired_dynamic(const struct desired *x, size_t i);
/* Print over what the image depends on: filters, counter ids, deadlines of permits, settings,
 * and the interfaces that get derived entries or, if a filter asks for interfaces, all of them. It
 * is the sum of the prints of the filters, so that it can be kept when one of them comes or goes.
 */
void desired_digest(const struct effective *e, const struct host *host, uint64_t ret[2]);
void desired_filter_print(const struct effective_filter *ef, uint64_t ret[2]);
/* The same over the host alone: when it changes, a new generation is needed. places: a filter asks
 * for interfaces. */
uint64_t host_print(const struct host *h, bool places);
