/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reg_print.c: keys and values as the text of a registry export 5.00. Called by the export; what
 * it writes reg_read() reads as the same tree. */
#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "reg_tree.h"
#include "utf16.h"

enum { LINE_COLUMNS = 80 };

static void print_quoted(const char *s, struct strbuf *out)
{
    (void)strbuf_add_char(out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            (void)strbuf_add_char(out, '\\');
        (void)strbuf_add_char(out, *s);
    }
    (void)strbuf_add_char(out, '"');
}

/* Bytes of one hex list; the line is broken where regedit breaks it. */
struct hex {
    struct strbuf *out;
    size_t column, n;
};

static void hex_byte(struct hex *h, unsigned byte)
{
    if (h->n > 0) {
        (void)strbuf_add_char(h->out, ',');
        h->column++;
    }
    if (h->n > 0 && h->column + 3 >= LINE_COLUMNS - 1) {
        (void)strbuf_add(h->out, "\\\n  ");
        h->column = 2;
    }
    (void)strbuf_addf(h->out, "%02x", byte & 0xff);
    h->column += 2;
    h->n++;
}

static void hex_character(struct hex *h, uint32_t cp)
{
    uint8_t bytes[4];
    size_t n = utf16_encode(cp, bytes);
    for (size_t i = 0; i < n; i++)
        hex_byte(h, bytes[i]);
}

static int hex_string(struct hex *h, const char *s)
{
    uint32_t cp;
    for (size_t len = strlen(s); len > 0;) {
        size_t n = utf8_decode(s, len, &cp);
        if (n == 0)
            return -EILSEQ;
        s += n;
        len -= n;
        hex_character(h, cp);
    }
    hex_character(h, 0);
    return 0;
}

static int print_hex(const struct reg_value *v, size_t column, struct strbuf *out)
{
    size_t before = out->len;
    int err = 0;
    if (v->type == REG_BINARY)
        (void)strbuf_add(out, "hex:");
    else
        (void)strbuf_addf(out,
                          "hex(%x):", v->type == REG_OTHER ? v->other_type : (uint32_t)v->type);
    struct hex h = {out, column + (out->len - before), 0};
    switch (v->type) {
    case REG_SZ:
    case REG_EXPAND_SZ:
        return hex_string(&h, v->text);
    case REG_MULTI_SZ:
        for (size_t i = 0; err == 0 && i < v->n_strings; i++)
            err = hex_string(&h, v->strings[i]);
        hex_character(&h, 0);
        return err;
    case REG_QWORD:
        for (unsigned i = 0; i < 64; i += 8)
            hex_byte(&h, (unsigned)(v->number >> i));
        return 0;
    case REG_BINARY:
    case REG_OTHER:
        for (size_t i = 0; i < v->n_bytes; i++)
            hex_byte(&h, v->bytes[i]);
        return 0;
    case REG_DWORD:
        break;
    }
    return -EINVAL;
}

static int print_value(const struct reg_value *v, struct strbuf *out)
{
    size_t before = out->len;
    int err = 0;
    if (v->name[0])
        print_quoted(v->name, out);
    else
        (void)strbuf_add_char(out, '@');
    (void)strbuf_add_char(out, '=');
    if (v->removed)
        (void)strbuf_add_char(out, '-');
    else if (v->type == REG_DWORD)
        (void)strbuf_addf(out, "dword:%08x", (uint32_t)v->number);
    else if (v->type == REG_SZ && !strpbrk(v->text, "\r\n"))
        print_quoted(v->text, out);
    else
        err = print_hex(v, out->len - before, out);
    (void)strbuf_add_char(out, '\n');
    return err;
}

static int print_keys(const struct reg_tree *t, bool removed, bool *first, struct strbuf *out)
{
    int err = 0;
    for (size_t i = 0; i < t->n && err == 0; i++) {
        const struct reg_key *k = &t->v[i];
        if (k->removed != removed)
            continue;
        (void)strbuf_addf(out, "%s[%s%s]\n", *first ? "" : "\n", removed ? "-" : "", k->path);
        *first = false;
        for (size_t j = 0; j < k->n && err == 0; j++)
            err = print_value(&k->v[j], out);
    }
    return err;
}

int reg_print(const struct reg_tree *t, struct strbuf *out)
{
    bool first = true;
    /* Removing a key removes those below it, also one that was made again later. */
    int err = print_keys(t, /* removed= */ true, &first, out);
    if (err == 0)
        err = print_keys(t, /* removed= */ false, &first, out);
    return err < 0 ? err : out->error;
}
