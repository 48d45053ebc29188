/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/ipsec_args.c: sorts the arguments of ipsecpol and ipseccmd by switch and refuses what does
 * not go together (windows.md 3). Called first for every command. Invariant: what passes has every
 * switch at most as often as it may stand, with its values; the order of switches is lost. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "ipsec_internal.h"
#include "misprint.h"

static int words_add(struct ipsec_words *w, const char *word)
{
    int err = array_reserve(&w->v, &w->cap, w->n + 1, sizeof(*w->v));
    if (err == 0)
        w->v[w->n++] = word;
    return err;
}

void ipsec_args_done(struct ipsec_args *a)
{
    for (int i = 0; i < _SW_MAX; i++)
        free(a->values[i].v);
    free(a->show.v);
    *a = (struct ipsec_args){0};
}

int ipsec_check_computer(struct tool_run *t, const char *word, const char *name, struct diag *d)
{
    if (t->host && t->host->is_local && t->host->is_local(t->host->ctx, name))
        return 0;
    if (strcmp(name, ".") == 0 || strcasecmp(name, "localhost") == 0 ||
        strncmp(name, "127.", 4) == 0)
        return 0;
    int err = tool_fail_at(t, d, word, 0, strlen(word), DIAG_UNKNOWN_OBJECT,
                           "'%s' is not this host", name);
    diag_hint(d, "run it over ssh on that host; policies for many hosts belong in the domain");
    return err;
}

/* The switch that a word is, repaired or not; -1 = it is none. A lost dash is only taken for one
 * before x, y and o, the switches of the article that lost it. */
static int read_switch(struct tool_run *t, const char *word, struct diag *d, int *ret)
{
    char fixed[16];
    size_t dash = misprint_dash(word);
    *ret = ipsec_switch_find(word);
    if (*ret >= 0)
        return 0;
    if (dash > 0)
        format_into(fixed, sizeof(fixed), "-%s", word + dash);
    else if (word[0] == '?' && word[1] && strchr("xyo", word[1]) && !word[2])
        format_into(fixed, sizeof(fixed), "-%s", word + 1);
    else
        return 0;
    *ret = ipsec_switch_find(fixed);
    return *ret < 0 ? 0 : tool_remark(t, NOTE_REPAIR, d, "read '%s' as '%s'", word, fixed);
}

static bool looks_like_switch(const char *word)
{
    return (word[0] == '-' && word[1]) || misprint_dash(word) > 0;
}

static int fail_unknown_switch(struct tool_run *t, struct diag *d, const char *word)
{
    int err = ipsec_fail(t, d, word, "unknown switch '%s'", word);
    const char *near = ipsec_switch_near(word);
    if (near) {
        diag_hint(d, "did you mean %s?", near);
        return err;
    }
    for (int i = 0; i < _SW_MAX; i++) {
        size_t n = strlen(ipsec_switches[i].name);
        if (ipsec_switches[i].takes == TAKES_NONE || n != 2 ||
            strncasecmp(word, ipsec_switches[i].name, n) != 0)
            continue;
        err = tool_fail_at(t, d, word, n, strlen(word) - n, DIAG_USAGE,
                           "the value is glued to the switch '%.*s'", (int)n, word);
        diag_hint(d, "write %.*s %s", (int)n, word, word + n);
        return err;
    }
    diag_hint(d, "%s -? lists the switches", ipsec_tool_name(t));
    return err;
}

static int fail_glued(struct tool_run *t, struct diag *d, const char *word, size_t n)
{
    int err = tool_fail_at(t, d, word, n, strlen(word) - n, DIAG_USAGE,
                           "the switch '%s' is glued to what stands before it", word + n);
    diag_hint(d, "put a blank between them: %.*s %s", (int)n, word, word + n);
    return err;
}

/* A word where a switch is expected. before: the value in front of it, NULL if there is none. */
static int fail_stray(struct tool_run *t, struct diag *d, const char *word, const char *before)
{
    size_t n = before ? ipsec_glued(before) : 0;
    int err;
    if (n > 0)
        return fail_glued(t, d, before, n);
    if (word[0] == '\\') {
        err = ipsec_fail(t, d, word, "a computer stands before all switches");
        diag_hint(d, "%s %s -w REG ...", ipsec_tool_name(t), word);
    } else if (strcasecmp(word, "show") == 0) {
        err = ipsec_fail(t, d, word, "'show' stands alone");
        diag_hint(d, "%s show filters", ipsec_tool_name(t));
    } else {
        err = ipsec_fail(t, d, word, "unexpected word '%s'", word);
        diag_hint(d, before ? "a name with blanks stands in quotes"
                            : "a command begins with a "
                              "switch, see -?");
    }
    return err;
}

/* Names keep every letter; only what cannot be one is refused. */
static int check_value(struct tool_run *t, struct diag *d, const struct ipsec_switch *sw,
                       const char *word)
{
    if (word[0] == '\0') {
        int err = tool_fail_at(t, d, sw->name, 0, strlen(sw->name), DIAG_USAGE,
                               "the value of '%s' is empty", sw->name);
        diag_hint(d, "for example %s", sw->example);
        return err;
    }
    /* A script has quotes of its own: one that is left is part of the name. */
    const char *quote = t->from_file ? NULL : strchr(word, '"');
    if (!quote)
        return 0;
    int err = tool_fail_at(t, d, word, (size_t)(quote - word), 1, DIAG_USAGE, "unbalanced quotes");
    diag_hint(d, "a name stands between two \" and has none inside");
    return err;
}

