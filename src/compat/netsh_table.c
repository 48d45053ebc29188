/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/netsh_table.c: the commands of netsh ipsec and netsh interface tcp with their tags in
 * positional order (windows.md 4 and 5; tags of set and show as on the netsh ipsec page of
 * Microsoft Learn). Used by the parser, the help, the errors and the exporter: nothing else knows a
 * tag of a command. */
#include "netsh.h"

/* Name, and what values stand for it in the help. */
static const struct {
    const char *name, *values;
} tags[_TAG_MAX] = {
    [T_NAME] = {"name", "NAME"},
    [T_GUID] = {"guid", "{GUID}"},
    [T_ID] = {"id", "NUMBER|{GUID}"},
    [T_ALL] = {"all", NULL},
    [T_DEFAULT] = {"default", NULL},
    [T_NEWNAME] = {"newname", "NAME"},
    [T_DESCRIPTION] = {"description", "TEXT"},
    [T_POLICY] = {"policy", "NAME"},
    [T_FILTERLIST] = {"filterlist", "NAME"},
    [T_FILTERACTION] = {"filteraction", "NAME"},
    [T_RULE] = {"rule", "NAME"},
    [T_SRCADDR] = {"srcaddr", "me|any|IP|IP-IP|DNS-NAME|WINS|DNS|DHCP|GATEWAY"},
    [T_DSTADDR] = {"dstaddr", "me|any|IP|IP-IP|DNS-NAME|WINS|DNS|DHCP|GATEWAY"},
    [T_SRCMASK] = {"srcmask", "MASK|LENGTH"},
    [T_DSTMASK] = {"dstmask", "MASK|LENGTH"},
    [T_PROTOCOL] = {"protocol", "ANY|ICMP|TCP|UDP|RAW|NUMBER"},
    [T_SRCPORT] = {"srcport", "PORT (0 = any)"},
    [T_DSTPORT] = {"dstport", "PORT (0 = any)"},
    [T_MIRRORED] = {"mirrored", "yes|no"},
    [T_MMPFS] = {"mmpfs", "yes|no"},
    [T_QMPERMM] = {"qmpermm", "NUMBER"},
    [T_MMLIFETIME] = {"mmlifetime", "MINUTES"},
    [T_ACTIVATEDEFAULTRULE] = {"activatedefaultrule", "yes|no"},
    [T_POLLINGINTERVAL] = {"pollinginterval", "MINUTES"},
    [T_ASSIGN] = {"assign", "yes|no"},
    [T_GPONAME] = {"gponame", "NAME"},
    [T_MMSECMETHODS] = {"mmsecmethods", "\"3DES-SHA1-2 ...\""},
    [T_QMPFS] = {"qmpfs", "yes|no"},
    [T_INPASS] = {"inpass", "yes|no"},
    [T_SOFT] = {"soft", "yes|no"},
    [T_ACTION] = {"action", "permit|block|negotiate"},
    [T_QMSECMETHODS] = {"qmsecmethods", "\"ESP[3DES,SHA1]:50000k/900s ...\""},
    [T_TUNNEL] = {"tunnel", "IP|DNS-NAME"},
    [T_CONNTYPE] = {"conntype", "lan|dialup|all"},
    [T_ACTIVATE] = {"activate", "yes|no"},
    [T_KERBEROS] = {"kerberos", "yes|no"},
    [T_PSK] = {"psk", "KEY"},
    [T_ROOTCA] = {"rootca", "\"CA certmap:yes|no excludecaname:yes|no\""},
    [T_LOCATION] = {"location", "local|persistent|domain"},
    [T_DOMAIN] = {"domain", "NAME"},
    [T_MODE] = {"mode", "enable|disable"},
    [T_FILE] = {"file", "FILE"},
    [T_LEVEL] = {"level", "verbose|normal"},
    [T_FORMAT] = {"format", "list|table"},
    [T_WIDE] = {"wide", "yes|no"},
    [T_RESOLVEDNS] = {"resolvedns", "yes|no"},
    [T_TYPE] = {"type", "transport|tunnel"},
    [T_MMPOLICY] = {"mmpolicy", "NAME"},
    [T_QMPOLICY] = {"qmpolicy", "NAME"},
    [T_ACTIONINBOUND] = {"actioninbound", "permit|block|negotiate"},
    [T_ACTIONOUTBOUND] = {"actionoutbound", "permit|block|negotiate"},
    [T_TUNNELDSTADDRESS] = {"tunneldstaddress", "IP|DNS-NAME"},
    [T_SOFTSAEXPIRATIONTIME] = {"softsaexpirationtime", "SECONDS"},
    [T_PFSGROUP] = {"pfsgroup", "GRP1|GRP2|GRP3|GRPMM|NOPFS"},
    [T_PROPERTY] = {"property", "ipsecexempt|bootmode|bootexemptions|ipsecdiagnostics|ikelogging|"
                                "strongcrlcheck|ipsecloginterval"},
    [T_VALUE] = {"value", "VALUE"},
    [T_MPP] = {"mpp", "enabled|disabled|default"},
    [T_PROFILES] = {"profiles", "enabled|disabled|default"},
    [T_STARTPORT] = {"startport", "PORT"},
    [T_NUMBEROFPORTS] = {"numberofports", "NUMBER"},
};

