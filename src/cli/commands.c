/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli/commands.c: the table of commands. Whoever adds a verb adds a line here, a cmd_*.c and a
 * section in the man page; help and dispatch follow. Names are never abbreviated, so a new verb
 * cannot change what an old script means. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

const struct cli_command cli_commands[] = {
    {"status", "", "what is in force, and what is wrong",
     "    portward status\n"
     "    portward status --json\n",
     "Exit 6 if a warning stands.\n", OPTION_BIT(OPT_WATCH), CMD_OFFLINE, 0, 0, cmd_status},

    {"block", "FILTER [for DUR] [reason TEXT]", "block packets now",
     "    portward block in udp port 1434\n"
     "    portward block in tcp port 135,445 from 198.51.100.0/24 for 2h\n"
     "    portward block in tcp port 445 override reason \"SMB worm\"\n",
     "Adds one dynamic filter. It ends when it expires, by 'delete' or 'flush', or\n"
     "when the host reboots; no stop, restart or crash of the agent lifts it. The\n"
     "same filter again extends it. More specific permits stay, and are listed.\n",
     OPTION_BIT(OPT_STRICT), CMD_MUTATES, 1, -1, cmd_block},

    {"permit", "FILTER [for DUR] [reason TEXT]", "permit packets now",
     "    portward permit in tcp port 135 from 10.1.1.0/24\n"
     "    portward permit out udp to 192.0.2.53 port 53 for 15m\n",
     "Adds one dynamic filter. It ends when it expires, by 'delete' or 'flush',\n"
     "when the agent is stopped, or when the host reboots. The more specific\n"
     "filter decides; between equals block wins.\n",
     0, CMD_MUTATES, 1, -1, cmd_permit},

    {"list", "[--layer LAYER] [--policy NAME] [--all]", "filters in force, with hits",
     "    portward list\n"
     "    portward list --layer dynamic\n"
     "    portward list --policy \"Block RPC Ports\"\n",
     "Override blocks first, then the most specific first. WEIGHT is hexadecimal.\n",
     OPTION_BIT(OPT_LAYER) | OPTION_BIT(OPT_POLICY) | OPTION_BIT(OPT_ALL), 0, 0, 0, cmd_list},

    {"delete", "ID... | FILTER", "delete dynamic filters",
     "    portward delete d17\n"
     "    portward delete d17 d18\n"
     "    portward delete block in udp port 1434\n",
     "All of them or none. Filters of a policy are deleted with 'rule delete'.\n", 0, CMD_MUTATES,
     1, -1, cmd_delete},

    {"flush", "", "delete all dynamic filters", "    portward flush\n",
     "The assigned policy stays assigned.\n", 0, CMD_MUTATES, 0, 0, cmd_flush},

    {"policy list", "", "stored policies", "    portward policy list\n", "", 0, 0, 0, 0,
     cmd_policy_list},

    {"policy show", "NAME [--source]", "a policy as text that 'policy load' takes",
     "    portward policy show \"Block RPC Ports\"\n"
     "    portward policy show \"Block RPC Ports\" > rpc.pw\n",
     "Canonical text, or with --source as it was loaded, comments included.\n",
     OPTION_BIT(OPT_SOURCE) | OPTION_BIT(OPT_EFFECTIVE), 0, 1, 1, cmd_policy_show},

    {"policy load", "FILE|- [--name NAME] [--replace]", "check and store policies",
     "    portward policy load rpc.pw\n"
     "    portward policy load rpc.pw --replace\n"
     "    portward policy show A | portward policy load - --name B\n",
     "Changes packets only if the policy is assigned. After an error nothing is\n"
     "stored.\n",
     OPTION_BIT(OPT_NAME) | OPTION_BIT(OPT_REPLACE), CMD_MUTATES | CMD_SLOW, 1, 1, cmd_policy_load},

    {"policy save", "NAME FILE|-", "write a policy to a file that 'policy load' takes",
     "    portward policy save \"Block RPC Ports\" rpc.pw\n"
     "    portward policy save \"Block RPC Ports\" - | less\n",
     "Canonical text. The file is replaced in one step; the agent changes nothing.\n",
     OPTION_BIT(OPT_IF_GENERATION) | OPTION_BIT(OPT_YES), 0, 2, 2, cmd_policy_save},

    {"policy check", "FILE|NAME", "find mistakes in a policy before they bite",
     "    portward policy check rpc.pw\n"
     "    portward policy check \"Block RPC Ports\"\n",
     "Errors and limits (7), then findings (6): filters that never decide, that\n"
     "contradict each other, that leave a hole, each with an example packet and\n"
     "the winner. A word is a file if there is one of that name, if it has a '/'\n"
     "or ends in .pw; else a stored policy, NAME or NAME@REV. A file needs no\n"
     "agent.\n",
     0, 0, 1, 1, cmd_policy_check},

    {"policy diff", "A B", "which packets two policies treat differently",
     "    portward policy diff \"Web server\" web.pw\n"
     "    portward policy diff \"Web server@7\" \"Web server\"\n",
     "Files or stored policies, as for 'policy check'; each is looked at as if\n"
     "it were in force alone. Exit 6 if a packet changes its verdict, 0 if only\n"
     "words differ.\n",
     0, 0, 2, 2, cmd_policy_diff},

    {"policy history", "[NAME] [-n N]", "revisions of a policy, or all changes",
     "    portward policy history \"Block RPC Ports\"\n"
     "    portward policy history -n 20\n",
     "Newest first. With a name the revisions of that policy, also of a deleted\n"
     "one; without, every change there was: of policies, assignments and dynamic\n"
     "filters. Where somebody was logged in from is his own word, uid and login\n"
     "are the kernel's.\n",
     OPTION_BIT(OPT_LIMIT), 0, 0, 1, cmd_policy_history},

    {"policy rollback", "NAME[@REV]", "an old revision as the newest one",
     "    portward policy rollback \"Block RPC Ports\"\n"
     "    portward policy rollback \"Block RPC Ports@6\"\n",
     "Without @REV the revision before the current one; of a deleted policy,\n"
     "which it brings back, the last. If the policy is assigned, its filters\n"
     "change at once.\n",
     0, CMD_MUTATES | CMD_SLOW, 1, 1, cmd_policy_rollback},

    {"policy assign", "NAME [--persistent]", "put a policy in force",
     "    portward policy assign \"Block RPC Ports\"\n",
     "It takes the place of the assigned one in one step, now and after a reboot.\n",
     OPTION_BIT(OPT_PERSISTENT), CMD_MUTATES | CMD_SLOW, 1, 1, cmd_policy_assign},

    {"policy unassign", "[--persistent]", "take the assigned policy out of force",
     "    portward policy unassign\n"
     "    portward policy unassign -y\n",
     "This opens what the policy blocked.\n", OPTION_BIT(OPT_PERSISTENT),
     CMD_MUTATES | CMD_SLOW | CMD_ASKS, 0, 0, cmd_policy_unassign},

    {"policy delete", "NAME", "delete a stored policy",
     "    portward policy delete \"Block RPC Ports\"\n", "Refused (5) while it is assigned.\n", 0,
     CMD_MUTATES | CMD_SLOW, 1, 1, cmd_policy_delete},

    {"rule add", "POLICY NAME FILTER [--create] [--replace]", "add a rule to a policy",
     "    portward rule add \"Block RPC Ports\" \"Block 135\" block in tcp port 135\n"
     "    portward rule add --create Web \"Allow HTTP\" permit in tcp port 80,443\n",
     "The filter begins with its action. An existing name with another filter is\n"
     "refused (5) unless --replace.\n",
     OPTION_BIT(OPT_CREATE) | OPTION_BIT(OPT_REPLACE), CMD_MUTATES | CMD_SLOW, 3, -1, cmd_rule_add},

    {"rule delete", "POLICY NAME", "delete a rule of a policy",
     "    portward rule delete \"Block RPC Ports\" \"Block 135\"\n", "", 0, CMD_MUTATES | CMD_SLOW,
     2, 2, cmd_rule_delete},

    {"explain", "PACKET [--live] [--expect VERDICT]", "say what decides a packet, and why",
     "    portward explain in tcp from 10.1.1.7 to me port 135\n"
     "    portward explain in udp from 2001:db8::7 to me port 1434 on eth0 --live\n"
     "    portward explain in tcp from 198.51.100.7 to me port 445 --expect block\n",
     "--live also runs the packet through the loaded program, which changes\n"
     "nothing, and exits 1 if it disagrees. Source port not given: 49152. A TCP\n"
     "packet is a SYN unless 'ack'.\n",
     OPTION_BIT(OPT_LIVE) | OPTION_BIT(OPT_EXPECT), 0, 1, -1, cmd_explain},

    {"counters", "[--policy NAME] [--reset]", "packets and bytes per filter",
     "    portward counters\n"
     "    portward counters --policy \"Block RPC Ports\"\n"
     "    portward counters --prometheus\n",
     "Counters survive updates of a policy. --reset sets all of them to zero.\n"
     "--prometheus shows everything that is counted, for a collector.\n",
     OPTION_BIT(OPT_POLICY) | OPTION_BIT(OPT_RESET) | OPTION_BIT(OPT_REASON) |
         OPTION_BIT(OPT_IF_GENERATION) | OPTION_BIT(OPT_DRY_RUN) | OPTION_BIT(OPT_PROMETHEUS),
     0, 0, 0, cmd_counters},

    {"log", "[-f] [-n N] [--since T] [FILTER]", "packets that were logged",
     "    portward log -n 20\n"
     "    portward log -f block in tcp from any to me port 445\n"
     "    portward log --since 1h --format pfirewall\n"
     "    portward log --pcap drops.pcap\n",
     "The agent keeps the last 4096 lines; [log] in portward.conf names files. A\n"
     "rate limits them, exact numbers are in 'counters'. FILTER shows what a\n"
     "filter like it would have decided. --pcap has the first 64 bytes of each\n"
     "packet.\n",
     OPTION_BIT(OPT_FOLLOW) | OPTION_BIT(OPT_LIMIT) | OPTION_BIT(OPT_SINCE) | OPTION_BIT(OPT_MPP) |
         OPTION_BIT(OPT_FORMAT) | OPTION_BIT(OPT_PCAP),
     0, 0, -1, cmd_log},

    {"state list", "", "what 'keep state' remembers", "    portward state list\n",
     "Flows that were permitted with 'keep state', whose answers are let in, and\n"
     "TCP connections of this host (without IDLE). LOCAL is who was asked or, for\n"
     "what this host opened, who asks.\n",
     0, 0, 0, 0, cmd_state_list},

    {"state delete", "all|ADDRESS", "let no more answers in",
     "    portward state delete 192.0.2.53\n"
     "    portward state delete all\n",
     "Flows with the address on either side, or all of them. The next packet that\n"
     "a filter permits with 'keep state' is remembered again.\n",
     0, CMD_MUTATES, 1, 1, cmd_state_delete},

    {"sockets", "[--all] [--all-netns]", "what listens, whose it is, and who reaches it",
     "    portward sockets\n"
     "    portward sockets --all\n"
     "    portward sockets --all-netns --json\n",
     "TCP sockets that listen, UDP sockets that take datagrams from anybody, and\n"
     "TCP sockets that have a port and do not listen ('reserved'). --all: also\n"
     "connected, raw and packet sockets. POLICY is what the filters in force say\n"
     "of the port. Without the right to look at the processes of others their\n"
     "names are left out.\n",
     OPTION_BIT(OPT_ALL) | OPTION_BIT(OPT_ALL_NETNS), CMD_OFFLINE, 0, 0, cmd_sockets},

    {"audit", "[--all] [--full] [--no-probe] [--html FILE]",
     "what can be reached, and why it differs from the policy",
     "    portward audit\n"
     "    portward audit --all\n"
     "    portward audit --html report.html\n",
     "Puts side by side what listens (L), what the policy allows (A), what rules\n"
     "of others do, and what a probe reaches (R), which comes from a network\n"
     "namespace of its own through the hooks that packets of the network meet.\n"
     "Shows findings, with --all every port. Exit 6 if there are findings.\n",
     OPTION_BIT(OPT_ALL) | OPTION_BIT(OPT_FULL) | OPTION_BIT(OPT_HTML) | OPTION_BIT(OPT_NO_PROBE),
     0, 0, 0, cmd_audit},

    {"rpc range", "[PORTS|none] [--policy NAME --from SUBNET...]", "ports of confined RPC servers",
     "    portward rpc range\n"
     "    portward rpc range 5001-5021\n"
     "    portward rpc range 5001-5021 --policy \"Block RPC Ports\" --from 10.1.1.0/24\n"
     "    portward rpc range none\n",
     "Servers that 'rpc confine' names get their dynamic ports, TCP and UDP, from\n"
     "this range only. --policy also stores a policy that blocks the mappers (111,\n"
     "135) and the range for all but the subnets; assign it with 'policy assign'.\n"
     "Refused (5) if others hold a port of the range, or if confined servers hold\n"
     "ports that leave it, unless --keep-holders.\n",
     OPTION_BIT(OPT_CLASS) | OPTION_BIT(OPT_DEFAULT) | OPTION_BIT(OPT_POLICY) |
         OPTION_BIT(OPT_FROM) | OPTION_BIT(OPT_REPLACE) | OPTION_BIT(OPT_KEEP_HOLDERS),
     CMD_MUTATES, 0, -1, cmd_rpc_range},

    {"rpc confine", "UNIT|/CGROUP... [--loose] [--remove]", "confine servers to the range",
     "    portward rpc confine rpcbind.service rpc-statd.service\n"
     "    portward rpc confine /sys/fs/cgroup/app --loose\n"
     "    portward rpc confine rpcbind.service --remove\n",
     "New binds are confined at once, also of a unit that starts later. What runs\n"
     "with other ports is named: it is confined after its next start.\n",
     OPTION_BIT(OPT_LOOSE) | OPTION_BIT(OPT_REMOVE), CMD_MUTATES, 1, -1, cmd_rpc_confine},

    {"rpc show", "[--size]", "confined servers, and which ports they hold",
     "    portward rpc show\n"
     "    portward rpc show --size\n",
     "OUTSIDE are ports of a unit beyond the range. --size: how many ports are\n"
     "held, were held at most, and how large the range should be.\n",
     OPTION_BIT(OPT_SIZE), 0, 0, 0, cmd_rpc_show},

    {"rpc dump", "[HOST] [--onc|--dce]", "registered RPC endpoints, and whether that is true",
     "    portward rpc dump\n"
     "    portward rpc dump 192.0.2.10 --dce\n",
     "Asks rpcbind and the endpoint mapper (TCP port 135); of this host also the\n"
     "sockets. Exit 6 if an endpoint is outside of the range, nobody listens, or\n"
     "who reaches a mapper does not reach it.\n",
     OPTION_BIT(OPT_ONC) | OPTION_BIT(OPT_DCE), CMD_OFFLINE, 0, 1, cmd_rpc_dump},

    {"scan", "HOST [-p PORTS] [--udp|--connect] [--with-agent COMMAND]",
     "which ports of a host answer",
     "    portward scan 192.0.2.10\n"
     "    portward scan 192.0.2.10 --udp --ports 53,123,161\n"
     "    portward scan 192.0.2.10 --with-agent 'ssh web01 portward scan --listen'\n",
     "For hosts of your own: one host, unless --hosts N says how many are named;\n"
     "the plan is on stderr before the first packet. Other hosts than this one get\n"
     "at most 2000 probes a second, unless --rate says so. A silent TCP port is\n"
     "filtered, a silent UDP port unknown; with --with-agent the target says what\n"
     "arrived, and who dropped it. --from NETNS scans from another namespace.\n",
     OPTION_BIT(OPT_PORTS) | OPTION_BIT(OPT_UDP) | OPTION_BIT(OPT_CONNECT) |
         OPTION_BIT(OPT_WITH_AGENT) | OPTION_BIT(OPT_LISTEN) | OPTION_BIT(OPT_FROM) |
         OPTION_BIT(OPT_RATE) | OPTION_BIT(OPT_HOSTS) | OPTION_BIT(OPT_ALL_ADDRESSES),
     0, 0, -1, cmd_scan},

    {"mpp status", "", "memory pressure protection: settings and state",
     "    portward mpp status\n"
     "    portward mpp status --json\n",
     "While TCP memory is short and an attack is the reason, connections that hold\n"
     "memory and take no data are killed. Exit 6 if the kernel does not enforce\n"
     "what is set.\n",
     0, 0, 0, 0, cmd_mpp_status},

    {"mpp enable", "[--interface IF] [--family 4|6]", "protect connections made from now on",
     "    portward mpp enable\n"
     "    portward mpp enable --interface eth1\n"
     "    portward mpp enable --family 6 --apply-to-existing\n",
     "A connection keeps the settings it was created with, unless\n"
     "--apply-to-existing is given.\n",
     OPTION_BIT(OPT_INTERFACE) | OPTION_BIT(OPT_FAMILY) | OPTION_BIT(OPT_APPLY_TO_EXISTING),
     CMD_MUTATES, 0, 0, cmd_mpp_enable},

    {"mpp disable", "[--interface IF] [--family 4|6]", "leave connections alone from now on",
     "    portward mpp disable --interface eth1\n"
     "    portward mpp disable --family 4\n",
     "Connections made afterwards are never killed, and their SYNs never dropped.\n",
     OPTION_BIT(OPT_INTERFACE) | OPTION_BIT(OPT_FAMILY) | OPTION_BIT(OPT_APPLY_TO_EXISTING),
     CMD_MUTATES, 0, 0, cmd_mpp_disable},

    {"mpp profiles", "on|off", "spare domain and private interfaces, or not",
     "    portward mpp profiles off\n",
     "On: connections on domain and private interfaces are spared. Public ones\n"
     "never are; [profiles] of portward.conf says which interface is which.\n",
     OPTION_BIT(OPT_APPLY_TO_EXISTING), CMD_MUTATES, 1, 1, cmd_mpp_profiles},

    {"mpp exempt", "list|add|delete [PORTS]", "local ports that are never acted on",
     "    portward mpp exempt list\n"
     "    portward mpp exempt add 5000-5009\n"
     "    portward mpp exempt delete 5000-5009\n",
     "Before the server on them starts: it counts for connections made afterwards.\n"
     "An entry is deleted as it was added; ranges that overlap are refused (5).\n",
     OPTION_BIT(OPT_FAMILY) | OPTION_BIT(OPT_APPLY_TO_EXISTING), CMD_MUTATES, 1, 2, cmd_mpp_exempt},

    {"mpp rate", "[IF none|N/s]", "limit new connections of an interface",
     "    portward mpp rate\n"
     "    portward mpp rate eth0 200/s\n"
     "    portward mpp rate eth0 none\n",
     "Bursts of twice as many pass, and SYNs to exempt ports always. Without\n"
     "words: the limits.\n",
     0, CMD_MUTATES, 0, 2, cmd_mpp_rate},

    {"mpp reset", "[--keep-rate-limits] [--all]", "settings back to their defaults",
     "    portward mpp reset\n"
     "    portward mpp reset --keep-rate-limits\n",
     "Switches, profiles, exemptions and rate limits, which it names; the gate\n"
     "opens. --all: also the switches of interfaces.\n",
     OPTION_BIT(OPT_KEEP_RATE_LIMITS) | OPTION_BIT(OPT_ALL) | OPTION_BIT(OPT_APPLY_TO_EXISTING),
     CMD_MUTATES, 0, 0, cmd_mpp_reset},

    {"mpp top", "[-n N]", "connections that hold most memory",
     "    portward mpp top\n"
     "    portward mpp top -n 50\n",
     "As pruning would rank them: SCORE is how long no data was taken, in ms,\n"
     "times the stalled connections of the same source (SAME).\n",
     OPTION_BIT(OPT_LIMIT), 0, 0, 0, cmd_mpp_top},

    {"mpp simulate", "[-n N]", "whom pruning would kill now", "    portward mpp simulate\n",
     "Kills nobody. Says why the rest would stay.\n", OPTION_BIT(OPT_LIMIT), 0, 0, 0,
     cmd_mpp_simulate},

    {"mpp events", "[-n N]", "connections that were killed, and why",
     "    portward mpp events -n 100\n",
     "Newest last. The agent keeps the last 65536 since it started.\n", OPTION_BIT(OPT_LIMIT), 0, 0,
     0, cmd_mpp_events},

    {"config show", "[KEY]", "settings, and where each comes from",
     "    portward config show\n"
     "    portward config show filter.exempt\n",
     "A setting that a command changed wins over the configuration files: its\n"
     "source is 'database', else FILE:LINE or 'default'.\n",
     0, 0, 0, 1, cmd_config_show},

    {"config reset", "KEY", "a setting back to what the files say",
     "    portward config reset filter.exempt\n",
     "Takes a value out of the database. What it decides changes at once.\n", 0, CMD_MUTATES, 1, 1,
     cmd_config_reset},

    {"compat", "TOOL [--explain] [ARG...] | --paste [--run] | --batch FILE",
     "the Windows administrator's own commands",
     "    portward compat ipseccmd -w REG -p SQL -r In -f '*=0:1434:UDP' -n BLOCK -x\n"
     "    portward compat netdiag /test:ipsec /debug\n"
     "    portward compat netsh --explain ipsec static show all\n"
     "    portward compat --paste < line.txt\n"
     "    portward compat --batch block.cmd --dry-run\n",
     "TOOL is ipsecpol, ipseccmd, netdiag, netsh, net, secedit, gpupdate, rpccfg,\n"
     "rpcdump, netstat, spp or reg, in any case, with or without .exe. Output and\n"
     "exit status are those of the tool: man portward-compat. --explain and\n"
     "--strict may stand right behind TOOL; --explain prints the commands of\n"
     "portward that do the same, and changes nothing. A batch file is one change.\n",
     OPTION_BIT(OPT_STRICT) | OPTION_BIT(OPT_PASTE) | OPTION_BIT(OPT_RUN) | OPTION_BIT(OPT_BATCH) |
         OPTION_BIT(OPT_ENCODING) | OPTION_BIT(OPT_REASON) | OPTION_BIT(OPT_DRY_RUN),
     CMD_FOREIGN, 0, -1, cmd_dialect_compat},

    {"import", "text|reg|netsh|ipseccmd|auto FILE|- [-o FILE.pw] [--name NAME]",
     "policies of another system, from a file",
     "    portward import reg server.reg -o server.pw\n"
     "    portward import auto rules.txt --name \"Old server\" --dry-run\n",
     "What cannot be carried over is named, line by line (6); with --strict it is\n"
     "refused (7).\n",
     OPTION_BIT(OPT_OUTPUT) | OPTION_BIT(OPT_NAME) | OPTION_BIT(OPT_STRICT) | OPTION_BIT(OPT_MAP) |
         OPTION_BIT(OPT_ALL_RANGES) | OPTION_BIT(OPT_REASON) | OPTION_BIT(OPT_DRY_RUN),
     0, 2, 2, cmd_dialect_import},

    {"export", "text|reg|netsh|ipseccmd [NAME] [-o FILE]", "a policy in another system's form",
     "    portward export netsh \"Block RPC Ports\" -o rpc.netsh\n"
     "    portward export reg > all.reg\n",
     "Without NAME all policies. What the form cannot express is listed before\n"
     "anything is written (6); with --strict nothing is written (7).\n",
     OPTION_BIT(OPT_OUTPUT) | OPTION_BIT(OPT_STRICT), 0, 1, 2, cmd_dialect_export},
};
const size_t cli_n_commands = ARRAY_SIZE(cli_commands);

