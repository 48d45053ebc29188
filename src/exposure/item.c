/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/item.c: reads questions (exposure/item.h). Called by the agent with what a client sent,
 * and by the fuzzer. */
#include "exposure/item.h"

#include <errno.h>
#include <string.h>

#include "model/proto.h"

void reach_item_done(struct reach_item *i)
{
    free(i->ports);
    *i = (struct reach_item){0};
}

/* Up to five digits. */
static bool read_number(const char **s, unsigned max, unsigned *ret)
{
    unsigned n = 0, digits = 0;

    for (; **s >= '0' && **s <= '9' && digits < 10; ++*s, digits++)
        n = n * 10 + (unsigned)(**s - '0');
    *ret = n;
    return digits > 0 && digits < 10 && n <= max;
}

static int add_range(struct reach_item *i, unsigned first, unsigned last, struct diag *d)
{
    if (first > last || (i->n_ports && i->ports[i->n_ports - 1].last >= first))
        return diag_fail(d, DIAG_PORT_RANGE, "ports must ascend");
    if (i->n_ports == REACH_ITEM_RANGES_MAX)
        return diag_fail(d, DIAG_LIMIT, "more than %d ports", (int)REACH_ITEM_RANGES_MAX);
    int r = array_reserve(&i->ports, &i->cap_ports, i->n_ports + 1, sizeof(*i->ports));
    if (r < 0)
        return diag_errno(d, r, "cannot read the question");
    i->ports[i->n_ports++] = (struct port_range){(uint16_t)first, (uint16_t)last};
    return 0;
}

static int parse_ports(const char *s, struct diag *d, struct reach_item *i)
{
    int r = 0;

    do {
        unsigned first, last;

        if (!read_number(&s, UINT16_MAX, &first))
            return diag_fail(d, DIAG_PORT_RANGE, "port expected at '%.20s'", s);
        last = first;
        if (*s == '-' && (s++, !read_number(&s, UINT16_MAX, &last)))
            return diag_fail(d, DIAG_PORT_RANGE, "port expected at '%.20s'", s);
        r = add_range(i, first, last, d);
    } while (r == 0 && *s == ',' && s++);
    return r == 0 && *s ? diag_fail(d, DIAG_SYNTAX, "unexpected '%.20s'", s) : r;
}

static int parse_address(const char *s, size_t n, struct diag *d, struct reach_question *q)
{
    const char *percent = memchr(s, '%', n);
    unsigned ifindex = 0;

    if (percent) {
        const char *at = percent + 1;

        if (!read_number(&at, INT32_MAX, &ifindex) || at != s + n)
            return diag_fail(d, DIAG_ADDRESS, "number of an interface expected behind '%%'");
        n = (size_t)(percent - s);
    }
    q->ifindex = ifindex;
    if (n == 2 && s[0] == '*' && (s[1] == '4' || s[1] == '6')) {
        q->any_own = true;
        q->family = s[1] == '4' ? FAMILY_4 : FAMILY_6;
        return 0;
    }
    if (ip_parse(s, n, &q->family, &q->address) < 0)
        return diag_fail(d, DIAG_ADDRESS, "not an address: '%.*s'", (int)(n > 60 ? 60 : n), s);
    return 0;
}

int reach_item_parse(const char *text, struct diag *d, struct reach_item *ret)
{
    _cleanup_(reach_item_done) struct reach_item i = {0};
    size_t n_proto = strcspn(text, " ");
    const char *address = text + n_proto + (text[n_proto] == ' ');
    size_t n_address = strcspn(address, " ");
    const char *ports = address + n_address + (address[n_address] == ' ');
    int proto = proto_from_name(text, n_proto);

    if (proto < 0 || !proto_has_ports(proto))
        return diag_fail(d, DIAG_PROTOCOL, "not a protocol with ports: '%.*s'",
                         (int)(n_proto > 60 ? 60 : n_proto), text);
    i.q.proto = (uint8_t)proto;
    int r = parse_address(address, n_address, d, &i.q);
    if (r == 0)
        r = parse_ports(ports, d, &i);
    if (r < 0)
        return r;
    *ret = i;
    i = (struct reach_item){0};
    return 0;
}
