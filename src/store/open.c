/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/open.c: creating, checking and opening the database.
 * Called once by the agent. Invariants: an existing file is looked at read-only first, and
 * written only after it has proved to be ours, whole, and not newer than this build; a new
 * database appears under its name only when it is complete, so an empty or partial file is
 * always damage. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "db.h"
#include "schema.h"

enum {
    APPLICATION_ID = 1886872676, /* "pwdd", as in 001-initial.sql */
    BUSY_MS = 2000,              /* somebody may be reading with sqlite3 */
    PATH_BYTES = 4096,
};

static void sqlite_closep(sqlite3 **db)
{
    (void)sqlite3_close(*db); /* no statement is left, so it cannot be busy */
    *db = NULL;
}

int pragma_int(sqlite3 *db, const char *pragma, int *ret)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(db, pragma, -1, &st, NULL);
    if (code == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        *ret = sqlite3_column_int(st, 0);
    code = sqlite3_finalize(st);
    return code == SQLITE_OK ? 0 : -EIO;
}

/* -1 if there is no such file. */
static int64_t file_size(const char *path, const char *suffix)
{
    char name[PATH_BYTES + 16];
    struct stat st;
    (void)snprintf(name, sizeof(name), "%s%s", path, suffix); /* path fits, see make_path() */
    return lstat(name, &st) < 0 ? -1 : st.st_size;
}

/* SQLite's pragma for whole files; the first complaint is the message. */
static int quick_check(struct store *s, struct diag *d)
{
    sqlite3_stmt *st = NULL;
    int r = 0;
    if (sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW)
        r = db_fail(s, d);
    else if (strcmp(column_text(st, 0), "ok") != 0)
        r = db_corrupt(s->path, d, "is damaged: %s", column_text(st, 0));
    (void)sqlite3_finalize(st); /* repeats the error of the last step */
    return r;
}

static int check_version(struct store *s, struct diag *d)
{
    int id = 0, version = 0;
    if (pragma_int(s->db, "PRAGMA application_id", &id) < 0)
        return db_fail(s, d);
    if (id != APPLICATION_ID)
        return db_corrupt(s->path, d, "is not a portward database");
    if (pragma_int(s->db, "PRAGMA user_version", &version) < 0)
        return db_fail(s, d);
    if (version > (int)schema_n_versions) {
        int r =
            diag_fail(d, DIAG_CORRUPT,
                      "database '%s' has version %d, this build knows versions up to %u; it was "
                      "left as it is",
                      s->path, version, schema_n_versions);
        diag_hint(d, "start the newer portward again, or move the file away: mv %s %s.newer",
                  s->path, s->path);
        return r;
    }
    if (version < 1)
        return db_corrupt(s->path, d, "is damaged: it has no version");
    return version;
}

/* A file name as SQLite's URI. */
static int make_uri(const char *path, bool immutable, struct strbuf *out)
{
    (void)strbuf_add(out, "file:"); /* errors are sticky in out */
    for (const char *p = path; *p; p++) {
        if (*p == '?' || *p == '#' || *p == '%')
            (void)strbuf_addf(out, "%%%02x", (unsigned)(unsigned char)*p);
        else
            (void)strbuf_add_char(out, *p);
    }
    return strbuf_add(out, immutable ? "?mode=ro&immutable=1" : "?mode=ro");
}

/* Everything that can be known without writing a byte. */
static int check_file(const char *path, struct diag *d)
{
    struct stat info;
    if (lstat(path, &info) < 0)
        return diag_errno(d, errno, "cannot read database '%s'", path);
    if (!S_ISREG(info.st_mode))
        return db_corrupt(path, d, "is not a regular file");
    /* Without a log the file alone is the database, and SQLite is told that nothing changes it:
     * then it makes no side files either. With one it must be read as well. */
    bool alone = file_size(path, "-wal") <= 0;
    _cleanup_(strbuf_done) struct strbuf uri = STRBUF_INIT(4 * PATH_BYTES);
    int r = make_uri(path, alone, &uri);
    if (r < 0)
        return r;
    _cleanup_(sqlite_closep) sqlite3 *db = NULL;
    int code = sqlite3_open_v2(uri.s, &db,
                               SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    char *name = strdup(path);
    if (!db || !name) {
        free(name);
        return -ENOMEM;
    }
    struct store probe = {.db = db, .path = name};
    if (code != SQLITE_OK) {
        r = db_fail(&probe, d);
    } else {
        (void)sqlite3_busy_timeout(db, BUSY_MS); /* cannot fail */
        int version = check_version(&probe, d);
        r = version < 0 ? version : quick_check(&probe, d);
        if (r == 0 && version == (int)schema_n_versions)
            r = db_prepare_all(&probe, d);
        db_finalize_all(&probe);
    }
    free(name);
    return r;
}

static int run_sql(struct store *s, const char *sql, struct diag *d)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_fail(s, d);
}

