/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a reader of whole lines makes of a text: commands, and what is to be said about it. Made by
 * paste.c and batch.c, run by cmd_compat.c. */
#pragma once
#include "compat/tool.h"

struct run_command {
    const struct tool_entry *tool;
    int argc;
    char **argv;      /* owned by struct run_commands, strings too */
    const char *file; /* NULL: words of a command line */
    size_t line;      /* in the file */
};
struct run_commands {
    struct run_command *v;
    size_t n, cap;
};
void run_commands_cut(struct run_commands *l, size_t n); /* frees those from n on */
void run_commands_done(struct run_commands *l);
/* Copies the words. */
_must_check_ int run_commands_add(struct run_commands *l, const struct run_command *command);

struct reading {
    struct run_commands commands;
    struct tool_remark *remarks;
    size_t n_remarks, cap_remarks;
    bool partly; /* a line was not understood */
};
void reading_done(struct reading *r);
_must_check_ int reading_remark(struct reading *r, enum tool_note_kind kind, const char *fmt, ...)
    _printf_(3, 4);

/* Repairs whole lines (windows.md 1.4). */
_must_check_ int paste_read(const char *text, size_t len, struct reading *ret);
/* A command as one line of a POSIX shell. */
int paste_print(const struct run_command *c, struct strbuf *out);
/* A batch file in UTF-8 (windows.md 1.5); file, for messages, is borrowed by the commands. */
_must_check_ int batch_read(const char *file, const char *text, size_t len, struct reading *ret);
/* Bytes of a file as UTF-8: byte order mark, or the encoding that is named (iconv), NULL = none.
 * Negative with *d. */
_must_check_ int batch_decode(const char *bytes, size_t len, const char *encoding, struct diag *d,
                              char **ret, size_t *ret_len);
