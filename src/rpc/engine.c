/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Life of the engine and rpc_apply(), see rpc/rpc.h. The order of an apply: what can fail without a
 * trace first, then the set with the references of strangers, then the links, then the strangers of
 * meanwhile, then the units. So no number is handed out that somebody holds, and no unit is
 * promised a set that is not in force. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "reserved.h"
#include "sockets/units.h"

enum { NAMED_MAX = 4 }; /* holders in a message */

static void free_text(const char *text)
{
    union {
        const char *in;
        void *out;
    } u = {text}; /* our own copy behind the const of the public struct */

    free(u.out);
}

static int copy_text(const char *text, const char **ret)
{
    *ret = text ? strdup(text) : NULL;
    return text && !*ret ? -ENOMEM : 0;
}

static int copy_options(const struct rpc_options *o, struct rpc_options *ret)
{
    int r = copy_text(o->pin_dir, &ret->pin_dir);

    ret->netns_cookie = o->netns_cookie;
    if (r == 0)
        r = copy_text(o->cgroup_dir, &ret->cgroup_dir);
    if (r == 0)
        r = copy_text(o->state_file, &ret->state_file);
    if (r == 0)
        r = copy_text(o->systemd_dir, &ret->systemd_dir);
    if (r == 0)
        r = copy_text(o->marker_file, &ret->marker_file);
    if (r == 0)
        r = copy_text(o->samba_conf ? o->samba_conf : "/etc/samba/smb.conf", &ret->samba_conf);
    if (r == 0)
        r = copy_text(o->sysctl_dir ? o->sysctl_dir : "/proc/sys", &ret->sysctl_dir);
    return r == 0 ? copy_text(o->join_program, &ret->join_program) : r;
}

static void stop(struct rpc_engine *e)
{
    ring_buffer__free(e->ring); /* NULL is fine */
    e->ring = NULL;
    tables_close(&e->tables);
    load_close(&e->load);
    e->active = false;
}

struct rpc_engine *rpc_engine_free(struct rpc_engine *e)
{
    if (!e)
        return NULL;
    stop(e);
    close_p(&e->load.cgroup_fd);
    units_forget(e);
    free(e->found);
    free_text(e->options.pin_dir);
    free_text(e->options.cgroup_dir);
    free_text(e->options.state_file);
    free_text(e->options.systemd_dir);
    free_text(e->options.join_program);
    free_text(e->options.marker_file);
    free_text(e->options.samba_conf);
    free_text(e->options.sysctl_dir);
    free(e);
    return NULL;
}

void rpc_engine_freep(struct rpc_engine **e)
{
    rpc_engine_free(*e);
}

static int find_root(struct rpc_engine *e)
{
    int r = 0;

    if (e->options.cgroup_dir)
        (void)snprintf(e->root, sizeof(e->root), "%s", e->options.cgroup_dir);
    else
        r = cgroup2_mount(e->root, sizeof(e->root));
    if (r == 0)
        e->load.cgroup_fd = open(e->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r == 0 && e->load.cgroup_fd < 0)
        r = -errno;
    if (r < 0)
        (void)snprintf(e->why, sizeof(e->why), "no cgroup v2 tree: %s", strerror(-r));
    return r;
}

int rpc_engine_new(const struct rpc_options *o, struct diag *d, struct rpc_engine **ret)
{
    _cleanup_(rpc_engine_freep) struct rpc_engine *e = calloc(1, sizeof(*e));

    if (!e)
        return diag_errno(d, ENOMEM, "cannot start the confinement of ports");
    load_init(&e->load, o->pin_dir);
    int r = copy_options(o, &e->options);
    if (r < 0)
        return diag_errno(d, r, "cannot start the confinement of ports");
    (void)find_root(e); /* e->why says it */
    *ret = TAKE_PTR(e);
    return 0;
}

bool rpc_take_reload(struct rpc_engine *e)
{
    bool reload = e->reload;

    e->reload = false;
    return reload;
}

/* --- what stands in the way of a set --- */

static void name_holder(const struct sock *s, const struct unit *u, unsigned n, char *out,
                        size_t size)
{
    char text[SOCK_ADDRESS_BYTES + 16];
    size_t len = strlen(out);

    if (n > NAMED_MAX)
        return;
    sock_print(s->local, s->family, s->port, text);
    (void)snprintf(out + len, size - len, "%s%s", len ? ", " : "",
                   n == NAMED_MAX              ? "..."
                   : s->proto == RPC_PROTO_TCP ? "tcp "
                                               : "udp "); /* cut */
    len = strlen(out);
    if (n < NAMED_MAX)
        (void)snprintf(out + len, size - len, "%s%s%s%s", text, u ? " (" : "", u ? u->name : "",
                       u ? ")" : ""); /* cut */
}

