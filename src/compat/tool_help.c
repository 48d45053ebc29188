/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/tool_help.c: what /? prints for netdiag, net, secedit and gpupdate; the manual page
 * portward-netdiag(8) says the same at length.
 * Used by the table of tools and by the tools themselves. */
#include "compat/tool.h"

const char tool_netdiag_help[] =
    "Shows whether an IP security policy is in force, and with which filters.\n"
    "\n"
    "netdiag [/test:ipsec] [/debug | /v | /q] [/l]\n"
    "\n"
    "  /test:ipsec  the only test here; other tests are refused\n"
    "  /debug       also the policy's path and every filter, one block for each\n"
    "               local address\n"
    "  /v           also the policy's path\n"
    "  /q           prints only what failed\n"
    "  /l           writes the output to NetDiag.log as well\n"
    "  /?           this text\n"
    "\n"
    "-test:ipsec and other case are understood. Exit status 0, also without a\n"
    "policy; 3 if the agent does not run.\n";

const char tool_net_help[] =
    "Starts and stops the agent that changes what is enforced.\n"
    "\n"
    "net start policyagent\n"
    "net stop policyagent\n"
    "net start\n"
    "\n"
    "  start   starts the agent and waits until it answers\n"
    "  stop    ends all dynamic filters, blocks and permits, then the agent;\n"
    "          what is no longer blocked is named. Assigned policies stay in\n"
    "          force without the agent.\n"
    "  start without a name shows whether it runs\n"
    "\n"
    "The service may also be called \"IPSEC Services\" or \"IPSEC Policy Agent\".\n"
    "/y is accepted. Exit status 0, also if it runs already; 1 for another\n"
    "service; 3 if it cannot be stopped because it does not run.\n";

const char tool_secedit_help[] =
    "Asks for a refresh of the policy of the domain.\n"
    "\n"
    "secedit /refreshpolicy machine_policy [/enforce]\n"
    "secedit /refreshpolicy user_policy [/enforce]\n"
    "\n"
    "Without a configured domain there is nothing to refresh: a note says so, the\n"
    "exit status is 0. user_policy has no effect.\n";

const char tool_gpupdate_help[] =
    "Refreshes the policy of the domain.\n"
    "\n"
    "gpupdate [/target:computer | /target:user] [/force] [/wait:SECONDS]\n"
    "\n"
    "  /target  the policy of the computer or of the user; both if not given\n"
    "  /force   accepted\n"
    "  /wait, /logoff, /boot, /sync  accepted, no effect\n"
    "\n"
    "Without a configured domain there is nothing to refresh: a note says so, the\n"
    "exit status is 0.\n";
