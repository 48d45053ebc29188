/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_script.c: files of netsh lines (windows.md 6, 6).
 * Called for -f, exec, importpolicy, a kept batch and by the converter. Invariant: the first line
 * that fails ends the run, and its number stands in the message. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "netsh.h"

enum { NESTED_SCRIPTS = 8 };

static void name_line(struct netsh *n, struct diag *d)
{
    char message[DIAG_MESSAGE_BYTES];
    (void)format_into(message, sizeof(message), "%s:%zu: %s", n->file, n->number, d->message);
    memcpy(d->message, message, sizeof(message));
}

static int run_one(struct netsh *n, const char *text, size_t len, struct diag *d)
{
    while (len > 0 && (text[len - 1] == '\r' || text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    size_t blank = 0;
    while (blank < len && (text[blank] == ' ' || text[blank] == '\t'))
        blank++;
    if (blank == len || text[blank] == '#')
        return 0;
    if (memchr(text, '\0', len) || !utf8_valid(text, len))
        return netsh_fail(n, d, NETSH_SYNTAX, DIAG_USAGE, "the line is not UTF-8 text");
    int err = netsh_split(n, text, len, d);
    return err < 0 ? err : netsh_run_line(n, d);
}

/* A line for another part of netsh in a script that is imported. */
static int leave_out(struct netsh *n, struct diag *d)
{
    struct diag why = *d;
    n->error = NETSH_OK;
    n->t->partly = true;
    return tool_remark(n->t, NOTE_WARNING, d, "%s:%zu: left out: %s", n->file, n->number,
                       why.message);
}

int netsh_run_script(struct netsh *n, const char *file, const char *text, size_t len,
                     struct diag *d)
{
    const char *outer_file = n->file;
    size_t outer_number = n->number;
    struct netsh_line outer = n->line;
    int err = 0;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* byte order mark */
        text += 3;
        len -= 3;
    }
    if (n->nested == NESTED_SCRIPTS)
        return netsh_fail(n, d, NETSH_FILE, DIAG_LIMIT, "scripts run scripts %d deep",
                          NESTED_SCRIPTS);
    if (len >= 2 && ((uint8_t)text[0] >= 0xfe) && ((uint8_t)text[1] >= 0xfe)) {
        err = netsh_fail(n, d, NETSH_FILE, DIAG_USAGE, "'%s' is UTF-16, not UTF-8", file);
        diag_hint(d, "iconv -f UTF-16 -t UTF-8 %s", file);
        return err;
    }
    n->line = (struct netsh_line){0};
    n->nested++;
    n->file = file;
    n->number = 0;
    for (size_t at = 0; err == 0 && at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line_len = end ? (size_t)(end - text) - at : len - at;
        n->number++;
        err = run_one(n, text + at, line_len, d);
        if (err < 0 && n->import && n->error == NETSH_UNKNOWN_CONTEXT)
            err = leave_out(n, d);
        at += line_len + 1;
    }
    if (err < 0)
        name_line(n, d);
    netsh_line_done(&n->line);
    n->nested--;
    n->line = outer;
    n->file = outer_file;
    n->number = outer_number;
    return err;
}

int netsh_read_file(struct netsh *n, const char *name, struct diag *d, char **ret, size_t *ret_len)
{
    const struct tool_host *host = n->t->host;
    if (!host || !host->read_file)
        return netsh_fail(n, d, NETSH_FILE, DIAG_UNKNOWN_OBJECT, "'%s' cannot be read here", name);
    int err = host->read_file(host->ctx, name, LIMIT_POLICY_TEXT_BYTES, d, ret, ret_len);
    if (err < 0)
        n->error = NETSH_FILE;
    return err;
}

int netsh_run_file(struct netsh *n, const char *name, struct diag *d)
{
    _cleanup_free_ char *text = NULL;
    size_t len = 0;
    int err = netsh_read_file(n, name, d, &text, &len);
    return err < 0 ? err : netsh_run_script(n, name, text, len, d);
}
