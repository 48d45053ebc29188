/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/reach.c: see cli/reach.h. Called by `rpc dump`, `rpcdump` and `policy check`. The question is
 * put to the same analysis as `policy diff`: what an override block of the port would newly block
 * is what can reach it. */
#include "cli/reach.h"

#include <stdio.h>
#include <string.h>

#include "cli/context.h"
#include "cli/policyfile.h"
#include "compile/diff.h"
#include "text/text.h"

enum { SET_TEXT_MAX = 64 * 1024, REACH_LINES = 16 };

void cli_filters_done(struct cli_filters *f)
{
    for (size_t i = 0; i < f->n; i++)
        filter_done(&f->v[i]);
    free(f->v);
    free(f->e);
    *f = (struct cli_filters){0};
}

static enum layer layer_of(const char *name)
{
    for (int i = 0; i < _LAYER_MAX; i++)
        if (strcmp(layer_name((enum layer)i), name) == 0)
            return (enum layer)i;
    return _LAYER_MAX; /* derived: in no policy */
}

static void add_filter(struct cli_filters *f, const json_t *j)
{
    const char *text = cli_str(j, "text");
    enum layer layer = layer_of(cli_str(j, "layer"));
    struct diag d;

    if (layer == _LAYER_MAX)
        return;
    filter_init(&f->v[f->n]);
    if (text_parse_filter(text, strlen(text), &d, &f->v[f->n]) < 0)
        return; /* of a newer agent */
    f->e[f->n] = (struct effective_filter){
        .filter = &f->v[f->n], .layer = layer, .counter_id = COUNTER_NONE};
    f->n++;
}

int cli_filters_load(const struct cli_where *w, struct cli_filters *ret)
{
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_json_ json_t *doc = NULL;
    struct api_request r = {.method = "GET", .target = "/v1/filters", .timeout_ms = w->timeout_ms};
    const json_t *list, *j;
    struct diag d;
    size_t i;

    *ret = (struct cli_filters){0};
    if (api_client_call(w->socket_path, &r, &d, &answer) < 0)
        return -1;
    doc = json_loadb(answer.body, answer.body_len, JSON_REJECT_DUPLICATES, NULL);
    list = json_object_get(cli_data(doc), "filters");
    if (!json_is_array(list))
        return -1;
    ret->v = calloc(json_array_size(list) + 1, sizeof(*ret->v));
    ret->e = calloc(json_array_size(list) + 1, sizeof(*ret->e));
    if (!ret->v || !ret->e)
        cli_out_of_memory();
    json_array_foreach(list, i, j) add_filter(ret, j);
    filter_settings_init(&ret->settings);
    return 0;
}

struct effective cli_filters_effective(const struct cli_filters *f)
{
    return (struct effective){.v = f->e, .n = f->n, .settings = &f->settings, .host = &f->host};
}

/* "tcp from A to me port 135 on eth0" -> "A on eth0", if it is not there. */
static void add_line(const char *line, size_t n, struct strbuf *out)
{
    _cleanup_free_ char *copy = strndup(line, n);
    char *from, *to, *rest;

    if (!copy)
        cli_out_of_memory();
    from = strstr(copy, " from ");
    to = from ? strstr(from, " to me") : NULL;
    if (!to)
        return; /* not to this host */
    rest = strstr(to, " on ");
    *to = '\0';
    _cleanup_(strbuf_done) struct strbuf one = STRBUF_INIT(SET_TEXT_MAX);
    if (strbuf_addf(&one, "%s%s", from + 6, rest ? rest : "") < 0)
        cli_out_of_memory();
    if (out->s && strstr(out->s, one.s))
        return;
    (void)strbuf_addf(out, "%s%s", out->len ? "; " : "", one.s); /* cut at its maximum */
}

static void add_set(const struct packetset *set, struct strbuf *out)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(SET_TEXT_MAX);

    if (text_print_set(set, REACH_LINES, &text) < 0 || !text.s)
        return;
    for (const char *s = text.s; *s;) {
        size_t n = strcspn(s, "\n");

        add_line(s, n, out);
        s += n + (s[n] == '\n');
    }
}

void cli_reach(const struct effective *e, const char *proto, const char *ports, struct strbuf *out)
{
    _cleanup_(diff_result_done) struct diff_result r = {0};
    struct effective_filter *v = calloc(e->n + 1, sizeof(*v));
    struct effective with = *e;
    struct filter block;
    struct diag d;
    char text[512];
    uint64_t now = cli_boottime_ns(), end = now + CLI_ANALYSIS_NS;
    struct budget budget = {.stop = cli_is_over, .arg = &end};

    if (!v)
        cli_out_of_memory();
    (void)snprintf(text, sizeof(text), "block in %s from any to me port %s override", proto, ports);
    filter_init(&block);
    if (text_parse_filter(text, strlen(text), &d, &block) == 0) {
        if (e->n)
            memcpy(v, e->v, e->n * sizeof(*v));
        v[e->n] = (struct effective_filter){
            .filter = &block, .layer = LAYER_DYNAMIC, .counter_id = COUNTER_NONE};
        with.v = v;
        with.n = e->n + 1;
        if (diff_effective(e, &with, now, &budget, &r) < 0)
            cli_out_of_memory();
        for (size_t i = 0; i < r.n; i++)
            if (r.v[i].blocked)
                add_set(&r.v[i].set, out);
    }
    filter_done(&block);
    free(v);
}
