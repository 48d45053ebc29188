/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_config.c: netsh ipsec dynamic set config and show config (windows.md 5, 13, 14).
 * Called through the table of commands. Invariant: each property is one setting of the agent, so it
 * outlives the service, as on Windows, and holds at once. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "netsh.h"

enum { VALUE_BYTES = 4096 };

struct property;
/* Reads the value into what the setting holds. */
typedef int (*read_value)(struct netsh *n, const struct netsh_args *a, const struct property *p,
                          struct diag *d, char ret[VALUE_BYTES]);
struct property {
    const char *name, *key, *otherwise; /* value where nothing is set */
    read_value read;
    struct netsh_range range;
    const char *hint;
    bool effect;
};

static int fail_value(struct netsh *n, const struct netsh_args *a, const struct property *p,
                      struct diag *d)
{
    int err = netsh_fail_value(n, a, T_VALUE, d, "%s takes no '%s'", p->name, a->value[T_VALUE]);
    diag_hint(d, "%s", p->hint);
    return err;
}

static int read_number(struct netsh *n, const struct netsh_args *a, const struct property *p,
                       struct diag *d, char ret[VALUE_BYTES])
{
    uint32_t value = 0;
    int err = netsh_get_number(n, a, T_VALUE, &p->range, d, &value);
    if (err < 0)
        return fail_value(n, a, p, d);
    (void)format_into(ret, VALUE_BYTES, "%u", value);
    return 0;
}

/* KB813878: a peer that sends from port 88 reaches every blocked port. */
static int read_exempt(struct netsh *n, const struct netsh_args *a, const struct property *p,
                       struct diag *d, char ret[VALUE_BYTES])
{
    int err = read_number(n, a, p, d, ret);
    if (err < 0 || (ret[0] != '0' && ret[0] != '2'))
        return err;
    return tool_remark(
        n->t, NOTE_FORETOLD, d,
        "at level %s Kerberos is exempt: a packet from source port 88 bypasses every "
        "filter",
        ret);
}

static int read_bootmode(struct netsh *n, const struct netsh_args *a, const struct property *p,
                         struct diag *d, char ret[VALUE_BYTES])
{
    static const char *const modes[] = {"permit", "block", "stateful"};
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (strcasecmp(a->value[T_VALUE], modes[i]) == 0) {
            (void)format_into(ret, VALUE_BYTES, "%s", modes[i]);
            return 0;
        }
    return fail_value(n, a, p, d);
}

/* PROTO:SRCPORT:DSTPORT:DIRECTION as an entry of [boot] exempt. */
static bool read_exemption(const char *s, size_t len, bool *ret_source, struct strbuf *out)
{
    char word[64], proto[8], direction[16], rest;
    unsigned source, destination;
    if (len >= sizeof(word))
        return false;
    (void)format_into(word, sizeof(word), "%.*s", (int)len, s);
    for (char *c = word; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (sscanf(word, "%7[a-z]:%5u:%5u:%15[a-z]%c", proto, &source, &destination, direction,
               &rest) != 4)
        return false;
    bool in = strcmp(direction, "inbound") == 0;
    if ((strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0) || source > 65535 ||
        destination == 0 || destination > 65535 || (!in && strcmp(direction, "outbound") != 0))
        return false;
    *ret_source = *ret_source || source != 0;
    (void)strbuf_addf(out, "%s%s %s/%u from any", out->len > 0 ? ", " : "", in ? "in" : "out",
                      proto, destination);
    return true;
}

static int read_bootexemptions(struct netsh *n, const struct netsh_args *a,
                               const struct property *p, struct diag *d, char ret[VALUE_BYTES])
{
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(VALUE_BYTES - 1);
    bool source = false;
    const char *s = a->value[T_VALUE];
    if (strcasecmp(s, "none") == 0)
        s = "";
    for (s += strspn(s, " ,"); *s != '\0'; s += strspn(s, " ,")) {
        size_t len = strcspn(s, " ,");
        if (!read_exemption(s, len, &source, &out))
            return fail_value(n, a, p, d);
        s += len;
    }
    if (out.error == -E2BIG)
        return netsh_fail(n, d, NETSH_REFUSED, DIAG_LIMIT, "too many exemptions");
    if (source) {
        int err = netsh_fail(n, d, NETSH_REFUSED, DIAG_COMBINATION,
                             "an exemption by source port is not possible here");
        diag_hint(d, "give 0 as source port");
        return err;
    }
    (void)format_into(ret, VALUE_BYTES, "%s", out.s ? out.s : "");
    return out.error;
}

static const struct property properties[] = {
    {"ipsecexempt", "filter.exempt", "3", read_exempt, {0, 3, NULL}, "0 to 3", true},
    {"bootmode",
     "boot.mode",
     "stateful",
     read_bootmode,
     {0, 0, NULL},
     "permit, block or stateful",
     true},
    {"bootexemptions",
     "boot.exempt",
     "none",
     read_bootexemptions,
     {0, 0, NULL},
     "for example \"TCP:0:3389:inbound UDP:0:53:outbound\", or none",
     true},
    {"ipsecdiagnostics",
     "dialect.ipsecdiagnostics",
     "0",
     read_number,
     {0, 7, NULL},
     "0 to 7",
     false},
    {"ikelogging", "dialect.ikelogging", "0", read_number, {0, 1, NULL}, "0 or 1", false},
    {"strongcrlcheck", "dialect.strongcrlcheck", "1", read_number, {0, 2, NULL}, "0 to 2", false},
    {"ipsecloginterval",
     "dialect.ipsecloginterval",
     "3600",
     read_number,
     {60, 86400, NULL},
     "60 to 86400 seconds",
     false},
};

/* By its beginning, if only one begins so. */
static const struct property *find(const char *word)
{
    const struct property *found = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(properties); i++) {
        if (!netsh_has_prefix(word, properties[i].name))
            continue;
        if (found)
            return NULL;
        found = &properties[i];
    }
    return found;
}

int netsh_set_config(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    char value[VALUE_BYTES];
    const struct property *p = find(a->value[T_PROPERTY]);
    if (!p) {
        int err =
            netsh_fail_value(n, a, T_PROPERTY, d, "unknown property '%s'", a->value[T_PROPERTY]);
        diag_hint(d, "one of: %s", netsh_tag_values(T_PROPERTY));
        return err;
    }
    int err = p->read(n, a, p, d, value);
    if (err == 0)
        err = catalog_setting_set(n->t->catalog, p->key, value);
    if (err < 0 || p->effect)
        return err;
    return tool_remark(n->t, NOTE, d, "%s is stored and has no effect", p->name);
}

int netsh_show_config(struct netsh *n, const struct netsh_args *a, struct diag *d)
{
    (void)a;
    for (size_t i = 0; i < ARRAY_SIZE(properties); i++) {
        _cleanup_free_ char *value = NULL;
        int err = catalog_setting_get(n->t->catalog, properties[i].key, d, &value);
        if (err < 0)
            return err;
        netsh_print_field(&n->t->out, properties[i].name,
                          value && value[0] != '\0' ? value : properties[i].otherwise);
    }
    return 0;
}
