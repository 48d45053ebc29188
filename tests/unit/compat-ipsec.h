/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running lines of ipsecpol and ipseccmd against a catalog without an agent. */
#pragma once
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "compat/tool.h"
#include "text/text.h"

enum { TEXT_BYTES = 1 << 20, ARGS = 64 };
static const uint64_t seed[2] = {1, 2};

/* --- running a line --- */
/* Words by blanks; quotes hold words together and are gone afterwards. */
static inline int split(char *line, char *argv[ARGS])
{
    int n = 0;
    char *out = line;
    while (*line == ' ')
        line++;
    while (*line) {
        bool quoted = false;
        assert_true(n < ARGS - 1);
        argv[n++] = out;
        for (; *line && (quoted || *line != ' '); line++) {
            if (*line == '"')
                quoted = !quoted;
            else
                *out++ = *line;
        }
        while (*line == ' ')
            line++;
        *out++ = '\0';
    }
    argv[n] = NULL;
    return n;
}

struct run {
    struct tool_run t;
    struct diag d;
    char words[1024]; /* what t.word points into */
    int r;
};

static inline void run_line(struct run *x, struct catalog *c, const struct tool_host *host,
                            const char *tool, const char *args, bool strict)
{
    char *argv[ARGS];
    memset(x, 0, sizeof(*x));
    tool_run_init(&x->t, c, host);
    x->t.tool = tool_find(tool);
    assert_non_null(x->t.tool);
    x->t.persona = x->t.tool->persona;
    x->t.strict = strict;
    assert_true(strlen(args) < sizeof(x->words));
    (void)snprintf(x->words, sizeof(x->words), "%s", args);
    int argc = split(x->words, argv);
    x->r = x->t.tool->run(&x->t, argc, argv, &x->d);
}

static inline unsigned count_remarks(const struct tool_run *t, enum tool_note_kind kind)
{
    unsigned n = 0;
    for (size_t i = 0; i < t->n_remarks; i++)
        n += t->remarks[i].kind == kind;
    return n;
}

static inline bool has_remark(const struct tool_run *t, enum tool_note_kind kind, const char *part)
{
    for (size_t i = 0; i < t->n_remarks; i++)
        if (t->remarks[i].kind == kind && strstr(t->remarks[i].text, part))
            return true;
    return false;
}

/* All policies as text in which every run of blanks and line breaks is one blank. */
static inline char *policies_text(struct catalog *c)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(TEXT_BYTES);
    struct diag d = {0};
    assert_int_equal(catalog_load_all(c, &d), 0);
    for (size_t i = 0; i < c->n_policies && c->policies[i].now; i++)
        assert_int_equal(text_print_policy(c->policies[i].now, &text), 0);
    char *out = strbuf_take(&text);
    assert_non_null(out);
    size_t n = 0;
    for (const char *s = out; *s; s++) {
        char ch = *s == '\n' ? ' ' : *s;
        if (ch != ' ' || (n > 0 && out[n - 1] != ' '))
            out[n++] = ch;
    }
    out[n > 0 && out[n - 1] == ' ' ? n - 1 : n] = '\0';
    return out;
}

/* "FILTER;" for each dynamic filter that stands. */
static inline char *dynamic_text(const struct catalog *c)
{
    struct strbuf text = STRBUF_INIT(TEXT_BYTES);
    for (size_t i = 0; i < c->n_dynamic; i++) {
        if (c->dynamic[i].gone)
            continue;
        assert_int_equal(text_print_filter(&c->dynamic[i].filter, &text), 0);
        assert_int_equal(strbuf_add_char(&text, ';'), 0);
    }
    char *out = strbuf_take(&text);
    assert_non_null(out);
    return out;
}

static inline size_t n_rules(const struct catalog *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_policies; i++)
        n += c->policies[i].now ? c->policies[i].now->n_rules : 0;
    return n;
}

static const char start[] _unused_ = "-w REG -p P -r \"Rule A\" -f *=0:1434:UDP -n BLOCK -x\n"
                                     "-w REG -p P -r \"Rule B\" -f *=0:23:TCP -n BLOCK\n";

static inline void run_lines(struct catalog *c, const char *lines)
{
    while (*lines) {
        struct run x;
        char line[1024];
        size_t n = strcspn(lines, "\n");
        (void)format_into(line, sizeof(line), "%.*s", (int)n, lines);
        run_line(&x, c, NULL, "ipseccmd", line, false);
        if (x.r < 0)
            fail_msg("%s: %s", line, x.d.message);
        tool_run_done(&x.t);
        lines += n + (lines[n] == '\n');
    }
}
