/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/routes.c: the table of requests (docs/api.md says the same in words), finding a request
 * in it, and the check of rights. Called by server.c. Whoever adds a request adds a line here
 * and a handler. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "request.h"

enum {
    SMALL_BODY = 256 * 1024,      /* names, packets, a reason */
    FILTER_BODY = 8 * 1024 * 1024 /* one filter with strings, or many ids */
};

#define CHANGES                                                                         \
    (PARAM_BIT(PARAM_REASON) | PARAM_BIT(PARAM_IF_GENERATION) | PARAM_BIT(PARAM_PEER) | \
     PARAM_BIT(PARAM_DRY_RUN))
#define BIT(p)   PARAM_BIT(PARAM_##p)
#define POLICIES "/v1/policies"

const struct route api_routes[] = {
    {"GET", "/v1/status", "status", RIGHT_READ, 0, 0, 0, API_TEXT_WORDS, handle_status},
    {"GET", "/v1/filters", "list", RIGHT_READ, 0, BIT(LAYER) | BIT(POLICY) | BIT(ALL), 0,
     API_TEXT_WORDS, handle_list},
    {"POST", "/v1/filters", "block", RIGHT_CHANGE, FILTER_BODY, BIT(TEXT) | CHANGES, BIT(TEXT),
     API_TEXT_WORDS, handle_filter_add},
    {"DELETE", "/v1/filters", "delete", RIGHT_CHANGE, FILTER_BODY, BIT(ITEMS) | CHANGES, BIT(ITEMS),
     API_TEXT_WORDS, handle_filter_delete},
    {"POST", "/v1/flush", "flush", RIGHT_CHANGE, SMALL_BODY, CHANGES, 0, API_TEXT_WORDS,
     handle_flush},
    {"GET", POLICIES, "policy-list", RIGHT_READ, 0, 0, 0, API_TEXT_WORDS, handle_policies},
    {"GET", POLICIES "/*", "policy-show", RIGHT_READ, 0, BIT(SOURCE) | BIT(REVISION) | BIT(IDS), 0,
     API_TEXT_WORDS, handle_policy_text},
    {"GET", "/v1/history", "policy-history", RIGHT_READ, 0, BIT(POLICY) | BIT(LIMIT), 0,
     API_TEXT_WORDS, handle_history},
    {"POST", POLICIES, "policy-load", RIGHT_CHANGE, LIMIT_API_BODY_BYTES,
     BIT(TEXT) | BIT(NAME) | BIT(REPLACE) | CHANGES, BIT(TEXT), API_TEXT_FILE, handle_policy_load},
    {"DELETE", POLICIES "/*", "policy-delete", RIGHT_CHANGE, SMALL_BODY, CHANGES, 0, API_TEXT_WORDS,
     handle_policy_delete},
    {"POST", POLICIES "/*/rollback", "policy-rollback", RIGHT_CHANGE, SMALL_BODY,
     BIT(REVISION) | CHANGES, 0, API_TEXT_WORDS, handle_policy_rollback},
    {"POST", POLICIES "/*/assign", "policy-assign", RIGHT_CHANGE, SMALL_BODY,
     BIT(PERSISTENT) | CHANGES, 0, API_TEXT_WORDS, handle_assign},
    {"POST", "/v1/unassign", "policy-unassign", RIGHT_CHANGE, SMALL_BODY, BIT(PERSISTENT) | CHANGES,
     0, API_TEXT_WORDS, handle_unassign},
    {"POST", POLICIES "/*/rules", "rule-add", RIGHT_CHANGE, FILTER_BODY,
     BIT(NAME) | BIT(TEXT) | BIT(CREATE) | BIT(REPLACE) | CHANGES, BIT(NAME) | BIT(TEXT),
     API_TEXT_WORDS, handle_rule_add},
    {"DELETE", POLICIES "/*/rules/*", "rule-delete", RIGHT_CHANGE, SMALL_BODY, CHANGES, 0,
     API_TEXT_WORDS, handle_rule_delete},
    {"POST", "/v1/explain", "explain", RIGHT_READ, SMALL_BODY, BIT(PACKET) | BIT(LIVE), BIT(PACKET),
     API_TEXT_WORDS, handle_explain},
    {"GET", "/v1/counters", "counters", RIGHT_READ, 0, BIT(POLICY), 0, API_TEXT_WORDS,
     handle_counters},
    {"POST", "/v1/counters/reset", "counters-reset", RIGHT_CHANGE, SMALL_BODY, CHANGES, 0,
     API_TEXT_WORDS, handle_counters_reset},
    {"GET", "/v1/flows", "flows", RIGHT_READ, 0, 0, 0, API_TEXT_WORDS, handle_flows},
    {"POST", "/v1/flows/delete", "flows-delete", RIGHT_CHANGE, SMALL_BODY, BIT(TEXT) | CHANGES,
     BIT(TEXT), API_TEXT_WORDS, handle_flows_delete},
    {"GET", "/v1/mpp", "mpp", RIGHT_READ, 0, 0, 0, API_TEXT_WORDS, handle_mpp},
    {"POST", "/v1/mpp", "mpp-change", RIGHT_CHANGE, SMALL_BODY, BIT(TEXT) | CHANGES, BIT(TEXT),
     API_TEXT_WORDS, handle_mpp_change},
    {"GET", "/v1/mpp/ranking", "mpp-ranking", RIGHT_READ, 0, BIT(LIMIT), 0, API_TEXT_WORDS,
     handle_mpp_ranking},
    {"GET", "/v1/mpp/records", "mpp-records", RIGHT_READ, 0, BIT(LIMIT), 0, API_TEXT_WORDS,
     handle_mpp_records},
    {"GET", "/v1/log", "log", RIGHT_READ, 0, BIT(AFTER) | BIT(LIMIT), 0, API_TEXT_WORDS,
     handle_log},
    {"GET", "/v1/metrics", "metrics", RIGHT_READ, 0, 0, 0, API_TEXT_WORDS, handle_metrics},
    {"POST", "/v1/batch", "batch", RIGHT_CHANGE, LIMIT_API_BODY_BYTES,
     BIT(OPS) | BIT(IF_STATE) | BIT(ORIGIN) | BIT(KEEP_HOLDERS) | CHANGES, BIT(OPS), API_TEXT_WORDS,
     handle_batch},
    {"GET", "/v1/state", "state", RIGHT_READ, 0, 0, 0, API_TEXT_WORDS, handle_state},
    {"GET", "/v1/library", "library", RIGHT_READ, 0, 0, 0, API_TEXT_WORDS, handle_library},
    {"GET", "/v1/settings", "settings", RIGHT_READ, 0, BIT(KEY), 0, API_TEXT_WORDS,
     handle_settings},
    {"GET", "/v1/rpc", "rpc-show", RIGHT_READ, 0, 0, 0, API_TEXT_WORDS, handle_rpc},
    {"GET", "/v1/host", "host", RIGHT_READ, 0, 0, 0, API_TEXT_WORDS, handle_host},
    {"GET", "/v1/sockets", "sockets", RIGHT_READ, 0, BIT(ALL), 0, API_TEXT_WORDS, handle_sockets},
    {"POST", "/v1/reach", "reach", RIGHT_READ, FILTER_BODY, BIT(ITEMS), BIT(ITEMS), API_TEXT_WORDS,
     handle_reach},
    {"GET", "/v1/session", "session", RIGHT_READ, 0, BIT(KEY), BIT(KEY), API_TEXT_WORDS,
     handle_session_get},
    {"POST", "/v1/session", "session", RIGHT_READ, SMALL_BODY, BIT(KEY) | BIT(VALUE), BIT(KEY),
     API_TEXT_WORDS, handle_session_put},
    {"POST", "/v1/stop", "stop", RIGHT_CHANGE, SMALL_BODY, BIT(REASON) | BIT(PEER), 0,
     API_TEXT_WORDS, handle_stop},
};
const size_t api_n_routes = ARRAY_SIZE(api_routes);

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *p = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

    return p ? (int)(p - digits) : -1;
}

