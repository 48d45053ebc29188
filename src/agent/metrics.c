/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/metrics.c: see agent/metrics.h. Called by the API (`portward counters --prometheus`).
 * Invariants: every family has one HELP and one TYPE line, and its samples stand together; what
 * cannot be read has no sample, so that a zero is a zero. */
#include "agent/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/scan.h"
#include "internal.h"
#include "pressure.h"

static void family(struct strbuf *b, const char *name, const char *type, const char *help)
{
    (void)strbuf_addf(b, "# HELP portward_%s %s\n# TYPE portward_%s %s\n", name, help, name,
                      type); /* errors are sticky */
}

/* A value of a label: the three characters that the format escapes; others that end a line in some
 * reader are no part of a name. */
static void label(struct strbuf *b, const char *first, const char *name, const char *value)
{
    (void)strbuf_addf(b, "%s%s=\"", first, name); /* sticky, as below */
    for (const char *c = value ? value : ""; *c; c++) {
        if (*c == '\\' || *c == '"')
            (void)strbuf_add_char(b, '\\');
        (void)strbuf_add_char(b, (unsigned char)*c < ' ' || *c == 127 ? '?' : *c);
    }
    (void)strbuf_add(b, "\"");
}

static void number(struct strbuf *b, uint64_t n)
{
    (void)strbuf_addf(b, " %" PRIu64 "\n", n); /* sticky */
}

static void single(struct strbuf *b, const char *name, const char *type, const char *help,
                   uint64_t n)
{
    family(b, name, type, help);
    (void)strbuf_addf(b, "portward_%s", name); /* sticky */
    number(b, n);
}

/* --- agent and datapath --- */

static void add_agent(const struct agent_status *s, struct strbuf *b)
{
    family(b, "info", "gauge", "Version and hook of the agent that answers");
    (void)strbuf_add(b, "portward_info{"); /* sticky */
    label(b, "", "version", s->version);
    label(b, ",", "hook", hook_mode_name(s->hook));
    (void)strbuf_add(b, "}");
    number(b, 1);
    single(b, "uptime_seconds", "gauge", "How long the agent runs", s->uptime_s);
    single(b, "agent_memory_bytes", "gauge", "Resident memory of the agent", s->memory_bytes);
    single(b, "enforcing", "gauge", "1 if a filter that blocks is in force", s->armed);
    single(b, "generation", "gauge", "Number of the generation in force", s->generation);
    single(b, "generation_age_seconds", "gauge", "How long it is in force", s->since_s);
    single(b, "guard_on", "gauge", "1 if the guard behind the interfaces is there",
           s->guard.state == GUARD_ON);
    single(b, "dynamic_filters", "gauge", "Filters of the dynamic layer", s->n_dynamic);
    single(b, "image_entries", "gauge", "Entries of the image in force", s->image_entries);
    single(b, "image_bytes", "gauge", "Its memory", s->image_bytes);
    single(b, "beside_paths", "gauge", "Paths beside the hooks that were found", s->n_beside);
    single(b, "warnings", "gauge", "Warnings that portward status shows", s->warnings.n);
}

static void add_interfaces(const struct agent_status *s, struct strbuf *b)
{
    family(b, "interface_attached", "gauge", "1 if both directions of an interface are filtered");
    for (size_t i = 0; i < s->n_interfaces && i < METRICS_INTERFACES; i++) {
        (void)strbuf_add(b, "portward_interface_attached{"); /* sticky */
        label(b, "", "interface", s->interfaces[i].name);
        (void)strbuf_add(b, "}");
        number(b, s->interfaces[i].attached_in && s->interfaces[i].attached_out);
    }
    single(b, "interfaces", "gauge", "Interfaces, also those without a series of their own",
           s->n_interfaces);
}

static const char *direction(unsigned d)
{
    return d == DIR_IN ? "in" : "out";
}

