/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/failsafe.c: the entries of [safety] failsafe (policy.md 3), for example
 * "tcp/22 from 192.0.2.0/24, udp/53 from any". Called by the agent's configuration. Invariant:
 * on an error the settings keep what they had; a typing error never shortens the list. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "model/settings.h"
#include "parser.h"
#include "text/text.h"

static int parse_service(struct parser *p, struct failsafe *ret)
{
    const struct token *t = &p->tok;
    char buf[SHOWN_BYTES];
    const char *slash = t->kind == TOKEN_WORD ? memchr(t->s, '/', t->len) : NULL;
    if (!slash) {
        int err = parser_expected(p, "PROTOCOL/PORT");
        if (t->kind != TOKEN_BAD)
            diag_hint(p->d, "for example: tcp/22 from 192.0.2.0/24");
        return err;
    }
    size_t proto_len = (size_t)(slash - t->s), port_len = t->len - proto_len - 1;
    int proto = proto_from_name(t->s, proto_len);
    if (proto != PROTO_TCP && proto != PROTO_UDP) {
        int err = diag_fail_at(p->d, DIAG_PROTOCOL, span_part(t->span, 0, proto_len),
                               "protocol '%s' has no failsafe", shown(t->s, proto_len, buf));
        diag_hint(p->d, "tcp and udp are possible");
        return err;
    }
    int err = parse_one_port(slash + 1, port_len, span_part(t->span, proto_len + 1, port_len), p->d,
                             &ret->port);
    if (err < 0)
        return err;
    ret->proto = (uint8_t)proto;
    parser_advance(p);
    return 0;
}

static int parse_source(struct parser *p, struct failsafe *ret)
{
    int err = parser_expect(p, WORD_FROM, CTX_FROM);
    if (err < 0)
        return err;
    if (parser_accept(p, WORD_ANY))
        return 0; /* FAMILY_ANY */
    if (p->tok.kind != TOKEN_WORD) {
        err = parser_expected(p, "an address");
        if (p->tok.kind != TOKEN_BAD)
            diag_hint(p->d, "a host, a prefix or any");
        return err;
    }
    struct addr addr;
    err = parse_host_or_prefix(p->tok.s, p->tok.len, p->tok.span, p->d, &addr);
    if (err < 0)
        return err;
    ret->family = addr.family;
    ret->prefix = addr.first;
    ret->prefix_len = addr.prefix_len;
    parser_advance(p);
    return 0;
}

/* One entry, which ends at the next comma or at the end. */
static int parse_entry(struct parser *p, struct failsafe *ret)
{
    struct failsafe f = {0};
    int err = parse_service(p, &f);
    if (err == 0)
        err = parse_source(p, &f);
    if (err == 0 && p->tok.kind != TOKEN_END) {
        err = parser_expected(p, "a comma");
        if (p->tok.kind != TOKEN_BAD)
            diag_hint(p->d, "entries are separated by commas");
    }
    if (err < 0)
        return err;
    *ret = f;
    return 0;
}

int text_parse_failsafe(const char *text, size_t len, struct diag *d, struct filter_settings *ret)
{
    struct diag unused;
    struct parser p;
    struct failsafe entries[LIMIT_FAILSAFE];
    unsigned n = 0;
    _Static_assert(ARRAY_SIZE(entries) == ARRAY_SIZE(ret->failsafe), "one limit");
    int err = parser_init(&p, text, len, d ? d : &unused);
    if (err < 0)
        return err;
    if (p.tok.kind == TOKEN_END) {
        ret->n_failsafe = 0;
        return 0;
    }
    for (size_t from = 0; from <= len;) {
        const char *comma = memchr(text + from, ',', len - from);
        size_t end = comma ? (size_t)(comma - text) : len;
        parser_window(&p, from, end);
        if (n == LIMIT_FAILSAFE) {
            err = diag_fail_at(p.d, DIAG_LIMIT, p.tok.span, "more than %d failsafe entries",
                               LIMIT_FAILSAFE);
            diag_hint(p.d, "name prefixes instead of single hosts");
            return err;
        }
        err = parse_entry(&p, &entries[n]);
        if (err < 0)
            return err;
        n++;
        from = end + 1;
    }
    memcpy(ret->failsafe, entries, sizeof(entries[0]) * n);
    ret->n_failsafe = n;
    return 0;
}
