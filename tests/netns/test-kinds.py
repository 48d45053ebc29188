#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kinds of devices (docs/internals/interfaces.md): each that this kernel has carries packets in and
out. A row first shows without a filter that they arrive (the control), then that a blocked port
gets none, an open one all, and that each packet was counted once. What this kernel has not is said
as SKIP; status names a kind that no row covers."""
import contextlib
import fcntl
import os
import shutil
import socket
import struct
import subprocess

from pwtest import (C4, C6, S4, S6, check, main, received, run, udp6_frame, udp_frame,
                    until)

N = 20
BLOCKED, OPEN = 1434, 1435
TUNSETIFF, IFF_TUN, IFF_TAP, IFF_NO_PI = 0x400454ca, 1, 2, 0x1000
OWN_MAC, PEER_MAC = bytes.fromhex("02000000b101"), bytes.fromhex("02000000b102")
# Others of the table; "macvtap" serves as the kind that status calls untested.
ABSENT = ["vlan", "bond", "team", "hsr", "batadv", "ipvlan", "vrf", "gre", "ipip", "sit", "ip6tnl",
          "vti", "xfrm", "geneve", "wireguard", "macsec", "netkit", "ppp", "openvswitch", "dsa"]


def settled(net, *devs):
    """The agent has done what it does with these interfaces."""
    def seen():
        shown = {i["name"]: i for i in net.json("status")["enforcement"]["interfaces"]}
        return all(d in shown and (shown[d]["role"] == "none" or
                                   shown[d]["attached_in"] and shown[d]["attached_out"])
                   for d in devs)
    check(until(seen, 20) < 20, f"{', '.join(devs)}: attached")


def judged(net, name, direction, send, sinks, words="", far=False):
    """send(port) sends N datagrams, sinks[port]() counts those that arrived. `far`: neither end is
    this host."""
    everywhere = "from any to any " if far else ""
    heard = {}
    for port in (BLOCKED, OPEN):
        send(port)
        heard[port] = sinks[port](N)
    check(set(heard.values()) == {N}, f"{name}: control, all arrive: {heard}")
    where = "" if far else f"{direction} "
    shut = net.block("block", *f"{where}udp {everywhere}port {BLOCKED} {words}".split())
    seen = net.block("permit", *f"{where}udp {everywhere}port {OPEN} {words}".split())
    for port in (BLOCKED, OPEN):
        send(port)
    n_open = sinks[OPEN](N)
    n_blocked = sinks[BLOCKED](0)
    counts = net.counters()
    check((n_blocked, n_open) == (0, N), f"{name}: blocked port {n_blocked}, open port {n_open}")
    check((counts[shut], counts[seen]) == (N, N),
          f"{name}: counted {counts[shut]} and {counts[seen]}, each packet once")
    for identity in (shut, seen):
        net.ok("delete", identity)


def sockets(net, which, address):
    """Port -> count of what comes to sockets of a namespace; with 0: what is there."""
    found = {port: net.udp(which, address, port) for port in (BLOCKED, OPEN)}
    return {port: (lambda want, s=s: received(s, 0, want=want) if want else received(s, 0))
            for port, s in found.items()}


# --- devices whose other end is a process ---
def tunnel(net, name, flags):
    with net.inside("S"):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags | IFF_NO_PI))
    return fd


def ports_read(fd, ethernet, six, port):
    """Packets for a port among what the host sent to the device; others are kept for later."""
    kept = []

    def count(want):
        found = 0

        def drain():
            nonlocal found
            with contextlib.suppress(BlockingIOError):
                while True:
                    kept.append(os.read(fd, 4096)[14 if ethernet else 0:])
            at = 40 if six else 20
            mine = [p for p in kept if p[0] >> 4 == (6 if six else 4) and len(p) >= at + 8 and
                    p[6 if six else 9] == 17 and p[at + 2:at + 4] == struct.pack("!H", port)]
            found += len(mine)
            kept.clear()
            return found >= want
        until(drain, 5 if want else 0)
        return found
    return count


def process_device(net, name, flags, v4, peer4, v6, peer6):
    ethernet = flags == IFF_TAP
    fd = tunnel(net, name, flags)
    if ethernet:
        net.ip("S", "link", "set", name, "address", OWN_MAC.hex(":"))
    net.ip("S", "addr", "add", f"{v4}/24", "dev", name)
    net.ip("S", "addr", "add", f"{v6}/64", "dev", name, "nodad")
    net.ip("S", "link", "set", name, "up")
    for peer in (peer4, peer6) if ethernet else ():
        net.ip("S", "neigh", "replace", peer, "lladdr", PEER_MAC.hex(":"), "dev", name, "nud",
               "permanent")
    settled(net, name)
    for own, peer, build, family in ((v4, peer4, udp_frame, "IPv4"), (v6, peer6, udp6_frame, "IPv6")):
        def write(port, b=build, o=own, p=peer):
            frame = b(PEER_MAC, OWN_MAC, p, o, port)
            for _ in range(N):
                os.write(fd, frame if ethernet else frame[14:])
        judged(net, f"{name}, {family}, in", "in", write, sockets(net, "S", own))
        for port in (BLOCKED, OPEN):
            ports_read(fd, ethernet, ":" in own, port)(0)
        one_by_one(net, name, family, fd, ethernet, own, peer)
    os.close(fd)


def one_by_one(net, name, family, fd, ethernet, own, peer):
    """Outbound: the process reads what the host sends, port after port."""
    counts = {}
    for words in (None, ("block", "out", "udp", "port", str(BLOCKED))):
        identity = net.block(*words) if words else None
        for port in (OPEN, BLOCKED):
            net.send_udp("S", own, peer, port, N)
            blocked = words and port == BLOCKED
            counts[port] = ports_read(fd, ethernet, ":" in own, port)(0 if blocked else N)
        check(counts == {OPEN: N, BLOCKED: 0 if words else N},
              f"{name}, {family}, out, {'blocked' if words else 'control'}: {counts}")
        if identity:
            check(net.counters()[identity] == N, f"{name}, {family}, out: counted once")
            net.ok("delete", identity)


def tun(net):
    process_device(net, "tun7", IFF_TUN, "10.81.0.1", "10.81.0.2", "fd81::1", "fd81::2")


def tap(net):
    process_device(net, "tap7", IFF_TAP, "10.82.0.1", "10.82.0.2", "fd82::1", "fd82::2")


# --- devices on top of s0 ---
def macvlan(net):
    """The child is here: the parent sees its packets first and leaves them to it."""
    net.ip("S", "link", "add", "mv0", "address", OWN_MAC.hex(":"), "link", "s0", "type", "macvlan",
           "mode", "bridge")
    net.ip("S", "addr", "add", "10.83.0.1/24", "dev", "mv0")
    net.ip("S", "link", "set", "mv0", "up")
    net.ip("C", "addr", "add", "10.83.0.2/24", "dev", "c0")
    net.ip("C", "neigh", "replace", "10.83.0.1", "lladdr", OWN_MAC.hex(":"), "dev", "c0", "nud",
           "permanent")
    settled(net, "mv0")
    judged(net, "macvlan, in", "in", lambda port: net.send_udp("C", "10.83.0.2", "10.83.0.1", port, N),
           sockets(net, "S", "10.83.0.1"))
    judged(net, "macvlan, out", "out",
           lambda port: net.send_udp("S", "10.83.0.1", "10.83.0.2", port, N),
           sockets(net, "C", "10.83.0.2"))
    net.ip("S", "link", "del", "mv0")


def macvlan_elsewhere(net):
    """The child is in another namespace: what it gets is not for this host, but passes it."""
    net.names["D"] = net.names["S"].replace("pw-s-", "pw-d-")
    run(["ip", "netns", "add", net.names["D"]])
    net.ip("S", "link", "add", "mv1", "address", PEER_MAC.hex(":"), "link", "s0", "type", "macvlan",
           "mode", "bridge")
    net.ip("S", "link", "set", "mv1", "netns", net.names["D"])
    net.ip("D", "addr", "add", "10.83.0.3/24", "dev", "mv1")
    net.ip("D", "link", "set", "mv1", "up")
    net.ip("C", "neigh", "replace", "10.83.0.3", "lladdr", PEER_MAC.hex(":"), "dev", "c0", "nud",
           "permanent")

    def send(port):
        net.send_udp("C", "10.83.0.2", "10.83.0.3", port, N)
    sinks = sockets(net, "D", "10.83.0.3")
    mine = net.block("block", "in", "udp", "port", str(OPEN))
    judged(net, "macvlan of another namespace", "in", send, sinks, far=True)
    check(net.counters()[mine] == 0, "macvlan of another namespace: 'in' does not name it")
    net.ok("flush")
    net.ip("D", "link", "del", "mv1")


def vxlan(net):
    """Inner packets on the device, outer ones for themselves below."""
    for which, dev, local, remote, inner in (("S", "s0", S4, C4, "10.84.0.1"),
                                             ("C", "c0", C4, S4, "10.84.0.2")):
        net.ip(which, "link", "add", "vx0", "type", "vxlan", "id", "7", "local", local, "remote",
               remote, "dstport", "4789", "dev", dev)
        net.ip(which, "addr", "add", f"{inner}/24", "dev", "vx0")
        net.ip(which, "link", "set", "vx0", "up")
    settled(net, "vx0")
    check(until(lambda: net.ping("C", "10.84.0.1", 1)) < 10, "vxlan: reachable")

    def inward(port):
        net.send_udp("C", "10.84.0.2", "10.84.0.1", port, N)

    def outward(port):
        net.send_udp("S", "10.84.0.1", "10.84.0.2", port, N)
    inner = sockets(net, "S", "10.84.0.1")
    judged(net, "vxlan, in", "in", inward, inner)
    judged(net, "vxlan, out", "out", outward, sockets(net, "C", "10.84.0.2"))
    outer = net.block("block", "in", "udp", "port", "4789")
    inward(OPEN)
    check(until(lambda: net.counters()[outer] == N) < 10 and inner[OPEN](0) == 0,
          "vxlan: the outer packet is judged for itself")
    net.ok("delete", outer)
    net.ip("S", "link", "del", "vx0")


def ifb(net):
    """What comes back from an ifb was judged before it went there."""
    net.ip("S", "link", "add", "ifb7", "type", "ifb")
    net.ip("S", "link", "set", "ifb7", "up")
    settled(net, "ifb7")
    tc = ["nsenter", f"--net=/run/netns/{net.names['S']}", "tc"]
    run([*tc, "qdisc", "add", "dev", "s0", "ingress"])
    run([*tc, "filter", "add", "dev", "s0", "parent", "ffff:", "protocol", "all", "u32", "match",
         "u8", "0", "0", "action", "mirred", "egress", "redirect", "dev", "ifb7"])

    def through():
        shown = run([*tc[:-1], "ip", "-s", "-j", "link", "show", "dev", "ifb7"]).stdout
        return int(shown.split('"tx":{"bytes":')[1].split('"packets":')[1].split(",")[0])
    before = through()
    for source, target in ((C4, S4), (C6, S6)):
        judged(net, f"ifb, {target}", "in",
               lambda port, s=source, t=target: net.send_udp("C", s, t, port, N),
               sockets(net, "S", target))
    check(through() - before >= 6 * N, f"ifb: {through() - before} packets went through it")
    run([*tc, "qdisc", "del", "dev", "s0", "ingress"])
    net.ip("S", "link", "del", "ifb7")


# --- transformations ---
def light_tunnel(net):
    """A route that wraps its packets: judged before that by the guard, and once wrapped at s0."""
    target = "2001:db8:99::9"
    done = subprocess.run(["ip", "-n", net.names["S"], "-6", "route", "add", f"{target}/128",
                           "encap", "seg6", "mode", "encap", "segs", C6, "dev", "s0"],
                          text=True, capture_output=True)
    if done.returncode:
        print(f"SKIP: no light-weight tunnels of seg6: {done.stderr.strip()}", flush=True)
        return
    with net.inside("C"):
        tap_socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x86dd))
    tap_socket.bind(("c0", 0x86dd))
    tap_socket.setblocking(False)
    net.sockets.append(tap_socket)
    inside = socket.inet_pton(socket.AF_INET6, target)

    def count(port, want):
        """Wrapped datagrams to the port."""
        found = 0

        def drain():
            nonlocal found
            with contextlib.suppress(BlockingIOError):
                while True:
                    frame = tap_socket.recv(2048)
                    found += frame[20] == 43 and inside in frame and \
                        struct.pack("!HHH", 40000, port, 16) in frame
            return found >= want
        until(drain, 5 if want else 0.2)
        return found

    def send(port):
        net.send_udp("S", S6, target, port, N, sport=40000)
    for port in (OPEN, BLOCKED):
        send(port)
        check(count(port, N) == N, f"seg6 route: control, port {port} leaves wrapped")
    shut = net.block("block", "out", "udp", "port", str(BLOCKED))
    send(BLOCKED)
    check(count(BLOCKED, 0) == 0 and net.counters()[shut] == N,
          "seg6 route: judged before it is wrapped, counted once")
    send(OPEN)
    check(count(OPEN, N) == N, "seg6 route: another port leaves")
    net.ok("delete", shut)
    net.ip("S", "-6", "route", "del", f"{target}/128")


def absent(net):
    """Nobody shall believe that these were tried."""
    missing = []
    for kind in ABSENT:
        done = subprocess.run(["ip", "-n", net.names["C"], "link", "add", "k0", "type", kind],
                              text=True, capture_output=True)
        if done.returncode == 0:
            net.ip("C", "link", "del", "k0")
            print(f"note: this kernel has {kind}, and no row here sends packets through one")
        elif "Unknown device type" in done.stderr or "not supported" in done.stderr.lower():
            missing.append(kind)
    print(f"SKIP: kinds that this kernel has not: {', '.join(missing)}", flush=True)
    for what, words in (
            ("ESP", "xfrm state add src 10.0.0.1 dst 10.0.0.2 proto esp spi 1 mode transport enc "
                    "cbc(aes) 0x00112233445566778899aabbccddeeff"),
            ("MPLS routes", "route add 10.9.0.0/24 encap mpls 100 via inet 192.168.1.9")):
        done = subprocess.run(["ip", "-n", net.names["C"], *words.split()], text=True,
                              capture_output=True)
        if done.returncode:
            print(f"SKIP: no {what} in this kernel: {done.stderr.strip()}", flush=True)


def untested(net):
    """status says of which kinds nobody knows."""
    net.ip("S", "link", "add", "mt0", "link", "s0", "type", "macvtap")
    settled(net, "mt0")
    shown = {i["name"]: i["untested_kind"] for i in net.json("status")["enforcement"]["interfaces"]}
    check(shown["mt0"] == "macvtap" and shown["s0"] is None, f"untested kinds: {shown}")
    text = net.cli("status").stdout
    check("untested     mt0 (macvtap): filtered, but no test" in text, f"in words: {text}")
    net.ip("S", "link", "del", "mt0")
    check(until(lambda: "untested " not in net.cli("status").stdout) < 10, "and no more without it")


def test(net):
    net.start_agent()
    rows = [tun, tap, macvlan, macvlan_elsewhere, vxlan, light_tunnel]
    if shutil.which("tc"):
        rows.append(ifb)
    else:
        print("SKIP: no tc, so that nothing is redirected to an ifb", flush=True)
    for row in rows + [absent, untested]:
        row(net)


if __name__ == "__main__":
    main(test)
