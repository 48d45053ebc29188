/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the catalog share: entries of policies, the index of names, and the words of
 * attributes. Only catalog*.c includes it. */
#pragma once
#include "compat/catalog.h"

/* Keys that join a rule with its list and its action. */
#define ATTRIBUTE_LIST   "filterlist"
#define ATTRIBUTE_ACTION "filteraction"

/* --- index (catalog.c) --- */
/* Position of the first entry at or behind `from` with this hash, n if none. */
size_t index_scan(const struct catalog_index *x, size_t from, uint32_t hash);
_must_check_ int index_add(struct catalog_index *x, uint32_t hash);
/* As the array: the last one takes the place of i. */
void index_remove(struct catalog_index *x, size_t i);

/* "unknown WHAT 'NAME'" with the near name, or the known ones, as hint. */
struct name_choice {
    const char *what, *name;
    size_t n;
    const char *(*get)(const void *ctx, size_t i); /* NULL = skip */
    const void *ctx;
};
int fail_unknown_name(const struct name_choice *choice, struct diag *d);
/* Puts "policy 'P', rule 'R': " before the message. */
void diag_name_rule(struct diag *d, const char *policy, const char *rule);

/* --- policies (catalog_policy.c) --- */
void catalog_policy_done(struct catalog_policy *p);
/* Entry under this name now; NULL if there is none in memory. */
struct catalog_policy *catalog_entry(struct catalog *c, const char *name);

/* --- library (catalog_library.c) --- */
_must_check_ int catalog_load_library(struct catalog *c, struct diag *d);
/* NULL if there is none; the library is loaded. */
struct filter_list *find_list(struct catalog *c, const char *name);
struct filter_action *find_action(struct catalog *c, const char *name);

/* --- bound rules (catalog_settle.c) --- */
/* Unbinds the rules of a policy that was just read, whose filters are not those of their list
 * and action as stored. */
_must_check_ int catalog_check_bound(struct catalog *c, struct policy *p, struct diag *d);
/* The same for a policy that somebody else wrote, by the library as it is now: its filters are what
 * counts, names that mean something else here do not change them; a rule without filters takes
 * those of the list it names. *ret_unbound: rules that were unbound. */
_must_check_ int catalog_check_given(struct catalog *c, struct policy *p, struct diag *d,
                                     size_t *ret_unbound);
