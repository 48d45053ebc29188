/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/transaction.c: transactions, savepoints and the counters that never go back.
 * Called by every change of the store and, through store_begin(), by the agent around a change of
 * kernel and database. Invariants: what is not committed is gone; numbers once given are not
 * given again, even if the change they were for was rolled back. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db.h"

/* What a commit writes after store_reserve(): numbers of generations, and pages around them. */
enum { COMMIT_BYTES = 128 * 1024 };

enum {
    LOG_PAGES_TIDY = 1000, /* SQLite's own default */
    LOG_PAGES_MAX = 64000, /* 256 MiB: a load of a million filters has 30,000 */
};

static const char *const counter_names[_COUNTER_MAX] = {"generation", "handle", "state"};

int counter_load(struct store *s, enum counter c, struct diag *d)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    const struct bind b[] = {BIND_TEXT(":name", counter_names[c])};
    int r = db_bind(s, STMT_COUNTER_GET, b, ARRAY_SIZE(b), d, &st);
    if (r < 0)
        return r;
    r = db_step(s, st, d);
    if (r < 0)
        return r;
    if (r == 0)
        return db_corrupt(s->path, d, "is damaged: counter '%s' is missing", counter_names[c]);
    uint64_t stored = (uint64_t)sqlite3_column_int64(st, 0);
    if (stored > s->last[c])
        s->last[c] = stored;
    return 0;
}

int counter_save(struct store *s, enum counter c, struct diag *d)
{
    const struct bind b[] = {BIND_TEXT(":name", counter_names[c]), BIND_INT(":value", s->last[c])};
    return db_run(s, STMT_COUNTER_RAISE, b, ARRAY_SIZE(b), d);
}

/* The counter that a bound statement gives; r: result of binding it. */
static int state_number(struct store *s, int r, sqlite3_stmt *st, struct diag *d, uint64_t *ret)
{
    if (r == 0)
        r = db_step(s, st, d);
    if (r < 0)
        return r;
    if (r == 0)
        return db_corrupt(s->path, d, "is damaged: counter 'state' is missing");
    *ret = (uint64_t)sqlite3_column_int64(st, 0);
    return 0;
}

/* A number that somebody may have seen before a rollback never means anything else. */
int state_raise(struct store *s, struct diag *d)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    const struct bind b[] = {BIND_INT(":last", s->last[COUNTER_STATE])};
    int r = db_bind(s, STMT_STATE_RAISE, b, ARRAY_SIZE(b), d, &st);
    return state_number(s, r, st, d, &s->last[COUNTER_STATE]);
}

int store_state(struct store *s, struct diag *d, uint64_t *ret)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    int r = db_bind(s, STMT_STATE_GET, NULL, 0, d, &st);
    return state_number(s, r, st, d, ret);
}

/* After a rollback the stored counters are old; the ones in memory are not. */
static void keep_counters(struct store *s)
{
    for (enum counter c = COUNTER_GENERATION; c < _COUNTER_MAX; c++) {
        if (s->last[c] > 0)
            (void)counter_save(s, c, NULL); /* if it fails, memory still knows */
    }
}

/* SQLite ends a transaction by itself after some errors (disk full, I/O). */
static bool transaction_is_lost(const struct store *s)
{
    return s->in_transaction && sqlite3_get_autocommit(s->db);
}

int log_grew(void *arg, sqlite3 *db, const char *name _unused_, int pages)
{
    struct store *s = arg;
    s->log_pages = pages;
    if (pages > LOG_PAGES_MAX) /* nobody has tidied up for long */
        (void)sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return SQLITE_OK; /* a checkpoint that failed costs room, not the commit */
}

void store_tidy(struct store *s)
{
    if (s->in_transaction || s->log_pages < LOG_PAGES_TIDY)
        return;
    (void)sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    s->log_pages = 0; /* what is left, if a reader was in the way, comes with the next commit */
}

static int fail_lost(const struct store *s, struct diag *d)
{
    return diag_fail(d, DIAG_SYSTEM, "database '%s': the change was rolled back after an error",
                     s->path);
}

/* Nothing of a change that was only tried is in use: its numbers are free again. But its state may
 * have been read meanwhile, and is not to come back with other contents. */
static void end_dry(struct store *s)
{
    s->before_dry[COUNTER_STATE] = s->last[COUNTER_STATE];
    memcpy(s->last, s->before_dry, sizeof(s->last));
    s->dry = false;
    (void)sqlite3_exec(s->db, "PRAGMA cache_spill = ON", NULL, NULL, NULL); /* cannot fail */
}

static void rollback_all(struct store *s)
{
    if (!sqlite3_get_autocommit(s->db))
        (void)db_run(s, STMT_ROLLBACK, NULL, 0, NULL); /* fails only if there is nothing open */
    s->in_transaction = false;
    s->first_revision = s->first_audit = 0;
    if (s->dry)
        end_dry(s);
    else
        keep_counters(s);
}

