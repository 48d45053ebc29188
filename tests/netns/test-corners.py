#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Corner packets on the wire (docs/internals/parsing.md): every row is sent to a blocked and to an
open UDP port, first without filters, where the kernel shows what it delivers (the control), then
with `block in udp port 1434`. To the blocked port nothing may get through; to the open one what
the kernel delivers, unless the row names a reason for which such packets are dropped."""
import contextlib
import os
import select
import signal
import socket
import struct
import time

from pwtest import C4, C6, S4, S6, check, checksum, main, received

N = 10
BLOCKED, OPEN, MARKER = 1434, 1435, 1436
ALL4, NET4, GROUP4, LOOP4, LOOP6 = ("255.255.255.255", "192.168.1.255", "224.0.0.1", "127.0.0.1",
                                    "::1")
NOP, END = b"\x01", b"\x00"
HOP, ROUTING, FRAGMENT, DESTINATION, NONE = 0, 43, 44, 60, 59


# --- bytes ---
def udp(source, target, port, sport=40000, data=bytes(24)):
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    pseudo = socket.inet_pton(family, source) + socket.inet_pton(family, target) + \
        struct.pack("!II", 8 + len(data), 17)
    head = struct.pack("!HHHH", sport, port, 8 + len(data), 0)
    total = checksum(pseudo + head + data) or 0xffff
    return head[:6] + struct.pack("!H", total) + data


def ip4(source, target, body, proto=17, options=b"", **field):
    """field: total, version, ihl, ident, fragment (MF and offset word)."""
    options += END * (-len(options) % 4)
    ihl = field.get("ihl", 5 + len(options) // 4)
    total = field.get("total", 20 + len(options) + len(body))
    head = struct.pack("!BBHHHBBH4s4s", field.get("version", 4) << 4 | ihl, 0, total,
                       field.get("ident", 1), field.get("fragment", 0), 64, proto, 0,
                       socket.inet_aton(source), socket.inet_aton(target)) + options
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return b"\x08\x00" + head + body


def ip6(source, target, body, chain=(), proto=17, version=6):
    """chain: (type, bytes of the header behind its first byte), outermost first."""
    kinds = [kind for kind, _ in chain] + [proto]
    headers = b"".join(bytes([kinds[i + 1]]) + rest for i, (_, rest) in enumerate(chain))
    payload = headers + body
    return b"\x86\xdd" + struct.pack("!IHBB", version << 28, len(payload), kinds[0], 64) + \
        socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target) + \
        payload


OPTIONS6 = (DESTINATION, b"\x00\x01\x04\x00\x00\x00\x00")  # 8 bytes, PadN
HOP6 = (HOP, b"\x00\x01\x04\x00\x00\x00\x00")


def routing(left):
    return ROUTING, bytes([2, 0, left]) + bytes(4) + socket.inet_pton(socket.AF_INET6, S6)


def fragment6(offset, more, ident):
    return FRAGMENT, b"\x00" + struct.pack("!HI", offset | more, ident)


# --- rows: (name, frames of one datagram to a port, reason or None) ---
def options4(options):
    return lambda port, i: [ip4(C4, S4, udp(C4, S4, port), options=options)]


def route4(kind):
    """A source route that is used up: the kernel delivers such packets if told so."""
    return options4(bytes([kind, 7, 8]) + socket.inet_aton(C4))


def fragments4(port, i):
    body = udp(C4, S4, port)
    return [ip4(C4, S4, body[:16], ident=i, fragment=0x2000),
            ip4(C4, S4, body[16:], ident=i, fragment=2)]


def overlapping4(port, i):
    """The second one writes over the ports of the first."""
    body = udp(C4, S4, port)
    return [ip4(C4, S4, udp(C4, S4, OPEN)[:16], ident=i + 2000, fragment=0x2000),
            ip4(C4, S4, body[:16], ident=i + 2000, fragment=0x2000),
            ip4(C4, S4, body[16:], ident=i + 2000, fragment=2)]


def tiny4(port, i):
    """TCP ports in the first fragment, its flags in the second one (RFC 1858)."""
    head = struct.pack("!HHII", 40000, port, 1, 0)
    return [ip4(C4, S4, head[:8], proto=6, ident=i + 3000, fragment=0x2000),
            ip4(C4, S4, head[8:] + b"\x50\x02" + bytes(22), proto=6, ident=i + 3000, fragment=1)]


def last_first4(port, i):
    return fragments4(port, i + 1000)[::-1]


def to4(target):
    return lambda port, i: [ip4(C4, target, udp(C4, target, port))]


def chain6(*chain):
    return lambda port, i: [ip6(C6, S6, udp(C6, S6, port), chain)]


def fragments6(before=()):
    def build(port, i):
        body, ident = udp(C6, S6, port), i + 7 + 1000 * len(before)
        return [ip6(C6, S6, body[:16], (*before, fragment6(0, 1, ident))),
                ip6(C6, S6, body[16:], (*before, fragment6(16, 0, ident)))]
    return build


def overlapping6(port, i):
    body, ident = udp(C6, S6, port), i + 9000
    return [ip6(C6, S6, udp(C6, S6, OPEN)[:16], (fragment6(0, 1, ident),)),
            ip6(C6, S6, body[:16], (fragment6(0, 1, ident),)),
            ip6(C6, S6, body[16:], (fragment6(16, 0, ident),))]


def atomic6(port, i):
    return [ip6(C6, S6, udp(C6, S6, port), (fragment6(0, 0, i),))]


ROWS4 = [
    ("plain", to4(S4), None),
    ("no operation options", options4(NOP * 4), None),
    ("record route", options4(b"\x07\x07\x04" + bytes(4)), None),
    ("timestamp", options4(b"\x44\x08\x05\x00" + bytes(4)), None),
    ("router alert", options4(b"\x94\x04\x00\x00"), None),
    ("40 bytes of options", options4(NOP * 40), None),
    ("loose source route", route4(131), "source-route"),
    ("strict source route", route4(137), "source-route"),
    ("an option that ends behind the header", options4(b"\x07\x09\x04\x00"), "bad-header"),
    ("an option of length 1", options4(b"\x07\x01\x00\x00"), "bad-header"),
    ("version 6 in an IPv4 frame",
     lambda p, i: [ip4(C4, S4, udp(C4, S4, p), version=6)], "bad-header"),
    ("header of 4 words", lambda p, i: [ip4(C4, S4, udp(C4, S4, p), ihl=4)], "bad-header"),
    ("total length below the header",
     lambda p, i: [ip4(C4, S4, udp(C4, S4, p), total=19)], "bad-header"),
    ("UDP header cut by the total length",
     lambda p, i: [ip4(C4, S4, udp(C4, S4, p), total=27)], "truncated-l4"),
    ("cut frame", lambda p, i: [ip4(C4, S4, udp(C4, S4, p)[:6], total=28)], "truncated-l4"),
    ("two fragments", fragments4, None),
    ("two fragments, the last one first", last_first4, None),
    ("overlapping fragments", overlapping4, None),
    ("a TCP header in two fragments", tiny4, "tiny-fragment"),
    ("source port 0", lambda p, i: [ip4(C4, S4, udp(C4, S4, p, sport=0))], None),
    ("source port 88", lambda p, i: [ip4(C4, S4, udp(C4, S4, p, sport=88))], None),
    ("own MAC, to 255.255.255.255", to4(ALL4), None),
    ("own MAC, to the broadcast address", to4(NET4), None),
    ("own MAC, to 224.0.0.1", to4(GROUP4), None),
    ("from 127.0.0.1", lambda p, i: [ip4(LOOP4, S4, udp(LOOP4, S4, p))], "martian"),
    ("to 127.0.0.1", to4(LOOP4), "martian"),
    ("from the host's own address", lambda p, i: [ip4(S4, S4, udp(S4, S4, p))], "martian"),
]
ROWS6 = [
    ("plain", chain6(), None),
    ("hop-by-hop options", chain6(HOP6), None),
    ("8 extension headers", chain6(HOP6, *[OPTIONS6] * 7), None),
    ("9 extension headers", chain6(HOP6, *[OPTIONS6] * 8), "ext-headers"),
    ("routing header with segments left", chain6(routing(1)), "source-route"),
    ("atomic fragment", atomic6, None),
    ("two fragments", fragments6(), None),
    ("overlapping fragments", overlapping6, None),
    ("two fragments behind options", fragments6((OPTIONS6,)), None),
    ("second fragment header",
     lambda p, i: [ip6(C6, S6, udp(C6, S6, p), (fragment6(0, 0, i), fragment6(0, 0, i)))],
     "ext-headers"),
    ("no UDP header in the first fragment",
     lambda p, i: [ip6(C6, S6, b"", (fragment6(0, 1, i + 5000), OPTIONS6), proto=17),
                   ip6(C6, S6, udp(C6, S6, p), (fragment6(8, 0, i + 5000),), proto=DESTINATION)],
     "tiny-fragment"),
    ("version 4 in an IPv6 frame",
     lambda p, i: [ip6(C6, S6, udp(C6, S6, p), version=4)], "bad-header"),
    ("UDP header cut", lambda p, i: [ip6(C6, S6, udp(C6, S6, p)[:6])], "truncated-l4"),
    ("from ::1", lambda p, i: [ip6(LOOP6, S6, udp(LOOP6, S6, p))], "martian"),
    ("to ::1", lambda p, i: [ip6(C6, LOOP6, udp(C6, LOOP6, p))], "martian"),
    ("source port 0", lambda p, i: [ip6(C6, S6, udp(C6, S6, p, sport=0))], None),
]
MUST_ARRIVE = {name for rows in (ROWS4, ROWS6) for name, _, reason in rows
               if not reason and not name.startswith("overlapping")} | {
    "loose source route", "strict source route", "to 127.0.0.1"}


class World:
    def __init__(self, net):
        self.net = net
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        self.marker = net.udp("S", S4, MARKER)
        self.head = net.mac("S", "s0") + net.mac("C", "c0")
        self.servers = {(family, port): self.server(family, port)
                        for family in (socket.AF_INET, socket.AF_INET6) for port in (BLOCKED, OPEN)}
        for key, value in (("accept_source_route", "1"), ("route_localnet", "1"),
                           ("rp_filter", "0")):
            for dev in ("all", "s0"):
                net.sysctl("S", f"net.ipv4.conf.{dev}.{key}", value)

    def server(self, family, port):
        any_address = "::" if family == socket.AF_INET6 else "0.0.0.0"
        if family == socket.AF_INET:
            return self.net.udp("S", any_address, port)
        with self.net.inside("S"):
            s = socket.socket(family, socket.SOCK_DGRAM)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.bind((any_address, port))
        s.setblocking(False)
        self.net.sockets.append(s)
        return s

    def send(self, build, port):
        with self.net.inside("C"):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            s.bind(("c0", 0))
        frames = 0
        for i in range(N):
            for frame in build(port, i):
                s.send(self.head + frame)
                frames += 1
        s.close()
        return frames

    def delivered(self, family, build):
        """Datagrams at (blocked port, open port), and frames sent in all."""
        sent = sum(self.send(build, port) for port in (BLOCKED, OPEN))
        self.net.send_udp("C", C4, S4, MARKER, 1)  # from the same CPU: it comes last
        received(self.marker, want=1)
        return [received(self.servers[family, port], 0) for port in (BLOCKED, OPEN)], sent

    def dropped(self):
        counts = self.net.json("status")["packets"]["in"]["dropped"]
        return {reason: n for reason, n in counts.items() if n}


def rows(w, armed, heard):
    for family, table in ((socket.AF_INET, ROWS4), (socket.AF_INET6, ROWS6)):
        for name, build, reason in table:
            key = f"IPv{4 if family == socket.AF_INET else 6}, {name}"
            before = w.dropped() if armed else {}
            got, sent = w.delivered(family, build)
            if not armed:
                heard[key] = got
                if name in MUST_ARRIVE:
                    check(got == [N, N], f"control, {key}: the kernel delivers {got}")
                continue
            expected = [0, 0 if reason else heard[key][1]]
            check(got == expected, f"{key}: delivered {got}, expected {expected}")
            after = w.dropped()
            if reason:
                grown = after.get(reason, 0) - before.get(reason, 0)
                fragments = 2 if "first fragment" in name else 1
                check(grown * fragments == sent, f"{key}: {grown} of {sent} frames counted as "
                      f"{reason}")


def classified_routes(w):
    """[filter] source-route = classify: by the destination in the header."""
    w.net.config("[filter]\nsource-route = classify\n")
    w.net.stop_agent()
    w.net.start_agent()
    for name, build, reason in ROWS4:
        if reason == "source-route":
            got, _ = w.delivered(socket.AF_INET, build)
            check(got == [0, N], f"classified {name}: delivered {got}")


def strange_protocols(w):
    """Protocol numbers that nobody listens to are counted like any other."""
    added = w.net.block("block", "in", "from", C4, "to", "me")
    for proto in (0, 59, 253, 255):
        before = w.net.counters()[added]
        for _ in range(N):
            w.net.frames("C", "c0", w.head + ip4(C4, S4, bytes(40), proto=proto), 1)
        check(w.net.counters()[added] - before == N, f"protocol {proto} meets 'block in'")
    w.net.ok("delete", added)


def segments(w):
    """A super-packet counts as the segments that the peer sees."""
    net, n, size = w.net, 20, 500
    added = net.block("permit", "in", "udp", "from", C4, "to", "me", "port", str(OPEN))
    s = net.udp("C", C4)
    s.setsockopt(socket.IPPROTO_UDP, 103, size)  # UDP_SEGMENT
    before = net.counters()[added]
    s.sendto(bytes(n * size), (S4, OPEN))
    got = received(w.servers[socket.AF_INET, OPEN], 0.1)
    check(got == n and net.counters()[added] - before == n,
          f"one send of {n} segments: {got} received, {net.counters()[added] - before} counted")
    net.ok("delete", added)


def jumbo(w):
    """Frames of 9,000 bytes, in one piece."""
    net, data = w.net, bytes(8900)
    for which, dev in (("S", "s0"), ("C", "c0")):
        net.ip(which, "link", "set", dev, "mtu", "9000")
    for family, source, target in ((socket.AF_INET, C4, S4), (socket.AF_INET6, C6, S6)):
        s = net.udp("C", source)
        for port in (BLOCKED, OPEN):
            for _ in range(N):
                s.sendto(data, (target, port))
        got = [received(w.servers[family, OPEN], want=N), received(w.servers[family, BLOCKED], 0)]
        check(got == [N, 0], f"frames of 9,000 bytes to {target}: open and blocked port {got}")
    for which, dev in (("S", "s0"), ("C", "c0")):
        net.ip(which, "link", "set", dev, "mtu", "1500")


def huge_packets(w):
    """BIG TCP: packets of more than 64 KiB pass, and count as their segments."""
    net, size, port = w.net, 8 << 20, 8080
    for which, dev in (("S", "s0"), ("C", "c0")):
        net.ip(which, "link", "set", dev, "gso_max_size", "180000", "gro_max_size", "180000")
    added = net.block("permit", "in", "tcp", "from", C6, "to", "me", "port", str(port))
    listener = net.tcp_listen("S", S6, port)
    with net.inside("S"):
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x86dd))
    tap.bind(("s0", 0x86dd))
    tap.setblocking(False)
    client = net._socket("C", S6, socket.SOCK_STREAM)
    client.bind((C6, 0))
    client.connect((S6, port))
    server = listener.accept()[0]
    mss = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    server.settimeout(20)
    client.setblocking(False)
    left, got, longest = size, 0, 0
    while got < size:
        with contextlib.suppress(BlockingIOError):
            left -= client.send(bytes(min(left, 1 << 20))) if left else 0
        got += len(server.recv(1 << 20))
        with contextlib.suppress(BlockingIOError):
            while True:
                longest = max(longest, len(tap.recv(200000)))
    counted = net.counters()[added]
    check(got == size and longest > 65600, f"BIG TCP: {got} bytes, longest packet {longest}")
    check(size // mss <= counted <= size // mss * 1.2 + 100,
          f"BIG TCP: {counted} segments of {mss} bytes counted for {size // mss}")
    shut = net.block("block", "in", "tcp", "from", C6, "to", "me", "port", str(port), "override")
    client.send(bytes(1 << 20))
    check(not select.select([server], [], [], 0.3)[0], "BIG TCP: blocked")
    for identity in (added, shut):
        net.ok("delete", identity)
    for s in (tap, client, server, listener):
        s.close()


def mapped(w):
    """A dual-stack socket gets IPv4 packets as from ::ffff:a.b.c.d; filters see IPv4."""
    net = w.net
    with net.inside("S"):
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", 1437))
    s.setblocking(False)
    net.send_udp("C", C4, S4, 1437, N)
    check(received(s, want=N) == N, "control: IPv4 packets reach a socket of IPv6")
    for words, n in (("block in udp from 192.168.1.0/24 to me port 1437", 0),
                     ("block in udp from 2001:db8::/32 to me port 1437", N)):
        identity = net.block(*words.split())
        net.send_udp("C", C4, S4, 1437, N)
        check(received(s, want=n or None) == n, f"'{words}': {n} arrive")
        net.ok("delete", identity)
    s.close()


def deadline(w):
    """A permit ends on time though the agent sleeps; a block stays."""
    net, server = w.net, w.servers[socket.AF_INET, OPEN]
    net.ok("block", "in", "udp", "port", str(OPEN))
    net.ok("permit", "in", "udp", "from", C4, "to", "me", "port", str(OPEN), "for", "4s")
    start = time.monotonic()
    net.send_udp("C", C4, S4, OPEN, N)
    check(received(server, want=N) == N, "permit for 4 s: open at first")
    net.agent.send_signal(signal.SIGSTOP)
    try:
        time.sleep(max(0.0, start + 4.1 - time.monotonic()))
        net.send_udp("C", C4, S4, OPEN, N)
        check(received(server, 0.1) == 0, "the agent is stopped: closed on the deadline")
    finally:
        net.agent.send_signal(signal.SIGCONT)


def test(net):
    net.start_agent()
    w, heard = World(net), {}
    rows(w, False, heard)
    net.ok("policy", "load", "-", text=f'policy "P" {{ rule "R" block in udp port {BLOCKED} }}\n')
    net.ok("policy", "assign", "P")
    rows(w, True, heard)
    strange_protocols(w)
    segments(w)
    jumbo(w)
    huge_packets(w)
    mapped(w)
    classified_routes(w)
    deadline(w)


main(test)
