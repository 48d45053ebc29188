#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guard behind covered interfaces: ways around their hooks, and hooks that somebody takes away
(guardnet.py says how rows run; test-guard.py has interfaces that nothing covers)."""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import threading
import time

import bpfcall
from guardnet import (G4, N, Y4, close, detach, drop, expect, filters, got, main_namespace, make_y,
                      pair, reachable, run_rows, s0_index, stopped, translate, wait_covered, wait_role)
from pwtest import (AGENT, C4, C6, PIN_ROOT, S4, S6, check, main, netns_cookie, received, run,
                    udp_frame, until)

VIP4, VIP6, SEGMENT, PORT4 = "192.0.2.55", "2001:db8:55::1", "2001:db8:1::d", "192.168.3.2"
NOBODY = 65534


def own_traffic(net, guard):
    """What a host says to itself is nobody's business."""
    word = "on: " if guard else "off:"
    with filters(net, "block in all", "block out all"):
        for address in ("127.0.0.1", "::1", S4, S6):
            count = got(net, "S", address, 1434, address, which="S", want=N)
            check(count == N, f"guard {word} from this host to itself, {address}: {count}")


def bridged(net, guard):
    """With br_netfilter, frames between two ports come by the FORWARD hooks."""
    s = net.names["S"]
    run(["ip", "-n", s, "link", "add", "br0", "type", "bridge"])
    for port, peer, which, address in (("bp0", "bf0", "F", "10.79.0.2"),
                                       ("bp1", "bg0", "G", "10.79.0.3")):
        run(["ip", "-n", s, "link", "add", port, "type", "veth", "peer", "name", peer, "netns",
             net.names[which]])
        net.ip("S", "link", "set", port, "master", "br0", "up")
        net.ip(which, "addr", "add", f"{address}/24", "dev", peer)
        net.ip(which, "link", "set", peer, "up")
    net.ip("S", "link", "set", "br0", "up")
    for port in ("bp0", "bp1"):
        wait_role(net, port, "port")
    try:
        net.sysctl("S", "net.bridge.bridge-nf-call-iptables", "1")
    except OSError:
        print("SKIP: this kernel has no br_netfilter", flush=True)
    check(until(lambda: net.ping("F", "10.79.0.3", 1)) < 10, "two hosts at a bridge")
    with filters(net, "block in all", "block udp from any to any"):
        count = got(net, "G", "10.79.0.3", 1434, "10.79.0.2", want=N)
        word = "on: " if guard else "off:"
        check(count == N, f"guard {word} from port to port of a bridge: {count}")
    drop(net, "bp0", "bp1", "br0")


def translated_vip(net, guard):
    """An address that no interface has, translated to one of the host."""
    translate(net, "ip", f"ip daddr {VIP4} udp dport {{ 1434, 1435 }} dnat to {S4}")
    translate(net, "ip6", f"ip6 daddr {VIP6} udp dport {{ 1434, 1435 }} dnat to {S6}")
    net.ip("C", "route", "replace", f"{VIP4}/32", "via", S4)
    net.ip("C", "route", "replace", f"{VIP6}/128", "via", S6)
    with filters(net, "block in udp port 1434"):
        for source, target in ((C4, VIP4), (C6, VIP6)):
            pair(net, guard, "translated to this host", "S", target, source, which="C")
    main_namespace(net, "nft", "flush ruleset")


def segment(net, guard):
    """An IPv4 packet inside a segment of End.DX4 is delivered without another round."""
    done = subprocess.run(["ip", "-n", net.names["S"], "-6", "route", "replace", f"{SEGMENT}/128",
                           "encap", "seg6local", "action", "End.DX4", "nh4", S4, "dev", "s0"],
                          capture_output=True, text=True)
    if done.returncode:
        print(f"SKIP: no seg6 End.DX4 in this kernel: {done.stderr.strip()}", flush=True)
        return
    for key in ("all", "s0"):
        net.sysctl("S", f"net.ipv6.conf.{key}.seg6_enabled", "1")
    net.ip("C", "-6", "route", "replace", f"{SEGMENT}/128", "via", S6)
    for port, blocked in ((1434, True), (1435, False)):
        server = net.udp("S", "0.0.0.0", port)
        inner = udp_frame(bytes(6), bytes(6), C4, S4, port)[14:]
        with filters(net, "block in udp port 1434"):
            s = net.raw("C", "::", socket.IPPROTO_IPIP)
            for _ in range(N):
                s.sendto(inner, (SEGMENT, 0))
            count = received(server, want=None if blocked and guard else N)
        if blocked:
            expect(guard, count, "inside a segment", N)
        else:
            check(count == N, f"inside a segment, a port that is not blocked: {count}")
        close(net, s, server)
    net.ip("S", "-6", "route", "del", f"{SEGMENT}/128")


