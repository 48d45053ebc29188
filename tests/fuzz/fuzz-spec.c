/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-spec.c: any bytes as a filter specification of ipsecpol and ipseccmd. What is accepted
 * prints as a specification that reads back as the same filter, and the filter as native text that
 * reads back as well; what is refused has a message and a place inside the word. */
#include <stdlib.h>
#include <string.h>

#include "compat/spec.h"
#include "fuzz.h"
#include "text/text.h"

enum { WORD_BYTES = 4096 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_native(const struct filter *f)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(64 * 1024);
    _cleanup_(filter_done) struct filter back;
    struct diag d;

    filter_init(&back);
    require(text_print_filter(f, &text) == 0);
    require(text_parse_filter(text.s, text.len, &d, &back) == 0);
    require(filter_eq(f, &back));
}

static void check_print(const struct filter *f)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(64 * 1024);
    _cleanup_(tool_run_done) struct tool_run t;
    _cleanup_(ipsec_spec_done) struct ipsec_spec back = {0};
    const char *why;
    struct diag d;

    tool_run_init(&t, NULL, NULL);
    filter_init(&back.filter);
    require(ipsec_spec_print(f, &text, &why) == 0);
    require(ipsec_spec_parse(&t, text.s, &d, &back) == 0);
    back.filter.action = f->action;
    require(filter_eq(f, &back.filter));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(tool_run_done) struct tool_run t;
    _cleanup_(ipsec_spec_done) struct ipsec_spec spec = {0};
    struct diag d = {0};
    char word[WORD_BYTES + 1];

    if (size > WORD_BYTES)
        size = WORD_BYTES;
    memcpy(word, data, size);
    word[size] = '\0';
    tool_run_init(&t, NULL, NULL);
    filter_init(&spec.filter);
    if (ipsec_spec_parse(&t, word, &d, &spec) < 0) {
        require(d.code != DIAG_NONE && d.message[0] && d.n_spans == 1);
        require(t.word == word && d.span[0].offset <= strlen(word));
        return 0;
    }
    if (spec.is_default)
        return 0;
    spec.filter.action = ACTION_BLOCK;
    check_print(&spec.filter);
    check_native(&spec.filter);
    return 0;
}
