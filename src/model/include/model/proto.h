/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Protocol numbers and names (IANA). The table is our own, so that a minimal system without
 * /etc/protocols reads the same text. Service names of ports likewise (proto.c, service.c). */
#pragma once
#include "base/util.h"

enum {
    PROTO_ANY = -1,
    PROTO_ICMP = 1,
    PROTO_TCP = 6,
    PROTO_UDP = 17,
    PROTO_DCCP = 33,
    PROTO_RSVP = 46,
    PROTO_GRE = 47,
    PROTO_ESP = 50,
    PROTO_AH = 51,
    PROTO_ICMPV6 = 58,
    PROTO_SCTP = 132,
    PROTO_UDPLITE = 136
};
/* Number of a name of n characters, -1 if unknown; case-insensitive. */
int proto_from_name(const char *s, size_t n);
const char *proto_name(int proto); /* NULL if it has no name here */
bool proto_has_ports(int proto);   /* tcp, udp, udplite, sctp, dccp */
/* Port of a well-known service name (IANA subset, same table on every host), -1 if unknown. */
int service_port(const char *s, size_t n);
