/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The objects that the Windows dialects speak of, in memory: policies, shared filter lists and
 * filter actions, assignments, dynamic filters, settings. Every dialect command and every importer
 * changes a catalog and nothing else; afterwards the difference goes to the agent in one request
 * (commit.h), is printed as native commands (--explain), or is written to a file (import -o).
 * So one line, a batch of 10,000 lines and an import are the same thing, and all of it can be
 * tested without an agent.
 *
 * Pure: what is stored is read on demand through struct catalog_source. Names compare
 * case-insensitively (ASCII), an exact match first; the case of what is stored is kept.
 *
 * A rule that joins a filter list and a filter action says so in its attributes `filterlist` and
 * `filteraction`; its filters are the list times the action, made by catalog_settle(). A rule
 * without them owns its filters (ipsecpol, native text). A bound rule whose filters somebody else
 * changed meanwhile is unbound when it is loaded: what is in force is the truth. */
#pragma once
#include "base/diag.h"
#include "base/strbuf.h"
#include "model/policy.h"

struct filter_list {
    struct guid guid;
    char *name, *description; /* owned; description NULL = none */
    struct filter *filters;   /* as block; the action of the rule takes its place */
    size_t n_filters, cap_filters;
};
struct filter_action {
    struct guid guid;
    char *name, *description;
    enum action action;
    bool inpass;
    char *methods;                /* words after negotiate, canonical; NULL = default list */
    struct attributes attributes; /* qm-pfs, soft: stored, no effect on packets */
};
void filter_list_done(struct filter_list *l);
void filter_action_done(struct filter_action *a);

enum catalog_slot { CATALOG_LOCAL, CATALOG_PERSISTENT, _CATALOG_SLOT_MAX };

/* A dynamic filter: stored ones have an id, new ones do not. */
struct catalog_dynamic {
    char id[16];
    struct filter filter;
    bool gone; /* to be deleted */
};
struct catalog_setting {
    char *key, *value; /* "filter.exempt"; value NULL = back to the file's */
};
struct catalog_secret {
    char id[40]; /* UUID; the attribute auth names it as psk:UUID */
    char *value;
};

/* What the agent holds. All 0 or negative with *d; -ENOENT: no such policy (*d says so).
 * NULL source = nothing is stored. */
struct catalog_source {
    void *ctx;
    /* Stored spelling, GUIDs and revision included. */
    int (*policy)(void *ctx, const char *name, struct diag *d, struct policy **ret);
    /* Names of all policies; array and strings owned by the caller. */
    int (*names)(void *ctx, struct diag *d, char ***ret, size_t *ret_n);
    /* Text of the library (catalog_library_print()), "" if there is none; owned. */
    int (*library)(void *ctx, struct diag *d, char **ret);
    int (*assigned)(void *ctx, enum catalog_slot slot, struct diag *d, char ret[256]);
    int (*dynamic)(void *ctx, struct diag *d, struct catalog_dynamic **ret, size_t *ret_n);
    /* Value in force, NULL if nowhere given; owned. */
    int (*setting)(void *ctx, const char *key, struct diag *d, char **ret);
};

/* A policy in the catalog: what it was and what it is now. */
struct catalog_rule_id { /* a rule as stored: how a renamed one is known again */
    struct guid guid;
    char *name;
};
struct catalog_policy {
    struct policy *now; /* NULL = deleted */
    char *before;       /* canonical text as stored, NULL = not stored */
    struct catalog_rule_id *rules_before;
    size_t n_rules_before;
    char before_name[256]; /* stored spelling; differs from now->name after a rename */
    char change[128];      /* line for history: what the last command did; "" = "load" */
};

/* Hashes of names beside an array, so that looking one of 10,000 up reads 40 KB and not all of
 * them. Kept by the catalog; an array that grew without it is caught up with. */
struct catalog_index {
    uint32_t *v;
    size_t n, cap;
};

struct catalog {
    const struct catalog_source *source; /* borrowed */
    struct catalog_policy *policies;     /* those that were asked for or made */
    size_t n_policies, cap_policies;
    bool has_names; /* all names were read: policies[] is complete */

    bool has_library; /* lists and actions were read */
    char *library_before;
    struct filter_list *lists;
    size_t n_lists, cap_lists;
    struct filter_action *actions;
    size_t n_actions, cap_actions;
    struct catalog_index list_index, action_index, dynamic_index;
    struct catalog *stored; /* the library as it was, made when it is asked for */

    bool has_assigned[_CATALOG_SLOT_MAX];
    char assigned_before[_CATALOG_SLOT_MAX][256], assigned[_CATALOG_SLOT_MAX][256]; /* "" none */

    bool has_dynamic;
    struct catalog_dynamic *dynamic;
    size_t n_dynamic, cap_dynamic;
    bool flush; /* all dynamic filters stored before shall end */

    bool mpp_reset; /* memory pressure protection: all defaults, and the SYN gate opens */
    struct catalog_setting *settings; /* changed ones */
    size_t n_settings, cap_settings;
    struct catalog_secret *secrets;
    size_t n_secrets, cap_secrets;
    uint64_t guid_seed[2]; /* new GUIDs are made of it and of a counter: set by the caller from
                              random bytes, fixed in tests */
    uint64_t guid_count;
};
void catalog_init(struct catalog *c, const struct catalog_source *source,
                  const uint64_t guid_seed[2]);
