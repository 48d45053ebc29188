/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/pressure.c: the engine of memory pressure protection within the agent: its timer, and its
 * rules made of the settings, the interfaces and their categories. Called by agent.c,
 * pressure_settings.c and pressure_query.c. Invariant: what the engine cannot do here is an event
 * and said in the status; filtering goes on without it. */
#include "pressure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "mpp/rules.h"

enum { ACCURACY_US = 1000 };

struct mpp *pressure_engine(struct agent *a)
{
    return a->mpp_engine;
}

static enum mpp_category category_of(const struct iface *i)
{
    switch (iface_profile(i)) {
    case PROFILE_DOMAIN:
        return MPP_DOMAIN;
    case PROFILE_PRIVATE:
        return MPP_PRIVATE;
    default:
        return MPP_PUBLIC;
    }
}

static int make_ifaces(struct agent *a, struct mpp_iface **ret, size_t *ret_n)
{
    const struct host *h = datapath_host(a->dp);
    struct mpp_iface *v = calloc(h->n_ifaces ? h->n_ifaces : 1, sizeof(*v));

    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < h->n_ifaces; i++)
        mpp_iface_make(&a->config.mpp, h->ifaces[i].ifindex, h->ifaces[i].name,
                       category_of(&h->ifaces[i]), &v[i]);
    *ret = v;
    *ret_n = h->n_ifaces;
    return 0;
}

/* The administrator's way in: never ended, never gated. */
static void keep_failsafe(const struct filter_settings *s, struct mpp_rules *r)
{
    unsigned n = 0;

    for (unsigned i = 0; i < s->n_failsafe && n < MPP_KEEP_PORTS; i++)
        if (s->failsafe[i].proto == PROTO_TCP)
            r->keep[n++] = s->failsafe[i].port;
}

int pressure_apply(struct agent *a, bool to_existing, uint64_t *ret_n)
{
    _cleanup_free_ struct mpp_rules *rules = malloc(sizeof(*rules)); /* 16 KiB */
    struct mpp_iface *ifaces = NULL;
    size_t n = 0;

    if (ret_n)
        *ret_n = 0;
    if (!a->mpp_engine)
        return 0;
    if (!rules)
        return -ENOMEM;
    int err = make_ifaces(a, &ifaces, &n);
    if (err < 0)
        return err;
    mpp_rules_make(&a->config.mpp, a->mpp_generation, rules);
    keep_failsafe(&a->config.filter, rules);
    err = mpp_set_rules(a->mpp_engine, rules, ifaces, n, to_existing, ret_n);
    free(a->mpp_ifaces);
    a->mpp_ifaces = ifaces;
    a->n_mpp_ifaces = n;
    return err;
}

void pressure_look_for_ifaces(struct agent *a)
{
    _cleanup_free_ struct mpp_iface *v = NULL;
    size_t n = 0;

    if (!a->mpp_engine || make_ifaces(a, &v, &n) < 0)
        return; /* looked for again soon */
    if (n == a->n_mpp_ifaces && memcmp(v, a->mpp_ifaces, n * sizeof(*v)) == 0)
        return;
    int err = pressure_apply(a, false, NULL);
    if (err < 0)
        event_log(EV_MPP_DEGRADED, "ERROR", strerror(-err), NULL);
}

static int on_tick(sd_event_source *s, uint64_t usec _unused_, void *userdata)
{
    struct agent *a = userdata;
    uint64_t delay_us = mpp_tick(a->mpp_engine);
    int err = sd_event_source_set_time_relative(s, delay_us);

    return err < 0 ? err : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static int open_engine(struct agent *a, struct diag *d)
{
    char pins[256];
    struct mpp_options o = {
        .pin_dir = pins,
        .runtime_dir = a->options.runtime_dir,
        .netns_cookie = datapath_netns_cookie(a->dp),
        .event = pressure_event,
        .ctx = a,
    };

    int len = snprintf(pins, sizeof(pins), "%s/mpp", datapath_pin_dir(a->dp));
    if (len < 0 || (size_t)len >= sizeof(pins))
        return diag_errno(d, ENAMETOOLONG, "cannot name the pins below '%s'",
                          datapath_pin_dir(a->dp));
    for (unsigned i = 0; i < MPP_SHARED_MAPS; i++)
        o.shared[i] = datapath_mpp_map(a->dp, i);
    return mpp_open(&o, d, &a->mpp_engine);
}

int pressure_start(struct agent *a)
{
    struct diag d = {0};
    int err = open_engine(a, &d);

    if (err == 0)
        err = pressure_apply(a, false, NULL);
    if (err < 0) {
        event_log(EV_MPP_DEGRADED, "ERROR", d.message[0] ? d.message : strerror(-err), NULL);
        pressure_stop(a);
        return 0;
    }
    /* An accuracy of 0 would be sd-event's default of 250 ms. */
    return sd_event_add_time_relative(a->event, &a->sources[SOURCE_PRESSURE], CLOCK_MONOTONIC, 0,
                                      ACCURACY_US, on_tick, a);
}

void pressure_stop(struct agent *a)
{
    a->mpp_engine = mpp_close(a->mpp_engine);
    free(a->mpp_ifaces);
    a->mpp_ifaces = NULL;
    a->n_mpp_ifaces = 0;
}
