/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/parse_command.c: a filter as a text of its own, alone (store, API, `rule add`) or with
 * what a command line may add. Called through text.h. */
#include <errno.h>

#include "base/limits.h"
#include "parser.h"
#include "text/text.h"

int text_parse_filter(const char *text, size_t len, struct diag *d, struct filter *ret)
{
    struct diag unused;
    struct parser p;
    _cleanup_(filter_done) struct filter f;
    filter_init(&f);
    int err = parser_init(&p, text, len, d ? d : &unused);
    if (err == 0)
        err = parse_filter(&p, &f);
    if (err == 0)
        err = parser_end(&p);
    if (err < 0)
        return err;
    *ret = f;
    filter_init(&f); /* handed over */
    return 0;
}

void command_filter_done(struct command_filter *c)
{
    filter_done(&c->filter);
    free(c->reason);
    c->reason = NULL;
    c->for_s = 0;
}

/* "for DURATION" and "reason STRING", each once, in any order. */
static int parse_tail(struct parser *p, struct command_filter *c)
{
    static const struct string_rule rule = {
        "a reason", "reason \"SMB worm\"", LIMIT_REASON_BYTES, true, false, true};
    struct span at_for = {0}, at_reason = {0};
    for (;;) {
        struct span here = p->tok.span;
        bool is_for = parser_at(p, WORD_FOR);
        if (!is_for && !parser_at(p, WORD_REASON))
            break;
        struct span *before = is_for ? &at_for : &at_reason;
        if (before->line > 0) {
            int err = diag_fail_at(p->d, DIAG_SYNTAX, here, "'%s' given twice",
                                   is_for ? "for" : "reason");
            diag_add_span(p->d, *before);
            diag_hint(p->d, "remove one of them");
            return err;
        }
        *before = here;
        parser_advance(p);
        int err = is_for ? parser_duration(p, &c->for_s) : parser_string(p, &rule, &c->reason);
        if (err < 0)
            return err;
        p->possible = 0;
    }
    p->possible |= (at_for.line == 0 ? CTX_FOR : 0) | (at_reason.line == 0 ? CTX_REASON : 0);
    return parser_end(p);
}

int text_parse_command(const char *text, size_t len, struct diag *d, struct command_filter *ret)
{
    struct diag unused;
    struct parser p;
    _cleanup_(command_filter_done) struct command_filter c = {.for_s = 0};
    filter_init(&c.filter);
    int err = parser_init(&p, text, len, d ? d : &unused);
    p.after = CTX_FOR | CTX_REASON;
    if (err == 0)
        err = parse_filter(&p, &c.filter);
    if (err == 0)
        err = parse_tail(&p, &c);
    if (err < 0)
        return err;
    *ret = c;
    filter_init(&c.filter); /* handed over */
    c.reason = NULL;
    return 0;
}
