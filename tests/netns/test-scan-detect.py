#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Scan detection against a real scanner and against clients that are none.

Each kind of nmap's scans comes from an address of its own and must make one event within 2 s, with
and without filters in the way. Clients that browse, retry and are load-balanced make none, for as
long as PORTWARD_SCAN_SECONDS says. Then the timed block: only of sources that are proven, and never
of those that this host needs."""
import json
import os
import shutil
import signal
import subprocess
import threading
import time

from pwtest import C4, C6, S4, S6, check, main, skip, udp_frame

SECONDS = int(os.environ.get("PORTWARD_SCAN_SECONDS", "10"))
POLICY = '''policy "Two ports" {
    rule "nothing" block in all
    rule "web"  permit in tcp port 8080
    rule "dns"  permit in udp port 9999
}
'''
# nmap's option, the kind in the event under filters.
SCANS = [("-sS", "syn"), ("-sT", "syn"), ("-sU", "udp"), ("-sN", "null"), ("-sF", "fin"),
         ("-sX", "xmas")]


class Events:
    def __init__(self, net):
        self.path, self.at, self.all = net.dir / "agent.log", 0, []
        self.look()
        self.all = []

    def look(self):
        with open(self.path, encoding="utf-8") as f:
            f.seek(self.at)
            lines = f.readlines()
            self.at = f.tell()
        self.all += [json.loads(line) for line in lines if line.startswith("{")]

    def named(self, name, **fields):
        self.look()
        return [e for e in self.all if e["event"] == name and
                all(e.get(k) == v for k, v in fields.items())]

    def wait(self, name, seconds, **fields):
        end = time.monotonic() + seconds
        while not (found := self.named(name, **fields)) and time.monotonic() < end:
            time.sleep(0.02)
        return found


def nmap(net, *args):
    return subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{net.names['C']}", "nmap", "-n", *args],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def one_scan(net, events, option, kind, address, target, extra=(), limit=2):
    """One event, soon, of the right kind, however long the scan goes on."""
    dev = ["-e", "c0", "-S", address] if option != "-sT" else []
    six = ["-6"] if ":" in target else []
    if option == "-sT":
        net.ip("C", "route", "replace", "192.168.1.0/24", "dev", "c0", "src", address)
    begin = time.monotonic()
    scanner = nmap(net, option, *six, *dev, *extra, target)
    source = {"SOURCE": address}
    found = events.wait("scan-detected", 3 * limit, **source)
    took = time.monotonic() - begin
    time.sleep(1.5)
    scanner.kill()
    scanner.wait()
    found = events.named("scan-detected", **source)
    check(len(found) == 1, f"nmap {option} from {address}: {len(found)} events")
    if not found:
        return
    check(took < limit, f"nmap {option}: the event came after {took:.2f} s")
    check(found[0]["KIND"] in kind.split("|") and found[0]["PROVEN"] in ("yes", "no") and
          found[0]["INTERFACE"] == "s0", f"nmap {option}: {found[0]}")


def scans(net, events, first, kinds, what):
    for i, (option, kind) in enumerate(SCANS):
        address = f"192.168.1.{first + i}"
        net.ip("C", "addr", "add", f"{address}/24", "dev", "c0")
        one_scan(net, events, option, kinds.get(option, kind), address, S4)
    net.ip("C", "route", "replace", "192.168.1.0/24", "dev", "c0", "src", C4)
    check(True, what)


class Clients(threading.Thread):
    """A browser, an application that tries ports that are closed again and again, and an office
    behind one address. None of them tries many ports."""

    def __init__(self, net):
        super().__init__(daemon=True)
        self.net, self.ends, self.rounds = net, False, 0
        self.start()

    def run(self):
        net = self.net
        while not self.ends:
            self.rounds += 1
            for port in (8080, 8080, 8080, 80, 443, 445, 139, 3389, 5985):
                net.connect("C", C4, S4, port)
            for port in (443, 53, 137, 161):
                net.send_udp("C", C4, S4, port, 3)
            for port in range(50):  # late answers of a name server
                net.send_udp("C", C4, S4, 40000 + port, 1, sport=53)
            net.connect("C", C6, S6, 443)


def no_scan(net, events):
    listener = net.tcp_listen("S", S4, 8080)
    clients = Clients(net)
    sender, receiver = net.mac("C", "c0"), net.mac("S", "s0")
    end, sources = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        for host in range(100):  # many clients with a few ports each
            for port in (80, 443, 8443, 22):
                net.frames("C", "c0", udp_frame(sender, receiver, f"10.1.{sources % 200}.{host}",
                                                S4, port), 1)
        sources += 1
        time.sleep(0.05)
    clients.ends = True
    clients.join()
    listener.close()
    found = events.named("scan-detected")
    check(not found, f"{clients.rounds} rounds of a retrying client and {sources * 100} others in "
                     f"{SECONDS} s: {found}")


def blocks(net, events):
    net.config("[scan]\nblock = 15s\nignore = 192.168.1.90/32\n")
    net.agent.send_signal(signal.SIGHUP)
    check(events.wait("config-reloaded", 3), "settings are read again")
    sender, receiver = net.mac("C", "c0"), net.mac("S", "s0")

    def forge(source):
        for port in range(200, 240):
            net.frames("C", "c0", udp_frame(sender, receiver, source, S4, port), 1)

    forge("192.168.1.80")
    check(events.wait("scan-detected", 2, SOURCE="192.168.1.80", PROVEN="no"),
          "a forged scan is seen")
    forge("192.168.1.90")
    time.sleep(1)
    check(not events.named("scan-detected", SOURCE="192.168.1.90"), "an ignored monitor is not told")
    check("192.168.1.80" not in net.cli("list").stdout and not events.named("scan-blocked"),
          "nobody is blocked in the name of somebody else")
    listener = net.tcp_listen("S", S4, 8080)
    net.ip("C", "addr", "add", "192.168.1.81/24", "dev", "c0")
    check(net.connect("C", "192.168.1.81", S4, 8080), "a source completes a handshake")
    forge("192.168.1.81")
    found = events.wait("scan-detected", 2, SOURCE="192.168.1.81")
    check(found and found[0]["PROVEN"] == "yes", f"it is proven: {found}")
    time.sleep(0.5)
    listed = net.cli("list").stdout
    blocked = events.wait("scan-blocked", 2, SOURCE="192.168.1.81")
    check(blocked and "block in from 192.168.1.81 to me" in listed.replace(" any ", " "),
          f"and blocked: {listed}")
    check(not net.connect("C", "192.168.1.81", S4, 8080), "from every port")
    check(net.connect("C", C4, S4, 8080), "others are not")
    end = time.monotonic() + 20
    while not net.connect("C", "192.168.1.81", S4, 8080) and time.monotonic() < end:
        time.sleep(0.5)
    check(time.monotonic() < end, "the block ends by itself")
    listener.close()


def test(net):
    if not shutil.which("nmap"):
        skip("nmap is not installed")
    net.start_agent()
    events = Events(net)
    net.sysctl("S", "net.ipv4.icmp_ratelimit", "0")
    scans(net, events, 20, dict.fromkeys(("-sS", "-sT", "-sN", "-sF", "-sX"), "tcp"),
          "closed ports, no filter")
    net.ok("policy", "load", "-", text=POLICY)
    net.ok("policy", "assign", "Two ports")
    scans(net, events, 40, {}, "filtered ports")
    one_scan(net, events, "-sS", "syn", C6, S6)
    for address, pace, limit in (("192.168.1.50", "-T2", 60), ("192.168.1.51", "-T5", 2)):
        net.ip("C", "addr", "add", f"{address}/24", "dev", "c0")
        one_scan(net, events, "-sS", "syn", address, S4, (pace,), limit)
    events.all = []
    no_scan_from = Events(net)
    time.sleep(0.5)
    net.ip("C", "route", "replace", "192.168.1.0/24", "dev", "c0", "src", C4)
    no_scan(net, no_scan_from)
    blocks(net, no_scan_from)


if __name__ == "__main__":
    main(test)
