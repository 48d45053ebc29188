/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of the model as socket addresses. */
#pragma once
#include <netinet/in.h>

#include "exposureprobe/probe.h"

union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};
/* port in host byte order; the scope of a link-local address is the route's interface. Returns the
 * length. */
socklen_t address_fill(union address *a, const struct probe_route *r, struct ip ip, uint16_t port);
/* Whether *a is the target of the route; *ret_port: its port. */
bool address_is_target(const union address *a, const struct probe_route *r, uint16_t *ret_port);
int address_family(const struct probe_route *r); /* AF_INET or AF_INET6 */
