/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `scan` prints: the plan, the bar, the table, the document. */
#pragma once
#include <jansson.h>

#include "cli/scan.h"

struct cli;

struct cli_scan_plan {
    const struct probe_ports *ports;
    const char *ports_text; /* as it was typed, "1-65535" */
    unsigned n_ports;
    enum probe_method method;
    uint32_t rate; /* 0 = unlimited */
    bool with_agent;
};
/* On stderr, before the first packet. */
void cli_scan_put_plan(struct cli *c, const struct cli_scan_target *t,
                       const struct cli_scan_plan *p);
/* on_progress of a request; ctx: struct cli_scan_bar. */
struct cli_scan_bar {
    struct cli *c;
    char name[64];
    uint32_t n_ports, rate;
    uint64_t start_us;
    bool is_shown;
};
void cli_scan_bar_init(struct cli_scan_bar *b, struct cli *c, const struct cli_scan_target *t,
                       const struct cli_scan_plan *p);
void cli_scan_bar_move(void *ctx, uint32_t answered, uint32_t round, uint64_t sent);
void cli_scan_bar_erase(struct cli_scan_bar *b);

void cli_scan_put_result(struct cli *c, const struct cli_scan_target *t,
                         const struct cli_scan_plan *p, const struct probe_result *r);
json_t *cli_scan_json(const struct cli_scan_target *t, const struct cli_scan_plan *p,
                      const struct probe_result *r);
