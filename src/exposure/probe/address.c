/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exposure/probe/address.c: see address.h. Called by all methods. */
#include "address.h"

#include <string.h>

int address_family(const struct probe_route *r)
{
    return r->family == FAMILY_4 ? AF_INET : AF_INET6;
}

static bool is_link_local(struct ip ip)
{
    return ip.hi >> 54 == 0xfe80 >> 6;
}

socklen_t address_fill(union address *a, const struct probe_route *r, struct ip ip, uint16_t port)
{
    memset(a, 0, sizeof(*a));
    if (r->family == FAMILY_4) {
        a->four.sin_family = AF_INET;
        a->four.sin_port = htons(port);
        ip_to_bytes(FAMILY_4, ip, (uint8_t *)&a->four.sin_addr);
        return sizeof(a->four);
    }
    a->six.sin6_family = AF_INET6;
    a->six.sin6_port = htons(port);
    ip_to_bytes(FAMILY_6, ip, (uint8_t *)&a->six.sin6_addr);
    if (is_link_local(ip))
        a->six.sin6_scope_id = r->ifindex;
    return sizeof(a->six);
}

bool address_is_target(const union address *a, const struct probe_route *r, uint16_t *ret_port)
{
    union address t;
    (void)address_fill(&t, r, r->ip, 0);
    if (a->any.sa_family != t.any.sa_family)
        return false;
    if (r->family == FAMILY_4) {
        *ret_port = ntohs(a->four.sin_port);
        return a->four.sin_addr.s_addr == t.four.sin_addr.s_addr;
    }
    *ret_port = ntohs(a->six.sin6_port);
    return memcmp(&a->six.sin6_addr, &t.six.sin6_addr, 16) == 0;
}
