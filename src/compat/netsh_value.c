/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_value.c: values of tags: yes and no, numbers, addresses, masks, ports, protocols
 * (windows.md 4, "Values"). Called by every command. Invariant: a value is read completely or
 * refused with its place; no address is widened by a mask, and 0.0.0.0 alone is never guessed. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "netsh.h"
#include "text/text.h"

int netsh_get_choice(struct netsh *n, const struct netsh_args *a, enum netsh_tag tag,
                     const char *const *choices, struct diag *d, int *ret)
{
    const char *s = a->value[tag];
    if (!s)
        return 0;
    for (int i = 0; choices[i]; i++)
        if (strcasecmp(s, choices[i]) == 0) {
            *ret = i;
            return 0;
        }
    int err = netsh_fail_value(n, a, tag, d, "%s takes no '%s'", netsh_tag_name(tag), s);
    diag_hint(d, "%s=%s", netsh_tag_name(tag), netsh_tag_values(tag));
    return err;
}

int netsh_get_bool(struct netsh *n, const struct netsh_args *a, enum netsh_tag tag, struct diag *d,
                   bool *ret)
{
    static const char *const words[] = {"no", "n", "yes", "y", NULL};
    int i = *ret ? 2 : 0;
    int err = netsh_get_choice(n, a, tag, words, d, &i);
    if (err == 0)
        *ret = i >= 2;
    return err;
}

/* Decimal digits, at most max; UINT32_MAX beyond. False if it is no number. */
static bool read_decimal(const char *s, uint32_t *ret)
{
    uint64_t value = 0;
    size_t n = strlen(s);
    if (n == 0 || strspn(s, "0123456789") != n)
        return false;
    for (size_t i = 0; i < n && value <= UINT32_MAX; i++)
        value = value * 10 + (uint64_t)(s[i] - '0');
    *ret = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
    return true;
}

int netsh_get_number(struct netsh *n, const struct netsh_args *a, enum netsh_tag tag,
                     const struct netsh_range *range, struct diag *d, uint32_t *ret)
{
    const char *s = a->value[tag];
    uint32_t value;
    if (!s)
        return 0;
    if (read_decimal(s, &value) && value >= range->min && value <= range->max) {
        *ret = value;
        return 0;
    }
    int err = netsh_fail_value(n, a, tag, d, "%s '%s' is out of range", netsh_tag_name(tag), s);
    diag_hint(d, "%u to %u%s%s", range->min, range->max, range->unit ? " " : "",
              range->unit ? range->unit : "");
    return err;
}

int netsh_get_action(struct netsh *n, const struct netsh_args *a, enum netsh_tag tag,
                     struct diag *d, enum action *ret)
{
    static const char *const words[] = {"permit", "block", "negotiate", NULL};
    static const enum action actions[] = {ACTION_PERMIT, ACTION_BLOCK, ACTION_NEGOTIATE};
    int i = -1;
    int err = netsh_get_choice(n, a, tag, words, d, &i);
    if (err == 0 && i >= 0)
        *ret = actions[i];
    return err;
}

int netsh_get_connection(struct netsh *n, const struct netsh_args *a, struct diag *d,
                         enum connection *ret)
{
    static const char *const words[] = {"all", "lan", "dialup", NULL};
    static const enum connection kinds[] = {CONNECTION_ALL, CONNECTION_LAN, CONNECTION_DIALUP};
    int i = -1;
    int err = netsh_get_choice(n, a, T_CONNTYPE, words, d, &i);
    if (err == 0 && i >= 0)
        *ret = kinds[i];
    return err;
}

int netsh_get_text(const struct netsh_args *a, enum netsh_tag tag, char **text)
{
    const char *s = a->value[tag];
    if (!s)
        return 0;
    char *copy = s[0] != '\0' ? strdup(s) : NULL;
    if (s[0] != '\0' && !copy)
        return -ENOMEM;
    free(*text);
    *text = copy;
    return 0;
}

int netsh_get_guid(struct netsh *n, const struct netsh_args *a, struct diag *d, struct guid *ret)
{
    if (!a->value[T_GUID] || guid_parse(a->value[T_GUID], ret) == 0)
        return 0;
    int err = netsh_fail_value(n, a, T_GUID, d, "'%s' is no GUID", a->value[T_GUID]);
    diag_hint(d, "for example guid={11223344-5566-7788-99aa-bbccddeeff00}");
    return err;
}

/* --- addresses --- */

