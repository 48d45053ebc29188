#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No packet leaks and none is lost while policies are replaced, the agent is killed, stopped
and started: numbered datagrams at a fixed rate to a blocked and to a permitted port.

Controls: an idle run must lose nothing, and a flush in the middle must leak.
Usage: test-nogap.py [REPLACEMENTS]"""
import os
import signal
import sys
import time

from pwtest import C4, C6, S4, S6, check, main, received

RATE = 2000  # datagrams per second and port
BLOCKED, OPEN = 9999, 7777
REPLACEMENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 100
IN_PLACE = 500


def policy(i):
    """A policy whose deciding rules stay and whose other rules all change."""
    rules = "".join(f'    rule "r{n}" block in tcp from 10.{i % 200}.{n}.0/24 to me port {n + 1}\n'
                    for n in range(50))
    return (f'policy "P" {{\n    rule "closed" block in udp port {BLOCKED}\n'
            f'    rule "open" permit in udp port {OPEN}\n{rules}}}\n')


class Sender:
    """A process that sends to both ports over both families until stop()."""

    def __init__(self, net):
        self.sockets = [(net.udp("C", source), target)
                        for source, target in ((C4, S4), (C6, S6))]
        self.read, write = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            self.run(write)
        os.close(write)

    def run(self, write):
        stopped = []
        signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
        n, start = 0, time.monotonic()
        while not stopped:
            for s, target in self.sockets:
                s.sendto(n.to_bytes(8, "big"), (target, BLOCKED))
                s.sendto(n.to_bytes(8, "big"), (target, OPEN))
            n += 1
            delay = start + n / RATE - time.monotonic()
            if delay > 0:
                time.sleep(delay)
        os.write(write, n.to_bytes(8, "big"))
        os._exit(0)

    def stop(self):
        """Ends the child; returns how many datagrams went to each port and family."""
        os.kill(self.child, signal.SIGTERM)
        n = int.from_bytes(os.read(self.read, 8), "big")
        os.waitpid(self.child, 0)
        os.close(self.read)
        return n


def probe(net, name, action, leaks=False, loses=False):
    """Runs action() under the probe; checks what arrived on both ports."""
    blocked = [net.udp("S", a, BLOCKED) for a in (S4, S6)]
    opened = [net.udp("S", a, OPEN) for a in (S4, S6)]
    sender = Sender(net)
    time.sleep(0.2)
    start = time.monotonic()
    action()
    elapsed = time.monotonic() - start
    time.sleep(0.2)
    sent = sender.stop()
    leaked = sum(received(s, 0.1) for s in blocked)
    lost = sum(sent - received(s, 0.1) for s in opened)
    text = f"{name}: sent {2 * sent} per port in {elapsed:.1f} s, leaked {leaked}, lost {lost}"
    check((leaked > 0) == leaks and (lost > 0) == loses, text)
    for s in blocked + opened:
        net.sockets.remove(s)
        s.close()


def replace(net):
    for i in range(REPLACEMENTS):
        net.ok("policy", "load", "-", "--replace", text=policy(i + 1))


def in_place(net):
    """Adds and deletes filters of one shape: stores in the image that decides."""
    for i in range(IN_PLACE // 2):
        added = net.block("block", "in", "udp", "from", f"10.9.{i % 200}.7", "to", "me",
                          "port", str(i % 50 + 1))
        net.ok("delete", added)


def restart(net, sig):
    for _ in range(3):
        net.stop_agent(sig)
        time.sleep(0.1)
        net.start_agent()


def leak(net):
    net.ok("policy", "unassign", "-y")
    time.sleep(0.1)
    net.ok("policy", "assign", "P")


def test(net):
    net.start_agent()
    net.ok("policy", "load", "-", text=policy(0))
    net.ok("policy", "assign", "P")
    probe(net, "control, idle", lambda: time.sleep(1))
    probe(net, "control, unassigned for 0.1 s", lambda: leak(net), leaks=True)
    generation = net.json("status")["enforcement"]["generation"]
    probe(net, f"{REPLACEMENTS} policy replacements", lambda: replace(net))
    done = net.json("status")["enforcement"]["generation"] - generation
    check(done >= REPLACEMENTS, f"{done} generations were installed meanwhile")
    probe(net, f"{IN_PLACE} changes in place", lambda: in_place(net))
    net.ok("block", "in", "tcp", "port", "1")
    probe(net, "agent killed and started 3 times", lambda: restart(net, signal.SIGKILL))
    probe(net, "agent stopped and started 3 times", lambda: restart(net, signal.SIGTERM))


main(test)
