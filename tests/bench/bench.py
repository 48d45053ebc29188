#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""portward beside the packet filters that people use, with the same filters and the same packets in
one run: CPU time of a packet, packets per second over veth, loading, one filter more, memory; and
which goals are met. Everything happens in network namespaces of its own.

Usage: bench.py [--quick] [--only NAME,...] [--sizes N,...] [--peers DIR] [--out DIR]
  --quick   two sizes, few rounds, nft only: shows in a minute that everything works, no figures
  --only    these backends (see backends.py), besides "none"
  --peers   where unpack-peers.sh put competitors that are not installed here
  --out     writes results.json, results.txt and results.svg there
PORTWARD_BUILD names the build directory. Exit status: 0, 1 if a ruleset did not filter or ours
could not be measured, 77 if it cannot run here. Missed goals do not make it fail."""
import argparse
import datetime
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys

import goals
import report
from backends import PEERS, Nothing, Portward, PortwardDirect, XdpDrop, guard_known
from lab import BUILD, PROGRAM, Lab
from measure import Measurement, Plan
from pwtest import ROOT, SKIP

QUICK = {"nft-linear", "nft-concat"}
CHANGE_ROUNDS = 11
COMMAND = "make bench-docs"  # what docs/performance.md tells its reader to type


def command_line():
    parser = argparse.ArgumentParser(description="portward beside other packet filters")
    parser.add_argument("--quick", action="store_true", help="a minute, no figures")
    parser.add_argument("--only", help="backends, separated by commas")
    parser.add_argument("--sizes", help="numbers of filters, separated by commas")
    parser.add_argument("--peers", default=os.environ.get("PORTWARD_PEERS"),
                        help="directory of unpack-peers.sh")
    parser.add_argument("--out", type=pathlib.Path, help="directory for the results")
    return parser.parse_args()


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return (done.stdout.splitlines() or [""])[0].strip()


def machine():
    memory = next(line for line in pathlib.Path("/proc/meminfo").read_text().splitlines()
                  if line.startswith("MemTotal"))
    jit = pathlib.Path("/proc/sys/net/core/bpf_jit_enable")
    return {"kernel": platform.release(), "cpu": cpu_model(), "cpus": os.cpu_count(),
            "memory_mb": int(memory.split()[1]) // 1024, "load": os.getloadavg()[0],
            "virtual": first_line("systemd-detect-virt") or "unknown",
            "bpf_jit": jit.read_text().strip() if jit.exists() else "unknown",
            "nft": first_line("nft", "--version"),
            "commit": first_line("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
            "date": datetime.date.today().isoformat()}


class Bench:
    def __init__(self, lab, plan, options):
        self.lab, self.plan, self.options = lab, plan, options
        self.measurement = Measurement(lab, plan)
        self.results = {"version": 1, "quick": plan.quick, "rounds": plan.rounds,
                        "round_ms": plan.round_ms, "command": COMMAND,
                        "machine": machine(), "rows": [], "changes": [], "skipped": []}
        self.only = set(options.only.split(",")) if options.only else QUICK if plan.quick else None
        self.guards = ["off", "on"] if guard_known(lab.dir) else [None]
        if self.guards == [None]:
            self.skip("guard on and off: this build has no setting for it")

    def skip(self, text):
        self.results["skipped"].append(text)
        print(f"SKIP: {text}", flush=True)

    def wanted(self, backend, n):
        ours = backend.name.startswith(("portward", "none", "xdp"))
        if self.only is not None and not ours and backend.name not in self.only:
            return False
        if n > backend.cap:
            self.skip(f"{backend.label}, {n:,}: {backend.why}")
            return False
        missing = [tool for tool in backend.tools if not self.lab.has(tool)]
        if missing:
            self.skip(f"{backend.label}, {n:,}: no {missing[0]} here")
            return False
        return True

    def row(self, backend, n, *steps):
        if not self.wanted(backend, n):
            return None
        row = self.measurement.row(backend, n, steps or ("inject", "flood", "update"))
        self.results["rows"].append(row)
        trouble = row.get("wrong") or row.get("failed")
        cost = {k: v["median_ns"] for k, v in row.get("inject", {}).items()}
        print(f"{report.name(row)}, {n:,}: " + (f"FAILED: {trouble}" if trouble else
              f"{cost} ns, apply {row['load'].get('apply_ms')} ms"), flush=True)
        return row

    def one_size(self, n):
        self.row(Nothing(), n, "inject", "flood")
        for backend in PEERS:
            if backend.family == 4:
                self.row(backend, n)
        own = [self.row(Portward(guard), n) for guard in self.guards]
        # Its packets only where the agent could not be measured.
        failed = any("failed" in row for row in own)
        self.row(PortwardDirect(), n, *(["load", "inject", "flood"] if failed else ["load"]))

    def special(self):
        """Other filters, other packets, the other family."""
        large, middle = self.plan.large, min(10000, self.plan.large)
        off = self.guards[0]
        self.row(XdpDrop(), 10, "flood")
        for n in sorted({1000, middle, large}):
            self.row(Portward(off, kind="range"), n, "inject")
        self.row(Portward(off, kind="mixed16"), large, "inject")
        self.row(Portward(off, kind="mixed56"), large, "inject", "near")
        self.row(Portward(off, kind="everyone"), middle, "inject", "nobody")
        for n in self.plan.six:
            for backend in PEERS:
                if backend.family == 6:
                    self.row(backend, n, "inject")
            for guard in self.guards:
                self.row(Portward(guard, family=6), n, "inject", "flood")
        for n in self.plan.changes:
            self.results["changes"].append(
                self.measurement.change(n, 3 if self.plan.quick else CHANGE_ROUNDS))

    def run(self):
        sizes = [int(n) for n in self.options.sizes.split(",")] if self.options.sizes \
            else self.plan.sizes
        for n in sizes:
            self.one_size(n)
        self.special()
        self.results["goals"] = goals.judge(self.results)


def write(results, directory):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (directory / "results.txt").write_text(report.plain(results) + "\n")
    (directory / "results.svg").write_text(report.svg(results))


def status(results):
    """Competitors may fail; ours may not, and nobody may be wrong."""
    own = [row for row in results["rows"] if row["backend"].startswith(("portward", "none"))]
    bad = [row for row in results["rows"] if "wrong" in row]
    bad += [row for row in own + results["changes"] if "failed" in row]
    return 1 if bad else 0


def main():
    options = command_line()
    if os.geteuid() != 0:
        print("SKIP: bench.py needs root for network namespaces")
        return SKIP
    if not PROGRAM.exists():
        print(f"bench.py: no {PROGRAM}\nhint: ninja -C {BUILD}")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    lab = Lab(options.peers)
    try:
        bench = Bench(lab, Plan(options.quick), options)
        bench.run()
    finally:
        lab.close()
    print("\n" + report.plain(bench.results))
    if options.out:
        write(bench.results, options.out)
    return status(bench.results)


if __name__ == "__main__":
    sys.exit(main())
