/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UTF-8: validity, and display width for carets and tables (wide characters count 2,
 * combining marks 0). No locale is consulted. */
#pragma once
#include "base/util.h"

bool utf8_valid(const char *s, size_t n);
/* Length of the first n bytes without a character that was cut off at their end. */
size_t utf8_whole(const char *s, size_t n);
/* Length in bytes (1-4) of the character at s and its code point; 0 if invalid. */
size_t utf8_decode(const char *s, size_t n, uint32_t *ret_cp);
/* C0, C1, DEL, line separators and the marks that reverse text: never shown as they are. */
bool utf8_is_control(uint32_t cp);
/* Whether the text has one of them, or bytes that are not UTF-8. */
bool utf8_has_control(const char *s, size_t n);
/* Columns of the text as strbuf_add_escaped() writes it: a control character or a byte that is
 * not UTF-8 counts 4 per byte. */
unsigned utf8_width(const char *s, size_t n);
/* Simple case folding of ASCII and Latin-1/Greek/Cyrillic letters, for names that compare
 * case-insensitively (policy.md 1). -1, 0, 1 like strcmp. */
int utf8_casecmp(const char *a, const char *b);
uint32_t utf8_fold(uint32_t cp);
/* Equal for texts that utf8_casecmp() calls equal. Not keyed: for finding, not for tables that
 * outsiders fill. */
uint32_t utf8_casehash(const char *s);
