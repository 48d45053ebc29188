/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/policyfile.c: policies for `policy check` and `policy diff`, which look at them here and not
 * in the agent: a file needs no agent, and a long question keeps nobody else waiting. Called by
 * these two; `export` asks which word is a file. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/context.h"
#include "cli/policyfile.h"
#include "text/text.h"

void cli_policy_text_done(struct cli_policy_text *t)
{
    policy_list_done(&t->policies);
    cli_text_done(&t->text);
    free(t->label);
    *t = (struct cli_policy_text){0};
}

bool cli_is_policy_file(const char *word)
{
    size_t n = strlen(word);

    return strcmp(word, "-") == 0 || strchr(word, '/') || access(word, F_OK) == 0 ||
           (n > 3 && strcmp(word + n - 3, ".pw") == 0);
}

static int ask_stored(struct cli *c, const char *word, struct cli_text *t)
{
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(CLI_TARGET_BYTES);
    _cleanup_free_ char *name = NULL;
    _cleanup_json_ json_t *doc = NULL;
    char query[48] = "";
    int64_t revision;
    int code;

    cli_split_revision(word, &name, &revision);
    if (revision)
        (void)snprintf(query, sizeof(query), "?revision=%lld", (long long)revision); /* fits */
    code = cli_policy_target(c, name, query, &target);
    if (code == 0)
        code = cli_fetch(c, "GET", target.s, &doc);
    if (code)
        return code;
    t->s = strdup(cli_str(cli_data(doc), "text"));
    if (!t->s)
        cli_out_of_memory();
    t->len = strlen(t->s);
    return 0;
}

static int parse(struct cli *c, struct cli_policy_text *t)
{
    struct diag_list dl = {0};
    struct diag d;
    int r = text_parse_policies(t->text.s, t->text.len, &dl, &t->policies);

    if (r == -ENOMEM)
        cli_out_of_memory();
    if (r < 0)
        return cli_fail_list(c, &dl);
    if (t->policies.n > 0)
        return 0;
    (void)diag_fail(&d, DIAG_SYNTAX, "there is no policy in '%s'", t->label);
    return cli_fail(c, &d);
}

int cli_policy_text_load(struct cli *c, const char *word, struct cli_policy_text *t)
{
    int code;

    t->is_stored = !cli_is_policy_file(word);
    t->label = strdup(strcmp(word, "-") == 0 ? "stdin" : word);
    if (!t->label)
        cli_out_of_memory();
    code = t->is_stored ? ask_stored(c, word, &t->text) : cli_text_read(c, word, &t->text);
    if (code)
        return code;
    c->source = (struct cli_source){.file = t->label, .text = t->text.s, .len = t->text.len};
    return parse(c, t);
}

void cli_effective_init(struct cli_effective *x, const struct policy *p)
{
    size_t n = policy_n_filters(p), k = 0;

    *x = (struct cli_effective){.v = calloc(n + 1, sizeof(*x->v)),
                                .rules = calloc(n + 1, sizeof(*x->rules))};
    if (!x->v || !x->rules)
        cli_out_of_memory();
    filter_settings_init(&x->settings);
    for (size_t i = 0; i < p->n_rules; i++) {
        const struct rule *r = &p->rules[i];

        for (size_t f = 0; !r->inactive && f < r->n_filters; f++, k++) {
            x->rules[k] = r;
            x->v[k] = (struct effective_filter){.filter = &r->filters[f],
                                                .connection = r->connection,
                                                .layer = LAYER_LOCAL,
                                                .counter_id = COUNTER_NONE,
                                                .policy = p->name,
                                                .rule = r->name};
        }
    }
    x->e = (struct effective){.v = x->v, .n = k, .settings = &x->settings, .host = &x->host};
}

void cli_effective_done(struct cli_effective *x)
{
    free(x->v);
    free(x->rules);
    *x = (struct cli_effective){0};
}

uint64_t cli_boottime_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_BOOTTIME, &t); /* cannot fail for this clock */
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

bool cli_is_over(void *deadline_ns)
{
    const uint64_t *end = deadline_ns;

    return cli_boottime_ns() >= *end;
}
