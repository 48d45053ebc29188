#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists many listeners with `portward sockets` and with `ss` (and netstat where it is installed), one
beside the other, the output written to a file, and compares the rows. Prints ratios; ends with 1 if
rows differ. Usage: bench-sockets.py [LISTENERS [RUNS]]"""
import json
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))
from pwtest import CLI, check, main  # noqa: E402
from socklab import both, difference, holding  # noqa: E402

N = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
RUNS = int(sys.argv[2]) if len(sys.argv) > 2 else 3


def timed(net, *command):
    with open(net.dir / "out", "wb") as out:
        start = time.monotonic()
        subprocess.run(["nsenter", f"--net=/run/netns/{net.names['S']}", *command], stdout=out,
                       stderr=subprocess.DEVNULL, check=True)
        return time.monotonic() - start


def bench(net):
    own = [str(CLI), "--runtime-dir", str(net.dir / "run"), "sockets"]
    with holding(net, N):
        alone = min(timed(net, *own) for _ in range(RUNS))
        net.start_agent()
        net.ok("block", "in", "all")
        net.ok("permit", "in", "tcp", "port", "22", "from", "10.1.0.0/16")
        times = {"sockets": [], "sockets --json": [], "ss -Hlntu": [], "ss -Hlntup": []}
        if shutil.which("netstat"):
            times["netstat -lntup"] = []
        for i in range(RUNS):
            for name, spent in times.items():
                if i and name in ("ss -Hlntup", "netstat -lntup"):
                    continue  # many seconds each
                command = own + name.split()[1:] if name.startswith("sockets") else name.split()
                spent.append(timed(net, *command))
        best = {name: min(spent) for name, spent in times.items()}
        theirs, ours, _ = both(net, net.cli)
    print(f"{N} listeners, 10 processes; seconds, the best of {RUNS} (ss -p: of 1):")
    print(f"  {'sockets, no agent':18} {alone:7.3f}")
    for name, spent in best.items():
        print(f"  {name:18} {spent:7.3f}   {spent / best['sockets']:6.1f} x sockets")
    print(json.dumps({"listeners": N, "alone_s": alone, **best}))
    check(theirs == ours, f"the same {sum(ours.values())} rows as ss {difference(theirs, ours)}")


main(bench)
