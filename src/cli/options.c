/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/options.c: table of options and argument parser (options.h says why it is our own).
 * Called by cli.c and help.c. Borrows from argv and keeps the order of the words. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/options.h"

static const struct cli_option options[_OPT_MAX] = {
    [OPT_JSON] = {"json", 0, "MAJOR", true, false, SCOPE_ALL, "one JSON document on stdout"},
    [OPT_RUNTIME_DIR] = {"runtime-dir", 0, "DIR", false, false, SCOPE_ALL,
                         "directory of the agent (/run/portward)"},
    [OPT_COLOR] = {"color", 0, "auto|always|never", false, false, SCOPE_ALL, "colours"},
    [OPT_QUIET] = {"quiet", 'q', NULL, false, false, SCOPE_ALL,
                   "no notes, hints or confirmation of a change"},
    [OPT_NO_HEADER] = {"no-header", 0, NULL, false, false, SCOPE_ALL, "tables without header"},
    [OPT_UTC] = {"utc", 0, NULL, false, false, SCOPE_ALL, "times in UTC"},
    [OPT_TIMEOUT] = {"timeout", 0, "DUR", false, false, SCOPE_ALL,
                     "longest wait for the agent (10s, policy 60s)"},
    [OPT_HELP] = {"help", 0, NULL, false, false, SCOPE_ALL, "this text"},
    [OPT_VERSION] = {"version", 0, NULL, false, false, SCOPE_ALL, "version of portward"},
    [OPT_REASON] = {"reason", 0, "TEXT", false, false, SCOPE_MUTATES,
                    "kept in history, audit trail and list"},
    [OPT_YES] = {"yes", 'y', NULL, false, false, SCOPE_MUTATES, "no question"},
    [OPT_DRY_RUN] = {"dry-run", 'n', NULL, false, false, SCOPE_MUTATES,
                     "change nothing, say which packets would"},
    [OPT_CONFIRM] = {"confirm", 0, "DUR", false, true, SCOPE_MUTATES, "roll back unless confirmed"},
    [OPT_IF_GENERATION] = {"if-generation", 0, "N", false, false, SCOPE_MUTATES,
                           "refuse (5) if another generation is in force"},
    [OPT_CUT] = {"cut", 0, NULL, false, true, SCOPE_MUTATES, "end denied connections"},
    [OPT_CUT_SELF] = {"cut-self", 0, NULL, false, true, SCOPE_MUTATES, "also the caller's own"},
    [OPT_FORCE] = {"force", 0, NULL, false, true, SCOPE_MUTATES, "override the lock-out guard"},
    [OPT_STRICT] = {"strict", 0, NULL, false, false, SCOPE_OWN,
                    "exit 6 if more specific permits remain"},
    [OPT_WATCH] = {"watch", 0, NULL, false, true, SCOPE_OWN, "again and again"},
    [OPT_LAYER] = {"layer", 0, "local|domain|persistent|dynamic", false, false, SCOPE_OWN,
                   "filters of one layer"},
    [OPT_POLICY] = {"policy", 0, "NAME", false, false, SCOPE_OWN, "filters of one policy"},
    [OPT_ALL] = {"all", 0, NULL, false, false, SCOPE_OWN, "also what is left out otherwise"},
    [OPT_EFFECTIVE] = {"effective", 0, NULL, false, true, SCOPE_OWN, "names and me expanded"},
    [OPT_SOURCE] = {"source", 0, NULL, false, false, SCOPE_OWN,
                    "the text as it was loaded, with comments"},
    [OPT_NAME] = {"name", 0, "NAME", false, false, SCOPE_OWN, "store the policy under this name"},
    [OPT_REPLACE] = {"replace", 0, NULL, false, false, SCOPE_OWN,
                     "take the place of what has the name"},
    [OPT_PERSISTENT] = {"persistent", 0, NULL, false, false, SCOPE_OWN,
                        "the persistent policy, not the local one"},
    [OPT_CREATE] = {"create", 0, NULL, false, false, SCOPE_OWN, "make the policy if there is none"},
    [OPT_LIVE] = {"live", 0, NULL, false, false, SCOPE_OWN, "also ask the loaded program"},
    [OPT_EXPECT] = {"expect", 0, "block|permit", false, false, SCOPE_OWN,
                    "exit 6 if the verdict is another"},
    [OPT_RESET] = {"reset", 0, NULL, false, false, SCOPE_OWN, "set all counters to zero"},
    [OPT_PROMETHEUS] = {"prometheus", 0, NULL, false, false, SCOPE_OWN, "in Prometheus text form"},
    [OPT_LIMIT] = {"limit", 'n', "N", false, false, SCOPE_OWN, "at most N lines, the newest"},
    [OPT_OUTPUT] = {"output", 'o', "FILE", false, false, SCOPE_OWN,
                    "write to this file, ask no agent"},
    [OPT_MAP] = {"map", 0, "GUID=IF,...", false, false, SCOPE_OWN,
                 "interfaces for those of the file"},
    [OPT_ALL_RANGES] = {"all-ranges", 0, NULL, false, false, SCOPE_OWN,
                        "also port ranges beyond the twelfth"},
    [OPT_PASTE] = {"paste", 0, NULL, false, false, SCOPE_OWN,
                   "repair the lines of stdin, print them"},
    [OPT_RUN] = {"run", 0, NULL, false, false, SCOPE_OWN, "with --paste: also run them"},
    [OPT_BATCH] = {"batch", 0, "FILE", false, false, SCOPE_OWN, "run a batch file as one change"},
    [OPT_ENCODING] = {"encoding", 0, "NAME", false, false, SCOPE_OWN,
                      "of the batch file, as iconv(1) names it"},
    [OPT_CLASS] = {"class", 0, "internet|intranet", false, false, SCOPE_OWN,
                   "which servers the range is for (internet)"},
    [OPT_DEFAULT] = {"default", 0, "internet|intranet", false, false, SCOPE_OWN,
                     "class of servers that choose none (internet)"},
    [OPT_FROM] = {"from", 0, "SUBNET|NETNS", false, false, SCOPE_OWN,
                  "who may reach the range; where to scan from"},
    [OPT_KEEP_HOLDERS] = {"keep-holders", 0, NULL, false, false, SCOPE_OWN,
                          "servers keep ports that leave the range"},
    [OPT_LOOSE] = {"loose", 0, NULL, false, false, SCOPE_OWN, "any port once the range is used up"},
    [OPT_REMOVE] = {"remove", 0, NULL, false, false, SCOPE_OWN, "confine no more"},
    [OPT_SIZE] = {"size", 0, NULL, false, false, SCOPE_OWN, "how many ports are needed"},
    [OPT_ONC] = {"onc", 0, NULL, false, false, SCOPE_OWN, "ask rpcbind only"},
    [OPT_DCE] = {"dce", 0, NULL, false, false, SCOPE_OWN, "ask the endpoint mapper only"},
    [OPT_INTERFACE] = {"interface", 0, "IF", false, false, SCOPE_OWN, "of one interface"},
    [OPT_FAMILY] = {"family", 0, "4|6", false, false, SCOPE_OWN, "IPv4 or IPv6 only"},
    [OPT_APPLY_TO_EXISTING] = {"apply-to-existing", 0, NULL, false, false, SCOPE_OWN,
                               "connections that are there, too"},
    [OPT_KEEP_RATE_LIMITS] = {"keep-rate-limits", 0, NULL, false, false, SCOPE_OWN,
                              "leave 'mpp rate' as it is"},
    [OPT_PORTS] = {"ports", 'p', "PORTS", false, false, SCOPE_OWN, "these ports only (1-65535)"},
    [OPT_UDP] = {"udp", 0, NULL, false, false, SCOPE_OWN, "UDP ports, not TCP ports"},
    [OPT_CONNECT] = {"connect", 0, NULL, false, false, SCOPE_OWN,
                     "whole TCP connections, as without privileges"},
    [OPT_WITH_AGENT] = {"with-agent", 0, "COMMAND", false, false, SCOPE_OWN,
                        "ask the target itself, by this command"},
    [OPT_LISTEN] = {"listen", 0, NULL, false, false, SCOPE_OWN,
                    "be the target's side of --with-agent"},
    [OPT_RATE] = {"rate", 0, "N|unlimited", false, false, SCOPE_OWN, "probes per second"},
    [OPT_HOSTS] = {"hosts", 0, "N", false, false, SCOPE_OWN, "there are N hosts to scan"},
    [OPT_ALL_ADDRESSES] = {"all-addresses", 0, NULL, false, false, SCOPE_OWN,
                           "every address of the name, not the first one"},
    [OPT_ALL_NETNS] = {"all-netns", 0, NULL, false, false, SCOPE_OWN,
                       "also those of other network namespaces"},
    [OPT_FULL] = {"full", 0, NULL, false, false, SCOPE_OWN, "probe every TCP port"},
    [OPT_HTML] = {"html", 0, "FILE", false, false, SCOPE_OWN, "also write a report to this file"},
    [OPT_NO_PROBE] = {"no-probe", 0, NULL, false, false, SCOPE_OWN,
                      "send nothing, judge by filters and rules"},
    [OPT_FOLLOW] = {"follow", 'f', NULL, false, false, SCOPE_OWN, "go on with what comes"},
    [OPT_SINCE] = {"since", 0, "DUR|TIME", false, false, SCOPE_OWN,
                   "not older: 15m, or 2026-11-22T02:41:12Z"},
    [OPT_MPP] = {"mpp", 0, NULL, false, false, SCOPE_OWN, "connections ended under pressure"},
    [OPT_FORMAT] = {"format", 0, "text|json|pfirewall", false, false, SCOPE_OWN,
                    "form of the lines"},
    [OPT_PCAP] = {"pcap", 0, "FILE", false, false, SCOPE_OWN,
                  "first bytes of the packets into a file"},
};
_Static_assert(_OPT_MAX <= 128, "a set of options has 128 bits");

