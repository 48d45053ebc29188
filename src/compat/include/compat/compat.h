/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Windows dialects as a front end: what the program `portward` calls. Links the agent's API
 * client and the command line's means of talking, nothing of the agent. */
#pragma once
#include "cli/cli.h"

/* If the program was called by the name of a tool (any case, .exe allowed), runs it: true, and
 * *ret_exit. */
bool compat_by_name(const struct cli_env *env, int argc, char *const *argv, int *ret_exit);

struct cli;
/* `portward compat ...`, `portward import ...`, `portward export ...`; functions of the table of
 * commands (cli/command.h). Results are exit codes. */
int cmd_compat(struct cli *c);
int cmd_import(struct cli *c);
int cmd_export(struct cli *c);
