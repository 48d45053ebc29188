/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the store: the connection, its prepared statements, binding, and what SQLite's errors
 * mean to people. Only files of this directory include it.
 *
 * A statement that returned a row holds a read lock until it is reset: whoever steps one declares
 * it with _cleanup_(stmt_resetp). */
#pragma once
#include <sqlite3.h>

#include "sql.h"
#include "store/store.h"

enum stmt_id {
#define STMT_ID(name, text) STMT_##name,
    STORE_STATEMENTS(STMT_ID)
#undef STMT_ID
        _STMT_MAX,
};

/* Numbers that only go up. */
enum counter { COUNTER_GENERATION, COUNTER_HANDLE, COUNTER_STATE, _COUNTER_MAX };

struct store {
    sqlite3 *db;
    char *path;
    sqlite3_stmt *stmt[_STMT_MAX];
    bool in_transaction;       /* between store_begin() and commit or rollback */
    bool commits_without_wait; /* store_wait_for_disk() */
    bool dry;                  /* it was store_begin_dry() */
    int log_pages;             /* in the log after the last commit */
    uint64_t before_dry[_COUNTER_MAX];
    uint64_t last[_COUNTER_MAX]; /* highest number given by this process */
    /* First rows of the change at hand that carry no generation yet, 0 = none. */
    int64_t first_revision, first_audit;
};

/* One value for one named parameter. */
struct bind {
    const char *name;
    enum { BIND_TYPE_NULL, BIND_TYPE_INT, BIND_TYPE_TEXT, BIND_TYPE_BLOB } type;
    int64_t number;
    const void *data;
    size_t len;
};
#define BIND_INT(n, v)                                             \
    {                                                              \
        .name = (n), .type = BIND_TYPE_INT, .number = (int64_t)(v) \
    }
/* NULL is bound as NULL. */
#define BIND_TEXT(n, s)                                  \
    {                                                    \
        .name = (n), .type = BIND_TYPE_TEXT, .data = (s) \
    }
#define BIND_BLOB(n, p, size)                                           \
    {                                                                   \
        .name = (n), .type = BIND_TYPE_BLOB, .data = (p), .len = (size) \
    }
#define BIND_GUID(n, g)                                                            \
    {                                                                              \
        .name = (n), .type = BIND_TYPE_BLOB, .data = (g)->b, .len = sizeof((g)->b) \
    }

_must_check_ int db_prepare_all(struct store *s, struct diag *d);
void db_finalize_all(struct store *s);
/* Binds and returns the statement, reset; borrowed values must live until it is reset again. */
_must_check_ int db_bind(struct store *s, enum stmt_id id, const struct bind *b, size_t n,
                         struct diag *d, sqlite3_stmt **ret);
/* 1 = a row is there, 0 = no more. */
_must_check_ int db_step(struct store *s, sqlite3_stmt *st, struct diag *d);
/* Runs a statement that returns nothing. */
int db_run(struct store *s, enum stmt_id id, const struct bind *b, size_t n, struct diag *d);
void stmt_resetp(sqlite3_stmt **st);

/* Fills d from the connection's last error. */
int db_fail(struct store *s, struct diag *d);
/* The same for a code that SQLite returned without keeping it. */
_must_check_ int db_fail_code(struct store *s, int code, struct diag *d);
/* "database '...' is damaged: WHAT", with the hint what to do; -EIO. */
int db_corrupt(const char *path, struct diag *d, const char *fmt, ...) _printf_(3, 4);

/* Column helpers. Text is "" for NULL; a GUID of a wrong size is damage. */
const char *column_text(sqlite3_stmt *st, int i);
_must_check_ int column_guid(struct store *s, sqlite3_stmt *st, int i, struct diag *d,
                             struct guid *ret);

/* The same where a text is whatever somebody gave: one with a NUL byte or that is not UTF-8 is
 * damage. */
_must_check_ int column_valid_text(struct store *s, sqlite3_stmt *st, int i, struct diag *d,
                                   const char **ret);

/* A name in its folded form: equal exactly for names that utf8_casecmp() calls equal. */
struct folded {
    char s[256];
};
_must_check_ int name_fold(const char *name, const char *what, struct diag *d, struct folded *ret);

/* A change: one transaction, or a savepoint inside store_begin() .. store_commit(). What is not
 * committed is rolled back by _cleanup_(scope_done). */
struct scope {
    struct store *s;
    bool active, nested;
};
/* change_begin() also forgets which earlier rows wait for a generation number. */
_must_check_ int change_begin(struct store *s, struct diag *d, struct scope *sc);
_must_check_ int scope_begin(struct store *s, struct diag *d, struct scope *sc);
_must_check_ int scope_commit(struct scope *sc, struct diag *d);
void scope_done(struct scope *sc);

_must_check_ int counter_load(struct store *s, enum counter c, struct diag *d);
int counter_save(struct store *s, enum counter c, struct diag *d);
/* Part of every change: store_state() is another number from here on. */
_must_check_ int state_raise(struct store *s, struct diag *d);

/* Rows of the trail (audit.c). */
_must_check_ int author_check(const struct author *a, struct diag *d);
int64_t now_s(void);
struct audit_row {
    const char *change, *object;
    uint32_t revision;   /* 0 = made none */
    uint64_t generation; /* 0 = not known yet, or none */
};
_must_check_ int audit_write(struct store *s, const struct author *a, const struct audit_row *row,
                             struct diag *d);

/* GUIDs and handles of rules and filters, in the order of the text (identities.c). */
_must_check_ int identities_write(const struct policy *p, uint8_t **ret, size_t *ret_n);
/* False if the blob does not fit the policy. */
_must_check_ bool identities_read(struct policy *p, const uint8_t *blob, size_t n);

/* A row of REVISION_GET as a policy (revision.c). Of version 1 it may have no identities: null
 * GUIDs and no handles. */
_must_check_ int revision_read(struct store *s, sqlite3_stmt *st, struct diag *d,
                               struct policy **ret);

/* SQLite's hook behind each commit in WAL mode (transaction.c); arg is the store. */
int log_grew(void *arg, sqlite3 *db, const char *name, int pages);

/* Brings the database to the version of this build (migrate.c). */
_must_check_ int db_migrate(struct store *s, struct diag *d);
/* Reads one number with a pragma. */
_must_check_ int pragma_int(sqlite3 *db, const char *pragma, int *ret);

/* Gives the policy another name, with its revisions (rename.c). DIAG_CONFLICT if it is taken. */
_must_check_ int policy_move(struct store *s, const char *old_name, const char *new_name,
                             struct diag *d);
/* Number of the last revision that was ever written under the name, 0 = none. */
_must_check_ int revision_last(struct store *s, const struct folded *name, struct diag *d,
                               uint32_t *ret);

/* Row id of the policy; -ENOENT with DIAG_UNKNOWN_OBJECT. */
_must_check_ int policy_row(struct store *s, const char *name, struct diag *d, int64_t *ret_id);
/* "unknown policy 'NAME'" with a near name as hint. */
int policy_unknown(struct store *s, const char *name, struct diag *d);
/* Like store_policy_get(), *ret NULL if there is none, and its row id. */
_must_check_ int policy_load(struct store *s, const struct folded *name, struct diag *d,
                             int64_t *ret_id, struct policy **ret);
const char *slot_name(enum assign_slot slot);
