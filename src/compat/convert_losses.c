/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/convert_losses.c: the list of what a foreign form cannot express. Filled by the writers,
 * printed by whoever exports. Invariant: a line stands once. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/limits.h"
#include "convert_internal.h"

void convert_losses_done(struct convert_losses *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    *l = (struct convert_losses){0};
}

int convert_loss(struct convert_losses *l, const char *fmt, ...)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(4 * LIMIT_TEXT_STRING_BYTES);
    va_list ap;
    va_start(ap, fmt);
    (void)strbuf_vaddf(&text, fmt, ap); /* errors are sticky */
    va_end(ap);
    int err = text.error;
    if (err == 0 && l->n > 0 && strcmp(l->v[l->n - 1], text.s ? text.s : "") == 0)
        return 0;
    if (err == 0)
        err = array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));
    char *s = err < 0 ? NULL : strbuf_take(&text);
    if (!s)
        return err < 0 ? err : -ENOMEM;
    l->v[l->n++] = s;
    return 0;
}
