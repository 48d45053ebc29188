#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guard: what the hooks of the interfaces have not judged is judged behind them. Each row runs
once with `guard = off`, where the packets must get through (the control), and once with the guard,
where none may. A stopped agent (SIGSTOP) attaches nothing: an interface made then is uncovered.

    F  another client, behind interfaces that are made during a row
       x0  10.77.0.1/24   fd77::1/64   to f0 10.77.0.2 fd77::2
       y0  10.78.0.1/24   fd78::1/64   to g0 10.78.0.2 fd78::2 (namespace G)
"""
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import bpfcall
from pwtest import (AGENT, C4, C6, PIN_ROOT, S4, S6, check, main, netns_cookie, received, run,
                    udp_frame)

N = 20
X4, F4, X6, F6 = "10.77.0.1", "10.77.0.2", "fd77::1", "fd77::2"
Y4, G4, Y6, G6 = "10.78.0.1", "10.78.0.2", "fd78::1", "fd78::2"
VIP4, VIP6, SEGMENT, PORT4 = "192.0.2.55", "2001:db8:55::1", "2001:db8:1::d", "192.168.3.2"
MAC = {"x0": "02:77:00:00:00:01", "f0": "02:77:00:00:00:02", "y0": "02:78:00:00:00:01",
       "g0": "02:78:00:00:00:02"}
NOBODY = 65534


def main_namespace(net, *command, **kwargs):
    return run(["nsenter", f"--net=/run/netns/{net.names['S']}", *command], **kwargs).stdout


def add_namespaces(net):
    for which in ("F", "G"):
        net.names[which] = f"pw-{which.lower()}-{os.getpid()}-{os.urandom(2).hex()}"
        run(["ip", "netns", "add", net.names[which]])
        net.ip(which, "link", "set", "lo", "up")


def make(net, name, peer, which, v4, peer4, v6, peer6, index=None):
    """An interface of S with its peer in another namespace, up and addressed, in one go."""
    s, f = net.names["S"], net.names[which]
    number = f"index {index}" if index else ""
    ends = f"address {MAC[name]} type veth peer name {peer} address {MAC[peer]} netns {f}"
    run(["ip", "-n", s, "-batch", "-"], input=f"""
link add {name} {number} {ends}
addr add {v4}/24 dev {name}
addr add {v6}/64 dev {name} nodad
link set {name} up
neigh replace {peer4} lladdr {MAC[peer]} dev {name} nud permanent
neigh replace {peer6} lladdr {MAC[peer]} dev {name} nud permanent
""")
    run(["ip", "-n", f, "-batch", "-"], input=f"""
