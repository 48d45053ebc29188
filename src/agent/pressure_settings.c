/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/pressure_settings.c: changes of the settings of memory pressure protection.
 * Called by change.c: `portward mpp` as a change of its own, netsh and the registry as settings.
 * Invariants: every change of a setting has its row in the trail and its event, whoever made it;
 * settings in force and their number change together, after the commit. */
#include "pressure.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/strbuf.h"
#include "internal.h"

static const char generation_key[] = "mpp.generation";

static void change_done(struct agent_mpp_change *c)
{
    free(c->before);
    free(c->now);
}

void agent_mpp_changes_done(struct agent_mpp_changes *l)
{
    for (size_t i = 0; i < l->n; i++)
        change_done(&l->v[i]);
    free(l->v);
    *l = (struct agent_mpp_changes){0};
}

/* NULL where nothing is set. */
static int print(const struct mpp_settings *s, const char *key, char **ret)
{
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    int err = mpp_settings_print(s, key, &out);
    if (err < 0 || out.len == 0)
        return err;
    *ret = strbuf_take(&out);
    return *ret ? 0 : -ENOMEM;
}

/* The keys whose texts differ. */
static int compare(const struct mpp_settings *before, const struct mpp_settings *now,
                   struct agent_mpp_changes *l)
{
    const char *key;
    size_t cap = 0;
    for (unsigned i = 0; (key = mpp_key(i)); i++) {
        struct agent_mpp_change c = {.key = key};
        int err = print(before, key, &c.before);
        if (err == 0)
            err = print(now, key, &c.now);
        bool same = !c.before == !c.now && (!c.now || strcmp(c.before, c.now) == 0);
        if (err == 0 && !same)
            err = array_reserve(&l->v, &cap, l->n + 1, sizeof(*l->v));
        if (err < 0 || same) {
            change_done(&c);
            if (err < 0)
                return err;
            continue;
        }
        l->v[l->n++] = c;
    }
    return 0;
}

int prepare_mpp(struct agent *a, struct job *j)
{
    struct diag *d = &j->result.diag;
    struct agent_config c = a->file_config;
    struct mpp_edit edit;
    int err = mpp_edit_parse(j->change.text ? j->change.text : "", &edit, d);
    if (err == 0)
        err = settings_overlay(a->store, &c, d);
    if (err < 0)
        return err;
    const struct mpp_settings before = c.mpp;
    err = mpp_settings_edit(&c.mpp, &edit, d);
    j->result.mpp_existing = -1;
    if (err == 0)
        err = compare(&before, &c.mpp, &j->result.mpp);
    for (size_t i = 0; err == 0 && i < j->result.mpp.n; i++)
        err = store_setting_put(a->store, j->result.mpp.v[i].key, j->result.mpp.v[i].now,
                                &j->change.author, d);
    if (err < 0)
        return err;
    j->settings_changed |= j->result.mpp.n > 0;
    j->mpp_to_existing |= edit.to_existing;
    j->mpp_reset |= edit.kind == MPP_EDIT_RESET;
    j->result.change = j->result.mpp.n > 0 ? "replaced" : "none";
    return 0;
}

int pressure_prepared(struct agent *a, struct job *j)
{
    char number[16];
    if (mpp_settings_eq(&a->config.mpp, &j->effective.mpp))
        return 0;
    j->mpp_generation = a->mpp_generation + 1 ? a->mpp_generation + 1 : 1;
    (void)snprintf(number, sizeof(number), "%" PRIu32, j->mpp_generation); /* fits */
    return store_setting_put(a->store, generation_key, number, &j->change.author, &j->result.diag);
}

int pressure_load(struct agent *a, struct diag *d)
{
    _cleanup_(store_settings_done) struct store_settings l = {0};
    int err = store_settings_get(a->store, d, &l);
    a->mpp_generation = 1;
    for (size_t i = 0; err == 0 && i < l.n; i++)
        if (strcmp(l.v[i].key, generation_key) == 0)
            a->mpp_generation = (uint32_t)strtoul(l.v[i].value, NULL, 10);
    if (a->mpp_generation == 0) /* not written by this agent */
        a->mpp_generation = 1;
    return err;
}

static void log_change(const struct job *j, const struct agent_mpp_change *c)
{
    const struct author *who = &j->change.author;
    char uid[16], generation[16];
    (void)snprintf(uid, sizeof(uid), "%" PRIu32, who->uid);                        /* fits */
    (void)snprintf(generation, sizeof(generation), "%" PRIu32, j->mpp_generation); /* fits */
    event_log(EV_MPP_SETTINGS_CHANGE, "KEY", c->key, "OLD", c->before, "NEW", c->now, "UID", uid,
              "LOGIN", who->login[0] ? who->login : NULL, "ORIGIN", who->origin, "GENERATION",
              generation, NULL);
}

void pressure_log_settings(const struct agent *a, const struct job *j)
{
    _cleanup_(agent_mpp_changes_done) struct agent_mpp_changes l = {0};
    const char *rates = NULL;
    if (j->mpp_generation && compare(&a->config.mpp, &j->effective.mpp, &l) < 0) {
        event_log(EV_AGENT_FAILED, "ERROR", "out of memory", NULL);
        return;
    }
    for (size_t i = 0; i < l.n; i++) {
        log_change(j, &l.v[i]);
        if (strcmp(l.v[i].key, "mpp.rates") == 0)
            rates = l.v[i].before;
    }
    if (j->mpp_reset)
        event_log(EV_MPP_SETTINGS_RESET, "LOST_RATES", rates, "LOGIN",
                  j->change.author.login[0] ? j->change.author.login : NULL, "ORIGIN",
                  j->change.author.origin, NULL);
}

/* Living connections that keep their stamps. */
static int64_t count_existing(struct agent *a)
{
    struct mpp *m = pressure_engine(a);
    struct mpp_status s;
    if (!m || mpp_status(m, &s) < 0)
        return -1;
    return (int64_t)(s.candidates + s.exempt + s.spared + s.off + s.kept);
}

void pressure_committed(struct agent *a, struct job *j)
{
    struct mpp *m = pressure_engine(a);
    uint64_t n = 0;
    if (!j->mpp_generation && !j->mpp_to_existing && !j->mpp_reset && j->kind != JOB_RELOAD)
        return; /* a reload may change the failsafe ports */
    if (j->mpp_generation)
        a->mpp_generation = j->mpp_generation;
    if (m && j->mpp_reset)
        mpp_open_gate(m);
    int err = pressure_apply(a, j->mpp_to_existing, &n);
    if (err < 0)
        warning_add(&j->result.warnings, "mpp-not-applied", "portward mpp status",
                    "the kernel did not take the settings: %s", strerror(-err));
    j->result.mpp_existing = j->mpp_to_existing ? (int64_t)n : count_existing(a);
    j->result.mpp_restamped = j->mpp_to_existing;
}
