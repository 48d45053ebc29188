/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/convert_ipseccmd.c: reads scripts of ipsecpol and ipseccmd lines. Called by
 * convert_read(). Every line runs as the command it is, against the catalog; a line that is no
 * such command is named and left out, a command that is wrong ends the whole. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "convert_internal.h"
#include "ipsec_internal.h"
#include "ipsec_line.h"
#include "misprint.h"

struct script {
    struct tool_run *t;
    const struct convert_options *o;
    struct diag *d;
    size_t line; /* where the command began */
    char *only;  /* name of the one policy, if it shall have another one */
};

static void script_done(struct script *s)
{
    free(s->only);
}

static const char *file_name(const struct script *s)
{
    return s->o && s->o->file ? s->o->file : "script";
}

/* What a line cannot be carried over for; an error if it must. */
static int leave_out(struct script *s, const char *why)
{
    if (s->o && s->o->strict) {
        int err = diag_fail(s->d, DIAG_COMBINATION, "%s:%zu: %s", file_name(s), s->line, why);
        diag_hint(s->d, "without --strict the line is left out");
        return err;
    }
    s->t->partly = true;
    return tool_remark(s->t, NOTE_WARNING, s->d, "%s:%zu: %s, line not imported", file_name(s),
                       s->line, why);
}

static int fail_line(struct script *s, int err)
{
    if (err == -ENOMEM)
        return err;
    struct diag why = *s->d;
    s->t->word = NULL; /* it belonged to the line */
    err = diag_fail(s->d, why.code, "%s:%zu: %s", file_name(s), s->line, why.message);
    diag_hint(s->d, "%s", why.hint);
    return err;
}

/* The switch that a word is, also with a dash of a web page; the tool itself remarks the repair. */
static int find_switch(const char *word)
{
    char fixed[16];
    size_t dash = misprint_dash(word);
    if (dash == 0)
        return ipsec_switch_find(word);
    format_into(fixed, sizeof(fixed), "-%s", word + dash);
    return ipsec_switch_find(fixed);
}

/* NAME[:MINUTES] with another NAME. */
static int rename_policy(struct script *s, struct line_words *w)
{
    for (size_t i = 1; s->o && s->o->name && i + 1 < w->n; i++) {
        if (find_switch(w->v[i]) != SW_POLICY)
            continue;
        const char *colon = strrchr(w->v[i + 1], ':');
        bool minutes = colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1);
        size_t n = minutes ? (size_t)(colon - w->v[i + 1]) : strlen(w->v[i + 1]);
        _cleanup_free_ char *name = strndup(w->v[i + 1], n);
        _cleanup_(strbuf_done) struct strbuf value = STRBUF_INIT(4 * LIMIT_NAME_BYTES);
        if (!name)
            return -ENOMEM;
        if (s->only && utf8_casecmp(s->only, name) != 0) {
            int err = diag_fail(s->d, DIAG_USAGE, "policies '%s' and '%s' cannot both be '%s'",
                                s->only, name, s->o->name);
            diag_hint(s->d, "leave out --name");
            return err;
        }
        if (!s->only)
            s->only = TAKE_PTR(name);
        int err = strbuf_addf(&value, "%s%s", s->o->name, minutes ? colon : "");
        char *text = err < 0 ? NULL : strbuf_take(&value);
        if (!text)
            return err < 0 ? err : -ENOMEM;
        free(w->v[i + 1]);
        w->v[i + 1] = text;
    }
    return 0;
}

/* Commands that ask, or that speak of this very moment. */
static const char *not_for_import(const struct line_words *w)
{
    if (w->n > 1 && strcasecmp(w->v[1], "show") == 0)
        return "'show' changes nothing";
    for (size_t i = 1; i < w->n; i++) {
        int id = find_switch(w->v[i]);
        if (id == SW_FLUSH)
            return "'-u' ends what is in force now";
        if (id == SW_FILE)
            return "another file of commands";
        if (id == SW_HELP)
            return "'-?' changes nothing";
    }
    return NULL;
}

/* The name of the tool as it is called in a script: a path, with or without .exe. */
static bool is_tool(const char *word)
{
    const struct tool_entry *tool = tool_find(word);
    return tool && tool->run == tool_ipsec;
}

static int run_line(struct script *s, const char *line, size_t n)
{
    _cleanup_(line_words_done) struct line_words w = {0};
    int err = line_split(line, n, s->d, &w);
    if (err == -ENOMEM)
        return err;
    if (err < 0)
        return leave_out(s, s->d->message);
    if (w.n == 0)
        return 0;
    if (!is_tool(w.v[0]))
        return leave_out(s, "no command of ipsecpol or ipseccmd");
    const char *why = not_for_import(&w);
    if (why)
        return leave_out(s, why);
    err = rename_policy(s, &w);
    if (err == 0)
        err = ipsec_run_command(s->t, (int)w.n - 1, w.v + 1, s->d);
    return err < 0 ? fail_line(s, err) : 0;
}

/* A ^ at the end of a line joins the next one to it. */
static int read_lines(struct script *s, const char *data, size_t len)
{
    size_t number = 0;
    for (size_t from = 0; from < len;) {
        _cleanup_(strbuf_done) struct strbuf line = STRBUF_INIT(LIMIT_API_BODY_BYTES);
        bool more = true;
        s->line = number + 1;
        while (more && from < len) {
            const char *end = memchr(data + from, '\n', len - from);
            size_t n = end ? (size_t)(end - data) - from : len - from, used = n;
            while (used > 0 && data[from + used - 1] == '\r')
                used--;
            more = used > 0 && data[from + used - 1] == '^';
            (void)strbuf_add_n(&line, data + from, more ? used - 1 : used);
            from += n + 1;
            number++;
        }
        int err = line.error < 0 ? line.error : run_line(s, line.s ? line.s : "", line.len);
        if (err < 0)
            return err;
    }
    return 0;
}

int convert_read_ipseccmd(struct tool_run *t, const char *data, size_t len,
                          const struct convert_options *o, struct diag *d)
{
    _cleanup_(script_done) struct script s = {.t = t, .o = o, .d = d};
    static const char bom[] = "\xef\xbb\xbf";
    bool has_bom = len >= 3 && memcmp(data, bom, 3) == 0;
    if (memchr(data, '\0', len))
        return diag_fail(d, DIAG_SYNTAX, "'%s' is no text", file_name(&s));
    t->from_file = true;
    return read_lines(&s, data + (has_bom ? 3 : 0), len - (has_bom ? 3 : 0));
}
