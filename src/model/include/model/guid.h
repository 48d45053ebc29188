/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identity of policies, rules and filters. Text form: lower case, 8-4-4-4-12, no braces. New
 * ones are made by the caller from random bytes (the core has no source of randomness). */
#pragma once
#include "base/util.h"

struct guid {
    uint8_t b[16];
};
enum { GUID_TEXT_BYTES = 37 };
bool guid_is_null(const struct guid *g);
int guid_cmp(const struct guid *a, const struct guid *b);
_must_check_ int guid_parse(const char *s, struct guid *ret); /* braces, any case accepted */
void guid_print(const struct guid *g, char out[GUID_TEXT_BYTES]);
/* Version 4, variant 1 from 16 random bytes (RFC 4122). */
struct guid guid_from_random(const uint8_t bytes[16]);
