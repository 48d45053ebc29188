/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs cannot see by themselves: strangers that were there before, listeners that got
 * their port without a bind, links that somebody removed; and the way of events to the agent. See
 * internal.h. Invariant: a reference that was seeded is given back at the first look that finds no
 * socket on the port, and by nobody else. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

enum {
    LOOK_EVERY = 4,   /* reconciliations: 2 s */
    FOUND_MAX = 256,  /* events that wait */
    REMOTES_MAX = 16, /* addresses of one event */
    DYNAMIC_FIRST = 32768,
    DYNAMIC_LAST = 60999, /* the kernel's defaults */
};

/* --- strangers --- */

/* Not what is in TIME_WAIT: such a rest of a server with SO_REUSEADDR is in nobody's way, and one
 * of another server costs one bind that fails, not a port for a minute. */
static bool can_hold(const struct rpc_engine *e, const struct port_bits *which,
                     const struct sock *s)
{
    return s->state != TCP_TIME_WAIT && port_bits_has(which, s->port) &&
           tables_refs(&e->tables, s->proto, s->port) == 0;
}

int watch_seed(struct rpc_engine *e, const struct port_bits *which)
{
    _cleanup_(socks_done) struct socks l = {0};
    int n = 0, r = socks_read(&l);

    if (r < 0)
        return r;
    for (size_t i = 0; i < l.n; i++) {
        if (can_hold(e, which, &l.v[i]))
            n += tables_seed(&e->tables, l.v[i].proto, l.v[i].port);
    }
    return n;
}

static void unseed(struct rpc_engine *e, const struct socks *l)
{
    struct port_bits held[_RPC_PROTO_MAX];

    memset(held, 0, sizeof(held));
    for (size_t i = 0; i < l->n; i++)
        port_bits_add(&held[l->v[i].proto], l->v[i].port);
    for (unsigned p = 0; p < _RPC_PROTO_MAX; p++) {
        for (unsigned port = 0; port < RPC_PORTS; port++) {
            if (!port_bits_has(&e->own, (uint16_t)port) &&
                tables_is_seeded(&e->tables, (enum rpc_proto)p, (uint16_t)port) &&
                !port_bits_has(&held[p], (uint16_t)port))
                tables_unseed(&e->tables, (enum rpc_proto)p, (uint16_t)port);
        }
    }
}

/* --- listeners outside --- */

bool watch_is_dynamic(uint16_t port)
{
    unsigned first = DYNAMIC_FIRST, last = DYNAMIC_LAST;
    FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");

    if (f) {
        if (fscanf(f, "%u %u", &first, &last) != 2) {
            first = DYNAMIC_FIRST;
            last = DYNAMIC_LAST;
        }
        (void)fclose(f); /* only read */
    }
    return port >= first && port <= last;
}

void watch_found(struct rpc_engine *e, enum rpc_event_kind kind, const struct unit *u,
                 const struct sock *s, const char *text)
{
    if (e->n_found >= FOUND_MAX ||
        array_reserve(&e->found, &e->cap_found, e->n_found + 1, sizeof(*e->found)) < 0)
        return; /* status shows it all the same */
    struct found *f = &e->found[e->n_found++];

    *f = (struct found){.ev = {.kind = kind, .count = 1}};
    if (s) {
        f->ev.proto = s->proto;
        f->ev.port = s->port;
    }
    (void)snprintf(f->unit, sizeof(f->unit), "%s", u ? u->name : "");
    (void)snprintf(f->text, sizeof(f->text), "%s", text ? text : ""); /* cut */
}

static bool is_known(struct unit *u, uint64_t inode)
{
    for (size_t i = 0; i < u->n_known; i++)
        if (u->known[i] == inode)
            return true;
    if (u->n_known < UNIT_KNOWN_SOCKETS)
        u->known[u->n_known++] = inode;
    return false;
}

/* Sockets that are gone make room in the list of those that were told. */
static void forget_gone(struct unit *u, const struct socks *l)
{
    size_t n = 0;

    for (size_t i = 0; i < u->n_known; i++) {
        bool lives = false;

        for (size_t k = 0; k < l->n && !lives; k++)
            lives = l->v[k].inode == u->known[i];
        if (lives)
            u->known[n++] = u->known[i];
    }
    u->n_known = n;
}

static bool is_outside(const struct rpc_engine *e, const struct sock *s)
{
    return sock_waits(s) && s->inode && !port_bits_has(&e->set, s->port) &&
           watch_is_dynamic(s->port);
}

/* At the first look at a unit these are what it had before; later ones escaped. */
static void look_at_unit(struct rpc_engine *e, struct unit *u, const struct socks *l)
{
    bool first = u->looked_at != u->id;
    char list[UNIT_OUTSIDE_BYTES] = "";

    if (first)
        u->n_known = 0;
    forget_gone(u, l);
    for (size_t i = 0; i < l->n; i++) {
        const struct sock *s = &l->v[i];
        char text[SOCK_ADDRESS_BYTES + 16];

        if (!is_outside(e, s) || !cgroup_ids_has(&u->ids, s->cgroup) || is_known(u, s->inode))
            continue;
        if (first) {
            status_add_outside(s, list, sizeof(list));
            continue;
        }
        e->escapes++;
        sock_print(s->local, s->family, s->port, text);
        watch_found(e, RPC_EVENT_ESCAPE, u, s, text);
    }
    u->looked_at = u->id;
    if (*list)
        watch_found(e, RPC_EVENT_RESTART_NEEDED, u, NULL, list);
}