class Stream:
    """Datagrams from C to a port of S."""

    def __init__(self, net, target, port):
        self.end, self.sent = False, 0
        self.socket = net.udp("C", "::" if ":" in target else "0.0.0.0")
        self.thread = threading.Thread(target=self.run, args=((target, port),))
        self.thread.start()

    def run(self, where):
        while not self.end:
            for _ in range(20):
                with contextlib.suppress(OSError):
                    self.socket.sendto(b"x", where)
                self.sent += 1
            time.sleep(0.001)

    def stop(self, net):
        self.end = True
        self.thread.join()
        close(net, self.socket)


def stands(net, index):
    """Both links of an interface of S are there and attached, as the kernel sees it."""
    try:
        return all(bpfcall.link_info(net.pins / f"link/{index}-{d}")[2] == index
                   for d in ("in", "out"))
    except FileNotFoundError:
        return False


def hooks_removed(net, guard):
    """Somebody detaches our links and removes their pins, again and again, under a stream."""
    index = s0_index(net)
    server = net.udp("S", "0.0.0.0", 1434)
    with filters(net, "block in udp port 1434"):
        stream = Stream(net, S4, 1434)
        for i in range(6):
            with contextlib.suppress(subprocess.CalledProcessError):
                detach(net, f"{index}-in")
                detach(net, f"{index}-out")
            if i % 2:
                (net.pins / "link" / f"{index}-in").unlink(missing_ok=True)
            sent = stream.sent
            back = until(lambda: stands(net, index))
            until(lambda: stream.sent > sent + 100)
            check(back < 10, f"the links of s0 are back after {back:.2f} s")
        stream.stop(net)
        count = received(server)
    expect(guard, count, f"links taken off six times under {stream.sent} datagrams, delivered")
    close(net, server)


def foreign_in_front(net, guard):
    """A program of somebody else says "pass" before ours is asked."""
    with filters(net, "block in udp port 1434", "block out udp port 1434"), stopped(net):
        with net.inside("S"):
            program = bpfcall.load(bpfcall.returning(bpfcall.TCX_PASS), "pwt_pass")
            index = socket.if_nametoindex("s0")
            links = [bpfcall.tcx(program, index, bpfcall.TCX_INGRESS),
                     bpfcall.tcx(program, index, bpfcall.TCX_EGRESS)]
        for source, target in ((C4, S4), (C6, S6)):
            pair(net, guard, "a foreign program in front, in", "S", target, source, which="C")
            pair(net, guard, "a foreign program in front, out", "C", source, target, which="S")
        bpfcall.close(*links, program)


def events(net, name, since=0):
    """Events of the agent's log from a position on."""
    lines = (net.dir / "agent.log").read_text()[since:].splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [e for e in found if e["event"] == name]


def log_size(net):
    return len((net.dir / "agent.log").read_text())


