/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of packets as unions of boxes: plain data that compile makes (check, diff, exceptions) and
 * text prints. `me` is symbolic: a packet is to this host, from this host, or neither, whatever
 * the host's addresses are at the moment, because they change and policies must not be judged by
 * the addresses of one minute; the addresses are dimensions of their own beside it.
 *
 * A set speaks of the packets that are asked of the filters: what structure alone decides
 * (martians, source routes, neighbour discovery with hop limit 255, packets judged on the way
 * in) is in no set, and neither is what `keep state` lets back in. */
#pragma once
#include "model/packet.h"

/* How a packet stands to this host; masks of box.class. */
enum {
    CLASS_TO_ME = 1,   /* on the way in, the destination is me */
    CLASS_FROM_ME = 2, /* on the way out, the source is me */
    CLASS_OTHER = 4,   /* neither: forwarded */
    CLASS_ALL = 7,
};
/* Masks of box.l4. */
enum {
    L4_KNOWN = 1,    /* ports or ICMP type and code can be read, or the protocol has none */
    L4_FRAGMENT = 2, /* a later fragment: no ports */
    L4_ALL = 3,
};
/* Masks of box.special. */
enum {
    SPECIAL_NO = 1,
    SPECIAL_YES = 2, /* router discovery and multicast listener messages of policy.md 6: only
                        filters that give an ICMPv6 type are asked */
    SPECIAL_ALL = 3,
};
/* Masks of box.profiles: one bit for each profile of lan interfaces, one of dial-up ones. */
#define BOX_PROFILE(profile, dialup) (1 << ((profile) + ((dialup) ? PROFILE_PUBLIC : 0)))
enum {
    BOX_LAN = 1 << PROFILE_DOMAIN | 1 << PROFILE_PRIVATE | 1 << PROFILE_PUBLIC,
    BOX_DIALUP = BOX_LAN << PROFILE_PUBLIC,
    BOX_PROFILES = BOX_LAN | BOX_DIALUP,
};

/* The product of its fields; none is empty. Ports are the whole range unless l4 is L4_KNOWN. */
struct box {
    enum family family; /* FAMILY_4 or FAMILY_6 */
    uint8_t class, l4, special;
    uint8_t profiles;           /* mask of BOX_PROFILE() */
    uint16_t if_first, if_last; /* into packetset.names; n_names = any other interface */
    uint64_t proto[4];          /* bit mask of protocol numbers */
    struct ip src_first, src_last, dst_first, dst_last;
    uint16_t sport_first, sport_last;
    uint16_t dport_first, dport_last; /* ICMP: type << 8 | code */
};

/* Boxes of one set made by compile are disjoint. */
struct packetset {
    struct box *v;
    size_t n, cap;
    char (*names)[16]; /* of interfaces that a filter or an exemption names, owned */
    uint16_t n_names;
};
void packetset_done(struct packetset *s);

/* One packet out of a set. An address that stands for me is a real one of the host if the box has
 * one; otherwise it is any address of the box, for which packet.meta.to_host is set. */
struct example {
    struct packet packet; /* meta, addresses, protocol, ports: can be given to eval_packet() */
    bool src_me, dst_me;
    char interface[16]; /* empty = not decisive */
};

/* Who decides a packet: the same words as struct verdict, without the packet. */
struct decision {
    enum decider decider; /* DECIDED_NO_MATCH, _FILTER, _FAILSAFE or _EXEMPTION */
    size_t index;         /* effective filter or failsafe entry, else SIZE_MAX */
    enum tier tier;
    uint32_t weight;
    bool block;     /* in clear text */
    bool negotiate; /* blocked unless secured */
    bool twin;      /* by the mirrored twin */
};
