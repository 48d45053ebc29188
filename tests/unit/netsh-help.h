/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A catalog and a host for the tests of netsh: sessions, files and addresses in memory.
 * Used by test-compat-netsh*.c. A line is run as the shell's arguments or as a script. */
#pragma once
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "compat/tool.h"
#include "text/text.h"

struct world {
    struct catalog catalog;
    struct tool_host host;
    struct tool_run run; /* of the last line */
    struct diag diag;
    char *session[2]; /* netsh.store, netsh.batch */
    char *file, *written;
    char written_name[64];
    struct addr own[2];
    size_t n_own;
    bool has_run;
    bool offline; /* no host: nothing outside of the catalog is known */
};

static inline char **session_slot(struct world *w, const char *key)
{
    return &w->session[strcmp(key, "netsh.batch") == 0];
}

static inline int fake_session_get(void *ctx, const char *key, struct diag *d _unused_, char **ret)
{
    char *s = *session_slot(ctx, key);
    *ret = s ? strdup(s) : NULL;
    return 0;
}

static inline int fake_session_set(void *ctx, const char *key, const char *value,
                                   struct diag *d _unused_)
{
    char **slot = session_slot(ctx, key);
    char *copy = value ? strdup(value) : NULL;
    free(*slot);
    *slot = copy;
    return 0;
}

static inline int fake_read(void *ctx, const char *name, size_t max, struct diag *d, char **ret,
                            size_t *ret_len)
{
    struct world *w = ctx;
    if (!w->file || strcmp(name, "missing") == 0)
        return diag_fail(d, DIAG_UNKNOWN_OBJECT, "no file '%s'", name);
    assert_true(strlen(w->file) <= max);
    *ret = strdup(w->file);
    *ret_len = strlen(w->file);
    return 0;
}

static inline int fake_write(void *ctx, const char *name, const char *text, size_t len,
                             struct diag *d _unused_)
{
    struct world *w = ctx;
    free(w->written);
    w->written = strndup(text, len);
    (void)format_into(w->written_name, sizeof(w->written_name), "%s", name);
    return 0;
}

static inline int fake_addresses(void *ctx, struct diag *d _unused_, struct addr **ret,
                                 size_t *ret_n)
{
    struct world *w = ctx;
    *ret = calloc(2, sizeof(**ret));
    assert_non_null(*ret);
    memcpy(*ret, w->own, w->n_own * sizeof(*w->own));
    *ret_n = w->n_own;
    return 0;
}

static inline bool fake_is_local(void *ctx _unused_, const char *name)
{
    return strcmp(name, "web01") == 0;
}

static inline void world_init(struct world *w)
{
    static const uint64_t seed[2] = {1, 2};
    *w = (struct world){0};
    catalog_init(&w->catalog, NULL, seed);
    w->host = (struct tool_host){
        .ctx = w,
        .addresses = fake_addresses,
        .session_get = fake_session_get,
        .session_set = fake_session_set,
        .read_file = fake_read,
        .write_file = fake_write,
        .is_local = fake_is_local,
    };
    w->own[0] = addr_host(FAMILY_4, (struct ip){0, 0xc0a80101}); /* 192.168.1.1 */
    w->n_own = 1;
}

static inline void world_done(struct world *w)
{
    if (w->has_run)
        tool_run_done(&w->run);
    catalog_done(&w->catalog);
    free(w->session[0]);
    free(w->session[1]);
    free(w->file);
    free(w->written);
}

/* argv; the run stays in w->run. */
static inline int run_argv(struct world *w, int argc, char *const *argv)
{
    if (w->has_run)
        tool_run_done(&w->run);
    tool_run_init(&w->run, &w->catalog, w->offline ? NULL : &w->host);
    w->has_run = true;
    w->diag = (struct diag){0};
    int err = tool_netsh(&w->run, argc, argv, &w->diag);
    if (err == 0 && w->run.session_clear) /* as the front does once the change is made */
        assert_int_equal(fake_session_set(w, w->run.session_clear, NULL, NULL), 0);
    return err;
}

/* A line as a shell splits it: blanks, and double quotes that go away. */
static inline int run_line(struct world *w, const char *line)
{
    enum { WORDS = 64 };
    char *words[WORDS], *copy = strdup(line), *out = copy;
    int n = 0;
    assert_non_null(copy);
    for (const char *s = line; *s != '\0';) {
        while (*s == ' ')
            s++;
        if (*s == '\0')
            break;
        words[n++] = out;
        for (bool quotes = false; *s != '\0' && (quotes || *s != ' '); s++) {
            if (*s == '"')
                quotes = !quotes;
            else
                *out++ = *s;
        }
        if (*s != '\0')
            s++;
        *out++ = '\0';
        assert_true(n < WORDS);
    }
    /* the copy is as long as all words with one NUL each, but for the last */
    int err = run_argv(w, n, words);
    free(copy);
    return err;
}

static inline void set_file(struct world *w, const char *text)
{
    char *copy = strdup(text);
    free(w->file);
    w->file = copy;
}

static inline int run_script(struct world *w, const char *text)
{
    char *argv[] = {(char[]){"-f"}, (char[]){"script"}};
    set_file(w, text);
    return run_argv(w, 2, argv);
}

static inline void must(struct world *w, const char *line)
{
    int err = run_line(w, line);
    if (err < 0)
        fail_msg("%s: %s (%s)", line, w->diag.message, w->diag.hint);
}

static inline bool has_remark(const struct world *w, const char *part)
{
    for (size_t i = 0; i < w->run.n_remarks; i++)
        if (strstr(w->run.remarks[i].text, part))
            return true;
    return false;
}

/* Everything that is in the catalog, as text. */
static inline char *catalog_text(struct world *w)
{
    struct strbuf out = STRBUF_INIT(16 * 1024 * 1024);
    const char *assigned;
    struct diag d = {0};
    assert_int_equal(catalog_load_all(&w->catalog, &d), 0);
    if (catalog_settle(&w->catalog, &d) < 0)
        fail_msg("%s", d.message);
    for (size_t i = 0; i < w->catalog.n_policies; i++)
        if (w->catalog.policies[i].now)
            assert_int_equal(text_print_policy(w->catalog.policies[i].now, &out), 0);
    for (unsigned i = 0; i < _CATALOG_SLOT_MAX; i++) {
        assert_int_equal(catalog_assigned(&w->catalog, i, NULL, &assigned), 0);
        if (assigned[0] != '\0')
            (void)strbuf_addf(&out, "assigned %u %s\n", i, assigned);
    }
    for (size_t i = 0; i < w->catalog.n_dynamic; i++)
        if (!w->catalog.dynamic[i].gone) {
            assert_int_equal(text_print_filter(&w->catalog.dynamic[i].filter, &out), 0);
            (void)strbuf_add_char(&out, '\n');
        }
    for (size_t i = 0; i < w->catalog.n_settings; i++)
        (void)strbuf_addf(&out, "%s=%s\n", w->catalog.settings[i].key,
                          w->catalog.settings[i].value ? w->catalog.settings[i].value : "(none)");
    return strbuf_take(&out);
}
