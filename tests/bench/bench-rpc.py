#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a bind() to port 0 costs: confined and not confined, side by side, at several numbers of
held ports, for sets of 21 and 4,000 ports; and what an unconfined one costs with the programs
attached and without them. Prints ns, the best of 20 parts of a run and of ROUNDS runs, and ratios.
Never fails for being slow. Usage: bench-rpc.py [ROUNDS]
"""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))
import pwtest  # noqa: E402
import rpclab  # noqa: E402

BINDS = pwtest.BUILD / "tests/tools/pw-binds"
COUNT = 20000
GOAL, GOAL_UNCONFINED = 1.5, 1.05


def once(lab, where, held):
    p = lab.start(where, [BINDS, "time", held, COUNT], stdout=subprocess.PIPE)
    return int(p.communicate()[0])


def side_by_side(lab, app, held, rounds):
    """Best of both, turn by turn."""
    best = [min(pair) for pair in zip(*((once(lab, None, held), once(lab, app, held))
                                        for _ in range(rounds)))]
    return best[0], best[1]


def run(net):
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    lab = rpclab.Lab(net)
    try:
        app = lab.cgroup(lab.name())
        without = min(once(lab, None, 0) for _ in range(rounds))
        for first, last in ((5001, 5021), (20001, 24000)):
            n = last - first + 1
            net.config(f"[rpc]\nports = {first}-{last}\nconfine = /{app.name}\n")
            net.start_agent()
            for held in (0, n // 2, n * 9 // 10, n - 1):
                plain, confined = side_by_side(lab, app, held, rounds)
                print(f"{n:5} ports, {held:4} held: plain {plain} ns, confined {confined} ns, "
                      f"ratio {confined / plain:.2f} (goal {GOAL})", flush=True)
                pwtest.check(confined > 0, "measured")
            net.stop_agent()
            if first == 5001:
                plain = min(once(lab, None, 0) for _ in range(rounds))
                pwtest.remove_pins(net.pins / "rpc")
                without = min(without, min(once(lab, None, 0) for _ in range(rounds)))
                print(f"unconfined: without programs {without} ns, with {plain} ns, ratio "
                      f"{plain / without:.2f} (goal {GOAL_UNCONFINED})", flush=True)
    finally:
        lab.close()


pwtest.main(run)
