/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/methods.c: see methods.h. There is one grammar of methods, in text; it is asked through a
 * filter that has them. */
#include "methods.h"

#include "text/text.h"

enum { TEXT_BYTES = 16 * 1024 };

int methods_canonical(const char *methods, struct diag *d, char **ret)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
    _cleanup_(filter_done) struct filter f;
    filter_init(&f);
    int err = strbuf_addf(&text, "negotiate %s from any to any", methods);
    if (err == 0)
        err = text_parse_filter(text.s, text.len, d, &f);
    if (err == 0)
        *ret = TAKE_PTR(f.methods);
    return err;
}