static void add_verdicts(const struct agent_status *s, struct strbuf *b)
{
    family(b, "passed_packets_total", "counter", "Packets that were judged and passed");
    for (unsigned d = 0; d < 2; d++) {
        (void)strbuf_addf(b, "portward_passed_packets_total{direction=\"%s\"}",
                          direction(d)); /* sticky */
        number(b, s->passed[d]);
    }
    family(b, "dropped_packets_total", "counter", "Packets that were dropped");
    for (unsigned d = 0; d < 2; d++)
        for (unsigned i = DROP_NONE + 1; i < _DROP_REASON_MAX; i++) {
            const char *reason = drop_reason_name((enum drop_reason)i);
            if (!reason || !*reason)
                continue;
            (void)strbuf_addf(b, "portward_dropped_packets_total{direction=\"%s\",reason=\"%s\"}",
                              direction(d), reason);
            number(b, s->dropped[d][i]);
        }
    single(b, "log_written_total", "counter", "Records of the packet log", s->log.written);
    single(b, "log_suppressed_total", "counter", "Records beyond the rate", s->log.suppressed);
    single(b, "log_lost_total", "counter", "Records that nobody read in time", s->log.lost);
    family(b, "flows", "gauge", "Entries of keep state");
    static const char *const tables[FLOW_TABLES] = {"out-new", "out-answered", "in-new",
                                                    "in-answered"};
    for (unsigned i = 0; i < FLOW_TABLES; i++) {
        (void)strbuf_addf(b, "portward_flows{table=\"%s\"}", tables[i]);
        number(b, s->flows.n[i]);
    }
    single(b, "flows_refused_total", "counter", "Flows not remembered, over a share",
           s->flows.refused);
}

/* --- filters --- */

struct tally {
    const struct effective_filter *shown[METRICS_FILTERS];
    struct counter count[METRICS_FILTERS];
    size_t n, n_others;
    struct counter others;
};

static bool is_first(uint8_t *seen, uint32_t id)
{
    bool before = seen[id / 8] >> (id % 8) & 1;
    seen[id / 8] |= (uint8_t)(1 << (id % 8));
    return !before;
}

/* Entries that stand for one filter share its counter: each id counts once. */
static int take_tally(struct agent *a, struct tally *t)
{
    const struct effective *e = &a->in_force->e;
    uint32_t n_ids = 0;
    for (size_t i = 0; i < e->n; i++)
        if (e->v[i].counter_id != COUNTER_NONE && e->v[i].counter_id >= n_ids)
            n_ids = e->v[i].counter_id + 1;
    if (n_ids == 0)
        return 0;
    _cleanup_free_ struct counter *all = calloc(n_ids, sizeof(*all));
    _cleanup_free_ uint8_t *seen = calloc(n_ids / 8 + 1, 1);
    if (!all || !seen)
        return -ENOMEM;
    int err = datapath_counters(a->dp, 0, n_ids, all);
    if (err < 0)
        return err;
    for (size_t i = 0; i < e->n; i++) {
        uint32_t id = e->v[i].counter_id;
        if (id == COUNTER_NONE || !is_first(seen, id))
            continue;
        if (t->n < METRICS_FILTERS) {
            t->shown[t->n] = &e->v[i];
            t->count[t->n++] = all[id];
        } else {
            t->n_others++;
            t->others.packets += all[id].packets;
            t->others.bytes += all[id].bytes;
        }
    }
    return 0;
}

static void add_series(const struct tally *t, const char *name, const char *help, bool bytes,
                       struct strbuf *b)
{
    family(b, name, "counter", help);
    for (size_t i = 0; i < t->n; i++) {
        char id[16];
        const struct effective_filter *ef = t->shown[i];
        filter_id(ef->filter, ef->layer, id);
        (void)strbuf_addf(b, "portward_%s{", name); /* sticky */
        label(b, "", "id", id);
        label(b, ",", "action", action_name(ef->filter->action));
        label(b, ",", "layer", layer_name(ef->layer));
        label(b, ",", "policy", ef->policy);
        label(b, ",", "rule", ef->rule);
        (void)strbuf_add(b, "}");
        number(b, bytes ? t->count[i].bytes : t->count[i].packets);
    }
    if (t->n_others) {
        (void)strbuf_addf(
            b, "portward_%s{id=\"other\",action=\"\",layer=\"\",policy=\"\",rule=\"\"}", name);
        number(b, bytes ? t->others.bytes : t->others.packets);
    }
}

