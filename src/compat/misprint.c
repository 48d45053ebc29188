/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/misprint.c: repairs of arguments that all tools share. Called by run.c before the tool.
 * Invariant: an argument without a misprint is not touched. */
#include "misprint.h"

#include <errno.h>
#include <string.h>

enum { QUOTE_BYTES = 3 };

/* U+2018 to U+201F in UTF-8. */
static bool is_quote(const char *s)
{
    return strncmp(s, "\xe2\x80", 2) == 0 && (unsigned char)s[2] >= 0x98 &&
           (unsigned char)s[2] <= 0x9f;
}

int misprint_quotes(struct tool_run *t, const char *word, struct diag *d, char **ret)
{
    size_t n = strlen(word);
    *ret = NULL;
    if (n < 2 * QUOTE_BYTES || !is_quote(word) || !is_quote(word + n - QUOTE_BYTES))
        return 0;
    *ret = strndup(word + QUOTE_BYTES, n - 2 * QUOTE_BYTES);
    if (!*ret)
        return -ENOMEM;
    int err = tool_remark(t, NOTE_REPAIR, d, "removed typographic quotes around '%s'", *ret);
    if (err < 0) {
        free(*ret);
        *ret = NULL;
    }
    return err;
}

size_t misprint_dash(const char *s)
{
    bool general = strncmp(s, "\xe2\x80", 2) == 0 && (unsigned char)s[2] >= 0x90 &&
                   (unsigned char)s[2] <= 0x95;
    return general || strncmp(s, "\xe2\x88\x92", 3) == 0 ? 3 : 0;
}
