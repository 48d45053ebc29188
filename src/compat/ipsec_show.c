/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/ipsec_show.c: `ipseccmd show filters|policies|auth|stats|sas|gpo|all` (windows.md 3). The
 * layout is our own; a filter is the block that netdiag prints. Called for commands that begin with
 * `show`. Nothing is changed. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/suggest.h"
#include "derived_guid.h"
#include "ipsec_internal.h"
#include "netdiag.h"
#include "text/text.h"

struct show {
    struct tool_run *t;
    struct tool_filter *filters;
    size_t n_filters;
    struct netdiag_addresses own;
    bool has_filters;
};

static void show_done(struct show *s)
{
    tool_filters_free(s->filters, s->n_filters);
    free(s->own.v);
}

static int load_filters(struct show *s, struct diag *d)
{
    const struct tool_host *host = s->t->host;
    if (s->has_filters)
        return 0;
    if (!host || !host->filters || !host->addresses)
        return diag_fail(d, DIAG_USAGE, "show asks the running agent, there is none here");
    int err = host->filters(host->ctx, d, &s->filters, &s->n_filters);
    if (err == 0)
        err = host->addresses(host->ctx, d, &s->own.v, &s->own.n);
    s->has_filters = err == 0;
    return err;
}

static int show_filter(struct show *s, const struct tool_filter *f, struct diag *d)
{
    struct netdiag_section section = {.text = STRBUF_INIT(LIMIT_API_ANSWER_BYTES)};
    _cleanup_(filter_done) struct filter parsed;
    char identity[2 * LIMIT_NAME_BYTES + 64];
    const char *name = f->rule ? f->rule : f->id;
    filter_init(&parsed);
    int err = text_parse_filter(f->text, strlen(f->text), d, &parsed);
    if (err < 0)
        return err;
    /* The same identity as in netdiag: a rule made by its own command has its own action. */
    size_t n = format_into(identity, sizeof(identity), "%s\n%s\n%s", f->layer,
                           f->policy ? f->policy : "", name);
    struct netdiag_filter block = {
        .filter = &parsed, .guid = &f->guid, .action = derived_guid("netdiag action", identity, n)};
    err = netdiag_print_filter(&block, &s->own, &section);
    if (err == 0)
        err = strbuf_addf(&s->t->out, "Filter name: %s\nWeight: %08" PRIx32 "\n%s\n", name,
                          f->weight, section.text.s ? section.text.s : "");
    strbuf_done(&section.text);
    return err;
}

static int show_filters(struct show *s, struct diag *d)
{
    int err = load_filters(s, d);
    if (err == 0)
        err = strbuf_addf(&s->t->out, "Filters: %zu\n\n", s->n_filters);
    for (size_t i = 0; err == 0 && i < s->n_filters; i++)
        err = show_filter(s, &s->filters[i], d);
    return err;
}

/* NAME  assigned|-  N rules  poll M min  local */
static int show_policies(struct show *s, struct diag *d)
{
    struct catalog *c = s->t->catalog;
    const char *local, *persistent;
    int err = catalog_load_all(c, d);
    if (err == 0)
        err = catalog_assigned(c, CATALOG_LOCAL, d, &local);
    if (err == 0)
        err = catalog_assigned(c, CATALOG_PERSISTENT, d, &persistent);
    for (size_t i = 0; err == 0 && i < c->n_policies && c->policies[i].now; i++) {
        const struct policy *p = c->policies[i].now;
        bool kept = strcasecmp(persistent, p->name) == 0;
        bool assigned = kept || strcasecmp(local, p->name) == 0;
        err = strbuf_addf(&s->t->out, "%s  %s  %zu rules  poll %u min  %s\n", p->name,
                          assigned ? "assigned" : "-", p->n_rules,
                          p->poll_s > 0 ? p->poll_s / 60 : 180, kept ? "persistent" : "local");
    }
    return err;
}

static int show_none(struct show *s, const char *what)
{
    return strbuf_addf(&s->t->out, "%s: none\n", what);
}

static int show_auth(struct show *s, struct diag *d _unused_)
{
    return show_none(s, "Authentication");
}

static int show_sas(struct show *s, struct diag *d _unused_)
{
    return show_none(s, "Security associations");
}

static int show_gpo(struct show *s, struct diag *d _unused_)
{
    return show_none(s, "Policy of the domain");
}

static int show_stats(struct show *s, struct diag *d)
{
    uint64_t packets[3] = {0}, bytes[3] = {0};
    static const char *const names[] = {"Permitted", "Negotiate", "Blocked"};
    int err = load_filters(s, d);
    for (size_t i = 0; err == 0 && i < s->n_filters; i++) {
        const struct tool_filter *f = &s->filters[i];
        size_t kind = strncmp(f->text, "block", 5) == 0       ? 2
                      : strncmp(f->text, "negotiate", 9) == 0 ? 1
                                                              : 0;
        packets[kind] += f->packets;
        bytes[kind] += f->bytes;
    }
    for (size_t i = 0; err == 0 && i < ARRAY_SIZE(names); i++)
        err = strbuf_addf(&s->t->out, "%-10s: %" PRIu64 " packets, %" PRIu64 " bytes\n", names[i],
                          packets[i], bytes[i]);
    return err;
}

static const struct topic {
    const char *name;
    int (*show)(struct show *s, struct diag *d);
} topics[] = {
    {"policies", show_policies}, {"filters", show_filters}, {"auth", show_auth},
    {"sas", show_sas},           {"stats", show_stats},     {"gpo", show_gpo},
};

static int fail_topic(struct tool_run *t, const char *word, struct diag *d)
{
    int err = ipsec_fail(t, d, word, "cannot show '%s'", word);
    for (size_t i = 0; i < ARRAY_SIZE(topics); i++)
        if (suggest_distance(word, topics[i].name, 2) <= suggest_limit(word)) {
            diag_hint(d, "did you mean %s?", topics[i].name);
            return err;
        }
    diag_hint(d, "filters, policies, auth, stats, sas, gpo or all");
    return err;
}

int ipsec_run_show(struct tool_run *t, const struct ipsec_args *a, struct diag *d)
{
    _cleanup_(show_done) struct show s = {.t = t};
    bool wanted[ARRAY_SIZE(topics)] = {false};
    for (size_t k = 0; k < a->show.n; k++) {
        bool all = strcasecmp(a->show.v[k], "all") == 0, known = all;
        for (size_t i = 0; i < ARRAY_SIZE(topics); i++)
            if (all || strcasecmp(a->show.v[k], topics[i].name) == 0)
                known = wanted[i] = true;
        if (!known)
            return fail_topic(t, a->show.v[k], d);
    }
    int err = 0;
    for (size_t i = 0; err == 0 && i < ARRAY_SIZE(topics); i++)
        if (wanted[i])
            err = topics[i].show(&s, d);
    return err;
}
