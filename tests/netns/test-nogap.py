#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No packet leaks and none is lost while policies are replaced, the agent is killed, stopped
and started: numbered datagrams at a fixed rate to a blocked and to a permitted port.

Controls: an idle run must lose nothing, and a flush in the middle must leak.
Usage: test-nogap.py [REPLACEMENTS]"""
import signal
import sys
import time

from gap import BLOCKED, OPEN, probe
from pwtest import check, main

REPLACEMENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 100
IN_PLACE = 500


def policy(i):
    """A policy whose deciding rules stay and whose other rules all change."""
    rules = "".join(f'    rule "r{n}" block in tcp from 10.{i % 200}.{n}.0/24 to me port {n + 1}\n'
                    for n in range(50))
    return (f'policy "P" {{\n    rule "closed" block in udp port {BLOCKED}\n'
            f'    rule "open" permit in udp port {OPEN}\n{rules}}}\n')


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
