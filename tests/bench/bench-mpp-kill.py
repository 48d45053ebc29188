#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast stalled connections are ended: by passes of memory pressure protection and by `ss -K` with
a filter, side by side on the same number of connections; time and processor time of a whole run each.
Server and peers stand still meanwhile and resets end at the host's own end of the cable, so that
only ending is measured. Prints ended connections a second, the best of ROUNDS, and the ratio. Never
fails for being slow.

4096 connections are one pass of the agent. More are ended once by a single pass, which is how fast
the kernel can, and once in passes of 4096, as the agent would without its rests.
Usage: bench-mpp-kill.py [ROUNDS]"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))
from mpplab import PORT, Lab  # noqa: E402
from pwtest import BUILD, check, main  # noqa: E402

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
PASS, ALL = 4096, 4294967295
GOAL = 10
TOOL = BUILD / "tests/bench/bench-mpp-kill"
SS = ["ss", "-K", "-n", "-t", "state", "established", f"sport = :{PORT}"]


def connections(lab):
    """Of both families: the server's listeners are for both."""
    total = 0
    for name in ("sockstat", "sockstat6"):
        for line in open(f"/proc/{lab.server.pid}/net/{name}"):
            if line.startswith("TCP"):
                total += int(line.split()[2])
    return total


class Stalled:
    """n connections that asked for data and take none."""

    def __init__(self, lab, n):
        self.lab, self.n = lab, n
        self.attack = lab.attack("zero", 60, extra=["-n", str(n), "-r", "5000"])
        end = time.monotonic() + 30
        while connections(lab) < n or time.monotonic() < end - 29.5:
            if time.monotonic() > end:
                raise RuntimeError(f"{connections(lab)} of {n} connections came")
            time.sleep(0.05)
        time.sleep(1)  # requests are answered as far as queues go
        self.attack.send_signal(signal.SIGSTOP)
        lab.server.send_signal(signal.SIGSTOP)
        lab.ip("W", "link", "set", "ps", "down")

    def close(self):
        self.lab.ip("W", "link", "set", "ps", "up")
        self.lab.server.send_signal(signal.SIGCONT)
        self.attack.send_signal(signal.SIGCONT)
        self.lab.end(self.attack)
        subprocess.run(["nsenter", f"--net=/run/netns/{self.lab.names['S']}", "ss", "-K", "-n",
                        "-t", "state", "connected"], stdout=subprocess.DEVNULL, check=False)


def by_ss(lab, n):
    """Ended a second of time, and of processor time."""
    s = Stalled(lab, n)
    begin = time.monotonic()
    done = lab.spawn("S", *SS, stdout=subprocess.DEVNULL)
    usage = os.wait4(done.pid, 0)[2]
    took = time.monotonic() - begin
    done.returncode = 0
    killed = n - connections(lab)
    s.close()
    return killed / took, killed / (usage.ru_utime + usage.ru_stime)


def by_passes(lab, n, kills):
    s = Stalled(lab, n)
    done = lab.spawn("S", TOOL, lab.pins, lab.pins.name, lab.dir / "run", kills,
                     stdout=subprocess.PIPE)
    said = json.loads(done.communicate()[0])
    s.close()
    if said["killed"] < n * 0.99:
        raise RuntimeError(f"{said['killed']} of {n} were ended")
    return said["killed"] * 1e9 / said["ns"], said["killed"] * 1e9 / said["cpu_ns"]


def best(pairs):
    return tuple(max(values) for values in zip(*pairs))


def bench(lab):
    # Small queues, so that memory is not what limits the number of connections.
    lab.spawn("S", "sysctl", "-qw", "net.ipv4.tcp_wmem=4096 16384 16384").wait()
    lab.start_agent()
    lab.stop_agent()
    lab.serve()
    for n, budgets in ((PASS, (PASS,)), (20000, (ALL, PASS))):
        seen = [(by_ss(lab, n), *(by_passes(lab, n, b) for b in budgets)) for _ in range(ROUNDS)]
        ss, *ours = (best(r) for r in zip(*seen))
        for budget, rate in zip(budgets, ours):
            print(f"{n:6} stalled, {'one pass' if n <= budget else f'passes of {budget}'}: "
                  f"{rate[0]:.0f} a second, ss -K {ss[0]:.0f}, ratio {rate[0] / ss[0]:.1f}; of "
                  f"processor time {rate[1]:.0f}, ss -K {ss[1]:.0f}, ratio {rate[1] / ss[1]:.1f} "
                  f"(goal {GOAL})", flush=True)
            check(min(rate + ss) > 0, "measured")


main(bench, Lab)
