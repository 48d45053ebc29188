/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/join.c: the words of a command line as one text for the parser. Called by the command
 * line for every verb that takes a filter or a packet. A word that would not be read as one
 * word again is quoted; everything else stays as typed, so that a caret points at what the
 * user sees. */
#include <string.h>

#include "base/utf8.h"
#include "text/text.h"

static bool needs_quotes(const char *word)
{
    if (*word == '\0')
        return true;
    for (const char *s = word; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == '"' || *s == '#' || *s == '{' || *s == '}' ||
            (unsigned char)*s >= 0x7f)
            return true;
    return false;
}

int text_join_words(int n, char *const *words, struct strbuf *out)
{
    for (int i = 0; i < n; i++) {
        if (i > 0)
            (void)strbuf_add_char(out, ' '); /* errors are sticky in out */
        /* Bytes that are no UTF-8 stay as they are: the parser names the first. */
        if (needs_quotes(words[i]) && utf8_valid(words[i], strlen(words[i])))
            (void)text_print_string(words[i], out);
        else
            (void)strbuf_add(out, words[i]);
    }
    return out->error;
}
