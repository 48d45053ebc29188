/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/agent_host.c: what tools ask about the running agent and this host.
 * Made by run.c. Files are read and written with the rights of the caller, never by the agent. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/rpctable.h"
#include "front.h"
#include "host_pins.h"
#include "sockets/sockets.h"

static int take_filter(const json_t *f, struct tool_filter *ret)
{
    const char *policy = json_string_value(json_object_get(f, "policy"));
    const char *rule = json_string_value(json_object_get(f, "rule"));
    *ret = (struct tool_filter){
        .text = strdup(agent_text(f, "text")),
        .policy = policy ? strdup(policy) : NULL,
        .rule = rule ? strdup(rule) : NULL,
        .weight = (uint32_t)strtoul(agent_text(f, "weight"), NULL, 16),
        .packets = (uint64_t)json_integer_value(json_object_get(f, "packets")),
        .bytes = (uint64_t)json_integer_value(json_object_get(f, "bytes")),
    };
    (void)snprintf(ret->id, sizeof(ret->id), "%s", agent_text(f, "id"));
    (void)snprintf(ret->layer, sizeof(ret->layer), "%s", agent_text(f, "layer"));
    if (guid_parse(agent_text(f, "guid"), &ret->guid) < 0)
        ret->guid = (struct guid){0}; /* derived entries have none */
    return !ret->text || (policy && !ret->policy) || (rule && !ret->rule) ? -ENOMEM : 0;
}

static int host_filters(void *ctx, struct diag *d, struct tool_filter **ret, size_t *ret_n)
{
    const struct agent_source *s = ctx;
    _cleanup_json_ json_t *doc = NULL;
    int err = agent_ask(s->front, "GET", "/v1/filters", NULL, d, &doc);
    if (err < 0)
        return err;
    const json_t *filters = json_object_get(json_object_get(doc, "data"), "filters");
    size_t n = json_array_size(filters);
    struct tool_filter *v = calloc(n + 1, sizeof(*v));
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (take_filter(json_array_get(filters, i), &v[i]) < 0) {
            tool_filters_free(v, i + 1);
            return -ENOMEM;
        }
    *ret = v;
    *ret_n = n;
    return 0;
}

