/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-text.c: any bytes as each kind of text that src/text reads. What is accepted must print,
 * read back as an equal object and print the same again; what is refused must have a message,
 * places inside the text, and a rendering. The first lines are also tried one by one, so that
 * the golden files with a filter per line are good inputs. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "fuzz.h"
#include "model/settings.h"
#include "text/text.h"

enum { OUTPUT_BYTES = 64 * 1024 * 1024, LINES = 64, WORDS = 32 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_diag(const struct diag *d, const char *s, size_t n)
{
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(OUTPUT_BYTES);
    require(d->code != DIAG_NONE && d->message[0] != '\0');
    require(d->n_spans <= DIAG_SPANS);
    for (unsigned i = 0; i < d->n_spans; i++) {
        const struct span *at = &d->span[i];
        require(at->line >= 1 && at->column >= 1 && at->len >= 1 && at->offset <= n);
        /* column and offset say the same: the line begins column - 1 bytes before */
        require(at->column - 1 <= at->offset);
        size_t start = at->offset - (at->column - 1);
        require(start == 0 || s[start - 1] == '\n');
    }
    require(diag_render(d, "x", s, n, false, &out) == 0);
    require(out.len > 0);
}

static bool same_text(const struct strbuf *a, const struct strbuf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->s, b->s, a->len) == 0);
}

static void check_filter(const struct filter *f)
{
    _cleanup_(strbuf_done) struct strbuf first = STRBUF_INIT(OUTPUT_BYTES);
    _cleanup_(strbuf_done) struct strbuf second = STRBUF_INIT(OUTPUT_BYTES);
    _cleanup_(filter_done) struct filter again;
    struct diag d;
    filter_init(&again);
    require(text_print_filter(f, &first) == 0);
    require(text_parse_filter(first.s, first.len, &d, &again) == 0);
    require(filter_eq(f, &again));
    require(text_print_filter(&again, &second) == 0);
    require(same_text(&first, &second));
}

static void print_list(const struct policy_list *l, struct strbuf *out)
{
    for (size_t i = 0; i < l->n; i++)
        require(text_print_policy(l->v[i], out) == 0);
}

/* A policy that is its own predecessor: with two rules that changed their names, identities still
 * go to one rule each. */
static void check_renamed(struct policy *p, const struct policy *old)
{
    struct diag d;
    if (p->n_rules < 2)
        return;
    const struct renamed v[] = {{.now = p->rules[0].name, .before = p->rules[1].name},
                                {.now = p->rules[1].name, .before = p->rules[0].name}};
    old->rules[0].guid.b[0] = 1;
    require(text_inherit_renamed(p, old, v, 2, &d) == 0);
    require(guid_is_null(&p->rules[0].guid) && p->rules[1].guid.b[0] == 1);
    old->rules[0].guid.b[0] = 0;
    p->rules[1].guid.b[0] = 0;
}

static void run_policies(const char *s, size_t n)
{
    _cleanup_(policy_list_done) struct policy_list list = {0}, again = {0};
    _cleanup_(strbuf_done) struct strbuf first = STRBUF_INIT(OUTPUT_BYTES);
    _cleanup_(strbuf_done) struct strbuf second = STRBUF_INIT(OUTPUT_BYTES);
    struct diag_list dl = {0}, none = {0};
    if (text_parse_policies(s, n, &dl, &list) < 0) {
        require(dl.n_errors > 0 && dl.n > 0 && list.n == 0);
        for (unsigned i = 0; i < dl.n; i++)
            check_diag(&dl.d[i], s, n);
        return;
    }
    require(dl.n_errors == 0);
    print_list(&list, &first);
    require(text_parse_policies(first.s ? first.s : "", first.len, &none, &again) == 0);
    print_list(&again, &second);
    require(same_text(&first, &second));
    for (size_t i = 0; i < list.n; i++) {
        require(attributes_eq(&list.v[i]->attributes, &again.v[i]->attributes));
        for (size_t k = 0; k < list.v[i]->n_rules; k++) {
            const struct rule *r = &list.v[i]->rules[k];
            require(attributes_eq(&r->attributes, &again.v[i]->rules[k].attributes));
            for (size_t m = 0; m < r->n_filters; m++)
                check_filter(&r->filters[m]);
        }
        check_renamed(again.v[i], list.v[i]);
        require(text_inherit_ids(again.v[i], list.v[i]) == 0);
    }
}

static void run_command(const char *s, size_t n)
{
    _cleanup_(command_filter_done) struct command_filter c = {.for_s = 0};
    struct diag d = {0};
    filter_init(&c.filter);
    if (text_parse_command(s, n, &d, &c) < 0)
        check_diag(&d, s, n);
    else
        check_filter(&c.filter);
}

static void run_filter(const char *s, size_t n)
{
    _cleanup_(filter_done) struct filter f;
    struct diag d = {0};
    filter_init(&f);
    if (text_parse_filter(s, n, &d, &f) < 0)
        check_diag(&d, s, n);
    else
        check_filter(&f);
}

static void run_packet(const char *s, size_t n)
{
    _cleanup_(strbuf_done) struct strbuf first = STRBUF_INIT(OUTPUT_BYTES);
    _cleanup_(strbuf_done) struct strbuf second = STRBUF_INIT(OUTPUT_BYTES);
    struct packet_text t, again;
    struct diag d = {0};
    if (text_parse_packet(s, n, &d, &t) < 0) {
        check_diag(&d, s, n);
        return;
    }
    require(!(t.src_me && t.dst_me) && t.packet.family != FAMILY_ANY);
    require(strlen(t.interface) < sizeof(t.interface));
    require(text_print_packet(&t.packet, &first) == 0);
    require(text_parse_packet(first.s, first.len, &d, &again) == 0);
    require(text_print_packet(&again.packet, &second) == 0);
    require(same_text(&first, &second));
}

static void run_failsafe(const char *s, size_t n)
{
    struct filter_settings settings;
    struct diag d = {0};
    filter_settings_init(&settings);
    if (text_parse_failsafe(s, n, &d, &settings) < 0) {
        check_diag(&d, s, n);
        require(settings.n_failsafe == 0);
    }
    require(settings.n_failsafe <= 64);
}

/* The words between blanks as an argv: joined and read, they must be words again. */
static void run_join(const char *s, size_t n)
{
    _cleanup_free_ char *copy = strndup(s, n);
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(OUTPUT_BYTES);
    char *words[WORDS], *save = NULL;
    int n_words = 0;
    require(copy != NULL);
    for (char *w = strtok_r(copy, "\t\n", &save); w && n_words < WORDS;
         w = strtok_r(NULL, "\t\n", &save))
        words[n_words++] = w;
    require(text_join_words(n_words, words, &out) == 0);
    run_command(out.s ? out.s : "", out.len);
}

static void run_line(const char *s, size_t n)
{
    run_filter(s, n);
    run_command(s, n);
    run_packet(s, n);
    run_failsafe(s, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *s = (const char *)data;
    run_policies(s, size);
    run_line(s, size);
    run_join(s, size);
    size_t from = size > 0 && memchr(s, '\n', size) ? 0 : size; /* a single line has been tried */
    for (int i = 0; i < LINES && from < size; i++) {
        const char *newline = memchr(s + from, '\n', size - from);
        size_t end = newline ? (size_t)(newline - s) : size;
        run_line(s + from, end - from);
        from = end + 1;
    }
    return 0;
}
