/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_policy_diff.c: `portward policy diff`: what two policies say differently, and which
 * packets that changes. Called from the table of commands. Each policy is looked at as if it were
 * in force alone. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cli/context.h"
#include "cli/policyfile.h"
#include "compile/diff.h"
#include "text/text.h"

enum { EXIT_FINDINGS = 6, SET_TEXT_MAX = 16 * 1024 * 1024 };

/* --- words --- */
/* Lines of a policy as they are compared: one for its head, one for each filter, and one for each
 * rule that has attributes or nothing else. */
struct lines {
    char **v; /* owned */
    size_t n, cap;
};

static void lines_done(struct lines *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    *l = (struct lines){0};
}

static void add_line(struct lines *l, struct strbuf *b)
{
    if (array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v)) < 0)
        cli_out_of_memory();
    l->v[l->n] = strbuf_take(b);
    if (!l->v[l->n++])
        cli_out_of_memory();
}

/* Options of the policy, without its name: two policies may well be called differently. */
static void add_head(const struct policy *p, struct lines *l)
{
    struct policy bare = *p; /* a view: nothing of it is freed */
    _cleanup_(strbuf_done) struct strbuf all = STRBUF_INIT(SET_TEXT_MAX),
                                         head = STRBUF_INIT(SET_TEXT_MAX);
    static char name[] = "-";
    static const char before[] = "policy \"-\" ";
    const char *end;

    bare.name = name;
    bare.n_rules = 0;
    if (text_print_policy(&bare, &all) < 0)
        cli_out_of_memory();
    end = strrchr(all.s, '{');
    if (!end || end - all.s <= (ptrdiff_t)sizeof(before))
        return; /* no options */
    for (const char *s = all.s + sizeof(before) - 1; s < end - 1; s++)
        (void)strbuf_add_char(&head, *s == '\n' ? ' ' : *s); /* sticky error */
    if (head.error)
        cli_out_of_memory();
    if (head.s)
        add_line(l, &head);
}

/* f NULL: the rule itself. */
static void add_filter_line(const struct rule *r, const struct filter *f, struct lines *l)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(SET_TEXT_MAX);

    (void)strbuf_add(&b, r->inactive ? "inactive rule " : "rule "); /* errors are sticky */
    (void)text_print_string(r->name, &b);
    if (r->connection != CONNECTION_ALL)
        (void)strbuf_addf(&b, " connection %s", connection_name(r->connection));
    if (f)
        (void)strbuf_add(&b, "  ");
    if ((f ? text_print_filter(f, &b) : text_print_attributes(&r->attributes, &b)) < 0)
        cli_out_of_memory();
    add_line(l, &b);
}

