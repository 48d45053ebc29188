#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whom memory pressure protection leaves alone, and what it costs him.

Healthy bulk load of iperf3 fills TCP memory: it is no attack, and nothing is ended. In one attack a
private interface is spared and a public one never is, until profiles are off; then only connections
that are made afterwards are exposed.
Usage: test-mpp-healthy.py [long]   long: also 50,000 idle connections."""
import json
import shutil
import socket
import struct
import subprocess
import sys
import time

from mppcost import IDLE, open_idle, rest_percent
from mpplab import PORT, SMALL, Lab, tcp_memory
from pwtest import check, main, set_netns, skip

LONG = sys.argv[1:] == ["long"]
SERVERS, STREAMS = 2, 100  # iperf3 takes 128 streams at most
BULK_S = 8
BULK_MEM = (3072, 4608, 7680)  # pages; hi is 3456
BULK_HI = min(BULK_MEM[1] * 3 // 4, BULK_MEM[2] // 2)
TCP_INFO, ESTABLISHED = 11, 1
REST_PERCENT = 1


def iperf(lab):
    """200 streams from the server to clients that take all they get."""
    before, lines = lab.status()["totals"], len(lab.log_text().splitlines())
    ports = [5201 + i for i in range(SERVERS)]
    servers = [lab.spawn("S", "iperf3", "-s", "-p", p, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL) for p in ports]
    time.sleep(0.5)
    lab.limit(BULK_MEM)
    clients = [lab.spawn("L", "iperf3", "-c", "10.77.1.1", "-p", p, "-P", STREAMS, "-R", "-t",
                         BULK_S, "--json", stdout=subprocess.PIPE) for p in ports]
    time.sleep(1)
    samples, end = [], time.monotonic() + BULK_S - 2
    while time.monotonic() < end:
        samples.append(tcp_memory())
        time.sleep(0.02)
    loaded = lab.status()["totals"]
    answers = [json.loads(c.communicate(timeout=60)[0]) for c in clients]
    lab.limit(None)
    for s in servers:
        lab.end(s)
    after = lab.status()["totals"]
    records = lab.json("mpp", "events", "--limit", "1000")["records"] if after["killed"] else []
    above = sum(p > BULK_HI for p in samples) / len(samples)
    streams = sum(len(a["end"].get("streams", ())) for a in answers)
    rate = sum(a["end"].get("sum_received", {}).get("bits_per_second", 0) for a in answers) / 1e9
    names = [e["event"] for e in lab.events(lines)]
    check(above > 0.5 and streams == SERVERS * STREAMS,
          f"{streams} streams, {rate:.1f} Gbit/s, memory above hi {above * 100:.0f} % of the time, "
          f"up to {max(samples) / BULK_HI:.1f} hi")
    check("mpp-pressure-no-attack" in names, "it is said that this is pressure without an attack")
    errors = [a["error"] for a in answers if "error" in a]
    # At its end iperf3 stops to read before it closes: what is reset then is none that is served.
    check(loaded["killed"] == before["killed"] and after["syn_dropped"] == before["syn_dropped"],
          f"{loaded['killed'] - before['killed']} are ended while they run, nothing is dropped "
          f"(errors of iperf3 at its end: {errors or 'none'})")
    check(all(r["reason"] == "orphan" for r in records),
          f"at its end {len(records)} that iperf3 had left behind, no others")


class Stalled:
    """Clients on the other interface that ask for much and take nothing."""

    def __init__(self, lab, n):
        self.sockets = []
        with open(f"/run/netns/{lab.names['L']}") as ns:
            set_netns(ns.fileno())
            for _ in range(n):
                s = socket.socket()
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
                s.connect(("10.77.1.1", PORT))
                s.sendall(b"GET /10000000 HTTP/1.1\r\n\r\n")
                self.sockets.append(s)
            set_netns(lab.home)

    def living(self):
        return sum(s.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 8)[0] == ESTABLISHED
                   for s in self.sockets)

    def close(self):
        for s in self.sockets:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()


def profiles(lab):
    """pub1 is private, pub0 is public; both hold stalled connections in the same attack."""
    lab.stop_agent()
    lab.start_agent("[profiles]\npub1 = private\npub0 = public\n")
    lab.clear()
    lab.limit(SMALL)
    lab.serve()
    before = lab.status()["totals"]["killed"]
    old = Stalled(lab, 30)
    lab.attack("zero", 5, extra=["-c", "5000"]).wait(timeout=30)
    killed = lab.status()["totals"]["killed"] - before
    check(killed > 0 and old.living() == 30,
          f"profiles on: {killed} of the public interface are ended, {old.living()} of 30 of the "
          "private one live")
    lab.ok("mpp", "profiles", "off")
    new = Stalled(lab, 30)
    lab.attack("zero", 5, extra=["-s", "10.77.200.1", "-c", "5000"]).wait(timeout=30)
    check(old.living() == 30 and new.living() < 30,
          f"profiles off: {new.living()} of 30 new ones live, {old.living()} of 30 older ones")
    old.close()
    new.close()
    lab.end(lab.server)
    lab.limit(None)


def rest(lab):
    lab.clear()
    n, state = open_idle(lab)
    percent = rest_percent(lab)
    check(n >= IDLE and state == "normal" and percent <= REST_PERCENT,
          f"{n} idle connections, state {state}: the agent takes {percent:.2f} % of a core")


def test(lab):
    if not shutil.which("iperf3"):
        skip("needs iperf3")
    lab.start_agent()
    iperf(lab)
    profiles(lab)
    if LONG:
        rest(lab)


main(test, Lab)