bool cli_command_takes(const struct cli_command *cmd, enum cli_option_id id)
{
    enum cli_option_scope scope = cli_option(id)->scope;

    return scope == SCOPE_ALL || (scope == SCOPE_MUTATES && (cmd->flags & CMD_MUTATES)) ||
           (cmd->options & OPTION_BIT(id));
}

/* How many of the words the name takes up: 0 = it is another command. */
static int words_matched(const char *name, char *const *words, int n_words)
{
    const char *blank = strchr(name, ' ');
    size_t first = blank ? (size_t)(blank - name) : strlen(name);

    if (n_words < 1 || strlen(words[0]) != first || memcmp(words[0], name, first) != 0)
        return 0;
    if (!blank)
        return 1;
    return n_words > 1 && strcmp(words[1], blank + 1) == 0 ? 2 : 0;
}

/* "policy" alone, or with a second word that no command has: names what may follow. */
static bool fail_second_word(char *const *words, int n_words, struct diag *d)
{
    size_t len = strlen(words[0]), n = 0;
    const char *second[32], *near = NULL;
    char list[DIAG_HINT_BYTES] = "";

    for (size_t i = 0; i < cli_n_commands && n < ARRAY_SIZE(second); i++) {
        const char *name = cli_commands[i].name;
        size_t used = strlen(list);

        if (strncmp(name, words[0], len) != 0 || name[len] != ' ')
            continue;
        second[n++] = name + len + 1;
        (void)snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", name + len + 1);
    }
    if (n == 0)
        return false;
    if (n_words < 2) {
        (void)diag_fail(d, DIAG_USAGE, "'%s' needs a word after it", words[0]);
        diag_hint(d, "portward %s, then one of: %s", words[0], list);
        return true;
    }
    (void)diag_fail(d, DIAG_USAGE, "unknown command '%s %s'", words[0], words[1]);
    near = cli_suggest(words[1], second, n);
    if (near)
        diag_hint(d, "did you mean '%s %s'?", words[0], near);
    else
        diag_hint(d, "portward %s, then one of: %s", words[0], list);
    return true;
}

