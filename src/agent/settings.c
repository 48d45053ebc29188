/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/settings.c: settings in the database, which win over the files of the configuration.
 * Called by agent.c at start, by internal_jobs.c at reload, by change.c for changes, and by the
 * API. Invariant: the database holds no setting that settings_check() refuses; one that another
 * version left there and that this one does not understand counts as not set, and an event says so.
 */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "internal.h"
#include "rpc/settings.h"

/* words NULL: any text. config: in force as the file's key of the same name; the others are kept
 * for what reads them. */
static const struct setting {
    const char *key, *words;
    bool config;
} known[] = {
    {"filter.exempt", NULL, true},        {"filter.masqueraded", NULL, true},
    {"filter.source-route", NULL, true},  {"filter.dhcp-client", NULL, true},
    {"dynamic.lost-on-stop", NULL, true}, {"boot.mode", "permit|block|stateful", false},
    {"boot.exempt", NULL, false},         {"compat.persona", NULL, false},
    {"compat.strict", NULL, false},
};
/* Families of keys that their readers define; rpc.* has a reader here, which checks them. */
static const char *const families[] = {"rpc.", "dialect."};
static const char rpc_family[] = "rpc.";

static bool is_mpp(const char *key)
{
    const char *k;
    for (unsigned i = 0; (k = mpp_key(i)); i++)
        if (strcmp(k, key) == 0)
            return true;
    return false;
}

static const struct setting *find(const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strcmp(known[i].key, key) == 0)
            return &known[i];
    return NULL;
}

/* "rpc.ports": words of lower-case letters, digits and hyphens. */
static bool in_family(const char *key)
{
    size_t n = strlen(key);
    if (n > LIMIT_NAME_BYTES || strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789.-") != n ||
        key[n - 1] == '.' || strstr(key, ".."))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(families); i++)
        if (strncmp(key, families[i], strlen(families[i])) == 0)
            return true;
    return false;
}

static bool is_unknown_rpc(const char *key)
{
    const char *name;
    if (strncmp(key, rpc_family, strlen(rpc_family)) != 0)
        return false;
    for (size_t i = 0; (name = rpc_settings_key(i)) != NULL; i++)
        if (strcmp(name, key + strlen(rpc_family)) == 0)
            return false;
    return true;
}

int settings_known(const char *key, struct diag *d)
{
    if (find(key) || is_mpp(key) || (*key && in_family(key) && !is_unknown_rpc(key)))
        return 0;
    int err =
        diag_fail(d, DIAG_UNKNOWN_OBJECT, "'%.64s' is no setting that a command can change", key);
    diag_hint(d, "portward config show");
    return err;
}

int settings_check(const char *key, const char *value, struct diag *d)
{
    int err = settings_known(key, d);
    size_t n = strlen(value);
    if (err < 0)
        return err;
    if (n > LIMIT_TEXT_STRING_BYTES || !utf8_valid(value, n))
        return diag_fail(d, DIAG_LIMIT, "the value of '%s' is no UTF-8 of at most %d bytes", key,
                         LIMIT_TEXT_STRING_BYTES);
    const struct setting *s = find(key);
    struct agent_config scratch;
    agent_config_init(&scratch);
    if (is_mpp(key))
        return mpp_settings_put(&scratch.mpp, key, value, d);
    if (s && s->config)
        return agent_config_set(&scratch, key, value, d);
    if (strncmp(key, rpc_family, strlen(rpc_family)) == 0)
        return rpc_settings_check(key + strlen(rpc_family), value, d);
    if (!s || !s->words || agent_config_word(value, s->words) >= 0)
        return 0;
    err = diag_fail(d, DIAG_SYNTAX, "value '%.64s' does not fit '%s'", value, key);
    diag_hint(d, "%s = %s", key, s->words);
    return err;
}

int settings_overlay(struct store *s, struct agent_config *c, struct diag *d)
{
    _cleanup_(store_settings_done) struct store_settings l = {0};
    int err = store_settings_get(s, d, &l);
    for (size_t i = 0; err == 0 && i < l.n; i++) {
        const struct setting *k = find(l.v[i].key);
        struct diag why = {0};
        int bad = 0;
        if (k && k->config)
            bad = agent_config_set(c, k->key, l.v[i].value, &why);
        else if (is_mpp(l.v[i].key))
            bad = mpp_settings_put(&c->mpp, l.v[i].key, l.v[i].value, &why);
        if (bad < 0)
            event_log(EV_CONFIG_REFUSED, "ERROR", why.message, "HINT", why.hint, NULL);
    }
    return err;
}

