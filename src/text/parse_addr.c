/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text/parse_addr.c: one side of a filter: keywords, hosts, prefixes, dotted masks, ranges and
 * DNS names. Called by the filter and packet parsers and for failsafe entries. Host bits of a
 * prefix are cleared, as nft, iptables and the Windows tools do; the canonical text shows what
 * is meant. A quoted name is never a keyword. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "parser.h"

enum { OCTETS = 4, DNS_LABEL_BYTES = 63 /* RFC 1035, 2.3.4 */ };

/* A piece of text and its place. */
struct piece {
    const char *s;
    size_t n;
    struct span at;
};

static struct piece part(struct piece p, size_t from, size_t n)
{
    return (struct piece){p.s + from, n, span_part(p.at, from, n)};
}

static bool looks_dotted(struct piece p)
{
    for (size_t i = 0; i < p.n; i++)
        if ((p.s[i] < '0' || p.s[i] > '9') && p.s[i] != '.')
            return false;
    return p.n > 0;
}

/* Why text of digits and dots is no IPv4 address: names the octet. what: "address", "mask". */
static int fail_dotted(struct piece p, const char *what, struct diag *d)
{
    char buf[SHOWN_BYTES];
    unsigned octets = 0;
    for (size_t i = 0; i <= p.n; i++) {
        size_t len = 0;
        while (i + len < p.n && p.s[i + len] != '.')
            len++;
        struct piece octet = part(p, i, len);
        uint32_t value = 0;
        octets++;
        i += len;
        if (len == 0) {
            int err = diag_fail_at(d, DIAG_ADDRESS, octet.at, "octet %u of %s '%s' is empty",
                                   octets, what, shown(p.s, p.n, buf));
            diag_hint(d, "write four octets, for example 192.0.2.1");
            return err;
        }
        bool number = read_number(octet.s, len, 255, &value);
        if (!number || value > 255) {
            int err = diag_fail_at(d, DIAG_ADDRESS, octet.at, "octet '%s' is out of range",
                                   shown(octet.s, len, buf));
            diag_hint(d, "octets are 0 to 255");
            return err;
        }
        if (len > 1 && octet.s[0] == '0') {
            int err = diag_fail_at(d, DIAG_ADDRESS, octet.at, "octet '%s' has a leading zero",
                                   shown(octet.s, len, buf));
            diag_hint(d, "write %u; some programs would read it as octal", value);
            return err;
        }
    }
    int err = diag_fail_at(d, DIAG_ADDRESS, p.at, "%s '%s' has %u octet%s, not 4", what,
                           shown(p.s, p.n, buf), octets, octets == 1 ? "" : "s");
    diag_hint(d, "write four octets, for example 192.0.2.1");
    return err;
}

static int fail_host(struct piece p, struct diag *d)
{
    char buf[SHOWN_BYTES];
    const char *zone = memchr(p.s, '%', p.n);
    if (zone && memchr(p.s, ':', p.n)) {
        size_t from = (size_t)(zone - p.s);
        int err = diag_fail_at(d, DIAG_ADDRESS, part(p, from, p.n - from).at,
                               "address '%s' has a zone", shown(p.s, p.n, buf));
        diag_hint(d, "name the interface with: on %s", shown(zone + 1, p.n - from - 1, buf));
        return err;
    }
    if (memchr(p.s, ':', p.n)) {
        int err = diag_fail_at(d, DIAG_ADDRESS, p.at, "'%s' is not an IPv6 address",
                               shown(p.s, p.n, buf));
        diag_hint(d, "for example 2001:db8::1");
        return err;
    }
    if (looks_dotted(p))
        return fail_dotted(p, "address", d);
    int err = p.n == 0 ? diag_fail_at(d, DIAG_ADDRESS, p.at, "address is missing")
                       : diag_fail_at(d, DIAG_ADDRESS, p.at, "'%s' is not an address",
                                      shown(p.s, p.n, buf));
    diag_hint(d, "write it in numbers, for example 192.0.2.1 or 2001:db8::1");
    return err;
}

int parse_host(const char *s, size_t n, struct span at, struct diag *d, enum family *ret_family,
               struct ip *ret)
{
    if (ip_parse(s, n, ret_family, ret) == 0)
        return 0;
    return fail_host((struct piece){s, n, at}, d);
}

/* A dotted mask as prefix length. The bad octet of a mask with holes is the first that has a
 * one bit behind a zero bit. */
