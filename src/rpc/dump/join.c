/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc/dump/join.c: what is registered beside what listens, as one table. Called by the command line
 * and its tests. Pure. Invariant: "nobody listens" and "not in the set" are said only of what was
 * looked at; of another host's sockets nothing is known, and the row says so. */
#include <errno.h>
#include <string.h>

#include "base/strbuf.h"
#include "rpcdump/rpcdump.h"

static const char *const names[_RPC_ROW_MAX] = {
    [RPC_ROW_OK] = "ok",
    [RPC_ROW_REGISTERED_DEAD] = "registered-dead",
    [RPC_ROW_UNREGISTERED] = "unregistered",
    [RPC_ROW_OUTSIDE] = "outside",
    [RPC_ROW_EXPLICIT] = "explicit",
    [RPC_ROW_HALF_OPEN] = "half-open",
    [RPC_ROW_OTHER_OWNER] = "other-owner",
    [RPC_ROW_OTHER_ADDRESS] = "other-address",
    [RPC_ROW_UNKNOWN] = "unknown",
};

const char *rpc_row_name(enum rpc_class_of_row c)
{
    return names[c];
}

void rpc_rows_done(struct rpc_rows *r)
{
    free(r->v);
    *r = (struct rpc_rows){0};
}

static bool has_port(const struct rpc_endpoint *e)
{
    return e->transport == RPC_TRANSPORT_TCP || e->transport == RPC_TRANSPORT_UDP ||
           e->transport == RPC_TRANSPORT_HTTP;
}

static bool is_in_set(const struct rpc_join *j, uint16_t port)
{
    for (size_t i = 0; i < j->n_set; i++)
        if (port >= j->set[i].first && port <= j->set[i].last)
            return true;
    return false;
}

static bool is_confined(const struct rpc_join *j, const char *unit)
{
    for (size_t i = 0; i < j->n_confined; i++)
        if (*unit && strcmp(j->confined[i], unit) == 0)
            return true;
    return false;
}

/* "tcp" and "udp" of rpcbind are IPv4, "tcp6" IPv6; a socket of IPv6 may serve both. */
static bool serves(const struct rpc_endpoint *e, const struct rpc_listener *l)
{
    bool udp = e->transport == RPC_TRANSPORT_UDP;
    bool six = e->netid[0] && e->netid[strlen(e->netid) - 1] == '6';
    return l->port == e->port && l->udp == udp && (!six || l->family == 10 /* AF_INET6 */);
}

/* Of several the one whose owner fits. */
static const struct rpc_listener *find_listener(const struct rpc_join *j,
                                                const struct rpc_endpoint *e)
{
    const struct rpc_listener *found = NULL;
    for (size_t i = 0; j->listeners && i < j->listeners->n; i++)
        if (serves(e, &j->listeners->v[i]) && (!found || (found->uid && !j->listeners->v[i].uid)))
            found = &j->listeners->v[i];
    return found;
}

static bool is_own_address(const struct rpc_join *j, const char *address)
{
    if (!*address || j->n_addresses == 0 || strncmp(address, "127.", 4) == 0 ||
        strcmp(address, "::1") == 0)
        return true;
    for (size_t i = 0; i < j->n_addresses; i++)
        if (strcmp(j->addresses[i], address) == 0)
            return true;
    return false;
}

/* rpcbind knows root by name and others by number. */
static bool is_other_owner(const struct rpc_endpoint *e, const struct rpc_listener *l)
{
    char *end = NULL;
    if (strcmp(e->owner, "superuser") == 0 || !*e->owner)
        return false; /* who registers as root may serve as somebody else */
    unsigned long uid = strtoul(e->owner, &end, 10);
    return end != e->owner && !*end && uid != l->uid;
}

static enum rpc_class_of_row classify(const struct rpc_join *j, const struct rpc_endpoint *e,
                                      const struct rpc_listener *l)
{
    if (!j->listeners)
        return RPC_ROW_UNKNOWN;
    if (!l)
        return RPC_ROW_REGISTERED_DEAD;
    if (!is_own_address(j, e->address))
        return RPC_ROW_OTHER_ADDRESS;
    if (is_other_owner(e, l))
        return RPC_ROW_OTHER_OWNER;
    if (j->n_set == 0 || is_in_set(j, e->port))
        return RPC_ROW_OK;
    return e->port >= j->dynamic_first && e->port <= j->dynamic_last ? RPC_ROW_OUTSIDE
                                                                     : RPC_ROW_EXPLICIT;
}

