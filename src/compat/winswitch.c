/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/winswitch.c: reads the words of netdiag, net, secedit and gpupdate against a table of
 * switches.
 * Called by these tools. Repairs what cmd.exe and web pages do to a line (windows.md 1.4), one
 * remark each. Invariant: every word read has its place in the argument that was typed. */
#include "winswitch.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "misprint.h"

void win_words_done(struct win_words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->v[i].value);
    free(w->v);
    *w = (struct win_words){0};
}

struct reader {
    struct tool_run *t;
    const struct win_input *in;
    struct win_words *out;
    int next; /* argument */
};

/* Bytes of what introduces a switch: '/', '-', or a dash that a web page made of it. */
static size_t lead(const char *s, bool *ret_typographic)
{
    size_t dash = misprint_dash(s);
    *ret_typographic = dash > 0;
    return dash > 0 ? dash : s[0] == '/' || s[0] == '-';
}

/* The switch that s begins with, up to ':', another '/' or the end. */
static int find_switch(const struct win_input *in, const char *s, size_t *ret_len)
{
    size_t n = strcspn(s, ":/");
    *ret_len = n;
    for (size_t i = 0; i < in->n_switches; i++)
        if (strlen(in->switches[i].name) == n && strncasecmp(in->switches[i].name, s, n) == 0)
            return (int)i;
    return WIN_UNKNOWN;
}

/* Where a switch is glued to the text before it ("ipsec/debug"); the length of s if nowhere. */
static size_t find_glued(const struct win_input *in, const char *s)
{
    size_t len;
    for (const char *p = s; (p = strchr(p, '/')); p++)
        if (find_switch(in, p + 1, &len) >= 0)
            return (size_t)(p - s);
    return strlen(s);
}

static int add(struct reader *r, const struct win_word *w, const char *value, size_t n)
{
    int err = array_reserve(&r->out->v, &r->out->cap, r->out->n + 1, sizeof(*r->out->v));
    char *copy = err < 0 ? NULL : strndup(value, n);
    if (!copy)
        return -ENOMEM;
    r->out->v[r->out->n] = *w;
    r->out->v[r->out->n++].value = copy;
    return 0;
}

static int missing_value(struct reader *r, const struct win_word *w, struct diag *d)
{
    const struct win_switch *s = &r->in->switches[w->index];
    int err =
        tool_fail_at(r->t, d, w->typed, w->at, w->len, DIAG_USAGE, "'/%s' needs a value", s->name);
    diag_hint(d, "%s", s->example);
    return err;
}

/* cmd.exe takes "/test: ipsec" apart: the value is the next argument. */
static int take_next(struct reader *r, struct win_word *w, struct diag *d, const char **ret)
{
    bool typographic;
    if (r->next >= r->in->argc || lead(r->in->argv[r->next], &typographic) > 0)
        return missing_value(r, w, d);
    w->typed_value = r->in->argv[r->next++];
    w->value_at = 0;
    *ret = w->typed_value;
    return tool_remark(r->t, NOTE_REPAIR, d, "read '/%s:' and '%s' as '/%s:%s'",
                       r->in->switches[w->index].name, *ret, r->in->switches[w->index].name, *ret);
}

/* The value, and whatever is glued behind it. */
static int read_value(struct reader *r, struct win_word *w, const char *value, struct diag *d,
                      size_t *ret_end)
{
    size_t n = find_glued(r->in, value);
    int err = n == 0 ? missing_value(r, w, d) : add(r, w, value, n);
    *ret_end = (size_t)(value - w->typed_value) + n;
    if (err < 0 || !value[n])
        return err;
    return tool_remark(r->t, NOTE_REPAIR, d, "read '%s' as '%.*s %s'", value, (int)n, value,
                       value + n);
}

static int read_switch(struct reader *r, struct win_word *w, size_t lead_len, struct diag *d,
                       size_t *ret_end)
{
    const char *name = w->typed + w->at + lead_len, *value;
    size_t n;
    int err = 0;
    w->index = find_switch(r->in, name, &n);
    w->len = lead_len + n;
    *ret_end = w->at + w->len;
    if (w->index == WIN_UNKNOWN) {
        *ret_end = strlen(w->typed);
        w->len = *ret_end - w->at;
        return add(r, w, w->typed + w->at, w->len);
    }
    if (r->in->switches[w->index].takes == WIN_FLAG && name[n] != ':')
        return add(r, w, "", 0);
    if (r->in->switches[w->index].takes == WIN_FLAG) {
        err = tool_fail_at(r->t, d, w->typed, w->at + w->len, strlen(name + n), DIAG_USAGE,
                           "'/%s' takes no value", r->in->switches[w->index].name);
        diag_hint(d, "/%s", r->in->switches[w->index].name);
        return err;
    }
    if (name[n] != ':')
        return missing_value(r, w, d);
    value = name + n + 1;
    w->typed_value = w->typed;
    w->value_at = (size_t)(value - w->typed);
    if (!*value) {
        err = take_next(r, w, d, &value);
        if (err < 0)
            return err;
        w->len++;
    }
    return read_value(r, w, value, d, ret_end);
}

/* One word of the argument, from at on. */
static int read_piece(struct reader *r, const char *typed, size_t at, struct diag *d,
                      size_t *ret_end)
{
    bool typographic;
    size_t n = lead(typed + at, &typographic);
    struct win_word w = {.typed = typed, .typed_value = typed, .at = at, .value_at = at};
    if (n == 0) {
        w.index = WIN_WORD;
        w.len = strlen(typed + at);
        *ret_end = at;
        return w.len == 0 ? add(r, &w, "", 0) : read_value(r, &w, typed + at, d, ret_end);
    }
    int err = 0;
    if (typographic)
        err = tool_remark(r->t, NOTE_REPAIR, d, "read '%s' as '-%s'", typed + at, typed + at + n);
    return err < 0 ? err : read_switch(r, &w, n, d, ret_end);
}

int win_words_read(struct tool_run *t, const struct win_input *in, struct diag *d,
                   struct win_words *ret)
{
    _cleanup_(win_words_done) struct win_words words = {0};
    struct reader r = {.t = t, .in = in, .out = &words};
    while (r.next < in->argc) {
        const char *typed = in->argv[r.next++];
        size_t at = 0;
        do {
            const int before = r.next;
            size_t end = at;
            int err = read_piece(&r, typed, at, d, &end);
            if (err < 0)
                return err;
            if (r.next != before) /* went on in the next argument */
                typed = in->argv[before];
            at = end;
        } while (typed[at]);
    }
    *ret = words;
    words = (struct win_words){0};
    return 0;
}

int win_fail_word(struct tool_run *t, const struct win_word *w, struct diag *d, const char *hint)
{
    int r = tool_fail_at(t, d, w->typed, w->at, w->len, DIAG_USAGE, "unknown %s '%s'",
                         w->index == WIN_WORD ? "word" : "switch", w->value);
    diag_hint(d, "%s", hint);
    return r;
}

int win_fail_value(struct tool_run *t, const struct win_word *w, enum diag_code code,
                   struct diag *d, const char *what)
{
    return tool_fail_at(t, d, w->typed_value, w->value_at, strlen(w->value), code, "%s '%s'", what,
                        w->value);
}
