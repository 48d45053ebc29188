/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_policy_check.c: `portward policy check`: errors and limits of a policy, then what is odd
 * about it (policy.md 8). Called from the table of commands. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/context.h"
#include "cli/halfopen.h"
#include "cli/policyfile.h"
#include "compile/check.h"
#include "compile/compile.h"
#include "text/text.h"

enum { EXIT_REJECTED = 7, EXIT_FINDINGS = 6, TEXT_MAX = 1024 * 1024, IPPROTO_TCP_NUMBER = 6 };

struct tally {
    size_t errors, warnings;
};

/* --- places --- */
/* A rule with one filter is pointed at as a whole, as people wrote it. */
static struct span place_of(const struct cli_effective *x, size_t i)
{
    return x->rules[i]->n_filters == 1 ? x->rules[i]->at : x->v[i].filter->at;
}

/* Bytes up to the end of the line, a comment or a brace, quoted ones not looked at. */
static size_t rest_of_line(const char *text, size_t len)
{
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' || (!quoted && strchr("#}", text[i])))
            return i;
        if (text[i] == '"' && (i == 0 || text[i - 1] != '\\'))
            quoted = !quoted;
    }
    return len;
}

/* The filter as it was written, if it stands on one line; else its canonical text. Owned. */
static char *words_of(const struct cli *c, const struct filter *f)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(TEXT_MAX);
    const char *text = c->source.text + f->at.offset;
    size_t n = f->at.line && f->at.offset < c->source.len
                   ? rest_of_line(text, c->source.len - f->at.offset)
                   : 0;
    struct filter reread;
    struct diag d;
    bool same;

    while (n > 0 && isspace((unsigned char)text[n - 1]))
        n--;
    filter_init(&reread);
    same = n > 0 && text_parse_filter(text, n, &d, &reread) == 0 && filter_eq(&reread, f);
    filter_done(&reread);
    if ((same ? strbuf_add_n(&b, text, n) : text_print_filter(f, &b)) < 0)
        cli_out_of_memory();
    return strbuf_take(&b);
}

static void weight_of(const struct finding *f, unsigned i, char out[48])
{
    bool ordinary = f->filter[i].tier == TIER_ORDINARY;

    (void)snprintf(out, 48, "%s%s%08" PRIx32, ordinary ? "" : tier_name(f->filter[i].tier),
                   ordinary ? "" : " ", f->filter[i].weight); /* tiers have short names */
}

/* --- one finding --- */
static void put_rules(struct cli *c, const struct cli_effective *x, const struct finding *f)
{
    char *text[2] = {NULL, NULL};
    int width = 0, name_width = 0;
    /* The permit is what has to be written otherwise; the headline names the other. */
    unsigned n = f->kind == FINDING_NEVER_WINS ? 1 : f->n_filters;

    for (unsigned i = 0; i < n; i++) {
        size_t at = f->filter[i].index;
        int name = (int)strlen(x->rules[at]->name);

        text[i] = words_of(c, x->v[at].filter);
        if (!text[i])
            cli_out_of_memory();
        width = (int)strlen(text[i]) > width ? (int)strlen(text[i]) : width;
        name_width = name > name_width ? name : name_width;
    }
    for (unsigned i = 0; i < n; i++) {
        const char *name = x->rules[f->filter[i].index]->name;
        char weight[48];

        weight_of(f, i, weight);
        (void)fputs("    rule ", c->env->out);
        cli_put_quoted(c, name);
        (void)fprintf(c->env->out, "%*s  %-*s  weight %s\n", name_width - (int)strlen(name), "",
                      width, text[i], weight);
        free(text[i]);
    }
}

static const char *severity_name(enum finding_severity s)
{
    switch (s) {
    case SEVERITY_NOTE:
        return "note";
    case SEVERITY_WARNING:
        return "warning";
    case SEVERITY_ERROR:
        return "error";
    }
    return "note";
}

static void put_lines(struct cli *c, const char *before, const struct strbuf *b)
{
    if (b->len == 0)
        return;
    (void)fprintf(c->env->out, "%s%s\n", before, b->s); /* made of parsed names, no controls */
}

static void put_finding(struct cli *c, const struct cli_effective *x, const struct finding *f)
{
    struct finding_text t = FINDING_TEXT_INIT;
    struct span at = f->n_filters ? place_of(x, f->filter[0].index) : (struct span){0};

    if (text_print_finding(&x->e, f, &t) < 0)
        cli_out_of_memory();
    cli_put(c, c->source.file);
    if (at.line)
        (void)fprintf(c->env->out, ":%" PRIu32 ":%" PRIu32, at.line, at.column);
    (void)fprintf(c->env->out, ": %s: ", severity_name(finding_severity(f->kind)));
    put_lines(c, "", &t.headline);
    put_rules(c, x, f);
    put_lines(c, "", &t.detail);
    put_lines(c, "hint: ", &t.hint);
    finding_text_done(&t);
}