static struct rpc_row *add_row(struct rpc_rows *r)
{
    if (array_reserve(&r->v, &r->cap, r->n + 1, sizeof(*r->v)) < 0)
        return NULL;
    r->v[r->n] = (struct rpc_row){.class = RPC_ROW_OK};
    return &r->v[r->n++];
}

static int add_registered(const struct rpc_join *j, struct rpc_rows *r)
{
    for (size_t i = 0; i < j->endpoints->n; i++) {
        const struct rpc_endpoint *e = &j->endpoints->v[i];
        struct rpc_row *row = add_row(r);
        if (!row)
            return -ENOMEM;
        row->e = *e;
        if (!has_port(e))
            continue;
        const struct rpc_listener *l = find_listener(j, e);
        row->class = classify(j, e, l);
        row->listening = l != NULL;
        row->in_set = is_in_set(j, e->port);
        if (l)
            (void)format_into(row->unit, sizeof(row->unit), "%s", l->unit);
    }
    return 0;
}

static bool is_registered(const struct rpc_join *j, const struct rpc_listener *l)
{
    for (size_t i = 0; i < j->endpoints->n; i++)
        if (has_port(&j->endpoints->v[i]) && j->endpoints->v[i].port == l->port &&
            (j->endpoints->v[i].transport == RPC_TRANSPORT_UDP) == l->udp)
            return true;
    return false;
}

static bool has_row(const struct rpc_rows *r, const struct rpc_listener *l)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].class == RPC_ROW_UNREGISTERED && r->v[i].e.port == l->port &&
            (r->v[i].e.transport == RPC_TRANSPORT_UDP) == l->udp)
            return true;
    return false;
}

static int add_unregistered(const struct rpc_join *j, struct rpc_rows *r)
{
    for (size_t i = 0; j->listeners && i < j->listeners->n; i++) {
        const struct rpc_listener *l = &j->listeners->v[i];
        if (!is_in_set(j, l->port) || !is_confined(j, l->unit) || is_registered(j, l) ||
            has_row(r, l))
            continue;
        struct rpc_row *row = add_row(r);
        if (!row)
            return -ENOMEM;
        row->class = RPC_ROW_UNREGISTERED;
        row->e.transport = l->udp ? RPC_TRANSPORT_UDP : RPC_TRANSPORT_TCP;
        row->e.port = l->port;
        row->listening = row->in_set = true;
        (void)format_into(row->unit, sizeof(row->unit), "%s", l->unit);
    }
    return 0;
}

static int compare_rows(const void *pa, const void *pb)
{
    const struct rpc_row *a = pa, *b = pb;
    const char *texts[][2] = {{a->e.path, b->e.path},       {a->e.interface, b->e.interface},
                              {a->e.version, b->e.version}, {a->e.netid, b->e.netid},
                              {a->e.address, b->e.address}, {a->e.object, b->e.object},
                              {a->e.name, b->e.name}};
    if (a->e.transport != b->e.transport)
        return a->e.transport < b->e.transport ? -1 : 1;
    if (a->e.port != b->e.port)
        return a->e.port < b->e.port ? -1 : 1;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        int c = strcmp(texts[i][0], texts[i][1]);
        if (c != 0)
            return c;
    }
    return 0;
}

static bool needs_attention(enum rpc_class_of_row c)
{
    return c == RPC_ROW_REGISTERED_DEAD || c == RPC_ROW_OUTSIDE || c == RPC_ROW_HALF_OPEN ||
           c == RPC_ROW_OTHER_OWNER || c == RPC_ROW_OTHER_ADDRESS;
}

static void count(struct rpc_rows *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct rpc_row *row = &r->v[i];
        r->n_bad += needs_attention(row->class);
        if (row->e.transport != RPC_TRANSPORT_TCP || row->class == RPC_ROW_UNREGISTERED)
            continue;
        r->n_tcp_ports += r->n_tcp == 0 || r->v[i - 1].e.port != row->e.port ||
                          r->v[i - 1].e.transport != RPC_TRANSPORT_TCP;
        r->n_tcp++;
    }
}

int rpc_join(const struct rpc_join *j, struct rpc_rows *ret)
{
    _cleanup_(rpc_rows_done) struct rpc_rows r = {0};
    int err = add_registered(j, &r);
    if (err == 0)
        err = add_unregistered(j, &r);
    if (err < 0)
        return err;
    if (r.n > 1)
        qsort(r.v, r.n, sizeof(*r.v), compare_rows);
    count(&r);
    *ret = r;
    r = (struct rpc_rows){0};
    return 0;
}
