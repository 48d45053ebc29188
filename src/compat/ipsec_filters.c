/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/ipsec_filters.c: the filters of -f and -1f. Called for every command that has some.
 * Invariant: a command with one wrong filter has none; what is wrong with the words around a filter
 * (blanks inside it, a switch glued to it) is told as such. */
#include <errno.h>
#include <string.h>

#include "ipsec_internal.h"
#include "mirror_hole.h"
#include "text/text.h"

enum { JOINED_BYTES = 1024, JOINED_WORDS = 16 };

void ipsec_filters_done(struct ipsec_filters *f)
{
    for (size_t i = 0; i < f->n; i++)
        ipsec_spec_done(&f->v[i].spec);
    free(f->v);
    *f = (struct ipsec_filters){0};
}

/* Whether the text alone is a filter; nothing is remarked. */
static bool is_spec(const char *text)
{
    _cleanup_(tool_run_done) struct tool_run t;
    _cleanup_(ipsec_spec_done) struct ipsec_spec spec = {0};
    struct diag ignored;
    tool_run_init(&t, NULL, NULL);
    filter_init(&spec.filter);
    return ipsec_spec_parse(&t, text, &ignored, &spec) == 0;
}

/* The longest run of words around i that is a filter once the blanks between them are gone. */
static bool join_words(const struct ipsec_words *w, size_t i, char out[JOINED_BYTES])
{
    for (size_t from = i < JOINED_WORDS ? 0 : i - JOINED_WORDS; from <= i; from++) {
        char text[JOINED_BYTES];
        size_t len = 0;
        bool found = false;
        for (size_t k = from; k < w->n && len + strlen(w->v[k]) < sizeof(text); k++) {
            len += format_into(text + len, sizeof(text) - len, "%s", w->v[k]);
            if (k == from || k < i || !is_spec(text))
                continue;
            memcpy(out, text, len + 1);
            found = true;
        }
        if (found)
            return true;
    }
    return false;
}

static int explain_refused(struct tool_run *t, const struct ipsec_words *w, size_t i,
                           struct diag *d, int err)
{
    const char *word = w->v[i];
    char joined[JOINED_BYTES];
    size_t glued = ipsec_glued(word);
    if (join_words(w, i, joined)) {
        err = ipsec_fail(t, d, word, "blanks inside a filter");
        diag_hint(d, "write %s", joined);
    } else if (glued > 0) {
        err = tool_fail_at(t, d, word, glued, 2, DIAG_USAGE,
                           "the switch '%s' is glued to what stands before it", word + glued);
        diag_hint(d, "put a blank between them: %.*s %s", (int)glued, word, word + glued);
    }
    return err;
}

int ipsec_filters_parse(struct tool_run *t, const struct ipsec_args *a, enum ipsec_switch_id from,
                        struct diag *d, struct ipsec_filters *ret)
{
    const struct ipsec_words *w = &a->values[from];
    for (size_t i = 0; i < w->n; i++) {
        int err = array_reserve(&ret->v, &ret->cap, ret->n + 1, sizeof(*ret->v));
        if (err < 0)
            return err;
        struct ipsec_filter *f = &ret->v[ret->n];
        *f = (struct ipsec_filter){.word = w->v[i]};
        filter_init(&f->spec.filter);
        err = ipsec_spec_parse(t, w->v[i], d, &f->spec);
        if (err == -EINVAL)
            return explain_refused(t, w, i, d, err);
        if (err < 0)
            return err;
        if (f->spec.is_default)
            ret->has_default = true;
        else
            ret->n++;
    }
    return 0;
}

int ipsec_filter_finish(struct tool_run *t, const char *word, const struct ipsec_action *a,
                        struct diag *d, struct filter *f)
{
    f->action = a->action;
    f->inpass = a->inpass;
    if (a->action == ACTION_NEGOTIATE && a->methods) {
        f->methods = strdup(a->methods);
        if (!f->methods)
            return -ENOMEM;
    }
    int err = filter_validate(f, d);
    if (err < 0 && err != -ENOMEM) {
        struct diag why = *d; /* the same, at the word it is about */
        err = tool_fail_at(t, d, word, 0, strlen(word), why.code, "%s", why.message);
        diag_hint(d, "%s", why.hint);
    }
    return err < 0 ? err : mirror_hole_check(t, word, f, d);
}
