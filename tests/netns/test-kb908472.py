#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The policy of KB908472 on packets from three subnets, `me` that follows addresses, and the
order in which filters were written."""
import time

from pwtest import C4, C6, FAR4, LAN4, ROOT, S4, S6, check, main, received

PORTS = (134, 135, 136, 5000, 5001, 5011, 5021, 5022)
PROTECTED = {135, 5001, 5011, 5021}
POLICY = ROOT / "tests/golden/kb908472.in"


def reached(net, source, target=S4):
    return {port for port in PORTS if net.connect("C", source, target, port)}


def policy(net):
    for target in (S4, S6):
        for port in PORTS:
            net.tcp_listen("S", target, port)
    udp = net.udp("S", S4, 135)
    net.ok("policy", "load", str(POLICY))
    check(reached(net, C4) == set(PORTS), "stored, not assigned: no packet effect")
    net.ok("policy", "assign", "Block RPC Ports")
    check(reached(net, C4) == set(PORTS) - PROTECTED, "assigned: the local subnet is blocked")
    check(reached(net, LAN4) == set(PORTS), "10.1.1.0/24 reaches mapper and range")
    check(reached(net, FAR4) == set(PORTS) - PROTECTED, "10.1.2.9 is blocked")
    check(reached(net, C6, S6) == set(PORTS) - PROTECTED, "IPv6 is blocked alike")
    net.send_udp("C", C4, S4, 135, 20)
    check(received(udp) == 20, "UDP 135 is not named and arrives")
    data = net.json("list")["filters"]
    check(len(data) == 44, f"44 effective filters ({len(data)})")
    net.ok("policy", "unassign", "-y")
    check(reached(net, C4) == set(PORTS), "unassigned: everything answers")
    check([p["name"] for p in net.json("policy", "list")["policies"]] == ["Block RPC Ports"],
          "still stored")


def explain(net, target):
    """Verdict of the loaded program itself for UDP 1434 to target."""
    kernel = net.json("explain", "in", "udp", "from", C4, "to", target, "port", "1434",
                      "--live")["kernel"]
    return kernel["verdict"] if kernel["agrees"] else "disagrees"


def within(net, target, verdict, limit_s=0.1):
    """Seconds until the kernel says `verdict`, the asking included; None after limit_s."""
    start = time.monotonic()
    while True:
        said = explain(net, target)
        elapsed = time.monotonic() - start
        if said == verdict and elapsed <= limit_s:
            return elapsed
        if elapsed > limit_s:
            return None


def me(net):
    """An address that is added is `me` within 100 ms; one that is removed no longer is. S
    forwards, so that only the address class decides, not the frame's destination."""
    net.sysctl("S", "net.ipv4.ip_forward", "1")
    wild = net.udp("S", "0.0.0.0", 1434)
    net.ip("C", "route", "add", "172.16.0.0/12", "via", S4)
    net.block("block", "in", "udp", "port", "1434")
    sender = net.udp("C", C4)

    def arrives(target):
        sender.sendto(b"probe", (target, 1434))
        return received(wild, 0.05) > 0
    for add, delete, target in (
            (("addr", "add", "172.16.5.5/32", "dev", "s0"),
             ("addr", "del", "172.16.5.5/32", "dev", "s0"), "172.16.5.5"),
            (("route", "add", "local", "172.20.0.0/24", "dev", "s0"),
             ("route", "del", "local", "172.20.0.0/24", "dev", "s0"), "172.20.0.77")):
        check(explain(net, target) == "permit", f"{target} is not me yet")
        net.ip("S", *add)
        took = within(net, target, "block")
        check(took is not None, f"{' '.join(add)}: me after {(took or 9) * 1000:.0f} ms")
        check(not arrives(target), f"{target}: no datagram arrives")
        net.ip("S", *delete)
        took = within(net, target, "permit")
        check(took is not None, f"{' '.join(delete)}: not me after {(took or 9) * 1000:.0f} ms")
    net.ok("flush")
    net.ip("S", "addr", "add", "172.16.5.5/32", "dev", "s0")
    check(arrives("172.16.5.5"), "control: without the block it arrives")


def test(net):
    net.start_agent()
    policy(net)
    me(net)


main(test)
