/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/batch.c: reads batch files of cmd.exe as far as scripts of this kind use it (windows.md
 * 1.5). Called by `portward compat --batch`. Invariant: a line is understood as a whole or
 * reported; nothing is guessed, and other programs are never run. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "front.h"

enum { LINE_BYTES = 64 * 1024, VARIABLES = 256 };

struct variable {
    char *name, *value;
};

struct batch {
    const char *file;
    struct reading *out;
    struct variable v[VARIABLES];
    size_t n_variables;
    size_t line;      /* first one of the logical line */
    size_t depth;     /* open parentheses of what was not understood */
    bool reported;    /* the line was not understood */
    bool block;       /* and what it begins can go on in the next ones */
    bool other;       /* the command was another program */
    bool after_other; /* it is only run after another program's success */
    bool ended;       /* exit */
};

static void batch_done(struct batch *b)
{
    for (size_t i = 0; i < b->n_variables; i++) {
        free(b->v[i].name);
        free(b->v[i].value);
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static int _printf_(2, 3) not_understood(struct batch *b, const char *fmt, ...)
{
    char why[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, ap); /* cut at worst; the renderer escapes */
    va_end(ap);
    b->out->partly = b->reported = true;
    return reading_remark(b->out, NOTE_WARNING, "%s:%zu: not understood: %s", b->file, b->line,
                          why);
}

static struct variable *find_variable(struct batch *b, const char *name, size_t len)
{
    for (size_t i = 0; i < b->n_variables; i++)
        if (strlen(b->v[i].name) == len && strncasecmp(b->v[i].name, name, len) == 0)
            return &b->v[i];
    return NULL;
}

/* Whether cmd.exe ends the value of `set` or changes it. */
static bool has_operator(const char *s)
{
    bool quoted = false;
    for (; *s; s++) {
        quoted ^= *s == '"';
        if (!quoted && strchr("&|<>^", *s))
            return true;
    }
    return false;
}

/* A line that was not understood may have set them to something else. */
static void forget_variables(struct batch *b, const char *line)
{
    if (!strcasestr(line, "set"))
        return;
    for (size_t i = b->n_variables; i-- > 0;) {
        struct variable *v = &b->v[i];
        size_t len = strlen(v->name);
        const char *at = strcasestr(line, v->name);
        while (at && at[len] != '=')
            at = strcasestr(at + 1, v->name);
        if (!at)
            continue;
        free(v->name);
        free(v->value);
        *v = b->v[--b->n_variables];
    }
}

/* set NAME=VALUE; cmd.exe also takes "NAME=VALUE" in quotes. */
static int set_variable(struct batch *b, const char *text)
{
    char quote = *text == '"' ? '"' : '\0';
    text += quote ? 1 : 0;
    const char *eq = strchr(text, '=');
    if (!eq || eq == text || *text == '/')
        return not_understood(b, "%s", "set needs NAME=VALUE");
    if (has_operator(text - (quote ? 1 : 0)))
        return not_understood(b, "%s", "set with & | < > or ^ outside of quotes");
    size_t len = strlen(eq + 1);
    if (quote && len > 0 && eq[len] == '"')
        len--;
    struct variable *v = find_variable(b, text, (size_t)(eq - text));
    char *value = strndup(eq + 1, len);
    if (!value)
        return -ENOMEM;
    if (v) {
        free(v->value);
        v->value = value;
        return 0;
    }
    char *name = b->n_variables < VARIABLES ? strndup(text, (size_t)(eq - text)) : NULL;
    if (!name) {
        free(value);
        return b->n_variables < VARIABLES ? -ENOMEM : not_understood(b, "%s", "too many variables");
    }
    b->v[b->n_variables++] = (struct variable){name, value};
    return 0;
}

/* Replaces %NAME% and %%. 1: done, 0: the line was reported. */
static int expand(struct batch *b, const char *s, struct strbuf *out)
{
    while (*s) {
        size_t plain = strcspn(s, "%");
        (void)strbuf_add_n(out, s, plain); /* errors are sticky */
        s += plain;
        if (!*s)
            break;
        if (s[1] == '%') {
            (void)strbuf_add_char(out, '%');
            s += 2;
            continue;
        }
        const char *end = strchr(s + 1, '%');
        bool argument = isdigit((unsigned char)s[1]) || s[1] == '*' || s[1] == '~';
        if (!end || argument) {
            int err =
                not_understood(b, "%s", argument ? "an argument of the batch file" : "a single %");
            return err < 0 ? err : 0;
        }
        const struct variable *v = find_variable(b, s + 1, (size_t)(end - s - 1));
        if (!v) {
            char name[256];
            (void)format_into(name, sizeof(name), "%.*s", (int)(end - s - 1), s + 1);
            int err = not_understood(b, "unset variable %s", name);
            return err < 0 ? err : 0;
        }
        (void)strbuf_add(out, v->value);
        s = end + 1;
    }
    return out->error < 0 ? out->error : 1;
}

/* A command while its words are read. */
struct segment {
    struct run_command command;
    size_t cap;
    struct strbuf word;
    bool in_word, quoted;
    const char *why; /* not understood */
};

static void segment_done(struct segment *g)
{
    for (int i = 0; i < g->command.argc; i++)
        free(g->command.argv[i]);
    free(g->command.argv);
    strbuf_done(&g->word);
}

static int end_word(struct segment *g)
{
    if (!g->in_word)
        return 0;
    g->in_word = false;
    int err = array_reserve(&g->command.argv, &g->cap, (size_t)g->command.argc + 1,
                            sizeof(*g->command.argv));
    if (err < 0)
        return err;
    char *word = strbuf_take(&g->word);
    if (!word)
        return -ENOMEM;
    g->command.argv[g->command.argc++] = word;
    return 0;
}

/* "> nul", "2>&1": length of the redirection at s (which begins at the '>'), 0 if it goes into a
 * file. */
static size_t harmless_redirection(const char *s)
{
    size_t n = s[1] == '>' ? 2 : 1;
    if (s[n] == '&' && isdigit((unsigned char)s[n + 1]))
        return n + 2;
    while (is_blank(s[n]))
        n++;
    bool nul = strncasecmp(s + n, "nul", 3) == 0 &&
               (s[n + 3] == '\0' || is_blank(s[n + 3]) || strchr("&|<>", s[n + 3]));
    return nul ? n + 3 : 0;
}

static int take_redirection(struct segment *g, const char *s, size_t *i)
{
    /* The number of the stream stands before it: 2> */
    bool number = g->in_word && g->word.len == 1 && isdigit((unsigned char)g->word.s[0]);
    size_t n = harmless_redirection(s + *i);
    if (n == 0)
        g->why = "output into a file";
    if (number) {
        strbuf_done(&g->word);
        g->in_word = false;
    }
    *i += n > 0 ? n : 1;
    return end_word(g);
}

static int take_char(struct segment *g, const char *s, size_t *i)
{
    char c = s[*i];
    if (c == '"') {
        /* \" is a quote of the word, as the run time of Windows programs reads it. */
        if (g->in_word && g->word.len > 0 && g->word.s[g->word.len - 1] == '\\') {
            g->word.s[g->word.len - 1] = '"';
        } else {
            g->quoted = !g->quoted;
            g->in_word = true;
        }
        (*i)++;
        return 0;
    }
    if (c == '^' && !g->quoted && s[*i + 1])
        c = s[++*i];
    else if (!g->quoted && is_blank(c)) {
        (*i)++;
        return end_word(g);
    } else if (!g->quoted && c == '>') {
        return take_redirection(g, s, i);
    } else if (!g->quoted && (c == '|' || c == '<')) {
        g->why = c == '|' ? "| or ||" : "input from a file";
    } else if (!g->quoted && (c == '(' || c == ')') && g->command.argc == 0 && !g->in_word) {
        g->why = "a group in parentheses";
    }
    (*i)++;
    g->in_word = true;
    return strbuf_add_char(&g->word, c);
}

static const char *const skipped[] = {"echo",  "setlocal", "endlocal", "cls",   "title", "color",
                                      "pause", "chcp",     "cd",       "pushd", "popd"};
static const char *const flow[] = {"if", "for", "goto", "call", "start", "else", "shift"};

static bool is_one_of(const char *word, const char *const *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(word, v[i]) == 0)
            return true;
    return false;
}

static int finish_segment(struct batch *b, struct segment *g)
{
    int err = end_word(g);
    if (err < 0 || g->command.argc == 0)
        return err;
    const char *name = g->command.argv[0];
    if (g->quoted)
        g->why = "unbalanced quotes";
    if (is_one_of(name, flow, ARRAY_SIZE(flow))) {
        b->block = true;
        return not_understood(b, "'%s'", name);
    }
    if (is_one_of(name, skipped, ARRAY_SIZE(skipped)) || strncasecmp(name, "echo.", 5) == 0)
        return 0;
    if (strcasecmp(name, "exit") == 0) {
        b->ended = true;
        return 0;
    }
    if (g->why)
        return not_understood(b, "%s", g->why);
    if (strcasecmp(name, "set") == 0)
        return not_understood(b, "%s", "set behind another command");
    g->command.tool = tool_find(name);
    if (g->command.tool && b->after_other)
        return not_understood(b, "%s", "&& behind another program, which is not run");
    if (!g->command.tool) {
        b->out->partly = b->other = true;
        return reading_remark(b->out, NOTE, "%s:%zu: not run: '%s' is another program", b->file,
                              b->line, name);
    }
    struct run_command c = g->command;
    c.argv++;
    c.argc--;
    c.file = b->file;
    c.line = b->line;
    return run_commands_add(&b->out->commands, &c);
}

/* One command; *i moves behind the & or && that ends it. */
static int read_segment(struct batch *b, const char *s, size_t *i)
{
    _cleanup_(segment_done) struct segment g = {.word = STRBUF_INIT(LINE_BYTES)};
    int err = 0;
    bool and_then = false;
    while (err == 0 && s[*i]) {
        if (!g.quoted && s[*i] == '&') {
            and_then = s[*i + 1] == '&';
            *i += and_then ? 2 : 1;
            break;
        }
        err = take_char(&g, s, i);
    }
    b->other = false;
    if (err == 0)
        err = finish_segment(b, &g);
    b->after_other = and_then && (b->other || b->after_other);
    return err;
}

static bool begins_with(const char *s, const char *word)
{
    size_t n = strlen(word);
    return strncasecmp(s, word, n) == 0 && (s[n] == '\0' || is_blank(s[n]));
}

static int read_line(struct batch *b, const char *s)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(LINE_BYTES);
    int err = expand(b, s, &text);
    if (err <= 0)
        return err == -E2BIG ? not_understood(b, "%s", "it is too long") : err;
    if (text.len == 0)
        return 0;
    s = text.s;
    if (begins_with(s, "set"))
        return set_variable(b, s + 3 + strspn(s + 3, " \t"));
    b->after_other = false;
    for (size_t i = 0; s[i] && !b->ended && !b->reported;) {
        err = read_segment(b, s, &i);
        if (err < 0)
            return err;
    }
    return 0;
}

