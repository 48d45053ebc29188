/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UTF-8: validity, and display width for carets and tables (wide characters count 2,
 * combining marks 0). No locale is consulted. */
#pragma once
#include "base/util.h"

bool utf8_valid(const char *s, size_t n);
/* Length in bytes (1-4) of the character at s and its code point; 0 if invalid. */
size_t utf8_decode(const char *s, size_t n, uint32_t *ret_cp);
unsigned utf8_width(const char *s, size_t n);
/* Simple case folding of ASCII and Latin-1/Greek/Cyrillic letters, for names that compare
 * case-insensitively (policy.md 1). -1, 0, 1 like strcmp. */
int utf8_casecmp(const char *a, const char *b);
