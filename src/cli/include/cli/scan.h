/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `scan` and the dialect `spp` share: from words to addresses that may be scanned, from an
 * address to a request, and the entry in the journal. Nothing is ever scanned that was not named.
 */
#pragma once
#include "exposureprobe/probe.h"

struct cli_scan_target {
    char *name; /* as it was typed, owned */
    enum family family;
    struct ip ip;
    unsigned scope;           /* interface of a link-local address */
    bool is_ours;             /* an address of the namespace the command was started in */
    struct probe_route route; /* in the namespace it is scanned from */
};
struct cli_scan_targets {
    struct cli_scan_target *v;
    size_t n, cap;
};
void cli_scan_targets_done(struct cli_scan_targets *t);
/* An address, a prefix or a name, all addresses of it. Refuses what must not be scanned. 0 or
 * negative with *d. */
_must_check_ int cli_scan_add(struct cli_scan_targets *t, const char *word, struct diag *d);
/* Which of them are ours, before the namespace is changed; the routes, after it. */
void cli_scan_find_own(struct cli_scan_targets *t);
_must_check_ int cli_scan_find_routes(struct cli_scan_targets *t, struct diag *d);

/* Probes per second where nobody says it: no limit for what is this host's own. */
uint32_t cli_scan_default_rate(const struct cli_scan_target *t);

/* Entry in the journal; of addresses that are not ours only. false: there is no journal. */
struct cli_scan_note {
    const struct cli_scan_target *target;
    enum probe_method method;
    const char *ports; /* as text */
    uint32_t rate, uid;
};
bool cli_scan_write_journal(const struct cli_scan_note *n, const char *socket_path);
#define CLI_JOURNAL_SOCKET "/run/systemd/journal/socket"
