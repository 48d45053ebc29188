/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/cmd_status.c: `portward status`: the first page. Called from the table of commands.
 * Without an agent it says first what the kernel holds, as far as the pins tell, and never more
 * than is known. */
#include <ctype.h>
#include <errno.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "cli/context.h"
#include "cli/pins.h"

static void label(struct cli *c, const char *text)
{
    (void)fprintf(c->env->out, "%-11s  ", text);
}

static void put_duration(struct cli *c, int64_t s)
{
    char text[DURATION_TEXT_BYTES];

    duration_print_human(s > 0 ? (uint64_t)s : 0, text);
    (void)fputs(text, c->env->out);
}

static void put_enforcement(struct cli *c, const json_t *e)
{
    const json_t *interfaces = json_object_get(e, "interfaces"), *i;
    size_t k, n = 0, attached = 0;
    char hook[16] = "";

    json_array_foreach(interfaces, k, i)
    {
        if (strcmp(cli_str(i, "role"), "normal") != 0)
            continue;
        n++;
        attached += json_is_true(json_object_get(i, "attached_in")) &&
                    json_is_true(json_object_get(i, "attached_out"));
    }
    for (k = 0; cli_str(e, "hook")[k] && k + 1 < sizeof(hook); k++)
        hook[k] = (char)toupper((unsigned char)cli_str(e, "hook")[k]);
    label(c, "enforcement");
    cli_put(c, cli_str(e, "state"));
    (void)fprintf(c->env->out, ", generation %lld for ", (long long)c->generation);
    put_duration(c, cli_int(e, "since_s", 0));
    (void)fprintf(c->env->out, ", %zu of %zu interface%s, ", attached, n, n == 1 ? "" : "s");
    cli_put(c, hook);
    if (!json_is_true(json_object_get(e, "armed")))
        (void)fputs("; no block is in force", c->env->out);
    (void)fputc('\n', c->env->out);
}

/* The guard, and without it what nobody judges. */
static void put_guard(struct cli *c, const json_t *e)
{
    const char *state = cli_str(e, "guard");

    label(c, "guard");
    cli_put(c, state);
    if (strcmp(state, "on") != 0)
        (void)fputs("; not judged: new interfaces until they are attached, addresses that are "
                    "translated to this host, packets unwrapped inside IP, what a program in "
                    "front of ours lets pass",
                    c->env->out);
    (void)fputc('\n', c->env->out);
}

/* Names of interfaces, the first few; none: false. */
static bool put_names(struct cli *c, const json_t *interfaces, const char *key, const char *value,
                      const char *before)
{
    enum { SHOWN = 6 };
    const json_t *i;
    size_t k, n = 0;

    json_array_foreach(interfaces, k, i)
    {
        const char *has = cli_str(i, key);

        if (strcmp(cli_str(i, "role"), "none") == 0 || (value ? strcmp(has, value) != 0 : !*has))
            continue;
        if (n < SHOWN) {
            (void)fputs(n ? ", " : before, c->env->out);
            cli_put(c, cli_str(i, "name"));
            if (!value) {
                (void)fputs(" (", c->env->out);
                cli_put(c, has);
                (void)fputc(')', c->env->out);
            }
        }
        n++;
    }
    if (n > SHOWN)
        (void)fprintf(c->env->out, " and %zu more", n - SHOWN);
    return n > 0;
}

/* What the interfaces count as, and those of a kind that nobody has tried out. */
static void put_interfaces(struct cli *c, const json_t *interfaces)
{
    static const char *const profiles[] = {"public", "private", "domain"};
    bool any = false;

    for (size_t p = 0; p < ARRAY_SIZE(profiles); p++) {
        char before[32];

        (void)snprintf(before, sizeof(before), any ? "; %s " : "profiles     %s ", profiles[p]);
        any |= put_names(c, interfaces, "profile", profiles[p], before);
    }
    if (any)
        (void)fputc('\n', c->env->out);
    if (put_names(c, interfaces, "untested_kind", NULL, "untested     "))
        (void)fputs(": filtered, but no test of this version sends packets through this kind\n",
                    c->env->out);
}