/* One side of a filter while it is read. */
struct side {
    struct netsh *n;
    const struct netsh_args *a;
    enum netsh_tag addr_tag, mask_tag;
    struct diag *d;
    const char *mask; /* behind '/' or of the tag; NULL = not given */
    enum netsh_tag mask_from;
};

static int fail_mask(const struct side *x, const char *why, const char *hint)
{
    int err = netsh_fail_value(x->n, x->a, x->mask_from, x->d, "mask '%s' %s", x->mask, why);
    diag_hint(x->d, "%s", hint);
    return err;
}

/* Length of the mask, the family's full width if none is given. */
static int read_mask(const struct side *x, enum family family, unsigned *ret)
{
    unsigned bits = family_bits(family);
    uint32_t number;
    enum family mask_family;
    struct ip mask;
    *ret = bits;
    if (!x->mask)
        return 0;
    if (read_decimal(x->mask, &number)) {
        if (number > bits)
            return fail_mask(x, "is out of range", family == FAMILY_4 ? "1 to 32" : "1 to 128");
        *ret = number;
        return 0;
    }
    if (ip_parse(x->mask, strlen(x->mask), &mask_family, &mask) < 0 || mask_family != FAMILY_4)
        return fail_mask(x, "is no mask", "for example 255.255.255.0 or 24");
    if (family != FAMILY_4)
        return fail_mask(x, "does not fit an IPv6 address", "give a length: 1 to 128");
    unsigned len = 0;
    while (len < 32 && (mask.lo >> (31 - len) & 1))
        len++;
    if (!ip_eq(mask, ip_mask(FAMILY_4, len)))
        return fail_mask(x, "has a hole", "only leading bits, for example 255.255.255.0");
    *ret = len;
    return 0;
}

/* me, names and keywords stand for whole addresses; any for all. */
static int check_plain_mask(const struct side *x, const char *word, bool any)
{
    static const char *const full[] = {"255.255.255.255", "32", "128"};
    static const char *const none[] = {"0.0.0.0", "0"};
    for (size_t i = 0; x->mask && !any && i < ARRAY_SIZE(full); i++)
        if (strcmp(x->mask, full[i]) == 0)
            return 0;
    for (size_t i = 0; x->mask && any && i < ARRAY_SIZE(none); i++)
        if (strcmp(x->mask, none[i]) == 0)
            return 0;
    if (!x->mask)
        return 0;
    int err = netsh_fail_value(x->n, x->a, x->mask_from, x->d, "'%s' takes no mask", word);
    diag_hint(x->d, "leave it out");
    return err;
}

static int fail_zero(const struct side *x, const char *s)
{
    int err =
        netsh_fail_value(x->n, x->a, x->addr_tag, x->d, "'%s' could stand for me or for any", s);
    diag_hint(x->d, "%s=any, or %s=me", netsh_tag_name(x->addr_tag), netsh_tag_name(x->addr_tag));
    return err;
}

/* 0.0.0.0 with a full mask is how some scripts write the own address; without a mask it would be
 * the one, with mask 0 the other. */
static int read_zero(const struct side *x, enum family family, unsigned len, const char *s,
                     struct addr *ret)
{
    if (!x->mask || (len > 0 && family == FAMILY_6))
        return fail_zero(x, s);
    if (len == 0) {
        *ret = addr_prefix(family, (struct ip){0, 0}, 0);
        return 0;
    }
    *ret = addr_me();
    return tool_remark(x->n->t, NOTE, x->d, "read %s=%s mask %s as me", netsh_tag_name(x->addr_tag),
                       s, x->mask);
}

static int read_ip(const struct side *x, const char *s, enum family family, struct ip ip,
                   struct addr *ret)
{
    unsigned len;
    int err = read_mask(x, family, &len);
    if (err < 0)
        return err;
    if (ip.hi == 0 && ip.lo == 0 && (len == 0 || len == family_bits(family)))
        return read_zero(x, family, len, s, ret);
    if (len == 0)
        return fail_mask(x, "makes any address of it", "write any for every address");
    *ret = len == family_bits(family) ? addr_host(family, ip) : addr_prefix(family, ip, len);
    if (ip_eq(ret->first, ip))
        return 0;
    char text[IP_TEXT_BYTES];
    ip_print(family, ret->first, text);
    return tool_remark(x->n->t, NOTE, x->d, "%s=%s is read as %s/%u", netsh_tag_name(x->addr_tag),
                       s, text, len);
}

