/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What bytes from the network say about our probes. Pure, and the only code that reads such bytes:
 * the scan calls it in a process without rights, fuzz-probe with anything. An answer counts only if
 * it proves that it belongs to a probe of this scan: by the acknowledged sequence number, which is
 * a keyed hash of the port, or, in an ICMP error, by the quoted one. */
#pragma once
#include "exposureprobe/probe.h"

struct answer_context {
    enum family family;
    uint8_t target[16]; /* 4 or 16 bytes */
    uint16_t source_ports[PROBE_ROUNDS_MAX];
    unsigned n_source_ports;
    uint64_t key[2];
};
struct answer {
    uint16_t port;
    unsigned round; /* whose probe it answers */
    enum probe_state state;
    enum probe_why why;
};
/* Initial sequence number of the probe to a port. */
uint32_t answer_cookie(const struct answer_context *c, uint16_t port);

/* A packet as a raw socket gives it: with the IPv4 header, and for IPv6 without. from: the sender
 * that the kernel names, for IPv6 (16 bytes). */
bool answer_tcp4(const struct answer_context *c, const uint8_t *data, size_t len,
                 struct answer *ret);
bool answer_tcp6(const struct answer_context *c, const uint8_t *from, const uint8_t *data,
                 size_t len, struct answer *ret);
bool answer_icmp4(const struct answer_context *c, const uint8_t *data, size_t len,
                  struct answer *ret);
bool answer_icmp6(const struct answer_context *c, const uint8_t *data, size_t len,
                  struct answer *ret);

/* What an ICMP error means for a probe. False: nothing (it may come from a router on the way). */
bool answer_icmp_means(enum family family, uint8_t type, uint8_t code, bool udp,
                       struct answer *ret);
