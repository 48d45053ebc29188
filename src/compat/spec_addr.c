/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/spec_addr.c: the address of one side of a filter of ipsecpol and ipseccmd: 0, *, a host,
 * a subnet by mask or by trailing asterisks, a DNS name, {interface}. Called by spec.c. Invariant:
 * whatever is written in numbers is IPv4 and makes the filter IPv4 only. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/strbuf.h"
#include "spec_internal.h"
#include "text/text.h"

enum { OCTETS = 4, INTERFACE_BYTES = 15 /* IFNAMSIZ - 1 */ };

struct octets {
    uint32_t value[OCTETS];
    struct piece piece[OCTETS];
    unsigned n, n_wild; /* wild ones count as 0 */
};

static bool looks_dotted(struct piece p, bool wildcards)
{
    bool digit = false;
    for (size_t i = 0; i < p.n; i++) {
        bool d = p.s[i] >= '0' && p.s[i] <= '9';
        if (!d && p.s[i] != '.' && !(wildcards && p.s[i] == '*'))
            return false;
        digit = digit || d;
    }
    return digit;
}

static void hint_octets(struct spec_reader *r, const char *what)
{
    bool mask = strcmp(what, "mask") == 0;
    diag_hint(r->d, "write four octets, for example %s", mask ? "255.255.255.0" : "192.0.2.1");
}

static int parse_octet(struct spec_reader *r, struct piece p, const char *what, uint32_t *ret)
{
    char buf[SPEC_SHOWN_BYTES];
    if (!spec_number(p, UINT8_MAX, ret)) {
        int err = p.n == 0 ? spec_fail(r, p, "empty octet in the %s", what)
                           : spec_fail(r, p, "'%s' is not an octet", spec_shown(p, buf));
        hint_octets(r, what);
        return err;
    }
    if (*ret > UINT8_MAX) {
        int err = spec_fail(r, p, "octet '%s' is out of range", spec_shown(p, buf));
        diag_hint(r->d, "octets are 0 to 255");
        return err;
    }
    if (p.n > 1 && p.s[0] == '0') {
        int err = spec_fail(r, p, "octet '%s' has a leading zero", spec_shown(p, buf));
        diag_hint(r->d, "write %u; some programs would read it as octal", *ret);
        return err;
    }
    return 0;
}

/* a.b.c.d; where wildcards may stand, "*" at the end. what: "address", "mask". */
static int parse_octets(struct spec_reader *r, struct piece p, const char *what, struct octets *ret)
{
    char buf[SPEC_SHOWN_BYTES];
    *ret = (struct octets){0};
    for (size_t from = 0; from <= p.n;) {
        const char *dot = memchr(p.s + from, '.', p.n - from);
        size_t len = dot ? (size_t)(dot - p.s) - from : p.n - from;
        struct piece octet = spec_part(p, from, len);
        if (ret->n == OCTETS) {
            int err =
                spec_fail(r, octet, "%s '%s' has more than 4 octets", what, spec_shown(p, buf));
            hint_octets(r, what);
            return err;
        }
        uint32_t value = 0;
        bool wild = spec_is(octet, "*");
        if (ret->n_wild > 0 && !wild) {
            int err = spec_fail(r, ret->piece[ret->n - 1], "'*' before the end of an address");
            diag_hint(r->d, "asterisks stand at the end: 198.51.*.*; else use a mask");
            return err;
        }
        int err = wild ? 0 : parse_octet(r, octet, what, &value);
        if (err < 0)
            return err;
        ret->n_wild += wild;
        ret->piece[ret->n] = octet;
        ret->value[ret->n++] = value;
        from += len + 1;
    }
    if (ret->n == OCTETS)
        return 0;
    int err = spec_fail(r, p, "%s '%s' has %u octet%s, not 4", what, spec_shown(p, buf), ret->n,
                        ret->n == 1 ? "" : "s");
    if (ret->n_wild > 0)
        diag_hint(r->d, "write %s%s", buf, &".*.*"[2 * (ret->n - 2)]);
    else
        hint_octets(r, what);
    return err;
}

static uint32_t octets_value(const struct octets *o)
{
    return o->value[0] << 24 | o->value[1] << 16 | o->value[2] << 8 | o->value[3];
}

/* Leading ones of a dotted mask; the bad octet is the first with a one behind a zero. */
static int parse_dotted_mask(struct spec_reader *r, struct piece p, unsigned *ret_len)
{
    char buf[SPEC_SHOWN_BYTES];
    struct octets o;
    int err = parse_octets(r, p, "mask", &o);
    if (err < 0)
        return err;
    uint32_t mask = octets_value(&o);
    unsigned len = 0;
    while (len < 32 && mask & (UINT32_C(1) << (31 - len)))
        len++;
    uint32_t rest = len < 32 ? mask << len : 0;
    if (rest == 0) {
        *ret_len = len;
        return 0;
    }
    unsigned bit = len;
    while (!(mask & (UINT32_C(1) << (31 - bit))))
        bit++;
    err = spec_fail(r, o.piece[bit / 8], "mask '%s' is not contiguous", spec_shown(p, buf));
    diag_hint(r->d, "ones come first, for example 255.255.255.0");
    return err;
}

