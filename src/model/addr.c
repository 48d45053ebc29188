/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/addr.c: constructors and comparison of filter sides.
 * Used by the parser, importers and tests. Invariant: equal sets written with one construct are
 * equal bytes (no host bits, /32 and one-address ranges become hosts, first and last always set
 * for host, prefix and range), so nobody else normalises. */
#include "model/addr.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct addr addr_any(void)
{
    return (struct addr){.kind = ADDR_ANY};
}

struct addr addr_me(void)
{
    return (struct addr){.kind = ADDR_ME};
}

struct addr addr_host(enum family f, struct ip ip)
{
    return (struct addr){.kind = ADDR_HOST,
                         .family = f,
                         .prefix_len = (uint8_t)family_bits(f),
                         .first = ip,
                         .last = ip};
}

struct addr addr_prefix(enum family f, struct ip ip, unsigned len)
{
    assert(len <= family_bits(f));
    if (len == family_bits(f))
        return addr_host(f, ip);
    struct ip mask = ip_mask(f, len), first = ip_and(ip, mask);
    return (struct addr){.kind = ADDR_PREFIX,
                         .family = f,
                         .prefix_len = (uint8_t)len,
                         .first = first,
                         .last = ip_or(first, ip_not(f, mask))};
}

struct addr addr_range(enum family f, struct ip first, struct ip last)
{
    assert(ip_cmp(first, last) <= 0);
    if (ip_eq(first, last))
        return addr_host(f, first);
    return (struct addr){.kind = ADDR_RANGE, .family = f, .first = first, .last = last};
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case ADDR_ANY:
    case ADDR_ME:
    case ADDR_KEYWORD_DNS:
    case ADDR_KEYWORD_WINS:
    case ADDR_KEYWORD_DHCP:
    case ADDR_KEYWORD_GATEWAY:
    case _ADDR_KIND_MAX:
        return true;
    case ADDR_HOST:
    case ADDR_PREFIX:
    case ADDR_RANGE:
        return a->family == b->family && ip_eq(a->first, b->first) && ip_eq(a->last, b->last);
    case ADDR_NAME:
        return strcmp(a->name, b->name) == 0;
    }
    return false;
}

void addr_done(struct addr *a)
{
    free(a->name);
    *a = addr_any();
}

int addr_copy(const struct addr *a, struct addr *ret)
{
    struct addr copy = *a;
    if (a->name) {
        copy.name = strdup(a->name);
        if (!copy.name)
            return -ENOMEM;
    }
    *ret = copy;
    return 0;
}
