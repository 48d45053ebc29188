/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/query.c: policies and status, as they are now.
 * Called by the API. Nothing here changes anything. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/strbuf.h"
#include "internal.h"
#include "text/text.h"

uint64_t agent_generation(const struct agent *a)
{
    return a->run.generation;
}

int agent_policies(struct agent *a, struct diag *d, struct agent_policy_info **ret, size_t *ret_n)
{
    _cleanup_free_ struct policy_info *info = NULL;
    size_t n;
    int err = store_policy_list(a->store, d, &info, &n);
    if (err < 0)
        return err;
    struct agent_policy_info *v = calloc(n + 1, sizeof(*v));
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        bool local = info[i].assigned[ASSIGN_LOCAL];
        bool persistent = info[i].assigned[ASSIGN_PERSISTENT];
        v[i].info = info[i];
        v[i].layer = persistent && !local ? LAYER_PERSISTENT : LAYER_LOCAL;
        v[i].state = local || persistent ? "assigned" : "stored";
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

int agent_history(struct agent *a, const char *policy, uint32_t limit, struct diag *d,
                  struct history *ret)
{
    return store_history(a->store, policy, limit, d, ret);
}

int agent_policy_get(struct agent *a, const struct agent_text_query *q, struct diag *d,
                     struct policy **ret)
{
    return q->revision ? store_revision_get(a->store, q->name, q->revision, d, ret)
                       : store_policy_get(a->store, q->name, d, ret);
}

int agent_state(struct agent *a, struct diag *d, uint64_t *ret)
{
    uint64_t stored;
    int err = store_state(a->store, d, &stored);
    if (err < 0)
        return err;
    /* Expiry leaves no row, and with a full disk nothing does: those are counted here, anew in each
     * agent. One number for both, exact in JSON. */
    const uint64_t r[] = {stored, a->n_dynamic_changes, a->started_ns};
    static const struct hash_seed seed = {0x73746174, 0x65}; /* a print, not a table */
    *ret = (siphash24(r, sizeof(r), seed) >> 11) | 1;
    return 0;
}

int agent_library(struct agent *a, struct diag *d, char **ret)
{
    return store_library_get(a->store, d, ret);
}

int agent_policy_text(struct agent *a, const struct agent_text_query *q, struct diag *d,
                      char **ret_text, char ret_name[256], uint32_t *ret_revision)
{
    _cleanup_(policy_freep) struct policy *p = NULL;
    _cleanup_(strbuf_done) struct strbuf b = STRBUF_INIT(LIMIT_POLICY_TEXT_BYTES);
    char *text = NULL;
    int err = agent_policy_get(a, q, d, &p);
    if (err < 0)
        return err;
    if (q->source) {
        err = store_policy_source(a->store, q->name, d, &text);
    } else {
        err = text_print_policy(p, &b);
        if (err < 0)
            return diag_errno(d, err, "cannot print policy '%s'", p->name);
        text = strbuf_take(&b);
    }
    if (err < 0)
        return err;
    if (!text)
        return -ENOMEM;
    (void)snprintf(ret_name, 256, "%s", p->name); /* at most 255 bytes */
    *ret_text = text;
    *ret_revision = p->revision;
    return 0;
}

/* --- status --- */
/* Resident memory: second number of /proc/self/statm, in pages (proc(5)). */
static uint64_t memory_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    uint64_t pages = 0;
    if (f) {
        if (fscanf(f, "%*u %" SCNu64, &pages) != 1)
            pages = 0;
        fclose(f);
    }
    long page = sysconf(_SC_PAGESIZE);
    return page > 0 ? pages * (uint64_t)page : 0;
}

static void status_policies(const struct agent *a, struct agent_status *s)
{
    char *names[_ASSIGN_SLOT_MAX] = {s->policy_local, s->policy_persistent};
    for (unsigned i = 0; i < _ASSIGN_SLOT_MAX; i++) {
        const struct policy_ref *p = a->in_force->layers.policy[i];
        if (p)
            (void)snprintf(names[i], 256, "%s", p->policy->name); /* at most 255 bytes */
    }
}

