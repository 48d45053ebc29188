/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The database: policies, their revisions, what is assigned, audit trail. SQLite, WAL, STRICT,
 * foreign keys; all SQL is in this module. Filters are stored as canonical text (one grammar),
 * with GUID and handle. Every mutation is one transaction that also writes the revision and
 * the audit row; on failure nothing has changed. Opening a damaged database fails with
 * DIAG_CORRUPT and leaves the file as it is. */
#pragma once
#include "base/diag.h"
#include "model/policy.h"

struct store;

struct author {
    uint32_t uid;
    char login[64];     /* may be empty */
    const char *origin; /* "cli", "api", "agent" */
    const char *reason; /* NULL or at most LIMIT_REASON_BYTES */
};

_must_check_ int store_open(const char *dir, struct diag *d, struct store **ret);
struct store *store_close(struct store *s);
void store_closep(struct store **s);

/* Slots a policy can be assigned to. */
enum assign_slot { ASSIGN_LOCAL, ASSIGN_PERSISTENT, _ASSIGN_SLOT_MAX };

struct policy_info {
    char name[256];
    struct guid guid;
    uint32_t revision, n_rules, n_filters;
    int64_t changed_s; /* Unix time */
    bool assigned[_ASSIGN_SLOT_MAX];
};
_must_check_ int store_policy_list(struct store *s, struct diag *d, struct policy_info **ret,
                                   size_t *ret_n);
/* By name (case-insensitive). -ENOENT with DIAG_UNKNOWN_OBJECT and a suggestion as hint. */
_must_check_ int store_policy_get(struct store *s, const char *name, struct diag *d,
                                  struct policy **ret);
/* Text as it was loaded (comments included), revision 0 = current; -ENOENT if it was changed by
 * rule since. Owned by the caller. */
_must_check_ int store_policy_source(struct store *s, const char *name, struct diag *d, char **ret);

/* Creates (replace false: DIAG_CONFLICT if the name exists) or replaces. GUIDs and handles that
 * p has are kept, missing ones are given and written back into p; p->revision is set. source is
 * the loaded text or NULL. change is the line for history: "load", "add rule \"X\"". Loading
 * what is stored already is a success without a new revision: *ret_changed false. */
struct policy_put {
    bool replace;
    const char *source;
    const char *change;
};
_must_check_ int store_policy_put(struct store *s, struct policy *p, const struct policy_put *o,
                                  const struct author *a, struct diag *d, bool *ret_changed);
/* DIAG_CONFLICT while assigned. History and audit keep the text. */
_must_check_ int store_policy_delete(struct store *s, const char *name, const struct author *a,
                                     struct diag *d);
/* name NULL = unassign. *ret_before: name of the one assigned before ("" if none). */
_must_check_ int store_assign(struct store *s, enum assign_slot slot, const char *name,
                              const struct author *a, struct diag *d, char ret_before[256]);
/* Name of the assigned policy, "" if none. */
_must_check_ int store_assigned(struct store *s, enum assign_slot slot, struct diag *d,
                                char ret_name[256]);

/* A change that touches kernel and database: begin, store_*, then commit once the generation is
 * in force, or roll back. Without begin each call is its own transaction. */
_must_check_ int store_begin(struct store *s, struct diag *d);
_must_check_ int store_commit(struct store *s, struct diag *d);
void store_rollback(struct store *s);
/* Between the changes and what they cause in the kernel: writes them to the log, uncommitted,
 * and reserves the room that the commit needs. A full disk shows here, not after the flip.
 * On failure the caller rolls back. */
_must_check_ int store_reserve(struct store *s, struct diag *d);

/* Audit row of a change that is not a policy change (block, flush, ...). */
_must_check_ int store_audit(struct store *s, const struct author *a, const char *change,
                             const char *object, uint64_t generation, struct diag *d);
/* Numbers the generation of the last revision written (for history), after the flip. */
_must_check_ int store_set_generation(struct store *s, uint64_t generation, struct diag *d);
/* Counter that never goes back: last generation number. */
_must_check_ int store_next_generation(struct store *s, struct diag *d, uint64_t *ret);