static int host_addresses(void *ctx, struct diag *d, struct addr **ret, size_t *ret_n)
{
    const struct agent_source *s = ctx;
    _cleanup_json_ json_t *doc = NULL;
    int err = agent_ask(s->front, "GET", "/v1/host", NULL, d, &doc);
    if (err < 0)
        return err;
    const json_t *list = json_object_get(json_object_get(doc, "data"), "addresses");
    size_t n = 0;
    struct addr *v = calloc(json_array_size(list) + 1, sizeof(*v));
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        enum family family;
        struct ip ip;
        if (text && ip_parse(text, strlen(text), &family, &ip) == 0)
            v[n++] = addr_host(family, ip);
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

static int host_pin_list(void *ctx, struct diag *d, struct tool_pin **ret, size_t *ret_n)
{
    const struct agent_source *s = ctx;
    return host_pins(s->front->env->pin_root, d, ret, ret_n);
}

static int host_sockets(void *ctx _unused_, struct diag *d, struct sockets *ret)
{
    return sockets_read(SOCKETS_WAITING | SOCKETS_CONNECTED | SOCKETS_HOLDERS, NULL, d, ret);
}

static int host_endpoints(void *ctx, const char *host, struct diag *d, struct cli_rpc_table *ret)
{
    const struct agent_source *s = ctx;
    const struct cli_where where = {s->front->socket_path, s->front->timeout_ms};
    return cli_rpc_table_read(&where, host, RPC_ASK_ONC | RPC_ASK_DCE, d, ret);
}

static int host_ask(void *ctx, const char *target, struct diag *d, void **ret_json)
{
    const struct agent_source *s = ctx;
    json_t *doc = NULL;
    int err = agent_ask(s->front, "GET", target, NULL, d, &doc);
    if (err == 0)
        *ret_json = doc;
    return err;
}

static int host_session_get(void *ctx, const char *key, struct diag *d, char **ret)
{
    const struct agent_source *s = ctx;
    _cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT(4096);
    _cleanup_json_ json_t *doc = NULL;
    (void)strbuf_add(&target, "/v1/session"); /* errors are sticky */
    if (api_target_add_query(&target, "key", key) < 0)
        return -EINVAL;
    int err = agent_ask(s->front, "GET", target.s, NULL, d, &doc);
    if (err < 0)
        return err;
    const char *value = json_string_value(json_object_get(json_object_get(doc, "data"), "value"));
    *ret = value ? strdup(value) : NULL;
    return value && !*ret ? -ENOMEM : 0;
}

static int host_session_set(void *ctx, const char *key, const char *value, struct diag *d)
{
    const struct agent_source *s = ctx;
    _cleanup_json_ json_t *doc = NULL;
    json_t *body = json_pack("{s:s, s:s?}", "key", key, "value", value);
    return body ? agent_ask(s->front, "POST", "/v1/session", body, d, &doc) : -ENOMEM;
}

static int host_read_file(void *ctx _unused_, const char *name, size_t max, struct diag *d,
                          char **ret, size_t *ret_len)
{
    _cleanup_(close_p) int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t len = 0, cap = 0;
    _cleanup_free_ char *text = NULL;
    if (fd < 0)
        return diag_errno(d, errno, "cannot read '%s'", name);
    for (;;) {
        int err = array_reserve(&text, &cap, len + 64 * 1024, 1);
        if (err < 0)
            return err;
        ssize_t n = read(fd, text + len, cap - len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return diag_errno(d, errno, "cannot read '%s'", name);
        if (n == 0)
            break;
        len += (size_t)n;
        if (len > max)
            return diag_fail(d, DIAG_LIMIT, "'%s' has more than %zu bytes", name, max);
    }
    text[len] = '\0';
    *ret = TAKE_PTR(text);
    *ret_len = len;
    return 0;
}

static int host_write_file(void *ctx _unused_, const char *name, const char *text, size_t len,
                           struct diag *d)
{
    _cleanup_(close_p) int fd =
        open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return diag_errno(d, errno, "cannot write '%s'", name);
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return diag_errno(d, errno, "cannot write '%s'", name);
        text += n;
        len -= (size_t)n;
    }
    return fsync(fd) < 0 && errno != EINVAL ? diag_errno(d, errno, "cannot write '%s'", name) : 0;
}

static bool host_is_local(void *ctx, const char *name)
{
    char own[256] = "";
    enum family family;
    struct ip ip;
    struct addr *v = NULL;
    size_t n = 0;
    bool found = false;
    if (strcmp(name, ".") == 0 || strcasecmp(name, "localhost") == 0 || strcmp(name, "::1") == 0 ||
        strncmp(name, "127.", 4) == 0)
        return true;
    if (gethostname(own, sizeof(own) - 1) == 0) {
        size_t first = strcspn(own, ".");
        if (strcasecmp(name, own) == 0 ||
            (strlen(name) == first && strncasecmp(name, own, first) == 0))
            return true;
    }
    if (ip_parse(name, strlen(name), &family, &ip) < 0 || host_addresses(ctx, NULL, &v, &n) < 0)
        return false;
    struct addr wanted = addr_host(family, ip);
    for (size_t i = 0; i < n; i++)
        found |= addr_eq(&v[i], &wanted);
    free(v);
    return found;
}

static bool host_confirm(void *ctx, const char *question, bool *ret_yes)
{
    const struct agent_source *s = ctx;
    const struct cli_env *env = s->front->env;
    char answer[16] = "";
    if (!env->in_tty || !env->err_tty)
        return false;
    (void)fprintf(env->err, "%s [y/N] ", question);
    (void)fflush(env->err);
    *ret_yes = fgets(answer, sizeof(answer), env->in) && (answer[0] == 'y' || answer[0] == 'Y');
    return true;
}

void agent_host_init(struct agent_source *s, bool may_show, struct tool_host *ret)
{
    *ret = (struct tool_host){
        .ctx = s,
        .filters = host_filters,
        .addresses = host_addresses,
        .pins = host_pin_list,
        .ask = host_ask,
        .endpoints = host_endpoints,
        .scan = agent_scan,
        .show = may_show ? agent_show : NULL,
        .sockets = host_sockets,
        .session_get = host_session_get,
        .session_set = host_session_set,
        .read_file = host_read_file,
        .write_file = host_write_file,
        .is_local = host_is_local,
        .confirm = host_confirm,
    };
}
