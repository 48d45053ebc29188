/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scanner: which ports of one address answer, seen from the caller's network namespace.
 *   probe_parse_ports(), probe_refuse()     what may be asked at all (exposure.md 3.1)
 *   probe_route()                           where the packets would go, for the plan
 *   probe_scan()                            the scan
 * probe_scan() forks: the child opens its sockets, gives up every right, and only then reads what
 * comes from the network; results come back through memory that is checked before it is used. So
 * the caller keeps his rights and never parses an answer. A silent port is never called closed, and
 * a local error is never a verdict. */
#pragma once
#include <net/if.h>

#include "base/diag.h"
#include "model/ip.h"

enum { PROBE_PORTS = 65536, PROBE_ROUNDS_MAX = 10, PROBE_RATE_DEFAULT = 2000 };

/* A set of ports; 8 KiB. */
struct probe_ports {
    uint8_t bits[PROBE_PORTS / 8];
};
static inline bool probe_ports_has(const struct probe_ports *p, unsigned port)
{
    return p->bits[port / 8] >> (port % 8) & 1;
}
static inline void probe_ports_add(struct probe_ports *p, unsigned port)
{
    p->bits[port / 8] = (uint8_t)(p->bits[port / 8] | 1U << (port % 8));
}
unsigned probe_ports_count(const struct probe_ports *p);
/* "80", "1-1024,8080". 0 or -EINVAL with *d. */
_must_check_ int probe_parse_ports(const char *text, size_t len, struct diag *d,
                                   struct probe_ports *ret);
/* The same as text, cut with "..." if it does not fit. */
struct strbuf;
_must_check_ int probe_print_ports(const struct probe_ports *p, struct strbuf *out);

enum probe_method { PROBE_SYN, PROBE_CONNECT, PROBE_UDP, _PROBE_METHOD_MAX };
enum probe_state {
    PROBE_NOT_SCANNED, /* not in the set that was asked for */
    PROBE_OPEN,
    PROBE_CLOSED,
    PROBE_REJECTED, /* an ICMP error that quotes our probe */
    PROBE_FILTERED, /* TCP: silence after all rounds */
    PROBE_UNKNOWN,  /* UDP: silence; else what probe_why says */
    _PROBE_STATE_MAX
};
enum probe_why {
    PROBE_WHY_NONE,
    PROBE_WHY_SILENT,      /* open, filtered and rate-limited look alike */
    PROBE_WHY_LOCAL_ERROR, /* this host did not send */
    PROBE_WHY_UNREACHABLE, /* the host or its network cannot be reached */
    PROBE_WHY_CUT_SHORT,   /* rounds or time were used up, or the caller stopped */
    PROBE_WHY_PROXY,       /* everything is open: a proxy or a SYN cookie device answers */
    PROBE_WHY_PATH,        /* the target says: did not arrive */
    PROBE_WHY_TARGET,      /* the target says: arrived, was dropped there */
    PROBE_WHY_NO_ANSWER,   /* the target says: delivered, and yet nothing came back */
    _PROBE_WHY_MAX
};
const char *probe_method_name(enum probe_method m); /* "syn" "connect" "udp" */
const char *probe_state_name(enum probe_state s);
const char *probe_why_name(enum probe_why w);

/* Why an address must not be scanned, NULL if it may: a broadcast, multicast or unspecified one. */
const char *probe_refuse(enum family family, struct ip ip);

struct probe_route {
    enum family family;
    struct ip ip, source;
    unsigned ifindex;
    char ifname[IF_NAMESIZE];
    bool is_local; /* an address of this network namespace */
    bool is_veth;  /* reached through a veth without a gateway */
    bool has_gateway;
    struct ip gateway;
};
/* scope: interface of a link-local address, else 0. -errno with *d. */
_must_check_ int probe_route(enum family family, struct ip ip, unsigned scope, struct diag *d,
                             struct probe_route *ret);

/* What one port came to. */
struct probe_port {
    uint8_t state, why; /* enum probe_state, enum probe_why */
    uint16_t pad;
    uint32_t rtt_us; /* 0 = not measured */
};
/* What decided ports of the target that did not get through, as its own agent explains it. */
enum { PROBE_DECISIONS_MAX = 512, PROBE_ID_BYTES = 16, PROBE_TEXT_BYTES = 240 };
struct probe_decision {
    uint16_t first, last;
    char verdict[8];             /* "block", "permit": something else dropped it, "" = not known */
    char id[PROBE_ID_BYTES];     /* of the filter, "" = none */
    char text[PROBE_TEXT_BYTES]; /* from the target: escape it before it is shown */
};
struct probe_result {
    struct probe_port port[PROBE_PORTS];
    uint8_t service[PROBE_PORTS]; /* for probe_service_name(): what an UDP answer proves */
    uint32_t n[_PROBE_STATE_MAX];
    uint64_t sent; /* probes */
    uint32_t rounds;
    uint32_t elapsed_us;
    uint32_t local_errors;
    int32_t first_errno; /* of them */
    bool is_proxy, is_stopped, backed_off;
    uint32_t n_decisions;
    struct probe_decision decisions[PROBE_DECISIONS_MAX];
};
struct probe_request {
    const struct probe_route *route;
    const struct probe_ports *ports;
    enum probe_method method;
    uint32_t rate; /* probes per second, 0 = unlimited */
    /* The target's side of a cooperative scan (listener.h), already started: what it reads and
     * what it writes. -1 both = none. PROBE_SYN and PROBE_UDP only. */
    int agent_in, agent_out;
    /* Called while it runs, NULL = not; open ports in the order of their answers. */
    void (*on_open)(void *ctx, uint16_t port);
    void (*on_progress)(void *ctx, uint32_t answered, uint32_t round, uint64_t sent);
    void *ctx;
};
/* SIGINT during the scan ends it cleanly (is_stopped). 0 or -errno with *d; -EPERM: no right to
 * raw sockets, PROBE_CONNECT needs none. */
_must_check_ int probe_scan(const struct probe_request *r, struct diag *d,
                            struct probe_result *ret);
/* Whether this process may open raw sockets. */
bool probe_may_send_raw(void);
/* "netns" of the caller becomes that of a name in /run/netns, or of a path. */
_must_check_ int probe_enter_netns(const char *name, struct diag *d);

/* Name of a number of probe_result.service; NULL = nothing is proven. */
const char *probe_service_name(uint8_t service);
