/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/pressure_events.c: events of the engine of memory pressure protection as lines of the
 * journal (docs/events.md). Called by the engine within its tick. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "pressure.h"

enum { NUMBER_BYTES = 24 };

static const char *number(char text[NUMBER_BYTES], uint64_t n)
{
    (void)snprintf(text, NUMBER_BYTES, "%" PRIu64, n); /* fits */
    return text;
}

static const char *interface_of(struct agent *a, uint32_t ifindex)
{
    for (size_t i = 0; i < a->n_mpp_ifaces; i++)
        if (a->mpp_ifaces[i].ifindex == ifindex)
            return a->mpp_ifaces[i].name;
    return NULL;
}

/* What all events about pressure say. */
struct shares {
    char mem[NUMBER_BYTES], hi[NUMBER_BYTES], slope[NUMBER_BYTES], stalled[NUMBER_BYTES],
        spared[NUMBER_BYTES], idle[NUMBER_BYTES], orphans[NUMBER_BYTES];
};

static void print_shares(const struct mpp_event *e, struct shares *s)
{
    number(s->mem, e->mem);
    number(s->hi, e->hi);
    (void)snprintf(s->slope, sizeof(s->slope), "%" PRId64, e->slope); /* fits */
    number(s->stalled, e->stalled_share);
    number(s->spared, e->spared_share);
    number(s->idle, e->idle_share);
    number(s->orphans, e->orphan_share);
}

static void log_pressure(struct agent *a, enum agent_event_id id, const struct mpp_event *e)
{
    struct shares s;
    char port[NUMBER_BYTES], bytes[NUMBER_BYTES];
    bool named = e->kind == MPP_EV_PROTECTED;

    print_shares(e, &s);
    number(port, e->conn.lport);
    number(bytes, e->spared_bytes);
    event_log(id, "MEMORY_PAGES", s.mem, "HIGH_PAGES", s.hi, "SLOPE", s.slope, "STALLED_PERCENT",
              s.stalled, "SPARED_PERCENT", s.spared, "UNUSED_PERCENT", s.idle, "ORPHAN_PERCENT",
              s.orphans, "INTERFACE", named ? interface_of(a, e->conn.ifindex) : NULL, "PORT",
              named ? port : NULL, "SPARED_BYTES", named ? bytes : NULL, NULL);
}

static void print_dropped(const struct mpp_event *e, char *text, size_t size)
{
    size_t len = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(e->syn_dropped); i++)
        len += (size_t)snprintf(text + len, size - len, "%s%" PRIu64, i ? "," : "",
                                e->syn_dropped[i]); /* five numbers fit */
}

static void log_leave(const struct mpp_event *e)
{
    char ms[NUMBER_BYTES], killed[NUMBER_BYTES], bytes[NUMBER_BYTES], peak[NUMBER_BYTES];
    char conns[NUMBER_BYTES], spared[NUMBER_BYTES], mem[NUMBER_BYTES], dropped[128];

    print_dropped(e, dropped, sizeof(dropped));
    /* Whoever waits for the event of Windows finds it by its number. */
    event_log(EV_MPP_PRESSURE_LEAVE, "WINDOWS_EVENT_ID", "4229", "WINDOWS_SOURCE",
              e->ipv6 ? "Tcpip6" : "Tcpip", "MEMORY_PAGES", number(mem, e->mem), "DURATION_MS",
              number(ms, e->duration_ms), "KILLED", number(killed, e->killed), "BYTES",
              number(bytes, e->bytes), "PEAK_PAGES", number(peak, e->peak), "SYN_DROPPED", dropped,
              "SPARED_CONNECTIONS", number(conns, e->spared_conns), "SPARED_BYTES",
              number(spared, e->spared_bytes), NULL);
}

static void print_flags(uint8_t flags, char *text, size_t size)
{
    static const struct {
        unsigned flag;
        const char *word;
    } words[] = {{MPP_F_EXEMPT, "exempt"}, {MPP_F_SPARED, "spared"},   {MPP_F_OFF, "off"},
                 {MPP_F_IF_OFF, "if-off"}, {MPP_F_ADOPTED, "adopted"}, {MPP_F_IPV6, "ipv6"},
                 {MPP_F_KEPT, "kept"}};
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (flags & words[i].flag)
            len += (size_t)snprintf(text + len, size - len, "%s%s", len ? "," : "",
                                    words[i].word); /* all fit */
}

