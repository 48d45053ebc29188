#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing leaks and nothing is lost while one CPU is flooded with packets that are always blocked
and policies are swapped, programs replaced, the agent killed, interfaces added and removed.

The flood and a stream of numbered datagrams to a permitted port run on different CPUs, so that the
backlog of the flood's CPU takes nothing from the stream. Controls: the same flood, without the
block for a moment, arrives; the stream, blocked for a moment, has losses.
Usage: test-flood.py [SWAPS]; from 1,000 on the flood itself must reach 300,000 packets a second."""
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

import bpfcall
from gap import BLOCKED, OPEN, Counting, Sender
from pwtest import BUILD, C4, C6, S4, S6, check, main, run, udp6_frame, udp_frame

SWAPS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
LONG = SWAPS >= 1000
RATE_GOAL = 300000
MAX_S = 600
LAYOUT_AT = 4  # in the value of map meta (src/datapath/set.c)


def policy(i):
    """What decides about both streams stays, everything else changes."""
    rules = "".join(f'    rule "r{n}" block in tcp from 10.{i % 200}.{n}.0/24 to me port {n + 1}\n'
                    for n in range(50))
    return (f'policy "P" {{\n    rule "closed" block in udp port {BLOCKED}\n'
            f'    rule "open" permit in udp port {OPEN}\n{rules}}}\n')


class Flood:
    """Blocked frames of both families from CPU 0 until stop()."""

    def __init__(self, net):
        mac = net.mac("C", "c0"), net.mac("S", "s0")
        frames = [udp_frame(*mac, C4, S4, BLOCKED), udp6_frame(*mac, C6, S6, BLOCKED)]
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", "nsenter", f"--net=/run/netns/{net.names['C']}",
             str(BUILD / "tests/tools/pw-flood"), "c0", str(MAX_S)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        net.children.append(self.process)
        self.process.stdin.write("\n".join(f.hex() for f in frames) + "\n")
        self.process.stdin.close()
        if self.process.stdout.readline() != "started\n":
            raise RuntimeError("pw-flood does not start")

    def stop(self):
        """Number sent, and packets a second."""
        self.process.send_signal(signal.SIGTERM)
        text = self.process.stdout.read()
        self.process.wait(timeout=10)
        n, seconds = re.fullmatch(r"sent (\d+) in ([\d.]+) s\n", text).groups()
        return int(n), int(int(n) / float(seconds))


class World:
    def __init__(self, net):
        self.net = net
        self.can_reach_goal = False
        os.sched_setaffinity(0, {1})  # the stream's sender inherits it

    def probe(self, name, action, leaks=False, loses=False):
        net = self.net
        blocked = [net.udp("S", a, BLOCKED) for a in (S4, S6)]
        opened = [net.udp("S", a, OPEN) for a in (S4, S6)]
        flood, sender = Flood(net), Sender(net, blocked=False)
        leaks_in, arrived_in = Counting(blocked), Counting(opened)
        time.sleep(0.2)
        action()
        time.sleep(0.2)
        sent = sender.stop()
        n, rate = flood.stop()
        leaked, lost = leaks_in.stop(), 2 * sent - arrived_in.stop()
        check((leaked > 0) == leaks and (lost > 0) == loses,
              f"{name}: flood of {n} at {rate}/s, leaked {leaked}; {2 * sent} permitted, lost "
              f"{lost}")
        if self.can_reach_goal and not leaks and not loses:
            check(rate >= RATE_GOAL, f"{name}: the flood reached {RATE_GOAL} packets a second")
        return rate
        for s in blocked + opened:
            net.sockets.remove(s)
            s.close()

    # --- what happens meanwhile ---
    def swap(self):
        for i in range(SWAPS):
            self.net.ok("policy", "load", "-", "--replace", text=policy(i + 1))

    def links(self):
        """Ids of the links of s0, and of the programs in them."""
        net = self.net
        with net.inside("S"):
            index = socket.if_nametoindex("s0")
        found = [bpfcall.link_info(net.pins / f"link/{index}-{d}") for d in ("in", "out")]
        return [f[0] for f in found], [f[1] for f in found]

    def another_layout(self):
        """The maps look like those of another version: the next agent makes new ones beside."""
        path = str(self.net.pins / "map/meta")
        entry = json.loads(run(["bpftool", "-j", "map", "dump", "pinned", path]).stdout)[0]
        value = entry["value"]
        layout = struct.unpack_from("=I", bytes(int(b, 16) for b in value), LAYOUT_AT)[0] - 1
        value[LAYOUT_AT:LAYOUT_AT + 4] = [f"0x{b:02x}" for b in struct.pack("=I", layout)]
        run(["bpftool", "map", "update", "pinned", path, "key", *entry["key"], "value", *value])

    def restart(self, sig, n=5, upgrade=False):
        """Each agent loads its own programs and puts them into the links that it finds."""
        links, programs = self.links()
        self.kept, self.replaced = True, 0
        for _ in range(n):
            self.net.stop_agent(sig)
            time.sleep(0.05)
            if upgrade:
                self.another_layout()
            self.net.start_agent()
            now, fresh = self.links()
            self.kept &= now == links
            self.replaced += all(a != b for a, b in zip(programs, fresh))
            programs = fresh

    def interfaces(self, n=100):
        for i in range(n):
            self.net.ip("S", "link", "add", f"x{i}", "type", "veth", "peer", "name", f"y{i}")
            self.net.ip("S", "link", "set", f"x{i}", "up")
            self.net.ip("S", "link", "del", f"x{i}")

    def open_for_a_moment(self):
        self.net.ok("policy", "unassign", "-y")
        time.sleep(0.05)
        self.net.ok("policy", "assign", "P")

    def close_for_a_moment(self):
        added = self.net.block("block", "in", "udp", "from", C4, "to", "me", "port", str(OPEN))
        time.sleep(0.05)
        self.net.ok("delete", added)


def test(net):
    w = World(net)
    net.start_agent()
    net.ok("policy", "load", "-", text=policy(0))
    net.ok("policy", "assign", "P")
    rate = w.probe("control, idle", lambda: time.sleep(1))
    w.can_reach_goal = LONG and rate >= RATE_GOAL
    if LONG and not w.can_reach_goal:
        print(f"SKIP: rate of the flood: {rate} packets a second is all this machine has now")
    w.probe("control, open for a moment", w.open_for_a_moment, leaks=True)
    generation = net.json("status")["enforcement"]["generation"]
    w.probe(f"{SWAPS} swaps", w.swap)
    done = net.json("status")["enforcement"]["generation"] - generation
    check(done >= SWAPS, f"{done} generations were installed meanwhile")
    restarts = 20 if LONG else 5
    for name, sig, upgrade in (("killed", signal.SIGKILL, False), ("stopped", signal.SIGTERM, False),
                               ("of another version killed", signal.SIGKILL, True)):
        w.probe(f"agent {name} and started {restarts} times",
                lambda s=sig, u=upgrade: w.restart(s, restarts, u))
        check(w.kept and w.replaced == restarts,
              f"the links of s0 stayed, {w.replaced} times with other programs in them")
    w.probe("100 interfaces added and removed", w.interfaces)
    w.probe("control, closed for a moment", w.close_for_a_moment, loses=True)


main(test)
