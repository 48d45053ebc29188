/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/remark.c: notes, repairs and warnings of a tool.
 * Called by every tool and converter; the front prints them after the change is made. Invariant:
 * each remark stands once, in the order in which it was made. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "compat/tool.h"

static bool is_known(const struct tool_run *t, enum tool_note_kind kind, const char *text)
{
    for (size_t i = 0; i < t->n_remarks; i++)
        if (t->remarks[i].kind == kind && strcmp(t->remarks[i].text, text) == 0)
            return true;
    return false;
}

int tool_remark(struct tool_run *t, enum tool_note_kind kind, struct diag *d, const char *fmt, ...)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_API_BODY_BYTES);
    va_list ap;
    va_start(ap, fmt);
    (void)strbuf_vaddf(&text, fmt, ap); /* errors are sticky */
    va_end(ap);
    if (text.error < 0)
        return text.error;
    if (kind == NOTE_REPAIR && t->strict) {
        int r = diag_fail(d, DIAG_USAGE, "misprint: %s", text.s ? text.s : "");
        diag_hint(d, "without --strict it is repaired");
        return r;
    }
    /* A long run of remarks is only compared with its beginning: a script can make very many. */
    enum { COMPARED = 64 };
    if (t->n_remarks <= COMPARED && is_known(t, kind, text.s ? text.s : ""))
        return 0;
    int r = array_reserve(&t->remarks, &t->cap_remarks, t->n_remarks + 1, sizeof(*t->remarks));
    char *s = r < 0 ? NULL : strbuf_take(&text);
    if (!s)
        return -ENOMEM;
    t->remarks[t->n_remarks++] = (struct tool_remark){.kind = kind, .text = s};
    return 0;
}

void tool_remarks_answered(struct tool_run *t)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->n_remarks; i++) {
        if (t->remarks[i].kind == NOTE_FORETOLD)
            free(t->remarks[i].text);
        else
            t->remarks[kept++] = t->remarks[i];
    }
    t->n_remarks = kept;
}
