/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/spec.c: filter specifications of ipsecpol and ipseccmd (windows.md 2), for example
 * "*=0:1434:UDP" or "10.1.1.0/255.255.255.0=0:135:TCP". Called by the tool and by the reader of
 * scripts. One word in, one filter out; the action is the caller's. Every refusal names the place
 * in the word and, where it can be told, the word that was meant.
 *
 * The original knew IPv4 alone. `*` and `0` mean both families here; an IPv6 address cannot be
 * written, because its colons and the brackets around it have another meaning in this grammar. */
#include "compat/spec.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "model/proto.h"
#include "spec_internal.h"

void ipsec_spec_done(struct ipsec_spec *s)
{
    filter_done(&s->filter);
    *s = (struct ipsec_spec){0};
    filter_init(&s->filter);
}

const char *spec_shown(struct piece p, char buf[SPEC_SHOWN_BYTES])
{
    format_into(buf, SPEC_SHOWN_BYTES, "%.*s", (int)p.n, p.s);
    return buf;
}

struct piece spec_part(struct piece p, size_t from, size_t n)
{
    return (struct piece){p.s + from, n, p.at + from};
}

bool spec_is(struct piece p, const char *word)
{
    return strlen(word) == p.n && strncasecmp(p.s, word, p.n) == 0;
}

/* Digits only; what is larger than max becomes max + 1. */
bool spec_number(struct piece p, uint32_t max, uint32_t *ret)
{
    uint32_t value = 0;
    for (size_t i = 0; i < p.n; i++) {
        if (p.s[i] < '0' || p.s[i] > '9')
            return false;
        if (value <= max)
            value = value * 10 + (uint32_t)(p.s[i] - '0');
    }
    *ret = value > max ? max + 1 : value;
    return p.n > 0;
}

/* A side in its fields: ADDR[/MASK][:PORT[:PROTO]]. */
enum { FIELD_ADDR, FIELD_PORT, FIELD_PROTO, _FIELD_MAX };
struct side {
    struct piece all, field[_FIELD_MAX];
    unsigned n_colons;
    struct piece rest; /* behind the last colon that may stand there: too much */
};

static struct side split_side(struct piece p)
{
    struct side side = {.all = p};
    size_t from = 0;
    for (size_t i = 0; i <= p.n; i++) {
        if (i < p.n && p.s[i] != ':')
            continue;
        if (side.n_colons < _FIELD_MAX)
            side.field[side.n_colons] = spec_part(p, from, i - from);
        if (i == p.n)
            break;
        if (++side.n_colons == _FIELD_MAX)
            side.rest = spec_part(p, i, p.n - i);
        from = i + 1;
    }
    return side;
}

static bool is_ipv6(struct piece p)
{
    enum family family;
    struct ip ip;
    const char *slash = memchr(p.s, '/', p.n);
    return ip_parse(p.s, slash ? (size_t)(slash - p.s) : p.n, &family, &ip) == 0 &&
           family == FAMILY_6;
}

static int fail_ipv6(struct spec_reader *r, struct piece p)
{
    int err = spec_fail(r, p, "an IPv6 address cannot be written in a filter of this form");
    diag_hint(r->d, "use the native words: portward block in tcp from 2001:db8::1 to me port 80");
    return err;
}

/* Whether the side begins like an IPv6 address with something behind it: three fields of
 * hexadecimal digits before one colon too many. */
static bool begins_like_ipv6(const struct side *side)
{
    for (size_t i = 0; i < _FIELD_MAX; i++) {
        struct piece p = side->field[i];
        if (p.n > 4 || (i == 0 && (p.n == 0 || spec_is(p, "0"))))
            return false;
        for (size_t k = 0; k < p.n; k++)
            if (!isxdigit((unsigned char)p.s[k]))
                return false;
    }
    return true;
}

/* The brackets around the filter, for hints: without them the word would mean something else. */
static const char *opening(const struct spec_reader *r)
{
    return r->out->bracket == '[' ? "[" : r->out->bracket == '(' ? "(" : "";
}

static const char *closing(const struct spec_reader *r)
{
    return r->out->bracket == '[' ? "]" : r->out->bracket == '(' ? ")" : "";
}

