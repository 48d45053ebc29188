/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_log.c: `portward log`: what the agent keeps of the packet log, as text, JSON, pfirewall
 * lines or a file of packets. Called from the table of commands. Following is asking again with the
 * number of the last entry, so that a reader that stops costs the agent nothing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/duration.h"
#include "cli/context.h"
#include "cli/logentry.h"
#include "text/text.h"

enum { ASK_MAX = 4096, SHOW_DEFAULT = 100, PAUSE_MS = 300, LINE_BYTES = 64 * 1024 };
enum log_form { FORM_TEXT, FORM_JSON, FORM_PFIREWALL };

struct view {
    struct cli *c;
    enum log_form form;
    int64_t since_ms;
    const struct filter *filter; /* NULL = everything */
    FILE *pcap;                  /* NULL = lines to stdout */
};

/* --- what is asked for --- */

static int take_form(struct cli *c, enum log_form *ret)
{
    static const char *const words[] = {"text", "json", "pfirewall"};
    const char *value = c->args.value[OPT_FORMAT];

    *ret = FORM_TEXT;
    for (size_t i = 0; value && i < ARRAY_SIZE(words); i++)
        if (strcmp(words[i], value) == 0) {
            *ret = (enum log_form)i;
            return 0;
        }
    if (!value)
        return 0;
    return cli_fail_usage(c, "portward log --format pfirewall", "unknown format '%s'", value);
}

static int take_since(struct cli *c, int64_t *ret_ms)
{
    const char *value = c->args.value[OPT_SINCE];
    struct diag d;
    uint32_t seconds;

    *ret_ms = 0;
    if (!value)
        return 0;
    if (duration_parse(value, strlen(value), (struct span){0}, &d, &seconds) == 0) {
        *ret_ms = (c->env->now_s - (int64_t)seconds) * 1000;
        return 0;
    }
    *ret_ms = log_time_from_text(value);
    if (*ret_ms >= 0)
        return 0;
    return cli_fail_usage(c, "portward log --since 15m",
                          "'%s' is neither a duration nor a time like 2026-11-22T02:41:12Z", value);
}

static int open_pcap(struct cli *c, FILE **ret)
{
    const char *name = c->args.value[OPT_PCAP];
    struct diag d;

    *ret = NULL;
    if (!name)
        return 0;
    if (strcmp(name, "-") == 0) {
        *ret = c->env->out;
    } else {
        *ret = fopen(name, "wxe"); /* a file that is there is not replaced */
        if (!*ret) {
            (void)diag_errno(&d, errno, "cannot make the file '%s'", name);
            return cli_fail(c, &d);
        }
    }
    pcap_put_header(*ret);
    return 0;
}

/* --- showing --- */

