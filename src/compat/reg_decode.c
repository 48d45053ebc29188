/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reg_decode.c: the bytes of a registry file as UTF-8 text: regedit writes UTF-16LE since version
 * 5.00 and the code page of the system before. Callers: reg_read.c. */
#include "reg_decode.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "utf16.h"

/* 0x80-0x9f of Windows-1252; the holes stay what they are. */
static const uint16_t ansi_upper[32] = {
    0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008d, 0x017d, 0x008f, 0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178,
};

static int add_ansi(const uint8_t *p, size_t n, struct strbuf *out)
{
    if (utf8_valid((const char *)p, n))
        return strbuf_add_n(out, (const char *)p, n);
    for (size_t i = 0; i < n; i++)
        (void)utf16_add_utf8(out, p[i] >= 0x80 && p[i] < 0xa0 ? ansi_upper[p[i] - 0x80] : p[i]);
    return out->error;
}

static int add_utf16(const uint8_t *p, size_t n, struct strbuf *out, size_t *ret_at)
{
    uint32_t cp;
    size_t i = 0;
    for (size_t used; i < n; i += used) {
        used = utf16_decode(p + i, n - i, &cp);
        if (used == 0 || cp == 0)
            break;
        (void)utf16_add_utf8(out, cp);
    }
    *ret_at = i;
    return out->error;
}

int reg_decode_string(const uint8_t *data, size_t n, bool ansi, size_t *at, struct strbuf *out)
{
    const uint8_t *p = data + *at;
    size_t left = n - *at, len = left;
    if (ansi) {
        const uint8_t *end = memchr(p, 0, left);
        len = end ? (size_t)(end - p) : left;
        *at += end ? len + 1 : len;
        return add_ansi(p, len, out);
    }
    int err = add_utf16(p, left, out, &len);
    if (err == 0 && len < left && (left - len < 2 || p[len] != 0 || p[len + 1] != 0))
        return -EILSEQ;
    *at += len < left ? len + 2 : len;
    return err;
}

static int fail_at(struct diag *d, const struct strbuf *text, const char *what)
{
    uint32_t line = 1;
    size_t start = 0;
    for (size_t i = 0; i < text->len; i++) {
        if (text->s[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    struct span at = {line, (uint32_t)(text->len - start + 1), 1, (uint32_t)text->len};
    return diag_fail_at(d, DIAG_SYNTAX, at, "%s", what);
}

static int decode_bytes(const uint8_t *p, size_t n, struct diag *d, struct strbuf *out)
{
    static const char old[] = "REGEDIT4";
    const uint8_t *nul = n > 0 ? memchr(p, 0, n) : NULL;
    if (nul) {
        int err = add_ansi(p, (size_t)(nul - p), out);
        return err < 0 ? err : fail_at(d, out, "a NUL character");
    }
    if (n >= strlen(old) && memcmp(p, old, strlen(old)) == 0)
        return add_ansi(p, n, out);
    uint32_t cp;
    for (size_t i = 0, used; i < n; i += used) {
        used = utf8_decode((const char *)p + i, n - i, &cp);
        if (used == 0)
            return fail_at(d, out, "a byte that is not UTF-8");
        (void)strbuf_add_n(out, (const char *)p + i, used);
    }
    return out->error;
}

int reg_decode(const uint8_t *data, size_t n, struct diag *d, struct strbuf *out)
{
    bool mark16 = n >= 2 && data[0] == 0xff && data[1] == 0xfe;
    bool mark8 = n >= 3 && data[0] == 0xef && data[1] == 0xbb && data[2] == 0xbf;
    if (mark16 || (n >= 2 && data[0] != 0 && data[1] == 0)) {
        size_t from = mark16 ? 2 : 0, at;
        int err = add_utf16(data + from, n - from, out, &at);
        return err < 0 || at == n - from ? err : fail_at(d, out, "a character that is not UTF-16");
    }
    return decode_bytes(data + (mark8 ? 3 : 0), n - (mark8 ? 3 : 0), d, out);
}
