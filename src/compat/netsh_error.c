/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_error.c: how netsh refuses (windows.md 4, "Known output").
 * Called wherever a line cannot be run. Invariant: a number of Windows is used only where it is
 * documented; ours have three digits and never change. */
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "netsh.h"

static const struct {
    unsigned number;
    bool windows;
} numbers[_NETSH_ERROR_MAX] = {
    [NETSH_SYNTAX] = {101, false},
    [NETSH_UNKNOWN_CONTEXT] = {100, false},
    [NETSH_UNKNOWN_COMMAND] = {102, false},
    [NETSH_UNKNOWN_TAG] = {103, false},
    [NETSH_TAG_TWICE] = {104, false},
    [NETSH_LEFT_OVER] = {105, false},
    [NETSH_MISSING_TAG] = {106, false},
    [NETSH_VALUE] = {107, false},
    [NETSH_METHODS] = {108, false},
    [NETSH_NO_POLICIES] = {5072, true},
    [NETSH_LIST_EXISTS] = {5010, true},
    [NETSH_ACTION_EXISTS] = {5014, true},
    [NETSH_POLICY_EXISTS] = {201, false},
    [NETSH_RULE_EXISTS] = {202, false},
    [NETSH_MMPOLICY_EXISTS] = {13003, true},
    [NETSH_QMPOLICY_EXISTS] = {203, false},
    [NETSH_NOT_FOUND] = {204, false},
    [NETSH_IN_USE] = {205, false},
    [NETSH_WHICH_POLICY] = {206, false},
    [NETSH_DOMAIN] = {301, false},
    [NETSH_REMOTE] = {302, false},
    [NETSH_FILE] = {303, false},
    [NETSH_REFUSED] = {304, false},
    [NETSH_STORE] = {305, false},
    [NETSH_OTHER] = {399, false},
    [NETSH_TCP] = {0, false},
};

/* What other modules refused, by the code of their diagnostic. */
static enum netsh_error error_of(enum diag_code code)
{
    switch (code) {
    case DIAG_UNKNOWN_OBJECT:
        return NETSH_NOT_FOUND;
    case DIAG_CONFLICT:
    case DIAG_STALE:
    case DIAG_DUPLICATE:
        return NETSH_IN_USE;
    case DIAG_SYNTAX:
    case DIAG_UNKNOWN_WORD:
    case DIAG_USAGE:
        return NETSH_SYNTAX;
    case DIAG_PORT_RANGE:
    case DIAG_ADDRESS:
    case DIAG_PROTOCOL:
    case DIAG_FAMILY:
    case DIAG_DIRECTION:
    case DIAG_COMBINATION:
    case DIAG_LIMIT:
    case DIAG_NOT_ENFORCED:
    case DIAG_NAME_PERMIT:
        return NETSH_REFUSED;
    case DIAG_NONE:
    case DIAG_AGENT:
    case DIAG_PERMISSION:
    case DIAG_SYSTEM:
    case DIAG_SELF_TEST:
    case DIAG_CORRUPT:
    case DIAG_OVERRIDDEN:
    case DIAG_INTERNAL:
    case _DIAG_CODE_MAX:
        return NETSH_OTHER;
    }
    return NETSH_OTHER;
}

void netsh_print_error(struct netsh *n, const struct diag *d)
{
    enum netsh_error e = n->error != NETSH_OK ? n->error : error_of(d->code);
    struct strbuf *out = &n->t->out;
    size_t max = out->max;
    strbuf_done(out);
    *out = (struct strbuf){.max = max};
    n->t->print_out = true;
    if (e == NETSH_TCP)
        return;
    (void)strbuf_addf(out, numbers[e].windows ? "ERR IPsec [%05u] : " : "ERR portward [%03u] : ",
                      numbers[e].number); /* errors are sticky in out */
    (void)strbuf_add_escaped(out, d->message, strlen(d->message));
    (void)strbuf_add_char(out, '\n');
}

/* Makes "%s" of the arguments in a buffer as long as a message can be. */
static void _printf_(3, 0) format(char *out, size_t size, const char *fmt, va_list ap)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(1024 * 1024);
    (void)strbuf_vaddf(&text, fmt, ap);
    (void)format_into(out, size, "%s", text.s ? text.s : "too long");
}

int netsh_fail(struct netsh *n, struct diag *d, enum netsh_error e, enum diag_code code,
               const char *fmt, ...)
{
    char message[DIAG_MESSAGE_BYTES];
    va_list ap;
    va_start(ap, fmt);
    format(message, sizeof(message), fmt, ap);
    va_end(ap);
    n->error = e;
    return diag_fail(d, code, "%s", message);
}

/* A word that gives a preshared key: it is never shown. */
static bool is_secret(const struct netsh_word *w)
{
    return strncasecmp(w->s, "ps", 2) == 0;
}

static bool has_secret(const struct netsh_line *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (is_secret(&l->v[i]))
            return true;
    return false;
}

/* A place in word i: part of it where its text stands in the line as it is, else all of it. */
static int fail_place(struct netsh *n, struct diag *d, size_t i, size_t offset, const char *message)
{
    const struct netsh_word *w = &n->line.v[i];
    bool secret = has_secret(&n->line);
    bool whole = n->line.text && !secret; /* the line, else the word alone */
    size_t len = whole ? w->len : secret && is_secret(w) ? strcspn(w->s, "=") : strlen(w->s);
    size_t from = (w->exact || !whole) && offset < len ? offset : 0;
    const char *text = whole ? n->line.text : w->s;
    /* The text outlives the line: whoever shows the place needs it. */
    char *copy = strndup(text, whole ? n->line.len : len);
    if (!copy)
        return diag_fail(d, DIAG_USAGE, "%s", message);
    free(n->t->line);
    n->t->line = copy;
    return tool_fail_at(n->t, d, copy, (whole ? w->at : 0) + from, len - from, DIAG_USAGE, "%s",
                        message);
}

int netsh_fail_word(struct netsh *n, struct diag *d, enum netsh_error e, size_t i, const char *fmt,
                    ...)
{
    char message[DIAG_MESSAGE_BYTES];
    va_list ap;
    va_start(ap, fmt);
    format(message, sizeof(message), fmt, ap);
    va_end(ap);
    n->error = e;
    return fail_place(n, d, i, 0, message);
}

int netsh_fail_value(struct netsh *n, const struct netsh_args *a, enum netsh_tag tag,
                     struct diag *d, const char *fmt, ...)
{
    char message[DIAG_MESSAGE_BYTES];
    const struct netsh_given *g = &a->v[a->index[tag]];
    va_list ap;
    va_start(ap, fmt);
    format(message, sizeof(message), fmt, ap);
    va_end(ap);
    n->error = NETSH_VALUE;
    return fail_place(n, d, g->word, g->offset, message);
}

int netsh_fail_no_policies(struct netsh *n, struct diag *d)
{
    int err = netsh_fail(n, d, NETSH_NO_POLICIES, DIAG_UNKNOWN_OBJECT, "there are no policies");
    diag_hint(d, "netsh ipsec static add policy name=NAME");
    return err;
}