def order_restored(net, guard):
    """Ours goes to the front again and nothing is lost; one who insists is named and stays."""
    since = log_size(net)
    server = net.udp("S", "0.0.0.0", 1435)
    with filters(net, "block in udp port 1434"):
        stream = Stream(net, S4, 1435)
        with net.inside("S"):
            program = bpfcall.load(bpfcall.returning(bpfcall.TCX_PASS), "pwt_pass")
            index = socket.if_nametoindex("s0")
            link = bpfcall.tcx(program, index, bpfcall.TCX_INGRESS)
        took = until(lambda: events(net, "tamper", since))
        got_in = got(net, "S", S4, 1434, C4, which="C")
        stream.stop(net)
        arrived = received(server, want=stream.sent)
        named = [e for e in events(net, "tamper", since) if e.get("IN_FRONT", "")[:8] == "pwt_pass"]
        told = [(e["INTERFACE"], e["DIRECTION"], e["OVERTAKEN"]) for e in named]
        check(told == [("s0", "in", "yes")] and took < 2,
              f"a program in front is overtaken and named after {took:.2f} s: {named}")
        check(got_in == 0, f"what is blocked is blocked again: {got_in}")
        check(arrived == stream.sent, f"of {stream.sent} permitted datagrams arrived {arrived}")
        with net.inside("S"):
            second = bpfcall.load(bpfcall.returning(bpfcall.TCX_PASS), "pwt_two")
            again = bpfcall.tcx(second, index, bpfcall.TCX_INGRESS)
        check(until(lambda: "pwt_two (id" in net.cli("status").stdout) < 10 and
              net.cli("status").returncode == 6,
              "one who comes back within a minute is named in the status")
        expect(guard, got(net, "S", S4, 1434, C4, which="C"), "and behind him, delivered", N)
        bpfcall.close(link, again, program, second)
        check(until(lambda: net.cli("status").returncode == 0) < 10,
              "when he has gone the status is clean")
    close(net, server)


def guard_removed(net, guard):
    """Links of the guard are put back within a second, as an event; a busy machine gets three
    tries."""
    if not guard:
        return
    names = sorted(p.name for p in (net.pins / "link").glob("guard-*"))
    for remove in (lambda name: detach(net, name), lambda name: (net.pins / "link" / name).unlink()):
        times = []
        while len(times) < 3 and (not times or times[-1] >= 1):
            since = log_size(net)
            for name in names:
                remove(name)
            times.append(until(lambda at=since: events(net, "tamper", at)))
        seen = events(net, "tamper", since)
        check(times[-1] < 1, f"the guard put back after {times[-1]:.2f} s ({len(times)} tries)")
        check(seen and seen[0]["REPAIRED"] == "6", f"six links, as an event: {seen}")
        check(sorted(p.name for p in (net.pins / "link").glob("guard-*")) == names, "six pins")
    with filters(net, "block in udp port 1434"), stopped(net):
        detach(net, f"{s0_index(net)}-in")
        pair(net, guard, "the new links of the guard", "S", S4, C4, which="C")


class PrivateHost:
    """A mount namespace with a bpffs of its own: agents of other tests do not look into it."""

    def __init__(self, net):
        self.net = net
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "slave", "sh", "-c",
             "mount -t bpf bpf /sys/fs/bpf && echo mounted && exec sleep 600"],
            stdout=subprocess.PIPE, text=True)
        net.children.append(self.holder)
        if self.holder.stdout.readline() != "mounted\n":
            raise RuntimeError("no bpffs of its own")
        self.pins = pathlib.Path(f"/proc/{self.holder.pid}/root", *PIN_ROOT.parts[1:])

    def agent(self, which):
        """An agent in a new network namespace, which has the peer of f<which> of F."""
        name, place = f"pw-{which}-{os.getpid()}", self.net.dir / which
        run(["ip", "netns", "add", name])
        self.net.names[which] = name
        self.net.ip(which, "link", "add", "h0", "type", "veth", "peer", "name", f"f{which}",
                    "netns", self.net.names["F"])
        place.mkdir()
        (place / "portward.conf").write_text("")
        process = subprocess.Popen(
            ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", f"--net=/run/netns/{name}",
             str(AGENT), "--foreground", "--config", str(place / "portward.conf"), "--state-dir",
             str(place / "state"), "--runtime-dir", str(place / "run")], stderr=subprocess.DEVNULL)
        self.net.children.append(process)
        with self.net.inside(which):
            pins = self.pins / str(netns_cookie())
        until(lambda: (pins / "link/guard-out-6").exists(), 30)
        return process, pins

    def forget(self, which):
        run(["ip", "netns", "del", self.net.names.pop(which)])


