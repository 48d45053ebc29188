/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blob_cursor.c: the plain fields of policy blobs ([MS-GPIPSEC] 2.2.1): little-endian numbers,
 * counted UTF-16 strings, GUIDs. Callers: blob*.c. */
#include "blob_cursor.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "utf16.h"

const uint8_t blob_guids[_BLOB_CLASS_MAX][16] = {
    [BLOB_POLICY] = {0x63, 0x21, 0x20, 0x22, 0x4c, 0x4f, 0xd1, 0x11, 0x86, 0x3b, 0x00, 0xa0, 0x24,
                     0x8d, 0x30, 0x21},
    [BLOB_ISAKMP] = {0xb8, 0x20, 0xdc, 0x80, 0xc8, 0x2e, 0xd1, 0x11, 0xa8, 0x9e, 0x00, 0xa0, 0x24,
                     0x8d, 0x30, 0x21},
    [BLOB_NFA] = {0x00, 0xac, 0xbb, 0x11, 0x8d, 0x49, 0xd1, 0x11, 0x86, 0x39, 0x00, 0xa0, 0x24,
                  0x8d, 0x30, 0x21},
    [BLOB_NEGOTIATION] = {0xb9, 0x20, 0xdc, 0x80, 0xc8, 0x2e, 0xd1, 0x11, 0xa8, 0x9e, 0x00, 0xa0,
                          0x24, 0x8d, 0x30, 0x21},
    [BLOB_FILTER] = {0xb5, 0x20, 0xdc, 0x80, 0xc8, 0x2e, 0xd1, 0x11, 0xa8, 0x9e, 0x00, 0xa0, 0x24,
                     0x8d, 0x30, 0x21},
};
const uint8_t blob_guid_v2[16] = {0xd3, 0xce, 0xfe, 0x35, 0x29, 0xae, 0x73, 0x43,
                                  0x8a, 0x6a, 0xc5, 0xd8, 0xfa, 0xb2, 0xfb, 0x08};

/* --- reading --- */
int blob_reader_fail(struct blob_reader *r, const char *what, uint32_t number)
{
    if (r->err == 0)
        r->err =
            diag_fail(r->d, DIAG_SYNTAX, "%s %u at byte %zu of the object", what, number, r->at);
    return r->err;
}

const uint8_t *blob_take(struct blob_reader *r, size_t n)
{
    if (r->err < 0)
        return NULL;
    if (n > r->n - r->at) {
        r->err = diag_fail(r->d, DIAG_SYNTAX, "the object ends at byte %zu, %zu more are missing",
                           r->n, n - (r->n - r->at));
        return NULL;
    }
    const uint8_t *p = r->data + r->at;
    r->at += n;
    return p;
}

struct blob_reader blob_reader_start(const uint8_t *data, size_t n, enum blob_class class,
                                     struct diag *d)
{
    struct blob_reader r = {.data = data, .n = n, .d = d};
    const uint8_t *guid = blob_take(&r, 16);
    if (guid && memcmp(guid, blob_guids[class], 16) != 0)
        r.err = diag_fail(d, DIAG_SYNTAX, "the object does not begin with the GUID of its class");
    return r;
}

uint32_t blob_u32(struct blob_reader *r)
{
    const uint8_t *p = blob_take(r, 4);
    return p ? p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24 : 0;
}

uint32_t blob_u16(struct blob_reader *r)
{
    const uint8_t *p = blob_take(r, 2);
    return p ? p[0] | (uint32_t)p[1] << 8 : 0;
}

uint32_t blob_count(struct blob_reader *r, size_t item_bytes)
{
    uint32_t n = blob_u32(r);
    if (r->err == 0 && (n > BLOB_ITEMS || n > (r->n - r->at) / item_bytes))
        (void)blob_reader_fail(r, "impossible count", n);
    return r->err < 0 ? 0 : n;
}

char *blob_string(struct blob_reader *r)
{
    struct strbuf text = STRBUF_INIT(2 * BLOB_STRING_BYTES);
    uint32_t len = blob_u32(r), cp;
    if (r->err == 0 && (len > BLOB_STRING_BYTES || len % 2 != 0))
        (void)blob_reader_fail(r, "impossible string length", len);
    const uint8_t *p = blob_take(r, len);
    for (size_t i = 0, n; p && i < len; i += n) {
        n = utf16_decode(p + i, len - i, &cp);
        if (n == 0) {
            (void)blob_reader_fail(r, "no UTF-16 in the string of length", len);
            break;
        }
        if (cp == 0)
            break;
        (void)utf16_add_utf8(&text, cp);
    }
    if (r->err == 0)
        r->err = text.error;
    if (r->err < 0 || text.len == 0) {
        strbuf_done(&text);
        return NULL;
    }
    char *ret = strbuf_take(&text);
    if (!ret)
        r->err = -ENOMEM;
    return ret;
}

bool blob_take_guid(struct blob_reader *r, const uint8_t guid[16])
{
    for (size_t skip = 0; r->err == 0 && skip < 2 && r->n - r->at >= 16 + skip; skip++) {
        if (memcmp(r->data + r->at + skip, guid, 16) == 0) {
            r->at += 16 + skip;
            return true;
        }
        if (r->data[r->at] != 0)
            break;
    }
    return false;
}

/* --- writing --- */
void blob_put(struct blob_bytes *b, const uint8_t *v, size_t n, int *err)
{
    if (*err == 0)
        *err = array_reserve(&b->v, &b->cap, b->n + n, 1);
    if (*err < 0 || n == 0)
        return;
    memcpy(b->v + b->n, v, n);
    b->n += n;
}

void blob_put_zero(struct blob_bytes *b, size_t n, int *err)
{
    static const uint8_t zero[64];
    for (size_t part; n > 0; n -= part) {
        part = n < sizeof(zero) ? n : sizeof(zero);
        blob_put(b, zero, part, err);
    }
}

static void to_le32(uint32_t v, uint8_t out[4])
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(v >> 8 * i);
}

void blob_put_u32(struct blob_bytes *b, uint32_t v, int *err)
{
    uint8_t bytes[4];
    to_le32(v, bytes);
    blob_put(b, bytes, 4, err);
}

void blob_put_u16(struct blob_bytes *b, uint32_t v, int *err)
{
    uint8_t bytes[4];
    to_le32(v, bytes);
    blob_put(b, bytes, 2, err);
}

void blob_put_string(struct blob_bytes *b, const char *s, int *err)
{
    size_t place = b->n, left = s ? strlen(s) : 0;
    uint8_t bytes[4];
    uint32_t cp;
    blob_put_u32(b, 0, err);
    for (size_t n; left > 0 && *err == 0; s += n, left -= n) {
        n = utf8_decode(s, left, &cp);
        if (n == 0)
            *err = -EILSEQ;
        else
            blob_put(b, bytes, utf16_encode(cp, bytes), err);
        n = n > 0 ? n : 1;
    }
    blob_put_zero(b, 2, err);
    if (*err < 0)
        return;
    if (b->n - place - 4 > BLOB_STRING_BYTES)
        *err = -E2BIG;
    to_le32((uint32_t)(b->n - place - 4), b->v + place);
}

size_t blob_begin(struct blob_bytes *b, const uint8_t guid[16], int *err)
{
    blob_put(b, guid, 16, err);
    size_t place = b->n;
    blob_put_u32(b, 0, err);
    return place;
}

void blob_end(struct blob_bytes *b, size_t place, uint32_t minus, int err)
{
    if (err == 0)
        to_le32((uint32_t)(b->n - place - 4) - minus, b->v + place);
}