void catalog_done(struct catalog *c);
struct guid catalog_new_guid(struct catalog *c);

/* --- policies --- */
/* -ENOENT with DIAG_UNKNOWN_OBJECT, a near name or the existing ones as hint. Borrowed: valid until
 * the policy is removed or renamed. */
_must_check_ int catalog_policy(struct catalog *c, const char *name, struct diag *d,
                                struct policy **ret);
/* The same, made if absent. */
_must_check_ int catalog_policy_make(struct catalog *c, const char *name, struct diag *d,
                                     struct policy **ret, bool *ret_made);
/* All of them: indices 0..n-1 of catalog.policies with now != NULL, sorted by name. */
_must_check_ int catalog_load_all(struct catalog *c, struct diag *d);
_must_check_ int catalog_policy_rename(struct catalog *c, const char *name, const char *new_name,
                                       struct diag *d);
/* Unassigns it as well. */
_must_check_ int catalog_policy_delete(struct catalog *c, const char *name, struct diag *d);
/* Takes *r over: adds it, or replaces the rule of its name (which keeps its GUID). */
_must_check_ int catalog_rule_put(struct catalog *c, struct policy *p, struct rule *r,
                                  struct diag *d, bool *ret_replaced);
/* -ENOENT with DIAG_UNKNOWN_OBJECT: existing rules are the hint. */
_must_check_ int catalog_rule_delete(struct catalog *c, struct policy *p, const char *name,
                                     struct diag *d);
/* Line for history of the policy's next revision, cut to fit: "add rule \"X\" (ipseccmd)". */
void catalog_policy_changed(struct catalog *c, const struct policy *p, const char *fmt, ...)
    _printf_(3, 4);

/* --- assignment --- */
/* Name assigned to the slot, "" if none. Borrowed. */
_must_check_ int catalog_assigned(struct catalog *c, enum catalog_slot slot, struct diag *d,
                                  const char **ret);
/* name NULL = unassign. */
_must_check_ int catalog_assign(struct catalog *c, enum catalog_slot slot, const char *name,
                                struct diag *d);

/* --- filter lists and actions (the library) --- */
/* -ENOENT with DIAG_UNKNOWN_OBJECT. Borrowed until a list or action is added or deleted. */
_must_check_ int catalog_list(struct catalog *c, const char *name, struct diag *d,
                              struct filter_list **ret);
_must_check_ int catalog_action(struct catalog *c, const char *name, struct diag *d,
                                struct filter_action **ret);
/* Take *l, *a over and give them GUIDs. -EEXIST with DIAG_CONFLICT. */
_must_check_ int catalog_list_add(struct catalog *c, struct filter_list *l, struct diag *d);
_must_check_ int catalog_action_add(struct catalog *c, struct filter_action *a, struct diag *d);
/* Refused with DIAG_CONFLICT, naming policy and rule, while a rule refers to it. */
_must_check_ int catalog_list_delete(struct catalog *c, const char *name, struct diag *d);
_must_check_ int catalog_action_delete(struct catalog *c, const char *name, struct diag *d);
/* Rules that refer to it follow. */
_must_check_ int catalog_list_rename(struct catalog *c, const char *name, const char *new_name,
                                     struct diag *d);
_must_check_ int catalog_action_rename(struct catalog *c, const char *name, const char *new_name,
                                       struct diag *d);
/* Takes *f over. */
_must_check_ int filter_list_add_filter(struct filter_list *l, struct filter *f);
/* The same filters in the same order; the same effect of an action. Names, GUIDs and attributes are
 * not looked at. */
bool filter_list_same_filters(const struct filter_list *a, const struct filter_list *b);
bool filter_action_same_effect(const struct filter_action *a, const struct filter_action *b);
/* The library as text, and back, in the grammar of policies: policy "filterlists", whose rules are
 * the lists, and policy "filteractions", whose rules have one filter from any to any; attributes
 * guid, description and those of the action. More than 4000 lists go on in "filterlists 2". */
_must_check_ int catalog_library_print(const struct catalog *c, struct strbuf *out);
_must_check_ int catalog_library_parse(struct catalog *c, const char *text, size_t len,
                                       struct diag *d);

/* --- dynamic filters, settings, secrets --- */
_must_check_ int catalog_load_dynamic(struct catalog *c, struct diag *d);
/* Takes *f over. *ret_known: an equal one is there already, nothing was added. */
_must_check_ int catalog_dynamic_add(struct catalog *c, struct filter *f, struct diag *d,
                                     bool *ret_known);
/* All of them end. */
void catalog_dynamic_flush(struct catalog *c);
_must_check_ int catalog_setting_set(struct catalog *c, const char *key, const char *value);
/* Changed here, else in force; NULL if nowhere given. Owned by the caller. */
_must_check_ int catalog_setting_get(struct catalog *c, const char *key, struct diag *d,
                                     char **ret);
/* Keeps a preshared key; id is written to ret_attribute as "psk:UUID". */
_must_check_ int catalog_secret_add(struct catalog *c, const char *value, char ret_attribute[48]);

/* Makes the filters of all bound rules, and loads the policies that a changed list or action
 * concerns. To be called once before the difference is used. Every filter made is validated;
 * the diagnostic names policy and rule. */
_must_check_ int catalog_settle(struct catalog *c, struct diag *d);
