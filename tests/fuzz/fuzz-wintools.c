/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-wintools: any words for netdiag, net, secedit and gpupdate, one a line after the byte that
 * chooses the tool. What is refused has a message, and a place inside the word that it points
 * into; nothing is left to do unless it was accepted. */
#include <stdlib.h>
#include <string.h>

#include "compat/tool.h"
#include "fuzz.h"

enum { WORDS = 16 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static int no_filters(void *ctx, struct diag *d, struct tool_filter **ret, size_t *ret_n)
{
    (void)ctx;
    (void)d;
    *ret = calloc(1, sizeof(**ret));
    *ret_n = 0;
    return *ret ? 0 : -1;
}

static int no_addresses(void *ctx, struct diag *d, struct addr **ret, size_t *ret_n)
{
    (void)ctx;
    (void)d;
    *ret = calloc(1, sizeof(**ret));
    *ret_n = 0;
    return *ret ? 0 : -1;
}

static int no_answer(void *ctx, const char *target, struct diag *d, void **ret)
{
    (void)ctx;
    (void)target;
    (void)d;
    *ret = NULL;
    return 0;
}

static int no_file(void *ctx, const char *name, const char *text, size_t len, struct diag *d)
{
    (void)ctx;
    (void)name;
    (void)text;
    (void)len;
    (void)d;
    return 0;
}

static void check_place(const struct tool_run *t, const struct diag *d)
{
    require(d->message[0] != '\0' && d->code != DIAG_NONE);
    if (d->n_spans == 0)
        return;
    require(t->word != NULL);
    size_t n = strlen(t->word);
    require(d->span[0].offset <= n && d->span[0].offset + d->span[0].len <= n + 1);
}

static void run(unsigned char which, char *text)
{
    static int (*const tools[])(struct tool_run *, int, char *const *, struct diag *) = {
        tool_netdiag, tool_net, tool_secedit, tool_gpupdate};
    static const uint64_t seed[2] = {1, 2};
    const struct tool_host host = {
        .filters = no_filters, .addresses = no_addresses, .ask = no_answer, .write_file = no_file};
    struct catalog c;
    struct tool_run t;
    struct diag d = {0};
    char *argv[WORDS], *save = NULL;
    int argc = 0;
    for (char *p = strtok_r(text, "\n", &save); p && argc < WORDS; p = strtok_r(NULL, "\n", &save))
        argv[argc++] = p;
    catalog_init(&c, NULL, seed);
    tool_run_init(&t, &c, &host);
    t.strict = which & 64;
    int r = tools[which % ARRAY_SIZE(tools)](&t, argc, argv, &d);
    if (r < 0)
        check_place(&t, &d);
    require(r == 0 || t.after == AFTER_NOTHING);
    tool_run_done(&t);
    catalog_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = size > 0 ? malloc(size) : NULL;
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    run(data[0], text);
    free(text);
    return 0;
}