static int add_filters(struct agent *a, struct strbuf *b)
{
    _cleanup_free_ struct tally *t = calloc(1, sizeof(*t));
    int err = t ? take_tally(a, t) : -ENOMEM;
    if (err < 0)
        return err;
    single(b, "filters", "gauge", "Filters in force that are counted", t->n + t->n_others);
    add_series(t, "filter_packets_total", "Packets that a filter decided", false, b);
    add_series(t, "filter_bytes_total", "Their bytes", true, b);
    return 0;
}

/* --- memory pressure protection, scans --- */

static void add_mpp(struct agent *a, struct strbuf *b)
{
    struct mpp_status s;
    struct mpp *m = pressure_engine(a);
    bool running = m && mpp_status(m, &s) == 0;
    single(b, "mpp_running", "gauge", "1 if memory pressure protection runs", running);
    if (!running)
        return;
    family(b, "mpp_state", "gauge", "1 for the state that it is in");
    (void)strbuf_addf(b, "portward_mpp_state{state=\"%s\"}", mpp_state_name(s.state)); /* sticky */
    number(b, 1);
    single(b, "mpp_memory_bytes", "gauge", "TCP memory", s.mem * s.page_bytes);
    single(b, "mpp_memory_high_bytes", "gauge", "Where it begins to act", s.hi * s.page_bytes);
    single(b, "mpp_gate_level", "gauge", "Level of the SYN gate, 0 = open", s.gate_level);
    single(b, "mpp_attacks_total", "counter", "Attacks", s.attacks);
    single(b, "mpp_killed_bytes_total", "counter", "Memory that ended connections held",
           s.killed_bytes);
    family(b, "mpp_killed_total", "counter", "Connections that were ended");
    for (unsigned i = MPP_NO_REASON + 1; i < _MPP_REASON_MAX; i++) {
        (void)strbuf_addf(b, "portward_mpp_killed_total{reason=\"%s\"}",
                          mpp_reason_name((enum mpp_reason)i));
        number(b, s.by_reason[i]);
    }
    family(b, "mpp_syn_dropped_total", "counter", "SYNs that the gate dropped");
    for (unsigned i = 0; i < ARRAY_SIZE(s.syn_dropped); i++) {
        (void)strbuf_addf(b, "portward_mpp_syn_dropped_total{level=\"%u\"}", i);
        number(b, s.syn_dropped[i]);
    }
    single(b, "mpp_candidates", "gauge", "Connections that may be ended", s.candidates);
    single(b, "mpp_lost_total", "counter", "Records of ended connections that are lost", s.lost);
    single(b, "mpp_errors_total", "counter", "Errors of its programs", s.errors);
}

static void add_scans(struct agent *a, struct strbuf *b)
{
    struct scan_stats s;
    single(b, "scan_detection_on", "gauge", "1 if scans are looked for", !a->config.scan.off);
    if (datapath_scan_stats(a->dp, &s) < 0)
        return;
    single(b, "scans_detected_total", "counter", "Scans", s.detected);
    single(b, "scans_untold_total", "counter", "Scans that could not be followed", s.lost);
    single(b, "scans_active", "gauge", "Scans that go on", a->scans.n);
    single(b, "scan_sources_total", "counter", "Sources that were new", s.new4 + s.new6);
    single(b, "scan_sources_pushed_out_total", "counter", "Sources forgotten while they counted",
           s.pushed_out);
    single(b, "scan_detector_blind", "gauge", "1 if there are too many sources", a->scans.blind);
}

int agent_metrics(struct agent *a, struct strbuf *b)
{
    struct agent_status s = {.pid = 0};
    struct diag d = {0};
    int err = agent_status(a, &d, &s);
    if (err < 0)
        return err;
    add_agent(&s, b);
    add_interfaces(&s, b);
    add_verdicts(&s, b);
    agent_status_done(&s);
    err = add_filters(a, b);
    if (err < 0)
        return err;
    add_mpp(a, b);
    add_scans(a, b);
    return b->error;
}
