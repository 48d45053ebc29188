/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two files of `portward mpp` share: cmd_mpp.c shows, cmd_mpp_set.c changes. */
#pragma once
#include <jansson.h>

struct cli;

/* "enabled (default for servers), profiles on": data of GET /v1/mpp. */
void cli_mpp_put_switches(struct cli *c, const json_t *data);
/* `mpp exempt list`, `mpp rate` without words: exit codes. */
int cli_mpp_list_exemptions(struct cli *c);
int cli_mpp_list_rates(struct cli *c);
