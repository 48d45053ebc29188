/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-ipseccmd.c: any bytes as a script of ipseccmd lines. What is accepted gives policies whose
 * native text reads back; written as a script again, without losses, each is read as the same
 * policy, and nothing but a preshared key is ever a loss of the filters' text. What is refused has
 * a message. */
#include <stdlib.h>
#include <string.h>

#include "../../src/compat/convert_internal.h"
#include "fuzz.h"
#include "text/text.h"

enum { TEXT_BYTES = 16 << 20 };
static const uint64_t seed[2] = {1, 2};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static char *policy_text(const struct policy *p)
{
    struct strbuf text = STRBUF_INIT(TEXT_BYTES);

    require(text_print_policy(p, &text) == 0);
    return strbuf_take(&text);
}

static void check_native(const char *text)
{
    struct diag_list errors = {0};
    struct policy_list l = {0};

    require(text_parse_policies(text, strlen(text), &errors, &l) == 0 && l.n == 1);
    _cleanup_free_ char *again = policy_text(l.v[0]);
    require(strcmp(text, again) == 0);
    policy_list_done(&l);
}

/* The same, whatever the order of the attributes. */
static void check_equal(const struct policy *a, const struct policy *b)
{
    require(a->n_rules == b->n_rules && a->poll_s == b->poll_s);
    require(attributes_eq(&a->attributes, &b->attributes));
    for (size_t i = 0; i < a->n_rules; i++) {
        const struct rule *r = &a->rules[i], *q = &b->rules[i];

        require(strcmp(r->name, q->name) == 0 && r->connection == q->connection);
        require(attributes_eq(&r->attributes, &q->attributes) && r->n_filters == q->n_filters);
        for (size_t k = 0; k < r->n_filters; k++)
            require(filter_eq(&r->filters[k], &q->filters[k]));
    }
}

static void check_policy(const struct policy *p)
{
    _cleanup_(strbuf_done) struct strbuf script = STRBUF_INIT(TEXT_BYTES);
    _cleanup_(convert_losses_done) struct convert_losses l = {0};
    _cleanup_(tool_run_done) struct tool_run t;
    _cleanup_free_ char *text = policy_text(p);
    struct convert_options o = {.file = "script"};
    struct diag d = {0};
    struct policy *back;
    struct catalog c;

    check_native(text);
    catalog_init(&c, NULL, seed);
    tool_run_init(&t, &c, NULL);
    require(convert_write_ipseccmd(&c, p, false, &script, &l) == 0);
    require(convert_read_ipseccmd(&t, script.s, script.len, &o, &d) == 0);
    if (l.n == 0) {
        require(catalog_policy(&c, p->name, &d, &back) == 0);
        check_equal(p, back);
    }
    catalog_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(tool_run_done) struct tool_run t;
    struct convert_options o = {.file = "script"};
    struct diag d = {0};
    struct catalog c;

    catalog_init(&c, NULL, seed);
    tool_run_init(&t, &c, NULL);
    if (convert_read_ipseccmd(&t, (const char *)data, size, &o, &d) < 0)
        require(d.code != DIAG_NONE && d.message[0]);
    else
        for (size_t i = 0; i < c.n_policies; i++)
            if (c.policies[i].now)
                check_policy(c.policies[i].now);
    catalog_done(&c);
    return 0;
}
