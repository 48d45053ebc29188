#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory pressure protection cannot be turned against those it protects.

Forged SYNs in a client's name do not lock it out at level 3 of the gate, a flood of random sources
pushes out neither a ban nor a proven prefix, an exempt port that holds most of the stalled bytes
does not disarm the rest, slow clients survive an attack, healthy bulk is never touched. The agent is
killed where the gate is to stand still, which also shows that its level is the kernel's alone.
Usage: test-mpp-weapon.py [long]"""
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from mpplab import ATTACKS, EXEMPT_PORT, PAGE, PORT, SMALL, Lab
from pwtest import check, main, run, set_netns

LONG = sys.argv[1:] == ["long"]
HI = min(SMALL[1] * 3 // 4, SMALL[2] // 2)
CLIENT_NET = 0x0a4d00  # 10.77.0.0/24
CLIENT_NET6 = 0xfd77000000000000  # fd77::/64
NEED = 1_200_000


def words(value, size):
    return [f"{b:#04x}" for b in value.to_bytes(size, "little")]


def update(lab, name, key, value):
    run(["bpftool", "map", "update", "pinned", str(lab.pins / "map" / name), "key", *key, "value",
         *value])


def has(lab, name, key):
    done = subprocess.run(["bpftool", "map", "lookup", "pinned", str(lab.pins / "map" / name),
                           "key", *key], capture_output=True)
    return done.returncode == 0


def set_gate(lab, level, seconds):
    """The words of struct mpp_control, as the agent would write them."""
    out = run(["bpftool", "-j", "map", "lookup", "pinned", str(lab.pins / "map/mpp_control"),
               "key", *words(0, 4)]).stdout
    old = bytes(int(b, 16) for b in json.loads(out)["value"])
    slot, = struct.unpack_from("=I", old, 4)
    until = time.monotonic_ns() + int(seconds * 1e9)
    new = struct.pack("=IIQII", level, slot, until, 0, 1)
    update(lab, "mpp_control", words(0, 4), [f"{b:#04x}" for b in new])


def forged(lab, source, rate, seconds, n=1000, per_source=1000):
    args = ["-s", source, "-n", str(n), "-r", str(rate), "-c", str(per_source)]
    return lab.attack("syn", seconds, 6 if ":" in source else 4, extra=args)


def dropped(lab, level):
    out = run(["bpftool", "-j", "map", "lookup", "pinned", str(lab.pins / "map/mpp_counts"), "key",
               *words(1 + level, 4)]).stdout
    return sum(int.from_bytes(bytes(int(b, 16) for b in v["value"]), "little")
               for v in json.loads(out)["values"])


def share(process):
    answer = json.loads(process.communicate(timeout=60)[0])
    return answer["ok"] / answer["tried"], answer


def forgers(lab):
    """Level 3: 10 connections a second per prefix; the client makes 8."""
    share(lab.load("C", 2, rate=8))  # it completes handshakes: its prefix is proven
    lab.stop_agent(signal.SIGKILL)
    lab.spawn("S", "sysctl", "-qw", "net.ipv4.tcp_syncookies=2").wait()
    for what, source, rate, per_source in (
            ("10 a second from its address", "10.77.0.3", 10, 1000),
            ("1000 a second from its address", "10.77.0.3", 1000, 1000),
            ("1000 a second from its /24", "10.77.0.4", 1000, 5)):
        set_gate(lab, 3, 30)
        flood = forged(lab, source, rate, 7, per_source=per_source)
        time.sleep(0.5)
        ok, _ = share(lab.load("C", 6, rate=8))
        flood.wait(timeout=30)
        check(ok >= 0.98, f"forged SYNs, {what}: {ok:.3f} of the client's requests succeed")
    before = dropped(lab, 3)
    forged(lab, "10.77.129.1", 1000, 3).wait(timeout=30)
    check(dropped(lab, 3) - before > 2000,
          f"control: of a prefix without a handshake {dropped(lab, 3) - before} of 3000 are dropped")
    set_gate(lab, 4, 30)
    ok, _ = share(lab.load("C", 3, rate=8))
    check(ok < 0.2, f"control: at level 4 nobody gets in ({ok:.3f})")
    set_gate(lab, 4, -1)
    ok, _ = share(lab.load("C", 3, rate=8))
    check(ok >= 0.98, f"a level whose time is over holds nobody off ({ok:.3f})")


def eviction(lab):
    """Random sources push out neither a ban nor the memory of a handshake."""
    share(lab.load("C", 2, family=6, rate=8))
    banned = 0x0a4d0063  # 10.77.0.99
    update(lab, "mpp_bans", words(banned, 8), words(time.monotonic_ns() + 10**12, 8))
    n = 1000000 if LONG else 60000
    set_gate(lab, 3, 60)
    forged(lab, "fd77:1::5", 60000, 20 if LONG else 4, n=n, per_source=1).wait(timeout=60)
    check(has(lab, "mpp_bans", words(banned, 8)), f"{n} forged sources: the ban is still there")
    check(has(lab, "mpp_conn_rate", words(CLIENT_NET, 8)) and
          has(lab, "mpp_conn_rate", words(CLIENT_NET6, 8)), "and so are the clients' prefixes")


def disarm(lab):
    """An exempt port holds 60 % of the stalled bytes, then another port is attacked."""
    lab.ok("mpp", "exempt", "add", str(EXEMPT_PORT))
    lab.clear()
    lab.limit(SMALL)
    lines = len(lab.log_text().splitlines())
    before = lab.status()["totals"]["killed"]
    old = lab.attack("zero", 14, port=EXEMPT_PORT, extra=["-n", "160", "-c", "160"])
    time.sleep(1.5)
    attack = lab.attack("zero", 9, extra=["-s", "10.77.200.1", "-n", "100", "-c", "100"])
    attack.wait(timeout=30)
    found = lab.json("mpp", "simulate", "--limit", "1000")
    left = sum(c["queued_bytes"] for c in found["connections"] if c["local_port"] == PORT)
    exempt = lab.status()["connections"]["exempt"]
    killed = lab.status()["totals"]["killed"] - before
    names = {e["event"] for e in lab.events(lines)}
    check("mpp-pressure-protected-by-settings" in names, "it is said whom the settings spare")
    check(killed > 0 and left <= HI * PAGE / 4 * 1.1,
          f"{killed} were ended, {left / PAGE / HI:.2f} hi of the attack are left")
    check(exempt == 160, f"{exempt} of 160 on the exempt port live")
    old.wait(timeout=30)
    lab.ok("mpp", "exempt", "delete", str(EXEMPT_PORT))
    lab.limit(None)


class Slow(threading.Thread):
    """A legitimate client that pauses for 2 s with a full buffer, or reads 200 KB a second."""

    def __init__(self, lab, pauses):
        super().__init__(daemon=True)
        with open(f"/run/netns/{lab.names['C']}") as ns:
            set_netns(ns.fileno())
            self.socket = socket.socket()
            set_netns(lab.home)
        self.pauses, self.got, self.survived = pauses, 0, False

    def run(self):
        s = self.socket
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        s.settimeout(15)
        try:
            s.connect(("10.77.0.1", PORT))
            s.sendall(b"GET /%d HTTP/1.1\r\n\r\n" % NEED)
            paused = False
            while data := s.recv(16384):
                self.got += len(data)
                if not self.pauses:
                    time.sleep(len(data) / 200e3)
                elif not paused and self.got > 300000:
                    paused = True
                    time.sleep(2)
            self.survived = self.got > NEED
        except OSError:
            self.survived = False
        finally:
            s.close()


def slow(lab, kind):
    """Two tries: they begin together with the attack, and a busy host delays what tells them apart."""
    if not slow_once(lab, kind, kind not in ATTACKS):
        slow_once(lab, kind, True)


def slow_once(lab, kind, last):
    """True if it was judged."""
    clients = []

    def start():
        for i in range(20):
            clients.append(Slow(lab, pauses=i % 2 == 0))
            clients[-1].start()

    before = lab.status()["totals"]["killed"]
    lab.scene(kind, protected=True, seconds=12, during=start)
    for c in clients:
        c.join(timeout=20)
    alive = sum(c.survived for c in clients)
    killed = lab.status()["totals"]["killed"] - before
    if alive < 18 and not last:
        print(f"        {kind}: {killed} ended, {alive} of 20 slow clients live, once more")
        return False
    if kind in ATTACKS:
        check(killed > 0 and alive >= 18, f"{kind}: {killed} ended, {alive} of 20 slow clients live")
    else:
        check(killed == 0 and alive == 20, f"no attack: {killed} ended, {alive} of 20 live")
    return True


def bulk(lab):
    """Healthy transfers fill the memory: nothing is ended."""
    before = lab.status()["totals"]["killed"]
    lab.limit(SMALL)
    streams = [lab.spawn("L", "python3", "-c", BULK, cwd="/") for _ in range(4)]
    peak = 0
    end = time.monotonic() + 8
    while time.monotonic() < end:
        peak = max(peak, lab.status()["memory"]["pages"])
        time.sleep(0.1)
    for s in streams:
        lab.end(s)
    killed = lab.status()["totals"]["killed"] - before
    check(killed == 0, f"200 healthy transfers, memory up to {peak / HI:.1f} hi: {killed} ended")
    lab.limit(None)


BULK = f"""
import selectors, socket
sel = selectors.DefaultSelector()
for _ in range(50):
    s = socket.create_connection(("10.77.1.1", {PORT}))
    s.sendall(b"GET /4000000000 HTTP/1.1\\r\\n\\r\\n")
    s.setblocking(False)
    sel.register(s, selectors.EVENT_READ)
while True:
    for key, _ in sel.select():
        try:
            key.fileobj.recv(65536)
        except BlockingIOError:
            pass
"""


def test(lab):
    lab.start_agent()
    lab.serve()
    disarm(lab)
    bulk(lab)
    lab.end(lab.server, signal.SIGKILL)
    slow(lab, "zero")
    if LONG:
        slow(lab, "none")
    lab.clear()
    lab.serve()
    forgers(lab)
    eviction(lab)


main(test, Lab)