const struct cli_option *cli_option(enum cli_option_id id)
{
    assert(id < _OPT_MAX);
    return &options[id];
}

void cli_args_done(struct cli_args *a)
{
    free(a->words);
    a->words = NULL;
}

static int find_long(const char *name, size_t len)
{
    for (int i = 0; i < _OPT_MAX; i++)
        if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
            return i;
    return -1;
}

static int find_letter(char letter)
{
    for (int i = 0; i < _OPT_MAX; i++)
        if (options[i].letter && options[i].letter == letter)
            return i;
    return -1;
}

static int fail_unknown(struct diag *d, const char *arg)
{
    const char *names[_OPT_MAX];
    const char *near = NULL;
    char name[64];

    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(arg, "="), arg); /* cut at worst */
    if (strncmp(name, "--", 2) == 0) {
        for (int i = 0; i < _OPT_MAX; i++)
            names[i] = options[i].name;
        near = cli_suggest(name + 2, names, _OPT_MAX);
    }
    (void)diag_fail(d, DIAG_USAGE, "unknown option '%s'", name);
    if (near)
        diag_hint(d, "did you mean '--%s'?", near);
    else
        diag_hint(d, "portward --help");
    return -EINVAL;
}

static int set_option(struct cli_args *a, int id, const char *value, struct diag *d)
{
    if (a->given[id] && value) {
        (void)diag_fail(d, DIAG_USAGE, "option '--%s' is given twice", options[id].name);
        return -EINVAL;
    }
    a->given[id] = true;
    a->value[id] = value;
    return 0;
}