addr add {peer4}/24 dev {peer}
addr add {peer6}/64 dev {peer} nodad
link set {peer} up
neigh replace {v4} lladdr {MAC[name]} dev {peer} nud permanent
neigh replace {v6} lladdr {MAC[name]} dev {peer} nud permanent
""")


def make_x(net, index=None):
    make(net, "x0", "f0", "F", X4, F4, X6, F6, index)


def make_y(net):
    make(net, "y0", "g0", "G", Y4, G4, Y6, G6)


def drop(net, *names):
    for name in names:
        subprocess.run(["ip", "-n", net.names["S"], "link", "del", name], capture_output=True)


@contextlib.contextmanager
def stopped(net):
    """The agent does nothing meanwhile."""
    net.agent.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        net.agent.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def filters(net, *texts):
    ids = [net.block(*text.split()) for text in texts]
    try:
        yield ids
    finally:
        for identity in ids:
            net.ok("delete", identity)


def got(net, server_at, target, port, source, n=N, which="F"):
    """Datagrams that arrive at a port of a namespace."""
    server = net.udp(server_at, "::" if ":" in target else "0.0.0.0", port)
    net.send_udp(which, source, target, port, n)
    count = received(server)
    server.close()
    net.sockets.remove(server)
    return count


def expect(guard, count, text, control=None):
    """With the guard nothing passed, without it something (or just as many as told)."""
    if guard:
        return check(count == 0, f"guard on:  {text}: {count}")
    return check(count > 0 if control is None else count == control, f"guard off: {text}: {count}")


# --- rows: an interface that nothing covers ---
def uncovered_in(net, guard):
    with filters(net, "block in udp port 1434"), stopped(net):
        make_x(net)
        for source, target in ((F4, X4), (F6, X6)):
            expect(guard, got(net, "S", target, 1434, source), f"uncovered, in, {target}", N)
            count = got(net, "S", target, 1435, source)
            check(count == N, f"uncovered, in, {target}, a port that is not blocked: {count}")
    drop(net, "x0")


def uncovered_out(net, guard):
    with filters(net, "block out udp port 1434"), stopped(net):
        make_x(net)
        for source, target in ((X4, F4), (X6, F6)):
            expect(guard, got(net, "F", target, 1434, source, which="S"),
                   f"uncovered, out, {target}", N)
            count = got(net, "F", target, 1435, source, which="S")
            check(count == N, f"uncovered, out, {target}, a port that is not blocked: {count}")
    drop(net, "x0")


def uncovered_forward(net, guard):
    """From F through S to G, over two interfaces that nothing covers."""
    with filters(net, "block udp from any to any port 1434"), stopped(net):
        make_x(net)
        make_y(net)
        for which, via4, via6, other in (("F", X4, X6, "78"), ("G", Y4, Y6, "77")):
            net.ip(which, "route", "replace", f"10.{other}.0.0/24", "via", via4)
            net.ip(which, "route", "replace", f"fd{other}::/64", "via", via6)
        for source, target in ((F4, G4), (F6, G6)):
            expect(guard, got(net, "G", target, 1434, source), f"forwarded, {target}", N)
            count = got(net, "G", target, 1435, source)
            check(count == N, f"forwarded, {target}, a port that is not blocked: {count}")
    drop(net, "x0", "y0")


def stale_ifindex(net, guard):
    """A number whose role still says that it is covered."""
    make_x(net, index=777)
    wait_covered(net, "x0")
    with filters(net, "block in udp port 1434", "block out udp port 1434"), stopped(net):
        drop(net, "x0")
        make_x(net, index=777)
        expect(guard, got(net, "S", X4, 1434, F4), "stale ifindex, in", N)
        expect(guard, got(net, "F", F4, 1434, X4, which="S"), "stale ifindex, out", N)
    drop(net, "x0")


def wait_covered(net, name, limit_s=5):
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        for i in net.json("status")["enforcement"]["interfaces"]:
            if i["name"] == name and i["attached_in"] and i["attached_out"]:
                return True
        time.sleep(0.05)
    raise RuntimeError(f"{name} is not attached")


class Flood:
    """Frames into f0 of F as fast as they go, from before the interface exists."""

    def __init__(self, net, frame):
        self.net, self.frame, self.sent, self.end = net, frame, 0, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        with self.net.inside("F"):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            while not self.end:
                try:
                    s.bind(("f0", 0))
                    while not self.end:
                        s.send(self.frame)
                        self.sent += 1
                except OSError:
                    time.sleep(0.0001)
            s.close()

    def stop(self):
        self.end = True
        self.thread.join()


def created_under_flood(net, guard, rounds=100):
    """Made, addressed and flooded at once; the agent runs and attaches as fast as it can. Without
    the guard some get through by chance: the control is a stopped agent."""
    frame = udp_frame(mac_bytes("f0"), mac_bytes("x0"), F4, X4, 1434)
    server = net.udp("S", "0.0.0.0", 1434)
    leaked = [0, 0]

    def make_and_drop(i):
        make_x(net, index=777 if i % 2 else None)
        time.sleep(0.02)
        n = received(server, 0.005)
        drop(net, "x0")
        return n

    with filters(net, "block in udp port 1434"):
        flood = Flood(net, frame)
        for i in range(rounds):
            leaked[0] += make_and_drop(i)
        with stopped(net):
            for i in range(4):
                leaked[1] += make_and_drop(i)
        flood.stop()
    check(flood.sent > rounds, f"{flood.sent} frames were sent over new interfaces")
    word = "on: " if guard else "off:"
    check(leaked[0] == 0 or not guard,
          f"guard {word} {rounds} interfaces made under a flood: {leaked[0]} datagrams delivered")
    expect(guard, leaked[1], "the same with the agent stopped")
    server.close()
    net.sockets.remove(server)


def mac_bytes(name):
    return bytes.fromhex(MAC[name].replace(":", ""))


def loopback_from_wire(net, guard):
    """127.0.0.1 as the destination of a frame, with route_localnet."""
    server = net.udp("S", "127.0.0.1", 1500)
    with filters(net, "block in udp port 1434"), stopped(net): # armed: structure is dropped
        make_x(net)
        net.sysctl("S", "net.ipv4.conf.x0.route_localnet", "1")
        net.frames("F", "f0", udp_frame(mac_bytes("f0"), mac_bytes("x0"), F4, "127.0.0.1", 1500), N)
        expect(guard, received(server), "127.0.0.1 from the wire", N)
    server.close()
    net.sockets.remove(server)
    drop(net, "x0")


def forged_tag(net, guard):
    """Every value of tc_index, written by the sender's namespace."""
    server = net.udp("S", "0.0.0.0", 1434)
    with filters(net, "block in udp port 1434"), stopped(net):
        make_x(net)
        with net.inside("F"):
            program = bpfcall.load(bpfcall.tagging(bpfcall.TCX_NEXT), "pwt_tag")
            link = bpfcall.tcx(program, socket.if_nametoindex("f0"), bpfcall.TCX_EGRESS)
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        count = 0
        for tag in range(65536):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, tag)
            s.sendto(b"x", (X4, 1434))
            if tag % 4096 == 4095:
                count += received(server, 0.02)
        s.close()
        count += received(server)
        if guard:
            check(count == 2, f"guard on:  all 65536 tags, only the two right ones pass: {count}")
        else:
            check(count == 65536, f"guard off: all 65536 tags: {count}")
    wait_covered(net, "x0")
    with filters(net, "block in udp port 1434"):
        with net.inside("F"):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for tag in range(0, 65536):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, tag)
            s.sendto(b"x", (X4, 1434))
        s.close()
        check(received(server) == 0, "all 65536 tags at a covered interface: none passes")
    bpfcall.close(link, program)
    server.close()
    net.sockets.remove(server)
    drop(net, "x0")