static void print_mask(unsigned len, char out[IP_TEXT_BYTES])
{
    ip_print(FAMILY_4, ip_mask(FAMILY_4, len), out);
}

/* Dotted, or the length of the prefix with a note. */
static int parse_mask(struct spec_reader *r, struct piece p, unsigned *ret_len)
{
    char buf[SPEC_SHOWN_BYTES], mask[IP_TEXT_BYTES];
    uint32_t len = 0;
    if (p.n == 0 || !looks_dotted(p, false)) {
        int err = p.n == 0 ? spec_fail(r, p, "the mask is missing")
                           : spec_fail(r, p, "'%s' is not a mask", spec_shown(p, buf));
        diag_hint(r->d, "for example 255.255.255.0");
        return err;
    }
    if (!spec_number(p, 32, &len))
        return parse_dotted_mask(r, p, ret_len);
    if (len > 32) {
        int err = spec_fail(r, p, "length of prefix '%s' is out of range", spec_shown(p, buf));
        diag_hint(r->d, "write a mask, for example 255.255.255.0");
        return err;
    }
    print_mask(len, mask);
    *ret_len = len;
    return tool_remark(r->t, NOTE, r->d, "'/%u' read as '/%s'", len, mask);
}

static int fail_no_mask(struct spec_reader *r, struct piece mask, const char *why)
{
    int err = spec_fail(r, mask, "%s", why);
    diag_hint(r->d, "leave out '/%.*s'", (int)mask.n, mask.s);
    return err;
}

/* 0 and *: a mask that says the same again is fine. */
static int parse_class(struct spec_reader *r, bool me, const struct piece *mask, struct addr *ret)
{
    unsigned len = me ? 32 : 0, given = len;
    int err = mask ? parse_mask(r, *mask, &given) : 0;
    if (err < 0)
        return err;
    if (given != len)
        return fail_no_mask(r, *mask,
                            me ? "0 is the addresses of this host and takes no mask"
                               : "* is every address and takes no mask");
    *ret = me ? addr_me() : addr_any();
    return 0;
}

static int parse_dotted(struct spec_reader *r, struct piece p, const struct piece *mask,
                        struct addr *ret)
{
    struct octets o;
    unsigned len = 32;
    int err = parse_octets(r, p, "address", &o);
    if (err == 0 && mask && o.n_wild > 0)
        return fail_no_mask(r, *mask, "asterisks and a mask in one address");
    if (err == 0 && mask)
        err = parse_mask(r, *mask, &len);
    if (err < 0)
        return err;
    if (o.n_wild > 0)
        len = 8 * (OCTETS - o.n_wild);
    struct ip ip = {0, octets_value(&o)};
    if (ip.lo == 0 && len == 32) {
        err = spec_fail(r, p, "0.0.0.0 is no address of a host");
        diag_hint(r->d, "0 is this host, * is any address");
        return err;
    }
    *ret = addr_prefix(FAMILY_4, ip, len);
    if (ip.lo == 0 && len == 0)
        return tool_remark(r->t, NOTE, r->d, "'0.0.0.0/0.0.0.0' is IPv4 only; * is any address");
    if (ip_eq(ret->first, ip))
        return 0;
    char was[IP_TEXT_BYTES], now[IP_TEXT_BYTES], text[IP_TEXT_BYTES];
    ip_print(FAMILY_4, ip, was);
    ip_print(FAMILY_4, ret->first, now);
    print_mask(len, text);
    return tool_remark(r->t, NOTE, r->d, "'%s/%s' read as '%s/%s'", was, text, now, text);
}

static int fail_name(struct spec_reader *r, struct piece p)
{
    char buf[SPEC_SHOWN_BYTES];
    int err = spec_fail(r, p, "'%s' is neither an address nor a name", spec_shown(p, buf));
    const char *dash = memchr(p.s, '-', p.n);
    if (dash && looks_dotted(spec_part(p, 0, (size_t)(dash - p.s)), false))
        diag_hint(r->d, "ranges of addresses have no form here; use a mask");
    else
        diag_hint(r->d, "0 is this host, * any address, 192.0.2.1, 192.0.2.0/255.255.255.0");
    return err;
}

