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
struct ip ip_mask(enum family f, unsigned len);
struct ip ip_and(struct ip a, struct ip b);
struct ip ip_or(struct ip a, struct ip b);
struct ip ip_not(enum family f, struct ip a); /* within the family's width */
struct ip ip_add1(struct ip a);               /* wraps */
struct ip ip_sub1(struct ip a);
/* Network byte order: 4 or 16 bytes. */
struct ip ip_from_bytes(enum family f, const uint8_t *bytes);
void ip_to_bytes(enum family f, struct ip a, uint8_t *bytes);

enum { IP_TEXT_BYTES = 48 };
/* Accepts exactly n characters of a dotted quad without leading zeros, or RFC 4291 text without
 * zone. 0 or -EINVAL. */
_must_check_ int ip_parse(const char *s, size_t n, enum family *ret_family, struct ip *ret_ip);
void ip_print(enum family f, struct ip a, char out[IP_TEXT_BYTES]); /* RFC 5952 */
