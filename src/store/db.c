/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store/db.c: prepared statements, binding, and SQLite's errors in the words of the product.
 * Called by every file of the store, nobody else. Invariant: a failed step leaves a filled
 * diagnostic, and a statement is reset before it is bound again. */
#include "db.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"

static const char *const statements[_STMT_MAX] = {
#define STMT_TEXT(name, text) [STMT_##name] = text,
    STORE_STATEMENTS(STMT_TEXT)
#undef STMT_TEXT
};

int db_corrupt(const char *path, struct diag *d, const char *fmt, ...)
{
    char what[200];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, ap); /* cut if it is longer */
    va_end(ap);
    int r = diag_fail(d, DIAG_CORRUPT, "database '%s' %s; it was left as it is", path, what);
    diag_hint(d, "restore a backup, or move it away and load the policies again: mv %s %s.damaged",
              path, path);
    return r;
}

static int fail_with(const struct store *s, int code, const char *text, struct diag *d)
{
    switch (code) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return db_corrupt(s->path, d, "is damaged: %s", text);
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        (void)diag_fail(d, DIAG_SYSTEM, "database '%s': no space left, nothing was changed",
                        s->path);
        diag_hint(d, "df -h %s", s->path);
        return -ENOSPC;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        (void)diag_fail(d, DIAG_SYSTEM, "cannot %s database '%s': %s",
                        code == SQLITE_READONLY ? "write" : "open", s->path, text);
        diag_hint(d, "check the owner and the file system of the state directory");
        return -EROFS;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        (void)diag_fail(d, DIAG_SYSTEM, "database '%s' is in use by another process", s->path);
        return -EBUSY;
    default: /* SQLite's codes, not an enum of ours */
        return diag_fail(d, DIAG_SYSTEM, "database '%s': %s", s->path, text);
    }
}

int db_fail(struct store *s, struct diag *d)
{
    return fail_with(s, sqlite3_errcode(s->db) & 0xff, sqlite3_errmsg(s->db), d);
}

int db_fail_code(struct store *s, int code, struct diag *d)
{
    return fail_with(s, code & 0xff, sqlite3_errstr(code), d); /* the primary code */
}

int db_prepare_all(struct store *s, struct diag *d)
{
    for (unsigned i = 0; i < _STMT_MAX; i++) {
        if (sqlite3_prepare_v3(s->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &s->stmt[i],
                               NULL) == SQLITE_OK)
            continue;
        /* The statements are ours and right: it is the schema that is not. */
        if ((sqlite3_errcode(s->db) & 0xff) == SQLITE_ERROR)
            return db_corrupt(s->path, d, "has another schema: %s", sqlite3_errmsg(s->db));
        return db_fail(s, d);
    }
    return 0;
}

void db_finalize_all(struct store *s)
{
    for (unsigned i = 0; i < _STMT_MAX; i++) {
        (void)sqlite3_finalize(s->stmt[i]); /* repeats the error of the last step */
        s->stmt[i] = NULL;
    }
}

static int bind_one(sqlite3_stmt *st, const struct bind *b)
{
    int at = sqlite3_bind_parameter_index(st, b->name);
    assert(at > 0); /* names are ours on both sides */
    switch (b->type) {
    case BIND_TYPE_NULL:
        return sqlite3_bind_null(st, at);
    case BIND_TYPE_INT:
        return sqlite3_bind_int64(st, at, b->number);
    case BIND_TYPE_TEXT:
        return sqlite3_bind_text(st, at, b->data, -1, SQLITE_STATIC);
    case BIND_TYPE_BLOB:
        return sqlite3_bind_blob64(st, at, b->data, b->len, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

int db_bind(struct store *s, enum stmt_id id, const struct bind *b, size_t n, struct diag *d,
            sqlite3_stmt **ret)
{
    sqlite3_stmt *st = s->stmt[id];
    (void)sqlite3_reset(st); /* repeats the error of the last step, which was reported */
    (void)sqlite3_clear_bindings(st);
    for (size_t i = 0; i < n; i++) {
        if (bind_one(st, &b[i]) != SQLITE_OK)
            return db_fail(s, d);
    }
    *ret = st;
    return 0;
}

int db_step(struct store *s, sqlite3_stmt *st, struct diag *d)
{
    switch (sqlite3_step(st)) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    default: /* SQLite's codes, not an enum of ours */
        return db_fail(s, d);
    }
}

int db_run(struct store *s, enum stmt_id id, const struct bind *b, size_t n, struct diag *d)
{
    _cleanup_(stmt_resetp) sqlite3_stmt *st = NULL;
    int r = db_bind(s, id, b, n, d, &st);
    if (r < 0)
        return r;
    r = db_step(s, st, d);
    return r < 0 ? r : 0;
}

void stmt_resetp(sqlite3_stmt **st)
{
    (void)sqlite3_reset(*st); /* repeats the error of the last step, which was reported */
}

const char *column_text(sqlite3_stmt *st, int i)
{
    const unsigned char *text = sqlite3_column_text(st, i);
    return text ? (const char *)text : "";
}

int column_valid_text(struct store *s, sqlite3_stmt *st, int i, struct diag *d, const char **ret)
{
    const char *text = column_text(st, i);
    size_t n = (size_t)sqlite3_column_bytes(st, i);
    if (strlen(text) != n || !utf8_valid(text, n))
        return db_corrupt(s->path, d, "is damaged: a text is not UTF-8");
    *ret = text;
    return 0;
}

int column_guid(struct store *s, sqlite3_stmt *st, int i, struct diag *d, struct guid *ret)
{
    const void *blob = sqlite3_column_blob(st, i);
    if (!blob || sqlite3_column_bytes(st, i) != sizeof(ret->b))
        return db_corrupt(s->path, d, "is damaged: a GUID has a wrong size");
    memcpy(ret->b, blob, sizeof(ret->b));
    return 0;
}

static size_t utf8_encode(uint32_t cp, char *out)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t len = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const unsigned lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len; i-- > 1; cp >>= 6)
        out[i] = (char)(0x80 | (cp & 0x3f));
    out[0] = (char)(lead[len] | cp);
    return len;
}

int name_fold(const char *name, const char *what, struct diag *d, struct folded *ret)
{
    int r = name_validate(name, what, (struct span){0}, d);
    if (r < 0)
        return r;
    _Static_assert(sizeof(ret->s) > LIMIT_NAME_BYTES, "folding keeps the length in bytes");
    size_t n = strlen(name), out = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t len = utf8_decode(name + i, n - i, &cp);
        char text[4];
        size_t written = utf8_encode(utf8_fold(cp), text);
        assert(len > 0 && written <= len);
        memcpy(ret->s + out, text, written);
        out += written;
        i += len;
    }
    ret->s[out] = '\0';
    return 0;
}

const char *slot_name(enum assign_slot slot)
{
    static const char *const names[_ASSIGN_SLOT_MAX] = {"local", "persistent"};
    assert(slot < _ASSIGN_SLOT_MAX);
    return names[slot];
}
