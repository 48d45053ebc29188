/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/scanwatch.c: from what the programs found (datapath/scan.h) to events. Called by a timer of
 * agent.c. Invariants: one `scan-detected` and one `scan-ended` for a scan; how many events there
 * are does not depend on how many sources somebody forges; the kernel's table of scans is given
 * back what is over, also what an agent before left. */
#include "scanwatch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

enum {
    READ_MAX = 256,
    EVENTS_PER_SECOND = 10,
    PUSHED_PER_SECOND = 1000, /* exposure.md 7 */
    BLIND_SECONDS = 5,
    CALM_SECONDS = 60,
    NUMBER_BYTES = 24,
};
static const uint64_t silent_ns = 60000000000;

/* --- texts --- */

static const char *kind_name(unsigned kinds)
{
    static const struct {
        unsigned kind;
        const char *name;
    } names[] = {
        {SCAN_KIND_SYN, "syn"},        {SCAN_KIND_FIN, "fin"}, {SCAN_KIND_XMAS, "xmas"},
        {SCAN_KIND_NULL, "null"},      {SCAN_KIND_UDP, "udp"}, {SCAN_KIND_CLOSED_UDP, "udp"},
        {SCAN_KIND_CLOSED_TCP, "tcp"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (kinds & names[i].kind)
            return names[i].name;
    return "tcp";
}

/* Of the packet that decided; a reset says less than what was seen of the others. */
static const char *kind_of(const struct scan_begin *b)
{
    unsigned seen = b->kinds & (SCAN_KIND_SYN | SCAN_KIND_FIN | SCAN_KIND_XMAS | SCAN_KIND_NULL);
    return kind_name(b->kind == SCAN_KIND_CLOSED_TCP && seen ? seen : b->kind);
}

static void print_kinds(unsigned kinds, char *text, size_t size)
{
    size_t len = 0;
    if (kinds & SCAN_KIND_UDP) /* one name for both */
        kinds &= ~(unsigned)SCAN_KIND_CLOSED_UDP;
    text[0] = '\0';
    for (unsigned bit = 1; bit <= SCAN_KIND_CLOSED_UDP; bit <<= 1)
        if (kinds & bit)
            len += (size_t)snprintf(text + len, size - len, "%s%s", len ? "," : "",
                                    kind_name(bit)); /* all fit */
}

static const char *pace_name(enum scan_pace p)
{
    switch (p) {
    case SCAN_PACE_FAST:
        return "fast";
    case SCAN_PACE_SLOW:
        return "slow";
    case SCAN_PACE_SWEEP:
        return "sweep";
    }
    return "fast";
}

/* IPv6 sources are counted by their upper half. */
void scan_source_print(enum family f, struct ip src, char *text, size_t size)
{
    char address[IP_TEXT_BYTES];
    ip_print(f, f == FAMILY_6 ? ip_and(src, ip_mask(f, 64)) : src, address);
    (void)snprintf(text, size, "%s%s", address, f == FAMILY_6 ? "/64" : ""); /* fits */
}

static const char *number(char text[NUMBER_BYTES], uint64_t n)
{
    (void)snprintf(text, NUMBER_BYTES, "%" PRIu64, n); /* fits */
    return text;
}

static const char *interface_of(struct agent *a, uint32_t ifindex)
{
    const struct host *h = datapath_host(a->dp);
    for (size_t i = 0; i < h->n_ifaces; i++)
        if (h->ifaces[i].ifindex == ifindex)
            return h->ifaces[i].name;
    return NULL;
}

static void tell_begin(struct agent *a, const struct scan_begin *b)
{
    char src[IP_TEXT_BYTES], dst[IP_TEXT_BYTES], port[NUMBER_BYTES], count[NUMBER_BYTES];
    ip_print(b->family, b->src, src);
    ip_print(b->family, b->dst, dst);
    event_log(EV_SCAN_DETECTED, "SOURCE", src, "KIND", kind_of(b), "PACE", pace_name(b->pace),
              "DESTINATION", dst, "DESTINATION_PORT", number(port, b->port), "INTERFACE",
              interface_of(a, b->ifindex), "COUNT", number(count, b->count), "PROVEN",
              b->proven ? "yes" : "no", NULL);
}

static void tell_end(const struct scan_followed *f, const struct scan_state *s, uint64_t last_ns)
{
    char src[IP_TEXT_BYTES + 4], kinds[64], ports[SCAN_SAMPLE * 6 + 1] = "";
    char count[NUMBER_BYTES], ms[NUMBER_BYTES];
    size_t len = 0;
    scan_source_print(f->family, f->src, src, sizeof(src));
    print_kinds(f->kinds | s->kinds, kinds, sizeof(kinds));
    for (unsigned i = 0; i < s->n_ports; i++)
        len += (size_t)snprintf(ports + len, sizeof(ports) - len, "%s%u", len ? "," : "",
                                s->port[i]); /* all fit */
    event_log(EV_SCAN_ENDED, "SOURCE", src, "KINDS", kinds, "PORTS", len ? ports : NULL, "COUNT",
              number(count, f->count + s->count), "DURATION_MS",
              number(ms, (last_ns - f->begin_ns) / 1000000), NULL);
}

/* --- beginnings --- */

static bool is_within(enum family f, struct ip ip, enum family of, struct ip prefix, unsigned len)
{
    return f == of && ip_eq(ip_and(ip, ip_mask(f, len)), prefix);
}

/* Monitors that the administrator named, and sources that are never to be kept out. */
static bool is_ignored(const struct agent *a, const struct scan_begin *b)
{
    const struct scan_settings *s = &a->config.scan;
    const struct filter_settings *f = &a->config.filter;
    for (unsigned i = 0; i < s->n_ignore; i++)
        if (is_within(b->family, b->src, s->ignore[i].family, s->ignore[i].prefix,
                      s->ignore[i].len))
            return true;
    for (unsigned i = 0; i < f->n_failsafe; i++)
        if (f->failsafe[i].family != FAMILY_ANY &&
            is_within(b->family, b->src, f->failsafe[i].family, f->failsafe[i].prefix,
                      f->failsafe[i].prefix_len))
            return true;
    return false;
}

static void follow(struct scan_watch *w, const struct scan_begin *b, bool quiet)
{
    unsigned i = 0;
    while (i < w->n && w->v[i].source != b->source)
        i++;
    if (i == SCANS_MAX) /* the kernel's table has no more either */
        return;
    w->n += i == w->n;
    w->v[i] = (struct scan_followed){.source = b->source,
                                     .family = b->family,
                                     .src = b->src,
                                     .begin_ns = b->time_ns,
                                     .count = b->count,
                                     .kinds = b->kinds,
                                     .quiet = quiet};
}

static void on_begin(void *ctx, const struct scan_begin *b)
{
    struct agent *a = ctx;
    struct scan_watch *w = &a->scans;
    bool ignored = is_ignored(a, b), told = !ignored && w->tokens > 0;
    follow(w, b, !told);
    if (ignored)
        return;
    if (told) {
        w->tokens--;
        tell_begin(a, b);
    } else {
        w->more++;
    }
    scanblock_consider(a, b);
}

/* --- once a second --- */

static void end_silent(struct agent *a)
{
    struct scan_watch *w = &a->scans;
    uint64_t now = agent_now_ns();
    for (unsigned i = 0; i < w->n;) {
        struct scan_followed *f = &w->v[i];
        struct scan_state s = {.count = 0};
        bool gone = datapath_scan_state(a->dp, f->source, &s) < 0;
        uint64_t last = s.last_ns > f->begin_ns ? s.last_ns : f->begin_ns;
        if (!gone && now < last + silent_ns) {
            i++;
            continue;
        }
        if (!f->quiet)
            tell_end(f, &s, last);
        if (!gone)
            datapath_scan_end(a->dp, f->source);
        *f = w->v[--w->n];
    }
}

static void tell_more(struct scan_watch *w, const struct scan_stats *s)
{
    char more[NUMBER_BYTES], lost[NUMBER_BYTES];
    uint64_t gone = s->lost - w->stats.lost;
    if (w->more || gone)
        event_log(EV_SCAN_MORE, "COUNT", number(more, w->more), "LOST", number(lost, gone), NULL);
    w->more = 0;
}

/* Sources push each other out before they can be found. */
static void look_for_blindness(struct agent *a, const struct scan_stats *s)
{
    struct scan_watch *w = &a->scans;
    char rate[NUMBER_BYTES];
    uint64_t pushed = s->pushed_out - w->stats.pushed_out;
    bool crowded = pushed > PUSHED_PER_SECOND;
    w->crowded = crowded ? w->crowded + 1 : 0;
    w->calm = crowded ? 0 : w->calm + 1;
    if (w->crowded == BLIND_SECONDS && !w->blind) {
        event_log(EV_SCAN_DETECTOR_BLIND, "RATE", number(rate, pushed), NULL);
        w->blind = true;
    }
    if (crowded && !w->wide && s->new6 - w->stats.new6 > PUSHED_PER_SECOND)
        w->wide = datapath_scan_widen(a->dp, true) == 0;
    if (w->calm == CALM_SECONDS) {
        w->blind = false;
        if (w->wide && datapath_scan_widen(a->dp, false) == 0)
            w->wide = false;
    }
}

static void each_second(struct agent *a)
{
    struct scan_watch *w = &a->scans;
    struct scan_stats s;
    w->tokens = EVENTS_PER_SECOND;
    end_silent(a);
    if (datapath_scan_stats(a->dp, &s) < 0)
        return;
    if (w->known) {
        tell_more(w, &s);
        look_for_blindness(a, &s);
    }
    w->stats = s;
    w->known = true;
}

void scanwatch_poll(struct agent *a, bool second)
{
    if (a->config.scan.off && a->scans.n == 0)
        return;
    int n = datapath_scan_read(a->dp, READ_MAX, on_begin, a);
    if (n < 0 && !a->scans.known)
        event_log(EV_WORKER_FAILED, "ERROR", strerror(-n), "SOURCE", "scan detection", NULL);
    if (second)
        each_second(a);
}

/* Scans that an agent before followed: their end is told without their beginning. */
static void adopt(struct agent *a)
{
    struct scan_watch *w = &a->scans;
    uint64_t sources[SCANS_MAX];
    int n = datapath_scan_list(a->dp, sources, SCANS_MAX);
    for (int i = 0; i < n; i++) {
        bool six = sources[i] >> 32;
        struct ip src = {.hi = six ? sources[i] : 0, .lo = six ? 0 : sources[i]};
        const struct scan_begin b = {.time_ns = agent_now_ns(),
                                     .source = sources[i],
                                     .family = six ? FAMILY_6 : FAMILY_4,
                                     .src = src};
        follow(w, &b, is_ignored(a, &b));
    }
}

void scanwatch_apply(struct agent *a)
{
    const struct scan_settings *s = &a->config.scan;
    const struct scan_limits l = {
        .on = !s->off, .fast = s->fast, .slow = s->slow, .sweep = s->sweep};
    int err = datapath_scan_set(a->dp, &l);
    if (err < 0)
        event_log(EV_WORKER_FAILED, "ERROR", strerror(-err), "SOURCE", "scan detection", NULL);
    if (a->scans.known)
        return;
    a->scans.tokens = EVENTS_PER_SECOND;
    adopt(a);
}