void settings_warn_exempt(uint8_t level, struct agent_warnings *w)
{
    if (level == 0 || level == 2)
        warning_add(w, "exempt-kerberos", "exempt = 3",
                    "exemption level %d: source port 88 bypasses every filter", level);
}

int settings_apply(struct agent *a, struct job *j)
{
    j->config = a->file_config;
    j->effective = j->config;
    int err = settings_overlay(a->store, &j->effective, &j->result.diag);
    if (err < 0)
        return err;
    j->next_layers.settings = j->effective.filter;
    if (j->effective.filter.exempt != a->config.filter.exempt)
        settings_warn_exempt(j->effective.filter.exempt, &j->result.warnings);
    j->enforce = true; /* the same settings are the same digest: no flip */
    return 0;
}

/* --- what is set --- */
static void setting_done(struct agent_setting *s)
{
    free(s->key);
    free(s->value);
    free(s->source);
}

void agent_settings_done(struct agent_settings *l)
{
    for (size_t i = 0; i < l->n; i++)
        setting_done(&l->v[i]);
    free(l->v);
    *l = (struct agent_settings){0};
}

static int add(struct agent_settings *l, const char *key, const char *value, const char *source)
{
    struct agent_setting s = {
        .key = strdup(key), .value = value ? strdup(value) : NULL, .source = strdup(source)};
    if (!s.key || (value && !s.value) || !s.source ||
        array_reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v)) < 0) {
        setting_done(&s);
        return -ENOMEM;
    }
    l->v[l->n++] = s;
    return 0;
}

static bool is_stored(const struct store_settings *l, const char *key)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->v[i].key, key) == 0)
            return true;
    return false;
}

/* Keys of the files that the database does not replace. */
static int add_files(const struct agent_config *c, const struct store_settings *stored,
                     struct agent_settings *l)
{
    struct config_value v;
    int err = 0;
    for (size_t i = 0; err == 0 && agent_config_value(c, i, &v); i++) {
        char place[sizeof(v.file) + 16];
        if (!v.supported || is_stored(stored, v.key))
            continue;
        (void)snprintf(place, sizeof(place), "%s:%u", v.file, v.line); /* fits */
        err = add(l, v.key, v.value[0] ? v.value : NULL, v.line ? place : "default");
    }
    const char *key;
    for (unsigned i = 0; err == 0 && (key = mpp_key(i)); i++)
        if (!is_stored(stored, key))
            err = add(l, key, NULL, "default");
    for (size_t i = 0; err == 0 && i < ARRAY_SIZE(known); i++)
        if (!known[i].config && !is_stored(stored, known[i].key))
            err = add(l, known[i].key, NULL, "default");
    return err;
}

static int by_key(const void *pa, const void *pb)
{
    const struct agent_setting *a = pa, *b = pb;
    return strcmp(a->key, b->key);
}

/* Leaves the setting of this name alone. */
static int keep_one(struct agent_settings *l, const char *key, struct diag *d)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->v[i].key, key) == 0)
            l->v[n++] = l->v[i];
        else
            setting_done(&l->v[i]);
    }
    l->n = n;
    if (n > 0)
        return 0;
    struct diag why;
    if (settings_known(key, &why) == 0)
        return add(l, key, NULL, "default");
    int err = diag_fail(d, DIAG_UNKNOWN_OBJECT, "no setting '%.64s'", key);
    diag_hint(d, "portward config show");
    return err;
}

int agent_settings(struct agent *a, const char *key, struct diag *d, struct agent_settings *ret)
{
    _cleanup_(store_settings_done) struct store_settings stored = {0};
    _cleanup_(agent_settings_done) struct agent_settings l = {0};
    int err = store_settings_get(a->store, d, &stored);
    if (err == 0)
        err = add_files(&a->file_config, &stored, &l);
    for (size_t i = 0; err == 0 && i < stored.n; i++)
        err = add(&l, stored.v[i].key, stored.v[i].value, "database");
    if (err == 0 && key)
        err = keep_one(&l, key, d);
    if (err < 0)
        return err;
    if (l.n > 1)
        qsort(l.v, l.n, sizeof(*l.v), by_key);
    *ret = l;
    l = (struct agent_settings){0};
    return 0;
}
