/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attributes of policies and rules: what other systems attach to them and what has no effect on
 * packets here (name of the Windows filter list a rule was made of, tunnel end point, main mode
 * methods ...). Stored, printed and carried through every form, never interpreted by the core.
 * In text: `attribute KEY STRING`. A key is a lower-case word of letters, digits and hyphens that
 * begins with a letter; it may occur once. Order is kept for display. */
#pragma once
#include "base/util.h"

enum { LIMIT_ATTRIBUTES = 64, LIMIT_ATTRIBUTE_KEY_BYTES = 32 };

struct attribute {
    char *key, *value; /* owned; the value is never NULL, but may be empty */
};
struct attributes {
    struct attribute *v;
    size_t n, cap;
};
void attributes_done(struct attributes *a);
_must_check_ int attributes_copy(const struct attributes *a, struct attributes *ret);
/* Same keys and values, in any order. */
bool attributes_eq(const struct attributes *a, const struct attributes *b);
/* NULL if there is none. */
const char *attributes_get(const struct attributes *a, const char *key);
/* Adds at the end, or replaces in its place; value NULL removes. 0, -ENOMEM, -EINVAL (no key, or a
 * value that is not UTF-8) or -E2BIG (too many, or longer than LIMIT_TEXT_STRING_BYTES). */
_must_check_ int attributes_set(struct attributes *a, const char *key, const char *value);
/* Length of the valid key that begins s, 0 if none does or if it is too long. */
size_t attribute_key_length(const char *s, size_t n);
