#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Dynamic filters on real packets: what a block names no longer arrives, its neighbour does,
the counter equals the number sent, and after delete everything arrives again."""
import os
import socket

from pwtest import (C4, C6, FAR4, LAN4, LAN6, S4, S6, check, main, received, udp_frame)

N = 20


def udp_case(net, words, deliver, other, name):
    """deliver(): sends N datagrams the filter names and returns how many arrived; other() the
    same for a neighbour it does not name."""
    check(deliver() == N, f"{name}: before, all {N} arrive")
    identity = net.block("block", *words.split())
    check(deliver() == 0, f"{name}: '{words}' lets nothing through")
    check(net.counters()[identity] == N, f"{name}: the counter says {N}")
    check(other() == N, f"{name}: the neighbour still arrives")
    net.ok("delete", identity)
    check(deliver() == N, f"{name}: after delete, all arrive again")


def datagrams(net, server, source, target, port, **kwargs):
    sender = kwargs.pop("which", "C")

    def probe():
        net.send_udp(sender, source, target, port, N, **kwargs)
        return received(server)
    return probe


def inbound_udp(net):
    for source, target, family in ((C4, S4, "IPv4"), (C6, S6, "IPv6")):
        blocked, other = (net.udp("S", target, port) for port in (1434, 1435))
        udp_case(net, "in udp port 1434", datagrams(net, blocked, source, target, 1434),
                 datagrams(net, other, source, target, 1435), f"UDP 1434 {family}")
    server = net.udp("S", S4, 7000)
    udp_case(net, "in udp from any port 88", datagrams(net, server, C4, S4, 7000, sport=88),
             datagrams(net, server, C4, S4, 7000, sport=89), "source port")
    udp_case(net, "in udp from 10.1.1.5-10.1.1.20 to me port 7000",
             datagrams(net, server, LAN4, S4, 7000), datagrams(net, server, FAR4, S4, 7000),
             "address range")
    server6 = net.udp("S", S6, 7000)
    udp_case(net, "in udp from 2001:db8:a::/48 to me",
             datagrams(net, server6, LAN6, S6, 7000), datagrams(net, server6, C6, S6, 7000),
             "IPv6 prefix")


def outbound(net):
    server, other = net.udp("C", C4, 1434), net.udp("C", C4, 1435)
    udp_case(net, "out udp port 1434", datagrams(net, server, S4, C4, 1434, which="S"),
             datagrams(net, other, S4, C4, 1435, which="S"), "out")
    server = net.udp("C", C6, 1434)
    other = net.udp("C", C6, 1435)
    udp_case(net, "out udp port 1434", datagrams(net, server, S6, C6, 1434, which="S"),
             datagrams(net, other, S6, C6, 1435, which="S"), "out IPv6")


def mirrored(net):
    inward, outward = net.udp("S", S4, 9000), net.udp("C", C4, 40001)
    to_server = datagrams(net, inward, C4, S4, 9000, sport=40002)
    answers = datagrams(net, outward, S4, C4, 40001, which="S", sport=9001)
    check(to_server() == N and answers() == N, "mirrored: before, both directions arrive")
    identity = net.block("block", "udp", "from", "any", "to", "me", "port", "9000-9001",
                         "mirrored")
    check(to_server() == 0, "mirrored: inward blocked")
    check(answers() == 0, "mirrored: the answers from the port are blocked too")
    check(net.counters()[identity] == 2 * N, "mirrored: one counter for both directions")
    net.ok("delete", identity)
    check(to_server() == N and answers() == N, "mirrored: after delete both arrive")


def tcp(net):
    ports = (445, 5001, 5010, 5021, 5022)
    for source, target, family in ((C4, S4, "IPv4"), (C6, S6, "IPv6")):
        for port in ports:
            net.tcp_listen("S", target, port)

        def reached(s=source, t=target):
            return {port for port in ports if net.connect("C", s, t, port)}
        check(reached() == set(ports), f"TCP {family}: before, every port answers")
        one = net.block("block", "in", "tcp", "port", "445")
        check(reached() == set(ports) - {445}, f"TCP {family}: 445 blocked, others answer")
        check(net.counters()[one] >= 1, f"TCP {family}: the counter counts")
        several = net.block("block", "in", "tcp", "port", "5001-5021")
        check(reached() == {5022}, f"TCP {family}: the range 5001-5021 blocked, 5022 answers")
        net.ok("delete", one, several)
        check(reached() == set(ports), f"TCP {family}: after delete all answer")


def icmp(net):
    for target, words, family in ((S4, "in icmp type 8", "IPv4"), (S6, "in icmpv6 type 128", "IPv6")):
        check(net.ping("C", target) == 5, f"ping {family}: before, 5 replies")
        identity = net.block("block", *words.split())
        check(net.ping("C", target) == 0, f"ping {family}: blocked")
        check(net.counters()[identity] == 5, f"ping {family}: the counter says 5")
        net.ok("delete", identity)
        check(net.ping("C", target) == 5, f"ping {family}: after delete, 5 replies")


def protocol_47(net):
    server, sender = net.raw("S", S4, 47), net.raw("C", C4, 47)

    def deliver():
        for _ in range(N):
            sender.sendto(b"\0" * 16, (S4, 0))
        return received(server)
    other_server, other_sender = net.raw("S", S4, 99), net.raw("C", C4, 99)

    def other():
        for _ in range(N):
            other_sender.sendto(b"\0" * 16, (S4, 0))
        return received(other_server)
    udp_case(net, "in gre", deliver, other, "protocol 47")


def own_mac_broadcast(net):
    """Broadcast and multicast destinations in a frame to the host's own address are for me."""
    wild, other = net.udp("S", "0.0.0.0", 1700), net.udp("S", "0.0.0.0", 1701)
    wild.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    own, peer = net.mac("S", "s0"), net.mac("C", "c0")
    for target in ("255.255.255.255", "192.168.1.255", "224.0.0.1"):
        def deliver(port=1700, server=wild, address=target):
            net.frames("C", "c0", udp_frame(peer, own, C4, address, port), N)
            return received(server)
        udp_case(net, "in udp port 1700", deliver,
                 lambda t=target: deliver(1701, other, t), f"{target} to the own MAC")


def repeated(net):
    """Repeating is success without a change; a dead id is an error; flush removes the rest."""
    first = net.json("block", "in", "udp", "port", "1434")
    again = net.json("block", "in", "udp", "port", "1434")
    check(first["filter"]["id"] == again["filter"]["id"] and again["change"] != "added",
          "the same block again is the same filter")
    check(net.cli("delete", "d9999").returncode == 1, "deleting an unknown id is exit 1")
    net.ok("block", "in", "tcp", "port", "1", "for", "1h")
    check(net.json("flush")["deleted"] == 2, "flush deletes both")
    check(net.json("list")["filters"] == [], "nothing is left")


def test(net):
    net.start_agent()
    inbound_udp(net)
    outbound(net)
    mirrored(net)
    tcp(net)
    icmp(net)
    protocol_47(net)
    own_mac_broadcast(net)
    repeated(net)
    check(os.listdir(net.pins / "link") != [], "links are pinned")


main(test)
