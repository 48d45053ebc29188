#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What memory pressure protection costs while nothing happens: nanoseconds that it adds to a new
connection, and the agent's processor time with 50,000 idle connections. Never fails for being slow.

A connection over lo has both of its ends here, so that two stamps are made; no packet filter is on
that interface. Processor time, the best of all rounds. A stamp: its program at cgroup2 and the memory
that it takes; the agent's other programs at cgroup2 are there without stamps, too.
Usage: bench-mpp-rest.py [ROUNDS]"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))
from mppcost import IDLE, connect_costs, open_idle, rest_percent  # noqa: E402
from mpplab import Lab  # noqa: E402
from pwtest import check, main, remove_pins  # noqa: E402

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
GOAL_NS, GOAL_PERCENT = 300, 1


def bench(lab):
    lab.start_agent()
    without, unstamped, off, on = connect_costs(lab, ROUNDS)
    print(f"a new connection, both ends: without agent {without:.0f} ns, with it but without stamps "
          f"{unstamped:.0f}, protection off {off:.0f}, on {on:.0f}: a stamp costs "
          f"{(on - unstamped) / 2:.0f} ns (goal {GOAL_NS})", flush=True)
    check(without > 0, "measured")
    lab.stop_agent()
    remove_pins(lab.pins)
    lab.start_agent()
    alone = rest_percent(lab)
    n, state = open_idle(lab)
    print(f"at rest: {alone:.2f} % of a core without connections, {rest_percent(lab):.2f} % with "
          f"{n} idle ones, state {state} (goal {GOAL_PERCENT} %)", flush=True)
    check(n >= IDLE, f"{n} connections")


main(bench, Lab)
