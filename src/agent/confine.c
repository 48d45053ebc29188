/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/confine.c: see confine.h. Called by agent.c and change.c. Invariants: the settings of one
 * change come into force together, after it is committed; a setting of the database wins over the
 * files; an engine that fails leaves what it had in force. */
#include "confine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#include "internal.h"

enum {
    EVENTS_MAX = 256, /* of one poll */
    RELOAD_US = 5000000,
};

struct sources {
    const struct store_settings *stored;
    const struct agent_config *files;
};

static const char *stored_value(const struct sources *s, const char *key)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "rpc.%s", key); /* keys are short */
    for (size_t i = 0; i < s->stored->n; i++)
        if (strcmp(s->stored->v[i].key, name) == 0)
            return s->stored->v[i].value;
    return NULL;
}

/* The set of ports and whom it is for belong together: those of the database or those of the files,
 * where the two words after the set may be left out. */
static const char *value_of(void *ctx, const char *key)
{
    static const char *const together[] = {"ports", "ports-internet-available",
                                           "use-internet-ports"};
    const struct sources *s = ctx;
    const char *value = stored_value(s, key);
    bool one = false, stored = false;
    for (size_t i = 0; i < ARRAY_SIZE(together); i++) {
        one |= strcmp(key, together[i]) == 0;
        stored |= stored_value(s, together[i]) != NULL;
    }
    if (value || (one && stored))
        return value;
    value = agent_config_rpc(s->files, key);
    return !value && one && agent_config_rpc(s->files, together[0]) ? "yes" : value;
}

static int read_settings(struct agent *a, const struct agent_config *files, struct diag *d,
                         struct rpc_settings *ret)
{
    _cleanup_(store_settings_done) struct store_settings stored = {0};
    struct sources s = {.stored = &stored, .files = files};
    int err = store_settings_get(a->store, d, &stored);
    if (err == 0)
        err = rpc_settings_read(value_of, &s, ret);
    return err;
}

static void sd_bus_unrefp_(sd_bus **bus)
{
    sd_bus_flush_close_unref(*bus);
}

/* Drop-ins changed: units that start from now on have them. */
static void reload_units(struct agent *a)
{
    _cleanup_(sd_bus_unrefp_) sd_bus *bus = NULL;
    if (!rpc_take_reload(a->confine.engine))
        return;
    int err = sd_bus_open_system(&bus);
    if (err >= 0)
        err = sd_bus_set_method_call_timeout(bus, RELOAD_US);
    if (err >= 0)
        err = sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                 "org.freedesktop.systemd1.Manager", "Reload", NULL, NULL, NULL);
    if (err < 0)
        event_log(EV_RPC_FAILED, "ERROR", "the service manager does not read its units again",
                  "HINT", "systemctl daemon-reload", NULL);
}

static int open_engine(struct agent *a, struct diag *d)
{
    char pins[256], state[512], marker[512];
    const char *root = a->options.pin_root ? a->options.pin_root : "/sys/fs/bpf/portward";
    struct rpc_options o = {
        .pin_dir = pins,
        .netns_cookie = a->origin.netns_cookie,
        .state_file = state,
        .marker_file = marker,
        .systemd_dir = sd_booted() > 0 ? "/etc/systemd/system" : NULL,
        .join_program = PORTWARD_LIBEXECDIR "/rpc-join",
        .samba_conf = agent_config_rpc(&a->file_config, "samba-config"),
    };
    (void)snprintf(pins, sizeof(pins), "%s/%" PRIu64, root, a->origin.netns_cookie);
    (void)snprintf(state, sizeof(state), "%s/rpc.reserved-ports", a->options.runtime_dir);
    (void)snprintf(marker, sizeof(marker), "%s/rpc.files", a->options.state_dir);
    return rpc_engine_new(&o, d, &a->confine.engine);
}

static int apply(struct agent *a, bool keep_holders, struct diag *d)
{
    struct rpc_settings s;
    rpc_settings_init(&s);
    int err = read_settings(a, &a->file_config, d, &s);
    s.keep_holders = keep_holders;
    if (err == 0)
        err = rpc_apply(a->confine.engine, &s, d);
    reload_units(a);
    if (err < 0) {
        rpc_settings_done(&s);
        return err;
    }
    rpc_settings_done(&a->confine.in_force);
    a->confine.in_force = s;
    return 0;
}

int confine_open(struct agent *a, struct diag *d)
{
    struct diag why = {0};
    rpc_settings_init(&a->confine.in_force);
    int err = open_engine(a, d);
    if (err == 0 && apply(a, /* keep_holders= */ true, &why) < 0)
        event_log(EV_RPC_FAILED, "ERROR", why.message, "HINT", why.hint[0] ? why.hint : NULL, NULL);
    return err;
}

