#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a netsh script of LINES lines takes as one change, beside the same lines run one by one
(of which SAMPLE are timed and the rest is reckoned: each is a process and a change of its own).
windows.md 19: one transaction is at least 10 times faster.

Usage: bench-netsh.py [LINES [SAMPLE]]; PORTWARD_BUILD names the build directory."""
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))
from pwtest import CLI, SKIP, Net  # noqa: E402

LINES = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
SAMPLE = int(sys.argv[2]) if len(sys.argv) > 2 else 50
GOAL = 10
HEAD = [
    'add filterlist name="big list"',
    "add filteraction name=block action=block",
    'add policy name="Big policy"',
    'add rule name="Big rule" policy="Big policy" filterlist="big list" filteraction=block',
    'set policy name="Big policy" assign=y',
]


def filter_line(i):
    return (f'add filter filterlist="big list" srcaddr=10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}'
            f" dstaddr=me protocol=tcp dstport={i % 1000 + 1} mirrored=no")


def words(line):
    """As a shell splits the lines above."""
    return [word.replace("\0", " ") for word in
            "".join(part if i % 2 == 0 else part.replace(" ", "\0")
                    for i, part in enumerate(line.split('"'))).split()]


def timed(command):
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    elapsed = time.monotonic() - start
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}".strip())
    return elapsed


def measure(run_dir):
    net = Net()
    os.symlink(run_dir, net.dir / "run")
    netsh = [str(CLI), "--runtime-dir", str(net.dir / "run"), "compat", "netsh"]
    try:
        net.start_agent()
        script = net.dir / "big.netsh"
        lines = HEAD + [filter_line(i) for i in range(LINES - len(HEAD))]
        with net.inside("S"):
            script.write_text("ipsec static\n" + "\n".join(lines) + "\n")
            parse = timed(netsh[:5] + ["--explain", "-f", str(script)])
            whole = timed(netsh + ["-f", str(script)])
            timed(netsh + ["ipsec", "static", "delete", "all"])
            for line in HEAD:
                timed(netsh + ["ipsec", "static"] + words(line))
            single = [timed(netsh + ["ipsec", "static"] + words(filter_line(i)))
                      for i in range(SAMPLE)]
        return parse, whole, statistics.median(single)
    finally:
        net.close()


def main():
    if os.geteuid() != 0:
        print("SKIP: needs root for network namespaces")
        return SKIP
    run_dir = tempfile.mkdtemp(prefix="pw-bench-", dir="/dev/shm")
    try:
        parse, whole, single = measure(run_dir)
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)
    one_by_one = single * LINES
    print(f"script of {LINES} lines   as one change {whole:8.2f} s, of which without the agent's "
          f"work {parse:.2f} s")
    print(f"line by line          {single * 1000:8.1f} ms each with {SAMPLE} filters, "
          f"{one_by_one:.0f} s in all")
    print(f"ratio                 {one_by_one / whole:8.0f}   (goal {GOAL})"
          f"{'' if one_by_one >= GOAL * whole else '   MISSED'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
