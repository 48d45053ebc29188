/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command that `--with-agent` names, running on the target: `ssh HOST portward scan --listen`.
 */
#pragma once
#include <sys/types.h>

#include "base/diag.h"

struct cli_scan_agent {
    pid_t pid;   /* 0 = none */
    int in, out; /* what it says, what it is told; -1 = none */
};
#define CLI_SCAN_AGENT_NONE \
    {                       \
        .in = -1, .out = -1 \
    }
/* Run by /bin/sh, with our standard error. */
_must_check_ int cli_scan_agent_start(const char *command, struct diag *d,
                                      struct cli_scan_agent *ret);
/* Closes its input and waits for it; it ends by itself. */
void cli_scan_agent_end(struct cli_scan_agent *a);

struct cli;
/* The other side: `portward scan --listen`. Exit code. */
int cli_scan_listen(struct cli *c);
