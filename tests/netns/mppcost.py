# SPDX-License-Identifier: GPL-2.0-or-later
"""What memory pressure protection costs while nothing happens, measured in the lab of mpplab.py: by
test-mpp-healthy.py, which holds the first against its goal, and by bench-mpp-rest.py."""
import pathlib
import subprocess
import time

from pwtest import BUILD, remove_pins, run

IDLE, REST_S = 50000, 10
PORTS = (8081, 8082, 8083, 8084)
BATCHES, BATCH = 200, 200


def cpu_s(pid):
    """All threads; the scheduler counts nanoseconds."""
    return sum(int((t / "schedstat").read_text().split()[0])
               for t in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


def rest_percent(lab):
    """Of a core, that the agent takes (nsenter has become the agent)."""
    before, begin = cpu_s(lab.agent.pid), time.monotonic()
    time.sleep(REST_S)
    return (cpu_s(lab.agent.pid) - before) / (time.monotonic() - begin) * 100


def open_idle(lab, n=IDLE):
    """n connections that say nothing, to several servers, so that no table of descriptors is nearly
    full. They come while protection is off, or it would be a flood on a host that is too busy to
    accept them, and are candidates afterwards. Waits until the agent is at rest; returns how many
    it sees and its state."""
    lab.ok("mpp", "disable")
    for port in PORTS:
        lab.serve(ports=(port,))
        lab.attack("idle", 90, port=port, extra=["-n", str(n // len(PORTS)), "-r", "3000"])
    end = time.monotonic() + 60
    while time.monotonic() < end and lab.status()["connections"]["off"] < n:
        time.sleep(0.5)
    lab.ok("mpp", "enable", "--apply-to-existing")
    time.sleep(1)
    while time.monotonic() < end and lab.status()["state"] != "normal":
        time.sleep(0.5)
    return lab.status()["connections"]["candidates"], lab.status()["state"]


def connect_ns(lab):
    """Processor time of one new connection over lo, where no packet filter is: both of its ends
    get a stamp."""
    p = lab.spawn("S", BUILD / "tests/tools/pw-connect", BATCHES, BATCH, stdout=subprocess.PIPE)
    return float(p.communicate(timeout=120)[0])


def connect_costs(lab, rounds):
    """ns of a connection, in turn, the best of all rounds: without agent; with the agent, but
    without the program that makes stamps; with protection off; with it on."""
    seen = []
    for _ in range(rounds):
        lab.stop_agent()
        remove_pins(lab.pins)
        without = connect_ns(lab)
        lab.start_agent()
        on = connect_ns(lab)
        lab.ok("mpp", "disable")
        off = connect_ns(lab)
        lab.ok("mpp", "enable")
        run(["bpftool", "link", "detach", "pinned", str(lab.pins / "mpp/sockops")])
        seen.append((without, connect_ns(lab), off, on))
    return [min(r[i] for r in seen) for i in range(4)]