/* a-b with an address on both sides. *ret_is: it has that form. */
static int read_range(const struct side *x, const char *s, struct addr *ret, bool *ret_is)
{
    const char *dash = strchr(s, '-');
    enum family fa, fb;
    struct ip a, b;
    *ret_is = dash && ip_parse(s, (size_t)(dash - s), &fa, &a) == 0 &&
              ip_parse(dash + 1, strlen(dash + 1), &fb, &b) == 0;
    if (!*ret_is)
        return 0;
    int err = 0;
    if (x->mask) {
        err = netsh_fail_value(x->n, x->a, x->mask_from, x->d, "a range takes no mask");
        diag_hint(x->d, "leave %s out", netsh_tag_name(x->mask_tag));
    } else if (fa != fb) {
        err = netsh_fail_value(x->n, x->a, x->addr_tag, x->d, "range '%s' has two families", s);
    } else if (ip_cmp(a, b) > 0) {
        err = netsh_fail_value(x->n, x->a, x->addr_tag, x->d, "range '%s' runs backwards", s);
        diag_hint(x->d, "the smaller address comes first");
    } else {
        *ret = addr_range(fa, a, b);
    }
    return err;
}

/* Any other word is a DNS name, if the grammar takes it as one. */
static int read_name(const struct side *x, const char *s, struct addr *ret)
{
    char text[LIMIT_NAME_BYTES + 64];
    _cleanup_(filter_done) struct filter f;
    struct diag ignored;
    filter_init(&f);
    size_t plain = strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._");
    bool dotted = strspn(s, "0123456789./") == strlen(s) || strchr(s, ':');
    if (!dotted && s[0] != '\0' && s[plain] == '\0' && plain <= LIMIT_NAME_BYTES) {
        size_t len = format_into(text, sizeof(text), "block from \"%s\" to any", s);
        if (text_parse_filter(text, len, &ignored, &f) == 0 && f.src.kind == ADDR_NAME) {
            *ret = f.src;
            f.src = addr_any();
            return check_plain_mask(x, s, false);
        }
    }
    int err = netsh_fail_value(x->n, x->a, x->addr_tag, x->d, "'%s' is no address", s);
    diag_hint(x->d, "%s=%s", netsh_tag_name(x->addr_tag), netsh_tag_values(x->addr_tag));
    return err;
}

/* A word that stands for addresses; false if s is none. */
static bool read_keyword(const char *s, struct addr *ret)
{
    static const struct {
        const char *word;
        enum addr_kind kind;
    } words[] = {
        {"any", ADDR_ANY},           {"me", ADDR_ME},
        {"dns", ADDR_KEYWORD_DNS},   {"wins", ADDR_KEYWORD_WINS},
        {"dhcp", ADDR_KEYWORD_DHCP}, {"gateway", ADDR_KEYWORD_GATEWAY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcasecmp(s, words[i].word) == 0) {
            *ret = addr_any();
            ret->kind = words[i].kind;
            return true;
        }
    return false;
}

/* a.b.c.d/24: *ret_host gets what stands before the slash, owned. */
static int split_cidr(struct side *x, const char *s, char **ret_host)
{
    const char *slash = strchr(s, '/');
    if (!slash)
        return 0;
    if (x->mask) {
        int err = netsh_fail_value(x->n, x->a, x->mask_tag, x->d, "%s has a mask already: '%s'",
                                   netsh_tag_name(x->addr_tag), s);
        diag_hint(x->d, "leave %s out", netsh_tag_name(x->mask_tag));
        return err;
    }
    *ret_host = strndup(s, (size_t)(slash - s));
    if (!*ret_host)
        return -ENOMEM;
    x->mask = slash + 1;
    x->mask_from = x->addr_tag;
    return tool_remark(x->n->t, NOTE, x->d, "%s=%s: Windows may want the mask in %s",
                       netsh_tag_name(x->addr_tag), s, netsh_tag_name(x->mask_tag));
}

static int read_side(struct side *x, struct addr *ret)
{
    const char *s = x->a->value[x->addr_tag];
    _cleanup_free_ char *host = NULL;
    enum family family;
    struct ip ip;
    bool is_range;
    if (!s)
        return 0;
    x->mask = x->a->value[x->mask_tag];
    x->mask_from = x->mask_tag;
    int err = split_cidr(x, s, &host);
    if (err < 0)
        return err;
    s = host ? host : s;
    if (read_keyword(s, ret))
        return check_plain_mask(x, s, ret->kind == ADDR_ANY);
    if (ip_parse(s, strlen(s), &family, &ip) == 0)
        return read_ip(x, s, family, ip, ret);
    err = read_range(x, s, ret, &is_range);
    return err < 0 || is_range ? err : read_name(x, s, ret);
}

/* --- protocols and ports --- */

static int read_protocol(struct netsh *n, const struct netsh_args *a, struct diag *d, int16_t *ret)
{
    static const struct {
        const char *word;
        int16_t number;
    } words[] = {{"any", PROTO_ANY},
                 {"icmp", PROTO_ICMP},
                 {"tcp", PROTO_TCP},
                 {"udp", PROTO_UDP},
                 {"raw", 255}};
    const char *s = a->value[T_PROTOCOL];
    uint32_t number;
    if (!s)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcasecmp(s, words[i].word) == 0) {
            *ret = words[i].number;
            return 0;
        }
    if (read_decimal(s, &number) && number <= 255) {
        *ret = number == 0 ? PROTO_ANY : (int16_t)number;
        return number == 0 ? tool_remark(n->t, NOTE, d, "protocol=0 stands for any protocol") : 0;
    }
    int err = netsh_fail_value(n, a, T_PROTOCOL, d, "unknown protocol '%s'", s);
    int known = proto_from_name(s, strlen(s));
    if (known >= 0)
        diag_hint(d, "protocol=%d", known);
    else
        diag_hint(d, "protocol=%s", netsh_tag_values(T_PROTOCOL));
    return err;
}

