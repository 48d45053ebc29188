/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reply state of `keep state` in the evaluator (policy.md 4): what the datapath's tables and
 * socket stamps must amount to, as one plain list of permitted conversations. The caller keeps
 * one struct eval_state per simulated host and shows it every packet in order. */
#pragma once
#include "eval/eval.h"

struct eval_state;
_must_check_ int eval_state_new(struct eval_state **ret);
struct eval_state *eval_state_free(struct eval_state *s);
void eval_state_freep(struct eval_state **s);

/* Every change of the effective filters: entries are judged anew at their next use. */
void eval_state_next_epoch(struct eval_state *s);

/* Like eval_packet(), and a block gives way to a conversation that a keep-state permit opened,
 * unless the block is more specific in its addresses (tier, then field A). A permitted packet
 * of a keep-state filter creates or refreshes its entry; a dropped packet changes nothing.
 * quoted: the packet inside an ICMP error, NULL if p is none. Lifetimes: UDP 60 s, 180 s once
 * answered, ICMP echo 10 s, TCP 7440 s, 10 s after FIN or RST in the permit's direction.
 * An answer that passes has the verdict of the permit that opened its conversation.
 * While no filter keeps state, no conversation is used, nor judged anew.
 * -ENOMEM leaves *s without the entry, nothing else is lost. */
_must_check_ int eval_state_packet(struct eval_state *s, const struct effective *e,
                                   const struct packet *p, const struct packet *quoted,
                                   uint64_t now_ns, struct verdict *ret);
size_t eval_state_size(const struct eval_state *s);
