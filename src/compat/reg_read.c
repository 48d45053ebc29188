/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reg_read.c: the text of a registry export into a tree; the bytes of the file were made text by
 * reg_decode.c. Errors name line and column of the decoded text. Callers: the import of registry
 * files. Invariant: every byte of the text is looked at a bounded number of times. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "reg_decode.h"
#include "reg_tree.h"

/* LEVELS: what Windows allows. */
enum { FILE_BYTES = 64 * 1024 * 1024, VALUES = 1000000, PATH_BYTES = 16 * 1024, LEVELS = 512 };

struct reader {
    const char *s;
    size_t n, at, line_start;
    uint32_t line;
    struct diag *d;
    bool old; /* REGEDIT4: bytes of strings are ANSI */
    struct reg_tree tree;
    size_t n_values;
};

/* --- the text --- */
static int fail_at(struct reader *r, size_t at, const char *what)
{
    struct span span = {r->line, (uint32_t)(at - r->line_start + 1), 1, (uint32_t)at};
    return diag_fail_at(r->d, DIAG_SYNTAX, span, "%s", what);
}

static int fail(struct reader *r, const char *what)
{
    return fail_at(r, r->at, what);
}

static int peek(const struct reader *r)
{
    return r->at < r->n ? (unsigned char)r->s[r->at] : -1;
}

static bool at_line_end(const struct reader *r)
{
    int c = peek(r);
    return c < 0 || c == '\n' || c == '\r';
}

static void skip_blanks(struct reader *r)
{
    while (peek(r) == ' ' || peek(r) == '\t')
        r->at++;
}

static void next_line(struct reader *r)
{
    if (peek(r) == '\r' && r->at + 1 < r->n && r->s[r->at + 1] == '\n')
        r->at++;
    if (r->at < r->n)
        r->at++;
    r->line++;
    r->line_start = r->at;
}

static int end_line(struct reader *r)
{
    skip_blanks(r);
    if (peek(r) == ';')
        while (!at_line_end(r))
            r->at++;
    if (!at_line_end(r))
        return fail(r, "the line goes on behind its end");
    next_line(r);
    return 0;
}

static bool take_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);
    if (r->n - r->at < n || strncasecmp(r->s + r->at, word, n) != 0)
        return false;
    r->at += n;
    return true;
}

/* A string of an export may contain line ends; a name may not. */
static int read_string(struct reader *r, bool lines, char **ret)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(FILE_BYTES);
    size_t start = r->at, start_line = r->line_start;
    uint32_t line = r->line;
    for (r->at++; r->at < r->n && r->s[r->at] != '"';) {
        if (at_line_end(r)) {
            size_t from = r->at;
            if (!lines)
                return fail_at(r, start, "the string is not closed on its line");
            next_line(r);
            (void)strbuf_add_n(&text, r->s + from, r->at - from);
            continue;
        }
        if (r->s[r->at] == '\\' && r->at + 1 < r->n &&
            (r->s[r->at + 1] == '"' || r->s[r->at + 1] == '\\'))
            r->at++;
        (void)strbuf_add_char(&text, r->s[r->at++]);
    }
    if (r->at >= r->n) {
        r->line = line;
        r->line_start = start_line;
        return fail_at(r, start, "the string is not closed");
    }
    r->at++;
    *ret = strbuf_take(&text);
    return *ret ? 0 : -ENOMEM;
}

/* --- values --- */
static int hex_digit(int c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int read_number(struct reader *r, uint32_t *ret)
{
    size_t n = 0;
    *ret = 0;
    for (; hex_digit(peek(r)) >= 0; r->at++, n++) {
        if (n == 8)
            return fail(r, "a number has at most 8 hexadecimal digits");
        *ret = *ret << 4 | (uint32_t)hex_digit(peek(r));
    }
    return n > 0 ? 0 : fail(r, "hexadecimal digits expected");
}

struct bytes {
    uint8_t *v;
    size_t n, cap;
};

/* A backslash at the end of a line continues it; comments may stand between. */
static int read_continuation(struct reader *r)
{
    r->at++;
    skip_blanks(r);
    if (!at_line_end(r) || r->at >= r->n)
        return fail(r, "a backslash stands at the end of a line that goes on");
    next_line(r);
    skip_blanks(r);
    return 0;
}

static int read_bytes(struct reader *r, struct bytes *b)
{
    int err = 0;
    for (skip_blanks(r); err == 0; skip_blanks(r)) {
        if (peek(r) == '\\') {
            err = read_continuation(r);
            continue;
        }
        if (at_line_end(r) || peek(r) == ';')
            return 0;
        int high = hex_digit(peek(r));
        if (high < 0)
            return fail(r, "a byte of two hexadecimal digits expected");
        r->at++;
        int low = hex_digit(peek(r));
        if (low >= 0)
            r->at++;
        if (array_reserve(&b->v, &b->cap, b->n + 1, 1) < 0)
            return -ENOMEM;
        b->v[b->n++] = (uint8_t)(low >= 0 ? high << 4 | low : high);
        skip_blanks(r);
        if (peek(r) == ',')
            r->at++;
        else if (!at_line_end(r) && peek(r) != ';' && peek(r) != '\\')
            return fail(r, "a comma expected between two bytes");
    }
    return err;
}

/* The strings in the bytes, each closed by a NUL; without is the last that is not. */
static int set_strings(struct reader *r, size_t at, const struct bytes *b, struct reg_value *v)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(3 * (size_t)FILE_BYTES);
    size_t cap = 0;
    for (size_t i = 0; i < b->n;) {
        strbuf_done(&text);
        text = (struct strbuf)STRBUF_INIT(3 * (size_t)FILE_BYTES);
        if (reg_decode_string(b->v, b->n, r->old, &i, &text) < 0)
            return fail_at(r, at, "the bytes are no text");
        if (v->type != REG_MULTI_SZ)
            break;
        if (text.len == 0)
            break;
        if (array_reserve(&v->strings, &cap, v->n_strings + 1, sizeof(*v->strings)) < 0)
            return -ENOMEM;
        v->strings[v->n_strings] = strbuf_take(&text);
        if (!v->strings[v->n_strings])
            return -ENOMEM;
        v->n_strings++;
    }
    if (v->type == REG_MULTI_SZ)
        return 0;
    v->text = strbuf_take(&text);
    return v->text ? 0 : -ENOMEM;
}

