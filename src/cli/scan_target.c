/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/scan_target.c: which addresses are scanned (exposure.md 3.1). Called by `scan` and by the
 * dialect `spp`. Names are resolved before the network namespace is changed: what resolves them is
 * reached from here. */
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "cli/scan.h"
#include "cli/table.h"

enum { PREFIX_MIN_4 = 28, PREFIX_MIN_6 = 124, WORD_BYTES = 256 };

void cli_scan_targets_done(struct cli_scan_targets *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->v[i].name);
    free(t->v);
    *t = (struct cli_scan_targets){0};
}

/* The same address twice is one. */
static int add(struct cli_scan_targets *t, const struct cli_scan_target *target, struct diag *d)
{
    const char *refused = probe_refuse(target->family, target->ip);
    char text[IP_TEXT_BYTES];

    ip_print(target->family, target->ip, text);
    if (refused)
        return diag_fail(d, DIAG_USAGE, "'%s' is %s", text, refused);
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i].family == target->family && ip_eq(t->v[i].ip, target->ip))
            return 0;
    char *name = strdup(target->name);
    if (!name || array_reserve(&t->v, &t->cap, t->n + 1, sizeof(*t->v)) < 0)
        cli_out_of_memory();
    t->v[t->n] = *target;
    t->v[t->n].name = name;
    t->n++;
    return 0;
}

/* "192.0.2.0/28": every address of it. */
static int add_prefix(struct cli_scan_targets *t, const char *word, const char *slash,
                      struct diag *d)
{
    struct cli_scan_target target = {.name = NULL};
    unsigned len = 0;
    int used = 0;

    if (ip_parse(word, (size_t)(slash - word), &target.family, &target.ip) < 0 ||
        sscanf(slash, "/%3u%n", &len, &used) != 1 || slash[used] ||
        len > family_bits(target.family))
        return diag_fail(d, DIAG_USAGE, "'%s' is no address and no prefix", word);
    unsigned least = target.family == FAMILY_4 ? PREFIX_MIN_4 : PREFIX_MIN_6;
    if (len < least) {
        (void)diag_fail(d, DIAG_USAGE, "'%s' has too many addresses for a scan", word);
        diag_hint(d, "prefixes are /%u or longer", least);
        return -EINVAL;
    }
    target.ip = ip_and(target.ip, ip_mask(target.family, len));
    for (unsigned n = 1U << (family_bits(target.family) - len); n > 0; n--) {
        char text[IP_TEXT_BYTES];

        ip_print(target.family, target.ip, text);
        target.name = text;
        int err = add(t, &target, d);
        if (err < 0)
            return err;
        target.ip = ip_add1(target.ip);
    }
    return 0;
}

static bool take_result(const struct addrinfo *a, struct cli_scan_target *ret)
{
    if (a->ai_family == AF_INET) {
        struct sockaddr_in s;

        memcpy(&s, a->ai_addr, sizeof(s));
        ret->family = FAMILY_4;
        ret->ip = ip_from_bytes(FAMILY_4, (const uint8_t *)&s.sin_addr);
        return true;
    }
    if (a->ai_family == AF_INET6) {
        struct sockaddr_in6 s;

        memcpy(&s, a->ai_addr, sizeof(s));
        ret->family = FAMILY_6;
        ret->ip = ip_from_bytes(FAMILY_6, s.sin6_addr.s6_addr);
        ret->scope = s.sin6_scope_id;
        return true;
    }
    return false;
}

static int resolve(struct cli_scan_targets *t, const char *word, struct diag *d)
{
    struct addrinfo want = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    size_t before = t->n;
    int err = getaddrinfo(word, NULL, &want, &list);

    if (err != 0)
        return diag_fail(d, DIAG_SYSTEM, "cannot resolve '%s': %s", word, gai_strerror(err));
    for (const struct addrinfo *a = list; a && err == 0; a = a->ai_next) {
        char name[WORD_BYTES];
        struct cli_scan_target target = {.name = name};

        (void)format_into(name, sizeof(name), "%s", word);
        if (take_result(a, &target))
            err = add(t, &target, d);
    }
    freeaddrinfo(list);
    if (err == 0 && t->n == before)
        return diag_fail(d, DIAG_SYSTEM, "'%s' has no address", word);
    return err;
}

int cli_scan_add(struct cli_scan_targets *t, const char *word, struct diag *d)
{
    const char *slash = strchr(word, '/');

    if (!*word || strlen(word) >= WORD_BYTES)
        return diag_fail(d, DIAG_USAGE, "'%.80s' is no name of a host", word);
    return slash ? add_prefix(t, word, slash, d) : resolve(t, word, d);
}

void cli_scan_find_own(struct cli_scan_targets *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct cli_scan_target *x = &t->v[i];
        struct probe_route r;
        struct diag d;

        /* Without a route from here it is not ours. */
        x->is_ours = probe_route(x->family, x->ip, x->scope, &d, &r) == 0 && r.is_local;
    }
}

int cli_scan_find_routes(struct cli_scan_targets *t, struct diag *d)
{
    for (size_t i = 0; i < t->n; i++) {
        struct cli_scan_target *x = &t->v[i];
        int err = probe_route(x->family, x->ip, x->scope, d, &x->route);

        if (err < 0)
            return err;
    }
    return 0;
}

uint32_t cli_scan_default_rate(const struct cli_scan_target *t)
{
    return t->is_ours || t->route.is_local ? 0 : PROBE_RATE_DEFAULT;
}