int scope_begin(struct store *s, struct diag *d, struct scope *sc)
{
    if (transaction_is_lost(s))
        return fail_lost(s, d);
    bool nested = s->in_transaction;
    int r = db_run(s, nested ? STMT_SAVEPOINT : STMT_BEGIN, NULL, 0, d);
    if (r < 0)
        return r;
    *sc = (struct scope){.s = s, .active = true, .nested = nested};
    return 0;
}

int change_begin(struct store *s, struct diag *d, struct scope *sc)
{
    int r = scope_begin(s, d, sc);
    if (r == 0 && !sc->nested)
        s->first_revision = s->first_audit = 0;
    return r;
}

int scope_commit(struct scope *sc, struct diag *d)
{
    int r = db_run(sc->s, sc->nested ? STMT_RELEASE : STMT_COMMIT, NULL, 0, d);
    if (r < 0)
        return r;
    sc->active = false;
    return 0;
}

void scope_done(struct scope *sc)
{
    if (!sc->active)
        return;
    sc->active = false;
    if (!sc->nested) {
        rollback_all(sc->s);
    } else if (!sqlite3_get_autocommit(sc->s->db)) {
        /* Neither fails while the savepoint exists; a lost transaction is noticed later. */
        (void)db_run(sc->s, STMT_ROLLBACK_TO, NULL, 0, NULL);
        (void)db_run(sc->s, STMT_RELEASE, NULL, 0, NULL);
    }
}

int store_begin(struct store *s, struct diag *d)
{
    assert(!s->in_transaction);
    int r = db_run(s, STMT_BEGIN, NULL, 0, d);
    if (r < 0)
        return r;
    s->in_transaction = true;
    s->first_revision = s->first_audit = 0;
    return 0;
}

int store_begin_dry(struct store *s, struct diag *d)
{
    /* Else a large change would write pages to the log before its end. */
    if (sqlite3_exec(s->db, "PRAGMA cache_spill = OFF", NULL, NULL, NULL) != SQLITE_OK)
        return db_fail(s, d);
    int r = store_begin(s, d);
    if (r < 0) {
        (void)sqlite3_exec(s->db, "PRAGMA cache_spill = ON", NULL, NULL, NULL); /* cannot fail */
        return r;
    }
    memcpy(s->before_dry, s->last, sizeof(s->before_dry));
    s->dry = true;
    return 0;
}

int store_wait_for_disk(struct store *s, bool wait, struct diag *d)
{
    assert(!s->in_transaction);
    if (s->commits_without_wait == !wait)
        return 0;
    /* In WAL mode NORMAL leaves out the sync of the log at each commit (sqlite.org/pragma.html). */
    const char *sql = wait ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL";
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return db_fail(s, d);
    s->commits_without_wait = !wait;
    return 0;
}

int store_commit(struct store *s, struct diag *d)
{
    assert(s->in_transaction && !s->dry);
    if (transaction_is_lost(s)) {
        rollback_all(s);
        return fail_lost(s, d);
    }
    int r = db_run(s, STMT_COMMIT, NULL, 0, d);
    if (r < 0) {
        rollback_all(s);
        return r;
    }
    s->in_transaction = false;
    return 0;
}

/* Blocks past the end of the log, which SQLite fills next. Its locks are on other files, so that
 * opening and closing this one loses none. */
static int reserve_log(struct store *s, uint64_t bytes, struct diag *d)
{
    _cleanup_free_ char *name = NULL;
    struct stat info;
    if (asprintf(&name, "%s-wal", s->path) < 0) {
        name = NULL;
        return -ENOMEM;
    }
    _cleanup_(close_p) int fd = open(name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &info) < 0)
        return diag_errno(d, errno, "cannot open '%s'", name);
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, info.st_size, (off_t)bytes) == 0 ||
        errno == EOPNOTSUPP) /* such a file system tells at the commit only */
        return 0;
    return errno == ENOSPC ? db_fail_code(s, SQLITE_FULL, d)
                           : diag_errno(d, errno, "cannot reserve space for '%s'", name);
}

int store_reserve(struct store *s, uint64_t more, struct diag *d)
{
    assert(s->in_transaction);
    if (transaction_is_lost(s))
        return fail_lost(s, d);
    int code = sqlite3_db_cacheflush(s->db);
    if (code != SQLITE_OK)
        return db_fail_code(s, code, d);
    /* Half as much again for the frames of the log and pages that are not full. */
    return reserve_log(s, COMMIT_BYTES + more + more / 2, d);
}

void store_rollback(struct store *s)
{
    if (s->in_transaction)
        rollback_all(s);
}

int store_next_generation(struct store *s, struct diag *d, uint64_t *ret)
{
    _cleanup_(scope_done) struct scope sc = {0};
    int r = scope_begin(s, d, &sc);
    if (r < 0)
        return r;
    r = counter_load(s, COUNTER_GENERATION, d);
    if (r < 0)
        return r;
    s->last[COUNTER_GENERATION]++;
    r = counter_save(s, COUNTER_GENERATION, d);
    if (r < 0)
        return r;
    r = scope_commit(&sc, d);
    if (r < 0)
        return r;
    *ret = s->last[COUNTER_GENERATION];
    return 0;
}