static void put_line(const struct view *v, const struct log_entry *e)
{
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(LINE_BYTES);
    char when[CLI_TEXT_BYTES], clock[CLI_TEXT_BYTES + 8];
    time_t s = (time_t)(e->time_ms / 1000);
    struct tm tm = {0};

    if (v->form == FORM_PFIREWALL) {
        (void)localtime_r(&s, &tm); /* a year that no calendar has prints as 1900 */
        (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
        (void)log_print_pfirewall(e, when, &b);
    } else {
        cli_clock(v->c, (int64_t)s, when);
        (void)snprintf(clock, sizeof(clock), "%s.%03d", when, (int)(e->time_ms % 1000)); /* fits */
        (void)log_print_text(e, clock, &b);
    }
    if (b.error)
        cli_out_of_memory();
    (void)fwrite(b.s, 1, b.len, v->c->env->out); /* errors are looked at at the end */
}

/* One document for each entry, as whoever follows reads them. */
static json_t *data_of(json_t *entries, int64_t next, int64_t lost)
{
    return json_pack("{s:o, s:I, s:I}", "entries", entries, "next", (json_int_t)next, "lost",
                     (json_int_t)lost);
}

/* As the files have it: what is known, without the bytes that only --pcap is for. */
static void put_json(const struct view *v, json_t *j)
{
    _cleanup_json_ json_t *known = json_object();
    const char *key;
    json_t *value;

    json_object_foreach(j, key, value)
    {
        if (!json_is_null(value) && strcmp(key, "head") != 0 &&
            json_object_set(known, key, value) < 0)
            cli_out_of_memory();
    }
    (void)json_dumpf(known, v->c->env->out, JSON_COMPACT | JSON_ENSURE_ASCII); /* as above */
    (void)fputc('\n', v->c->env->out);
}

static void put_document(const struct view *v, json_t *j, int64_t seq)
{
    json_t *list = json_array();

    (void)json_object_del(j, "head"); /* may not be there */
    if (!list || json_array_append(list, j) < 0)
        cli_out_of_memory();
    cli_put_document(v->c, "log", data_of(list, seq, 0));
}

static void put(const struct view *v, json_t *j)
{
    struct log_entry e;

    if (log_entry_from_json(j, &e) < 0)
        return; /* it was read once before, see is_wanted() */
    if (v->pcap)
        pcap_put_entry(v->pcap, &e);
    else if (v->c->json)
        put_document(v, j, (int64_t)e.seq);
    else if (v->form == FORM_JSON)
        put_json(v, j);
    else
        put_line(v, &e);
}

static bool is_wanted(const struct view *v, const json_t *j)
{
    struct log_entry e;

    if (log_entry_from_json(j, &e) < 0 || e.time_ms < v->since_ms)
        return false;
    return !v->filter || log_entry_matches(&e, v->filter);
}

/* What is wanted of an answer, the last `max`. */
static void put_entries(const struct view *v, const json_t *entries, size_t max)
{
    size_t n = 0, i;
    json_t *j;

    json_array_foreach(entries, i, j) n += is_wanted(v, j);
    json_array_foreach(entries, i, j)
    {
        if (!is_wanted(v, j))
            continue;
        if (n-- <= max)
            put(v, j);
    }
}

static json_t *wanted_of(const struct view *v, const json_t *data, size_t max)
{
    const json_t *entries = json_object_get(data, "entries");
    json_t *list = json_array(), *j;
    size_t i;

    json_array_foreach(entries, i, j)
    {
        if (!is_wanted(v, j))
            continue;
        (void)json_object_del(j, "head"); /* may not be there */
        if (!list || json_array_append(list, j) < 0)
            cli_out_of_memory();
    }
    while (json_array_size(list) > max)
        (void)json_array_remove(list, 0); /* it is there */
    return list;
}

static int ask_log(struct cli *c, int64_t after, json_t **ret_doc)
{
    char target[64];

    if (after > 0)
        (void)snprintf(target, sizeof(target), "/v1/log?limit=%d&after=%lld", ASK_MAX,
                       (long long)after); /* fits */
    else
        (void)snprintf(target, sizeof(target), "/v1/log?limit=%d", ASK_MAX); /* fits */
    return cli_fetch(c, "GET", target, ret_doc);
}

static int follow(const struct view *v, int64_t next)
{
    static const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    struct cli *c = v->c;

    for (;;) {
        FILE *out = v->pcap ? v->pcap : c->env->out;
        if (fflush(out) != 0 || ferror(out))
            return 0; /* the reader went away */
        (void)nanosleep(&pause, NULL);
        _cleanup_json_ json_t *doc = NULL;
        int code = ask_log(c, next, &doc);
        if (code)
            return code;
        int64_t lost = cli_int(cli_data(doc), "lost", 0);
        if (lost > 0 && !c->quiet)
            (void)fprintf(c->env->err, "note: %lld lines came too fast and are not shown\n",
                          (long long)lost);
        put_entries(v, json_object_get(cli_data(doc), "entries"), SIZE_MAX);
        next = cli_int(cli_data(doc), "next", next);
    }
}

static int show(const struct view *v)
{
    struct cli *c = v->c;
    _cleanup_json_ json_t *doc = NULL;
    const char *limit = c->args.value[OPT_LIMIT];
    size_t max = limit ? strtoul(limit, NULL, 10) : v->pcap ? ASK_MAX : SHOW_DEFAULT;
    int code = ask_log(c, 0, &doc);

    if (code)
        return code;
    const json_t *data = cli_data(doc);
    if (v->form == FORM_PFIREWALL && !v->pcap && c->header)
        (void)fputs(log_pfirewall_header, c->env->out);
    if (c->json && !c->args.given[OPT_FOLLOW] && !v->pcap)
        cli_put_document(
            c, "log",
            data_of(wanted_of(v, data, max), cli_int(data, "next", 0), cli_int(data, "lost", 0)));
    else
        put_entries(v, json_object_get(data, "entries"), max);
    return c->args.given[OPT_FOLLOW] ? follow(v, cli_int(data, "next", 0)) : 0;
}

static int close_pcap(struct cli *c, FILE *pcap)
{
    struct diag d;

    if (!pcap || pcap == c->env->out)
        return 0;
    if (fclose(pcap) == 0)
        return 0;
    (void)diag_errno(&d, errno, "cannot write the file '%s'", c->args.value[OPT_PCAP]);
    return cli_fail(c, &d);
}

int cmd_log(struct cli *c)
{
    _cleanup_(strbuf_done) struct strbuf words = STRBUF_INIT(LINE_BYTES);
    _cleanup_(command_filter_done) struct command_filter filter = {0};
    struct view v = {.c = c};
    struct diag d;

    if (c->args.given[OPT_MPP])
        return c->n_words > 0 ? cli_fail_usage(c, "portward log --mpp", "--mpp takes no filter")
                              : cmd_mpp_events(c);
    int code = take_form(c, &v.form);
    if (!code)
        code = take_since(c, &v.since_ms);
    if (!code && c->json && c->args.given[OPT_FORMAT])
        code = cli_fail_usage(c, NULL, "--json and --format exclude each other");
    if (!code && c->n_words > 0)
        code = cli_join(c, c->words[0], c->words + 1, c->n_words - 1, &words);
    if (!code && c->n_words > 0) {
        if (text_parse_command(words.s, words.len, &d, &filter) < 0)
            return cli_fail(c, &d);
        v.filter = &filter.filter;
    }
    if (!code)
        code = open_pcap(c, &v.pcap);
    if (code)
        return code;
    code = show(&v);
    int closed = close_pcap(c, v.pcap);
    return code ? code : closed;
}