/* Whether what the line begins can go on in the next ones. */
static bool begins_block(const char *s)
{
    for (size_t i = 0; i < ARRAY_SIZE(flow); i++)
        if (begins_with(s, flow[i]))
            return true;
    return *s == '(';
}

/* Parentheses that are open behind the line. */
static size_t count_open(size_t depth, const char *s)
{
    bool quoted = false;
    for (; *s; s++) {
        if (*s == '^' && !quoted && s[1])
            s++;
        else if (*s == '"')
            quoted = !quoted;
        else if (*s == '(' && !quoted)
            depth++;
        else if (*s == ')' && !quoted && depth > 0)
            depth--;
    }
    return depth;
}

static int skip_line(struct batch *b, const char *s)
{
    b->reported = true;
    if (s[strspn(s, ") \t")] == '\0')
        return 0; /* only the end of it */
    return not_understood(b, "%s", "it depends on what was not understood before");
}

/* A line of which a part is not understood does nothing: the rest can depend on that part. */
static int read_logical(struct batch *b, const char *s)
{
    while (is_blank(*s) || *s == '@')
        s++;
    if (*s == '\0' || *s == ':' || begins_with(s, "rem"))
        return 0;
    size_t n_commands = b->out->commands.n;
    b->reported = b->block = false;
    int err = b->depth > 0 ? skip_line(b, s) : read_line(b, s);
    if (err < 0 || !b->reported)
        return err;
    run_commands_cut(&b->out->commands, n_commands);
    forget_variables(b, s);
    if (b->depth > 0 || b->block || begins_block(s))
        b->depth = count_open(b->depth, s);
    return 0;
}

