#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters for an interface, a profile or a connection type: two links between the namespaces, a
third that is renamed, and one that comes and goes under a flood."""
import signal
import time

from pwtest import C4, C6, S4, S6, check, main, received, run, udp_frame

T4, D4 = "192.168.2.1", "192.168.2.2"  # second link: s1 in S, c1 in C
LATE4, LATE_PEER4 = "192.168.3.1", "192.168.3.2"
LATE_MAC, PEER_MAC = bytes.fromhex("02000000aa01"), bytes.fromhex("02000000aa02")
ROUNDS = 20


def arrives(net, source, target, port):
    """Datagrams of 5 that reach a socket of S."""
    sink = net.udp("S", target, port)
    net.send_udp("C", source, target, port, 5)
    n = received(sink, 0.15)
    net.sockets.remove(sink)
    sink.close()
    return n


def settled(net, condition, text):
    """The agent needs some milliseconds to see what changed."""
    end = time.monotonic() + 3
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    check(condition(), text)


def second_link(net):
    run(["ip", "-n", net.names["S"], "link", "add", "s1", "type", "veth", "peer", "name", "c1",
         "netns", net.names["C"]])
    for ns, dev, address in (("S", "s1", T4), ("C", "c1", D4)):
        net.ip(ns, "addr", "add", f"{address}/24", "dev", dev)
        net.ip(ns, "link", "set", dev, "up")


def rename(net, old, new):
    net.ip("S", "link", "set", old, "down")
    net.ip("S", "link", "set", old, "name", new)
    net.ip("S", "link", "set", new, "up")
    time.sleep(0.2)


def by_interface(net):
    net.ok("block", "in", "udp", "port", "53", "on", "s0")
    check(arrives(net, C4, S4, 53) == 0, "block on s0: nothing passes s0")
    check(arrives(net, C6, S6, 53) == 0, "nor over IPv6")
    check(arrives(net, D4, T4, 53) == 5, "all passes s1")
    net.ok("block", "in", "udp", "port", "54")
    net.ok("permit", "in", "udp", "port", "54", "on", "s1")
    check(arrives(net, C4, S4, 54) == 0, "permit on s1: s0 stays blocked")
    check(arrives(net, D4, T4, 54) == 5, "and s1 is open")
    for dev, verdict in (("s0", "block"), ("s1", "permit")):
        said = net.json("explain", "in", "udp", "from", "192.0.2.7", "to", "me", "port", "54",
                        "on", dev, "--live")
        check(said["verdict"] == verdict and said["kernel"]["agrees"], f"explain on {dev} agrees")
    before = net.counters()
    arrives(net, C4, S4, 53)
    check(sum(net.counters().values()) == sum(before.values()) + 5, "packets are counted")
    net.ok("flush")


def after_rename(net):
    net.ok("block", "in", "udp", "port", "55", "on", "later0")
    net.ok("permit", "in", "udp", "port", "56", "on", "later0")
    net.ok("block", "in", "udp", "port", "56")
    check(arrives(net, D4, T4, 55) == 5, "a name that no interface has blocks no known one")
    check(arrives(net, D4, T4, 56) == 0, "and permits none")
    rename(net, "s1", "later0")
    settled(net, lambda: arrives(net, D4, T4, 55) == 0, "the interface got the name: blocked")
    check(arrives(net, D4, T4, 56) == 5, "and permitted")
    check(arrives(net, C4, S4, 55) == 5, "the other one is as before")
    rename(net, "later0", "s1")
    settled(net, lambda: arrives(net, D4, T4, 55) == 5, "it lost the name: it passes again")
    check(arrives(net, D4, T4, 56) == 0, "and is not permitted any more")
    net.ok("flush")


def by_profile(net):
    net.ok("block", "in", "udp", "port", "57", "profile", "public")
    net.ok("block", "in", "udp", "port", "58", "profile", "private")
    check(arrives(net, C4, S4, 57) == 5 and arrives(net, C4, S4, 58) == 0, "s0 is private")
    check(arrives(net, D4, T4, 57) == 0 and arrives(net, D4, T4, 58) == 5,
          "s1 is public, since nobody says anything else")
    shown = {i["name"]: i["profile"] for i in net.json("status")["enforcement"]["interfaces"]}
    check(shown["s0"] == "private" and shown["s1"] == "public", "status says so")
    net.config("[profiles]\ns1 = private\n")
    net.agent.send_signal(signal.SIGHUP)
    settled(net, lambda: arrives(net, D4, T4, 58) == 0, "reload: s1 is private")
    check(arrives(net, C4, S4, 57) == 0, "and s0 public")
    net.config("[profiles]\ns1 = work\n")
    net.agent.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    check(arrives(net, D4, T4, 58) == 0, "a configuration with an error changes nothing")
    check("profiles.s1" in net.ok("config", "show"), "config show names the profile")
    net.ok("flush")


def by_connection(net):
    net.ok("policy", "load", "-", text="""policy "Dial" {
        rule "Modem" connection dialup block in udp port 59
        rule "Wire" connection lan block in udp port 60
    }""")
    net.ok("policy", "assign", "Dial")
    check(arrives(net, D4, T4, 59) == 5 and arrives(net, D4, T4, 60) == 0, "s1 is a lan")
    rename(net, "s1", "ppp7")
    settled(net, lambda: arrives(net, D4, T4, 59) == 0, "ppp7 is dial-up")
    check(arrives(net, D4, T4, 60) == 5, "and no lan")
    check(arrives(net, C4, S4, 60) == 0, "s0 still is one")
    rename(net, "ppp7", "s1")
    net.ok("policy", "unassign", "-y")


def late_once(net, sink, n):
    """A new interface, a flood at once; what reached the socket."""
    s, c = net.names["S"], net.names["C"]
    run(["ip", "-n", s, "link", "add", "late0", "address", "02:00:00:00:aa:01", "type", "veth",
         "peer", "name", "cl0", "netns", c])
    net.ip("C", "link", "set", "cl0", "up")
    net.ip("S", "addr", "add", f"{LATE4}/24", "dev", "late0")
    net.ip("S", "link", "set", "late0", "up")
    for port in (61, 62):
        frame = udp_frame(PEER_MAC, LATE_MAC, LATE_PEER4, LATE4, port)
        net.frames("C", "cl0", frame, n)
    got = received(sink, 0.05)
    net.ip("S", "link", "del", "late0")
    return got


def appears(net):
    net.ok("block", "in", "udp", "port", "61", "on", "late0")
    blocked, control = net.udp("S", "0.0.0.0", 61), net.udp("S", "0.0.0.0", 62)
    leaked = sum(late_once(net, blocked, 500) for _ in range(ROUNDS))
    passed = received(control, 0.05)
    check(leaked == 0, f"{ROUNDS} new interfaces: {leaked} packets for the blocked port")
    check(passed > ROUNDS * 250, f"the other port got {passed} of {ROUNDS * 500}")


def test(net):
    second_link(net)
    net.config("[profiles]\ns* = public\ns0 = private\n")
    net.start_agent()
    by_interface(net)
    after_rename(net)
    by_profile(net)
    by_connection(net)
    appears(net)
    net.config("")
    net.stop_agent()
    net.start_agent()
    check(net.json("status")["enforcement"]["generation"] > 0, "the agent starts again with a filter on nothing")


if __name__ == "__main__":
    main(test)
