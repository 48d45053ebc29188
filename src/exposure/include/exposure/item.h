/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions of POST /v1/reach as text, one place and its ports: "tcp *4 22,80-90", "udp 192.0.2.1
 * 53", "tcp fe80::1%3 80" (of interface number 3). *4 and *6 are all addresses of the host. */
#pragma once
#include "base/diag.h"
#include "exposure/reach.h"

enum { REACH_ITEM_RANGES_MAX = 65536 };
struct reach_item {
    struct reach_question q;
    struct port_range *ports; /* ascending, disjoint, owned */
    size_t n_ports, cap_ports;
};
void reach_item_done(struct reach_item *i);
/* DIAG_SYNTAX, DIAG_PORT_RANGE, DIAG_ADDRESS, DIAG_PROTOCOL, DIAG_LIMIT. */
_must_check_ int reach_item_parse(const char *text, struct diag *d, struct reach_item *ret);
