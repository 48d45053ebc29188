/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State shared by the files behind rtnl.h: rtnl.c receives and orders dumps, rtnl_links.c
 * keeps interfaces, rtnl_routes.c local prefixes, rtnl_socks.c looks for DHCP clients,
 * rtnl_dump.c asks the kernel. Tables are sorted arrays; host.ifaces[i] and links[i] describe
 * the same interface. The functions that apply a message return 0 or -ENOMEM and have told
 * the ops when they return. */
#pragma once
#include "rtnl.h"
#include "rtnl_parse.h"
#include "rtnl_query.h"

enum { RTNL_ZONE_MAX = 254, RTNL_TABLE_LOCAL = 255 };

/* What the kernel says about an interface, as far as its struct iface follows from it. */
struct link {
    struct rtnl_link_msg msg;
    uint8_t zone;
    bool seen; /* by the running dump */
};

struct lease {
    uint32_t ifindex;
    enum family family;
    struct ip ip;
    bool seen;
};

/* A socket that looks like a DHCP client's; ifindex 0 = bound to no interface. */
struct dhcp_client {
    enum family family;
    uint32_t ifindex;
};

struct route_set {
    struct rtnl_route *v; /* sorted, no two equal */
    size_t n, cap;
};

struct rtnl {
    const struct rtnl_ops *ops;
    void *user;
    int fd;                  /* subscribed */
    struct rtnl_query query; /* requests and dumps */
    struct host host;
    struct link *links;
    size_t cap_links; /* as many as host.n_ifaces */
    struct lease *leases;
    size_t n_leases, cap_leases;
    struct dhcp_client *clients;
    size_t n_clients, cap_clients;
    struct route_set routes; /* of the local tables, types of enum local_kind only */
    struct route_set fresh;  /* being dumped */
    struct profile_patterns profiles;
    bool forwarding6_all; /* what IPv6 forwarding of every interface hangs on */
    bool accept_local_all;
    bool lost;         /* messages are missing: dump everything */
    bool routes_dirty; /* routes may be gone without a message: dump routes */
    uint8_t last_zone; /* handed out last */
    unsigned changes;  /* HOST_CHANGED_* since the call began */
    int op_error;      /* first negative result of an op since the call began */
    uint8_t *buf;      /* RTNL_BUF_BYTES, for the subscribed socket */
};
enum { RTNL_BUF_BYTES = 64 * 1024 };

/* Keeps the first failure of an op. */
void rtnl_op_result(struct rtnl *r, int e);

/* --- rtnl_links.c --- */
_must_check_ int links_set(struct rtnl *r, const struct rtnl_link_msg *m);
_must_check_ int links_del(struct rtnl *r, uint32_t ifindex);
_must_check_ int leases_set(struct rtnl *r, const struct rtnl_addr_msg *m);
void leases_del(struct rtnl *r, const struct rtnl_addr_msg *m);
void links_conf(struct rtnl *r, const struct rtnl_conf_msg *m);
/* Recomputes every interface after something they share has changed. */
void links_refresh_all(struct rtnl *r);
/* Around a dump of links and addresses: forget who was seen; remove who was not. */
void links_dump_begin(struct rtnl *r);
_must_check_ int links_dump_end(struct rtnl *r);
bool links_is_vrf_table(const struct rtnl *r, uint32_t table);

/* --- rtnl_routes.c --- */
_must_check_ int routes_set(struct rtnl *r, const struct rtnl_route *m, bool replaces);
void routes_del(struct rtnl *r, const struct rtnl_route *m);
/* Collects one dumped route; routes_dump_end() makes the collection the current set. */
_must_check_ int routes_dump_add(struct rtnl *r, const struct rtnl_route *m);
_must_check_ int routes_dump_end(struct rtnl *r);

/* --- rtnl_dump.c --- */
/* Interfaces, addresses, sysctls, then routes. -EINTR: it changed too often meanwhile, what
 * was seen is applied, nothing was taken away. */
_must_check_ int dump_all(struct rtnl *r);
_must_check_ int dump_routes(struct rtnl *r);

/* --- rtnl_socks.c --- */
/* Fills r->clients; without inet_diag in the kernel there are none. */
_must_check_ int socks_find_clients(struct rtnl *r);
