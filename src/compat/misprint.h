/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Misprints that every tool has in common (windows.md 1.4). What only one tool can tell, a dash
 * before one of its switches for example, that tool repairs. */
#pragma once
#include "compat/tool.h"

/* Typographic quotes around a whole argument (U+2018 to U+201F): *ret is the argument without them,
 * owned, and a remark says so; NULL if there are none. Under t->strict -EINVAL. */
_must_check_ int misprint_quotes(struct tool_run *t, const char *word, struct diag *d, char **ret);
/* Bytes of a dash at the beginning of s that word processors and web pages make of a hyphen (U+2010
 * to U+2015, U+2212); 0 if there is none. */
size_t misprint_dash(const char *s);