static int set_number(struct reader *r, size_t at, const struct bytes *b, struct reg_value *v)
{
    size_t want = v->type == REG_DWORD ? 4 : 8;
    if (b->n != want)
        return fail_at(r, at, v->type == REG_DWORD ? "4 bytes expected" : "8 bytes expected");
    for (size_t i = 0; i < want; i++)
        v->number |= (uint64_t)b->v[i] << 8 * i;
    return 0;
}

/* Takes the bytes over where they stay bytes. */
static int set_typed(struct reader *r, size_t at, uint32_t type, struct bytes *b,
                     struct reg_value *v)
{
    switch (type) {
    case REG_SZ:
    case REG_EXPAND_SZ:
    case REG_MULTI_SZ:
        v->type = (enum reg_type)type;
        return set_strings(r, at, b, v);
    case REG_DWORD:
    case REG_QWORD:
        v->type = (enum reg_type)type;
        return set_number(r, at, b, v);
    default:
        break;
    }
    v->type = type == REG_BINARY ? REG_BINARY : REG_OTHER;
    v->other_type = type == REG_BINARY ? 0 : type;
    v->bytes = TAKE_PTR(b->v);
    v->n_bytes = b->n;
    return 0;
}

static int read_hex(struct reader *r, struct reg_value *v)
{
    struct bytes b = {0};
    uint32_t type = REG_BINARY;
    int err = 0;
    if (peek(r) == '(') {
        r->at++;
        err = read_number(r, &type);
        if (err == 0 && peek(r) != ')')
            err = fail(r, "')' expected behind the type");
        r->at += err == 0;
    }
    if (err == 0 && peek(r) != ':')
        err = fail(r, "':' expected");
    size_t at = r->at;
    r->at += err == 0;
    size_t line_start = r->line_start;
    uint32_t line = r->line;
    if (err == 0)
        err = read_bytes(r, &b);
    if (err == 0) {
        /* What is wrong with the bytes as a whole is told where they begin. */
        struct reader here = *r;
        here.line = line;
        here.line_start = line_start;
        err = set_typed(&here, at, type, &b, v);
    }
    free(b.v);
    return err;
}

static int read_data(struct reader *r, struct reg_value *v)
{
    uint32_t number;
    skip_blanks(r);
    if (peek(r) == '-') {
        r->at++;
        v->removed = true;
        return 0;
    }
    if (peek(r) == '"') {
        v->type = REG_SZ;
        return read_string(r, true, &v->text);
    }
    if (take_word(r, "dword:")) {
        int err = read_number(r, &number);
        v->type = REG_DWORD;
        v->number = err < 0 ? 0 : number;
        return err;
    }
    if (take_word(r, "hex"))
        return read_hex(r, v);
    return fail(r, "a string, dword:, hex: or - expected");
}

static int read_value(struct reader *r, struct reg_key *k)
{
    _cleanup_free_ char *name = NULL;
    int err = 0;
    if (!k)
        return fail(r, "a value stands before the first key");
    if (r->n_values++ >= VALUES)
        return diag_fail(r->d, DIAG_LIMIT, "more than %d values", VALUES);
    uint32_t line = r->line;
    if (peek(r) == '"')
        err = read_string(r, false, &name);
    else if ((name = strdup("")))
        r->at++;
    else
        err = -ENOMEM;
    skip_blanks(r);
    if (err == 0 && peek(r) != '=')
        err = fail(r, "'=' expected behind the name of the value");
    if (err < 0)
        return err;
    r->at++;
    struct reg_value *v = reg_value_make(k, name);
    if (!v)
        return -ENOMEM;
    v->line = line;
    v->type = REG_SZ;
    err = read_data(r, v);
    return err < 0 ? err : end_line(r);
}