/* Programs of others that are asked before ours. */
static void status_warn_order(struct agent_status *s)
{
    static const char *const word[2] = {[DIR_IN] = "in", [DIR_OUT] = "out"};
    for (size_t i = 0; i < s->n_interfaces; i++)
        for (enum direction dir = DIR_IN; dir <= DIR_OUT; dir++)
            if (*s->interfaces[i].front[dir])
                warning_add(&s->warnings, "program-in-front", NULL,
                            "interface '%s', %s: program '%s' stands in front of ours",
                            s->interfaces[i].name, word[dir], s->interfaces[i].front[dir]);
}

static void status_warnings(const struct agent *a, struct agent_status *s)
{
    struct negotiation negotiation = {0};
    for (size_t i = 0; i < s->n_interfaces; i++) {
        const struct iface_status *f = &s->interfaces[i];
        if (f->role != IFACE_NONE && f->error < 0)
            warning_add(&s->warnings, "interface-not-attached", NULL,
                        "interface '%s' is not covered: %s", f->name, strerror(-f->error));
    }
    status_warn_order(s);
    if (s->guard.state == GUARD_PARTIAL || s->guard.state == GUARD_UNAVAILABLE)
        warning_add(&s->warnings, "guard-missing", NULL, "the guard is not in place: %s",
                    s->guard.reason);
    settings_warn_exempt(a->in_force->layers.settings.exempt, &s->warnings);
    negotiation_add_layers(&negotiation, &a->in_force->layers);
    negotiation_warn(&negotiation, &s->warnings);
}

static void status_dynamic(const struct agent *a, struct agent_status *s)
{
    const struct dynamic *l = &a->in_force->layers.dynamic;
    uint64_t now = agent_now_ns(), next = dynamic_next_deadline(l);
    s->n_dynamic = l->n;
    s->next_expiry_s = -1;
    if (next)
        s->next_expiry_s = next > now ? (int64_t)((next - now + 999999999) / 1000000000) : 0;
}

void agent_status_done(struct agent_status *s)
{
    free(s->interfaces);
    free(s->beside);
    agent_warnings_done(&s->warnings);
    *s = (struct agent_status){0};
}

int agent_status(struct agent *a, struct diag *d, struct agent_status *ret)
{
    uint64_t now = agent_now_ns();
    _cleanup_(agent_status_done) struct agent_status s = {
        .version = PORTWARD_VERSION,
        .netns_cookie = datapath_netns_cookie(a->dp),
        .pid = (uint32_t)getpid(),
        .uptime_s = (now - a->started_ns) / 1000000000,
        .memory_bytes = memory_bytes(),
        .armed = effective_is_armed(&a->in_force->e),
        .generation = a->run.generation,
        .since_s = (now - a->in_force_since_ns) / 1000000000,
        .hook = datapath_hook(a->dp),
        .image_entries = a->stats.n_entries[0] + a->stats.n_entries[1],
        .image_groups = a->stats.n_groups[0] + a->stats.n_groups[1],
        .image_bytes = a->stats.size_bytes,
        .flows = a->flow_counts};
    if (gethostname(s.host, sizeof(s.host) - 1) < 0)
        s.host[0] = '\0';
    datapath_guard_status(a->dp, &s.guard);
    int err = datapath_iface_status(a->dp, &s.interfaces, &s.n_interfaces);
    for (unsigned dir = 0; err == 0 && dir < 2; dir++)
        err = datapath_stats(a->dp, (enum direction)dir, &s.passed[dir], s.dropped[dir]);
    if (err == 0)
        err = datapath_log_stats(a->dp, &s.log);
    if (err == 0)
        err = datapath_beside(BESIDE_MS, &s.beside, &s.n_beside);
    if (err < 0)
        return diag_errno(d, err, "cannot read the state of the kernel");
    status_dynamic(a, &s);
    status_policies(a, &s);
    status_warnings(a, &s);
    resolver_status(a, &s.warnings);
    *ret = s;
    s = (struct agent_status){0};
    return 0;
}