static json_t *filters_json(const struct cli *c, const struct cli_effective *x,
                            const struct finding *f)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < f->n_filters; i++) {
        size_t at = f->filter[i].index;
        struct span place = place_of(x, at);
        _cleanup_free_ char *text = words_of(c, x->v[at].filter);
        char weight[16];

        (void)snprintf(weight, sizeof(weight), "%08" PRIx32, f->filter[i].weight); /* fits */
        if (json_array_append_new(
                list, json_pack("{s:o, s:o, s:s, s:s, s:I, s:I}", "rule",
                                api_text_json(x->rules[at]->name), "text", api_text_json(text),
                                "weight", weight, "tier", tier_name(f->filter[i].tier), "line",
                                (json_int_t)place.line, "column", (json_int_t)place.column)) < 0)
            cli_out_of_memory();
    }
    return list;
}

static json_t *finding_json(const struct cli *c, const struct cli_effective *x,
                            const struct finding *f)
{
    struct finding_text t = FINDING_TEXT_INIT;
    _cleanup_(strbuf_done) struct strbuf example = STRBUF_INIT(TEXT_MAX);
    json_t *j;

    if (text_print_finding(&x->e, f, &t) < 0 ||
        (f->has_example && text_print_example(&f->example, &example) < 0))
        cli_out_of_memory();
    j = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "kind", finding_kind_name(f->kind),
                  "severity", severity_name(finding_severity(f->kind)), "message",
                  api_text_json(t.headline.s), "detail", api_text_json(t.detail.s), "hint",
                  api_text_json(t.hint.s), "example", api_text_json(example.s), "filters",
                  filters_json(c, x, f));
    finding_text_done(&t);
    if (!j)
        cli_out_of_memory();
    return j;
}

/* --- one policy --- */
/* What negotiates can be assigned, and denies until somebody negotiates. */
static void note_negotiation(struct cli *c, const struct policy *p)
{
    size_t n = 0;
    const char *first = NULL;

    for (size_t i = 0; i < p->n_rules; i++) {
        const struct rule *r = &p->rules[i];
        bool found = false;

        for (size_t k = 0; k < r->n_filters && !r->inactive; k++)
            found |= filter_effect(&r->filters[k]) == ACTION_NEGOTIATE;
        if (found && n++ == 0)
            first = r->name;
    }
    if (n == 0 || c->json || c->quiet)
        return;
    (void)fputs("note: denied in the clear until the negotiation engine is configured: \"",
                c->env->err);
    (void)fputs(first, c->env->err); /* a parsed name, no controls */
    if (n > 1)
        (void)fprintf(c->env->err, "\" and %zu more\n", n - 1);
    else
        (void)fputs("\"\n", c->env->err);
}

/* Limits need an image. */
static int check_limits(struct cli *c, const struct policy *p, const struct effective *e)
{
    struct compile_options o = {.generation = 1, .state_epoch = 1, .seed = 1, .tag_secret = 4};
    struct image img = {0};
    struct diag d = {0};
    int r = compile_image(e, &o, &d, &img, NULL);

    image_done(&img);
    if (r == -ENOMEM)
        cli_out_of_memory();
    if (r < 0)
        return cli_fail(c, &d);
    note_negotiation(c, p);
    return 0;
}

static bool read_address(const char *text, enum family *ret_family, struct ip *ret)
{
    uint8_t bytes[16];

    *ret_family = strchr(text, ':') ? FAMILY_6 : FAMILY_4;
    if (inet_pton(*ret_family == FAMILY_6 ? AF_INET6 : AF_INET, text, bytes) != 1)
        return false;
    *ret = ip_from_bytes(*ret_family, bytes);
    return true;
}

/* The caller's login, as sshd(8) tells him: "PEER PORT LOCAL PORT". */
static bool own_login(const struct cli *c, struct check_connection *ret)
{
    char peer[64], local[64];
    enum family family;

    *ret = (struct check_connection){.proto = IPPROTO_TCP_NUMBER};
    return c->env->ssh &&
           sscanf(c->env->ssh, "%63[0-9a-fA-F:.] %" SCNu16 " %63[0-9a-fA-F:.] %" SCNu16, peer,
                  &ret->peer_port, local, &ret->local_port) == 4 &&
           read_address(peer, &ret->family, &ret->peer) &&
           read_address(local, &family, &ret->local) && family == ret->family;
}

static void find(struct cli *c, const struct cli_effective *x, struct finding_list *l)
{
    uint64_t now = cli_boottime_ns(), end = now + CLI_ANALYSIS_NS;
    struct budget budget = {.stop = cli_is_over, .arg = &end};
    struct check_connection login;
    struct check_options o = {.now_ns = now,
                              .connections = &login,
                              .n_connections = own_login(c, &login) ? 1 : 0,
                              .budget = &budget};

    if (check_effective(&x->e, &o, l) < 0)
        cli_out_of_memory();
}

static void count(const struct finding_list *l, struct tally *t)
{
    for (int k = 0; k < _FINDING_MAX; k++) {
        enum finding_severity s = finding_severity((enum finding_kind)k);

        t->errors += s == SEVERITY_ERROR ? l->counts[k] : 0;
        t->warnings += s == SEVERITY_WARNING ? l->counts[k] : 0;
    }
}