static void add_lines(const struct policy *p, struct lines *l)
{
    add_head(p, l);
    for (size_t i = 0; i < p->n_rules; i++) {
        const struct rule *r = &p->rules[i];

        if (r->n_filters == 0 || r->attributes.n > 0)
            add_filter_line(r, NULL, l);
        for (size_t k = 0; k < r->n_filters; k++)
            add_filter_line(r, &r->filters[k], l);
    }
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Marks the lines of a (by index) that b does not have, of equal ones as many as are too many. */
static bool *only_in(const struct lines *a, const struct lines *b)
{
    bool *only = calloc(a->n + 1, sizeof(*only));
    _cleanup_free_ bool *used = calloc(b->n + 1, sizeof(*used));
    _cleanup_free_ char **sorted = calloc(b->n + 1, sizeof(*sorted));

    if (!only || !used || !sorted)
        cli_out_of_memory();
    for (size_t i = 0; i < b->n; i++)
        sorted[i] = b->v[i];
    qsort(sorted, b->n, sizeof(*sorted), compare_lines);
    for (size_t i = 0; i < a->n; i++) {
        size_t low = 0, high = b->n;

        while (low < high) { /* the first line that is not smaller */
            size_t middle = low + (high - low) / 2;

            if (strcmp(sorted[middle], a->v[i]) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        while (low < b->n && used[low] && strcmp(sorted[low], a->v[i]) == 0)
            low++;
        only[i] = low == b->n || strcmp(sorted[low], a->v[i]) != 0;
        if (!only[i])
            used[low] = true;
    }
    return only;
}

struct words {
    struct lines a, b;
    bool *only_a, *only_b; /* owned */
};

static void words_done(struct words *w)
{
    lines_done(&w->a);
    lines_done(&w->b);
    free(w->only_a);
    free(w->only_b);
}

static void words_compare(const struct policy *a, const struct policy *b, struct words *w)
{
    add_lines(a, &w->a);
    add_lines(b, &w->b);
    w->only_a = only_in(&w->a, &w->b);
    w->only_b = only_in(&w->b, &w->a);
}

static void put_words(struct cli *c, char sign, const struct lines *l, const bool *only)
{
    for (size_t i = 0; i < l->n; i++) {
        if (!only[i])
            continue;
        (void)fprintf(c->env->out, "%c ", sign);
        cli_put_styled(c, sign == '-' ? STYLE_BLOCK : STYLE_PERMIT, l->v[i]);
        (void)fputc('\n', c->env->out);
    }
}

/* --- packets --- */
static json_t *text_of(struct strbuf *b, int err)
{
    json_t *j = err < 0 ? NULL : api_text_json(b->s);

    if (!j)
        cli_out_of_memory();
    return j;
}

static json_t *change_json(const struct effective *e, const struct diff_change *change)
{
    _cleanup_(strbuf_done) struct strbuf set = STRBUF_INIT(SET_TEXT_MAX),
                                         example = STRBUF_INIT(SET_TEXT_MAX);
    const char *rule =
        change->in_b.decider == DECIDED_FILTER ? e->v[change->in_b.index].rule : NULL;
    json_t *j = json_pack("{s:s, s:o, s:o, s:o}", "verdict",
                          change->in_b.negotiate ? "negotiate"
                          : change->blocked      ? "block"
                                                 : "permit",
                          "set", text_of(&set, text_print_set(&change->set, 0, &set)), "example",
                          text_of(&example, text_print_example(&change->example, &example)), "rule",
                          api_text_json(rule));

    if (!j)
        cli_out_of_memory();
    return j;
}

static json_t *changes_json(const struct effective *e, const struct diff_result *r)
{
    json_t *changes = json_array();

    for (size_t i = 0; i < r->n; i++)
        if (json_array_append_new(changes, change_json(e, &r->v[i])) < 0)
            cli_out_of_memory();
    return changes;
}

/* --- the verb --- */
static json_t *lines_json(const struct lines *l, const bool *only)
{
    json_t *a = json_array();

    for (size_t i = 0; i < l->n; i++)
        if (only[i] && json_array_append_new(a, api_text_json(l->v[i])) < 0)
            cli_out_of_memory();
    return a;
}

static void put_document(struct cli *c, const struct words *w, const struct diff_result *r,
                         json_t *changes)
{
    cli_put_document(c, "policy-diff",
                     json_pack("{s:o, s:o, s:O, s:b, s:b, s:b}", "removed",
                               lines_json(&w->a, w->only_a), "added", lines_json(&w->b, w->only_b),
                               "changes", changes, "equal", r->equal, "complete", r->complete,
                               "state_differs", r->state_differs));
}

static void put_text(struct cli *c, const struct words *w, const struct diff_result *r,
                     const json_t *changes)
{
    put_words(c, '-', &w->a, w->only_a);
    put_words(c, '+', &w->b, w->only_b);
    cli_put_changes(c, changes);
    if (r->equal)
        (void)fputs("no packet changes its verdict\n", c->env->out);
    if (!r->complete)
        (void)fputs("not enumerated completely: these are examples\n", c->env->out);
    if (r->state_differs)
        (void)fputs("filters with keep state differ: answers may change, too\n", c->env->out);
}

static int compare(struct cli *c, const struct policy *a, const struct policy *b)
{
    _cleanup_(cli_effective_done) struct cli_effective ea = {0}, eb = {0};
    _cleanup_(diff_result_done) struct diff_result r = {0};
    _cleanup_(words_done) struct words w = {0};
    _cleanup_json_ json_t *changes = NULL;
    uint64_t now = cli_boottime_ns(), end = now + CLI_ANALYSIS_NS;
    struct budget budget = {.stop = cli_is_over, .arg = &end};

    cli_effective_init(&ea, a);
    cli_effective_init(&eb, b);
    if (diff_effective(&ea.e, &eb.e, now, &budget, &r) < 0)
        cli_out_of_memory();
    words_compare(a, b, &w);
    changes = changes_json(&eb.e, &r);
    if (c->json)
        put_document(c, &w, &r, changes);
    else if (!c->quiet)
        put_text(c, &w, &r, changes);
    return r.equal ? 0 : EXIT_FINDINGS;
}

static int load_one(struct cli *c, const char *word, struct cli_policy_text *t)
{
    int code = cli_policy_text_load(c, word, t);

    if (code || t->policies.n == 1)
        return code;
    return cli_fail_usage(c, NULL, "'%s' holds %zu policies, one can be compared", t->label,
                          t->policies.n);
}

int cmd_policy_diff(struct cli *c)
{
    _cleanup_(cli_policy_text_done) struct cli_policy_text a = {0}, b = {0};
    int code = load_one(c, c->words[0], &a);

    if (code == 0)
        code = load_one(c, c->words[1], &b);
    return code ? code : compare(c, a.policies.v[0], b.policies.v[0]);
}