static int parse_mask(struct piece p, struct diag *d, unsigned *ret_len)
{
    enum family family;
    struct ip mask;
    char buf[SHOWN_BYTES];
    if (ip_parse(p.s, p.n, &family, &mask) < 0)
        return fail_dotted(p, "mask", d);
    unsigned len = 0;
    size_t from = 0;
    for (unsigned octet = 0; octet < OCTETS; octet++) {
        unsigned value = (unsigned)(mask.lo >> (8 * (OCTETS - 1 - octet))) & 0xff;
        unsigned ones = 0;
        while (ones < 8 && value & (0x80u >> ones))
            ones++;
        bool hole = ones < 8 && (value << ones & 0xff) != 0;
        size_t digits = 0;
        while (from + digits < p.n && p.s[from + digits] != '.')
            digits++;
        if (hole || (value != 0 && len < 8 * octet)) {
            int err = diag_fail_at(d, DIAG_ADDRESS, part(p, from, digits).at,
                                   "mask '%s' is not contiguous: octet %u is %u",
                                   shown(p.s, p.n, buf), octet + 1, value);
            diag_hint(d, "ones come first, for example 255.255.255.0, or write /24");
            return err;
        }
        len += ones;
        from += digits + 1;
    }
    *ret_len = len;
    return 0;
}

/* What follows the slash: a length or, for IPv4, a dotted mask. */
static int parse_prefix_len(struct piece p, enum family family, struct diag *d, unsigned *ret_len)
{
    char buf[SHOWN_BYTES];
    uint32_t len;
    if (looks_dotted(p) && memchr(p.s, '.', p.n)) {
        if (family == FAMILY_4)
            return parse_mask(p, d, ret_len);
        int err = diag_fail_at(d, DIAG_ADDRESS, p.at, "dotted mask '%s' after an IPv6 address",
                               shown(p.s, p.n, buf));
        diag_hint(d, "write the length, for example /64");
        return err;
    }
    if (!read_number(p.s, p.n, family_bits(family), &len)) {
        int err = diag_fail_at(d, DIAG_ADDRESS, p.at, "'%s' is not a prefix length",
                               shown(p.s, p.n, buf));
        diag_hint(d, "for example %s", family == FAMILY_4 ? "/24 or /255.255.255.0" : "/64");
        return err;
    }
    if (len > family_bits(family)) {
        int err = diag_fail_at(d, DIAG_ADDRESS, p.at, "prefix length '%s' is out of range",
                               shown(p.s, p.n, buf));
        diag_hint(d, "lengths of IPv%d are 0 to %u", (int)family, family_bits(family));
        return err;
    }
    *ret_len = len;
    return 0;
}

static int parse_prefix(struct piece p, size_t slash, struct diag *d, struct addr *ret)
{
    enum family family;
    struct ip ip;
    unsigned len = 0;
    int err = parse_host(p.s, slash, part(p, 0, slash).at, d, &family, &ip);
    if (err == 0)
        err = parse_prefix_len(part(p, slash + 1, p.n - slash - 1), family, d, &len);
    if (err < 0)
        return err;
    *ret = addr_prefix(family, ip, len);
    return 0;
}

