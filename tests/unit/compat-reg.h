/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A catalog without an agent for the tests of the registry: one command of reg, or one file, and
 * what it left there. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "../../src/compat/convert_internal.h"
#include "compat/convert.h"

static const uint64_t seed[2] = {1, 2};

struct world {
    struct catalog catalog;
    struct tool_run run; /* of the last command */
    struct diag diag;
    int err;
};

static inline void world_init(struct world *w)
{
    *w = (struct world){.err = 0};
    catalog_init(&w->catalog, NULL, seed);
    tool_run_init(&w->run, &w->catalog, NULL);
}

static inline void world_done(struct world *w)
{
    tool_run_done(&w->run);
    catalog_done(&w->catalog);
}

static inline void fresh_run(struct world *w)
{
    tool_run_done(&w->run);
    tool_run_init(&w->run, &w->catalog, NULL);
    w->diag = (struct diag){0};
}

/* Exit code as the front makes it. */
static inline int code(const struct world *w)
{
    if (w->err < 0)
        return diag_exit_code(w->diag.code);
    return w->run.partly ? 6 : 0;
}

enum { WORDS = 16 };
static inline int reg(struct world *w, const char *const *words)
{
    char *argv[WORDS + 1] = {NULL};
    int argc = 0;
    fresh_run(w);
    for (; words[argc]; argc++)
        argv[argc] = strdup(words[argc]);
    w->err = tool_reg(&w->run, argc, argv, &w->diag);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return code(w);
}
#define REG(w, ...) reg(w, (const char *const[]){__VA_ARGS__, NULL})

static inline int import_with(struct world *w, const char *text, const struct convert_options *o)
{
    fresh_run(w);
    w->err = convert_read_reg(&w->run, text, strlen(text), o, &w->diag);
    return code(w);
}

static inline int import(struct world *w, const char *text)
{
    return import_with(w, text, &(struct convert_options){.file = "x.reg"});
}

static inline void expect_setting(struct world *w, const char *key, const char *value)
{
    char *got = NULL;
    assert_int_equal(catalog_setting_get(&w->catalog, key, &w->diag, &got), 0);
    if (!value)
        assert_null(got);
    else
        assert_string_equal(got ? got : "(none)", value);
    free(got);
}

static inline bool remarked(const struct world *w, const char *part)
{
    for (size_t i = 0; i < w->run.n_remarks; i++)
        if (strstr(w->run.remarks[i].text, part))
            return true;
    return false;
}

static inline size_t warnings(const struct world *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->run.n_remarks; i++)
        n += w->run.remarks[i].kind == NOTE_WARNING;
    return n;
}
