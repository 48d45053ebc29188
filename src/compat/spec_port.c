/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/spec_port.c: ports and protocols in filters of ipsecpol and ipseccmd. Called by spec.c.
 * Invariant: nothing, 0 and * are all ports; a list never holds one of them. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/suggest.h"
#include "model/proto.h"
#include "spec_internal.h"

static const struct {
    const char *name;
    int proto;
} protocols[] = {
    {"TCP", PROTO_TCP},
    {"UDP", PROTO_UDP},
    {"ICMP", PROTO_ICMP},
    {"RAW", 255},
};

int spec_parse_protocol(struct spec_reader *r, struct piece p, int16_t *ret)
{
    char buf[SPEC_SHOWN_BYTES];
    uint32_t number = 0;
    *ret = PROTO_ANY;
    if (p.n == 0 || spec_is(p, "*"))
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (spec_is(p, protocols[i].name)) {
            *ret = (int16_t)protocols[i].proto;
            return 0;
        }
    if (spec_number(p, 255, &number)) {
        if (number > 255) {
            int err = spec_fail(r, p, "protocol '%s' is out of range", spec_shown(p, buf));
            diag_hint(r->d, "protocols are 0 to 255; without one all are meant");
            return err;
        }
        if (number == 0)
            return tool_remark(r->t, NOTE, r->d, "protocol 0 is read as all protocols");
        *ret = (int16_t)number;
        return 0;
    }
    int err = spec_fail(r, p, "unknown protocol '%s'", spec_shown(p, buf));
    int known = proto_from_name(p.s, p.n);
    if (known >= 0) {
        diag_hint(r->d, "write its number: %d", known);
        return err;
    }
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (suggest_distance(buf, protocols[i].name, 1) <= 1) {
            diag_hint(r->d, "did you mean %s?", protocols[i].name);
            return err;
        }
    diag_hint(r->d, "TCP, UDP, ICMP, RAW or a number 0 to 255");
    return err;
}

static int fail_port(struct spec_reader *r, struct piece p)
{
    char buf[SPEC_SHOWN_BYTES];
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (spec_is(p, protocols[i].name)) {
            int err = spec_fail(r, p, "'%s' stands where the port is expected", spec_shown(p, buf));
            diag_hint(r->d, "a protocol without a port has two colons before it: ::%s", buf);
            return err;
        }
    int err = spec_fail(r, p, "'%s' is not a port", spec_shown(p, buf));
    int port = service_port(p.s, p.n);
    if (port > 0)
        diag_hint(r->d, "write its number: %d", port);
    else
        diag_hint(r->d, "a number 1 to 65535; nothing, 0 or * means all ports");
    return err;
}

static int parse_one_port(struct spec_reader *r, struct piece p, uint16_t *ret)
{
    char buf[SPEC_SHOWN_BYTES];
    uint32_t number = 0;
    if (!spec_number(p, UINT16_MAX, &number))
        return fail_port(r, p);
    if (number > UINT16_MAX) {
        int err = spec_fail(r, p, "port '%s' is out of range", spec_shown(p, buf));
        diag_hint(r->d, "ports are 1 to 65535; nothing, 0 or * means all ports");
        return err;
    }
    *ret = (uint16_t)number;
    return 0;
}

/* An item of a list: N or A-B. */
static int parse_port_item(struct spec_reader *r, struct piece p, struct port_range *ret)
{
    char buf[SPEC_SHOWN_BYTES];
    const char *dash = memchr(p.s, '-', p.n);
    if (p.n == 0 || !dash) {
        int err = p.n == 0 ? spec_fail(r, p, "empty item in a list of ports")
                           : parse_one_port(r, p, &ret->first);
        if (p.n == 0)
            diag_hint(r->d, "for example 80,443,5001-5021");
        ret->last = ret->first;
        if (err == 0 && ret->first == 0) {
            err = spec_fail(r, p, "0 means all ports and cannot stand in a list");
            diag_hint(r->d, "leave the port out for all ports");
        }
        return err;
    }
    size_t left = (size_t)(dash - p.s);
    if (left == 0 || left + 1 == p.n) {
        int err = spec_fail(r, p, "range of ports '%s' has no %s", spec_shown(p, buf),
                            left == 0 ? "beginning" : "end");
        diag_hint(r->d, "for example 5001-5021");
        return err;
    }
    int err = parse_one_port(r, spec_part(p, 0, left), &ret->first);
    if (err == 0)
        err = parse_one_port(r, spec_part(p, left + 1, p.n - left - 1), &ret->last);
    if (err < 0 || ret->first <= ret->last)
        return err;
    err = spec_fail(r, p, "range of ports '%s' ends before it begins", spec_shown(p, buf));
    diag_hint(r->d, "write %u-%u", ret->last, ret->first);
    return err;
}

int spec_parse_port(struct spec_reader *r, struct piece p, struct portset *ret)
{
    struct port_range items[LIMIT_PORT_ITEMS];
    char buf[SPEC_SHOWN_BYTES];
    size_t n = 0, from = 0;
    if (p.n == 0 || spec_is(p, "0") || spec_is(p, "*"))
        return 0;
    while (from <= p.n) {
        const char *comma = memchr(p.s + from, ',', p.n - from);
        size_t len = comma ? (size_t)(comma - p.s) - from : p.n - from;
        struct piece item = spec_part(p, from, len);
        if (n == LIMIT_PORT_ITEMS) {
            int err = spec_fail(r, item, "more than %d ports in one list", LIMIT_PORT_ITEMS);
            diag_hint(r->d, "write a range, or several filters");
            return err;
        }
        int err = parse_port_item(r, item, &items[n++]);
        if (err < 0)
            return err;
        from += len + 1;
    }
    int err = portset_from(items, n, ret);
    if (err < 0 || !r->t->strict || (n == 1 && items[0].first == items[0].last))
        return err;
    return tool_remark(r->t, NOTE, r->d, "'%s': lists and ranges of ports are an extension",
                       spec_shown(p, buf));
}
