/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Durations as people type them: 90s 15m 2h 1d12h (cli.md 6). A number without unit is an
 * error. Whole seconds, 1 s to 10 years. */
#pragma once
#include "base/diag.h"

_must_check_ int duration_parse(const char *s, size_t n, struct span at, struct diag *d,
                                uint32_t *ret_s);
enum { DURATION_TEXT_BYTES = 32 };
/* Exact inverse of the parser: "1d12h", "90s" prints as "1m30s". */
void duration_print(uint32_t s, char out[DURATION_TEXT_BYTES]);
/* For people, two units at most: "1 h 54 min", "3 d 4 h", "20 s". */
void duration_print_human(uint64_t s, char out[DURATION_TEXT_BYTES]);
