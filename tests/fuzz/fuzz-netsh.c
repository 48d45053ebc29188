/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-netsh.c: any bytes as a netsh script, into a catalog without an agent. What is refused has a
 * message with a place inside of the text that is shown; what is accepted is written as a script,
 * and if that has no losses, reading it makes an equal catalog. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/compat/convert_internal.h"
#include "../../src/compat/netsh.h"
#include "fuzz.h"
#include "text/text.h"

enum { TEXT_BYTES = 64 * 1024 * 1024 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static int compare_attributes(const void *a, const void *b)
{
    return strcmp(((const struct attribute *)a)->key, ((const struct attribute *)b)->key);
}

/* Their order is for display only. */
static void sort_attributes(struct attributes *a)
{
    if (a->n > 1)
        qsort(a->v, a->n, sizeof(*a->v), compare_attributes);
}

static void print_policy(struct policy *p, struct strbuf *out)
{
    sort_attributes(&p->attributes);
    for (size_t i = 0; i < p->n_rules; i++)
        sort_attributes(&p->rules[i].attributes);
    require(text_print_policy(p, out) == 0);
}

/* All that is static in a catalog, without identities. */
static char *print_catalog(struct catalog *c)
{
    struct strbuf out = STRBUF_INIT(TEXT_BYTES);
    const char *name;
    require(catalog_load_all(c, NULL) == 0 && catalog_settle(c, NULL) == 0);
    for (size_t i = 0; i < c->n_policies; i++)
        if (c->policies[i].now)
            print_policy(c->policies[i].now, &out);
    for (size_t i = 0; i < c->n_lists; i++)
        c->lists[i].guid = (struct guid){0};
    for (size_t i = 0; i < c->n_actions; i++)
        c->actions[i].guid = (struct guid){0};
    for (size_t i = 0; i < c->n_actions; i++)
        sort_attributes(&c->actions[i].attributes);
    require(catalog_library_print(c, &out) == 0);
    for (unsigned i = 0; i < _CATALOG_SLOT_MAX; i++) {
        require(catalog_assigned(c, (enum catalog_slot)i, NULL, &name) == 0);
        (void)strbuf_addf(&out, "%u %s\n", i, name);
    }
    char *s = strbuf_take(&out);
    require(s != NULL);
    return s;
}

static int read_script(struct tool_run *t, struct catalog *c, const char *text, size_t len,
                       bool strict)
{
    static const uint64_t seed[2] = {1, 2};
    struct convert_options o = {.file = "script", .strict = strict};
    struct diag d = {0};
    catalog_init(c, NULL, seed);
    tool_run_init(t, c, NULL);
    int err = convert_read_netsh(t, text, len, &o, &d);
    if (err == 0)
        return 0;
    require(d.message[0] != '\0');
    if (d.n_spans > 0)
        require(t->word && d.span[0].offset + d.span[0].len <= strlen(t->word) + 1);
    return err;
}

static void check_written(struct catalog *c)
{
    struct strbuf out = STRBUF_INIT(TEXT_BYTES);
    struct convert_losses losses = {0};
    struct tool_run t;
    struct catalog again;
    struct diag d = {0};
    int err = netsh_write_all(c, /* replace= */ true, &out, &losses, &d);
    require(err == 0 || err == -E2BIG);
    if (err == 0) {
        require(read_script(&t, &again, out.s, out.len, true) == 0);
        if (losses.n == 0) {
            char *want = print_catalog(c), *have = print_catalog(&again);
            require(strcmp(want, have) == 0);
            free(want);
            free(have);
        }
        tool_run_done(&t);
        catalog_done(&again);
    }
    convert_losses_done(&losses);
    strbuf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct catalog c;
    struct tool_run t;
    char *text = malloc(size > 0 ? size : 1); /* exact: ASan sees a read behind it */
    require(text != NULL);
    memcpy(text, data, size);
    int err = read_script(&t, &c, text, size, size > 0 && data[0] == '#');
    if (err == 0 && catalog_settle(&c, NULL) == 0)
        check_written(&c);
    tool_run_done(&t);
    catalog_done(&c);
    free(text);
    return 0;
}
