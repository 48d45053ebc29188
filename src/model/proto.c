/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model/proto.c: protocol names (IANA, "Protocol Numbers").
 * Used by parser and printer. Invariant: proto_from_name(proto_name(n)) == n, so a printed
 * filter reads back; aliases are only read, never printed. */
#include "model/proto.h"

#include <string.h>

enum { NAME_BYTES = 16 };

struct proto_entry {
    int number;
    char name[NAME_BYTES]; /* the rest zero: compared as a whole */
};

/* The first name of a number is the one that is printed. */
static const struct proto_entry table[] = {
    {PROTO_ICMP, "icmp"},
    {2, "igmp"},
    {4, "ipip"},
    {PROTO_TCP, "tcp"},
    {8, "egp"},
    {9, "igp"},
    {12, "pup"},
    {PROTO_UDP, "udp"},
    {20, "hmp"},
    {22, "xns-idp"},
    {27, "rdp"},
    {PROTO_DCCP, "dccp"},
    {41, "ipv6"},
    {PROTO_RSVP, "rsvp"},
    {PROTO_GRE, "gre"},
    {PROTO_ESP, "esp"},
    {PROTO_AH, "ah"},
    {PROTO_ICMPV6, "icmpv6"},
    {66, "rvd"},
    {88, "eigrp"},
    {89, "ospf"},
    {97, "etherip"},
    {103, "pim"},
    {108, "ipcomp"},
    {112, "vrrp"},
    {115, "l2tp"},
    {PROTO_SCTP, "sctp"},
    {133, "fc"},
    {PROTO_UDPLITE, "udplite"},
    {137, "mpls-in-ip"},
    {139, "hip"},
    {PROTO_ICMPV6, "ipv6-icmp"},
    {PROTO_ICMPV6, "icmp6"},
    {89, "ospfigp"},
    {PROTO_UDPLITE, "udp-lite"},
};

int proto_from_name(const char *s, size_t n)
{
    char key[NAME_BYTES] = "";
    if (n == 0 || n >= NAME_BYTES || memchr(s, '\0', n))
        return -1;
    for (size_t i = 0; i < n; i++)
        key[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] - 'A' + 'a') : s[i];
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (memcmp(table[i].name, key, NAME_BYTES) == 0)
            return table[i].number;
    }
    return -1;
}

const char *proto_name(int proto)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (table[i].number == proto)
            return table[i].name;
    }
    return NULL;
}

bool proto_has_ports(int proto)
{
    return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_UDPLITE ||
           proto == PROTO_SCTP || proto == PROTO_DCCP;
}
