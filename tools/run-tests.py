#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs everything that must pass: `make test`, with --long also the long campaigns.

Cheap tiers first: style, then unit and golden tests (gcc, gcc with ASan and UBSan, clang),
fuzz targets, the differential and the packet tests. Every stage is a set of meson tests, so
that one place counts. A test that cannot run here ends with 77 and is shown as SKIP. The last
line is "N passed, N failed, N skipped"; the exit status is 0 only if nothing failed.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FAST = ["unit", "golden", "fuzz"]
BUILDS = {
    "build-test": {"args": []},
    "build-asan": {"args": ["-Db_sanitize=address,undefined", "-Db_lundef=false"]},
    "build-clang": {"args": [], "cc": "clang-14"},
    "build-fuzz": {"args": ["-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false"],
                   "cc": "clang-14"},
}
STAGES = [
    ("style", "build-test", ["style"]),
    ("unit and golden", "build-test", FAST),
    ("unit and golden, ASan and UBSan", "build-asan", FAST),
    ("unit and golden, clang", "build-clang", FAST),
    ("fuzz targets", "build-fuzz", ["fuzz"]),
    ("differential", "build-test", ["diff"]),
    ("packets", "build-test", ["netns"]),
]
LONG_STAGES = [
    ("fuzz targets, 10 minutes each", "build-fuzz", ["fuzz-long"]),
    ("long campaigns", "build-test", ["long"]),
]


class Totals:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def add(self, stage, record):
        name = f"{stage}: {record['name']}"
        result = record["result"]
        if result in ("OK", "EXPECTEDFAIL"):
            self.passed += 1
        elif result == "SKIP":
            self.skipped.append(name)
        else:
            self.failed.append((name, record))


def build(directory):
    """Configures and builds one directory; warnings are errors here. True on success."""
    config = BUILDS[directory]
    env = dict(os.environ)
    if "cc" in config:
        env["CC"] = config["cc"]
    if not (ROOT / directory / "build.ninja").exists():
        setup = ["meson", "setup", "--werror", *config["args"], directory]
        if subprocess.run(setup, cwd=ROOT, env=env, stdout=subprocess.DEVNULL).returncode:
            return False
    run = subprocess.run(["ninja", "-C", directory, "--quiet"], cwd=ROOT, text=True,
                         capture_output=True)
    if run.returncode:
        print(run.stdout[-8000:], run.stderr[-2000:])
    return run.returncode == 0


def records(directory):
    log = ROOT / directory / "meson-logs" / "testlog.json"
    for line in log.read_text().splitlines():
        yield json.loads(line)


def run_stage(stage, directory, suites, totals):
    start = time.monotonic()
    if not build(directory):
        totals.failed.append((f"{stage}: build in {directory}", None))
        return
    log = ROOT / directory / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    command = ["meson", "test", "-C", directory, "--no-rebuild", "--quiet"]
    for suite in suites:
        command += ["--suite", suite]
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:abort_on_error=1",
               UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1")
    subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    before = totals.passed, len(totals.failed), len(totals.skipped)
    found = list(records(directory)) if log.exists() else []
    for record in found:
        totals.add(stage, record)
    if not found:
        totals.failed.append((f"{stage}: no test ran", None))
    print(f"{stage}: {totals.passed - before[0]} passed, {len(totals.failed) - before[1]} failed, "
          f"{len(totals.skipped) - before[2]} skipped in {time.monotonic() - start:.0f} s",
          flush=True)


def report(totals):
    for name, record in totals.failed:
        print(f"FAIL {name}")
        if record:
            print((record.get("stdout") or "")[-6000:])
            print((record.get("stderr") or "")[-4000:])
    for name in totals.skipped:
        print(f"SKIP {name}")
    print(f"{totals.passed} passed, {len(totals.failed)} failed, {len(totals.skipped)} skipped")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="also run the long campaigns")
    parser.add_argument("--stage", action="append", help="only stages whose name contains this")
    options = parser.parse_args()
    stages = STAGES + (LONG_STAGES if options.long else [])
    totals = Totals()
    for stage, directory, suites in stages:
        if not options.stage or any(part in stage for part in options.stage):
            run_stage(stage, directory, suites, totals)
    report(totals)
    return 1 if totals.failed or not totals.passed else 0


if __name__ == "__main__":
    sys.exit(main())