static int check_colons(struct spec_reader *r, const struct side *left, const struct side *right)
{
    const char *const sides[] = {"source", "destination"};
    const struct side *both[] = {left, right};
    for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
        const struct side *s = both[i];
        bool numeric = spec_is(s->field[FIELD_ADDR], "0") || s->field[FIELD_ADDR].n == 0;
        bool too_many = s->n_colons >= _FIELD_MAX;
        if ((is_ipv6(s->all) && (!numeric || too_many)) || (too_many && begins_like_ipv6(s)))
            return fail_ipv6(r, s->all);
        if (too_many) {
            int err = spec_fail(r, s->rest, "too many colons in the %s", sides[i]);
            diag_hint(r->d, "a side is ADDRESS:PORT, the destination ADDRESS:PORT:PROTOCOL");
            return err;
        }
    }
    if (left->n_colons < FIELD_PROTO)
        return 0;
    struct piece proto = left->field[FIELD_PROTO];
    struct piece from = {proto.s - 1, proto.n + 1, proto.at - 1};
    int err = spec_fail(r, from, "the protocol stands at the end, on the destination side");
    if (right->n_colons < FIELD_PROTO)
        diag_hint(r->d, "write %s%.*s%c%.*s%s:%.*s%s", opening(r), (int)(from.at - left->all.at),
                  left->all.s, right->all.s[-1], (int)right->all.n, right->all.s,
                  right->n_colons == 0 ? ":" : "", (int)proto.n, proto.s, closing(r));
    return err;
}

/* Protocol without ports, or ports without a protocol. */
static int check_port_proto(struct spec_reader *r, const struct side *s, const struct portset *set,
                            const struct side *right)
{
    struct piece port = s->field[FIELD_PORT], proto = right->field[FIELD_PROTO];
    char buf[SPEC_SHOWN_BYTES];
    int p = r->out->filter.proto;
    if (set->n == 0 || proto_has_ports(p))
        return 0;
    if (p == PROTO_ANY) {
        int err = spec_fail(r, port, "a port needs TCP or UDP");
        if (right->n_colons < FIELD_PROTO)
            diag_hint(r->d, "write %s%.*s%s:TCP%s", opening(r), (int)r->inner.n, r->inner.s,
                      right->n_colons == 0 ? ":" : "", closing(r));
        else
            diag_hint(r->d, "end the filter with :TCP or :UDP");
        return err;
    }
    int err = spec_fail(r, port, "protocol '%s' has no ports", spec_shown(proto, buf));
    size_t before = port.at - r->inner.at;
    if (s != right) { /* the colon of the source goes with its port */
        before--;
        port.n++;
        port.s--;
    }
    diag_hint(r->d, "write %s%.*s%.*s%s", opening(r), (int)before, r->inner.s,
              (int)(r->inner.n - before - port.n), port.s + port.n, closing(r));
    return err;
}

static int check_protocol(struct spec_reader *r, const struct side *left, const struct side *right)
{
    struct filter *f = &r->out->filter;
    int err = check_port_proto(r, left, &f->sport, right);
    if (err == 0)
        err = check_port_proto(r, right, &f->dport, right);
    if (err < 0)
        return err;
    bool v4 = filter_family(f) == FAMILY_4;
    if (f->proto == PROTO_ICMPV6 && v4) {
        err = spec_fail(r, right->field[FIELD_PROTO],
                        "protocol 58 is ICMPv6, but an address is IPv4");
        diag_hint(r->d, "write ICMP");
        return err;
    }
    if (f->proto == PROTO_ICMP && !v4)
        return tool_remark(r->t, NOTE, r->d,
                           "ICMP is IPv4 only; for IPv6 add a filter with protocol 58");
    return 0;
}

static bool covers(const struct addr *a, const struct addr *own)
{
    return a->family == own->family && ip_cmp(a->first, own->first) <= 0 &&
           ip_cmp(own->first, a->last) <= 0;
}