def new_address(net, guard):
    """An address that the kernel has and our tables have not yet."""
    with filters(net, "block in udp port 1434"), stopped(net):
        net.ip("S", "addr", "add", "192.168.1.77/24", "dev", "s0")
        net.ip("S", "addr", "add", "2001:db8:1::77/64", "dev", "s0", "nodad")
        for source, target in ((C4, "192.168.1.77"), (C6, "2001:db8:1::77")):
            expect(guard, got(net, "S", target, 1434, source, which="C"),
                   f"a new address, {target}", N)
    net.ip("S", "addr", "del", "192.168.1.77/24", "dev", "s0")
    net.ip("S", "addr", "del", "2001:db8:1::77/64", "dev", "s0")


def own_traffic(net, guard):
    """What a host says to itself is nobody's business."""
    word = "on: " if guard else "off:"
    with filters(net, "block in all", "block out all"):
        for address in ("127.0.0.1", "::1", S4, S6):
            count = got(net, "S", address, 1434, address, which="S")
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
    while not net.ping("F", "10.79.0.3", 1):
        pass
    with filters(net, "block in all", "block udp from any to any"):
        count = got(net, "G", "10.79.0.3", 1434, "10.79.0.2")
        word = "on: " if guard else "off:"
        check(count == N, f"guard {word} from port to port of a bridge: {count}")
    drop(net, "bp0", "bp1", "br0")


# --- rows: a covered interface, and ways around its hooks ---
def translate(net, family, rule):
    main_namespace(net, "nft", "-f", "-", input=f"""add table {family} pwt
add chain {family} pwt pre {{ type nat hook prerouting priority -100; }}
add rule {family} pwt pre {rule}
""")


def translated_vip(net, guard):
    """An address that no interface has, translated to one of the host."""
    translate(net, "ip", f"ip daddr {VIP4} udp dport {{ 1434, 1435 }} dnat to {S4}")
    translate(net, "ip6", f"ip6 daddr {VIP6} udp dport {{ 1434, 1435 }} dnat to {S6}")
    net.ip("C", "route", "replace", f"{VIP4}/32", "via", S4)
    net.ip("C", "route", "replace", f"{VIP6}/128", "via", S6)
    with filters(net, "block in udp port 1434"):
        for source, target in ((C4, VIP4), (C6, VIP6)):
            expect(guard, got(net, "S", target, 1434, source, which="C"),
                   f"{target} translated to this host", N)
            count = got(net, "S", target, 1435, source, which="C")
            check(count == N, f"{target} translated, a port that is not blocked: {count}")
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
            count = received(server)
        if blocked:
            expect(guard, count, "inside a segment", N)
        else:
            check(count == N, f"inside a segment, a port that is not blocked: {count}")
        for s in (s, server):
            s.close()
            net.sockets.remove(s)
    net.ip("S", "-6", "route", "del", f"{SEGMENT}/128")