static void log_prune(struct agent *a, const struct mpp_conn *c)
{
    char local[IP_TEXT_BYTES], peer[IP_TEXT_BYTES], lport[NUMBER_BYTES], rport[NUMBER_BYTES];
    char queued[NUMBER_BYTES], window[NUMBER_BYTES], stall[NUMBER_BYTES], score[NUMBER_BYTES];
    char same[NUMBER_BYTES], generation[NUMBER_BYTES], age[NUMBER_BYTES], flags[64];

    ip_print(c->family, c->local, local);
    ip_print(c->family, c->peer, peer);
    print_flags(c->flags, flags, sizeof(flags));
    event_log(EV_MPP_PRUNE, "SOURCE", peer, "SOURCE_PORT", number(rport, c->rport), "DESTINATION",
              local, "DESTINATION_PORT", number(lport, c->lport), "INTERFACE",
              interface_of(a, c->ifindex), "STATE", mpp_tcp_state_name(c->state), "REASON",
              mpp_reason_name(c->reason), "QUEUED", number(queued, c->queued), "WINDOW",
              number(window, c->snd_wnd), "STALL_MS", number(stall, c->stall_ms), "SCORE",
              number(score, c->score), "SAME_SOURCE", number(same, c->same_source), "AGE_MS",
              number(age, c->age_ms), "SETTINGS_GENERATION", number(generation, c->generation),
              "FLAGS", flags[0] ? flags : NULL, NULL);
}

static void log_summary(const struct mpp_event *e)
{
    char killed[NUMBER_BYTES], bytes[NUMBER_BYTES], port[NUMBER_BYTES], prefix[IP_TEXT_BYTES + 4];
    char reasons[256] = "", address[IP_TEXT_BYTES];
    size_t len = 0;

    for (unsigned i = 1; i < _MPP_REASON_MAX; i++)
        if (e->by_reason[i])
            len += (size_t)snprintf(reasons + len, sizeof(reasons) - len, "%s%s=%" PRIu64,
                                    len ? "," : "", mpp_reason_name((enum mpp_reason)i),
                                    e->by_reason[i]); /* all fit */
    ip_print(e->family, e->prefix, address);
    (void)snprintf(prefix, sizeof(prefix), "%s/%d", address, e->family == FAMILY_6 ? 64 : 24);
    event_log(EV_MPP_PRUNE_SUMMARY, "KILLED", number(killed, e->killed), "BYTES",
              number(bytes, e->bytes), "REASONS", reasons, "MOST_PORT", number(port, e->port),
              "MOST_PREFIX", prefix, NULL);
}

static void log_gate(const struct mpp_event *e)
{
    char before[NUMBER_BYTES], level[NUMBER_BYTES];

    event_log(EV_MPP_GATE, "OLD", number(before, e->old_level), "NEW", number(level, e->level),
              "CAUSE", e->cause, NULL);
}

static void log_syn_drop(struct agent *a, const struct mpp_event *e)
{
    char address[IP_TEXT_BYTES], prefix[IP_TEXT_BYTES + 4], port[NUMBER_BYTES], n[NUMBER_BYTES];
    char level[NUMBER_BYTES];

    ip_print(e->family, e->prefix, address);
    (void)snprintf(prefix, sizeof(prefix), "%s/%d", address, e->family == FAMILY_6 ? 64 : 24);
    event_log(EV_MPP_SYN_DROP, "INTERFACE", interface_of(a, e->ifindex), "DESTINATION_PORT",
              number(port, e->port), "PREFIX", prefix, "LEVEL", number(level, e->level), "COUNT",
              number(n, e->count), NULL);
}

void pressure_event(void *ctx, const struct mpp_event *e)
{
    struct agent *a = ctx;
    char n[NUMBER_BYTES];

    switch (e->kind) {
    case MPP_EV_ENTER:
        log_pressure(a, EV_MPP_PRESSURE_ENTER, e);
        break;
    case MPP_EV_LEAVE:
        log_leave(e);
        break;
    case MPP_EV_NO_ATTACK:
        log_pressure(a, EV_MPP_PRESSURE_NO_ATTACK, e);
        break;
    case MPP_EV_PROTECTED:
        log_pressure(a, EV_MPP_PRESSURE_PROTECTED, e);
        break;
    case MPP_EV_ELSEWHERE:
        log_pressure(a, EV_MPP_PRESSURE_ELSEWHERE, e);
        break;
    case MPP_EV_PRUNE:
        log_prune(a, &e->conn);
        break;
    case MPP_EV_SUMMARY:
        log_summary(e);
        break;
    case MPP_EV_GATE:
        log_gate(e);
        break;
    case MPP_EV_BAN_FULL:
        event_log(EV_MPP_BAN_FULL, NULL);
        break;
    case MPP_EV_SYN_DROP:
        log_syn_drop(a, e);
        break;
    case MPP_EV_LOST:
        event_log(EV_MPP_LOST, "LOST", number(n, e->count), NULL);
        break;
    default:
        event_log(EV_MPP_DEGRADED, "ERROR", e->text, NULL);
    }
}
