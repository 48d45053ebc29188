/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/reading.c: commands and remarks that readers of whole lines collect. Used by paste.c,
 * batch.c and the front. Owns all words. */
#include "reading.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/limits.h"

void run_commands_cut(struct run_commands *l, size_t n)
{
    while (l->n > n) {
        struct run_command *c = &l->v[--l->n];
        for (int k = 0; k < c->argc; k++)
            free(c->argv[k]);
        free(c->argv);
    }
}

void run_commands_done(struct run_commands *l)
{
    run_commands_cut(l, 0);
    free(l->v);
    *l = (struct run_commands){0};
}

int run_commands_add(struct run_commands *l, const struct run_command *command)
{
    int err = array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));
    char **argv = err < 0 ? NULL : calloc((size_t)command->argc + 1, sizeof(*argv));
    if (!argv)
        return -ENOMEM;
    l->v[l->n] = *command;
    l->v[l->n].argv = argv;
    l->v[l->n].argc = 0;
    l->n++;
    for (int i = 0; i < command->argc; i++) {
        argv[i] = strdup(command->argv[i]);
        if (!argv[i])
            return -ENOMEM;
        l->v[l->n - 1].argc++;
    }
    return 0;
}

void reading_done(struct reading *r)
{
    run_commands_done(&r->commands);
    for (size_t i = 0; i < r->n_remarks; i++)
        free(r->remarks[i].text);
    free(r->remarks);
    *r = (struct reading){0};
}

int reading_remark(struct reading *r, enum tool_note_kind kind, const char *fmt, ...)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_API_BODY_BYTES);
    va_list ap;
    va_start(ap, fmt);
    (void)strbuf_vaddf(&text, fmt, ap); /* errors are sticky */
    va_end(ap);
    int err = array_reserve(&r->remarks, &r->cap_remarks, r->n_remarks + 1, sizeof(*r->remarks));
    char *s = err < 0 ? NULL : strbuf_take(&text);
    if (!s)
        return -ENOMEM;
    r->remarks[r->n_remarks++] = (struct tool_remark){.kind = kind, .text = s};
    return 0;
}
