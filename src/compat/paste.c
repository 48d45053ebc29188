/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/paste.c: whole lines copied from articles, with blanks lost or added (windows.md 1.4).
 * Called by `portward compat --paste`. Invariants: what stands in quotes, a name, is never altered;
 * nothing is run here; every repair is named. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "front.h"
#include "ipsec_internal.h"
#include "reading.h"

enum { LINE_BYTES = 64 * 1024 };

struct paste {
    struct reading *out;
    const char *s;
    size_t n, i;
    struct run_command command;
    size_t cap;
    struct strbuf glued; /* switches that stood next to something */
    struct strbuf specs; /* raw text behind -f */
    bool quotes;         /* typographic ones were read */
    const char *why;     /* not understood: the reason */
};

/* Length of a typographic dash (U+2010 to U+2015, U+2212) or quote (U+201C to U+201F) at s. */
static size_t dash_at(const char *s)
{
    if (strncmp(s, "\xe2\x80", 2) == 0 && (unsigned char)s[2] >= 0x90 &&
        (unsigned char)s[2] <= 0x95)
        return 3;
    return strncmp(s, "\xe2\x88\x92", 3) == 0 ? 3 : *s == '-' ? 1 : 0;
}

static size_t quote_at(const char *s)
{
    if (strncmp(s, "\xe2\x80", 2) == 0 && (unsigned char)s[2] >= 0x9c &&
        (unsigned char)s[2] <= 0x9f)
        return 3;
    return *s == '"' ? 1 : 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Whether the switch that is read as far as s ends there. */
static bool ends_word(const char *s)
{
    return *s == '\0' || is_blank(*s) || quote_at(s) > 0;
}

/* Length of the switch at position i, 0 if there is none; its name in ret ("-x"). */
static size_t switch_at(const struct paste *p, size_t i, char ret[16])
{
    const char *s = p->s + i;
    size_t dash = dash_at(s), best = 0;
    bool lost = *s == '?' && s[1] && strchr("xyo", s[1]) && ends_word(s + 2) &&
                (i == 0 || is_blank(p->s[i - 1]));
    if (dash == 0 && !lost)
        return 0;
    s += lost ? 1 : dash;
    for (int k = 0; k < _SW_MAX; k++) {
        const char *name = ipsec_switches[k].name + 1;
        size_t len = strlen(name);
        if (len > best && strncasecmp(s, name, len) == 0 && ends_word(s + len)) {
            best = len;
            (void)format_into(ret, 16, "-%s", name);
        }
    }
    return best > 0 ? best + (lost ? 1 : dash) : 0;
}

static int add_word(struct paste *p, const char *s, size_t n)
{
    size_t need = (size_t)p->command.argc + 1;
    int err = array_reserve(&p->command.argv, &p->cap, need, sizeof(*p->command.argv));
    if (err < 0)
        return err;
    p->command.argv[p->command.argc] = strndup(s, n);
    if (!p->command.argv[p->command.argc])
        return -ENOMEM;
    p->command.argc++;
    return 0;
}

static void paste_done(struct paste *p)
{
    for (int i = 0; i < p->command.argc; i++)
        free(p->command.argv[i]);
    free(p->command.argv);
    strbuf_done(&p->glued);
    strbuf_done(&p->specs);
}

static int take_quoted(struct paste *p)
{
    size_t open = quote_at(p->s + p->i), from = p->i + open, end = from;
    while (end < p->n && quote_at(p->s + end) == 0)
        end++;
    if (end >= p->n) {
        p->why = "unbalanced quotes";
        return 0;
    }
    size_t close = quote_at(p->s + end);
    p->quotes |= open > 1 || close > 1;
    p->i = end + close;
    return add_word(p, p->s + from, end - from);
}

static bool is_operator(char c)
{
    return c == '=' || c == '+' || c == ':';
}

/* Whether a further piece is part of the filter read so far. */
static bool goes_on(const struct strbuf *spec, const char *next)
{
    if (spec->len == 0 || is_operator(*next) || is_operator(spec->s[spec->len - 1]) ||
        *next == ']' || *next == ')')
        return true;
    return !strpbrk(spec->s, "=+") && strcasecmp(spec->s, "DEFAULT") != 0;
}

/* `*0=:1434:UDP` for `0=*:1434:UDP`: only this shape (windows.md 1.4). */
static int add_spec(struct paste *p, const char *spec)
{
    static const char misprint[] = "*0=:";
    const char *at = spec + (*spec == '[' || *spec == '(');
    char text[256];
    if (strncmp(at, misprint, strlen(misprint)) != 0 || strlen(spec) > sizeof(text) - 8)
        return add_word(p, spec, strlen(spec));
    (void)format_into(text, sizeof(text), "%.*s0=*:%s", (int)(at - spec), spec,
                      at + strlen(misprint));
    int err = reading_remark(p->out, NOTE_REPAIR, "read '%s' as '%s'", spec, text);
    return err < 0 ? err : add_word(p, text, strlen(text));
}

static int flush_spec(struct paste *p, struct strbuf *raw, struct strbuf *spec)
{
    int err = 0;
    if (spec->len == 0)
        return 0;
    if (strcmp(raw->s, spec->s) != 0)
        err = reading_remark(p->out, NOTE_REPAIR, "read '%s' as '%s'", raw->s, spec->s);
    if (err == 0)
        err = add_spec(p, spec->s);
    strbuf_done(raw);
    strbuf_done(spec);
    return err;
}

/* The raw text behind one -f: filters, with blanks anywhere. */
static int take_specs(struct paste *p)
{
    _cleanup_(strbuf_done) struct strbuf spec = STRBUF_INIT(LINE_BYTES);
    _cleanup_(strbuf_done) struct strbuf raw = STRBUF_INIT(LINE_BYTES);
    _cleanup_free_ char *text = strbuf_take(&p->specs);
    char *rest = text;
    int err = 0;
    if (!text)
        return -ENOMEM;
    for (char *piece; err == 0 && (piece = strsep(&rest, " \t\r"));) {
        if (*piece == '\0')
            continue;
        if (!goes_on(&spec, piece))
            err = flush_spec(p, &raw, &spec);
        (void)strbuf_addf(&raw, "%s%s", raw.len > 0 ? " " : "", piece); /* sticky */
        if (err == 0)
            err = strbuf_add(&spec, piece);
    }
    return err < 0 ? err : flush_spec(p, &raw, &spec);
}

/* Whether the next word is the name of a policy or rule. */
static bool name_follows(const struct paste *p)
{
    const char *last = p->command.argc > 0 ? p->command.argv[p->command.argc - 1] : "";
    return strcmp(last, ipsec_switches[SW_POLICY].name) == 0 ||
           strcmp(last, ipsec_switches[SW_RULE].name) == 0;
}

/* A word without quotes, up to a blank, a quote or, in anything but a name, a switch that lost its
 * blank. */
static int take_plain(struct paste *p, bool spec)
{
    size_t from = p->i;
    char name[16];
    bool whole = !spec && name_follows(p);
    while (p->i < p->n && !is_blank(p->s[p->i]) && quote_at(p->s + p->i) == 0 &&
           (whole || p->i == from || switch_at(p, p->i, name) == 0))
        p->i++;
    if (!spec)
        return add_word(p, p->s + from, p->i - from);
    (void)strbuf_add_char(&p->specs, ' '); /* errors are sticky */
    return strbuf_add_n(&p->specs, p->s + from, p->i - from);
}

static int take_switch(struct paste *p, const char *name, size_t len)
{
    bool glued = (p->i > 0 && !is_blank(p->s[p->i - 1])) ||
                 (p->i + len < p->n && !is_blank(p->s[p->i + len]));
    if (glued)
        (void)strbuf_addf(&p->glued, "%s%s", p->glued.len > 0 ? ", " : "", name);
    int err = 0;
    if (dash_at(p->s + p->i) != 1)
        err =
            reading_remark(p->out, NOTE_REPAIR, "read '%.*s' as '%s'", (int)len, p->s + p->i, name);
    p->i += len;
    return err < 0 ? err : add_word(p, name, strlen(name));
}

static int read_ipsec(struct paste *p)
{
    bool in_specs = false;
    int err = 0;
    while (err == 0 && !p->why) {
        char name[16] = "";
        while (p->i < p->n && is_blank(p->s[p->i]))
            p->i++;
        size_t len = p->i < p->n ? switch_at(p, p->i, name) : 0;
        if (in_specs && (len > 0 || p->i >= p->n || quote_at(p->s + p->i) > 0)) {
            err = take_specs(p);
            in_specs = false;
        }
        if (err < 0 || p->i >= p->n)
            break;
        if (len > 0) {
            err = take_switch(p, name, len);
            in_specs = strcmp(name, "-f") == 0 || strcmp(name, "-1f") == 0;
        } else if (quote_at(p->s + p->i) > 0) {
            err = take_quoted(p);
        } else {
            err = take_plain(p, in_specs);
        }
    }
    return err;
}

/* /switch words: `/test: ipsec` is one, `ipsec/debug` two. */
static int read_slashes(struct paste *p)
{
    size_t from = p->i;
    bool repaired = p->i < p->n && p->s[p->i] == '/';
    int err = 0;
    while (err == 0 && p->i < p->n) {
        _cleanup_(strbuf_done) struct strbuf word = STRBUF_INIT(LINE_BYTES);
        while (p->i < p->n && is_blank(p->s[p->i]))
            p->i++;
        while (p->i < p->n && !is_blank(p->s[p->i])) {
            if (word.len > 0 && p->s[p->i] == '/') {
                repaired = true;
                break;
            }
            (void)strbuf_add_char(&word, p->s[p->i++]); /* sticky */
            if (word.s && word.s[0] == '/' && word.s[word.len - 1] == ':')
                while (p->i < p->n && is_blank(p->s[p->i])) {
                    repaired = true;
                    p->i++;
                }
        }
        err = word.error;
        if (err == 0 && word.len > 0)
            err = add_word(p, word.s, word.len);
    }
    if (err < 0 || !repaired)
        return err;
    return reading_remark(p->out, NOTE_REPAIR, "put the blanks of '%s%s' right",
                          p->command.tool->name, p->s + from);
}

static int read_words(struct paste *p)
{
    int err = 0;
    while (err == 0 && !p->why) {
        while (p->i < p->n && is_blank(p->s[p->i]))
            p->i++;
        if (p->i >= p->n)
            break;
        _cleanup_(strbuf_done) struct strbuf word = STRBUF_INIT(LINE_BYTES);
        bool quoted = false;
        for (; p->i < p->n && (quoted || !is_blank(p->s[p->i])); p->i++) {
            if (p->s[p->i] == '"')
                quoted = !quoted;
            else
                (void)strbuf_add_char(&word, p->s[p->i]); /* sticky */
        }
        if (quoted)
            p->why = "unbalanced quotes";
        err = word.error < 0 ? word.error : add_word(p, word.s ? word.s : "", word.len);
    }
    return err;
}

/* The tool that a line begins with, whatever its name is glued to; *ret_len bytes of the line. */
static const struct tool_entry *tool_at(const char *s, size_t *ret_len)
{
    const struct tool_entry *found = NULL;
    *ret_len = 0;
    for (size_t i = 0; i < tool_n_entries; i++) {
        size_t len = strlen(tool_entries[i].name);
        if (strncasecmp(s, tool_entries[i].name, len) != 0)
            continue;
        if (strncasecmp(s + len, ".exe", 4) == 0)
            len += 4;
        if (!isalnum((unsigned char)s[len]) && s[len] != '.' && s[len] != '_' && len > *ret_len) {
            *ret_len = len;
            found = &tool_entries[i];
        }
    }
    return found;
}

static int read_line(struct paste *p)
{
    size_t len = 0;
    while (p->i < p->n && is_blank(p->s[p->i]))
        p->i++;
    if (p->i >= p->n)
        return 0;
    p->command.tool = tool_at(p->s + p->i, &len);
    if (!p->command.tool) {
        p->why = "it does not begin with a tool that is known here";
        return 0;
    }
    p->i += len;
    if (p->command.tool->run == tool_ipsec)
        return read_ipsec(p);
    if (p->i < p->n && p->s[p->i] == '/')
        return read_slashes(p);
    if (strchr(p->s, '"') || p->command.tool->run == tool_netsh)
        return read_words(p);
    return read_slashes(p);
}

static int finish_line(struct paste *p, size_t number)
{
    int err = 0;
    if (p->why) {
        p->out->partly = true;
        return reading_remark(p->out, NOTE_WARNING, "line %zu is not understood: %s", number,
                              p->why);
    }
    if (!p->command.tool)
        return 0;
    if (p->glued.len > 0)
        err = reading_remark(p->out, NOTE_REPAIR, "put blanks around the glued %s", p->glued.s);
    if (err == 0 && p->quotes)
        err = reading_remark(p->out, NOTE_REPAIR, "read typographic quotes as \"");
    if (err == 0)
        err = run_commands_add(&p->out->commands, &p->command);
    return err;
}

int paste_read(const char *text, size_t len, struct reading *ret)
{
    size_t number = 0;
    int err = 0;
    for (size_t from = 0; err == 0 && from < len;) {
        const char *end = memchr(text + from, '\n', len - from);
        size_t n = end ? (size_t)(end - text) - from : len - from;
        _cleanup_free_ char *line = strndup(text + from, n);
        _cleanup_(paste_done) struct paste p = {
            .out = ret,
            .s = line,
            .glued = STRBUF_INIT(LINE_BYTES),
            .specs = STRBUF_INIT(LINE_BYTES),
        };
        if (!line)
            return -ENOMEM;
        p.n = strlen(line);
        number++;
        p.command.line = number;
        if (p.n > LINE_BYTES / 2)
            p.why = "it is too long";
        else
            err = read_line(&p);
        if (err == 0)
            err = finish_line(&p, number);
        from += n + 1;
    }
    return err;
}

int paste_print(const struct run_command *c, struct strbuf *out)
{
    (void)strbuf_addf(out, "portward compat %s", c->tool->name); /* errors are sticky */
    for (int i = 0; i < c->argc; i++) {
        (void)strbuf_add_char(out, ' ');
        (void)shell_word(c->argv[i], out);
    }
    return strbuf_add_char(out, '\n');
}