static int look(struct rpc_engine *e)
{
    _cleanup_(socks_done) struct socks l = {0};
    int r = socks_read(&l);

    if (r < 0)
        return r;
    unseed(e, &l);
    (void)tables_repair_hints(&e->tables); /* no event: nothing went wrong */
    for (size_t i = 0; i < e->n_units; i++) {
        if (e->units[i].id && unit_is_inside(e, &e->units[i]))
            look_at_unit(e, &e->units[i], &l);
    }
    return 0;
}

/* What bound while a link was missing is not known to the programs. */
static int repair_links(struct rpc_engine *e)
{
    if (load_count_links(&e->load) == LOAD_LINKS)
        return 0;
    int n = load_attach(&e->load), r;

    if (n <= 0)
        return n;
    r = watch_seed(e, &e->set);
    watch_found(e, RPC_EVENT_TAMPER, NULL, NULL, "a link was removed and is made again");
    return r < 0 ? r : n;
}

int rpc_reconcile(struct rpc_engine *e)
{
    int r, n;

    if (!e->active)
        return 0;
    n = repair_links(e);
    r = units_sync(e);
    if (r >= 0 && (r > 0 || e->looks++ % LOOK_EVERY == 0))
        r = look(e);
    return n < 0 ? n : r < 0 ? r : n;
}

/* --- events --- */

/* Where the clients of a unit call to. */
static void print_remotes(struct rpc_engine *e, const struct unit *u, enum rpc_proto p, char *out,
                          size_t size)
{
    _cleanup_(socks_done) struct socks l = {0};
    unsigned n = 0;

    *out = '\0';
    if (!u || socks_read(&l) < 0)
        return;
    for (size_t i = 0; i < l.n && n < REMOTES_MAX; i++) {
        const struct sock *s = &l.v[i];
        char text[SOCK_ADDRESS_BYTES + 16];
        size_t len = strlen(out);

        if (s->proto != p || !s->peer_port || !port_bits_has(&e->set, s->port) ||
            !cgroup_ids_has(&u->ids, s->cgroup))
            continue;
        sock_print(s->peer, s->family, s->peer_port, text);
        if (strstr(out, text))
            continue;
        (void)snprintf(out + len, size - len, "%s%s", len ? ", " : "", text); /* cut */
        n++;
    }
}

static const enum rpc_event_kind kinds[] = {
    [RPC_RECORD_EXHAUSTED] = RPC_EVENT_EXHAUSTED,
    [RPC_RECORD_RESERVE] = RPC_EVENT_RESERVE,
    [RPC_RECORD_GUARD] = RPC_EVENT_GUARD,
};

int watch_on_record(void *ctx, void *data, size_t len)
{
    struct rpc_engine *e = ctx;
    const struct rpc_record *r = data;
    char text[EVENT_TEXT_BYTES] = "";

    if (len < sizeof(*r) || r->kind >= ARRAY_SIZE(kinds) || r->proto >= _RPC_PROTO_MAX)
        return 0; /* not of ours */
    const struct unit *u = r->unit ? units_by_id(e, r->unit) : NULL;
    struct rpc_event ev = {
        .kind = kinds[r->kind],
        .proto = (enum rpc_proto)r->proto,
        .port = r->port,
        .pid = r->pid,
        .count = r->count,
        .held = r->held,
        .clients = r->clients,
        .reserve = r->reserve,
        .unit = u ? u->name : NULL,
    };

    (void)snprintf(ev.comm, sizeof(ev.comm), "%.*s", (int)sizeof(r->comm) - 1, r->comm);
    if (ev.kind == RPC_EVENT_RESERVE)
        print_remotes(e, u, ev.proto, text, sizeof(text));
    ev.text = *text ? text : NULL;
    e->fn(e->ctx, &ev);
    e->n_read++;
    return --e->left > 0 ? 0 : -ECANCELED;
}

static void hand_out_found(struct rpc_engine *e)
{
    size_t n = 0;

    for (; n < e->n_found && e->left > 0; n++, e->left--, e->n_read++) {
        struct found *f = &e->found[n];

        f->ev.unit = *f->unit ? f->unit : NULL;
        f->ev.text = *f->text ? f->text : NULL;
        e->fn(e->ctx, &f->ev);
    }
    memmove(e->found, e->found + n, (e->n_found - n) * sizeof(*e->found));
    e->n_found -= n;
}

int rpc_events(struct rpc_engine *e, unsigned max, rpc_event_fn *fn, void *ctx)
{
    int r = 0;

    e->fn = fn;
    e->ctx = ctx;
    e->left = max;
    e->n_read = 0;
    if (e->n_found)
        hand_out_found(e);
    if (e->ring && e->left > 0)
        r = ring_buffer__consume(e->ring);
    return r < 0 && r != -ECANCELED ? r : (int)e->n_read;
}

const char *rpc_event_name(enum rpc_event_kind k)
{
    static const char *const names[_RPC_EVENT_MAX] = {
        [RPC_EVENT_EXHAUSTED] = "rpc-exhausted",
        [RPC_EVENT_RESERVE] = "rpc-reserve",
        [RPC_EVENT_ESCAPE] = "rpc-escape",
        [RPC_EVENT_GUARD] = "rpc-guard",
        [RPC_EVENT_RESTART_NEEDED] = "rpc-restart-needed",
        [RPC_EVENT_TAMPER] = "rpc-tamper",
        [RPC_EVENT_CONFIG_INVALID] = "rpc-config-invalid",
        [RPC_EVENT_FAILED] = "rpc-failed",
    };
    return names[k];
}
