#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The attack matrix: nine attacks on TCP memory against a plain server and nginx, over IPv4 and IPv6.

Each row is an unprotected control and a protected run; a row whose control answers 60 % of the
legitimate requests or more proves nothing and fails. Clients come in by the attacked interface and
by another one. Prints a table.
Usage: test-mpp-matrix.py [long | ROW...]   long: all 36 rows; ROW: nginx:zero:6, `all` for any part;
without it three rows."""
import itertools
import sys
import time

from mpplab import SMALL
from mppservers import SERVERS, ServerLab
from pwtest import check, main

KINDS = ("zero", "grown", "slow", "noack", "idle", "orphan", "syn", "reopen", "botnet")
SLICE = (("nginx", "zero", 4), ("nginx", "idle", 6), ("plain", "orphan", 4))
HI = min(SMALL[1] * 3 // 4, SMALL[2] // 2)
ENOUGH, CONTROL, P99_MS = 0.98, 0.6, 200
# Of a host without SYN cookies the SYNs are lost that come before the agent has switched them on, and
# are sent again after 1 s. The re-opening attacker: 2 ms on a quiet host, 215 ms on a busy one.
P99_OTHER_MS = {"reopen": 540, "syn": 1100}
DEATH_S = 0.4  # of the server, after the attack began
TRIES = 3  # a host that is busy with others delays the agent and what is measured


def rows_wanted():
    every = [r for r in itertools.product(SERVERS, KINDS, (4, 6))]
    if sys.argv[1:] == ["long"]:
        return every
    if not sys.argv[1:]:
        return list(SLICE)
    wanted = []
    for text in sys.argv[1:]:
        parts = text.split(":")
        wanted += [r for r in every if len(parts) == 3
                   and all(p in ("all", str(v)) for p, v in zip(parts, r))]
    return wanted


def scene(lab, row, protected):
    server, kind, family = row
    lab.kind = server
    if kind == "syn":  # a host whose queue of SYNs and whose cookies do not help it
        lab.sysctl("core/somaxconn", 512)
        lab.sysctl("ipv4/tcp_syncookies", 0)

    def die():
        time.sleep(DEATH_S)
        lab.crash()

    try:
        return lab.scene(kind, family, protected=protected, during=die if kind == "orphan" else None)
    finally:
        if kind == "syn":
            lab.sysctl("core/somaxconn", 65535)
            lab.sysctl("ipv4/tcp_syncookies", 1)


def memory_of(seen):
    """Highest memory in HI, and the highest from one second after the onset on."""
    onset = next((mono for mono, _, pages in seen["samples"] if pages > HI), None)
    later = [pages for mono, _, pages in seen["samples"] if onset and mono > onset + 1]
    return max(p for _, _, p in seen["samples"]) / HI, max(later, default=0) / HI


def shares(seen, quiet):
    """Success by interface: the other one, the attacked one."""
    return [a["ok"] / a["tried"] / max(q["ok"] / q["tried"], 0.01)
            for a, q in zip(seen["clients"], quiet["clients"])]


def audit(lab, before):
    """Kills, lost records, records that are not there, kills of others than attackers."""
    totals = lab.status()["totals"]
    killed, lost = (totals[k] - before[k] for k in ("killed", "lost"))
    records = lab.json("mpp", "events", "--limit", "65536")["records"] if killed else []
    mine = records[-(killed - lost):] if killed > lost else []
    attackers = lab.attackers()
    false = sum((r["peer"], r["peer_port"]) not in attackers for r in mine)
    return {"killed": killed, "lost": lost, "missing": killed - lost - len(mine), "false": false}


def once(lab, row, quiet):
    lab.forget()
    before = lab.status()["totals"]
    seen = scene(lab, row, True)
    seen.update(audit(lab, before))
    seen["dropped"] = sum(lab.status()["totals"]["syn_dropped"]) - sum(before["syn_dropped"])
    seen["shares"] = shares(seen, quiet)
    seen["peak"], seen["later"] = memory_of(seen)
    return seen


def limits(row):
    """p99 in ms; memory at most, and from a second after the onset, in hi."""
    p99 = P99_OTHER_MS.get(row[1], P99_MS)
    if row[1] in ("idle", "syn"):
        return p99, None, None
    return (p99, 3.5, None) if row[1] == "reopen" else (p99, 1.6, 1.5)


def misses(row, seen):
    p99, peak, later = limits(row)
    return [text for bad, text in (
        (min(seen["shares"]) < ENOUGH, "success"), (seen["p99"] > p99, "p99"),
        (peak and seen["peak"] > peak, "peak"), (later and seen["later"] > later, "memory"),
    ) if bad]


def protected(lab, row, quiet):
    """The first run that keeps all limits, else the one that misses least."""
    runs = []
    while not runs or (misses(row, runs[-1]) and len(runs) < TRIES):
        if runs:
            print(f"        {name(row)}: missed {', '.join(misses(row, runs[-1]))}: "
                  f"{numbers(runs[-1])}; once more", flush=True)
        runs.append(once(lab, row, quiet))
        runs[-1]["tries"] = len(runs)
    return min(runs, key=lambda r: (len(misses(row, r)), -min(r["shares"])))


def name(row):
    return f"{row[0]} {row[1]} IPv{row[2]}"


def numbers(seen):
    return (f"{seen['shares'][0]:.3f} / {seen['shares'][1]:.3f}, p99 {seen['p99']:.0f} ms, "
            f"memory {seen['peak']:.2f} / {seen['later']:.2f} hi, {seen['killed']} killed")


def judge(row, bad, good):
    p99, peak, later = limits(row)
    title = name(row)
    check(bad["ok"] < CONTROL, f"{title}: control {bad['ok']:.3f}, so the row counts")
    check(min(good["shares"]) >= ENOUGH, f"{title}: {good['shares'][0]:.3f} of the success without "
          f"an attack by another interface, {good['shares'][1]:.3f} by the attacked one")
    check(good["p99"] <= p99, f"{title}: p99 {good['p99']:.0f} ms")
    if peak:
        check(good["peak"] <= peak and good["later"] <= (later or peak),
              f"{title}: memory at most {good['peak']:.2f} hi, {good['later']:.2f} hi from 1 s on")
    if good["killed"]:
        source = "Tcpip6" if row[2] == 6 else "Tcpip"
        check(any(e.get("WINDOWS_EVENT_ID") == "4229" and e["WINDOWS_SOURCE"] == source
                  for e in good["events"]), f"{title}: event 4229 of {source}")
    check(good["missing"] == 0 and good["false"] <= good["killed"] * 0.02,
          f"{title}: {good['killed']} kills, {good['lost']} records lost, {good['missing']} "
          f"missing, {good['false']} were no attackers")


def print_table(rows, bad, good):
    print(f"{'server':6} {'attack':7} IP | control  last 2 s | other if  attacked if  p99 ms | "
          "peak hi  later | killed  false  lost  SYNs dropped  tries")
    for r in rows:
        b, g = bad[r], good[r]
        print(f"{r[0]:6} {r[1]:7} {r[2]:2} | {b['ok']:7.3f} {b['late']:9.3f} | "
              f"{g['shares'][0]:8.3f} {g['shares'][1]:12.3f} {g['p99']:7.1f} | {g['peak']:7.2f} "
              f"{g['later']:6.2f} | {g['killed']:6} {g['false']:6} {g['lost']:5} "
              f"{g['dropped']:13} {g['tries']:6}")


def test(lab):
    rows = rows_wanted()
    quiet, bad, good = {}, {}, {}
    for server, family in {(r[0], r[2]): None for r in rows}:
        lab.kind = server
        seen = quiet[server, family] = lab.scene("none", family, seconds=5)
        check(seen["ok"] >= 0.99, f"{server} IPv{family} without an attack: {seen['ok']:.3f}, p99 "
              f"{seen['p99']:.1f} ms")
    for r in rows:
        bad[r] = scene(lab, r, False)
        print(f"        {name(r)}, unprotected: {bad[r]['ok']:.3f}, last 2 s {bad[r]['late']:.3f}, "
              f"memory {memory_of(bad[r])[0]:.1f} hi", flush=True)
    lab.start_agent()
    for r in rows:
        good[r] = protected(lab, r, quiet[r[0], r[2]])
        judge(r, bad[r], good[r])
    print_table(rows, bad, good)


main(test, ServerLab)
