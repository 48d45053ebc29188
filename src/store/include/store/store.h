/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The database: policies, their revisions, what is assigned, audit trail. SQLite, WAL, STRICT,
 * foreign keys; all SQL is in this module. A policy is stored as canonical text (one grammar),
 * with GUIDs and handles beside it. Every mutation is one transaction that also writes the revision
 * and the audit row; on failure nothing has changed. Opening a damaged database fails with
 * DIAG_CORRUPT and leaves the file as it is. */
#pragma once
#include "base/diag.h"
#include "model/policy.h"

struct store;
struct renamed; /* text/text.h */

struct author {
    uint32_t uid;
    char login[64];     /* may be empty */
    const char *origin; /* "cli", "api", "agent" */
    const char *reason; /* NULL or at most LIMIT_REASON_BYTES */
    char peer[46];      /* address of the caller's login as the caller names it, "" = none. A
                           claim: uid and login are the kernel's word, this is not */
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
/* Which revision a policy is at, without reading it. A revision that was committed never changes:
 * equal identities are equal policies. -ENOENT as above. */
struct policy_identity {
    struct guid guid;
    uint32_t revision;
};
_must_check_ int store_policy_identity(struct store *s, const char *name, struct diag *d,
                                       struct policy_identity *ret);
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
    /* Stored name of the policy that p continues under another one, NULL = none: it keeps GUID,
     * assignment and history, which goes on with a line `rename from "OLD"` before the change
     * (which may be NULL then). replace is implied. DIAG_CONFLICT if another policy has the new
     * name. */
    const char *renamed_from;
    /* Rules that had another name in the stored policy: they keep GUID, and ids of equal filters.
     */
    const struct renamed *renamed_rules;
    size_t n_renamed_rules;
};
_must_check_ int store_policy_put(struct store *s, struct policy *p, const struct policy_put *o,
                                  const struct author *a, struct diag *d, bool *ret_changed);
/* The same with a new name and nothing else. Its loaded text is gone (it says the old name). */
_must_check_ int store_policy_rename(struct store *s, const char *old_name, const char *new_name,
                                     const struct author *a, struct diag *d);
/* DIAG_CONFLICT while assigned. History and audit keep the text. */
_must_check_ int store_policy_delete(struct store *s, const char *name, const struct author *a,
                                     struct diag *d);
/* name NULL = unassign. *ret_before: name of the one assigned before ("" if none). */
_must_check_ int store_assign(struct store *s, enum assign_slot slot, const char *name,
                              const struct author *a, struct diag *d, char ret_before[256]);
/* Name of the assigned policy, "" if none. */
_must_check_ int store_assigned(struct store *s, enum assign_slot slot, struct diag *d,
                                char ret_name[256]);

/* What was. History only grows: no revision is ever removed, also not with its policy. */
struct history_entry {
    uint32_t revision; /* 0 = made none (assign, delete, block, ...) */
    uint32_t uid;
    int64_t time_s;
    uint64_t generation; /* 0 = changed no packet */
    char login[64], origin[16], peer[46];
    char *change;
    char *object; /* the whole trail only: policy or filter; NULL for one policy */
    char *reason; /* NULL = none */
};
struct history {
    struct history_entry *v;
    size_t n, cap;
};
void history_done(struct history *h);
/* Newest first, at most limit (0 = all): the revisions of a policy, also of a deleted one
 * (-ENOENT if there never was one), or with name NULL the trail of all changes. */
_must_check_ int store_history(struct store *s, const char *name, uint32_t limit, struct diag *d,
                               struct history *ret);
/* A revision as it was, with the GUIDs and handles it had, p->revision is its number. revision 0:
 * the one before the current, of a deleted policy the last. -ENOENT with DIAG_UNKNOWN_OBJECT. */
_must_check_ int store_revision_get(struct store *s, const char *name, uint32_t revision,
                                    struct diag *d, struct policy **ret);

/* A change that touches kernel and database: begin, store_*, then commit once the generation is
 * in force, or roll back. Without begin each call is its own transaction. */
_must_check_ int store_begin(struct store *s, struct diag *d);
/* Whether the next commits wait for the disk (so it is after opening). Without, what they write
 * survives every end of the process, but not a loss of power before the next commit that waits.
 * Outside of transactions. */
_must_check_ int store_wait_for_disk(struct store *s, bool wait, struct diag *d);
_must_check_ int store_commit(struct store *s, struct diag *d);
void store_rollback(struct store *s);
/* A change that is only tried: like store_begin(), but store_rollback() is its only end, and no
 * byte of any file is written from here to there. */
_must_check_ int store_begin_dry(struct store *s, struct diag *d);
/* Between the changes and what they cause in the kernel: writes them to the log, uncommitted,
 * and reserves the room that the commit needs, and `more` bytes of rows that are still to come. A
 * full disk shows here, not after the flip.
 * On failure the caller rolls back. */
_must_check_ int store_reserve(struct store *s, uint64_t more, struct diag *d);

/* Moves what was committed from the log into the database, which is as safe in either: between
 * changes, not while somebody waits for one. Cheap if there is little. What fails is tried again.
 */
void store_tidy(struct store *s);

/* Audit row of a change that is not a policy change (block, flush, ...). */
_must_check_ int store_audit(struct store *s, const struct author *a, const char *change,
                             const char *object, uint64_t generation, struct diag *d);
/* Numbers the generation of the last revision written (for history), after the flip. */
_must_check_ int store_set_generation(struct store *s, uint64_t generation, struct diag *d);
/* 1 if a change that made this generation was committed, 0 if none was. */
_must_check_ int store_generation_is_recorded(struct store *s, uint64_t generation, struct diag *d);
/* Counter that never goes back: last generation number. */
_must_check_ int store_next_generation(struct store *s, struct diag *d, uint64_t *ret);

/* Another, higher number after every change of anything stored and every row of the trail, never 0:
 * whoever has read several objects can say of which state. A change that was rolled back may raise
 * it, one that was only tried does not. Generations do not count. */
_must_check_ int store_state(struct store *s, struct diag *d, uint64_t *ret);

/* The library of the dialects: shared filter lists and filter actions, one text that this module
 * does not look into. "" if there is none; owned by the caller. Putting writes an audit row; here
 * and below, putting what is there is no change and writes none. */
_must_check_ int store_library_get(struct store *s, struct diag *d, char **ret);
_must_check_ int store_library_put(struct store *s, const char *text, const struct author *a,
                                   struct diag *d);

/* Settings changed by a verb or a dialect; they win over the configuration file. */
struct store_setting {
    char *key, *value;
};
struct store_settings {
    struct store_setting *v; /* sorted by key */
    size_t n, cap;
};
void store_settings_done(struct store_settings *l);
_must_check_ int store_settings_get(struct store *s, struct diag *d, struct store_settings *ret);
/* value NULL removes. Writes an audit row, "set" or "unset". */
_must_check_ int store_setting_put(struct store *s, const char *key, const char *value,
                                   const struct author *a, struct diag *d);

/* Preshared keys, by the UUID that an attribute names. Never listed, never printed; the audit row
 * holds the id only. value NULL removes. */
_must_check_ int store_secret_put(struct store *s, const char *id, const char *value,
                                  const struct author *a, struct diag *d);
/* Owned; whoever frees it clears it first (explicit_bzero()). -ENOENT. */
_must_check_ int store_secret_get(struct store *s, const char *id, struct diag *d, char **ret);
