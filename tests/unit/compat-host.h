/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host for the small tools: filters, addresses and policies that a test writes down, instead of
 * an agent. */
#pragma once
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>
#include <jansson.h>

#include "compat/tool.h"
#include "text/text.h"

struct fake_filter {
    const char *id, *text, *policy, *rule, *layer;
};
struct fake_host {
    const struct fake_filter *filters; /* ends with id NULL */
    const char *addresses;             /* separated by blanks */
    const char *local, *persistent;    /* names, NULL = none */
    const char *policies;              /* text of what is stored, NULL = nothing */
    const char *library;               /* text of lists and actions, NULL = none */
    int err;                           /* of every question: -ENOTCONN, -EPERM; 0 */
    const struct tool_pin *pins;
    size_t n_pins;
    int pins_err;
    char written_name[64];
    char *written; /* owned */
    bool flushed;
};

static inline int fake_fail(int err, struct diag *d)
{
    if (err == -ENOTCONN)
        (void)diag_fail(d, DIAG_AGENT, "the agent is not running");
    else
        (void)diag_fail(d, DIAG_PERMISSION, "no permission");
    return err;
}

static inline int fake_filters(void *ctx, struct diag *d, struct tool_filter **ret, size_t *ret_n)
{
    struct fake_host *h = ctx;
    size_t n = 0;
    if (h->err < 0)
        return fake_fail(h->err, d);
    while (h->filters && h->filters[n].id)
        n++;
    struct tool_filter *v = calloc(n + 1, sizeof(*v));
    assert_non_null(v);
    for (size_t i = 0; i < n; i++) {
        const struct fake_filter *f = &h->filters[i];
        (void)snprintf(v[i].id, sizeof(v[i].id), "%s", f->id);
        (void)snprintf(v[i].layer, sizeof(v[i].layer), "%s", f->layer ? f->layer : "local");
        v[i].text = strdup(f->text);
        v[i].policy = f->policy ? strdup(f->policy) : NULL;
        v[i].rule = f->rule ? strdup(f->rule) : NULL;
        memcpy(v[i].guid.b, f->id, strlen(f->id) < 16 ? strlen(f->id) : 16);
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

static inline int fake_addresses(void *ctx, struct diag *d, struct addr **ret, size_t *ret_n)
{
    struct fake_host *h = ctx;
    struct addr *v = calloc(64, sizeof(*v));
    char *copy = strdup(h->addresses ? h->addresses : ""), *save = NULL;
    assert_non_null(v);
    assert_non_null(copy);
    (void)d;
    *ret_n = 0;
    for (char *p = strtok_r(copy, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
        enum family f;
        struct ip ip;
        assert_int_equal(ip_parse(p, strlen(p), &f, &ip), 0);
        v[(*ret_n)++] = addr_host(f, ip);
    }
    free(copy);
    *ret = v;
    return 0;
}

static inline int fake_ask(void *ctx, const char *target, struct diag *d, void **ret)
{
    struct fake_host *h = ctx;
    assert_string_equal(target, "/v1/status");
    if (h->err < 0)
        return fake_fail(h->err, d);
    *ret = json_object();
    return 0;
}

static inline int fake_pins(void *ctx, struct diag *d, struct tool_pin **ret, size_t *ret_n)
{
    struct fake_host *h = ctx;
    if (h->pins_err < 0)
        return diag_errno(d, h->pins_err, "cannot see what the kernel filters");
    *ret = calloc(h->n_pins + 1, sizeof(**ret));
    assert_non_null(*ret);
    for (size_t i = 0; i < h->n_pins; i++)
        (*ret)[i] = h->pins[i];
    *ret_n = h->n_pins;
    return 0;
}

static inline int fake_write(void *ctx, const char *name, const char *text, size_t len,
                             struct diag *d)
{
    struct fake_host *h = ctx;
    (void)d;
    (void)snprintf(h->written_name, sizeof(h->written_name), "%s", name);
    free(h->written);
    h->written = strndup(text, len);
    return 0;
}

/* --- the store --- */
static inline int fake_assigned(void *ctx, enum catalog_slot slot, struct diag *d, char ret[256])
{
    struct fake_host *h = ctx;
    const char *name = slot == CATALOG_LOCAL ? h->local : h->persistent;
    if (h->err < 0)
        return fake_fail(h->err, d);
    (void)snprintf(ret, 256, "%s", name ? name : "");
    return 0;
}

static inline int fake_policy(void *ctx, const char *name, struct diag *d, struct policy **ret)
{
    struct fake_host *h = ctx;
    struct diag_list errors = {0};
    struct policy_list l = {0};
    int r = -ENOENT;
    if (h->err < 0)
        return fake_fail(h->err, d);
    if (h->policies && text_parse_policies(h->policies, strlen(h->policies), &errors, &l) < 0)
        fail_msg("policies: %s", errors.d[0].message);
    for (size_t i = 0; i < l.n; i++) {
        if (r == 0 || strcasecmp(l.v[i]->name, name) != 0)
            continue;
        *ret = l.v[i];
        l.v[i] = NULL;
        (*ret)->guid.b[15] = (uint8_t)(i + 1);
        (*ret)->revision = 1;
        r = 0;
    }
    policy_list_done(&l);
    return r < 0 ? diag_fail(d, DIAG_UNKNOWN_OBJECT, "no policy '%s'", name) : 0;
}

static inline int fake_names(void *ctx, struct diag *d, char ***ret, size_t *ret_n)
{
    (void)ctx;
    (void)d;
    *ret = calloc(1, sizeof(**ret));
    *ret_n = 0;
    return *ret ? 0 : -ENOMEM;
}

static inline int fake_library(void *ctx, struct diag *d, char **ret)
{
    struct fake_host *h = ctx;
    (void)d;
    *ret = strdup(h->library ? h->library : "");
    return *ret ? 0 : -ENOMEM;
}

static inline int fake_dynamic(void *ctx, struct diag *d, struct catalog_dynamic **ret,
                               size_t *ret_n)
{
    struct fake_host *h = ctx;
    if (h->err < 0)
        return fake_fail(h->err, d);
    *ret = calloc(1, sizeof(**ret));
    *ret_n = 0;
    return *ret ? 0 : -ENOMEM;
}

/* --- one run --- */
struct fake_run {
    struct tool_run t;
    struct catalog catalog;
    struct catalog_source source;
    struct tool_host host;
    struct diag d;
    int r;
};

static inline void fake_start(struct fake_run *x, struct fake_host *h)
{
    static const uint64_t seed[2] = {1, 2};
    memset(x, 0, sizeof(*x));
    x->source = (struct catalog_source){.ctx = h,
                                        .policy = fake_policy,
                                        .names = fake_names,
                                        .library = fake_library,
                                        .assigned = fake_assigned,
                                        .dynamic = fake_dynamic};
    x->host = (struct tool_host){.ctx = h,
                                 .filters = fake_filters,
                                 .addresses = fake_addresses,
                                 .pins = fake_pins,
                                 .ask = fake_ask,
                                 .write_file = fake_write};
    catalog_init(&x->catalog, &x->source, seed);
    tool_run_init(&x->t, &x->catalog, &x->host);
}

static inline void fake_done(struct fake_run *x)
{
    tool_run_done(&x->t);
    catalog_done(&x->catalog);
}

typedef int tool_fn(struct tool_run *t, int argc, char *const *argv, struct diag *d);

/* Runs the tool with words that are separated by '|'. line is kept by the caller for t->word. */
static inline void fake_call(struct fake_run *x, tool_fn *tool, char *line)
{
    char *argv[32], *save = NULL;
    int argc = 0;
    for (char *p = strtok_r(line, "|", &save); p; p = strtok_r(NULL, "|", &save)) {
        assert_true(argc < 32);
        argv[argc++] = p;
    }
    x->r = tool(&x->t, argc, argv, &x->d);
}

/* Runs of blanks and line breaks become one blank, braced upper-case GUIDs become {GUID}. */
static inline void squeeze(const char *s, char *out, size_t size)
{
    size_t n = 0;
    for (; *s && n + 8 < size; s++) {
        if (*s == '{' && strspn(s + 1, "0123456789ABCDEF-") == 36 && s[37] == '}') {
            memcpy(out + n, "{GUID}", 6);
            n += 6;
            s += 37;
        } else if (*s != ' ' && *s != '\n') {
            out[n++] = *s;
        } else if (n > 0 && out[n - 1] != ' ') {
            out[n++] = ' ';
        }
    }
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
}