struct reader {
    struct tool_run *t;
    struct diag *d;
    int argc, i;
    char *const *argv;
    struct ipsec_args *a;
    const char *last; /* value that was read last, NULL behind a switch without */
};

static int fail_no_value(const struct reader *r, const struct ipsec_switch *sw)
{
    int err = ipsec_fail(r->t, r->d, r->argv[r->i], "switch '%s' needs %s", sw->name, sw->value);
    diag_hint(r->d, "for example %s", sw->example);
    return err;
}

static int read_one(struct reader *r, int id)
{
    const struct ipsec_switch *sw = &ipsec_switches[id];
    if (r->i + 1 >= r->argc || ipsec_switch_find(r->argv[r->i + 1]) >= 0)
        return fail_no_value(r, sw);
    r->last = r->argv[++r->i];
    int err = check_value(r->t, r->d, sw, r->last);
    return err < 0 ? err : words_add(&r->a->values[id], r->last);
}

/* Everything up to the next switch. */
static int read_list(struct reader *r, int id)
{
    size_t before = r->a->values[id].n;
    int at = r->i;
    while (r->i + 1 < r->argc) {
        int next;
        const char *word = r->argv[r->i + 1];
        int err = read_switch(r->t, word, r->d, &next);
        if (err < 0)
            return err;
        if (next >= 0 || strcmp(word, "-") == 0)
            break;
        if (looks_like_switch(word))
            return fail_unknown_switch(r->t, r->d, word);
        err = words_add(&r->a->values[id], word);
        if (err < 0)
            return err;
        r->last = word;
        r->i++;
    }
    if (r->a->values[id].n > before)
        return 0;
    r->i = at;
    return fail_no_value(r, &ipsec_switches[id]);
}

static int read_argument(struct reader *r)
{
    const char *word = r->argv[r->i];
    int id;
    int err = read_switch(r->t, word, r->d, &id);
    if (err < 0)
        return err;
    if (strcmp(word, "-") == 0) {
        const char *next = r->i + 1 < r->argc ? r->argv[r->i + 1] : "x";
        err = ipsec_fail(r->t, r->d, word, "a dash stands alone");
        diag_hint(r->d, "write -%s", next);
        return err;
    }
    if (id < 0)
        return looks_like_switch(word) ? fail_unknown_switch(r->t, r->d, word)
                                       : fail_stray(r->t, r->d, word, r->last);
    const struct ipsec_switch *sw = &ipsec_switches[id];
    if (r->a->given[id] && !sw->again) {
        err = ipsec_fail(r->t, r->d, word, "switch '%s' given twice", sw->name);
        diag_hint(r->d, "one command has one '%s'", sw->name);
        return err;
    }
    if (sw->late && r->t->persona == PERSONA_2000) {
        err = tool_remark(r->t, NOTE, r->d, "%s of Windows 2000 has no '%s'", ipsec_tool_name(r->t),
                          sw->name);
        if (err < 0)
            return err;
    }
    r->a->given[id] = word;
    r->last = NULL;
    return sw->takes == TAKES_ONE    ? read_one(r, id)
           : sw->takes == TAKES_LIST ? read_list(r, id)
                                     : 0;
}

/* \\computer, with one backslash if a shell took the other. */
static int read_computer(struct reader *r)
{
    const char *word = r->argc > 0 ? r->argv[0] : "";
    if (word[0] != '\\')
        return 0;
    const char *name = word + (word[1] == '\\' ? 2 : 1);
    if (name == word + 1) {
        int err = tool_remark(r->t, NOTE_REPAIR, r->d, "read '%s' as '\\%s'", word, word);
        if (err < 0)
            return err;
    }
    r->i++;
    return ipsec_check_computer(r->t, word, name, r->d);
}

static int read_show(struct reader *r)
{
    int err = 0;
    if (r->t->persona == PERSONA_2000)
        err = tool_remark(r->t, NOTE, r->d, "%s of Windows 2000 has no 'show'",
                          ipsec_tool_name(r->t));
    if (err == 0 && r->i + 1 >= r->argc) {
        err = ipsec_fail(r->t, r->d, r->argv[r->i], "nothing to show");
        diag_hint(r->d, "%s show filters", ipsec_tool_name(r->t));
    }
    for (r->i++; err == 0 && r->i < r->argc; r->i++)
        err = words_add(&r->a->show, r->argv[r->i]);
    return err;
}

int ipsec_args_parse(struct tool_run *t, int argc, char *const *argv, struct diag *d,
                     struct ipsec_args *a)
{
    struct reader r = {.t = t, .d = d, .argc = argc, .argv = argv, .a = a};
    int err = read_computer(&r);
    if (err == 0 && r.i < argc && strcasecmp(argv[r.i], "show") == 0)
        return read_show(&r);
    for (; err == 0 && r.i < argc; r.i++)
        err = read_argument(&r);
    return err;
}