/* It belongs to a unit that is to be confined. */
static bool is_of_wanted(const struct rpc_engine *e, const struct want *w, const struct sock *s)
{
    bool found = false;

    for (size_t i = 0; !found && i < w->n_units; i++) {
        _cleanup_(cgroup_ids_done) struct cgroup_ids ids = {0};
        char path[CGROUP_PATH_BYTES];

        found = cgroup_find_unit(e->root, w->units[i].name, path) == 0 &&
                cgroup_ids_below(path, &ids) == 0 && cgroup_ids_has(&ids, s->cgroup);
    }
    return found;
}

/* A stranger that waits on a port which is new in the set. */
static bool is_in_the_way(const struct rpc_engine *e, const struct want *w, const struct sock *s)
{
    return sock_waits(s) && s->inode && port_bits_has(&w->set, s->port) &&
           !port_bits_has(&e->set, s->port) && !is_of_wanted(e, w, s);
}

static bool would_be_left(struct rpc_engine *e, const struct want *w, const struct sock *s)
{
    const struct unit *u = units_of_sock(e, s);

    return e->active && sock_waits(s) && s->inode && port_bits_has(&e->set, s->port) &&
           !port_bits_has(&w->set, s->port) && u && unit_is_inside(e, u);
}

static int check_holders(struct rpc_engine *e, const struct want *w, struct diag *d)
{
    _cleanup_(socks_done) struct socks l = {0};
    char strangers[256] = "", left[256] = "";
    unsigned n_strangers = 0, n_left = 0;
    int r = socks_read(&l);

    if (r < 0)
        return diag_errno(d, r, "cannot read the table of sockets");
    for (size_t i = 0; i < l.n; i++) {
        if (is_in_the_way(e, w, &l.v[i]))
            name_holder(&l.v[i], NULL, n_strangers++, strangers, sizeof(strangers));
        else if (!w->keep_holders && would_be_left(e, w, &l.v[i]))
            name_holder(&l.v[i], units_of_sock(e, &l.v[i]), n_left++, left, sizeof(left));
    }
    if (n_strangers && w->keep_holders) {
        watch_found(e, RPC_EVENT_RESTART_NEEDED, NULL, NULL, strangers);
    } else if (n_strangers) {
        (void)diag_fail(d, DIAG_CONFLICT, "ports of the range are in use: %s", strangers);
        diag_hint(d, "choose other ports, or stop the program: ss -lnptu");
        return -EBUSY;
    }
    if (n_left) {
        (void)diag_fail(d, DIAG_CONFLICT,
                        "confined servers hold ports outside of the new range: %s", left);
        diag_hint(d, "portward rpc range ... --keep-holders");
        return -EBUSY;
    }
    return 0;
}

/* Nothing to confine anybody to. An invalid set with nobody confined refuses nobody. */
static bool is_nothing(const struct want *w)
{
    return w->n_units == 0 || (!w->invalid && port_bits_count(&w->set) == 0);
}

static int refuse_unavailable(const struct rpc_engine *e, struct diag *d)
{
    (void)diag_fail(d, DIAG_NOT_ENFORCED, "ports cannot be confined here: %s", e->why);
    diag_hint(d, "portward status");
    return -EOPNOTSUPP;
}

int rpc_try(struct rpc_engine *e, const struct rpc_settings *s, struct diag *d)
{
    _cleanup_(want_done) struct want w = {0};
    int r = want_from(s, &w);

    if (r < 0)
        return diag_errno(d, r, "cannot read the settings of confined ports");
    if (is_nothing(&w) || w.invalid)
        return w.invalid || port_bits_count(&w.set) == 0 ? 0 : check_holders(e, &w, d);
    if (e->load.cgroup_fd < 0)
        return refuse_unavailable(e, d);
    return check_holders(e, &w, d);
}

/* --- apply --- */

static int remove_all(struct rpc_engine *e, struct diag *d)
{
    bool had = e->active || load_is_pinned(&e->load);

    helpers_remove(e);
    stop(e);
    e->invalid = false;
    memset(&e->set, 0, sizeof(e->set));
    int r = had ? load_remove(&e->load) : 0, restored = reserved_restore(e->options.state_file);

    if (r == 0)
        r = restored;
    return r < 0 ? diag_errno(d, r, "cannot take the confinement of ports away") : 0;
}

