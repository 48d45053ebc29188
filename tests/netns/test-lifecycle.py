#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What ends when: stop, crash, restart, flush, unassign, expiry. Seen on packets."""
import signal
import time

from pwtest import C4, LAN4, S4, check, main

STATIC, DYNAMIC, HELD = 4001, 4002, 4003  # blocked by policy, by a dynamic block, permitted
TEXT = """policy "P" {
    rule "static block" block in tcp port 4001
    rule "all of the range" block in tcp port 4003
}
"""


def state(net, source=C4):
    return {port for port in (STATIC, DYNAMIC, HELD) if net.connect("C", source, S4, port)}


def setup(net):
    for port in (STATIC, DYNAMIC, HELD):
        net.tcp_listen("S", S4, port)
    net.ok("policy", "load", "-", text=TEXT)
    net.ok("policy", "assign", "P")
    net.ok("block", "in", "tcp", "port", str(DYNAMIC), "reason", "worm")
    net.ok("permit", "in", "tcp", "from", C4, "to", "me", "port", str(HELD))
    check(state(net) == {HELD}, "static and dynamic block hold, the dynamic permit opens")
    check(state(net, LAN4) == set(), "the permit names one address only")


def listing(net):
    return [(f["id"], f["text"], f["reason"], f["weight"]) for f in net.json("list")["filters"]]


def orderly_stop(net):
    check(net.stop_agent(signal.SIGTERM) == 0, "SIGTERM: exit 0")
    check(state(net) == set(), "stopped: both blocks hold, the permit is gone")
    done = net.cli("list")
    check(done.returncode == 3 and "agent not running" in done.stderr, "list: exit 3")
    net.start_agent()
    check(state(net) == set(), "started again: both blocks hold, the permit stays gone")
    texts = [text for _, text, _, _ in listing(net)]
    check(len(texts) == 3 and not any("permit" in t for t in texts), "list: the three blocks")


def crash(net):
    net.ok("permit", "in", "tcp", "from", C4, "to", "me", "port", str(HELD))
    before = listing(net)
    net.stop_agent(signal.SIGKILL)
    check(state(net) == {HELD}, "SIGKILL: everything is enforced as before, the permit too")
    net.start_agent()
    check(listing(net) == before, "after restart list is what it was, ids and reasons too")
    check(state(net) == {HELD}, "and packets agree")


def opening(net):
    net.ok("flush")
    check(state(net) == {DYNAMIC}, "flush opens the dynamic block and ends the permit")
    net.ok("policy", "unassign", "-y")
    check(state(net) == {STATIC, DYNAMIC, HELD}, "unassign opens the rest")


def expiry(net):
    """An expired permit ends without an agent; an expired block ends with the next agent."""
    net.ok("policy", "assign", "P")
    net.ok("permit", "in", "tcp", "from", C4, "to", "me", "port", str(HELD), "for", "3s")
    net.ok("block", "in", "tcp", "port", str(DYNAMIC), "for", "3s")
    left = [f["expires_in_s"] for f in net.json("list", "--layer", "dynamic")["filters"]]
    check(all(0 < s <= 3 for s in left) and len(left) == 2, f"remaining lifetime shown: {left}")
    check(state(net) == {HELD}, "both in force")
    net.stop_agent(signal.SIGKILL)
    time.sleep(3.5)
    check(state(net) == set(), "past the deadline, agent dead: permit closed, block still there")
    net.start_agent()
    check(state(net) == {DYNAMIC}, "the next agent removes the expired block before it is ready")
    net.ok("block", "in", "tcp", "port", str(DYNAMIC), "for", "1s")
    check(state(net) == set(), "a new timed block holds")
    time.sleep(1.5)
    check(state(net) == {DYNAMIC}, "and ends by itself while the agent runs")


def test(net):
    net.start_agent()
    setup(net)
    orderly_stop(net)
    crash(net)
    opening(net)
    expiry(net)


main(test)