static int read_port(struct netsh *n, const struct netsh_args *a, enum netsh_tag tag, int16_t proto,
                     struct diag *d, struct portset *ret)
{
    const char *s = a->value[tag];
    uint32_t number;
    if (!s)
        return 0;
    int err;
    if (!read_decimal(s, &number)) {
        err = netsh_fail_value(n, a, tag, d, "port '%s' is no number", s);
        diag_hint(d, strpbrk(s, "-,") ? "one port for each filter; 0 stands for any port"
                                      : "1 to 65535; 0 stands for any port");
        return err;
    }
    if (number > 65535) {
        err = netsh_fail_value(n, a, tag, d, "port '%s' is out of range", s);
        diag_hint(d, "1 to 65535; 0 stands for any port");
        return err;
    }
    if (number == 0)
        return 0;
    if (!proto_has_ports(proto)) {
        err = netsh_fail_value(n, a, tag, d, "a port needs TCP or UDP");
        diag_hint(d, "add protocol=TCP");
        return err;
    }
    struct port_range r = {(uint16_t)number, (uint16_t)number};
    return portset_from(&r, 1, ret);
}

int netsh_get_filter(struct netsh *n, const struct netsh_args *a, struct diag *d,
                     struct filter *ret)
{
    _cleanup_(filter_done) struct filter f;
    filter_init(&f);
    f.action = ACTION_BLOCK;
    f.mirrored = true; /* windows.md 4 */
    struct side src = {n, a, T_SRCADDR, T_SRCMASK, d, NULL, T_SRCMASK};
    struct side dst = {n, a, T_DSTADDR, T_DSTMASK, d, NULL, T_DSTMASK};
    int err;
    if ((err = read_side(&src, &f.src)) < 0 || (err = read_side(&dst, &f.dst)) < 0 ||
        (err = read_protocol(n, a, d, &f.proto)) < 0 ||
        (err = read_port(n, a, T_SRCPORT, f.proto, d, &f.sport)) < 0 ||
        (err = read_port(n, a, T_DSTPORT, f.proto, d, &f.dport)) < 0 ||
        (err = netsh_get_bool(n, a, T_MIRRORED, d, &f.mirrored)) < 0 ||
        (err = netsh_get_text(a, T_DESCRIPTION, &f.description)) < 0)
        return err;
    if (f.src.kind == ADDR_ME && f.dst.kind == ADDR_ME) {
        err = netsh_fail_value(n, a, T_DSTADDR, d, "both sides are me");
        diag_hint(d, "dstaddr=any");
        return err;
    }
    err = filter_validate(&f, d);
    if (err < 0)
        return err;
    *ret = f;
    filter_init(&f);
    return 0;
}

bool netsh_filter_matches(const struct netsh_args *a, const struct filter *want,
                          const struct filter *have)
{
    return (!a->value[T_SRCADDR] || addr_eq(&want->src, &have->src)) &&
           (!a->value[T_DSTADDR] || addr_eq(&want->dst, &have->dst)) &&
           (!a->value[T_PROTOCOL] || want->proto == have->proto) &&
           (!a->value[T_SRCPORT] || portset_eq(&want->sport, &have->sport)) &&
           (!a->value[T_DSTPORT] || portset_eq(&want->dport, &have->dport)) &&
           (!a->value[T_MIRRORED] || want->mirrored == have->mirrored);
}