/* --- keys --- */
static const struct {
    const char *written, *root;
} roots[] = {
    {"HKLM", "HKEY_LOCAL_MACHINE"}, {"HKCU", "HKEY_CURRENT_USER"},   {"HKCR", "HKEY_CLASSES_ROOT"},
    {"HKU", "HKEY_USERS"},          {"HKCC", "HKEY_CURRENT_CONFIG"},
};

/* The path up to the last ']' of the line: keys may contain one. */
static int read_path(struct reader *r, char **ret)
{
    _cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT(PATH_BYTES + 64);
    size_t start = r->at, end = r->at, close = 0;
    for (; end < r->n && r->s[end] != '\n' && r->s[end] != '\r'; end++)
        if (r->s[end] == ']')
            close = end;
    if (close == 0)
        return fail_at(r, end, "']' expected behind the key");
    size_t n = close - start;
    if (n > PATH_BYTES)
        return fail(r, "the name of the key is too long");
    size_t root = 0, levels = 0;
    for (size_t i = start; i < close; i++)
        levels += r->s[i] == '\\';
    if (levels > LEVELS)
        return fail(r, "the key is more than 512 levels deep");
    while (root < n && r->s[start + root] != '\\')
        root++;
    for (size_t i = 0; i < ARRAY_SIZE(roots) && path.len == 0; i++)
        if (strlen(roots[i].written) == root &&
            strncasecmp(roots[i].written, r->s + start, root) == 0)
            (void)strbuf_add(&path, roots[i].root);
    if (path.len == 0 && (root < 5 || strncasecmp(r->s + start, "HKEY_", 5) != 0))
        return fail(r, "a key begins with its root, such as HKEY_LOCAL_MACHINE");
    if (path.len > 0)
        (void)strbuf_add_n(&path, r->s + start + root, n - root);
    else
        (void)strbuf_add_n(&path, r->s + start, n);
    r->at = close + 1;
    *ret = strbuf_take(&path);
    return *ret ? 0 : -ENOMEM;
}

static int read_key(struct reader *r, struct reg_key **ret)
{
    _cleanup_free_ char *path = NULL;
    uint32_t line = r->line;
    r->at++;
    bool removed = peek(r) == '-';
    r->at += removed;
    int err = read_path(r, &path);
    if (err == 0)
        err = end_line(r);
    if (err < 0)
        return err;
    struct reg_key *k = reg_make(&r->tree, path);
    if (!k)
        return -ENOMEM;
    if (k->line == 0)
        k->line = line;
    k->removed = removed;
    if (removed)
        k->removed_line = line;
    *ret = k;
    return 0;
}

/* A key that is removed takes along what stood before in it and below it. */
static void settle_removals(struct reg_tree *t)
{
    bool any = false;
    for (size_t i = 0; !any && i < t->n; i++)
        any = t->v[i].removed_line > 0;
    for (size_t i = 0; any && i < t->n; i++) {
        uint32_t line = t->v[i].removed_line;
        for (char *end = t->v[i].path + strlen(t->v[i].path);
             (end = memrchr(t->v[i].path, '\\', (size_t)(end - t->v[i].path)));) {
            *end = '\0';
            const struct reg_key *above = reg_find(t, t->v[i].path);
            *end = '\\';
            if (above && above->removed_line > line)
                line = above->removed_line;
        }
        if (line > 0)
            reg_key_drop(&t->v[i], line);
    }
}

/* --- the file --- */
static int read_header(struct reader *r)
{
    skip_blanks(r);
    while (r->at < r->n && at_line_end(r)) {
        next_line(r);
        skip_blanks(r);
    }
    if (take_word(r, "REGEDIT4"))
        r->old = true;
    else if (!take_word(r, "Windows Registry Editor Version 5.00"))
        return fail(r, "a registry export begins with 'Windows Registry Editor Version 5.00' or "
                       "'REGEDIT4'");
    return end_line(r);
}

static int read_lines(struct reader *r)
{
    struct reg_key *k = NULL;
    int err = read_header(r);
    while (err == 0 && r->at < r->n) {
        skip_blanks(r);
        int c = peek(r);
        if (c == '[')
            err = read_key(r, &k);
        else if (c == '"' || c == '@')
            err = read_value(r, k);
        else if (c == ';' || at_line_end(r))
            err = end_line(r);
        else
            err = fail(r, "a key in [brackets], a value or a comment expected");
    }
    return err;
}

int reg_read(const char *data, size_t len, struct diag *d, struct reg_tree *ret)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(3 * (size_t)FILE_BYTES);
    if (len > FILE_BYTES)
        return diag_fail(d, DIAG_LIMIT, "a registry file of more than %d MiB", FILE_BYTES >> 20);
    int err = reg_decode((const uint8_t *)data, len, d, &text);
    if (err < 0)
        return err;
    struct reader r = {.s = text.s ? text.s : "", .n = text.len, .line = 1, .d = d};
    err = read_lines(&r);
    if (err < 0) {
        reg_tree_done(&r.tree);
        return err;
    }
    settle_removals(&r.tree);
    *ret = r.tree;
    return 0;
}
