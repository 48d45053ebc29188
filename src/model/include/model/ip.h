/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IP addresses of both families as 128-bit numbers in host byte order, and the text forms of
 * RFC 4291 / RFC 5952. An IPv4 address is hi = 0, lo = its 32 bits: the family always travels
 * beside the value, IPv4-mapped addresses are not translated (datapath.md 3.5). */
#pragma once
#include "base/util.h"

enum family { FAMILY_ANY = 0, FAMILY_4 = 4, FAMILY_6 = 6 };

struct ip {
    uint64_t hi, lo;
};

static inline bool ip_eq(struct ip a, struct ip b)
{
    return a.hi == b.hi && a.lo == b.lo;
}
static inline int ip_cmp(struct ip a, struct ip b)
{
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return a.lo < b.lo ? -1 : a.lo > b.lo;
}
/* Width of an address in bits: 32 or 128. */
static inline unsigned family_bits(enum family f)
{
    return f == FAMILY_4 ? 32 : 128;
}
/* Mask with len leading ones inside the family's width. */
static inline struct ip ip_mask(enum family f, unsigned len)
{
    if (f == FAMILY_4)
        return (struct ip){.lo = len == 0 ? 0 : 0xffffffffu & (UINT64_MAX << (32 - len))};
    struct ip m = {0};
    if (len > 0)
        m.hi = len >= 64 ? UINT64_MAX : UINT64_MAX << (64 - len);
    if (len > 64)
        m.lo = UINT64_MAX << (128 - len);
    return m;
}
static inline struct ip ip_and(struct ip a, struct ip b)
{
    return (struct ip){a.hi & b.hi, a.lo & b.lo};
}
static inline struct ip ip_or(struct ip a, struct ip b)
{
    return (struct ip){a.hi | b.hi, a.lo | b.lo};
}
/* Within the family's width. */
static inline struct ip ip_not(enum family f, struct ip a)
{
    if (f == FAMILY_4)
        return (struct ip){.lo = ~a.lo & 0xffffffffu};
    return (struct ip){~a.hi, ~a.lo};
}
/* Wraps, as the next one does. */
static inline struct ip ip_add1(struct ip a)
{
    return (struct ip){a.hi + (a.lo == UINT64_MAX), a.lo + 1};
}
static inline struct ip ip_sub1(struct ip a)
{
    return (struct ip){a.hi - (a.lo == 0), a.lo - 1};
}
/* Network byte order: 4 or 16 bytes. */
struct ip ip_from_bytes(enum family f, const uint8_t *bytes);
void ip_to_bytes(enum family f, struct ip a, uint8_t *bytes);

enum { IP_TEXT_BYTES = 48 };
/* Accepts exactly n characters of a dotted quad without leading zeros, or RFC 4291 text without
 * zone. 0 or -EINVAL. */
_must_check_ int ip_parse(const char *s, size_t n, enum family *ret_family, struct ip *ret_ip);
void ip_print(enum family f, struct ip a, char out[IP_TEXT_BYTES]); /* RFC 5952 */
