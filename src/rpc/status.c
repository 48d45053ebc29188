/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc_status(): what is confined, who holds which port. Called by the agent for the API. Numbers
 * come from the tables of the programs, holders from the socket tables; both move while they are
 * read. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "internal.h"

enum { RECOMMEND_PERCENT = 125, RECOMMEND_MORE = 4 };

uint32_t rpc_recommend(uint32_t max_held)
{
    uint32_t more = (max_held * RECOMMEND_PERCENT + 99) / 100;

    return more > max_held + RECOMMEND_MORE ? more : max_held + RECOMMEND_MORE;
}

const char *rpc_how_name(enum rpc_how h)
{
    switch (h) {
    case RPC_HOW_CGROUP:
        return "cgroup";
    case RPC_HOW_SAMBA:
        return "samba";
    case RPC_HOW_NFS:
        return "nfs";
    }
    return "";
}

const char *rpc_unit_state_name(enum rpc_unit_state s)
{
    switch (s) {
    case RPC_UNIT_CONFINED:
        return "confined";
    case RPC_UNIT_ABSENT:
        return "not running";
    case RPC_UNIT_RESTART:
        return "restart needed";
    case RPC_UNIT_OUTSIDE:
        return "kept outside";
    case RPC_UNIT_REFUSED:
        return "refused";
    case RPC_UNIT_NOT_AVAILABLE:
        return "not available";
    }
    return "";
}

void rpc_status_done(struct rpc_status *s)
{
    free(s->units);
    free(s->holders);
    *s = (struct rpc_status){0};
}

void status_add_outside(const struct sock *s, char *out, size_t size)
{
    char text[SOCK_ADDRESS_BYTES + 16];
    size_t len = strlen(out);

    sock_print(s->local, s->family, s->port, text);
    if (len < size)
        (void)snprintf(out + len, size - len, "%s%s %s%s", len ? ", " : "",
                       s->proto == RPC_PROTO_TCP ? "tcp" : "udp", text,
                       watch_is_dynamic(s->port) ? "" : " (explicit)"); /* cut */
}

/* "5001-5021, 6000" */
static void print_set(const struct port_bits *b, char *out, size_t size)
{
    size_t len = 0;

    *out = '\0';
    for (unsigned port = 0; port < RPC_PORTS && len < size; port++) {
        if (!port_bits_has(b, (uint16_t)port))
            continue;
        unsigned last = port;

        while (last + 1 < RPC_PORTS && port_bits_has(b, (uint16_t)(last + 1)))
            last++;
        int n = snprintf(out + len, size - len, last > port ? "%s%u-%u" : "%s%u", len ? ", " : "",
                         port, last);
        len += n > 0 ? (size_t)n : 0;
        port = last;
    }
}

/* --- holders --- */

static enum rpc_holder_kind kind_of(const struct sock *s, const struct unit *u)
{
    if (!u)
        return RPC_HOLDER_STRANGER;
    return sock_waits(s) || !s->peer_port ? RPC_HOLDER_LISTENER : RPC_HOLDER_CLIENT;
}

static int add_holder(struct rpc_status *st, size_t *cap, const struct sock *s,
                      const struct unit *u, bool in_set)
{
    int r = array_reserve(&st->holders, cap, st->n_holders + 1, sizeof(*st->holders));

    if (r < 0)
        return r;
    struct rpc_holder *h = &st->holders[st->n_holders++];
    char text[SOCK_ADDRESS_BYTES + 16];

    *h = (struct rpc_holder){.proto = s->proto,
                             .port = s->port,
                             .kind = kind_of(s, u),
                             .in_set = in_set,
                             .uid = s->uid,
                             .inode = s->inode};
    sock_print(s->local, s->family, s->port, text);
    (void)snprintf(h->address, sizeof(h->address), "%.*s", (int)(strrchr(text, ':') - text), text);
    (void)snprintf(h->unit, sizeof(h->unit), "%s", u ? u->name : "");
    return 0;
}

/* Those of the set, then those of units outside of it. */
static int add_holders(struct rpc_engine *e, const struct socks *l, struct rpc_status *st)
{
    size_t cap = 0;
    int r = 0;

    for (int in_set = 1; r == 0 && in_set >= 0; in_set--) {
        for (size_t i = 0; r == 0 && i < l->n; i++) {
            const struct sock *s = &l->v[i];
            bool member = port_bits_has(&e->set, s->port);

            if (member != (in_set == 1) || !s->inode || (!member && !sock_waits(s)))
                continue;
            const struct unit *u = units_of_sock(e, s);

            if (u || member)
                r = add_holder(st, &cap, s, u, member);
        }
    }
    return r;
}

static void count_strangers(struct rpc_status *st)
{
    for (size_t i = 0; i < st->n_holders; i++) {
        const struct rpc_holder *h = &st->holders[i];

        st->n[h->proto].strangers += h->in_set && h->kind == RPC_HOLDER_STRANGER;
    }
}

/* --- units --- */

static void set_numbers(struct rpc_engine *e, const struct unit *u, struct rpc_unit_status *s)
{
    struct rpc_unit v;

    if (!u->id || !e->active || bpf_map_lookup_elem(e->load.map[LOAD_MAP_UNITS], &u->id, &v) < 0)
        return;
    for (unsigned p = 0; p < _RPC_PROTO_MAX; p++) {
        s->held[p] = v.held[p] > 0 ? (uint32_t)v.held[p] : 0;
        s->clients[p] = v.clients[p] > 0 ? (uint32_t)v.clients[p] : 0;
    }
    s->rewrites = v.rewrites;
    s->overflows = v.overflows;
    s->exhausted = v.exhausted;
}

