/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of the packet log as `portward log` handles them: from the agent's JSON, against a
 * filter, into a file of packets. */
#pragma once
#include <jansson.h>
#include <stdio.h>

#include "model/filter.h"
#include "text/logline.h"

/* Strings point into j. -EBADMSG: it is no entry. */
_must_check_ int log_entry_from_json(const json_t *j, struct log_entry *ret);
/* Milliseconds since 1970 of "2026-11-22T02:41:12.103Z"; negative: it is no such time. */
int64_t log_time_from_text(const char *text);
/* Whether a filter of these words would have matched. `me` is the side that the direction says;
 * names and keywords match nothing, since the log has addresses only. */
bool log_entry_matches(const struct log_entry *e, const struct filter *f);

/* pcap with link type RAW (101): every packet begins with its IP header, of either family. What
 * cannot be written is seen at the stream. */
void pcap_put_header(FILE *out);
void pcap_put_entry(FILE *out, const struct log_entry *e);
