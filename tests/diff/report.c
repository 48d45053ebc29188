/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/diff/report.c: outcomes: comparing, breaking on purpose, showing. Called by diff.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "text/text.h"

struct outcome outcome_of(const struct verdict *v)
{
    return (struct outcome){
        .block = v->block,
        .reason = v->reason,
        .tier = v->tier,
        .weight = v->weight,
        .counter_id = v->counter_id,
    };
}

bool outcome_eq(const struct outcome *a, const struct outcome *b)
{
    return a->block == b->block && a->reason == b->reason && a->tier == b->tier &&
           a->weight == b->weight && a->counter_id == b->counter_id;
}

void break_outcome(const struct question *q, struct outcome *o)
{
    const char *field = getenv("PORTWARD_BREAK");
    if (!field)
        return;
    uint32_t sum = 0;
    for (size_t i = 0; i < q->len; i++)
        sum = sum * 31 + q->frame[i];
    if (sum % 509 != 0)
        return;
    if (!strcmp(field, "block"))
        o->block = !o->block;
    else if (!strcmp(field, "reason"))
        o->reason = o->reason == DROP_NONE ? DROP_INTERNAL : DROP_NONE;
    else if (!strcmp(field, "tier"))
        o->tier = o->tier == TIER_ORDINARY ? TIER_OVERRIDE : TIER_ORDINARY;
    else if (!strcmp(field, "weight"))
        o->weight ^= 1u << 4;
    else if (!strcmp(field, "counter"))
        o->counter_id ^= 1;
}

void report_question(const struct question *q)
{
    const struct packet_meta *m = &q->packet.meta;
    struct strbuf text = STRBUF_INIT(4096);
    if (text_print_packet(&q->packet, &text) >= 0)
        printf("packet: %s\n", text.s);
    strbuf_done(&text);
    printf(
        "meta: %s judged %d to_host %d accept_local %d zone %d; later fragment %d, source routed "
        "%d, hop limit %d, icmp %d/%d\nframe:",
        m->dir == DIR_IN ? "in" : "out", m->judged, m->to_host, m->accept_local, m->zone,
        q->packet.later_fragment, q->packet.source_routed, q->packet.hop_limit, q->packet.icmp_type,
        q->packet.icmp_code);
    for (size_t i = 0; i < q->len; i++)
        printf("%s%02x", i % 4 ? "" : " ", q->frame[i]);
    printf("\n");
}

void report_policy(const struct effective *e)
{
    struct strbuf text = STRBUF_INIT(1024 * 1024);
    if (gen_policy_print(e, &text) >= 0)
        printf("%s", text.s);
    strbuf_done(&text);
}

void report_outcome(const char *who, const struct outcome *o)
{
    printf("%-8s %s reason %s tier %s weight %08x counter %d\n", who, o->block ? "block" : "pass",
           drop_reason_name(o->reason), tier_name(o->tier), o->weight, (int)o->counter_id);
}
