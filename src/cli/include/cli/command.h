/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of commands: the one source of dispatch, checks, help, and what the man page and
 * completion are compared with. One file per verb (cmd_*.c) holds its function. */
#pragma once
#include "base/diag.h"
#include "cli/cli.h"
#include "cli/options.h"

struct cli;

enum cli_command_flags {
    CMD_MUTATES = 1, /* gives the options of SCOPE_MUTATES */
    CMD_OFFLINE = 2, /* also says something useful without the agent */
    CMD_ASKS = 4,    /* puts a question: without a terminal it needs -y */
    CMD_FOREIGN = 8, /* what follows its first word is not parsed here */
    CMD_SLOW = 16,   /* handles whole policies: the default time-out is longer */
};

struct cli_command {
    const char *name;       /* "policy load" */
    const char *synopsis;   /* what follows the name, "" = nothing */
    const char *summary;    /* one line for the list of verbs */
    const char *examples;   /* lines, each ends with \n */
    const char *text;       /* what one has to know, lines of at most 76 columns */
    cli_option_set options; /* OPTION_BIT()s beyond the common ones */
    unsigned flags;
    int min_words, max_words; /* -1 = any number */
    int (*run)(struct cli *c);
};

extern const struct cli_command cli_commands[];
extern const size_t cli_n_commands;

/* Finds the command that the first words name; *ret_n_words of them do. NULL with *d if none. */
const struct cli_command *cli_command_find(char *const *words, int n_words, struct diag *d,
                                           int *ret_n_words);
/* Whether the command takes the option. */
bool cli_command_takes(const struct cli_command *cmd, enum cli_option_id id);

void cli_help_all(FILE *out);
/* Commands of an object such as "policy"; false: there is none, nothing was printed. */
bool cli_help_object(const char *object, FILE *out);
void cli_help_command(const struct cli_command *cmd, FILE *out);

int cmd_state_list(struct cli *c);
int cmd_state_delete(struct cli *c);
int cmd_status(struct cli *c);
int cmd_block(struct cli *c);
int cmd_permit(struct cli *c);
int cmd_list(struct cli *c);
int cmd_delete(struct cli *c);
int cmd_flush(struct cli *c);
int cmd_policy_list(struct cli *c);
int cmd_policy_show(struct cli *c);
int cmd_policy_load(struct cli *c);
int cmd_policy_save(struct cli *c);
int cmd_policy_check(struct cli *c);
int cmd_policy_diff(struct cli *c);
int cmd_policy_history(struct cli *c);
int cmd_policy_rollback(struct cli *c);
int cmd_policy_assign(struct cli *c);
int cmd_policy_unassign(struct cli *c);
int cmd_policy_delete(struct cli *c);
int cmd_rule_add(struct cli *c);
int cmd_rule_delete(struct cli *c);
int cmd_explain(struct cli *c);
int cmd_counters(struct cli *c);
int cmd_log(struct cli *c);
int cmd_sockets(struct cli *c);
int cmd_audit(struct cli *c);
int cmd_rpc_range(struct cli *c);
int cmd_rpc_confine(struct cli *c);
int cmd_rpc_show(struct cli *c);
int cmd_rpc_dump(struct cli *c);
int cmd_scan(struct cli *c);
int cmd_mpp_status(struct cli *c);
int cmd_mpp_enable(struct cli *c);
int cmd_mpp_disable(struct cli *c);
int cmd_mpp_profiles(struct cli *c);
int cmd_mpp_exempt(struct cli *c);
int cmd_mpp_rate(struct cli *c);
int cmd_mpp_reset(struct cli *c);
int cmd_mpp_top(struct cli *c);
int cmd_mpp_simulate(struct cli *c);
int cmd_mpp_events(struct cli *c);
int cmd_config_show(struct cli *c);
int cmd_config_reset(struct cli *c);
/* Of env->dialects. */
int cmd_dialect_compat(struct cli *c);
int cmd_dialect_import(struct cli *c);
int cmd_dialect_export(struct cli *c);