int route_decode(const char *s, size_t n, char **ret)
{
    _cleanup_free_ char *out = malloc(n + 1);
    size_t len = 0;

    if (!out)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        int high, low;

        if (s[i] != '%') {
            out[len++] = s[i];
            continue;
        }
        if (n - i < 3)
            return -EINVAL;
        high = hex_digit(s[i + 1]);
        low = hex_digit(s[i + 2]);
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return -EINVAL;
        out[len++] = (char)(high * 16 + low);
        i += 2;
    }
    out[len] = '\0';
    if (!utf8_valid(out, len))
        return -EINVAL;
    *ret = TAKE_PTR(out);
    return 0;
}

/* Length of the segment that begins behind the '/' at path; 0 = there is none. */
static size_t segment(const char *path)
{
    return path[0] == '/' ? strcspn(path + 1, "/") : 0;
}

static bool matches(const char *pattern, const char *path)
{
    while (*pattern && *path) {
        size_t want = segment(pattern), have = segment(path);
        bool any = want == 1 && pattern[1] == '*';

        if (want == 0 || have == 0)
            return false;
        if (!any && (want != have || memcmp(pattern + 1, path + 1, want) != 0))
            return false;
        pattern += want + 1;
        path += have + 1;
    }
    return !*pattern && !*path;
}