def namespace_given_back(net, guard):
    """A guard keeps its namespace; the next agent of the host lets one go that nobody can enter."""
    if not guard:
        return
    host = PrivateHost(net)
    agent, pins = host.agent("H")
    agent.kill()
    agent.wait()
    host.forget("H")

    def stays():
        return "fH" in net.ip("F", "-br", "link")

    time.sleep(0.5)
    check(stays(), "a namespace with a guard outlives its name")
    host.agent("K")
    check(until(lambda: not stays() and not pins.exists()) < 10,
          "and goes when the next agent starts")


def words(net, guard):
    """What status and explain say."""
    data = net.json("status")["enforcement"]
    check(data["guard"] == ("on" if guard else "off"), f"status: {data['guard']}")
    text = net.cli("status").stdout
    check(("not judged: new interfaces" in text) is not guard, "status says what is open without")
    path = net.json("explain", "in", "udp", "from", C4, "to", S4, "port", "1434")["path"]
    check(path["guard"] == data["guard"], f"explain: {path}")


def bound_to_port(net, guard):
    """Nobody binds a socket to a port of a bridge, past the bridge's egress."""
    s, c = net.names["S"], net.names["C"]
    run(["ip", "-n", s, "link", "add", "br0", "type", "bridge"])
    run(["ip", "-n", s, "link", "add", "bp0", "type", "veth", "peer", "name", "bc0", "netns", c])
    net.ip("S", "link", "set", "bp0", "master", "br0")
    net.ip("S", "addr", "add", "192.168.3.1/24", "dev", "br0")
    net.ip("C", "addr", "add", f"{PORT4}/24", "dev", "bc0")
    for which, dev in (("S", "br0"), ("S", "bp0"), ("C", "bc0")):
        net.ip(which, "link", "set", dev, "up")
    mac = net.mac("C", "bc0").hex(":")
    net.ip("S", "neigh", "replace", PORT4, "lladdr", mac, "dev", "bp0", "nud", "permanent")
    wait_role(net, "bp0", "port")
    reachable(net, "C", "192.168.3.1")
    server = net.udp("C", "0.0.0.0", 1434)

    def send(want=None):
        with net.inside("S"):
            pid = os.fork()
            if pid == 0:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
                code = 1
                with contextlib.suppress(OSError):
                    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"bp0\0")
                    for _ in range(N):
                        with contextlib.suppress(PermissionError):
                            sock.sendto(b"x", (PORT4, 1434))
                    code = 0
                os._exit(code)
        check(os.waitpid(pid, 0)[1] == 0, "nobody may bind to a port of a bridge")
        return received(server, want=want)

    check(send(N) == N, "a socket at a bridge port, nothing blocked")
    with filters(net, "block out udp port 1434"):
        check(send() == 0, "a socket at a bridge port: blocked at the port")
        with stopped(net):
            detach(net, f"{s0_index(net, 'bp0')}-out")
            expect(guard, send(None if guard else N), "a socket at a bridge port without our link", N)
    close(net, server)
    drop(net, "bp0", "br0")


def published(net, guard):
    """A port of this host that leads into a container."""
    make_y(net)
    wait_covered(net, "y0")
    net.ip("G", "route", "replace", "default", "via", Y4)
    translate(net, "ip", f"tcp dport 8080 dnat to {G4}:80")
    listener = net.tcp_listen("G", "0.0.0.0", 80)
    word = "on: " if guard else "off:"
    check(until(lambda: net.connect("C", C4, S4, 8080)) < 10,
          f"guard {word} a published port answers")
    with filters(net, "block in tcp port 8080"):
        check(not net.connect("C", C4, S4, 8080), f"guard {word} and is closed by its number")
    close(net, listener)
    main_namespace(net, "nft", "flush ruleset")
    drop(net, "y0")


ROWS = [own_traffic, bridged, translated_vip, segment, hooks_removed, foreign_in_front,
        bound_to_port, published, order_restored, guard_removed, words, namespace_given_back]

if __name__ == "__main__":
    main(lambda net: run_rows(net, ROWS))