/* Opens path for writing and sets what a connection has to set each time. */
static int connect_rw(struct store *s, const char *path, struct diag *d)
{
    s->path = strdup(path);
    if (!s->path)
        return -ENOMEM;
    int code = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (!s->db)
        return -ENOMEM;
    if (code != SQLITE_OK)
        return db_fail(s, d);
    (void)sqlite3_extended_result_codes(s->db, 0);
    (void)sqlite3_busy_timeout(s->db, BUSY_MS);
    /* SQLite falls back to reading only without a word. */
    if (sqlite3_db_readonly(s->db, "main") != 0) {
        (void)diag_fail(d, DIAG_SYSTEM, "cannot write database '%s'", path);
        diag_hint(d, "check the owner and the file system of the state directory");
        return -EROFS;
    }
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_wal_hook(s->db, log_grew, s); /* instead of a checkpoint within commits */
    return run_sql(s,
                   "PRAGMA journal_mode = WAL;"
                   "PRAGMA synchronous = FULL;"
                   "PRAGMA cache_size = -65536;" /* KiB: a policy of 200,000 filters fits */
                   "PRAGMA foreign_keys = ON;"
                   "PRAGMA trusted_schema = OFF;"
                   "PRAGMA cell_size_check = ON;",
                   d);
}

static int sync_directory(const char *dir, struct diag *d)
{
    _cleanup_(close_p) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return diag_errno(d, errno, "cannot write directory '%s'", dir);
    return 0;
}

/* Builds the database under another name and renames it when it is complete. */
static int create_file(const char *dir, const char *path, struct diag *d)
{
    char fresh[PATH_BYTES + 16];
    (void)snprintf(fresh, sizeof(fresh), "%s.new", path); /* path fits, see make_path() */
    if (unlink(fresh) < 0 && errno != ENOENT)
        return diag_errno(d, errno, "cannot create database '%s'", path);
    _cleanup_(close_p) int fd =
        open(fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return diag_errno(d, errno, "cannot create database '%s'", path);
    close_p(&fd); /* before SQLite locks it: closing it later would drop those locks */
    struct store s = {0};
    int r = connect_rw(&s, fresh, d);
    if (r == 0)
        r = db_migrate(&s, d);
    if (r == 0)
        r = run_sql(&s, "VACUUM", d); /* tables of earlier versions are gone again */
    sqlite_closep(&s.db);             /* the last connection moves its log into the file */
    free(s.path);
    if (r == 0 && rename(fresh, path) < 0)
        r = diag_errno(d, errno, "cannot create database '%s'", path);
    if (r < 0) {
        (void)unlink(fresh); /* the error that matters is in r */
        return r;
    }
    return sync_directory(dir, d);
}

static int make_directory(const char *dir, struct diag *d)
{
    struct stat info;
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return diag_errno(d, errno, "cannot create state directory '%s'", dir);
    if (stat(dir, &info) < 0)
        return diag_errno(d, errno, "cannot read state directory '%s'", dir);
    if (!S_ISDIR(info.st_mode))
        return diag_errno(d, ENOTDIR, "cannot use '%s' as state directory", dir);
    if ((info.st_mode & S_IWOTH) == 0)
        return 0;
    int r = diag_fail(d, DIAG_SYSTEM, "state directory '%s' can be written by everybody", dir);
    diag_hint(d, "chmod 700 %s", dir);
    return r;
}

static int make_path(const char *dir, char path[PATH_BYTES], struct diag *d)
{
    int n = snprintf(path, PATH_BYTES, "%s/portward.db", dir);
    if (n < 0 || n >= PATH_BYTES)
        return diag_errno(d, ENAMETOOLONG, "cannot use state directory '%s'", dir);
    return 0;
}

/* There is no database: a log without it belongs to one that somebody took away, and SQLite
 * would apply it to the new file. */
static int check_nothing_left(const char *path, struct diag *d)
{
    if (file_size(path, "-wal") <= 0)
        return 0;
    int r = diag_fail(d, DIAG_CORRUPT, "database '%s' is missing, its log '%s-wal' is there", path,
                      path);
    diag_hint(d, "restore the database, or move its log away: mv %s-wal %s-wal.old", path, path);
    return r;
}

int store_open(const char *dir, struct diag *d, struct store **ret)
{
    char path[PATH_BYTES];
    int r = make_path(dir, path, d);
    if (r < 0)
        return r;
    r = make_directory(dir, d);
    if (r < 0)
        return r;
    if (file_size(path, "") < 0 && errno == ENOENT) {
        r = check_nothing_left(path, d);
        if (r == 0)
            r = create_file(dir, path, d);
    } else {
        r = check_file(path, d);
    }
    if (r < 0)
        return r;
    _cleanup_(store_closep) struct store *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    r = connect_rw(s, path, d);
    if (r < 0)
        return r;
    if (chmod(path, 0600) < 0)
        return diag_errno(d, errno, "cannot set the mode of database '%s'", path);
    r = db_migrate(s, d);
    if (r < 0)
        return r;
    r = db_prepare_all(s, d);
    if (r < 0)
        return r;
    for (enum counter c = COUNTER_GENERATION; c < _COUNTER_MAX; c++) {
        r = counter_load(s, c, d);
        if (r < 0)
            return r;
    }
    *ret = TAKE_PTR(s);
    return 0;
}

struct store *store_close(struct store *s)
{
    if (!s)
        return NULL;
    store_rollback(s);
    db_finalize_all(s);
    sqlite_closep(&s->db);
    free(s->path);
    free(s);
    return NULL;
}

void store_closep(struct store **s)
{
    *s = store_close(*s);
}
