/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies and rules (policy.md 1): plain data. Order is for display only and never changes
 * a verdict. */
#pragma once
#include "model/attribute.h"
#include "model/filter.h"

struct rule {
    struct guid guid;
    char *name;
    bool inactive;
    enum connection connection;
    struct attributes attributes;
    struct filter *filters; /* array of n_filters, owned */
    size_t n_filters, cap_filters;
    struct span at;
    uint32_t name_hash; /* of the folded name; policy_add_rule() sets it: rename = remove, add */
};

struct policy {
    struct guid guid;
    char *name;
    char *description;    /* NULL = none */
    uint32_t poll_s;      /* 0 = not given */
    int8_t local_permits; /* -1 not given, 0 no, 1 yes */
    int8_t weak;          /* -1 not given, 0 refuse, 1 allow */
    struct attributes attributes;
    struct rule *rules;
    size_t n_rules, cap_rules;
    uint32_t revision; /* 0 until stored */
    struct span at;
};

/* Name of a policy or rule (what = "policy", "rule"): 1 to LIMIT_NAME_BYTES bytes of UTF-8. */
_must_check_ int name_validate(const char *name, const char *what, struct span at, struct diag *d);

void rule_init(struct rule *r);
void rule_done(struct rule *r);
/* Takes *f over (leaves it initialised empty). 0 or -ENOMEM. Here and below, what could not be
 * taken stays with the caller. */
_must_check_ int rule_add_filter(struct rule *r, struct filter *f);
/* Where the next filter will stand, not initialised: whoever makes it there raises n_filters. */
_must_check_ int rule_reserve_filter(struct rule *r, struct filter **ret);

_must_check_ int policy_new(const char *name, struct policy **ret);
struct policy *policy_free(struct policy *p);
void policy_freep(struct policy **p);
/* Takes *r over. 0, -ENOMEM; DIAG_DUPLICATE (names compare case-insensitively) or DIAG_LIMIT
 * with both places. */
_must_check_ int policy_add_rule(struct policy *p, struct rule *r, struct diag *d);
struct rule *policy_find_rule(const struct policy *p, const char *name);
/* Removes the rule at index i. */
void policy_remove_rule(struct policy *p, size_t i);
size_t policy_n_filters(const struct policy *p);

/* Policies of one file. */
struct policy_list {
    struct policy **v;
    size_t n, cap;
};
void policy_list_done(struct policy_list *l);
_must_check_ int policy_list_add(struct policy_list *l, struct policy *p); /* takes p over */