const char *netsh_tag_name(enum netsh_tag tag)
{
    return tags[tag].name;
}

const char *netsh_tag_values(enum netsh_tag tag)
{
    return tags[tag].values;
}

const char *netsh_context_name(enum netsh_context c)
{
    static const char *const names[_CONTEXT_MAX] = {
        [CONTEXT_ROOT] = "",
        [CONTEXT_IPSEC] = "ipsec",
        [CONTEXT_STATIC] = "ipsec static",
        [CONTEXT_DYNAMIC] = "ipsec dynamic",
        [CONTEXT_INTERFACE] = "interface",
        [CONTEXT_TCP] = "interface tcp",
        [CONTEXT_FOREIGN] = "other",
    };
    return names[c];
}

enum netsh_context netsh_context_parent(enum netsh_context c)
{
    if (c == CONTEXT_TCP)
        return CONTEXT_INTERFACE;
    return c == CONTEXT_STATIC || c == CONTEXT_DYNAMIC ? CONTEXT_IPSEC : CONTEXT_ROOT;
}

#define R(tag)            \
    {                     \
        tag, TAG_REQUIRED \
    }
#define O(tag) \
    {          \
        tag, 0 \
    }
#define N(tag)         \
    {                  \
        tag, TAG_NAMED \
    }
#define OR(tag)     \
    {               \
        tag, TAG_OR \
    }
#define FLAG(tag)              \
    {                          \
        tag, TAG_OR | TAG_FLAG \
    }
#define CA                 \
    {                      \
        T_ROOTCA, TAG_MANY \
    }
#define TAGS(...)                                                                 \
    sizeof((struct netsh_tag_use[]){__VA_ARGS__}) / sizeof(struct netsh_tag_use), \
    {                                                                             \
        __VA_ARGS__                                                               \
    }
#define NO_TAGS  \
    0,           \
    {            \
        {        \
            0, 0 \
        }        \
    }

