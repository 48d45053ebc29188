/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "did you mean": how far two words are apart, without regard to case. */
#pragma once
#include "base/util.h"

/* Insertions, deletions, exchanges and swaps of neighbours (bytes of folded text) that make b of
 * a; at most limit + 1, which also stands for texts longer than 64 bytes. */
unsigned suggest_distance(const char *a, const char *b, unsigned limit);
/* How many of these a mistyped word of this length may have. */
unsigned suggest_limit(const char *word);
