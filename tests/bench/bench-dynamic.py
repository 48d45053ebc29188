#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What one dynamic filter costs with N filters in force: milliseconds of a request over the API and
of the command line, both until packets obey, and the processor time that the agent spends on a
request, notes and audit row included; for a filter that comes, one that is deleted, and one that
expires (processor time only). Medians. In every policy there is a filter of the shape that is added,
so that all is done in place; the number of generations that replaced the image is printed, too.

Usage: bench-dynamic.py [ROUNDS]; PORTWARD_BUILD names the build directory, PORTWARD_SIZES the sizes."""
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))
from apicall import _Connection  # noqa: E402
from pwtest import CLI, SKIP, Net, image_id, run, set_netns  # noqa: E402

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 50
SIZES = [int(n) for n in os.environ.get("PORTWARD_SIZES", "10,10000,100000").split(",")]
PER_RULE = 100


def policy(n):
    rules = []
    for first in range(0, n, PER_RULE):
        lines = "".join(f"        block in tcp from 10.{i >> 16}.{i >> 8 & 255}.{i & 255} to me "
                        f"port {i % 1000 + 1}\n" for i in range(first, min(first + PER_RULE, n)))
        rules.append(f'    rule "r{first}" {{\n{lines}    }}\n')
    return 'policy "P" {\n' + "".join(rules) + "}\n"


def cpu_us(pid):
    """All threads; the scheduler counts nanoseconds."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1000


class Api:
    """One connection for all requests."""

    def __init__(self, net):
        self.connection = _Connection(net.dir / "run" / "portward.sock")

    def ask(self, method, body):
        start = time.monotonic()
        self.connection.request(method, "/v1/filters", json.dumps(body))
        answer = json.loads(self.connection.getresponse().read())
        elapsed = (time.monotonic() - start) * 1000
        if not answer["ok"]:
            raise RuntimeError(answer)
        return elapsed, answer["data"]


def text(i, port=22):
    return f"block in tcp from 198.{51 + i // 60000}.{i // 250 % 240}.{i % 250 + 1} to me port {port}"


def over_api(net, pid, first):
    """Medians: ms to add, ms to delete, us of the agent to add, to delete."""
    api, times = Api(net), ([], [], [], [])
    for i in range(ROUNDS):
        a = cpu_us(pid)
        elapsed, data = api.ask("POST", {"text": text(first + i)})
        b = cpu_us(pid)
        gone, _ = api.ask("DELETE", {"items": [data["filter"]["id"]]})
        c = cpu_us(pid)
        for to, value in zip(times, (elapsed, gone, b - a, c - b)):
            to.append(value)
    return [statistics.median(t) for t in times]


def expiry_us(net, pid, first):
    """Processor time of the agent while ROUNDS filters expire one by one, each; less its idling."""
    api = Api(net)
    for i in range(ROUNDS):
        api.ask("POST", {"text": text(first + i, 23) + " for 2s"})
        time.sleep(0.005)
    time.sleep(0.3)
    a = cpu_us(pid)
    time.sleep(0.4)
    idle = (cpu_us(pid) - a) / 0.4
    start, a = time.monotonic(), cpu_us(pid)
    time.sleep(2.5)
    return (cpu_us(pid) - a - idle * (time.monotonic() - start)) / ROUNDS


def over_command(net):
    base, added, deleted = [str(CLI), "--runtime-dir", str(net.dir / "run")], [], []
    with net.inside("S"):
        for i in range(ROUNDS):
            start = time.monotonic()
            out = run(base + ["block", *text(i, 24).split()[1:]]).stdout
            middle = time.monotonic()
            run(base + ["delete", out.split()[0]])
            added.append((middle - start) * 1000)
            deleted.append((time.monotonic() - middle) * 1000)
    return statistics.median(added), statistics.median(deleted)


def measure(n):
    net = Net()
    run_dir = tempfile.mkdtemp(prefix="pw-bench-", dir="/dev/shm")
    os.symlink(run_dir, net.dir / "run")
    try:
        net.start_agent()
        net.ok("policy", "load", "-", text=policy(n))
        net.ok("policy", "assign", "P")
        net.ok("block", "in", "tcp", "from", "198.18.0.1", "to", "me", "port", "22")
        time.sleep(1)
        pid, image = net.agent.pid, image_id(net)
        api = over_api(net, pid, 0)
        command = over_command(net)
        expiry = expiry_us(net, pid, 2 * ROUNDS)
        return (*api[:2], *command, *api[2:], expiry, image_id(net) != image)
    finally:
        net.close()
        shutil.rmtree(run_dir, ignore_errors=True)


def main():
    if os.geteuid() != 0:
        print("SKIP: bench-dynamic needs root for namespaces")
        sys.exit(SKIP)
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    print(f"medians of {ROUNDS}; enforced when answered")
    print(f"{'':>8}  {'API, ms':^15}  {'command, ms':^15}  {'agent, us of processor time':^31}")
    print(f"{'filters':>8}  {'block':>7} {'delete':>7}  {'block':>7} {'delete':>7}  "
          f"{'block':>9} {'delete':>9} {'expiry':>9}  new image")
    for n in SIZES:
        *v, replaced = measure(n)
        set_netns(home)
        print(f"{n:>8}  {v[0]:>7.2f} {v[1]:>7.2f}  {v[2]:>7.2f} {v[3]:>7.2f}  "
              f"{v[4]:>9.0f} {v[5]:>9.0f} {v[6]:>9.0f}  {'yes' if replaced else 'no'}", flush=True)


main()
