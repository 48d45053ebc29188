#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`portward scan` against nmap, turn by turn in the same namespaces: a host that answers with 200
listeners, a host that drops all but 10 ports (nmap as it tunes best), and 1 % and 5 % loss each way.
Every result is compared with the truth. Prints seconds (least and middle) and ratios of the least
ones; never fails for being slow, but for a wrong answer of ours. Usage: bench-scan.py [ROUNDS]"""
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))
import pwtest  # noqa: E402
import scanlab  # noqa: E402
from pwtest import CLI, S4, check  # noqa: E402

NMAP = ("nmap", "-n", "-Pn", "-sS", "-p-", S4)
# The tunings of nmap that still find all ports of a host that drops; the best one counts.
TUNINGS = (("-T5", "--min-rate", "100000", "--max-retries", "1"),
           ("-T5", "--min-rate", "50000", "--max-retries", "1"),
           ("-T5", "--min-rate", "20000", "--max-retries", "1"))


def timed(net, *command, timeout=600):
    begin = time.monotonic()
    done = scanlab.inside(net, "C", *command, timeout=timeout)
    return time.monotonic() - begin, done.stdout


def ours(net, *args):
    took, out = timed(net, CLI, "scan", S4, "--rate", "unlimited", "--no-header", "-q", *args)
    return took, {int(line.split()[0]) for line in out.splitlines() if " open " in line}


def nmap(net, *args):
    took, out = timed(net, *NMAP, *args)
    return took, {int(line.split("/")[0]) for line in out.splitlines() if "/tcp" in line and " open" in line}


def show(name, times, goal):
    """times: {who: [(seconds, exact)]}; the first one is ours."""
    least = {who: min(t for t, _ in runs) for who, runs in times.items()}
    for who, runs in times.items():
        exact = sum(e for _, e in runs)
        print(f"{name:28} {who:34} least {least[who]:7.3f} s, middle "
              f"{sorted(t for t, _ in runs)[len(runs) // 2]:7.3f} s, exact {exact} of {len(runs)}")
    first, *others = times
    rivals = [w for w in others if all(e for _, e in times[w])] or others
    best = min(rivals, key=least.get)
    print(f"{name:28} ratio {least[best] / least[first]:.1f} against '{best}' (goal {goal})", flush=True)
    check(all(e for _, e in times[first]), f"{name}: ours exact in each of {len(times[first])} runs")


def measure(net, name, truth, rounds, rivals, goal, once=False):
    times = {"portward scan": []}
    for i in range(rounds):
        took, found = ours(net)
        times["portward scan"].append((took, found == truth))
        for rival in rivals:
            who = " ".join(("nmap -sS",) + rival)
            if once and i:
                continue
            took, found = nmap(net, *rival)
            times.setdefault(who, []).append((took, found == truth))
    show(name, times, goal)


def run(net):
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    if not shutil.which("nmap"):
        pwtest.skip("no nmap")
    print(f"seed {scanlab.SEED}, {rounds} rounds")
    truth = scanlab.listeners(net, 200)
    measure(net, "200 listeners, all answer", truth, rounds, [("-T5",), ("-T4",)], 2)
    ten = set(sorted(truth)[::20])
    scanlab.nft(net, "S", "table inet f {\nchain i {\ntype filter hook input priority 0; policy drop;\n"
                          f"tcp dport {{ {','.join(map(str, ten))} }} accept\n}}\n}}")
    measure(net, "default drop, 10 open", ten, rounds, TUNINGS, 3)
    scanlab.clear(net)
    for percent in (1, 5):
        scanlab.loss(net, percent)
        measure(net, f"{percent} % loss each way", truth, rounds, [("-T5",)], 8, once=True)
        scanlab.clear(net)


pwtest.main(run)
