/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/mirror_hole.c: warns of mirrored permits that open more than they say (windows.md 2).
 * Called wherever a dialect makes a permit. Invariant: it only warns; the filter is as asked for.
 */
#include "mirror_hole.h"

#include "text/text.h"

static bool opens_hole(const struct filter *f)
{
    if (f->action != ACTION_PERMIT || f->inpass || !f->mirrored)
        return false;
    bool out = f->src.kind == ADDR_ME && f->sport.n == 0 && f->dport.n > 0;
    bool in = f->dst.kind == ADDR_ME && f->dport.n == 0 && f->sport.n > 0;
    return out || in;
}

int mirror_hole_check(struct tool_run *t, const char *what, const struct filter *f, struct diag *d)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(512 * 1024);
    struct filter way = *f; /* borrows everything */
    if (!opens_hole(f))
        return 0;
    way.mirrored = false;
    way.description = NULL;
    if (f->dst.kind == ADDR_ME) { /* written the other way round */
        way.src = f->dst;
        way.dst = f->src;
        way.sport = f->dport;
        way.dport = f->sport;
    }
    way.keep_state = true;
    int err = text_print_filter(&way, &text);
    if (err < 0)
        return err;
    return tool_remark(t, NOTE_WARNING, d,
                       "mirrored-hole: '%s' also opens every port of this host to that source "
                       "port; instead: portward %s",
                       what, text.s);
}
