/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading and writing the plain fields of policy blobs. A reader's first failure sticks, is told
 * with its offset, and every later read yields zero; so readers check once per object. Callers:
 * blob*.c only. Invariant: at <= n, nothing is read behind n. */
#pragma once
#include "blob.h"

enum { BLOB_STRING_BYTES = 64 * 1024, BLOB_ITEMS = 65536 };

struct blob_reader {
    const uint8_t *data;
    size_t n, at;
    struct diag *d;
    int err;
};
extern const uint8_t blob_guids[_BLOB_CLASS_MAX][16]; /* as the blobs hold them */
extern const uint8_t blob_guid_v2[16];

/* Begins behind the GUID of the class; err is set if it is another. */
struct blob_reader blob_reader_start(const uint8_t *data, size_t n, enum blob_class class,
                                     struct diag *d);
int blob_reader_fail(struct blob_reader *r, const char *what, uint32_t number);
const uint8_t *blob_take(struct blob_reader *r, size_t n); /* NULL on failure */
uint32_t blob_u32(struct blob_reader *r);
uint32_t blob_u16(struct blob_reader *r);
/* A count of items of at least item_bytes each: more than the rest can hold is a failure. */
uint32_t blob_count(struct blob_reader *r, size_t item_bytes);
/* A counted UTF-16 string up to its NUL; NULL if empty or on failure. */
char *blob_string(struct blob_reader *r);
/* Whether the GUID comes next, one zero byte allowed before it; then it is taken. */
bool blob_take_guid(struct blob_reader *r, const uint8_t guid[16]);

/* Appending. *err is sticky. */
void blob_put(struct blob_bytes *b, const uint8_t *v, size_t n, int *err);
void blob_put_zero(struct blob_bytes *b, size_t n, int *err);
void blob_put_u32(struct blob_bytes *b, uint32_t v, int *err);
void blob_put_u16(struct blob_bytes *b, uint32_t v, int *err);
void blob_put_string(struct blob_bytes *b, const char *s, int *err);
/* Puts a length field of zero and tells its place; blob_end() fills in what follows it, less
 * minus bytes. */
size_t blob_begin(struct blob_bytes *b, const uint8_t guid[16], int *err);
void blob_end(struct blob_bytes *b, size_t place, uint32_t minus, int err);
