/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What blob_filter.c and blob_filter2.c, the two versions of a filter list, share. Invariant: a
 * filter is taken as it is said or refused, never widened. */
#pragma once
#include "blob_cursor.h"

/* A further filter, any to any; NULL = no memory. */
struct blob_filter *blob_filters_more(struct blob_filters *b);
/* The strings, the GUID and mirrored, which both versions begin with. */
void blob_read_head(struct blob_reader *r, struct blob_filter *f, char *names[2]);
void blob_put_head(struct blob_bytes *b, const struct blob_filter *f, int *err);
void blob_set_name(struct blob_reader *r, struct addr *a, const char *name);
void blob_set_proto(struct blob_reader *r, struct filter *f, uint32_t proto);
void blob_set_ports(struct blob_reader *r, struct portset *s, uint32_t first, uint32_t last);
/* Address and mask of one family. */
void blob_set_masked(struct blob_reader *r, enum family family, const uint8_t *addr,
                     const uint8_t *mask, struct addr *ret);
/* The specification is complete: it must be a filter of ours. */
void blob_check(struct blob_reader *r, const struct filter *f);

void blob_read_spec2(struct blob_reader *r, struct blob_filter *f, bool *ret_instead);
void blob_put_spec2(struct blob_bytes *b, const struct blob_filter *f, int *err);
enum { BLOB_SPEC2_BYTES = 3 * 4 + 16 + 4 + 2 * 40 + 2 * 8 + 4 + 4 };
