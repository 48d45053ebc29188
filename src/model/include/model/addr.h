/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One side of a filter (policy.md 1). Invariants, kept by the constructors: prefixes have no
 * host bits set; a prefix of full length and a range of one address are stored as ADDR_HOST;
 * first and last are the bounds of every host, prefix and range, first <= last. */
#pragma once
#include "model/ip.h"

enum addr_kind {
    ADDR_ANY,    /* both families */
    ADDR_ME,     /* every address of this host, as a class, both families */
    ADDR_HOST,   /* first == last */
    ADDR_PREFIX, /* family, first, prefix_len (0 .. bits-1); 0.0.0.0/0 is IPv4 only */
    ADDR_RANGE,  /* first .. last, at least two addresses */
    ADDR_NAME,   /* DNS name; from here on others say what it stands for */
    ADDR_KEYWORD_DNS,
    ADDR_KEYWORD_WINS,
    ADDR_KEYWORD_DHCP,
    ADDR_KEYWORD_GATEWAY,
    _ADDR_KIND_MAX,
};

struct addr {
    enum addr_kind kind;
    enum family family; /* FAMILY_ANY for any, me, names, keywords */
    uint8_t prefix_len; /* ADDR_PREFIX, ADDR_HOST (= bits) */
    struct ip first, last;
    char *name; /* ADDR_NAME, owned, lower case */
};

struct addr addr_any(void);
struct addr addr_me(void);
struct addr addr_host(enum family f, struct ip ip);
struct addr addr_prefix(enum family f, struct ip ip, unsigned len);     /* clears host bits */
struct addr addr_range(enum family f, struct ip first, struct ip last); /* needs first <= last */
bool addr_eq(const struct addr *a, const struct addr *b);
/* True for DNS names and server keywords: what somebody else resolves. */
static inline bool addr_is_resolved(const struct addr *a)
{
    return a->kind >= ADDR_NAME;
}
void addr_done(struct addr *a);
_must_check_ int addr_copy(const struct addr *a, struct addr *ret);
