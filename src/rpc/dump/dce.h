/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of the endpoint mapper (DCE 1.1 C706, MS-RPCE): requests, and the reader of answers. Pure,
 * fuzzed: every length is compared with what is there before it is used. Called by dce_client.c. */
#pragma once
#include "rpcdump/rpcdump.h"

enum {
    DCE_HEADER_BYTES = 16,
    DCE_BIND_BYTES = 72,
    DCE_LOOKUP_BYTES = 64,
    DCE_HANDLE_BYTES = 20,
    DCE_FRAGMENTS = 4096, /* of one answer */
};
enum dce_pdu {
    DCE_REQUEST = 0,
    DCE_RESPONSE = 2,
    DCE_FAULT = 3,
    DCE_BIND = 11,
    DCE_BIND_ACK = 12,
    DCE_BIND_NAK = 13,
};

struct dce_header {
    uint8_t type, flags;
    bool little; /* byte order of everything in this PDU */
    uint16_t frag_len;
    uint32_t call;
};
/* -EBADMSG: no header of version 5, or one with authentication. */
_must_check_ int dce_header_read(const uint8_t b[DCE_HEADER_BYTES], struct dce_header *ret);

void dce_put_bind(uint8_t out[DCE_BIND_BYTES], uint32_t call);
void dce_put_lookup(uint8_t out[DCE_LOOKUP_BYTES], uint32_t call,
                    const uint8_t handle[DCE_HANDLE_BYTES]);

/* An answer that may come in fragments. */
struct dce_answer {
    uint32_t call; /* whose answer it has to be */
    bool started, little;
    uint8_t type;
    unsigned fragments;
    uint8_t *stub; /* owned */
    size_t len, cap;
};
void dce_answer_done(struct dce_answer *a);
/* body: the frag_len - 16 bytes behind the header. 1: the answer is whole, 0: more to come. */
_must_check_ int dce_answer_take(struct dce_answer *a, const struct dce_header *h,
                                 const uint8_t *body, size_t n);
/* 0: the mapper speaks our language; -ECONNREFUSED; -EBADMSG. */
_must_check_ int dce_read_bind_ack(const struct dce_answer *a);
/* Adds entries to *l. 1: that was the last answer, 0: ask again with handle. -EBADMSG, -E2BIG,
 * -EREMOTEIO: the mapper reports a failure. What was read before stays in *l. */
_must_check_ int dce_read_lookup(const struct dce_answer *a, uint8_t handle[DCE_HANDLE_BYTES],
                                 struct rpc_endpoints *l);
/* One tower. -EBADMSG. */
_must_check_ int dce_read_tower(const uint8_t *t, size_t n, struct rpc_endpoint *e);
/* Room for one more; NULL: no memory or RPC_DUMP_ENTRIES are there. */
struct rpc_endpoint *endpoints_add(struct rpc_endpoints *l);
/* Monotonic milliseconds, for deadlines. */
uint64_t dump_now_ms(void);
/* Printable ASCII of at most size - 1 bytes, '?' for all else. */
void clean_text(char *out, size_t size, const uint8_t *in, size_t n);
