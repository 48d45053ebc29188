/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets of this network namespace, as the kernel tells them (sock_diag), with the processes
 * that hold them and the unit that made them. Shared by the command line and the agent; both read
 * for themselves. Nothing is written and nothing is kept between two calls.
 *
 * A socket that is bound and does not listen is `reserved`, never `listening`. What could not be
 * seen is said in struct sockets, never left out silently. */
#pragma once
#include "base/diag.h"

enum socket_state {
    SOCKET_LISTEN,    /* TCP, SCTP */
    SOCKET_BOUND,     /* UDP: takes datagrams from anybody */
    SOCKET_RESERVED,  /* TCP: has a port, does not listen */
    SOCKET_CONNECTED, /* to one peer; of TCP also on the way there, or closing */
    SOCKET_RAW,       /* IP packets of one protocol */
    SOCKET_SNIFF,     /* AF_PACKET: sees packets before the filters */
    SOCKET_XSK,       /* AF_XDP: likewise */
    _SOCKET_STATE_MAX,
};
const char *socket_state_name(enum socket_state s); /* "listen" "bound" "reserved" ... */

struct socket_row {
    uint8_t family; /* AF_INET, AF_INET6, AF_PACKET, AF_XDP */
    uint8_t proto;  /* IPPROTO_*; of raw sockets theirs, of AF_PACKET 0 */
    enum socket_state state;
    uint8_t tcp_state; /* TCP_ESTABLISHED ..., the kernel's number */
    bool six_only;     /* [::] without it serves IPv4, too */
    uint16_t port;     /* of AF_PACKET the EtherType */
    uint16_t peer_port;
    uint32_t ifindex; /* bound to a device, 0 = to none */
    uint32_t uid;
    uint32_t inode;              /* 0 = the kernel's, or no file any more */
    uint64_t cgroup;             /* id of the directory it was made in, 0 = unknown */
    uint64_t cookie;             /* unique while the host is up */
    uint8_t local[16], peer[16]; /* IPv4: the first four bytes */
    uint32_t holder, n_holders;  /* sockets.holders[holder ..], lowest pid first */
};

struct socket_holder {
    uint32_t inode, pid;
};

/* How the holders were found. */
enum socket_holders_by {
    HOLDERS_NONE,     /* not asked */
    HOLDERS_PINNED,   /* iterator that the agent left */
    HOLDERS_ITERATOR, /* own iterator */
    HOLDERS_PROC,     /* /proc/PID/fd */
    _HOLDERS_BY_MAX,
};

struct sockets {
    struct socket_row *v; /* sorted: TCP before UDP, by port, wildcard before specific address */
    size_t n, cap;
    struct socket_holder *holders; /* sorted by inode, then pid */
    size_t n_holders, cap_holders;
    enum socket_holders_by by;
    bool incomplete;      /* the list changed under each of three attempts */
    bool reserved_hidden; /* this kernel does not show reserved sockets */
    bool sniff_hidden;    /* packet sockets not visible on this kernel */
    bool proc_partial;    /* HOLDERS_PROC, and some processes could not be looked at */
    uint64_t read_ticks;  /* when, on the clock of process start times */
};
void sockets_done(struct sockets *s);

/* What to read. */
enum {
    SOCKETS_WAITING = 1,   /* listen, bound, reserved */
    SOCKETS_CONNECTED = 2, /* with a peer */
    SOCKETS_SNIFFING = 4,  /* raw, packet, XDP */
    SOCKETS_HOLDERS = 8,
};
/* pin: directory where the agent pins its iterators, NULL or "" = nowhere. */
_must_check_ int sockets_read(unsigned what, const char *pin, struct diag *d, struct sockets *ret);

/* --- the iterators --- */
/* Loads them and pins them in dir, which is made, in place of what is there. Needs CAP_BPF and
 * CAP_PERFMON. */
_must_check_ int sockets_pin_iterators(const char *dir, struct diag *d);

/* --- parts, for tests --- */
struct socket_answer {
    bool done;        /* the last message was there */
    bool interrupted; /* NLM_F_DUMP_INTR */
    int error;        /* what the kernel said, 0 = nothing */
};
/* One datagram of a dump of `family` (AF_INET, AF_INET6, AF_UNSPEC for both, AF_PACKET, AF_XDP) and
 * `proto` as asked for; appends to s. 0, -ENOMEM or -EBADMSG. */
_must_check_ int sockets_parse(const void *data, size_t len, uint8_t family, uint8_t proto,
                               struct sockets *s, struct socket_answer *ret);
/* Sorts rows, leaves out rows that a changing table gave twice, and joins holders by inode. */
_must_check_ int sockets_settle(struct sockets *s);
bool socket_is_any_address(const struct socket_row *r);
/* 127.0.0.0/8, ::1, or ::ffff:127.0.0.0/104. */
bool socket_is_loopback(const struct socket_row *r);
enum { SOCKET_TEXT_BYTES = 96 };
/* The address alone, "192.0.2.1"; peer: of the other end. */
void socket_address_print(const struct socket_row *r, bool peer, char out[SOCKET_TEXT_BYTES]);
/* "0.0.0.0:22", "[::]:22", "192.0.2.1%eth0:68", "0.0.0.0 proto 1" of raw sockets, "*:0x0003" of
 * packet sockets. device: name of the interface it is bound to, NULL = none. */
void socket_print(const struct socket_row *r, bool peer, const char *device,
                  char out[SOCKET_TEXT_BYTES]);
/* "tcp", "udp", "sctp", "udplite", "raw", "packet", "xdp". */
const char *socket_proto_name(const struct socket_row *r);
