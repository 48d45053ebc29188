/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/help.c: help, generated from the tables of commands and options. Called by cli.c for
 * --help. One screen, examples first (cli.md 1). */
#include <string.h>

#include "cli/command.h"

enum { OPTION_COLUMN = 29 };

void cli_help_all(FILE *out)
{
    (void)fputs("examples:\n"
                "    portward status                          what is in force\n"
                "    portward block in udp port 1434          block packets now\n"
                "    portward delete d1                       and undo it\n"
                "    portward policy load rpc.pw && portward policy assign \"Block RPC Ports\"\n"
                "    portward explain in tcp from 198.51.100.7 to me port 135\n"
                "\ncommands:\n",
                out);
    for (size_t i = 0; i < cli_n_commands; i++)
        (void)fprintf(out, "    %-16s  %s\n", cli_commands[i].name, cli_commands[i].summary);
    (void)fputs("\nMore about one: portward COMMAND --help. Manual: man portward\n", out);
}

bool cli_help_object(const char *object, FILE *out)
{
    size_t len = strlen(object);
    bool any = false;

    for (size_t i = 0; i < cli_n_commands; i++) {
        const struct cli_command *cmd = &cli_commands[i];

        if (strncmp(cmd->name, object, len) != 0 || cmd->name[len] != ' ')
            continue;
        if (!any)
            (void)fprintf(out, "commands of '%s':\n", object);
        any = true;
        (void)fprintf(out, "    %-16s  %s\n", cmd->name, cmd->summary);
    }
    if (any)
        (void)fputs("\nMore about one: portward COMMAND --help. Manual: man portward\n", out);
    return any;
}

static void help_option(const struct cli_option *o, FILE *out)
{
    char left[96];

    (void)snprintf(left, sizeof(left), "%s%c%s--%s%s%s%s", o->letter ? "-" : "",
                   o->letter ? o->letter : ' ', o->letter ? ", " : "   ", o->name,
                   !o->argument           ? ""
                   : o->argument_optional ? "[="
                                          : " ",
                   o->argument ? o->argument : "", o->argument_optional ? "]" : "");
    if (strlen(left) > OPTION_COLUMN) /* its help goes to a line of its own */
        (void)fprintf(out, "    %s\n    %-*s  %s\n", left, OPTION_COLUMN, "", o->help);
    else
        (void)fprintf(out, "    %-*s  %s\n", OPTION_COLUMN, left, o->help);
}

void cli_help_command(const struct cli_command *cmd, FILE *out)
{
    (void)fprintf(out, "examples:\n%s\nportward %s%s%s\n", cmd->examples, cmd->name,
                  *cmd->synopsis ? " " : "", cmd->synopsis);
    for (const char *p = cmd->text; *p;) {
        const char *end = strchr(p, '\n');

        (void)fprintf(out, "    %.*s\n", (int)(end - p), p);
        p = end + 1;
    }
    if (cmd->flags & CMD_OFFLINE)
        (void)fputs("    Without the agent it says what the kernel holds.\n", out);
    if (cmd->flags & CMD_ASKS)
        (void)fputs("    It asks first; without a terminal it needs -y.\n", out);
    for (int scope = SCOPE_OWN, headed = -1; scope >= SCOPE_ALL; scope--) {
        for (int i = 0; i < _OPT_MAX; i++) {
            const struct cli_option *o = cli_option((enum cli_option_id)i);

            if ((int)o->scope != scope || o->not_yet ||
                !cli_command_takes(cmd, (enum cli_option_id)i))
                continue;
            if (headed != (scope == SCOPE_ALL))
                (void)fputs(scope == SCOPE_ALL ? "\noptions of all commands:\n" : "\noptions:\n",
                            out);
            headed = scope == SCOPE_ALL;
            help_option(o, out);
        }
    }
}
