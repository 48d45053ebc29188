/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/gen_completion.c: a program of the build that writes the completion file of one shell,
 * `gen-completion bash|zsh|fish`, from the tables of commands and options. Never installed.
 * Commands, options and fixed values stand in the file; names that only the agent knows come
 * from `portward __complete`. The fixed parts of each file are in completion/SHELL.in, where a
 * line @TABLE@ stands for what is written here. */
#include <stdio.h>
#include <string.h>

#include "cli/complete.h"

enum { PLACES = 3 }; /* behind a command that are told apart; the last one goes on */

/* Words as one argument of the shell: no word of the tables has a quote in it, which is checked
 * by the syntax tests of the files. */
static void put_quoted(const char *s)
{
    (void)putchar('\'');
    for (; *s; s++)
        if (*s == '\'')
            (void)fputs("'\\''", stdout);
        else
            (void)putchar(*s);
    (void)putchar('\'');
}

static bool offered(const struct cli_command *cmd, int id)
{
    return cli_command_takes(cmd, (enum cli_option_id)id) &&
           !cli_option((enum cli_option_id)id)->not_yet;
}

/* How the shells are told what a word is. */
static const char *kind_name(enum cli_word_kind kind)
{
    switch (kind) {
    case WORD_FILE:
        return "file";
    case WORD_FILE_OR_POLICY:
        return "both";
    case WORD_DIRECTORY:
        return "directory";
    case WORD_HOST:
        return "host";
    case WORD_VALUES:
        return "values";
    case WORD_POLICY:
    case WORD_RULE:
    case WORD_IDS:
    case WORD_SETTING:
    case WORD_INTERFACE:
    case WORD_PORTS:
    case WORD_GRAMMAR:
        return "live";
    case WORD_NOTHING:
        break;
    }
    return "nothing";
}

/* "a|b|c" as "a b c". */
static void put_values(const char *argument)
{
    (void)putchar('\'');
    for (const char *p = argument; *p; p++)
        (void)putchar(*p == '|' ? ' ' : *p);
    (void)putchar('\'');
}

/* Functions of bash and zsh alike: both have case, and print lines "word:what it does". */
static void put_commands(void)
{
    (void)puts("_portward_commands() {\n    cat <<'END'");
    for (size_t i = 0; i < cli_n_commands; i++)
        (void)printf("%s:%s\n", cli_commands[i].name, cli_commands[i].summary);
    (void)puts("END\n}");
}

static void put_options(void)
{
    (void)puts("_portward_options() {\n    case $1 in");
    for (size_t i = 0; i < cli_n_commands; i++) {
        (void)printf("    '%s') cat <<'END'\n", cli_commands[i].name);
        for (int o = 0; o < _OPT_MAX; o++)
            if (offered(&cli_commands[i], o))
                (void)printf("--%s:%s\n", cli_option((enum cli_option_id)o)->name,
                             cli_option((enum cli_option_id)o)->help);
        (void)puts("END\n        ;;");
    }
    (void)puts("    esac\n}");
}

/* What follows an option, and what stands at a place behind a command. */
static void put_kinds(void)
{
    (void)puts("_portward_value() {\n    case $1 in");
    for (int o = 0; o < _OPT_MAX; o++) {
        const struct cli_option *option = cli_option((enum cli_option_id)o);
        enum cli_word_kind kind = cli_value_kind(option);

        if (!option->argument || option->argument_optional || option->not_yet)
            continue;
        (void)printf("    --%s) echo ", option->name);
        if (kind == WORD_VALUES)
            put_values(option->argument);
        else
            (void)printf("@%s", kind_name(kind));
        (void)puts(" ;;");
    }
    (void)puts("    *) return 1 ;;\n    esac\n}\n_portward_word() {\n    case $1 in");
    for (size_t i = 0; i < cli_n_commands; i++)
        (void)printf("    '%s') set -- \"$2\" %s %s %s ;;\n", cli_commands[i].name,
                     kind_name(cli_word_kind(&cli_commands[i], 0)),
                     kind_name(cli_word_kind(&cli_commands[i], 1)),
                     kind_name(cli_word_kind(&cli_commands[i], 2)));
    (void)puts("    *) set -- 0 nothing nothing nothing ;;\n    esac\n"
               "    case $1 in 0) echo \"$2\" ;; 1) echo \"$3\" ;; *) echo \"$4\" ;; esac\n}");
}

