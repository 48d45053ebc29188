#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every Windows tool has its help text and its manual page, and every switch of the tool's table
stands in both. Usage: check-tool-help.py PORTWARD SOURCE_ROOT"""
import pathlib
import re
import subprocess
import sys

PORTWARD, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
PAGES = {"ipsecpol": "portward-ipseccmd", "ipseccmd": "portward-ipseccmd",
         "netsh": "portward-netsh", "netdiag": "portward-netdiag", "net": "portward-netdiag",
         "secedit": "portward-netdiag", "gpupdate": "portward-netdiag", "reg": "portward-compat",
         "rpccfg": "portward-rpc", "rpcdump": "portward-rpc", "netstat": "portward-audit",
         "spp": "portward-scan"}
# Tables in the sources: file, pattern of a name, tools, whether the help must have it as well.
TABLES = (
    ("ipsec_switches.c", r'\[SW_\w+\] = \{"([^"]+)"', ("ipsecpol", "ipseccmd"), True),
    ("netsh_table.c", r'^    \[T_\w+\] = \{"([^"]+)"', ("netsh",), False),
    ("netdiag.c", r'^    \[NETDIAG_\w+\] = \{"([^"]+)", WIN', ("netdiag",), True),
    ("net.c", r'^    \[NET_\w+\] = \{"([^"]+)", WIN', ("net",), False),
    ("secedit.c", r'^    \[SECEDIT_\w+\] = \{"([^"]+)", WIN', ("secedit",), False),
    ("rpccfg.c", r'\[RPCCFG_\w+\] = \{"([^"]+)", WIN', ("rpccfg",), True),
    ("rpcdump.c", r'\[RPCDUMP_\w+\] = \{"([^"]+)", WIN', ("rpcdump",), True),
    ("netstat.c", r'\[NETSTAT_\w+\] = \{"([^"]+)", WIN', ("netstat",), True),
    ("gpupdate.c", r'^    \[GPUPDATE_\w+\] = \{"([^"]+)", WIN', ("gpupdate",), False),
)
SWITCH = re.compile(r"(?<![\w/.:\\-])([-/](?:\?|[A-Za-z0-9][A-Za-z0-9]*))(?![\w.\\/])")
bad = []


def complain(text):
    bad.append(text)
    print(f"NOT OK  {text}")


def help_of(tool, word):
    done = subprocess.run([PORTWARD, "compat", tool, word], capture_output=True, text=True,
                          timeout=20, check=False)
    if done.returncode or not done.stdout.strip():
        complain(f"{tool} {word}: exit {done.returncode}, {done.stderr.strip() or 'no text'}")
    return done.stdout


def page_of(tool):
    path = ROOT / "man" / f"{PAGES[tool]}.8.scd"
    if not path.exists():
        complain(f"{tool}: no page {path.name}")
        return ""
    return re.sub(r"[*_\\]", "", path.read_text())


def has(text, name):
    return re.search(rf"(?<![\w-]){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def main():
    for tool in PAGES:
        text, page = help_of(tool, "-?"), page_of(tool)
        if help_of(tool, "/?") != text:
            complain(f"{tool}: /? and -? differ")
        wide = [line for line in text.splitlines() if len(line) > 80]
        if wide:
            complain(f"{tool} -?: wider than 80 columns: {wide[0]}")
        for name in sorted(set(SWITCH.findall(text))):
            if not has(page, name):
                complain(f"{tool}: {name} of its help is not in the page")
        if page and not has(page, tool):
            complain(f"{tool}: not named in its page")
    for file, pattern, tools, in_help in TABLES:
        names = re.findall(pattern, (ROOT / "src/compat" / file).read_text(), re.MULTILINE)
        lead = "-" if file in ("rpccfg.c", "netstat.c") else "/"
        names = [lead + name if "WIN" in pattern else name for name in names]
        if len(names) < 3:
            complain(f"{file}: only {len(names)} names found")
        for tool in tools:
            text = help_of(tool, "-?") if in_help else ""
            page = page_of(tool)
            for name in names:
                if not has(page, name):
                    complain(f"{tool}: {name} of {file} is not in the page")
                if in_help and name not in ("-?", "/?") and not has(text, name):
                    complain(f"{tool}: {name} of {file} is not in -?")
    built = (ROOT / "man/meson.build").read_text()
    for page in sorted(set(PAGES.values())):
        if f"'{page}.8'" not in built:
            complain(f"{page}.8 is not built by man/meson.build")
    print(f"{len(PAGES)} tools, {len(bad)} faults")
    return bool(bad)


sys.exit(main())
