/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/scanblock.c: the timed block of sources that scan ([scan] block). Called by scanwatch.c for
 * each scan that begins. Invariants: whoever can be forged is not blocked unless the settings say
 * so; never blocked is what this host itself depends on; a block is a dynamic filter like any
 * other, with its reason and its end, so that whoever trusts an address by name keeps it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "scanwatch.h"

enum {
    BLOCKS_PER_MINUTE = 64,
    BLOCKS_MAX = 4096,
    BLOCK_LONGEST_S = 86400,
};
static const uint64_t minute_ns = 60000000000, repeat_ns = 86400000000000;
static const char reason_prefix[] = "scan: ";

/* What is blocked: the address, or the /64 that an IPv6 host chooses its addresses from. */
static unsigned prefix_len(enum family f)
{
    return f == FAMILY_6 ? 64 : 32;
}

static struct ip prefix_of(enum family f, struct ip a)
{
    return ip_and(a, ip_mask(f, prefix_len(f)));
}

static bool is_listed(const struct address_list *l, const struct scan_begin *b)
{
    struct ip prefix = prefix_of(b->family, b->src);
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].family == b->family && ip_eq(prefix_of(b->family, l->v[i].ip), prefix))
            return true;
    return false;
}

static bool is_own(const struct host *h, const struct scan_begin *b)
{
    struct ip prefix = prefix_of(b->family, b->src);
    for (size_t i = 0; i < h->n_local; i++)
        if (h->local[i].family == b->family &&
            ip_eq(prefix_of(b->family, h->local[i].prefix), prefix))
            return true;
    return false;
}

/* Gateways, resolvers and the servers of leases. What cannot be read is taken for needed. */
static bool is_needed(const struct agent *a, const struct scan_begin *b)
{
    struct address_list l = {.n = 0};
    bool link_local = b->family == FAMILY_6 && b->src.hi >> 54 == 0xfe80 >> 6;
    if (link_local || is_own(datapath_host(a->dp), b) || is_listed(&a->config.wins, b))
        return true;
    if (gateways_read(&l) < 0 || is_listed(&l, b))
        return true;
    if (keywords_read(ADDR_KEYWORD_DNS, "", &l) < 0 || is_listed(&l, b))
        return true;
    return keywords_read(ADDR_KEYWORD_DHCP, "", &l) < 0 || is_listed(&l, b);
}

/* Blocks of ours that are in force. */
static size_t count_blocks(const struct agent *a)
{
    const struct dynamic *l = &a->in_force->layers.dynamic;
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        n += l->v[i]->reason && strncmp(l->v[i]->reason, reason_prefix, strlen(reason_prefix)) == 0;
    return n;
}

static bool is_over_limit(struct agent *a)
{
    struct scan_watch *w = &a->scans;
    uint64_t now = agent_now_ns();
    if (now - w->minute_ns > minute_ns) {
        w->minute_ns = now;
        w->blocks = 0;
        w->limit_told = false;
    }
    if (w->blocks < BLOCKS_PER_MINUTE && count_blocks(a) < BLOCKS_MAX)
        return false;
    if (!w->limit_told)
        event_log(EV_SCAN_BLOCK_LIMIT, NULL);
    w->limit_told = true;
    return true;
}

/* Twice as long as the last time, for whoever comes again within a day. */
static uint32_t seconds_for(struct agent *a, uint64_t source)
{
    struct scan_watch *w = &a->scans;
    uint64_t now = agent_now_ns();
    uint32_t seconds = a->config.scan.block_s;
    unsigned i = 0;
    while (i < SCAN_REPEATERS_MAX && w->repeaters[i].source != source)
        i++;
    if (i == SCAN_REPEATERS_MAX)
        i = w->next_repeater++ % SCAN_REPEATERS_MAX;
    else if (now < w->repeaters[i].until_ns)
        seconds = w->repeaters[i].seconds * 2;
    if (seconds > BLOCK_LONGEST_S)
        seconds = BLOCK_LONGEST_S;
    w->repeaters[i] = (struct scan_repeater){
        .source = source,
        .until_ns = now + (uint64_t)seconds * 1000000000 + repeat_ns,
        .seconds = seconds,
    };
    return seconds;
}

static void on_blocked(void *ctx _unused_, const struct agent_result *r)
{
    if (r->err < 0)
        event_log(EV_AGENT_FAILED, "ERROR", r->diag.message, "SOURCE", "scan", NULL);
}

static void block(struct agent *a, const struct scan_begin *b)
{
    char source[IP_TEXT_BYTES + 4], text[256], seconds[16];
    struct diag d = {0};
    uint32_t s = seconds_for(a, b->source);
    scan_source_print(b->family, b->src, source, sizeof(source));
    (void)snprintf(text, sizeof(text), "block in from %s to me for %" PRIu32 "s reason \"%s%s\"",
                   source, s, reason_prefix,
                   b->pace == SCAN_PACE_SWEEP ? "many hosts tried" : "many ports tried"); /* fits */
    const struct agent_change c = {
        .kind = AGENT_FILTER_ADD, .text = text, .author = {.origin = "agent"}};
    if (agent_change(a, &c, on_blocked, NULL, &d, NULL) < 0) {
        event_log(EV_AGENT_FAILED, "ERROR", d.message, "SOURCE", "scan", NULL);
        return;
    }
    a->scans.blocks++;
    (void)snprintf(seconds, sizeof(seconds), "%" PRIu32, s); /* fits */
    event_log(EV_SCAN_BLOCKED, "SOURCE", source, "SECONDS", seconds, NULL);
}

void scanblock_consider(struct agent *a, const struct scan_begin *b)
{
    const struct scan_settings *s = &a->config.scan;
    if (!s->block_s || (!b->proven && !s->block_unproven) || is_needed(a, b))
        return;
    /* A kernel that does not tell is taken for one that has a connection. */
    if (connections_with(b->family, prefix_of(b->family, b->src), prefix_len(b->family)) != 0)
        return;
    if (!is_over_limit(a))
        block(a, b);
}
