/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines between a cooperative scan and the target's side of it (`portward scan --listen`),
 * which run over whatever the user trusts: a pipe, ssh. Lines end with \n and begin with a word:
 *   target:  ready 1 | error TEXT
 *   scanner: key HEX32 udp|tcp 4|6
 *   target:  ready 1 | error TEXT              its sockets are open: probes may leave
 *   scanner: count                             as often as it likes
 *   target:  arrived PORTS
 *   scanner: end
 *   target:  arrived PORTS / delivered PORTS / bound PORTS
 *            decided FIRST LAST block|permit|unknown ID|- TEXT      any number
 *            end
 * PORTS as on the command line, "-" = none. Reading a line is pure; the scanner reads in the
 * process without rights. */
#pragma once
#include "exposureprobe/probe.h"

enum { WIRE_LINE_BYTES = 512 * 1024, WIRE_VERSION = 1 };

enum wire_word {
    WIRE_READY,
    WIRE_ERROR,
    WIRE_KEY,
    WIRE_COUNT,
    WIRE_ARRIVED,
    WIRE_DELIVERED,
    WIRE_BOUND,
    WIRE_DECIDED,
    WIRE_END,
    _WIRE_WORD_MAX
};
struct wire_line {
    enum wire_word word;
    uint64_t key[2];
    bool is_udp;
    enum family family;
    struct probe_ports ports;
    struct probe_decision decision;
    char text[DIAG_MESSAGE_BYTES]; /* of an error */
};
/* Without the newline. 0 or -EBADMSG. */
_must_check_ int wire_parse(const char *line, size_t len, struct wire_line *ret);