static void fail_unknown(char *const *words, struct diag *d)
{
    const char *names[64], *near;
    size_t n = 0;

    for (size_t i = 0; i < cli_n_commands && n < ARRAY_SIZE(names); i++)
        names[n++] = cli_commands[i].name;
    near = cli_suggest(words[0], names, n);
    if (!near) { /* the first word of "policy load" may be mistyped, too */
        static const char *const objects[] = {"policy", "rule", "config", "rpc"};

        near = cli_suggest(words[0], objects, ARRAY_SIZE(objects));
    }
    (void)diag_fail(d, DIAG_USAGE, "unknown command '%s'", words[0]);
    if (near)
        diag_hint(d, "did you mean '%s'?", near);
    else
        diag_hint(d, "portward --help");
}

const struct cli_command *cli_command_find(char *const *words, int n_words, struct diag *d,
                                           int *ret_n_words)
{
    for (size_t i = 0; i < cli_n_commands; i++) {
        int n = words_matched(cli_commands[i].name, words, n_words);

        if (n > 0) {
            *ret_n_words = n;
            return &cli_commands[i];
        }
    }
    if (n_words == 0) {
        (void)diag_fail(d, DIAG_USAGE, "no command given");
        diag_hint(d, "portward --help");
    } else if (!fail_second_word(words, n_words, d)) {
        fail_unknown(words, d);
    }
    return NULL;
}
