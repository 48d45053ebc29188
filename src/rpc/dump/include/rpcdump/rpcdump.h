/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which RPC servers a host has registered, and whether that is true: endpoint map of DCE/RPC (TCP
 * port 135) and rpcbind of ONC RPC, side by side with the sockets of this host and the set of
 * confined ports.
 *
 * Called by the command line only, never by the agent: what comes in was written by strangers. All
 * is bounded: entries, bytes, calls, time. Texts of strangers come out as printable ASCII. */
#pragma once
#include "base/diag.h"
#include "base/util.h"

enum {
    RPC_DUMP_ENTRIES = 10000,
    RPC_DUMP_STUB_BYTES = 1024 * 1024,
    RPC_DUMP_CALLS = 64,
    RPC_DUMP_DCE_MS = 10000, /* all calls together */
    RPC_DUMP_ONC_MS = 3000,
    RPC_DUMP_DCE_PORT = 135,
};

enum rpc_dump_source { RPC_DUMP_DCE, RPC_DUMP_ONC };
enum rpc_transport {
    RPC_TRANSPORT_TCP,
    RPC_TRANSPORT_UDP,
    RPC_TRANSPORT_HTTP,  /* over TCP */
    RPC_TRANSPORT_PIPE,  /* SMB named pipe */
    RPC_TRANSPORT_LOCAL, /* of one host: ncalrpc, Unix socket */
    RPC_TRANSPORT_OTHER,
};
struct rpc_endpoint {
    enum rpc_dump_source source;
    enum rpc_transport transport;
    uint16_t port;      /* TCP, UDP, HTTP */
    char address[48];   /* of the tower or universal address; "" = none or any */
    char interface[40]; /* UUID, or number of the program */
    char version[16];
    char name[68];   /* annotation, or name of the program; "" = none */
    char object[40]; /* UUID, "" = none */
    char path[128];  /* of a pipe or local endpoint, else "" */
    char host[64];   /* NetBIOS name of the tower, "" = none */
    char netid[16];  /* of rpcbind: "tcp6" */
    char owner[24];  /* of rpcbind: "superuser", a uid, "unknown" */
};
struct rpc_endpoints {
    struct rpc_endpoint *v; /* owned */
    size_t n, cap;
    unsigned calls;
};
void rpc_endpoints_done(struct rpc_endpoints *l);
/* "ncacn_ip_tcp", "ncadg_ip_udp", ... */
const char *rpc_transport_protseq(enum rpc_transport t);

/* Adds the endpoint map of a host. Failures: -EHOSTUNREACH and the like with *d, which names the
 * host; what was read before stays in *l. */
_must_check_ int rpc_dump_dce(const char *host, uint16_t port, unsigned limit_ms, struct diag *d,
                              struct rpc_endpoints *l);
/* Adds the table of rpcbind; host NULL = this host, over its local socket. The library of the
 * system reads the answer in a process of its own without rights. */
_must_check_ int rpc_dump_onc(const char *host, unsigned limit_ms, struct diag *d,
                              struct rpc_endpoints *l);

/* --- sockets of this host --- */
struct rpc_listener {
    bool udp;
    uint8_t family; /* AF_INET, AF_INET6 */
    uint16_t port;
    uint32_t uid;
    char address[48];
    char unit[128]; /* of its cgroup; "" = not known */
};
struct rpc_listeners {
    struct rpc_listener *v; /* owned */
    size_t n, cap;
};
void rpc_listeners_done(struct rpc_listeners *l);
/* What listens, or is UDP and not connected, in this network namespace. */
_must_check_ int rpc_listeners_read(struct diag *d, struct rpc_listeners *ret);

/* --- one table --- */
enum rpc_class_of_row {
    RPC_ROW_OK,
    RPC_ROW_REGISTERED_DEAD, /* nobody listens */
    RPC_ROW_UNREGISTERED,    /* a confined unit listens inside of the set, nobody registered it */
    RPC_ROW_OUTSIDE,         /* outside of the set */
    RPC_ROW_EXPLICIT,        /* outside, bound by its number */
    RPC_ROW_HALF_OPEN,       /* mapper reachable from somewhere, the endpoint not */
    RPC_ROW_OTHER_OWNER,     /* another user listens than the one that registered */
    RPC_ROW_OTHER_ADDRESS,   /* names an address that this host does not have */
    RPC_ROW_UNKNOWN,         /* of another host: sockets cannot be seen */
    _RPC_ROW_MAX,
};
const char *rpc_row_name(enum rpc_class_of_row c);

struct rpc_row {
    struct rpc_endpoint e; /* interface "" for RPC_ROW_UNREGISTERED */
    enum rpc_class_of_row class;
    bool listening, in_set;
    char unit[128];
};
struct rpc_rows {
    struct rpc_row *v; /* owned; by transport, port, interface, version */
    size_t n, cap;
    size_t n_tcp, n_tcp_ports; /* registered endpoints over TCP, and distinct ports of them */
    size_t n_bad;              /* rows that need attention */
};
void rpc_rows_done(struct rpc_rows *r);

struct rpc_port_span {
    uint16_t first, last;
};
struct rpc_join {
    const struct rpc_endpoints *endpoints;
    const struct rpc_listeners *listeners; /* NULL = of another host */
    const struct rpc_port_span *set;       /* n_set 0 = there is none */
    size_t n_set;
    const char *const *confined; /* names of units */
    size_t n_confined;
    const char *const *addresses; /* of this host; n 0 = not known */
    size_t n_addresses;
    uint16_t dynamic_first, dynamic_last; /* from which the kernel chooses */
};
_must_check_ int rpc_join(const struct rpc_join *j, struct rpc_rows *ret);
/* The range from which the kernel takes ports; 32768-60999 if it cannot be read. */
void rpc_dynamic_range(uint16_t *ret_first, uint16_t *ret_last);