/* Two foreign addresses: nothing of this host is concerned. Asked of the running host only. */
static int warn_foreign(struct spec_reader *r)
{
    const struct filter *f = &r->out->filter;
    if (!r->t->host || !r->t->host->addresses || f->src.family != FAMILY_4 ||
        f->dst.family != FAMILY_4)
        return 0;
    _cleanup_free_ struct addr *own = NULL;
    size_t n = 0;
    struct diag ignored;
    bool local = false;
    /* A host that cannot be asked is not worth a refusal: the filter is right anyway. */
    if (r->t->host->addresses(r->t->host->ctx, &ignored, &own, &n) < 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        local = local || covers(&f->src, &own[i]) || covers(&f->dst, &own[i]);
    if (local)
        return 0;
    return tool_remark(r->t, NOTE_WARNING, r->d,
                       "'%s': neither side is an address of this host; write 0 for its own",
                       r->word);
}

static int parse_sides(struct spec_reader *r, struct side *left, struct side *right)
{
    struct filter *f = &r->out->filter;
    int err = check_colons(r, left, right);
    if (err == 0)
        err = spec_parse_addr(r, left->field[FIELD_ADDR], &f->src);
    if (err == 0)
        err = spec_parse_port(r, left->field[FIELD_PORT], &f->sport);
    if (err == 0)
        err = spec_parse_addr(r, right->field[FIELD_ADDR], &f->dst);
    if (err == 0)
        err = spec_parse_port(r, right->field[FIELD_PORT], &f->dport);
    if (err == 0)
        err = spec_parse_protocol(r, right->field[FIELD_PROTO], &f->proto);
    if (err == 0)
        err = check_protocol(r, left, right);
    if (err < 0)
        return err;
    if (f->src.kind == ADDR_ME && f->dst.kind == ADDR_ME) {
        err = spec_fail(r, right->field[FIELD_ADDR], "both sides are this host");
        diag_hint(r->d, "write * on one side for any address");
        return err;
    }
    r->out->is_dns = f->src.kind == ADDR_NAME || f->dst.kind == ADDR_NAME;
    return warn_foreign(r);
}

static int fail_missing_side(struct spec_reader *r, bool source, size_t sep)
{
    struct piece p = r->inner;
    int err =
        spec_fail(r, spec_part(p, sep, 1), "the %s is missing", source ? "source" : "destination");
    if (source)
        diag_hint(r->d, "write %s*%.*s%s, where * is any address", opening(r), (int)p.n, p.s,
                  closing(r));
    else
        diag_hint(r->d, "write %s%.*s0%.*s%s, where 0 is this host", opening(r), (int)sep + 1, p.s,
                  (int)(p.n - sep - 1), p.s + sep + 1, closing(r));
    return err;
}

static int parse_inner(struct spec_reader *r)
{
    struct piece p = r->inner;
    size_t sep = p.n;
    for (size_t i = 0; i < p.n; i++) {
        if (p.s[i] != '=' && p.s[i] != '+')
            continue;
        if (sep < p.n) {
            int err = spec_fail(r, spec_part(p, i, 1), "second '%c' in one filter", p.s[i]);
            diag_hint(r->d, "several filters are separated by blanks");
            return err;
        }
        sep = i;
    }
    if (sep == p.n) {
        int err = spec_fail(r, p, "no '=' or '+' between source and destination");
        diag_hint(r->d, "for example *=0:1434:UDP; + also covers the other direction");
        return err;
    }
    struct side left = split_side(spec_part(p, 0, sep));
    struct side right = split_side(spec_part(p, sep + 1, p.n - sep - 1));
    if (left.field[FIELD_ADDR].n == 0 && left.n_colons <= 1)
        return fail_missing_side(r, /* source= */ true, sep);
    if (right.field[FIELD_ADDR].n == 0 && right.n_colons < _FIELD_MAX)
        return fail_missing_side(r, /* source= */ false, sep);
    r->out->filter.mirrored = p.s[sep] == '+';
    return parse_sides(r, &left, &right);
}

/* Brackets inside are an IPv6 address or a mistake. */
static int check_inner_brackets(struct spec_reader *r)
{
    struct piece p = r->inner;
    for (size_t i = 0; i < p.n; i++) {
        if (!strchr("[]()", p.s[i]))
            continue;
        const char *end = p.s[i] == '[' ? memchr(p.s + i, ']', p.n - i) : NULL;
        if (end && is_ipv6(spec_part(p, i + 1, (size_t)(end - p.s) - i - 1)))
            return fail_ipv6(r, spec_part(p, i, (size_t)(end - p.s) - i + 1));
        int err = spec_fail(r, spec_part(p, i, 1), "'%c' inside a filter", p.s[i]);
        diag_hint(r->d, "brackets stand around the whole filter: [*=0:1434:UDP]");
        return err;
    }
    return 0;
}

/* [ ] and ( ) around the whole. */
static int take_brackets(struct spec_reader *r)
{
    struct piece p = r->inner;
    char first = p.s[0], last = p.s[p.n - 1];
    char open = last == ']' ? '[' : '(', close = first == '[' ? ']' : ')';
    bool opened = first == '[' || first == '(', closed = last == ']' || last == ')';
    const char *ipv6_end = opened ? memchr(p.s, ']', p.n) : NULL;
    if (ipv6_end && is_ipv6(spec_part(p, 1, (size_t)(ipv6_end - p.s) - 1)))
        return fail_ipv6(r, spec_part(p, 0, (size_t)(ipv6_end - p.s) + 1));
    if (opened && closed && last == close) {
        r->out->bracket = first;
        r->inner = spec_part(p, 1, p.n - 2);
    } else if (opened && closed) {
        int err = spec_fail(r, spec_part(p, p.n - 1, 1), "'%c' is closed by '%c'", first, last);
        diag_hint(r->d, "write %.*s%c", (int)p.n - 1, p.s, close);
        return err;
    } else if (opened) {
        int err = spec_fail(r, spec_part(p, 0, 1), "'%c' is not closed", first);
        if (p.n > 1)
            diag_hint(r->d, "write %.*s%c", (int)p.n, p.s, close);
        return err;
    } else if (closed && !memchr(p.s, open, p.n)) {
        int err = spec_fail(r, spec_part(p, p.n - 1, 1), "'%c' was not opened", last);
        if (p.n > 1)
            diag_hint(r->d, "write %c%.*s", open, (int)p.n, p.s);
        return err;
    }
    return check_inner_brackets(r);
}

/* What is no filter whatever it means: blanks, and variables that nobody filled in. */
static int check_characters(struct spec_reader *r)
{
    struct piece p = r->inner;
    char buf[SPEC_SHOWN_BYTES];
    for (size_t i = 0; i < p.n; i++) {
        const char *end = p.s[i] == '%' ? memchr(p.s + i + 1, '%', p.n - i - 1) : NULL;
        if (end) {
            struct piece name = spec_part(p, i, (size_t)(end - p.s) - i + 1);
            int err =
                spec_fail(r, name, "placeholder '%s' was not filled in", spec_shown(name, buf));
            diag_hint(r->d, "write a value in its place");
            return err;
        }
        if (!isspace((unsigned char)p.s[i]))
            continue;
        size_t n = 1;
        while (i + n < p.n && isspace((unsigned char)p.s[i + n]))
            n++;
        int err = spec_fail(r, spec_part(p, i, n), "blank inside a filter");
        char fixed[SPEC_BYTES + 1];
        size_t len = 0;
        for (size_t k = 0; k < p.n; k++)
            if (!isspace((unsigned char)p.s[k]))
                fixed[len++] = p.s[k];
        fixed[len] = '\0';
        diag_hint(r->d, "write %s", fixed);
        return err;
    }
    return 0;
}

/* *0=:PORT:PROTO of a template is 0=*:PORT:PROTO of its example (windows.md 1.4). Places stay
 * where they are: both beginnings have the same length. */
static int repair_template(struct spec_reader *r, char *text)
{
    static const char wrong[] = "*0=:", right[] = "0=*:";
    size_t from = r->out->bracket ? 1 : 0;
    char *at = text + from;
    if (strncmp(at, wrong, sizeof(wrong) - 1) != 0)
        return 0;
    memcpy(at, right, sizeof(right) - 1);
    return tool_remark(r->t, NOTE_REPAIR, r->d, "read '%s' as '%s'", r->word, text);
}

static int parse_text(struct spec_reader *r, char *text)
{
    int err = check_characters(r);
    if (err == 0)
        err = take_brackets(r);
    if (err == 0)
        err = repair_template(r, text);
    if (err < 0)
        return err;
    if (spec_is(r->inner, "DEFAULT")) {
        r->out->is_default = true;
        return 0;
    }
    if (r->inner.n == 0) {
        err = spec_fail(r, r->inner, "filter is empty");
        diag_hint(r->d, "for example *=0:1434:UDP");
        return err;
    }
    return parse_inner(r);
}

int ipsec_spec_parse(struct tool_run *t, const char *word, struct diag *d, struct ipsec_spec *ret)
{
    _cleanup_(ipsec_spec_done) struct ipsec_spec out = {0};
    char text[SPEC_BYTES + 1];
    size_t n = strlen(word);
    struct spec_reader r = {t, d, word, &out, {text, n, 0}};
    filter_init(&out.filter);
    if (n == 0 || n > SPEC_BYTES) {
        int err = n == 0 ? spec_fail(&r, r.inner, "filter is empty")
                         : spec_fail(&r, r.inner, "filter is longer than %d bytes", SPEC_BYTES);
        diag_hint(d, "for example *=0:1434:UDP");
        return err;
    }
    memcpy(text, word, n + 1);
    int err = parse_text(&r, text);
    if (err < 0)
        return err;
    *ret = out;
    out = (struct ipsec_spec){0};
    filter_init(&out.filter);
    return 0;
}