static int parse_range(struct piece p, size_t dash, struct diag *d, struct addr *ret)
{
    enum family f1, f2;
    struct ip first, last;
    char buf[SHOWN_BYTES], buf2[SHOWN_BYTES];
    struct piece right = part(p, dash + 1, p.n - dash - 1);
    int err = parse_host(p.s, dash, part(p, 0, dash).at, d, &f1, &first);
    if (err == 0)
        err = parse_host(right.s, right.n, right.at, d, &f2, &last);
    if (err < 0)
        return err;
    if (f1 != f2) {
        err = diag_fail_at(d, DIAG_FAMILY, p.at, "range '%s' mixes IPv4 and IPv6",
                           shown(p.s, p.n, buf));
        diag_hint(d, "write one filter for each family");
        return err;
    }
    if (ip_cmp(first, last) > 0) {
        err = diag_fail_at(d, DIAG_ADDRESS, p.at, "range '%s' ends before it begins",
                           shown(p.s, p.n, buf));
        diag_hint(d, "write %s-%s", shown(right.s, right.n, buf), shown(p.s, dash, buf2));
        return err;
    }
    *ret = addr_range(f1, first, last);
    return 0;
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* Why the text is no DNS name, NULL if it is one; *ret_from and *ret_n say where. */
static const char *name_fault(struct piece p, size_t *ret_from, size_t *ret_n)
{
    size_t start = 0;
    bool numeric = false;
    for (size_t i = 0; i <= p.n; i++) {
        *ret_from = i;
        *ret_n = 1;
        if (i < p.n && p.s[i] != '.') {
            if ((unsigned char)p.s[i] >= 0x80)
                return "has a letter outside ASCII";
            if (!is_name_char(p.s[i]))
                return "has a character that no name has";
            continue;
        }
        size_t label = i - start;
        *ret_from = start;
        *ret_n = label;
        if (label == 0 && i == p.n && start > 0)
            break; /* one dot at the end is the usual mark of a complete name */
        if (label == 0)
            return "has an empty part";
        if (label > DNS_LABEL_BYTES)
            return "has a part of more than 63 bytes";
        if (p.s[start] == '-' || p.s[i - 1] == '-')
            return "has a part that begins or ends with a hyphen";
        uint32_t ignored;
        numeric = read_number(p.s + start, label, UINT16_MAX, &ignored);
        start = i + 1;
    }
    return numeric ? "ends with a number" : NULL; /* 10.1, 1.2.3.foo.4: a mistyped address */
}

static int parse_name(struct piece p, struct diag *d, struct addr *ret)
{
    char buf[SHOWN_BYTES];
    size_t from, n;
    if (p.n > LIMIT_NAME_BYTES) {
        int err = diag_fail_at(d, DIAG_LIMIT, p.at, "name of %zu bytes is too long", p.n);
        diag_hint(d, "names have at most %d bytes", LIMIT_NAME_BYTES);
        return err;
    }
    const char *fault = name_fault(p, &from, &n);
    if (fault) {
        int err =
            diag_fail_at(d, DIAG_ADDRESS, part(p, from, n).at,
                         "'%s' is neither address nor name: it %s", shown(p.s, p.n, buf), fault);
        diag_hint(d,
                  "for example 192.0.2.1, 10.0.0.0/8, 10.0.0.1-10.0.0.9, 2001:db8::/32, any, me");
        return err;
    }
    /* The dot that marks a name as complete says nothing here: all names are complete. */
    if (p.s[p.n - 1] == '.')
        p.n--;
    char *name = malloc(p.n + 1);
    if (!name)
        return -ENOMEM;
    for (size_t i = 0; i < p.n; i++)
        name[i] = (char)tolower((unsigned char)p.s[i]);
    name[p.n] = '\0';
    *ret = (struct addr){.kind = ADDR_NAME, .name = name};
    return 0;
}

/* A hyphen also stands in names (10-20.example.com): it makes a range if what is left of it is
 * an address, or if nothing but digits and dots is on either side. */
static bool is_range(struct piece p, size_t dash)
{
    enum family family;
    struct ip ip;
    return memchr(p.s, ':', p.n) || ip_parse(p.s, dash, &family, &ip) == 0 ||
           (looks_dotted(part(p, 0, dash)) && looks_dotted(part(p, dash + 1, p.n - dash - 1)));
}

static int parse_written(struct piece p, struct diag *d, struct addr *ret)
{
    enum family family;
    struct ip ip;
    if (ip_parse(p.s, p.n, &family, &ip) == 0) {
        *ret = addr_host(family, ip);
        return 0;
    }
    const char *slash = memchr(p.s, '/', p.n), *dash = memchr(p.s, '-', p.n);
    const char *comma = memchr(p.s, ',', p.n);
    if (comma) {
        int err = diag_fail_at(d, DIAG_ADDRESS, part(p, (size_t)(comma - p.s), 1).at,
                               "a filter takes one address on each side");
        diag_hint(d, "write one filter for each address, a range a-b or a prefix");
        return err;
    }
    if (slash)
        return parse_prefix(p, (size_t)(slash - p.s), d, ret);
    if (dash && is_range(p, (size_t)(dash - p.s)))
        return parse_range(p, (size_t)(dash - p.s), d, ret);
    if (memchr(p.s, ':', p.n) || looks_dotted(p))
        return fail_host(p, d);
    return parse_name(p, d, ret);
}

int parse_host_or_prefix(const char *s, size_t n, struct span at, struct diag *d, struct addr *ret)
{
    struct piece p = {s, n, at};
    const char *slash = memchr(s, '/', n);
    if (slash)
        return parse_prefix(p, (size_t)(slash - s), d, ret);
    enum family family;
    struct ip ip;
    int err = parse_host(s, n, at, d, &family, &ip);
    if (err == 0)
        *ret = addr_host(family, ip);
    return err;
}

static bool keyword_addr(enum word w, struct addr *ret)
{
    static const struct {
        enum word word;
        enum addr_kind kind;
    } keywords[] = {
        {WORD_ANY, ADDR_ANY},           {WORD_ME, ADDR_ME},
        {WORD_DNS, ADDR_KEYWORD_DNS},   {WORD_WINS, ADDR_KEYWORD_WINS},
        {WORD_DHCP, ADDR_KEYWORD_DHCP}, {WORD_GATEWAY, ADDR_KEYWORD_GATEWAY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(keywords); i++) {
        if (keywords[i].word != w)
            continue;
        *ret = (struct addr){.kind = keywords[i].kind};
        return true;
    }
    return false;
}

int parse_addr(struct parser *p, struct addr *ret)
{
    const struct token *t = &p->tok;
    struct piece piece = {t->s, t->len, t->span};
    if (t->kind == TOKEN_STRING && t->len > 2)
        piece = part(piece, 1, t->len - 2); /* names have no escapes to be undone */
    else if (t->kind != TOKEN_WORD || (t->word != WORD_NONE && !word_fits(t->word, CTX_ADDR))) {
        int err = parser_expected(p, "an address");
        if (t->kind == TOKEN_WORD)
            diag_hint(p->d, "any, me, or an address; a name that is such a word stands in quotes");
        else if (t->kind != TOKEN_BAD)
            diag_hint(p->d, "write any, me, or an address");
        return err;
    }
    if (t->kind != TOKEN_WORD || !keyword_addr(t->word, ret)) {
        int err = parse_written(piece, p->d, ret);
        if (err < 0)
            return err;
    }
    parser_advance(p);
    return 0;
}