def link_id(net, name):
    data = json.loads(run(["bpftool", "-j", "link", "show", "pinned",
                           str(net.pins / "link" / name)]).stdout)
    return data["id"]


def detach(net, name):
    run(["bpftool", "link", "detach", "pinned", str(net.pins / "link" / name)])


def s0_index(net, dev="s0"):
    with net.inside("S"):
        return socket.if_nametoindex(dev)


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
        self.socket.close()
        net.sockets.remove(self.socket)


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
            time.sleep(0.7)
        count = received(server, 0.05) if not stream.end else 0
        stream.stop(net)
        count += received(server)
    expect(guard, count, f"links taken off six times under {stream.sent} datagrams, delivered")
    wait_covered(net, "s0")
    server.close()
    net.sockets.remove(server)


def foreign_in_front(net, guard):
    """A program of somebody else says "pass" before ours is asked."""
    with filters(net, "block in udp port 1434", "block out udp port 1434"), stopped(net):
        with net.inside("S"):
            program = bpfcall.load(bpfcall.returning(bpfcall.TCX_PASS), "pwt_pass")
            index = socket.if_nametoindex("s0")
            links = [bpfcall.tcx(program, index, bpfcall.TCX_INGRESS),
                     bpfcall.tcx(program, index, bpfcall.TCX_EGRESS)]
        for source, target in ((C4, S4), (C6, S6)):
            expect(guard, got(net, "S", target, 1434, source, which="C"),
                   f"a foreign program in front, in, {target}", N)
            expect(guard, got(net, "C", source, 1434, target, which="S"),
                   f"a foreign program in front, out, {source}", N)
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
        deadline = time.monotonic() + 2
        while not events(net, "tamper", since) and time.monotonic() < deadline:
            time.sleep(0.02)
        took = time.monotonic() - deadline + 2
        got_in = got(net, "S", S4, 1434, C4, which="C")
        stream.stop(net)
        arrived = received(server)
        named = [e for e in events(net, "tamper", since) if e.get("IN_FRONT", "")[:8] == "pwt_pass"]
        told = [(e["INTERFACE"], e["DIRECTION"], e["OVERTAKEN"]) for e in named]
        check(told == [("s0", "in", "yes")] and took < 1,
              f"a program in front is overtaken and named after {took:.2f} s: {named}")
        check(got_in == 0, f"what is blocked is blocked again: {got_in}")
        check(arrived == stream.sent, f"of {stream.sent} permitted datagrams arrived {arrived}")
        with net.inside("S"):
            second = bpfcall.load(bpfcall.returning(bpfcall.TCX_PASS), "pwt_two")
            again = bpfcall.tcx(second, index, bpfcall.TCX_INGRESS)
        time.sleep(1.2)
        warned = net.cli("status")
        check(warned.returncode == 6 and "pwt_two (id" in warned.stdout,
              "one who comes back within a minute is named in the status")
        expect(guard, got(net, "S", S4, 1434, C4, which="C"), "and behind him, delivered", N)
        bpfcall.close(link, again, program, second)
        time.sleep(0.7)
        check(net.cli("status").returncode == 0, "when he has gone the status is clean")
    server.close()
    net.sockets.remove(server)


def guard_removed(net, guard):
    """Links of the guard are put back within a second, as an event."""
    if not guard:
        return
    since = log_size(net)
    names = sorted(p.name for p in (net.pins / "link").glob("guard-*"))
    for name in names:
        detach(net, name)
    deadline = time.monotonic() + 3
    while not events(net, "tamper", since) and time.monotonic() < deadline:
        time.sleep(0.02)
    took = time.monotonic() - deadline + 3
    seen = events(net, "tamper", since)
    check(took < 1 and seen and seen[0]["REPAIRED"] == "6",
          f"six links of the guard put back after {took:.2f} s: {seen}")
    since = log_size(net)
    for name in names:
        (net.pins / "link" / name).unlink()
    deadline = time.monotonic() + 3
    while not events(net, "tamper", since) and time.monotonic() < deadline:
        time.sleep(0.02)
    check(sorted(p.name for p in (net.pins / "link").glob("guard-*")) == names,
          "six pins of the guard put back")
    uncovered_in(net, guard)


