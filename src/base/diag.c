/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/diag.c: filling diagnostics, and their codes, exit codes and errnos in one table.
 * Called by every function that can refuse something a user typed. Invariant: a diag that was
 * filled has a message; nothing here allocates, so refusing cannot fail. How a diagnostic looks
 * is diag_render.c. */
#include "base/diag.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"

/* exit: cli.md 4. err: what diag_fail() returns. */
static const struct code_info {
    const char *name;
    int exit, err;
} codes[_DIAG_CODE_MAX] = {
    [DIAG_NONE] = {"none", 1, EIO},
    [DIAG_SYNTAX] = {"syntax", 7, EINVAL},
    [DIAG_UNKNOWN_WORD] = {"unknown-word", 2, EINVAL},
    [DIAG_PORT_RANGE] = {"port-range", 7, EINVAL},
    [DIAG_ADDRESS] = {"address", 7, EINVAL},
    [DIAG_PROTOCOL] = {"protocol", 7, EINVAL},
    [DIAG_FAMILY] = {"family", 7, EINVAL},
    [DIAG_DIRECTION] = {"direction", 7, EINVAL},
    [DIAG_COMBINATION] = {"combination", 7, EINVAL},
    [DIAG_DUPLICATE] = {"duplicate", 7, EEXIST},
    [DIAG_LIMIT] = {"limit", 7, E2BIG},
    [DIAG_NOT_ENFORCED] = {"not-enforced", 7, EOPNOTSUPP},
    [DIAG_NAME_PERMIT] = {"name-permit", 7, EINVAL},
    [DIAG_UNKNOWN_OBJECT] = {"unknown-object", 1, ENOENT},
    [DIAG_CONFLICT] = {"conflict", 5, EEXIST},
    [DIAG_STALE] = {"stale", 5, ESTALE},
    [DIAG_USAGE] = {"usage", 2, EINVAL},
    [DIAG_AGENT] = {"agent", 3, ECONNREFUSED},
    [DIAG_PERMISSION] = {"permission", 4, EPERM},
    [DIAG_SYSTEM] = {"system", 1, EIO},
    [DIAG_SELF_TEST] = {"self-test", 1, EIO},
    [DIAG_CORRUPT] = {"corrupt", 1, EIO},
    [DIAG_OVERRIDDEN] = {"overridden", 9, EBUSY},
    [DIAG_INTERNAL] = {"internal", 1, EIO},
};

const char *diag_code_name(enum diag_code code)
{
    assert(code < _DIAG_CODE_MAX);
    return codes[code].name;
}

int diag_exit_code(enum diag_code code)
{
    assert(code < _DIAG_CODE_MAX);
    return codes[code].exit;
}

/* A text that did not fit must not end in the middle of a character. */
static void _printf_(3, 0) format_cut(char *out, size_t size, const char *fmt, va_list ap)
{
    int n = vsnprintf(out, size, fmt, ap);
    if (n < 0)
        out[0] = '\0';
    if (n < (int)size)
        return;
    size_t end = size - 1, start = end;
    uint32_t cp;
    while (start > 0 && end - start < 4 && ((unsigned char)out[start - 1] & 0xc0) == 0x80)
        start--;
    if (start > 0 && utf8_decode(out + start - 1, end - (start - 1), &cp) == 0)
        out[start - 1] = '\0';
}

static int _printf_(3, 0) fill(struct diag *d, enum diag_code code, const char *fmt, va_list ap)
{
    assert(code < _DIAG_CODE_MAX);
    if (d) {
        /* ap may point into the old *d, so the message is made first. */
        char message[DIAG_MESSAGE_BYTES];
        format_cut(message, sizeof(message), fmt, ap);
        d->code = code;
        d->n_spans = 0;
        d->hint[0] = '\0';
        memcpy(d->message, message, sizeof(message));
    }
    return -codes[code].err;
}

int diag_fail(struct diag *d, enum diag_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = fill(d, code, fmt, ap);
    va_end(ap);
    return r;
}

int diag_fail_at(struct diag *d, enum diag_code code, struct span at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = fill(d, code, fmt, ap);
    va_end(ap);
    diag_add_span(d, at);
    return r;
}

int diag_errno(struct diag *d, int err, const char *fmt, ...)
{
    if (err < 0)
        err = -err;
    va_list ap;
    va_start(ap, fmt);
    (void)fill(d, DIAG_SYSTEM, fmt, ap); /* the errno returned is the caller's */
    va_end(ap);
    if (!d)
        return -err;
    const char *text = strerrordesc_np(err);
    char reason[96];
    if (text)
        (void)snprintf(reason, sizeof(reason), "%s", text);
    else
        (void)snprintf(reason, sizeof(reason), "error %d", err);
    if (reason[0] >= 'A' && reason[0] <= 'Z' && reason[1] >= 'a' && reason[1] <= 'z')
        reason[0] = (char)(reason[0] + 32); /* messages are lower case */
    size_t len = strlen(d->message);
    (void)snprintf(d->message + len, sizeof(d->message) - len, ": %s", reason);
    return -err;
}

void diag_hint(struct diag *d, const char *fmt, ...)
{
    if (!d)
        return;
    char hint[DIAG_HINT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    format_cut(hint, sizeof(hint), fmt, ap);
    va_end(ap);
    memcpy(d->hint, hint, sizeof(hint));
}

void diag_add_span(struct diag *d, struct span at)
{
    if (d && at.line > 0 && d->n_spans < DIAG_SPANS)
        d->span[d->n_spans++] = at;
}

void diag_list_add(struct diag_list *l, const struct diag *d, bool warning)
{
    _Static_assert(ARRAY_SIZE(l->d) == LIMIT_DIAGS && ARRAY_SIZE(l->is_warning) == LIMIT_DIAGS,
                   "diag_list keeps LIMIT_DIAGS");
    if (warning)
        l->n_warnings++;
    else
        l->n_errors++;
    if (l->n == ARRAY_SIZE(l->d))
        return;
    l->is_warning[l->n] = warning;
    l->d[l->n++] = *d;
}
