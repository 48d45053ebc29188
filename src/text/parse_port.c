/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/parse_port.c: "port" with a number, a range, a list or service names. Called by the
 * filter, packet and failsafe parsers. Port 0 is a port like any other; that it means any is
 * a matter of the Windows dialects. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "parser.h"

static int fail_port(struct diag *d, struct span at, const char *s, size_t n)
{
    char buf[SHOWN_BYTES];
    int err = diag_fail_at(d, DIAG_PORT_RANGE, at, "port '%s' is out of range", shown(s, n, buf));
    diag_hint(d, "ports are 0 to 65535");
    return err;
}

int parse_one_port(const char *s, size_t n, struct span at, struct diag *d, uint16_t *ret)
{
    char buf[SHOWN_BYTES];
    uint32_t value;
    if (read_number(s, n, UINT16_MAX, &value)) {
        if (value > UINT16_MAX)
            return fail_port(d, at, s, n);
        *ret = (uint16_t)value;
        return 0;
    }
    int port = service_port(s, n);
    if (port >= 0) {
        *ret = (uint16_t)port;
        return 0;
    }
    int err = diag_fail_at(d, DIAG_UNKNOWN_WORD, at, "unknown service '%s'", shown(s, n, buf));
    diag_hint(d, "write the number of the port");
    return err;
}

static int parse_item(const char *s, size_t n, struct span at, struct diag *d,
                      struct port_range *ret)
{
    char buf[SHOWN_BYTES], buf2[SHOWN_BYTES];
    if (n == 0) {
        int err = diag_fail_at(d, DIAG_SYNTAX, at, "empty place in a list of ports");
        diag_hint(d, "write lists without blanks, for example 80,443,5001-5021");
        return err;
    }
    const char *dash = memchr(s, '-', n);
    if (!dash || service_port(s, n) >= 0) { /* microsoft-ds */
        int err = parse_one_port(s, n, at, d, &ret->first);
        if (err == 0)
            ret->last = ret->first;
        return err;
    }
    size_t left = (size_t)(dash - s), right = n - left - 1;
    struct port_range range;
    if (left == 0 || right == 0) {
        int err = diag_fail_at(d, DIAG_SYNTAX, at, "range of ports '%s' has no %s",
                               shown(s, n, buf), left == 0 ? "beginning" : "end");
        diag_hint(d, "for example 5001-5021; 0 and 65535 are the lowest and the highest");
        return err;
    }
    int err = parse_one_port(s, left, span_part(at, 0, left), d, &range.first);
    if (err == 0)
        err = parse_one_port(dash + 1, right, span_part(at, left + 1, right), d, &range.last);
    if (err < 0)
        return err;
    if (range.first > range.last) {
        err = diag_fail_at(d, DIAG_PORT_RANGE, at, "range of ports '%s' ends before it begins",
                           shown(s, n, buf));
        diag_hint(d, "write %s-%s", shown(dash + 1, right, buf), shown(s, left, buf2));
        return err;
    }
    *ret = range;
    return 0;
}

/* Mostly it is one. */
static int parse_single(const struct token *t, struct diag *d, struct portset *ret)
{
    struct port_range item;
    int err = parse_item(t->s, t->len, t->span, d, &item);
    return err < 0 ? err : portset_from(&item, 1, ret);
}

static int parse_list(const struct token *t, struct diag *d, struct portset *ret)
{
    struct port_range items[LIMIT_PORT_ITEMS];
    size_t n = 0, from = 0;
    while (from <= t->len) {
        const char *comma = memchr(t->s + from, ',', t->len - from);
        size_t len = comma ? (size_t)(comma - t->s) - from : t->len - from;
        struct span at = span_part(t->span, from, len);
        if (n == LIMIT_PORT_ITEMS) {
            int err = diag_fail_at(d, DIAG_LIMIT, at, "more than %d items in one list of ports",
                                   LIMIT_PORT_ITEMS);
            diag_hint(d, "write a range a-b, or several filters");
            return err;
        }
        int err = parse_item(t->s + from, len, at, d, &items[n]);
        if (err < 0)
            return err;
        n++;
        from += len + 1;
    }
    return portset_from(items, n, ret);
}

int parse_ports(struct parser *p, struct portset *ret)
{
    parser_advance(p); /* "port" */
    const struct token *t = &p->tok;
    /* Most words of the language are no service: then the port is missing. */
    bool word = t->word != WORD_NONE && t->word != WORD_ANY && service_port(t->s, t->len) < 0;
    if (t->kind != TOKEN_WORD || word) {
        int err = parser_expected(p, "a port");
        if (t->kind != TOKEN_BAD)
            diag_hint(p->d, "a number, a range 5001-5021, a list 80,443 or a service name");
        return err;
    }
    struct portset ports = {0};
    if (t->word != WORD_ANY) {
        bool single = !memchr(t->s, ',', t->len);
        int err = single ? parse_single(t, p->d, &ports) : parse_list(t, p->d, &ports);
        if (err < 0)
            return err;
    }
    parser_advance(p);
    *ret = ports;
    return 0;
}
