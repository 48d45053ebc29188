/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/tools.c: the table of tools. Asked by the front, by scripts that name other tools and by
 * the installation of links. Whoever adds a tool adds a line here and its name to the links of
 * meson.build. */
#include <string.h>
#include <strings.h>

#include "compat/tool.h"

/* Personas: windows.md 1.1. */
const struct tool_entry tool_entries[] = {
    {"ipsecpol", PERSONA_2000, tool_ipsec, false, tool_ipsec_help},
    {"ipseccmd", PERSONA_2003, tool_ipsec, false, tool_ipsec_help},
    {"netdiag", PERSONA_2003, tool_netdiag, false, tool_netdiag_help},
    {"netsh", PERSONA_2003, tool_netsh, false, tool_netsh_help},
    {"net", PERSONA_2003, tool_net, true, tool_net_help},
    {"secedit", PERSONA_2003, tool_secedit, false, tool_secedit_help},
    {"gpupdate", PERSONA_2003, tool_gpupdate, false, tool_gpupdate_help},
    {"reg", PERSONA_2003, tool_reg, true, tool_reg_help},
    {"rpccfg", PERSONA_2003, tool_rpccfg, false, tool_rpccfg_help},
    {"rpcdump", PERSONA_2003, tool_rpcdump, false, tool_rpcdump_help},
    {"netstat", PERSONA_2003, tool_netstat, true, tool_netstat_help},
    {"spp", PERSONA_2000, tool_spp, false, tool_spp_help},
};
const size_t tool_n_entries = ARRAY_SIZE(tool_entries);

/* Behind the last slash of either kind. */
static const char *base_name(const char *word)
{
    const char *base = word;
    for (const char *p = word; *p; p++)
        if (*p == '/' || *p == '\\')
            base = p + 1;
    return base;
}

const struct tool_entry *tool_find(const char *word)
{
    const char *base = base_name(word);
    size_t n = strlen(base);
    if (n > 4 && strcasecmp(base + n - 4, ".exe") == 0)
        n -= 4;
    for (size_t i = 0; i < tool_n_entries; i++)
        if (strlen(tool_entries[i].name) == n && strncasecmp(tool_entries[i].name, base, n) == 0)
            return &tool_entries[i];
    return NULL;
}
