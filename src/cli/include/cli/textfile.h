/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policy files as the policy verbs read and write them. Failures are shown; the result is the
 * exit code. */
#pragma once
#include "base/util.h"

struct cli;

struct cli_text {
    char *s; /* owned, ends with a NUL */
    size_t len, cap;
};
void cli_text_done(struct cli_text *t);
/* "-" is stdin. */
_must_check_ int cli_text_read(struct cli *c, const char *name, struct cli_text *t);
/* Takes the place of what has the name, in one step; only of a regular file. */
_must_check_ int cli_text_write(struct cli *c, const char *name, const struct cli_text *t);