def namespace_given_back(net, guard):
    """A guard keeps its namespace; the next agent of the host lets one go that nobody can enter."""
    if not guard:
        return
    name, place = f"pw-h-{os.getpid()}", net.dir / "other"
    run(["ip", "netns", "add", name])
    run(["ip", "-n", name, "link", "add", "h0", "type", "veth", "peer", "name", "fh0", "netns",
         net.names["F"]])
    place.mkdir()
    (place / "portward.conf").write_text("")
    agent = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{name}", str(AGENT), "--foreground", "--config",
         str(place / "portward.conf"), "--state-dir", str(place / "state"), "--runtime-dir",
         str(place / "run")], stderr=subprocess.DEVNULL)
    net.names["H"] = name
    with net.inside("H"):
        net.cookies.append(netns_cookie())
    del net.names["H"]
    pins = PIN_ROOT / str(net.cookies[-1])
    deadline = time.monotonic() + 20
    while not (pins / "link/guard-out-6").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    agent.kill()
    agent.wait()
    run(["ip", "netns", "del", name])

    def stays():
        return "fh0" in net.ip("F", "-br", "link")

    time.sleep(0.5)
    check(stays(), "a namespace with a guard outlives its name")
    net.stop_agent(signal.SIGKILL)
    net.start_agent()
    deadline = time.monotonic() + 5
    while stays() and time.monotonic() < deadline:
        time.sleep(0.05)
    check(not stays() and not pins.exists(), "and goes when the next agent starts")


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
    server = net.udp("C", "0.0.0.0", 1434)

    def send():
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
        return received(server)

    check(send() == N, "a socket at a bridge port, nothing blocked")
    with filters(net, "block out udp port 1434"):
        check(send() == 0, "a socket at a bridge port: blocked at the port")
        with stopped(net):
            detach(net, f"{s0_index(net, 'bp0')}-out")
            expect(guard, send(), "a socket at a bridge port without our link", N)
    server.close()
    net.sockets.remove(server)
    drop(net, "bp0", "br0")


def wait_role(net, name, role, limit_s=5):
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        for i in net.json("status")["enforcement"]["interfaces"]:
            if i["name"] == name and i["role"] == role and i["attached_out"]:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{name} has not become {role}")


def published(net, guard):
    """A port of this host that leads into a container."""
    make_y(net)
    wait_covered(net, "y0")
    net.ip("G", "route", "replace", "default", "via", Y4)
    translate(net, "ip", f"tcp dport 8080 dnat to {G4}:80")
    listener = net.tcp_listen("G", "0.0.0.0", 80)
    word = "on: " if guard else "off:"
    check(net.connect("C", C4, S4, 8080), f"guard {word} a published port answers")
    with filters(net, "block in tcp port 8080"):
        check(not net.connect("C", C4, S4, 8080), f"guard {word} and is closed by its number")
    listener.close()
    net.sockets.remove(listener)
    main_namespace(net, "nft", "flush ruleset")
    drop(net, "y0")


ROWS = [uncovered_in, uncovered_out, uncovered_forward, stale_ifindex, new_address,
        created_under_flood, own_traffic, bridged,
        loopback_from_wire, forged_tag, translated_vip, segment, hooks_removed, foreign_in_front,
        bound_to_port, published, order_restored, guard_removed, words,
        namespace_given_back]


def test(net):
    add_namespaces(net)
    net.sysctl("S", "net.ipv4.ip_forward", "1")
    net.sysctl("S", "net.ipv6.conf.all.forwarding", "1")
    chosen = [row for row in ROWS if not sys.argv[1:] or row.__name__ in sys.argv[1:]]
    for guard in (False, True):
        net.config(f"[datapath]\nguard = {'on' if guard else 'off'}\n")
        net.start_agent()
        n = len(list((net.pins / "link").glob("guard-*")))
        check(n == (6 if guard else 0), f"{n} links of the guard")
        for row in chosen:
            row(net, guard)
        net.stop_agent(signal.SIGKILL)


if __name__ == "__main__":
    main(test)
