#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guard behind interfaces that nothing covers yet: new ones, reused numbers, new addresses, and
tags that others wrote (guardnet.py says how rows run; test-guard-around.py has the rest)."""
import socket
import threading
import time

import bpfcall
from guardnet import (F4, F6, G4, G6, X4, X6, Y4, Y6, close, drop, expect, filters, mac_bytes,
                      make_x, make_y, N, pair, reachable, run_rows, stopped, wait_covered)
from pwtest import C4, C6, check, main, received, udp_frame, until

NEW4, NEW6 = "192.168.1.77", "2001:db8:1::77"


def uncovered_in(net, guard):
    with filters(net, "block in udp port 1434"), stopped(net):
        make_x(net)
        reachable(net, "F", X4, X6)
        for source, target in ((F4, X4), (F6, X6)):
            pair(net, guard, "uncovered, in", "S", target, source)
    drop(net, "x0")


def uncovered_out(net, guard):
    with filters(net, "block out udp port 1434"), stopped(net):
        make_x(net)
        reachable(net, "S", F4, F6)
        for source, target in ((X4, F4), (X6, F6)):
            pair(net, guard, "uncovered, out", "F", target, source, which="S")
    drop(net, "x0")


def uncovered_forward(net, guard):
    """From F through S to G, over two interfaces that nothing covers."""
    with filters(net, "block udp from any to any port 1434"), stopped(net):
        make_x(net)
        make_y(net)
        for which, via4, via6, other in (("F", X4, X6, "78"), ("G", Y4, Y6, "77")):
            net.ip(which, "route", "replace", f"10.{other}.0.0/24", "via", via4)
            net.ip(which, "route", "replace", f"fd{other}::/64", "via", via6)
        reachable(net, "F", G4, G6)
        for source, target in ((F4, G4), (F6, G6)):
            pair(net, guard, "forwarded", "G", target, source)
    drop(net, "x0", "y0")


def stale_ifindex(net, guard):
    """A number whose role still says that it is covered."""
    make_x(net, index=777)
    wait_covered(net, "x0")
    with filters(net, "block in udp port 1434", "block out udp port 1434"), stopped(net):
        drop(net, "x0")
        make_x(net, index=777)
        reachable(net, "S", F4)
        pair(net, guard, "stale ifindex, in", "S", X4, F4)
        pair(net, guard, "stale ifindex, out", "F", F4, X4, which="S")
    drop(net, "x0")


def new_address(net, guard):
    """An address that the kernel has and our tables have not yet."""
    with filters(net, "block in udp port 1434"), stopped(net):
        net.ip("S", "addr", "add", f"{NEW4}/24", "dev", "s0")
        net.ip("S", "addr", "add", f"{NEW6}/64", "dev", "s0", "nodad")
        reachable(net, "C", NEW4, NEW6)
        for source, target in ((C4, NEW4), (C6, NEW6)):
            pair(net, guard, "a new address", "S", target, source, which="C")
    net.ip("S", "addr", "del", f"{NEW4}/24", "dev", "s0")
    net.ip("S", "addr", "del", f"{NEW6}/64", "dev", "s0")


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
        sent = flood.sent
        make_x(net, index=777 if i % 2 else None)
        until(lambda: flood.sent > sent + 50, 5)
        drop(net, "x0")
        return received(server, 0.005)

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
    close(net, server)


def loopback_from_wire(net, guard):
    """127.0.0.1 as the destination of a frame, with route_localnet."""
    server = net.udp("S", "127.0.0.1", 1500)
    with filters(net, "block in udp port 1434"), stopped(net):  # armed: structure is dropped
        make_x(net)
        reachable(net, "F", X4)
        net.sysctl("S", "net.ipv4.conf.x0.route_localnet", "1")
        net.frames("F", "f0", udp_frame(mac_bytes("f0"), mac_bytes("x0"), F4, "127.0.0.1", 1500), N)
        expect(guard, received(server, want=None if guard else N), "127.0.0.1 from the wire", N)
    close(net, server)
    drop(net, "x0")


def forged_tag(net, guard):
    """Every value of tc_index, written by the sender's namespace."""
    server = net.udp("S", "0.0.0.0", 1434)
    with filters(net, "block in udp port 1434"), stopped(net):
        make_x(net)
        reachable(net, "F", X4)
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
        count += received(server, want=None if guard else 65536 - count)
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
    close(net, server)
    drop(net, "x0")


ROWS = [uncovered_in, uncovered_out, uncovered_forward, stale_ifindex, new_address,
        created_under_flood, loopback_from_wire, forged_tag]

if __name__ == "__main__":
    main(lambda net: run_rows(net, ROWS))