/* cmd NULL: an option of all commands, which may also stand before the command. */
static void put_fish_option(const struct cli_command *cmd, const struct cli_option *o)
{
    enum cli_word_kind kind = cli_value_kind(o);

    (void)fputs("complete -c portward", stdout);
    if (cmd)
        (void)printf(" -n '__portward_is \"%s\"'", cmd->name);
    (void)printf(" -l %s", o->name);
    if (o->letter)
        (void)printf(" -s %c", o->letter);
    if (o->argument && !o->argument_optional) {
        (void)fputs(kind == WORD_DIRECTORY ? " -r" : " -x", stdout);
        if (kind == WORD_VALUES) {
            (void)fputs(" -a ", stdout);
            put_values(o->argument);
        } else if (kind == WORD_POLICY || kind == WORD_INTERFACE) {
            (void)fputs(" -a '(__portward_live)'", stdout);
        } else if (kind == WORD_DIRECTORY) {
            (void)fputs(" -a '(__fish_complete_directories)'", stdout);
        }
    }
    (void)fputs(" -d ", stdout);
    put_quoted(o->help);
    (void)putchar('\n');
}

static void put_fish_command(const struct cli_command *cmd)
{
    const char *blank = strchr(cmd->name, ' ');
    bool files = false, live = false, hosts = false;

    (void)printf("complete -c portward -n '__portward_is \"%.*s\"' -a %s -d ",
                 blank ? (int)(blank - cmd->name) : 0, cmd->name, blank ? blank + 1 : cmd->name);
    put_quoted(cmd->summary);
    (void)putchar('\n');
    for (int o = 0; o < _OPT_MAX; o++)
        if (offered(cmd, o) && cli_option((enum cli_option_id)o)->scope != SCOPE_ALL)
            put_fish_option(cmd, cli_option((enum cli_option_id)o));
    for (int i = 0; i < PLACES; i++) {
        enum cli_word_kind kind = cli_word_kind(cmd, i);

        files |= kind == WORD_FILE || kind == WORD_FILE_OR_POLICY;
        hosts |= kind == WORD_HOST;
        live |= kind != WORD_FILE && kind != WORD_HOST && kind != WORD_NOTHING;
    }
    if (hosts)
        (void)printf("complete -c portward -n '__portward_is \"%s\"' -x -a "
                     "'(__fish_print_hostnames)'\n",
                     cmd->name);
    if (files)
        (void)printf("complete -c portward -n '__portward_is \"%s\"' -F\n", cmd->name);
    if (live)
        (void)printf("complete -c portward -n '__portward_is \"%s\"' -a '(__portward_live)'\n",
                     cmd->name);
}

/* The first words of commands with two, and all commands for __portward_is. */
static void put_fish(void)
{
    const char *before = "";

    (void)fputs("set -g __portward_commands", stdout);
    for (size_t i = 0; i < cli_n_commands; i++)
        (void)printf(" '%s'", cli_commands[i].name);
    (void)fputs("\nset -g __portward_valued", stdout);
    for (int o = 0; o < _OPT_MAX; o++)
        if (cli_option((enum cli_option_id)o)->argument &&
            !cli_option((enum cli_option_id)o)->argument_optional)
            (void)printf(" --%s", cli_option((enum cli_option_id)o)->name);
    (void)putchar('\n');
    for (int o = 0; o < _OPT_MAX; o++)
        if (cli_option((enum cli_option_id)o)->scope == SCOPE_ALL)
            put_fish_option(NULL, cli_option((enum cli_option_id)o));
    for (size_t i = 0; i < cli_n_commands; i++) {
        const char *name = cli_commands[i].name;
        size_t first = strcspn(name, " ");

        if (name[first] && strncmp(name, before, first + 1) != 0)
            (void)printf("complete -c portward -n '__portward_is \"\"' -a %.*s\n", (int)first,
                         name);
        before = name;
        put_fish_command(&cli_commands[i]);
    }
}

int main(int argc, char **argv)
{
    bool fish = argc > 1 && strcmp(argv[1], "fish") == 0;
    FILE *frame = argc > 2 ? fopen(argv[2], "re") : NULL;
    char line[1024];

    if (!frame) {
        (void)fputs("usage: gen-completion bash|zsh|fish FRAME\n", stderr);
        return 2;
    }
    while (fgets(line, sizeof(line), frame)) {
        if (strcmp(line, "@TABLE@\n") != 0) {
            (void)fputs(line, stdout);
        } else if (fish) {
            put_fish();
        } else {
            put_commands();
            put_options();
            put_kinds();
        }
    }
    (void)fclose(frame); /* was only read */
    return fflush(stdout) != 0 || ferror(stdout) ? 1 : 0;
}
