#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Smoke test of bench.py: its quick mode runs, its results are complete and well-formed, its
picture and document can be made, nothing is left behind; and, as a control, a ruleset that blocks
the wrong port and one that blocks everything are found out. No figure is judged: this machine may
be busy. PORTWARD_BUILD names the build directory."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import goals  # noqa: E402
import rulesets  # noqa: E402
from backends import Nft  # noqa: E402
from lab import Lab  # noqa: E402
from measure import Measurement, Plan  # noqa: E402
from pwtest import SKIP, check, main, skip  # noqa: E402

N = 300
WANTED = {("none", "one", 4), ("portward", "one", 4), ("portward", "mixed16", 4),
          ("portward", "mixed56", 4), ("portward", "range", 4), ("portward", "everyone", 4),
          ("portward", "one", 6)}


def left_by(pid):
    """Namespaces that a process of the benchmark made."""
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    return [line for line in names.splitlines()
            if line.startswith((f"pw-bench-{pid}-", f"pw-bench-out-{pid}-"))]


def check_row(row):
    what = f"{row['backend']} {row['set']} v{row['family']} n={row['n']}"
    trouble = row.get("wrong") or row.get("failed")
    check(not trouble, f"{what}: measured{': ' + trouble if trouble else ''}")
    for way in ("inject", "veth"):
        for kind, value in row.get(way, {}).items():
            good = value["packets"] > 0 and value["median_ns"] >= value["min_ns"] > 0 and \
                len(value["rounds_ns"]) >= 3
            if not good:
                check(False, f"{what}: {way} {kind}: {value}")


def check_results(directory):
    results = json.loads((directory / "results.json").read_text())
    for row in results["rows"]:
        check_row(row)
    seen = {("portward" if r["backend"].startswith("portward-guard") else r["backend"], r["set"],
             r["family"]) for r in results["rows"]}
    check(WANTED <= seen, f"every kind of row is there: missing {WANTED - seen or 'none'}")
    check(len(results["goals"]) > 20 and
          all(set(g) == {"text", "op", "bound", "value", "without", "met"} for g in results["goals"]),
          "every goal is judged or not measured")
    check(any(g["met"] is not None for g in results["goals"]), "some goals can be judged")
    check(all("failed" not in c and c["in_place_ms"] > 0 for c in results["changes"]),
          f"one filter more: {results['changes']}")
    picture = xml.etree.ElementTree.parse(directory / "results.svg").getroot()
    lines = picture.iter("{http://www.w3.org/2000/svg}polyline")
    check(sum(1 for _ in lines) >= 4, "the picture has lines")
    document = directory / "performance.md"
    subprocess.run([sys.executable, str(HERE / "write-performance.py"),
                    str(directory / "results.json"), str(document)], check=True)
    check("## Goals" in document.read_text() and (directory / "performance.svg").exists(),
          "the document is written")


def made_up(name, legit, none, **load):
    return {"backend": name, "n": 1000, "set": "one", "family": 4, "load": load,
            "inject": {"legit": {"median_ns": legit}},
            "baseline": {"inject": {"median_ns": none}}}


def check_goals():
    """Of rows whose ratios are known."""
    def judged(ours):
        rows = [made_up("nft-linear", 9600, 600), made_up("portward-guard-off", ours, 600)]
        return {g["text"]: g for g in goals.judge({"rows": rows, "changes": []})}
    added, whole = ("nft chain against ours, added to legit, 1,000",
                    "nft chain against ours, legit in all, 1,000")
    known = judged(700)
    check((known[added]["value"], known[added]["met"]) == (90, True), f"added: {known[added]}")
    check((known[whole]["value"], known[whole]["without"], known[whole]["met"]) ==
          (13.7143, 16, False), f"in all, and with no filter at all: {known[whole]}")
    check(judged(590)[added]["value"] == 9000, "what costs nothing counts as one nanosecond")
    check(judged(None)[added]["met"] is None, "what was not measured is not judged")


def check_controls():
    """The measurement itself must notice a ruleset that does not do its work."""
    lab = Lab()
    try:
        measurement = Measurement(lab, Plan(quick=True))
        other_port = Nft("nft-concat", "wrong port", lambda n: rulesets.nft_concat(n).replace(
            f". {rulesets.PORT}", f". {rulesets.PORT + 1}"), "")
        one_short = Nft("nft-concat", "one filter is missing",
                        lambda n: rulesets.nft_concat(n - 1), "")
        everything = Nft("nft-concat", "blocks everything", lambda n: rulesets.nft_table(
            "", "udp dport 5000 drop\n"), "")
        for backend in (other_port, one_short, everything):
            row = measurement.row(backend, N, ("inject",))
            check("wrong" in row, f"control: {backend.label}: {row.get('wrong', 'not noticed')}")
    finally:
        lab.close()


def run_quick(directory):
    process = subprocess.Popen([sys.executable, str(HERE / "bench.py"), "--quick", "--out",
                                str(directory)], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    printed = process.communicate()[0]
    if process.returncode == SKIP:
        skip(printed.strip())
    if not check(process.returncode == 0, f"bench.py --quick: exit {process.returncode}"):
        print(printed[-8000:])
    check(not left_by(process.pid), "no namespace is left")
    return process.returncode == 0


def test(_net):
    check_goals()
    with tempfile.TemporaryDirectory(prefix="pw-bench-") as name:
        if run_quick(pathlib.Path(name)):
            check_results(pathlib.Path(name))
    check_controls()
    check(not left_by(os.getpid()), "no namespace of the controls is left")


main(test)
