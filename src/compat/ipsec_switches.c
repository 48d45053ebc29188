/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/ipsec_switches.c: the switches of ipsecpol and ipseccmd (windows.md 3), one table. Asked
 * by the reader of arguments and by the help. A switch is known by its whole name, in any case. */
#include <string.h>
#include <strings.h>

#include "base/suggest.h"
#include "ipsec_internal.h"

const struct ipsec_switch ipsec_switches[_SW_MAX] = {
    [SW_STORE] = {"-w", TAKES_ONE, IN_STATIC, false, false, "a store", "-w REG"},
    [SW_POLICY] = {"-p", TAKES_ONE, IN_STATIC, false, false, "a policy name",
                   "-p \"Block RPC Ports\""},
    [SW_RULE] = {"-r", TAKES_ONE, IN_STATIC, true, false, "a rule name", "-r \"Block TCP 135\""},
    [SW_FILTER] = {"-f", TAKES_LIST, IN_BOTH, true, false, "a filter", "-f *=0:1434:UDP"},
    [SW_ACTION] = {"-n", TAKES_LIST, IN_BOTH, false, false, "an action", "-n BLOCK"},
    [SW_ASSIGN] = {"-x", TAKES_NONE, IN_STATIC, true, false, NULL, "-x"},
    [SW_UNASSIGN] = {"-y", TAKES_NONE, IN_STATIC, true, false, NULL, "-y"},
    [SW_DELETE] = {"-o", TAKES_NONE, IN_STATIC, true, false, NULL, "-o"},
    [SW_FLUSH] = {"-u", TAKES_NONE, ALONE, true, false, NULL, "-u"},
    [SW_TUNNEL] = {"-t", TAKES_ONE, IN_BOTH, false, false, "an address", "-t 192.0.2.1"},
    [SW_AUTH] = {"-a", TAKES_LIST, IN_BOTH, false, false, "an authentication method",
                 "-a KERBEROS"},
    [SW_MM_METHOD] = {"-1s", TAKES_LIST, IN_BOTH, false, false, "a method", "-1s 3DES-SHA-2"},
    [SW_MM_REKEY] = {"-1k", TAKES_ONE, IN_BOTH, false, false, "a limit", "-1k 10Q/3600S"},
    [SW_MM_PFS] = {"-1p", TAKES_NONE, IN_BOTH, true, false, NULL, "-1p"},
    [SW_MM_FILTER] = {"-1f", TAKES_LIST, IN_BOTH, false, true, "a filter", "-1f 0=192.0.2.1"},
    [SW_SOFT_SA] = {"-1e", TAKES_ONE, IN_BOTH, false, true, "seconds", "-1e 300"},
    [SW_SOFT] = {"-soft", TAKES_NONE, IN_BOTH, true, false, NULL, "-soft"},
    [SW_LAN] = {"-lan", TAKES_NONE, IN_BOTH, true, false, NULL, "-lan"},
    [SW_DIALUP] = {"-dialup", TAKES_NONE, IN_BOTH, true, false, NULL, "-dialup"},
    [SW_CONFIRM] = {"-confirm", TAKES_NONE, IN_DYNAMIC, true, false, NULL, "-confirm"},
    [SW_FILE] = {"-file", TAKES_ONE, ALONE, false, false, "a file", "-file rules.txt"},
    [SW_HELP] = {"-?", TAKES_NONE, ALONE, true, false, NULL, "-?"},
};

int ipsec_switch_find(const char *word)
{
    if (strcmp(word, "/?") == 0)
        return SW_HELP;
    for (int i = 0; i < _SW_MAX; i++)
        if (strcasecmp(word, ipsec_switches[i].name) == 0)
            return i;
    return -1;
}

/* Only switches of one letter, in the lower case of the articles: names end in "-A" or "-1s" by
 * right. The letter before the dash must not be one that makes a switch of its own. */
size_t ipsec_glued(const char *word)
{
    size_t n = strlen(word);
    if (n < 3 || word[n - 2] != '-' || word[n - 3] == '-' || word[n - 3] == ' ')
        return 0;
    return strchr("wprfnxyouta", word[n - 1]) ? n - 2 : 0;
}

const char *ipsec_switch_near(const char *word)
{
    const char *best = NULL;
    unsigned best_distance = 3;
    for (int i = 0; i < _SW_MAX; i++) {
        const char *name = ipsec_switches[i].name;
        unsigned limit = strlen(name) > 4 ? 2 : 1;
        if (strlen(name) < 4) /* a word of two letters is near to all of them */
            continue;
        unsigned distance = suggest_distance(word, name, limit);
        if (distance <= limit && distance < best_distance) {
            best = name;
            best_distance = distance;
        }
    }
    return best;
}