void confine_done(struct confine *c)
{
    c->engine = rpc_engine_free(c->engine);
    rpc_settings_done(&c->in_force);
}

int confine_try(struct agent *a, const struct agent_config *files, bool keep_holders,
                struct diag *d)
{
    _cleanup_(rpc_settings_done) struct rpc_settings s;
    rpc_settings_init(&s);
    if (!a->confine.engine)
        return 0;
    int err = read_settings(a, files, d, &s);
    s.keep_holders = keep_holders;
    if (err < 0 || rpc_settings_equal(&s, &a->confine.in_force))
        return err;
    if (s.invalid) { /* what was in force stays */
        err = diag_fail(d, DIAG_COMBINATION, "%s", s.why);
        diag_hint(d, "%s", "portward rpc range 5001-5021");
        return err;
    }
    return rpc_try(a->confine.engine, &s, d);
}

void confine_changed(struct agent *a, struct job *j)
{
    struct diag d = {0};
    if (!a->confine.engine || apply(a, j->change.keep_holders, &d) == 0)
        return;
    event_log(EV_RPC_FAILED, "ERROR", d.message, "HINT", d.hint[0] ? d.hint : NULL, NULL);
    warning_add(&j->result.warnings, "rpc-not-in-force", d.hint[0] ? d.hint : NULL, "%s",
                d.message);
}

int agent_rpc(struct agent *a, struct diag *d, struct rpc_status *ret,
              struct rpc_settings *ret_settings)
{
    *ret = (struct rpc_status){0};
    rpc_settings_init(ret_settings);
    if (!a->confine.engine) {
        (void)snprintf(ret->why, sizeof(ret->why), "the agent is starting");
        return 0;
    }
    int err = rpc_status(a->confine.engine, d, ret);
    if (err == 0 && rpc_settings_copy(&a->confine.in_force, ret_settings) < 0) {
        rpc_status_done(ret);
        err = diag_errno(d, ENOMEM, "cannot read the settings of confined ports");
    }
    return err;
}

/* --- events --- */

static const enum agent_event_id event_ids[_RPC_EVENT_MAX] = {
    [RPC_EVENT_EXHAUSTED] = EV_RPC_EXHAUSTED,
    [RPC_EVENT_RESERVE] = EV_RPC_RESERVE,
    [RPC_EVENT_ESCAPE] = EV_RPC_ESCAPE,
    [RPC_EVENT_GUARD] = EV_RPC_GUARD,
    [RPC_EVENT_RESTART_NEEDED] = EV_RPC_RESTART_NEEDED,
    [RPC_EVENT_TAMPER] = EV_TAMPER,
    [RPC_EVENT_CONFIG_INVALID] = EV_RPC_CONFIG_INVALID,
    [RPC_EVENT_FAILED] = EV_RPC_FAILED,
};

struct numbers {
    char port[8], pid[16], count[24], held[16], clients[16], reserve[16];
};

static const char *number(char *out, size_t size, uint64_t v)
{
    (void)snprintf(out, size, "%" PRIu64, v); /* fits */
    return v ? out : NULL;
}

static void on_event(void *ctx _unused_, const struct rpc_event *ev)
{
    struct numbers n;
    bool counts = ev->kind == RPC_EVENT_EXHAUSTED || ev->kind == RPC_EVENT_RESERVE;
    bool names_port = ev->port || counts || ev->kind == RPC_EVENT_GUARD;
    event_log(event_ids[ev->kind], "UNIT", ev->unit, "PROTOCOL",
              !names_port                  ? NULL
              : ev->proto == RPC_PROTO_TCP ? "tcp"
                                           : "udp",
              "PORT", number(n.port, sizeof(n.port), ev->port), "PID",
              number(n.pid, sizeof(n.pid), ev->pid), "COMM", ev->comm[0] ? ev->comm : NULL, "COUNT",
              number(n.count, sizeof(n.count), ev->count), "HELD",
              counts ? number(n.held, sizeof(n.held), ev->held) : NULL, "CLIENTS",
              counts ? number(n.clients, sizeof(n.clients), ev->clients) : NULL, "RESERVE",
              counts ? number(n.reserve, sizeof(n.reserve), ev->reserve) : NULL, "DETAIL", ev->text,
              NULL);
}

void confine_events(struct agent *a)
{
    if (a->confine.engine && rpc_events(a->confine.engine, EVENTS_MAX, on_event, a) < 0)
        event_log(EV_WORKER_FAILED, "ERROR", "events of confined ports cannot be read", NULL);
}

void confine_reconcile(struct agent *a)
{
    if (!a->confine.engine)
        return;
    int err = rpc_reconcile(a->confine.engine);
    if (err < 0)
        event_log(EV_RPC_FAILED, "ERROR", strerror(-err), NULL);
}
