/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/halfopen.c: see cli/halfopen.h. Called by cmd_policy_check.c. A mapper that the policy leaves
 * open to everybody says nothing of its intent, unless all of them are: a policy about Windows
 * clients has no word for port 111. */
#include "cli/halfopen.h"

#include <stdio.h>
#include <string.h>

#include "cli/context.h"

enum { REACH_MAX = 4096 };
static const struct mapper {
    const char *proto, *port;
} mappers[] = {{"tcp", "135"}, {"tcp", "111"}, {"udp", "111"}};
static const char any[] = "any";

void cli_half_open_init(const struct cli_where *w, struct cli_half_open *h)
{
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_json_ json_t *doc = NULL;
    struct api_request r = {.method = "GET", .target = "/v1/rpc", .timeout_ms = w->timeout_ms};
    struct diag ignored;

    h->range[0] = '\0';
    if (api_client_call(w->socket_path, &r, &ignored, &answer) < 0)
        return;
    doc = json_loadb(answer.body, answer.body_len, JSON_REJECT_DUPLICATES, NULL);
    (void)snprintf(h->range, sizeof(h->range), "%s", cli_str(cli_data(doc), "ports")); /* cut */
    if (strlen(h->range) + 1 >= sizeof(h->range))
        h->range[0] = '\0'; /* too many parts for one filter */
}

static bool find(const struct cli_half_open *h, const struct effective *e, const struct mapper *m,
                 bool also_any, struct strbuf *message, struct strbuf *hint)
{
    _cleanup_(strbuf_done) struct strbuf to_mapper = STRBUF_INIT(REACH_MAX),
                                         to_range = STRBUF_INIT(REACH_MAX);
    const char *from, *range;

    cli_reach(e, m->proto, m->port, &to_mapper);
    cli_reach(e, m->proto, h->range, &to_range);
    from = to_mapper.s ? to_mapper.s : "";
    range = to_range.s ? to_range.s : "";
    if (strcmp(from, range) == 0 || (strcmp(from, any) == 0 && !also_any))
        return false;
    (void)strbuf_addf(message, "rpc-half-open: %s reaches the mapper (%s port %s), %s the range %s",
                      *from ? from : "nobody", m->proto, m->port, *range ? range : "nobody",
                      h->range); /* errors are sticky */
    if (*from && !strstr(from, "; ") && !strstr(from, " but "))
        (void)strbuf_addf(hint, "permit in %s from %s to me port %s", m->proto, from, h->range);
    if (message->error || hint->error)
        cli_out_of_memory();
    return true;
}

bool cli_half_open_find(const struct cli_half_open *h, const struct effective *e,
                        struct strbuf *message, struct strbuf *hint)
{
    if (!h->range[0])
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(mappers); i++)
        if (find(h, e, &mappers[i], /* also_any= */ false, message, hint))
            return true;
    for (size_t i = 0; i < ARRAY_SIZE(mappers); i++) {
        _cleanup_(strbuf_done) struct strbuf reach = STRBUF_INIT(REACH_MAX);

        cli_reach(e, mappers[i].proto, mappers[i].port, &reach);
        if (!reach.s || strcmp(reach.s, any) != 0)
            return false; /* one of them is restricted, and fits the range */
    }
    return find(h, e, &mappers[0], /* also_any= */ true, message, hint);
}