static void put_policy(struct cli *c, const json_t *p)
{
    const char *local = cli_str(p, "local"), *persistent = cli_str(p, "persistent");

    label(c, "policy");
    if (*local) {
        (void)fputs("local ", c->env->out);
        cli_put_quoted(c, local);
    }
    if (*persistent) {
        (void)fputs(*local ? "; persistent " : "persistent ", c->env->out);
        cli_put_quoted(c, persistent);
    }
    (void)fputs(*local || *persistent ? "\n" : "none assigned\n", c->env->out);
}

static void put_dynamic(struct cli *c, const json_t *d)
{
    int64_t n = cli_int(d, "filters", 0), next = cli_int(d, "next_expiry_s", -1);

    label(c, "dynamic");
    cli_put_count(c, n, "filter");
    if (next >= 0) {
        (void)fputs(", next expiry in ", c->env->out);
        put_duration(c, next);
    }
    (void)fputc('\n', c->env->out);
}

/* Nothing while nothing was to be logged. */
static void put_log(struct cli *c, const json_t *l)
{
    int64_t written = cli_int(l, "written", 0), suppressed = cli_int(l, "suppressed", 0);
    int64_t lost = cli_int(l, "lost", 0);

    if (written + suppressed + lost == 0)
        return;
    label(c, "log");
    cli_put_count(c, written, "packet");
    (void)fprintf(c->env->out, ", %lld more beyond the rate, %lld lost\n", (long long)suppressed,
                  (long long)lost);
}

static void put_agent(struct cli *c, const json_t *data)
{
    char memory[CLI_TEXT_BYTES];

    label(c, "agent");
    cli_size(cli_int(data, "memory_bytes", 0), memory);
    (void)fprintf(c->env->out, "running, pid %lld, %s, up ", (long long)cli_int(data, "pid", 0),
                  memory);
    put_duration(c, cli_int(data, "uptime_s", 0));
    (void)fputc('\n', c->env->out);
}

/* Paths that no filter sees (datapath.md 2.4), the first few by name. */
static void put_beside(struct cli *c, const json_t *list)
{
    enum { SHOWN = 5 };
    size_t n = json_array_size(list), i;
    const json_t *b;

    if (n == 0)
        return;
    label(c, "beside");
    cli_put_count(c, (int64_t)n, "path");
    (void)fputs(" beside the hook: ", c->env->out);
    json_array_foreach(list, i, b)
    {
        if (i == SHOWN)
            break;
        (void)fputs(i ? "; " : "", c->env->out);
        cli_put(c, cli_str(b, "text"));
    }
    if (n > SHOWN)
        (void)fprintf(c->env->out, "; and %zu more", n - SHOWN);
    (void)fputc('\n', c->env->out);
}

static void put_warnings(struct cli *c, const json_t *doc)
{
    const json_t *w;
    size_t i;

    json_array_foreach(json_object_get(doc, "warnings"), i, w)
    {
        const char *hint = cli_str(w, "hint");

        cli_style_begin(c->env->out, STYLE_WARNING, c->colour);
        label(c, "warning");
        cli_style_end(c->env->out, STYLE_WARNING, c->colour);
        cli_put(c, cli_str(w, "message"));
        if (*hint) {
            (void)fputs(", see: ", c->env->out);
            cli_put(c, hint);
        }
        (void)fputc('\n', c->env->out);
    }
}

static void show_status(struct cli *c, const json_t *doc)
{
    const json_t *data = cli_data(doc);

    cli_put(c, cli_str(data, "host"));
    (void)fputs("  portward ", c->env->out);
    cli_put(c, cli_str(data, "version"));
    (void)fprintf(c->env->out, ", network namespace cookie %lld\n",
                  (long long)cli_int(data, "netns_cookie", 0));
    put_enforcement(c, json_object_get(data, "enforcement"));
    put_guard(c, json_object_get(data, "enforcement"));
    put_interfaces(c, json_object_get(json_object_get(data, "enforcement"), "interfaces"));
    put_beside(c, json_object_get(data, "beside"));
    put_policy(c, json_object_get(data, "policy"));
    put_dynamic(c, json_object_get(data, "dynamic"));
    put_log(c, json_object_get(data, "log"));
    put_agent(c, data);
    put_warnings(c, doc);
}

/* Whether the pins can be seen from here: like cli_is_bpffs(), for the directory the pin root
 * is in, as the pin root itself exists only after the first agent. */
