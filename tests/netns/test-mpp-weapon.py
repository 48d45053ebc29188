#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory pressure protection cannot be turned against those it protects.

Forged SYNs in a client's name do not lock it out at level 3 of the gate, a flood of random sources
pushes out neither a ban nor a proven prefix, an exempt port that holds most of the stalled bytes
does not disarm the rest, nor does another network namespace that holds most of the memory, slow
clients survive an attack, healthy bulk is never touched. The agent is killed where the gate is to
stand still, which also shows that its level is the kernel's alone.
Usage: test-mpp-weapon.py [long]   without long: forged SYNs of one kind, 40,000 sources, bulk"""
import collections
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import acceptance_table as table
from mpplab import ATTACKS, EXEMPT_PORT, PAGE, PORT, SMALL, TOOLS, Lab, tcp_memory
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
    return count_of(lab, 1 + level)


def count_of(lab, index):
    out = run(["bpftool", "-j", "map", "lookup", "pinned", str(lab.pins / "map/mpp_counts"), "key",
               *words(index, 4)]).stdout
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
    kinds = (("1000 a second from its /24", "10.77.0.4", 1000, 5),
             ("10 a second from its address", "10.77.0.3", 10, 1000),
             ("1000 a second from its address", "10.77.0.3", 1000, 1000))
    seconds = 6 if LONG else 4
    for what, source, rate, per_source in kinds if LONG else kinds[:1]:
        set_gate(lab, 3, 30)
        flood = forged(lab, source, rate, seconds + 1, per_source=per_source)
        time.sleep(0.5)
        ok, _ = share(lab.load("C", seconds, rate=8))
        flood.wait(timeout=30)
        check(ok >= 0.98, f"forged SYNs, {what}: {ok:.3f} of the client's requests succeed")
    before = dropped(lab, 3)
    forged(lab, "10.77.129.1", 1000, 3).wait(timeout=30)
    check(dropped(lab, 3) - before > 2000,
          f"control: of a prefix without a handshake {dropped(lab, 3) - before} of 3000 are dropped")
    if not LONG:
        return
    set_gate(lab, 4, 30)
    ok, _ = share(lab.load("C", 3, rate=8))
    check(ok < 0.2, f"control: at level 4 nobody gets in ({ok:.3f})")
    set_gate(lab, 4, -1)
    ok, _ = share(lab.load("C", 3, rate=8))
    check(ok >= 0.98, f"a level whose time is over holds nobody off ({ok:.3f})")


def dump(lab, name):
    """A map as {key: value}, both as the kernel holds them."""
    out = run(["bpftool", "-j", "map", "dump", "pinned", str(lab.pins / "map" / name)]).stdout
    return {tuple(row["key"]): tuple(row["value"]) for row in json.loads(out or "[]")}


def enter_bans(lab, until_ns):
    """1000 addresses in the way of no attack, and 16 prefixes."""
    text = "".join(
        f"map update pinned {lab.pins}/map/{name} key {' '.join(words(first + i, 8))} "
        f"value {' '.join(words(until_ns, 8))}\n"
        for name, first, n in (("mpp_bans", 0xc0000200, 1000), ("mpp_net_bans", 0xc63364, 16))
        for i in range(n))
    (lab.dir / "bans").write_text(text)
    run(["bpftool", "batch", "file", str(lab.dir / "bans")])


def eviction(lab):
    """Random sources push out neither a ban nor the memory of a handshake. Nobody else writes the
    maps: the agent is dead."""
    share(lab.load("C", 2, family=6, rate=8))
    enter_bans(lab, time.monotonic_ns() + 10**12)
    maps = ("mpp_bans", "mpp_net_bans", "mpp_conn_rate")
    before = {name: dump(lab, name) for name in maps}
    seen, drops = count_of(lab, 0), dropped(lab, 3)
    parts, each = (5, 200000) if LONG else (1, 40000)
    n, sent = parts * each, 0
    set_gate(lab, 3, 100)
    for part in range(parts):
        flood = forged(lab, f"fd77:1:{part * 16:x}::5", 60000, 12 if LONG else 2, n=each, per_source=1)
        sent += min(each, int(flood.communicate(timeout=60)[0].split()[5]))
    seen, drops = count_of(lab, 0) - seen, dropped(lab, 3) - drops
    after = {name: dump(lab, name) for name in maps}
    check(sent == n and seen >= n * 0.9,
          f"SYNs of {sent} of {n} sources, {seen} arrive, {drops} are dropped")
    check(len(before["mpp_bans"]) >= 1000 and after == before,
          f"exactly as before: {len(after['mpp_bans'])} bans, {len(after['mpp_net_bans'])} of "
          f"prefixes, {len(after['mpp_conn_rate'])} proven prefixes")
    check(has(lab, "mpp_conn_rate", words(CLIENT_NET, 8)) and
          has(lab, "mpp_conn_rate", words(CLIENT_NET6, 8)), "those of the clients among them")
    check(len(dump(lab, "mpp_syn_rate")) < n / 2, "control: the table of the unproven is overrun")


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


def container(lab):
    """Another network namespace holds more than half of the TCP memory: the attack here is ended,
    nobody else, and it is said."""
    mac = json.loads(lab.ip("C", "-j", "link", "show", "dev", "c0"))[0]["address"]
    lab.ip("C", "neigh", "replace", "10.77.0.2", "lladdr", lab.mac["A"], "dev", "c0", "nud",
           "permanent")
    lab.ip("C", "route", "add", "10.77.128.0/17", "via", "10.77.0.2", "dev", "c0")
    lab.forget()
    lab.clear()
    lab.limit(SMALL)
    there = lab.spawn("C", TOOLS / "pw-serve", "-f", 1000, PORT, stdout=subprocess.PIPE)
    there.stdout.readline()
    lines = len(lab.log_text().splitlines())
    before = lab.status()["totals"]["killed"]
    held = lab.attack("zero", 16, extra=["-n", "160", "-c", "160", "-M", mac, "-d", "10.77.0.3",
                                         "-s", "10.77.192.1", "-o", lab.dir / "list-held"])
    time.sleep(1.5)
    other = tcp_memory()
    load = lab.load("L", 9, rate=20)
    attack = lab.attack("zero", 9, extra=["-s", "10.77.200.1", "-n", "100", "-c", "100"])
    attack.wait(timeout=30)
    found = lab.json("mpp", "simulate", "--limit", "1000")
    left = sum(c["queued_bytes"] for c in found["connections"] if c["local_port"] == PORT)
    killed = lab.status()["totals"]["killed"] - before
    ok, _ = share(load)
    records = lab.json("mpp", "events", "--limit", "65536")["records"][-killed:] if killed else []
    attackers = lab.attackers()
    false = [r for r in records if (r["peer"], r["peer_port"]) not in attackers]
    alive = run(["nsenter", f"--net=/run/netns/{lab.names['C']}", "ss", "-Htn", "state",
                 "established", "sport", f"= :{PORT}"]).stdout.count("\n")
    names = collections.Counter(e["event"] for e in lab.events(lines))
    check(other > HI / 2 and names["mpp-pressure-elsewhere"] > 0,
          f"another namespace holds {other / HI:.2f} hi: {names['mpp-pressure-elsewhere']} events")
    check(killed > 0 and left <= HI * PAGE / 4 * 1.1 and not false,
          f"{killed} were ended, {len(false)} of them no attackers, {left / PAGE / HI:.2f} hi of the "
          "attack are left")
    check(alive == 160 and ok >= 0.98,
          f"{alive} of 160 over there live, {ok:.3f} of the client's requests succeed")
    held.wait(timeout=30)
    lab.clear("C")  # orphans of a namespace that is gone stay for minutes
    lab.end(there, signal.SIGKILL)
    lab.clear("C")
    lab.ip("C", "route", "del", "10.77.128.0/17")
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

    lab.forget()
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
    """KB974288-G2: healthy transfers fill the memory: nothing is ended or dropped, and it is said."""
    row = table.read()["KB974288-G2"]
    before = lab.status()["totals"]
    lines = len(lab.log_text().splitlines())
    lab.limit(SMALL)
    streams = [lab.spawn("L", "python3", "-c", BULK, cwd="/") for _ in range(4)]
    peak = 0
    end = time.monotonic() + (8 if LONG else 4)
    while time.monotonic() < end:
        peak = max(peak, lab.status()["memory"]["pages"])
        time.sleep(0.1)
    for s in streams:
        lab.end(s)
    after = lab.status()["totals"]
    killed = after["killed"] - before["killed"]
    said = [e for e in lab.events(lines) if e["event"] == "mpp-pressure-no-attack"]
    check(killed == 0 and after["syn_dropped"] == before["syn_dropped"],
          f"{row.id}: 200 healthy transfers, memory up to {peak / HI:.1f} hi: {row.packets}")
    check(peak > HI and said, f"{row.id}: {row.state}, {len(said)} times")
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
    bulk(lab)
    if LONG:
        disarm(lab)
        container(lab)
    lab.end(lab.server, signal.SIGKILL)
    if LONG:
        slow(lab, "zero")
        slow(lab, "none")
    lab.clear()
    lab.serve()
    forgers(lab)
    eviction(lab)


main(test, Lab)
