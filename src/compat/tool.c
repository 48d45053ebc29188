/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/tool.c: what one invocation of a tool keeps, and how it refuses a word.
 * Called by every tool and by whoever runs one. Invariant: a place always belongs to the word that
 * is kept beside it, never to another one. */
#include "compat/tool.h"

#include <stdarg.h>
#include <string.h>

#include "base/limits.h"

void tool_run_init(struct tool_run *t, struct catalog *c, const struct tool_host *host)
{
    *t = (struct tool_run){
        .catalog = c,
        .host = host,
        .persona = PERSONA_2003,
        .out = STRBUF_INIT(LIMIT_API_ANSWER_BYTES),
    };
}

void tool_run_done(struct tool_run *t)
{
    strbuf_done(&t->out);
    for (size_t i = 0; i < t->n_remarks; i++)
        free(t->remarks[i].text);
    free(t->remarks);
    free(t->line);
    *t = (struct tool_run){0};
}

int tool_fail_at(struct tool_run *t, struct diag *d, const char *word, size_t offset, size_t len,
                 enum diag_code code, const char *fmt, ...)
{
    struct span at = {
        .line = 1,
        .column = (uint32_t)offset + 1,
        .len = len > 0 ? (uint32_t)len : 1,
        .offset = (uint32_t)offset,
    };
    char message[DIAG_MESSAGE_BYTES];
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_API_BODY_BYTES);
    va_list ap;
    va_start(ap, fmt);
    (void)strbuf_vaddf(&text, fmt, ap); /* too long: nothing is lost but the end */
    va_end(ap);
    (void)format_into(message, sizeof(message), "%s", text.s ? text.s : "wrong word");
    t->word = word;
    return diag_fail_at(d, code, at, "%s", message);
}
