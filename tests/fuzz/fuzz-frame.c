/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-frame.c: any bytes as a frame for eval. The first byte chooses meta, the rest is the frame.
 * A packet that was understood and is built anew reads back as itself; a verdict blocks exactly if
 * it has a reason; without a block or negotiate filter nothing is dropped; explain says the same
 * as the plain verdict. */
#include <stdlib.h>

#include "eval/eval.h"
#include "fuzz.h"
#include "testlib/fixture.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static struct packet_meta meta_from(uint8_t b)
{
    return (struct packet_meta){
        .dir = b & 1 ? DIR_OUT : DIR_IN,
        .judged = b & 2,
        .to_host = b & 4,
        .accept_local = b & 8,
        .zone = b >> 4 & 3,
        .secured = b & 64,
        .gso = b & 128,
    };
}

static void check_rebuilt(const struct packet *p)
{
    uint8_t frame[EVAL_FRAME_BYTES];
    struct eval_parsed again;
    size_t n = eval_build_frame(p, frame);
    require(n <= sizeof(frame));
    eval_parse_frame(frame, n, &p->meta, true, &again);
    const struct packet *q = &again.packet;
    require(again.is_ip && again.reason == DROP_NONE);
    require(p->family == q->family && ip_eq(p->src, q->src) && ip_eq(p->dst, q->dst));
    require(p->l4_known == q->l4_known && p->later_fragment == q->later_fragment);
    require(p->sport == q->sport && p->dport == q->dport && p->tcp_flags == q->tcp_flags);
    require(p->icmp_type == q->icmp_type && p->icmp_code == q->icmp_code);
    require(p->proto == q->proto && p->source_routed == q->source_routed);
    require(q->hop_limit == (p->hop_limit ? p->hop_limit : 64));
}

static struct verdict check_verdict(const struct effective *e, const uint8_t *frame, size_t n,
                                    const struct packet_meta *meta)
{
    struct verdict v = eval_frame(e, frame, n, meta, 1000);
    require(v.block == (v.reason != DROP_NONE));
    require(v.decider != DECIDED_FILTER || v.index < e->n);
    return v;
}

static void check_explained(const struct effective *e, const struct packet *p)
{
    struct eval_explanation why;
    struct verdict v = eval_packet(e, p, 1000);
    require(eval_explain(e, p, 1000, &why) == 0);
    require(why.verdict.block == v.block && why.verdict.decider == v.decider);
    require(why.verdict.index == v.index && why.verdict.weight == v.weight);
    eval_explanation_done(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fixture x;
    struct eval_parsed parsed;
    if (size == 0)
        return 0;
    struct packet_meta meta = meta_from(data[0]);
    fixture_init(&x);
    x.settings.exempt = (uint8_t)(size & 3);
    fixture_add(&x, ACTION_PERMIT, PROTO_TCP, "any", "", "me", "80")->mirrored = true;
    require(!check_verdict(&x.e, data + 1, size - 1, &meta).block);
    fixture_add(&x, ACTION_BLOCK, PROTO_ANY, "any", "", "me", "");
    fixture_add(&x, ACTION_BLOCK, PROTO_UDP, "10.0.0.0/8", "", "any", "53,1000-2000");
    fixture_add_icmp(&x, ACTION_BLOCK, PROTO_ICMPV6, "any", "any", 134, -1);
    fixture_add(&x, ACTION_NEGOTIATE, PROTO_TCP, "me", "", "2001:db8::/32", "");
    (void)check_verdict(&x.e, data + 1, size - 1, &meta); /* checked inside */
    eval_parse_frame(data + 1, size - 1, &meta, true, &parsed);
    if (parsed.is_ip && parsed.reason == DROP_NONE) {
        check_explained(&x.e, &parsed.packet);
        check_rebuilt(&parsed.packet);
    }
    fixture_done(&x);
    return 0;
}
