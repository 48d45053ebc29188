/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two readers of policy objects share: the objects of the file with what they have become,
 * and the values that every object has. Only reg_policy_read.c and reg_policy_library.c include
 * it. */
#pragma once
#include "reg_policy.h"

/* An object and what it has become. */
struct reg_object {
    const struct reg_key *key;
    const char *leaf; /* "ipsecFilter{...}", part of the path */
    char *name;       /* owned; of the list, action or policy; NULL = broken or none */
    bool response;    /* a negotiation policy of the default response rule */
};
struct reg_objects {
    struct reg_object *v;
    size_t n, cap;
};
struct policy_reader {
    struct reg_reader *r;
    struct reg_objects lists, actions, policies;
    struct reg_names names;
};

/* NULL if it is absent, removed, empty or no text. */
const char *reg_text_of(const struct reg_key *k, const char *name);
/* Says with place and path what is wrong: 0, or negative under --strict. */
_must_check_ int reg_broken(struct policy_reader *p, const struct reg_key *k, const char *why);
/* The blob. 1: it is there; 0: it is not, which was said. */
_must_check_ int reg_data_of(struct policy_reader *p, const struct reg_key *k,
                             const struct reg_value **ret);
/* After a reader of blobs: 1 to go on, 0 if the object is broken, which was said. */
_must_check_ int reg_judge(struct policy_reader *p, const struct reg_key *k, int err,
                           const struct diag *why);
/* What the key says goes first: a file can have one key of a name only, while ipsecID may stand in
 * several objects, which must not become one. All zero if nothing says it. */
void reg_identity_of(const struct reg_key *k, struct guid *ret);
/* ipsecName, else the name of the key. */
char *reg_name_of(const struct reg_key *k);
_must_check_ int reg_describe(const struct reg_key *k, char **to);
/* Whether an object of this file was stored under the name. */
bool reg_is_of_file(const struct reg_objects *l, const char *name);

/* --- filter lists and actions (reg_policy_library.c) --- */
_must_check_ int reg_read_list(struct policy_reader *p, const struct reg_key *k,
                               struct reg_object *o);
_must_check_ int reg_read_action(struct policy_reader *p, const struct reg_key *k,
                                 struct reg_object *o);