/* The next line with what continues it. */
static int take_logical(const char *text, size_t len, size_t *from, struct strbuf *out,
                        size_t *ret_lines)
{
    bool more = true;
    for (*ret_lines = 0; more && *from < len; (*ret_lines)++) {
        const char *end = memchr(text + *from, '\n', len - *from);
        size_t n = end ? (size_t)(end - text) - *from : len - *from, used = n;
        if (used > 0 && text[*from + used - 1] == '\r')
            used--;
        more = used > 0 && text[*from + used - 1] == '^';
        (void)strbuf_add_n(out, text + *from, more ? used - 1 : used); /* errors are sticky */
        *from += n + (end ? 1 : 0);
    }
    return out->error;
}

int batch_read(const char *file, const char *text, size_t len, struct reading *ret)
{
    _cleanup_(batch_done) struct batch b = {.file = file, .out = ret, .line = 1};
    int err = 0;
    for (size_t from = 0; err == 0 && from < len && !b.ended;) {
        _cleanup_(strbuf_done) struct strbuf line = STRBUF_INIT(LINE_BYTES);
        size_t lines;
        err = take_logical(text, len, &from, &line, &lines);
        if (err == -E2BIG)
            err = not_understood(&b, "%s", "it is too long");
        else if (err == 0)
            err = read_logical(&b, line.s ? line.s : "");
        b.line += lines;
    }
    return err;
}
