#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Records one attack on TCP memory, unprotected and protected: memory every 20 ms, what the clients
got each second, what was killed when. plot-mpp.py draws it.
Usage: bench-mpp.py RESULTS.JSON [KIND [SECONDS]]   kinds are those of tests/netns/mpplab.py"""
import datetime
import json
import pathlib
import platform
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))
from mpplab import PAGE, SMALL, Lab  # noqa: E402
from pwtest import check, main  # noqa: E402


def seconds_since(event, began):
    stamp = datetime.datetime.strptime(event["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
    return stamp.replace(tzinfo=datetime.timezone.utc).timestamp() - began


def recorded(seen):
    """One run, with times in seconds from its beginning."""
    start, wall = seen["samples"][0][:2]
    clients = [c["seconds"] for c in seen["clients"]]
    length = min(len(c) for c in clients)
    return {
        "attack_s": seen["began"] - wall,
        "memory": [[round(t - start, 3), pages] for t, _, pages in seen["samples"]],
        "clients": [[sum(c[i][0] for c in clients), sum(c[i][1] for c in clients)]
                    for i in range(length)],
        "kills": [[round(seconds_since(e, wall), 3), int(e["KILLED"])]
                  for e in seen["events"] if e["event"] == "mpp-prune-summary"],
        "success": seen["ok"], "p99_ms": seen["p99"], "opened": seen["opened"],
    }


def bench(lab):
    kind = sys.argv[2] if len(sys.argv) > 2 else "zero"
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 14
    runs = {"unprotected": recorded(lab.scene(kind, seconds=seconds))}
    lab.start_agent()
    status = lab.status()
    runs["protected"] = recorded(lab.scene(kind, seconds=seconds, protected=True))
    results = {"kind": kind, "kernel": platform.release(), "page_bytes": PAGE, "tcp_mem": SMALL,
               "hi": min(SMALL[1] * 3 // 4, SMALL[2] // 2),
               "date": datetime.date.today().isoformat(), "pruner": status["pruner"],
               "runs": runs}
    pathlib.Path(sys.argv[1]).write_text(json.dumps(results) + "\n")
    for name, r in runs.items():
        print(f"{name}: {r['success']:.3f} of the requests answered, p99 {r['p99_ms']:.0f} ms, "
              f"{sum(n for _, n in r['kills'])} connections killed, peak "
              f"{max(p for _, p in r['memory'])} pages")
    check(runs["unprotected"]["opened"] > 0 and runs["protected"]["opened"] > 0,
          "both runs were attacked")


if len(sys.argv) < 2:
    print(__doc__)
    sys.exit(2)
main(bench, Lab)
