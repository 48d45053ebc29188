/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/net_opens.c: what `net stop policyagent` opens: the packets whose verdict changes when all
 * dynamic filters end, found by the code that previews use (compile/diff.h).
 * Called by net.c. Invariant: nothing is called open that a stored policy still blocks; what could
 * not be looked at is said. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "compile/diff.h"
#include "net.h"
#include "text/text.h"

enum { BOXES_MAX = 20000 };

struct layers {
    struct tool_filter *v;
    size_t n;
    struct filter *parsed;
    struct effective_filter *all, *stored;
    size_t n_all, n_stored;
};

static void layers_done(struct layers *l)
{
    for (size_t i = 0; l->parsed && i < l->n; i++)
        filter_done(&l->parsed[i]);
    free(l->parsed);
    free(l->all);
    free(l->stored);
    tool_filters_free(l->v, l->n);
}

static bool is_dynamic(const struct tool_filter *f)
{
    return strcmp(f->layer, "dynamic") == 0;
}

static int layer_number(const char *name)
{
    for (int l = 0; l < _LAYER_MAX; l++)
        if (strcmp(layer_name((enum layer)l), name) == 0)
            return l;
    return LAYER_LOCAL;
}

/* What needs negotiated security is denied in the clear, like what is blocked: no packet is let
 * through where one takes the place of the other. */
static void deny_clear(struct filter *f)
{
    if (filter_effect(f) == ACTION_NEGOTIATE)
        f->action = ACTION_BLOCK;
    f->inpass = false;
}

static int read_layers(struct tool_run *t, struct diag *d, struct layers *l)
{
    int r = t->host->filters(t->host->ctx, d, &l->v, &l->n);
    if (r < 0)
        return r;
    l->parsed = calloc(l->n + 1, sizeof(*l->parsed));
    l->all = calloc(l->n + 1, sizeof(*l->all));
    l->stored = calloc(l->n + 1, sizeof(*l->stored));
    if (!l->parsed || !l->all || !l->stored)
        return -ENOMEM;
    for (size_t i = 0; i < l->n; i++)
        filter_init(&l->parsed[i]);
    for (size_t i = 0; i < l->n && r == 0; i++) {
        r = text_parse_filter(l->v[i].text, strlen(l->v[i].text), d, &l->parsed[i]);
        deny_clear(&l->parsed[i]);
        l->parsed[i].guid = l->v[i].guid;
        struct effective_filter ef = {.filter = &l->parsed[i],
                                      .layer = (enum layer)layer_number(l->v[i].layer),
                                      .counter_id = COUNTER_NONE};
        l->all[l->n_all++] = ef;
        if (!is_dynamic(&l->v[i]))
            l->stored[l->n_stored++] = ef;
    }
    return r;
}

/* One remark for each term of the set. */
static int note_set(struct tool_run *t, const struct packetset *s, const char *what, struct diag *d)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LIMIT_API_BODY_BYTES);
    int r = text_print_set(s, 0, &text);
    for (const char *p = text.s; r == 0 && p && *p; p += *p == '\n') {
        size_t n = strcspn(p, "\n");
        r = tool_remark(t, NOTE, d, "%s: %.*s", what, (int)n, p);
        p += n;
    }
    return r;
}

/* Addresses of names are the agent's knowledge: such filters are named as they are written. */
static int note_names(struct tool_run *t, const struct layers *l, struct diag *d)
{
    int r = 0;
    for (size_t i = 0; i < l->n && r == 0; i++) {
        const struct filter *f = &l->parsed[i];
        if (is_dynamic(&l->v[i]) && filter_is_resolved(f))
            r = tool_remark(t, NOTE, d, "no longer in force: %s", l->v[i].text);
    }
    return r;
}

int net_note_opens(struct tool_run *t, struct diag *d)
{
    _cleanup_(layers_done) struct layers l = {0};
    _cleanup_(diff_result_done) struct diff_result diff = {0};
    struct filter_settings settings;
    const struct host host = {0};
    const struct budget budget = {.max_boxes = BOXES_MAX};
    int r = read_layers(t, d, &l);
    if (r < 0 || l.n_stored == l.n)
        return r;
    filter_settings_init(&settings);
    const struct effective before = {
        .v = l.all, .n = l.n_all, .settings = &settings, .host = &host};
    const struct effective after = {
        .v = l.stored, .n = l.n_stored, .settings = &settings, .host = &host};
    r = diff_effective(&before, &after, 0, &budget, &diff);
    for (size_t i = 0; i < diff.n && r == 0; i++)
        r = note_set(t, &diff.v[i].set,
                     diff.v[i].blocked ? "no longer permitted" : "no longer blocked", d);
    if (r == 0)
        r = note_names(t, &l, d);
    if (r == 0 && !diff.complete)
        r = tool_remark(t, NOTE_WARNING, d,
                        "more than this may open: the dynamic filters are too many to be "
                        "compared");
    return r;
}
