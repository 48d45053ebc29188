# SPDX-License-Identifier: GPL-2.0-or-later
"""What `ss` and `portward sockets` say, in one form: rows of (protocol, address, port, device, pids),
as a Counter, since several sockets may share an address."""
import collections
import contextlib
import json
import pathlib
import re
import subprocess
import sys

HOLD = pathlib.Path(__file__).resolve().parent / "sockhold.py"


@contextlib.contextmanager
def holding(net, n, processes=10, holders=1, which="S"):
    """n listeners in a namespace, for as long as the block runs."""
    child = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{net.names[which]}", sys.executable, str(HOLD), str(n),
         str(processes), str(holders)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    net.children.append(child)
    try:
        assert child.stdout.readline() == b"ready\n"
        yield child
    finally:
        child.stdin.close()
        child.wait(timeout=60)


def in_netns(net, *command, which="S", text=True):
    return subprocess.run(["nsenter", f"--net=/run/netns/{net.names[which]}", *command], text=text,
                          capture_output=True, check=True, timeout=300)


def ss_rows(text):
    rows = collections.Counter()
    for line in text.splitlines():
        fields = line.split()
        address, port = fields[4].rsplit(":", 1)
        device = None
        if "%" in address:
            address, device = address.split("%")
        address = address.strip("[]")
        pids = tuple(sorted({int(p) for p in re.findall(r"pid=(\d+)", line)}))
        rows[fields[0], address, int(port), device, pids] += 1
    return rows


def own_rows(data):
    """The rows that `ss -l` has, too, and the others."""
    rows, others = collections.Counter(), []
    for s in data["sockets"]:
        if s["protocol"] not in ("tcp", "udp") or s["state"] not in ("listen", "bound"):
            others.append(s)
            continue
        address = s["address"]
        if s["family"] == 6 and address == "::" and not s["ipv6_only"]:
            address = "*"  # as ss writes what serves both families
        pids = tuple(sorted(p["pid"] for p in s["processes"]))
        rows[s["protocol"], address, s["port"], s["interface"], pids] += 1
    return rows, others


def both(net, cli, *extra):
    """Rows of ss, rows of ours, our other sockets."""
    theirs = ss_rows(in_netns(net, "ss", "-Hlntup").stdout)
    ours, others = own_rows(json.loads(cli("sockets", "--json", *extra).stdout)["data"])
    return theirs, ours, others


def difference(a, b):
    return f"only ss: {list((a - b).items())[:5]}, only ours: {list((b - a).items())[:5]}"