/* Loads, takes over what is pinned. */
static int start(struct rpc_engine *e, struct diag *d)
{
    if (e->tables.conf)
        return 0;
    int r = load_open(&e->load, e->options.netns_cookie, d);

    if (r == 0) {
        r = tables_open(e->load.map[LOAD_MAP_CONF], e->load.map[LOAD_MAP_TABLES], &e->tables);
        if (r == 0)
            e->ring = ring_buffer__new(e->load.map[LOAD_MAP_RING], watch_on_record, e, NULL);
        if (r == 0 && !e->ring)
            r = -errno;
        if (r < 0)
            (void)diag_errno(d, r, "cannot use the tables of confined ports");
    }
    if (r < 0) {
        (void)snprintf(e->why, sizeof(e->why), "%.255s", d ? d->message : strerror(-r));
        stop(e);
    } else if (load_count_pinned(&e->load) == LOAD_LINKS) {
        tables_members(&e->tables, &e->set); /* strangers on these are known */
    }
    return r;
}

static void set_conf(struct rpc_engine *e, const struct want *w)
{
    struct rpc_conf *c = e->tables.conf;

    for (unsigned i = 0; i < RPC_CLASSES; i++) {
        e->mode[i] = w->mode[i];
        __atomic_store_n(&c->mode[i], (uint32_t)w->mode[i], __ATOMIC_RELAXED);
    }
    __atomic_store_n(&c->guard, (uint32_t)w->guard, __ATOMIC_RELAXED);
    __atomic_store_n(&c->reserve, w->reserve, __ATOMIC_RELAXED);
}

/* The strangers of the new ports get their references before a program looks at them, and those who
 * came between that and the links afterwards. */
static int set_ports(struct rpc_engine *e, const struct want *w, struct diag *d)
{
    struct port_bits fresh = w->set;
    int r = reserved_set(e->options.state_file, &w->set);

    if (r < 0)
        return diag_errno(d, r, "cannot reserve the range in ip_local_reserved_ports");
    for (unsigned i = 0; i < RPC_WORDS; i++)
        fresh.word[i] &= ~e->set.word[i];
    r = watch_seed(e, &fresh);
    if (r >= 0) {
        tables_set_members(&e->tables, &w->set);
        e->set = w->set;
        r = load_attach(&e->load);
    }
    if (r >= 0)
        r = watch_seed(e, r > 0 ? &w->set : &fresh);
    return r < 0 ? diag_errno(d, r, "cannot put the range in force") : 0;
}

static int put_in_force(struct rpc_engine *e, const struct want *w, struct diag *d)
{
    int r = start(e, d);

    if (r < 0)
        return r;
    set_conf(e, w);
    if (w->invalid)
        r = load_attach(&e->load); /* the set stays what it was */
    else
        r = set_ports(e, w, d);
    if (r < 0)
        return w->invalid ? diag_errno(d, r, "cannot attach the programs that confine ports") : r;
    e->active = true;
    r = units_sync(e);
    return r < 0 ? diag_errno(d, r, "cannot confine the units") : 0;
}

int rpc_apply(struct rpc_engine *e, const struct rpc_settings *s, struct diag *d)
{
    _cleanup_(want_done) struct want w = {0};
    int r = want_from(s, &w);

    if (r < 0)
        return diag_errno(d, r, "cannot read the settings of confined ports");
    if (!e->tables.conf && load_is_pinned(&e->load))
        (void)start(e, d); /* the set of the agent before; a failure comes again below */
    if (!w.invalid && port_bits_count(&w.set)) {
        r = check_holders(e, &w, d);
        if (r < 0)
            return r;
    }
    r = units_take(e, &w);
    if (r < 0)
        return diag_errno(d, r, "cannot confine the units");
    if (w.invalid && !e->invalid)
        watch_found(e, RPC_EVENT_CONFIG_INVALID, NULL, NULL, w.why);
    if (is_nothing(&w))
        return remove_all(e, d);
    if (e->load.cgroup_fd < 0)
        return refuse_unavailable(e, d);
    r = put_in_force(e, &w, d);
    if (r < 0)
        return r;
    e->invalid = w.invalid;
    (void)snprintf(e->why, sizeof(e->why), "%s", w.why);
    helpers_apply(e);
    return rpc_reconcile(e) < 0 ? diag_errno(d, EIO, "cannot look at the sockets") : 0;
}