/* Four parts of which two or more are numbers: an address with a wrong key in it. */
static bool looks_mistyped(struct piece p)
{
    unsigned parts = 0, numbers = 0;
    if (p.n > 0 && p.s[p.n - 1] == '.') /* a complete name */
        p.n--;
    for (size_t from = 0; from <= p.n; parts++) {
        const char *dot = memchr(p.s + from, '.', p.n - from);
        size_t len = dot ? (size_t)(dot - p.s) - from : p.n - from;
        uint32_t ignored;
        numbers += spec_number(spec_part(p, from, len), UINT16_MAX, &ignored);
        from += len + 1;
    }
    return parts == OCTETS && numbers >= 2;
}

/* The grammar of names is the native one; quoted, a name is never one of its keywords. */
static int parse_name(struct spec_reader *r, struct piece p, struct addr *ret)
{
    _cleanup_(filter_done) struct filter f;
    char text[SPEC_BYTES + 64];
    struct diag ignored;
    filter_init(&f);
    for (size_t i = 0; i < p.n; i++)
        if (!isalnum((unsigned char)p.s[i]) && !strchr("-._", p.s[i]))
            return fail_name(r, p);
    size_t n = format_into(text, sizeof(text), "block from \"%.*s\" to any", (int)p.n, p.s);
    if (text_parse_filter(text, n, &ignored, &f) < 0 || f.src.kind != ADDR_NAME)
        return fail_name(r, p);
    return addr_copy(&f.src, ret);
}

/* {eth0}: the address of this host, on this interface. */
static int parse_interface(struct spec_reader *r, struct piece p, struct addr *ret)
{
    struct piece name = p.n > 1 && p.s[p.n - 1] == '}' ? spec_part(p, 1, p.n - 2) : p;
    char buf[SPEC_SHOWN_BYTES];
    struct guid guid;
    bool good =
        name.n > 0 && name.n <= INTERFACE_BYTES && !spec_is(name, ".") && !spec_is(name, "..");
    for (size_t i = 0; i < name.n; i++)
        good = good && (isalnum((unsigned char)name.s[i]) || strchr("-._@", name.s[i]));
    if (guid_parse(spec_shown(name, buf), &guid) == 0) {
        int err = spec_fail(r, name, "an interface is named by its name here, not by a GUID");
        diag_hint(r->d, "for example {eth0}");
        return err;
    }
    if (!good) {
        int err = spec_fail(r, p, "'%s' is not an interface", spec_shown(p, buf));
        diag_hint(r->d, "for example {eth0}");
        return err;
    }
    if (r->out->filter.interface) {
        int err = spec_fail(r, p, "an interface on both sides");
        diag_hint(r->d, "write * on one side for any address");
        return err;
    }
    *ret = addr_me();
    r->out->filter.interface = strndup(name.s, name.n);
    return r->out->filter.interface ? 0 : -ENOMEM;
}

/* Words of other grammars, which would be DNS names here. */
static const struct {
    const char *word, *meant;
} foreign[] = {
    {"any", "*"}, {"all", "*"}, {"*.*.*.*", "*"}, {"me", "0"},     {"my", "0"},
    {"dns", ""},  {"wins", ""}, {"dhcp", ""},     {"gateway", ""},
};

static int fail_foreign(struct spec_reader *r, struct piece p, const char *meant)
{
    char buf[SPEC_SHOWN_BYTES];
    int err = spec_fail(r, p, "'%s' is not a word of this grammar", spec_shown(p, buf));
    if (meant[0])
        diag_hint(r->d, "write %s", meant);
    else
        diag_hint(r->d, "server keywords are known to netsh ipsec and to portward");
    return err;
}

int spec_parse_addr(struct spec_reader *r, struct piece p, struct addr *ret)
{
    const char *slash = memchr(p.s, '/', p.n);
    struct piece mask = {0}, name = p;
    if (slash) {
        name.n = (size_t)(slash - p.s);
        mask = spec_part(p, name.n + 1, p.n - name.n - 1);
    }
    const struct piece *m = slash ? &mask : NULL;
    if (spec_is(name, "0") || spec_is(name, "*"))
        return parse_class(r, name.s[0] == '0', m, ret);
    if (name.n == 0) {
        int err = spec_fail(r, p, "there is no address before '/'");
        diag_hint(r->d, "for example 192.0.2.0/255.255.255.0");
        return err;
    }
    bool dotted = looks_dotted(name, true) && !spec_is(name, "*0");
    if (dotted || looks_mistyped(name))
        return parse_dotted(r, name, m, ret);
    if (m && name.s[0] != '{' && looks_dotted(mask, false))
        return fail_no_mask(r, mask, "a mask goes with an address in numbers only");
    if (m)
        return fail_name(r, p);
    if (name.s[0] == '{')
        return parse_interface(r, name, ret);
    struct piece bare = name; /* "any." would be the name any */
    if (bare.s[bare.n - 1] == '.')
        bare.n--;
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
        if (spec_is(bare, foreign[i].word))
            return fail_foreign(r, name, foreign[i].meant);
    return parse_name(r, name, ret);
}
