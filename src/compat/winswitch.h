/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words of the small Windows tools: /switch, /switch:value, -switch, and words without either.
 * Misprints of windows.md 1.4 are repaired with a remark. Pure; only tools include it. */
#pragma once
#include "compat/tool.h"

enum win_takes {
    WIN_FLAG,
    WIN_VALUE, /* /name:value */
};
struct win_switch {
    const char *name; /* lower case */
    enum win_takes takes;
    const char *example; /* of a switch with a value */
};

enum { WIN_WORD = -1, WIN_UNKNOWN = -2 };
struct win_word {
    int index; /* of its switch; WIN_WORD: none, the value is the word; WIN_UNKNOWN: no such one */
    char *value; /* owned; "" for a flag */
    /* Where it stands: part of an argument, which is borrowed. */
    const char *typed, *typed_value;
    size_t at, len, value_at;
};
struct win_words {
    struct win_word *v;
    size_t n, cap;
};
void win_words_done(struct win_words *w);

struct win_input {
    int argc;
    char *const *argv;
    const struct win_switch *switches;
    size_t n_switches;
};
_must_check_ int win_words_read(struct tool_run *t, const struct win_input *in, struct diag *d,
                                struct win_words *ret);
/* Refuse a word that the tool does not know, and the value of a switch; the hint can be typed. */
int win_fail_word(struct tool_run *t, const struct win_word *w, struct diag *d, const char *hint);
int win_fail_value(struct tool_run *t, const struct win_word *w, enum diag_code code,
                   struct diag *d, const char *what);
