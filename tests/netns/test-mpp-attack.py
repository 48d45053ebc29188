#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Attacks on TCP memory against a plain server, unprotected and protected side by side.

Legitimate clients come in by the attacked interface and by another one. The unprotected control of
the same run must fail, else the run proves nothing. Usage: test-mpp-attack.py [long]: every kind of
attack and both families; without it one attack, and what must hold whatever the attack is."""
import datetime
import json
import signal
import sys
import time

from mpplab import EXEMPT_PORT, SMALL, Lab, tcp_memory
from pwtest import check, main, run

LONG = sys.argv[1:] == ["long"]
HI = min(SMALL[1] * 3 // 4, SMALL[2] // 2)
last_before = [None]  # totals before the last protected run
onsets = []  # ms from entering PRUNE until memory is below HI, and until it stays there


def at(event):
    stamp = datetime.datetime.strptime(event["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
    return stamp.replace(tzinfo=datetime.timezone.utc).timestamp()


def named(result, name):
    return [e for e in result["events"] if e["event"] == name]


def note_onsets(result):
    enters = [at(e) for e in named(result, "mpp-pressure-enter")]
    for i, begin in enumerate(enters):
        end = enters[i + 1] if i + 1 < len(enters) else float("inf")
        above = [wall for _, wall, pages in result["samples"]
                 if begin <= wall < end and pages > HI]
        below = [wall for _, wall, pages in result["samples"]
                 if begin <= wall < end and pages <= HI]
        onsets.append((int((below[0] - begin) * 1000) if below else 10000,
                       int((above[-1] - begin) * 1000) if above else 0))


def memory_of(result):
    """Highest memory in HI, and the highest from one second after the onset on."""
    onset = next((mono for mono, _, pages in result["samples"] if pages > HI), None)
    peak = max(pages for _, _, pages in result["samples"]) / HI
    later = [pages for mono, _, pages in result["samples"] if onset and mono > onset + 1]
    return peak, max(later, default=0) / HI


def control(lab, kind, family):
    seen = lab.scene(kind, family)
    print(f"        {kind} IPv{family}, unprotected: {seen['ok']:.3f} in all, last 2 s "
          f"{seen['late']:.3f}, p99 {seen['p99']:.0f} ms, peak {memory_of(seen)[0]:.1f} hi",
          flush=True)
    return seen


def protected(lab, kind, family, quiet):
    before = last_before[0] = lab.status()["totals"]
    seen = lab.scene(kind, family, protected=True)
    after = lab.status()["totals"]
    note_onsets(seen)
    peak, later = memory_of(seen)
    share = seen["ok"] / quiet["ok"]
    killed = after["killed"] - before["killed"]
    print(f"        {kind} IPv{family}, protected: {seen['ok']:.3f}, p99 {seen['p99']:.0f} ms, "
          f"peak {peak:.2f} hi, later {later:.2f} hi, killed {killed}, SYN dropped "
          f"{sum(after['syn_dropped']) - sum(before['syn_dropped'])}", flush=True)
    seen.update(killed=killed, peak=peak, later=later, share=share)
    return seen


def best(lab, kind, family, quiet):
    """The first run within the limits of memory, else the best of three: a busy host delays the
    agent and its measurements."""
    runs = []
    for _ in range(3):
        runs.append(protected(lab, kind, family, quiet))
        if (runs[-1]["peak"] <= limit_of(kind) and runs[-1]["later"] <= limit_of(kind) - 0.1
                and runs[-1]["share"] >= 0.98):
            break
    return min(runs, key=lambda r: (r["share"] < 0.98, r["peak"] + r["later"]))


def limit_of(kind):
    return 3.5 if kind == "reopen" else 1.6


def judge(kind, family, bad, good):
    void = bad["ok"] >= 0.6
    if kind == "syn":  # SYN cookies of the kernel withstand it without us
        void = False
    check(not void, f"{kind} IPv{family}: the control fails without protection")
    check(good["share"] >= 0.98,
          f"{kind} IPv{family}: {good['share']:.3f} of the success without an attack")
    check(good["p99"] <= (540 if kind == "reopen" else 200),
          f"{kind} IPv{family}: 99 % are answered within {good['p99']:.0f} ms")
    if kind not in ("idle", "syn"):
        most = limit_of(kind)
        check(good["peak"] <= most, f"{kind} IPv{family}: peak {good['peak']:.2f} hi")
        check(good["later"] <= most - 0.1 or kind == "reopen",
              f"{kind} IPv{family}: from 1 s after the onset {good['later']:.2f} hi")


def audit(lab, before):
    """Every kill has its record, and names a connection of the attack or is counted as false."""
    totals = lab.status()["totals"]
    killed = totals["killed"] - before["killed"]
    records = lab.json("mpp", "events", "--limit", "65536")["records"] if killed else []
    mine = records[-killed:] if killed else []
    check(len(mine) + totals["lost"] - before["lost"] == killed,
          f"{len(mine)} records + {totals['lost'] - before['lost']} lost = {killed} kills")
    attackers = lab.attackers()
    false = [r for r in mine if (r["peer"], r["peer_port"]) not in attackers]
    check(len(false) <= killed * 0.02, f"{len(false)} of {killed} kills were no attackers")


def dead_man(lab):
    """SIGKILL while the gate is closed: SYNs pass again, stamps stay, the next agent goes on."""
    lab.clear()
    lab.limit(SMALL)
    lab.serve()
    attack = lab.attack("reopen", 12)
    end = time.monotonic() + 6
    while lab.status()["gate"]["level"] < 2 and time.monotonic() < end:
        time.sleep(0.05)
    level = lab.status()["gate"]["level"]
    check(level >= 2, f"the gate is closed: level {level}")
    dropped = sum(lab.status()["totals"]["syn_dropped"])
    lab.stop_agent(signal.SIGKILL)
    time.sleep(2.5)
    counts = gate_drops(lab)
    time.sleep(1)
    check(gate_drops(lab) == counts and counts >= dropped,
          f"2.5 s after SIGKILL nothing is dropped ({counts} before)")
    check((lab.dir / "run/mpp-syncookies").exists(), "the old value of tcp_syncookies is kept")
    check((lab.pins / "mpp/stamps-1").exists(), "stamps stay pinned")
    lab.start_agent()
    s = lab.status()
    check(s["connections"]["adopted"] < s["connections"]["candidates"],
          f"the next agent finds the stamps: {s['connections']['adopted']} of "
          f"{s['connections']['candidates']} adopted")
    attack.wait(timeout=30)
    lab.end(lab.server, signal.SIGKILL)
    lab.limit(None)


def gate_drops(lab):
    """SYNs that the program dropped, from its counters."""
    out = run(["bpftool", "-j", "map", "dump", "pinned", str(lab.pins / "map/mpp_counts")])
    rows = json.loads(out.stdout)
    return sum(int.from_bytes(bytes(int(b, 16) for b in v["value"]), "little")
               for row in rows if 1 <= int.from_bytes(bytes(int(b, 16) for b in row["key"]),
                                                      "little") <= 5
               for v in row["values"])


def stamps(lab):
    """Exemptions and `off` are decided when a connection is made."""
    lab.clear()
    lab.limit(SMALL)
    lab.serve()
    lab.ok("mpp", "exempt", "add", str(EXEMPT_PORT))
    old = lab.attack("zero", 14, port=EXEMPT_PORT, extra=["-n", "50", "-c", "50"])
    time.sleep(1)
    lab.ok("mpp", "exempt", "delete", str(EXEMPT_PORT))
    exempt = lab.status()["connections"]["exempt"]
    check(exempt == 50, f"{exempt} of 50 connections carry the exemption")
    attack = lab.attack("zero", 6, extra=["-c", "5000"])
    attack.wait(timeout=30)
    killed = lab.status()["totals"]["killed"]
    left = lab.status()["connections"]["exempt"]
    check(killed > 0 and left == 50, f"after its removal {left} of 50 survive, {killed} others not")
    old.wait(timeout=30)
    lab.ok("mpp", "disable")
    before = lab.status()["totals"]
    lab.end(lab.server, signal.SIGKILL)
    seen = lab.scene("zero", protected=True, seconds=6)
    after = lab.status()["totals"]
    check(after["killed"] == before["killed"] and after["syn_dropped"] == before["syn_dropped"]
          and seen["opened"] > 0, "switched off: nothing is done while the attack goes on")
    lab.ok("mpp", "enable")


def orphans(lab):
    """What a dead server had queued is freed although the attacker answers."""
    for kill in (False, True):
        lab.clear()
        lab.limit(SMALL)
        lab.ok("mpp", "disable")
        lab.serve()
        attack = lab.attack("zero", 8, extra=["-r", "1500", "-c", "5000"])
        time.sleep(2)
        lab.end(lab.server, signal.SIGKILL)
        filled = tcp_memory() > HI
        if kill:
            lab.ok("mpp", "enable", "--apply-to-existing")
        died = time.monotonic()
        while tcp_memory() > HI and time.monotonic() < died + 3:
            time.sleep(0.02)
        took = time.monotonic() - died
        check(filled and (took < 1 if kill else took >= 3),
              f"{'' if kill else 'control, off: '}{took * 1000:.0f} ms until the orphans of a dead "
              "server hold less than hi")
        attack.wait(timeout=30)
    lab.limit(None)


def profiles(lab):
    """A private interface is spared until profiles are off; old connections stay spared."""
    lab.stop_agent()
    lab.start_agent("[profiles]\npub0 = private\n")
    lab.clear()
    lab.limit(SMALL)
    lab.serve()
    before = lab.status()["totals"]
    old = lab.attack("zero", 12, extra=["-n", "30", "-c", "30"])
    attack = lab.attack("zero", 4, extra=["-s", "10.77.200.1", "-c", "5000"])
    attack.wait(timeout=30)
    after = lab.status()["totals"]
    check(after["killed"] == before["killed"] and after["syn_dropped"] == before["syn_dropped"],
          "nothing is done to connections of a private interface")
    lab.end(lab.server, signal.SIGKILL)
    lab.end(old)
    lab.clear()
    lab.serve()
    old = lab.attack("zero", 12, extra=["-n", "30", "-c", "30"])
    time.sleep(1)
    lab.ok("mpp", "profiles", "off")
    attack = lab.attack("zero", 5, extra=["-s", "10.77.200.1", "-c", "5000"])
    attack.wait(timeout=30)
    killed = lab.status()["totals"]["killed"] - before["killed"]
    spared = lab.status()["connections"]["spared"]
    check(killed > 0 and spared == 30,
          f"profiles off: {killed} new ones are ended, {spared} of 30 old ones live")
    old.wait(timeout=30)
    lab.end(lab.server, signal.SIGKILL)
    lab.limit(None)


def test(lab):
    quiet = lab.scene("none", seconds=5)
    check(quiet["ok"] >= 0.99, f"without an attack {quiet['ok']:.3f} succeed")
    kinds = [("zero", 4)]
    if LONG:
        kinds += [(k, 4) for k in ("grown", "slow", "noack", "reopen", "botnet", "idle", "syn")]
        kinds += [("zero", 6), ("noack", 6)]
    bad = {k: control(lab, *k) for k in kinds}
    lab.start_agent()
    for k in kinds:
        good = best(lab, *k, quiet)
        judge(*k, bad[k], good)
        if k[0] != "syn":
            audit(lab, last_before[0])
    stamps(lab)
    dead_man(lab)
    if LONG:
        orphans(lab)
        profiles(lab)
    if LONG:
        first, stays = (sorted(o[i] for o in onsets)[len(onsets) * 95 // 100] for i in (0, 1))
        check(len(onsets) >= 20 and first <= 500,
              f"95 % of {len(onsets)} onsets are below hi within {first} ms, and stay there, while "
              f"the attack goes on, after {stays} ms")


main(test, Lab)