static int take_captures(struct request *r, const char *path)
{
    const char *pattern = r->route->path;
    size_t n = 0;

    while (*pattern) {
        size_t want = segment(pattern), have = segment(path);

        if (want == 1 && pattern[1] == '*' && n < API_CAPTURES &&
            route_decode(path + 1, have, &r->capture[n++]) < 0)
            return diag_fail(&r->diag, DIAG_USAGE, "name in the path is not valid");
        pattern += want + 1;
        path += have + 1;
    }
    return 0;
}

int route_find(struct request *r, const char *method, const char *path)
{
    for (size_t i = 0; i < api_n_routes; i++)
        if (strcmp(api_routes[i].method, method) == 0 && matches(api_routes[i].path, path)) {
            r->route = &api_routes[i];
            r->verb = r->route->verb;
            return take_captures(r, path);
        }
    return diag_fail(&r->diag, DIAG_UNKNOWN_OBJECT, "no such request: '%s %s'", method, path);
}

int route_authorise(struct request *r)
{
    if (r->right >= r->route->right)
        return 0;
    if (r->route->right == RIGHT_CHANGE) {
        (void)diag_fail(&r->diag, DIAG_PERMISSION, "no permission to change what is in force");
        diag_hint(&r->diag, "run as root or join group 'portward-admin'");
    } else {
        (void)diag_fail(&r->diag, DIAG_PERMISSION, "no permission to read what is in force");
        diag_hint(&r->diag, "run as root or join group 'portward'");
    }
    return -EPERM;
}

bool route_takes_text(const struct request *r)
{
    return r->route->origin == API_TEXT_FILE && r->route->params & PARAM_BIT(PARAM_TEXT);
}

void route_run(struct request *r, const char *body, size_t body_len)
{
    int e = 0;

    if (r->text_body)
        e = params_from_text(r, body, body_len);
    else if (r->route->body_max)
        e = params_from_body(r, body, body_len);
    if (e == 0)
        e = params_check(r);
    if (e == 0)
        e = r->route->handle(r);
    if (e < 0)
        answer_diag(r);
    if (r->text_body)
        r->params.text[PARAM_TEXT] = NULL; /* the caller's */
}
