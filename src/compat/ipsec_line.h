/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line of a script in its words, by the rules of cmd.exe and of the run time of Windows
 * programs as far as scripts of this kind use them. Used for -file and for the import of scripts.
 */
#pragma once
#include "base/diag.h"

struct line_words {
    char **v; /* owned, and followed by NULL */
    size_t n, cap;
};
void line_words_done(struct line_words *w);
/* Words of the line, without the quotes around them; \" is a quote inside, %% a percent sign. No
 * words: the line is empty or a comment (rem, ::, #, a label, @echo). Unbalanced quotes, a quote
 * that ends in the middle of a word, and what only a shell can do (|, >, &, %VAR%) are refused;
 * the place is in the line. */
_must_check_ int line_split(const char *line, size_t len, struct diag *d, struct line_words *ret);