static int pins_visible(const char *pin_root)
{
    _cleanup_free_ char *parent = strdup(pin_root);

    if (!parent)
        cli_out_of_memory();
    return cli_is_bpffs(dirname(parent));
}

/* What the pins say: NULL if they say it, else why it is not known. */
static const char *read_pins(const struct cli *c, uint64_t *cookie, struct cli_pins *pins)
{
    int r = cli_netns_cookie(cookie);

    if (r < 0)
        return "unknown (kernel does not tell the network namespace)";
    r = pins_visible(c->env->pin_root);
    if (r == 0 || r == -ENOENT)
        return "unknown (no bpffs is mounted here; enter the namespace with nsenter --net)";
    if (r > 0)
        r = cli_pins_read(c->env->pin_root, *cookie, pins);
    if (r == -EACCES || r == -EPERM)
        return "unknown (needs root)";
    return r < 0 ? "unknown (the pins cannot be read)" : NULL;
}

static void show_kernel(struct cli *c, const char *unknown, uint64_t cookie,
                        const struct cli_pins *pins)
{
    char host[256] = "";
    bool any = false;

    (void)gethostname(host, sizeof(host) - 1); /* "" if it fails */
    cli_put(c, host);
    (void)fprintf(c->env->out, "  portward %s, network namespace cookie %llu\n", PORTWARD_VERSION,
                  (unsigned long long)cookie);
    label(c, "enforcement");
    if (unknown) {
        (void)fprintf(c->env->out, "%s\n", unknown);
        return;
    }
    for (size_t i = 0; i < pins->n; i++) {
        if (!*pins->v[i].name)
            continue;
        (void)fputs(any ? ", " : "by the kernel without the agent, pinned on ", c->env->out);
        cli_put(c, pins->v[i].name);
        if (!pins->v[i].in || !pins->v[i].out)
            (void)fprintf(c->env->out, " (%s only)", pins->v[i].in ? "in" : "out");
        any = true;
    }
    (void)fputs(any ? "\n" : "none: nothing is pinned in this network namespace\n", c->env->out);
}

static json_t *kernel_json(const char *unknown, uint64_t cookie, const struct cli_pins *pins)
{
    json_t *interfaces = json_array(), *data;

    for (size_t i = 0; i < pins->n; i++) {
        const struct cli_pin *p = &pins->v[i];
        json_t *j = json_pack("{s:s, s:I, s:b, s:b}", "name", p->name, "ifindex",
                              (json_int_t)p->ifindex, "pinned_in", p->in, "pinned_out", p->out);

        if (*p->name && json_array_append(interfaces, j) < 0)
            cli_out_of_memory();
        json_decref(j);
    }
    data =
        json_pack("{s:I, s:{s:s, s:o}}", "netns_cookie", (json_int_t)cookie, "enforcement", "state",
                  unknown                           ? "unknown"
                  : json_array_size(interfaces) > 0 ? "kernel-only"
                                                    : "none",
                  "interfaces", interfaces);
    if (!data)
        cli_out_of_memory();
    return data;
}

static int without_agent(struct cli *c, const struct diag *d)
{
    _cleanup_(cli_pins_done) struct cli_pins pins = {0};
    uint64_t cookie = 0;
    const char *unknown = read_pins(c, &cookie, &pins);
    json_t *data = kernel_json(unknown, cookie, &pins);
    struct diag shown = *d;

    /* The usual hint says that the kernel goes on: not where it is known that it does not. */
    if (d->code == DIAG_AGENT &&
        strcmp(cli_str(json_object_get(data, "enforcement"), "state"), "none") == 0)
        diag_hint(&shown, "systemctl start portwardd");
    if (!c->json)
        show_kernel(c, unknown, cookie, &pins);
    return cli_fail_with_data(c, &shown, data);
}

int cmd_status(struct cli *c)
{
    _cleanup_json_ json_t *doc = NULL;
    struct diag d;
    int code = cli_try_ask(c, "GET", "/v1/status", NULL, &d, &doc);

    if (code < 0)
        return without_agent(c, &d);
    if (code == 0 && !c->json)
        show_status(c, doc);
    if (code == 0 && json_array_size(json_object_get(doc, "warnings")) > 0)
        return 6;
    return code;
}