static bool list_outside(struct rpc_engine *e, const struct unit *u, const struct socks *l,
                         struct rpc_unit_status *s)
{
    bool dynamic = false;

    for (size_t i = 0; i < l->n; i++) {
        const struct sock *k = &l->v[i];

        if (!sock_waits(k) || !k->inode || port_bits_has(&e->set, k->port) ||
            !cgroup_ids_has(&u->ids, k->cgroup))
            continue;
        dynamic = dynamic || watch_is_dynamic(k->port);
        status_add_outside(k, s->outside, sizeof(s->outside));
    }
    return dynamic;
}

static enum rpc_unit_state state_of(struct rpc_engine *e, const struct unit *u, bool restart)
{
    if (*u->why || (u->how == RPC_HOW_CGROUP && !e->active))
        return RPC_UNIT_NOT_AVAILABLE;
    if (e->invalid)
        return RPC_UNIT_REFUSED;
    if (u->how == RPC_HOW_NFS)
        return RPC_UNIT_CONFINED;
    if (!u->id)
        return RPC_UNIT_ABSENT;
    if (u->how == RPC_HOW_CGROUP && !unit_is_inside(e, u))
        return RPC_UNIT_OUTSIDE;
    return restart ? RPC_UNIT_RESTART : RPC_UNIT_CONFINED;
}

static void set_unit(struct rpc_engine *e, const struct unit *u, const struct socks *l,
                     struct rpc_unit_status *s)
{
    static const char *const classes[RPC_CLASSES] = {
        [RPC_CLASS_INTERNET] = "internet", [RPC_CLASS_LOOSE] = "internet",
        [RPC_CLASS_LOCAL] = "local",       [RPC_CLASS_DEFAULT] = "default",
        [RPC_CLASS_OWN] = "internet",
    };

    *s = (struct rpc_unit_status){.how = u->how, .loose = u->class == RPC_CLASS_LOOSE};
    (void)snprintf(s->name, sizeof(s->name), "%s", u->name);
    (void)snprintf(s->class_name, sizeof(s->class_name), "%s", classes[u->class]);
    (void)snprintf(s->why, sizeof(s->why), "%s", *u->why ? u->why : e->active ? "" : e->why);
    set_numbers(e, u, s);
    bool restart = u->id && list_outside(e, u, l, s);
    s->state = state_of(e, u, restart);
}

/* --- all together --- */

static void set_totals(const struct rpc_engine *e, struct rpc_status *st)
{
    const struct tables *t = &e->tables;

    for (unsigned p = 0; p < _RPC_PROTO_MAX; p++) {
        struct rpc_numbers *n = &st->n[p];

        n->total = port_bits_count(&e->set);
        for (unsigned port = 0; port < RPC_PORTS; port++) {
            if (!port_bits_has(&e->set, (uint16_t)port))
                continue;
            n->used += tables_refs(t, (enum rpc_proto)p, (uint16_t)port) > 0;
            n->quarantine += tables_in_limbo(t, (enum rpc_proto)p, (uint16_t)port);
        }
        n->clients = t->t[p].clients > 0 ? (uint32_t)t->t[p].clients : 0;
        n->max_listeners = t->t[p].peak > 0 ? (uint32_t)t->t[p].peak : 0;
        n->reserve = tables_reserve(t, (enum rpc_proto)p);
        n->recommended = rpc_recommend(n->max_listeners);
    }
    st->rewrites = t->conf->stat[RPC_STAT_REWRITES];
    st->overflows = t->conf->stat[RPC_STAT_OVERFLOWS];
    st->exhausted = t->conf->stat[RPC_STAT_EXHAUSTED];
    st->guarded = t->conf->stat[RPC_STAT_GUARDED];
    st->no_port = t->conf->stat[RPC_STAT_NO_PORT];
    st->failed = t->conf->stat[RPC_STAT_REFUSED];
    st->guard = t->conf->guard;
}

int rpc_status(struct rpc_engine *e, struct diag *d, struct rpc_status *ret)
{
    _cleanup_(rpc_status_done) struct rpc_status st = {
        .active = e->active, .invalid = e->invalid, .escapes = e->escapes};
    _cleanup_(socks_done) struct socks l = {0};
    int r = socks_read(&l);

    if (r < 0)
        return diag_errno(d, r, "cannot read the table of sockets");
    st.available = e->active || !*e->why || e->invalid;
    (void)snprintf(st.why, sizeof(st.why), "%s", e->why);
    print_set(&e->set, st.range, sizeof(st.range));
    st.units = calloc(e->n_units + 1, sizeof(*st.units));
    if (!st.units)
        return diag_errno(d, ENOMEM, "cannot list the units");
    for (size_t i = 0; i < e->n_units; i++)
        set_unit(e, &e->units[i], &l, &st.units[st.n_units++]);
    r = add_holders(e, &l, &st);
    if (r < 0)
        return diag_errno(d, r, "cannot list who holds ports");
    count_strangers(&st);
    if (e->active)
        set_totals(e, &st);
    *ret = st;
    st = (struct rpc_status){0};
    return 0;
}