static void put_summary(struct cli *c, const struct policy *p, const struct tally *t, bool several)
{
    cli_put(c, c->source.file);
    if (several) {
        (void)fputs(": ", c->env->out);
        cli_put_quoted(c, p->name);
    }
    (void)fputs(t->errors ? ": not valid, " : ": valid, ", c->env->out);
    cli_put_count(c, (int64_t)p->n_rules, "rule");
    (void)fputs(", ", c->env->out);
    if (t->errors) {
        cli_put_count(c, (int64_t)t->errors, "error");
        (void)fputs(", ", c->env->out);
    }
    cli_put_count(c, (int64_t)t->warnings, "warning");
    (void)fputc('\n', c->env->out);
}

/* It belongs to no filter, so it is no finding of compile. */
struct half_open {
    bool found;
    struct strbuf message, hint;
};

static void half_open_done(struct half_open *h)
{
    strbuf_done(&h->message);
    strbuf_done(&h->hint);
}

static void put_half_open(struct cli *c, const struct half_open *h)
{
    if (!h->found)
        return;
    cli_put(c, c->source.file);
    put_lines(c, ": warning: ", &h->message);
    put_lines(c, "hint: ", &h->hint);
}

static json_t *half_open_json(const struct half_open *h)
{
    return json_pack("{s:s, s:s, s:o, s:n, s:o, s:n, s:[]}", "kind", "rpc-half-open", "severity",
                     "warning", "message", api_text_json(h->message.s), "detail", "hint",
                     api_text_json(h->hint.s), "example", "filters");
}

static json_t *policy_json(const struct cli *c, const struct policy *p,
                           const struct cli_effective *x, const struct finding_list *l,
                           const struct half_open *h, const struct tally *t)
{
    json_t *findings = json_array(), *j;

    for (size_t i = 0; i < l->n; i++)
        if (json_array_append_new(findings, finding_json(c, x, &l->v[i])) < 0)
            cli_out_of_memory();
    if (h->found && json_array_append_new(findings, half_open_json(h)) < 0)
        cli_out_of_memory();
    j = json_pack("{s:o, s:I, s:b, s:I, s:I, s:b, s:o}", "name", api_text_json(p->name), "rules",
                  (json_int_t)p->n_rules, "valid", t->errors == 0, "errors", (json_int_t)t->errors,
                  "warnings", (json_int_t)t->warnings, "complete", l->complete, "findings",
                  findings);
    if (!j)
        cli_out_of_memory();
    return j;
}

static void put_findings(struct cli *c, const struct cli_effective *x, const struct finding_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (finding_severity(l->v[i].kind) != SEVERITY_NOTE)
            put_finding(c, x, &l->v[i]);
    if (!l->complete)
        (void)fputs("not looked at completely: there may be more\n", c->env->out);
}

static int check_policy(struct cli *c, const struct policy *p, const struct cli_half_open *rpc,
                        bool several, json_t *documents)
{
    _cleanup_(half_open_done) struct half_open h = {.message = STRBUF_INIT(TEXT_MAX),
                                                    .hint = STRBUF_INIT(TEXT_MAX)};
    _cleanup_(cli_effective_done) struct cli_effective x = {0};
    _cleanup_(finding_list_done) struct finding_list l = {0};
    struct tally t = {0};
    int code;

    cli_effective_init(&x, p);
    code = check_limits(c, p, &x.e);
    if (code)
        return code;
    find(c, &x, &l);
    count(&l, &t);
    h.found = cli_half_open_find(rpc, &x.e, &h.message, &h.hint);
    t.warnings += h.found;
    if (c->json && json_array_append_new(documents, policy_json(c, p, &x, &l, &h, &t)) < 0)
        cli_out_of_memory();
    if (!c->json && !c->quiet) {
        put_findings(c, &x, &l);
        put_half_open(c, &h);
        put_summary(c, p, &t, several);
    }
    return t.errors ? EXIT_REJECTED : t.warnings || !l.complete ? EXIT_FINDINGS : 0;
}

int cmd_policy_check(struct cli *c)
{
    _cleanup_(cli_policy_text_done) struct cli_policy_text t = {0};
    _cleanup_json_ json_t *documents = json_array();
    const struct cli_where where = {c->socket_path, c->timeout_ms};
    struct cli_half_open rpc;
    int code = cli_policy_text_load(c, c->words[0], &t), worst = 0;

    if (code)
        return code;
    cli_half_open_init(&where, &rpc);
    for (size_t i = 0; i < t.policies.n; i++) {
        size_t before = json_array_size(documents);

        code = check_policy(c, t.policies.v[i], &rpc, t.policies.n > 1, documents);
        if (c->json && code && json_array_size(documents) == before)
            return code; /* a limit: the error document is the answer */
        worst = api_exit_worse(worst, code);
    }
    if (c->json)
        cli_put_document(c, "policy-check", json_pack("{s:O}", "policies", documents));
    return worst;
}