const struct netsh_command netsh_commands[] = {
    {CONTEXT_IPSEC, "dump", NULL, true, "prints a script that makes all this again", netsh_dump,
     NO_TAGS},
    {CONTEXT_STATIC, "dump", NULL, true, "prints a script that makes all this again", netsh_dump,
     NO_TAGS},
    /* --- static: add --- */
    {CONTEXT_STATIC, "add", "filter", false, "adds a filter to a filter list", netsh_add_filter,
     TAGS(R(T_FILTERLIST), R(T_SRCADDR), R(T_DSTADDR), O(T_DESCRIPTION), O(T_PROTOCOL),
          O(T_MIRRORED), O(T_SRCMASK), O(T_DSTMASK), O(T_SRCPORT), O(T_DSTPORT))},
    {CONTEXT_STATIC, "add", "filteraction", false, "makes a filter action", netsh_add_filteraction,
     TAGS(R(T_NAME), O(T_DESCRIPTION), O(T_QMPFS), O(T_INPASS), O(T_SOFT), O(T_ACTION),
          O(T_QMSECMETHODS))},
    {CONTEXT_STATIC, "add", "filterlist", false, "makes an empty filter list", netsh_add_filterlist,
     TAGS(R(T_NAME), O(T_DESCRIPTION))},
    {CONTEXT_STATIC, "add", "policy", false, "makes a policy", netsh_add_policy,
     TAGS(R(T_NAME), O(T_DESCRIPTION), O(T_MMPFS), O(T_QMPERMM), O(T_MMLIFETIME),
          O(T_ACTIVATEDEFAULTRULE), O(T_POLLINGINTERVAL), O(T_ASSIGN), O(T_MMSECMETHODS))},
    {CONTEXT_STATIC, "add", "rule", false, "joins a filter list and a filter action in a policy",
     netsh_add_rule,
     TAGS(R(T_NAME), R(T_POLICY), R(T_FILTERLIST), R(T_FILTERACTION), O(T_TUNNEL), O(T_CONNTYPE),
          O(T_ACTIVATE), O(T_DESCRIPTION), O(T_KERBEROS), O(T_PSK), CA)},
    /* --- static: delete --- */
    {CONTEXT_STATIC, "delete", "all", false, "deletes all policies, filter lists and actions",
     netsh_delete_all, NO_TAGS},
    {CONTEXT_STATIC, "delete", "filter", false, "deletes filters of a filter list",
     netsh_delete_filter,
     TAGS(R(T_FILTERLIST), R(T_SRCADDR), R(T_DSTADDR), O(T_PROTOCOL), O(T_MIRRORED), O(T_SRCMASK),
          O(T_DSTMASK), O(T_SRCPORT), O(T_DSTPORT))},
    {CONTEXT_STATIC, "delete", "filteraction", false, "deletes a filter action",
     netsh_delete_filteraction, TAGS(R(T_NAME), FLAG(T_ALL))},
    {CONTEXT_STATIC, "delete", "filterlist", false, "deletes a filter list",
     netsh_delete_filterlist, TAGS(R(T_NAME), FLAG(T_ALL))},
    {CONTEXT_STATIC, "delete", "policy", false, "deletes a policy with its rules",
     netsh_delete_policy, TAGS(R(T_NAME), FLAG(T_ALL))},
    {CONTEXT_STATIC, "delete", "rule", false, "deletes a rule of a policy", netsh_delete_rule,
     TAGS(R(T_NAME), OR(T_ID), FLAG(T_ALL), R(T_POLICY))},
    /* --- static: set --- */
    {CONTEXT_STATIC, "set", "batch", false, "keeps commands until they are run as one",
     netsh_set_batch, TAGS(R(T_MODE))},
    {CONTEXT_STATIC, "set", "defaultrule", false, "changes the default response rule",
     netsh_set_defaultrule,
     TAGS(R(T_POLICY), O(T_QMPFS), O(T_ACTIVATE), O(T_QMSECMETHODS), O(T_KERBEROS), O(T_PSK), CA)},
    {CONTEXT_STATIC, "set", "filteraction", false, "changes a filter action",
     netsh_set_filteraction,
     TAGS(R(T_NAME), OR(T_GUID), O(T_NEWNAME), O(T_DESCRIPTION), O(T_QMPFS), O(T_INPASS), O(T_SOFT),
          O(T_ACTION), O(T_QMSECMETHODS))},
    {CONTEXT_STATIC, "set", "filterlist", false, "changes name or description of a filter list",
     netsh_set_filterlist, TAGS(R(T_NAME), OR(T_GUID), O(T_NEWNAME), O(T_DESCRIPTION))},
    {CONTEXT_STATIC, "set", "policy", false, "changes, assigns or unassigns a policy",
     netsh_set_policy,
     TAGS(O(T_NAME), OR(T_GUID), O(T_NEWNAME), O(T_DESCRIPTION), O(T_MMPFS), O(T_QMPERMM),
          O(T_MMLIFETIME), O(T_ACTIVATEDEFAULTRULE), O(T_POLLINGINTERVAL), O(T_ASSIGN),
          O(T_GPONAME), O(T_MMSECMETHODS))},
    {CONTEXT_STATIC, "set", "rule", false, "changes a rule of a policy", netsh_set_rule,
     TAGS(R(T_NAME), OR(T_ID), R(T_POLICY), O(T_NEWNAME), O(T_DESCRIPTION), O(T_FILTERLIST),
          O(T_FILTERACTION), O(T_TUNNEL), O(T_CONNTYPE), O(T_ACTIVATE), O(T_KERBEROS), O(T_PSK),
          CA)},
    {CONTEXT_STATIC, "set", "store", false, "chooses the store for this user's next commands",
     netsh_set_store, TAGS(R(T_LOCATION), O(T_DOMAIN))},
    /* --- static: show --- */
    {CONTEXT_STATIC, "show", "all", true, "shows policies, rules, filter lists and actions",
     netsh_show_all, TAGS(O(T_FORMAT), O(T_WIDE))},
    {CONTEXT_STATIC, "show", "filteraction", true, "shows filter actions", netsh_show_filteraction,
     TAGS(R(T_NAME), OR(T_RULE), FLAG(T_ALL), O(T_LEVEL), O(T_FORMAT), O(T_WIDE))},
    {CONTEXT_STATIC, "show", "filterlist", true, "shows filter lists", netsh_show_filterlist,
     TAGS(R(T_NAME), OR(T_RULE), FLAG(T_ALL), O(T_LEVEL), O(T_FORMAT), O(T_RESOLVEDNS), O(T_WIDE))},
    {CONTEXT_STATIC, "show", "gpoassignedpolicy", true, "shows the policy of the domain",
     netsh_show_gpo, TAGS(O(T_NAME))},
    {CONTEXT_STATIC, "show", "policy", true, "shows policies", netsh_show_policy,
     TAGS(R(T_NAME), FLAG(T_ALL), O(T_LEVEL), O(T_FORMAT), O(T_WIDE))},
    {CONTEXT_STATIC, "show", "rule", true, "shows rules of a policy, or of all", netsh_show_rule,
     TAGS(R(T_NAME), OR(T_ID), FLAG(T_ALL), FLAG(T_DEFAULT), O(T_POLICY), O(T_TYPE), O(T_LEVEL),
          O(T_FORMAT), O(T_WIDE))},
    {CONTEXT_STATIC, "show", "store", true, "shows the store in use", netsh_show_store, NO_TAGS},
    {CONTEXT_STATIC, "exportpolicy", NULL, true, "writes all policies to a file",
     netsh_exportpolicy, TAGS(R(T_FILE))},
    {CONTEXT_STATIC, "importpolicy", NULL, false, "reads policies from a file", netsh_importpolicy,
     TAGS(R(T_FILE))},
    /* --- dynamic --- */
    {CONTEXT_DYNAMIC, "add", "mmpolicy", false, "makes a main mode policy",
     netsh_dynamic_add_mmpolicy,
     TAGS(R(T_NAME), O(T_QMPERMM), O(T_MMLIFETIME), O(T_SOFTSAEXPIRATIONTIME), O(T_MMSECMETHODS))},
    {CONTEXT_DYNAMIC, "add", "qmpolicy", false, "makes a quick mode policy",
     netsh_dynamic_add_qmpolicy, TAGS(R(T_NAME), O(T_SOFT), O(T_PFSGROUP), O(T_QMSECMETHODS))},
    {CONTEXT_DYNAMIC, "add", "rule", false, "adds filters that end at reboot",
     netsh_dynamic_add_rule,
     TAGS(R(T_SRCADDR), R(T_DSTADDR), O(T_MMPOLICY), O(T_QMPOLICY), O(T_PROTOCOL), O(T_SRCPORT),
          O(T_DSTPORT), O(T_MIRRORED), O(T_CONNTYPE), O(T_ACTIONINBOUND), O(T_ACTIONOUTBOUND),
          O(T_SRCMASK), O(T_DSTMASK), O(T_TUNNELDSTADDRESS), O(T_KERBEROS), O(T_PSK), CA)},
    {CONTEXT_DYNAMIC, "delete", "all", false, "ends all dynamic filters", netsh_dynamic_delete_all,
     NO_TAGS},
    {CONTEXT_DYNAMIC, "delete", "mmpolicy", false, "deletes a main mode policy",
     netsh_dynamic_delete_mmpolicy, TAGS(R(T_NAME), FLAG(T_ALL))},
    {CONTEXT_DYNAMIC, "delete", "qmpolicy", false, "deletes a quick mode policy",
     netsh_dynamic_delete_qmpolicy, TAGS(R(T_NAME), FLAG(T_ALL))},
    {CONTEXT_DYNAMIC, "delete", "rule", false, "ends the dynamic filters of these addresses",
     netsh_dynamic_delete_rule,
     TAGS(R(T_SRCADDR), R(T_DSTADDR), O(T_PROTOCOL), O(T_SRCPORT), O(T_DSTPORT), O(T_MIRRORED),
          O(T_CONNTYPE), O(T_SRCMASK), O(T_DSTMASK), O(T_TUNNELDSTADDRESS))},
    {CONTEXT_DYNAMIC, "set", "config", false, "changes a property of the host", netsh_set_config,
     TAGS(R(T_PROPERTY), R(T_VALUE))},
    {CONTEXT_DYNAMIC, "set", "mmpolicy", false, "changes a main mode policy",
     netsh_dynamic_set_mmpolicy,
     TAGS(R(T_NAME), O(T_QMPERMM), O(T_MMLIFETIME), O(T_SOFTSAEXPIRATIONTIME), O(T_MMSECMETHODS))},
    {CONTEXT_DYNAMIC, "set", "qmpolicy", false, "changes a quick mode policy",
     netsh_dynamic_set_qmpolicy, TAGS(R(T_NAME), O(T_SOFT), O(T_PFSGROUP), O(T_QMSECMETHODS))},
    {CONTEXT_DYNAMIC, "set", "rule", false, "changes the actions of dynamic filters",
     netsh_dynamic_set_rule,
     TAGS(R(T_SRCADDR), R(T_DSTADDR), O(T_PROTOCOL), O(T_SRCPORT), O(T_DSTPORT), O(T_MIRRORED),
          O(T_CONNTYPE), O(T_SRCMASK), O(T_DSTMASK), O(T_TUNNELDSTADDRESS), O(T_MMPOLICY),
          O(T_QMPOLICY), O(T_ACTIONINBOUND), O(T_ACTIONOUTBOUND), O(T_KERBEROS), O(T_PSK), CA)},
    {CONTEXT_DYNAMIC, "show", "all", true, "shows dynamic policies, filters and properties",
     netsh_dynamic_show_all, TAGS(O(T_RESOLVEDNS))},
    {CONTEXT_DYNAMIC, "show", "config", true, "shows the properties of the host", netsh_show_config,
     NO_TAGS},
    {CONTEXT_DYNAMIC, "show", "mmpolicy", true, "shows main mode policies",
     netsh_dynamic_show_mmpolicy, TAGS(O(T_NAME), FLAG(T_ALL))},
    {CONTEXT_DYNAMIC, "show", "mmsas", true, "shows main mode associations", netsh_dynamic_show_sas,
     TAGS(FLAG(T_ALL))},
    {CONTEXT_DYNAMIC, "show", "qmfilter", true, "shows dynamic filters", netsh_dynamic_show_rule,
     TAGS(FLAG(T_ALL), O(T_RESOLVEDNS))},
    {CONTEXT_DYNAMIC, "show", "qmpolicy", true, "shows quick mode policies",
     netsh_dynamic_show_qmpolicy, TAGS(O(T_NAME), FLAG(T_ALL))},
    {CONTEXT_DYNAMIC, "show", "qmsas", true, "shows quick mode associations",
     netsh_dynamic_show_sas, TAGS(FLAG(T_ALL))},
    {CONTEXT_DYNAMIC, "show", "rule", true, "shows dynamic filters", netsh_dynamic_show_rule,
     TAGS(FLAG(T_ALL), O(T_TYPE), O(T_SRCADDR), O(T_DSTADDR), O(T_SRCMASK), O(T_DSTMASK),
          O(T_PROTOCOL), O(T_SRCPORT), O(T_DSTPORT), O(T_ACTIONINBOUND), O(T_ACTIONOUTBOUND),
          O(T_RESOLVEDNS))},
    {CONTEXT_DYNAMIC, "show", "stats", true, "shows counters", netsh_dynamic_show_stats, NO_TAGS},
    /* --- interface tcp --- */
    {CONTEXT_TCP, "reset", NULL, false, "memory pressure protection as it was at first",
     netsh_tcp_reset, NO_TAGS},
    {CONTEXT_TCP, "set", "security", false, "memory pressure protection, or ports it spares",
     netsh_tcp_set_security, TAGS(N(T_MPP), N(T_PROFILES), N(T_STARTPORT), N(T_NUMBEROFPORTS))},
    {CONTEXT_TCP, "show", "security", true, "shows memory pressure protection",
     netsh_tcp_show_security, NO_TAGS},
};
const size_t netsh_n_commands = sizeof(netsh_commands) / sizeof(netsh_commands[0]);