/* --name, --name=VALUE, --name VALUE. *i moves on if the next word is the value. */
static int parse_long(struct cli_args *a, int argc, char *const *argv, int *i, struct diag *d)
{
    const char *arg = argv[*i] + 2;
    const char *eq = strchr(arg, '=');
    int id = find_long(arg, eq ? (size_t)(eq - arg) : strlen(arg));
    const char *value = eq ? eq + 1 : NULL;

    if (id < 0)
        return fail_unknown(d, argv[*i]);
    if (value && !options[id].argument) {
        (void)diag_fail(d, DIAG_USAGE, "option '--%s' takes no value", options[id].name);
        return -EINVAL;
    }
    if (!value && options[id].argument && !options[id].argument_optional) {
        if (*i + 1 >= argc) {
            (void)diag_fail(d, DIAG_USAGE, "option '--%s' needs a value: %s", options[id].name,
                            options[id].argument);
            return -EINVAL;
        }
        value = argv[++*i];
    }
    return set_option(a, id, value, d);
}

/* -n means --dry-run, but --limit where there is nothing to try: the verb stands before its
 * options. */
static int letter_id(const struct cli_args *a, char letter)
{
    const struct cli_command *cmd;
    struct diag d;
    int n, id = find_letter(letter);

    if (id != OPT_DRY_RUN)
        return id;
    cmd = cli_command_find(a->words, a->n_words, &d, &n);
    return cmd && cli_command_takes(cmd, OPT_LIMIT) ? (int)OPT_LIMIT : id;
}

/* -q, -qy, -n 20: a letter with a value is the last one. */
static int parse_letters(struct cli_args *a, int argc, char *const *argv, int *i, struct diag *d)
{
    const char *arg = argv[*i];

    for (const char *p = arg + 1; *p; p++) {
        int id = letter_id(a, *p);
        const char *value = NULL;
        int r = 0;

        if (id < 0)
            return fail_unknown(d, arg);
        if (options[id].argument && (p[1] || *i + 1 >= argc))
            return diag_fail(d, DIAG_USAGE, "option '-%c' needs a value: %s", *p,
                             options[id].argument);
        if (options[id].argument)
            value = argv[++*i];
        r = set_option(a, id, value, d);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Behind the name of a foreign tool stand its own words, which look like options of ours. */
static bool is_foreign(const struct cli_args *a)
{
    const struct cli_command *cmd;
    struct diag d;
    int n;

    if (a->n_words != 2)
        return false;
    cmd = cli_command_find(a->words, 1, &d, &n);
    return cmd && (cmd->flags & CMD_FOREIGN);
}

int cli_args_parse(int argc, char *const *argv, struct diag *d, struct cli_args *ret)
{
    bool ended = false;
    int err = 0;

    *ret = (struct cli_args){0};
    ret->words = calloc((size_t)argc + 1, sizeof(*ret->words));
    if (!ret->words)
        return diag_errno(d, ENOMEM, "cannot read the command");
    for (int i = 1; i < argc; i++) {
        struct diag first;
        int r = 0;

        if (ended || argv[i][0] != '-' || argv[i][1] == '\0') {
            ret->words[ret->n_words++] = argv[i];
            ended |= is_foreign(ret);
        } else if (strcmp(argv[i], "--") == 0)
            ended = true;
        else if (argv[i][1] == '-')
            r = parse_long(ret, argc, argv, &i, &first);
        else
            r = parse_letters(ret, argc, argv, &i, &first);
        if (r < 0 && err == 0) { /* the first error counts; go on, --json may follow */
            err = r;
            *d = first;
        }
    }
    return err;
}
