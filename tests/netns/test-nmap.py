#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A port scanner sees exactly the permitted ports of a host under `block in all`.

Every kind of scan runs twice: without a policy, where it must get answers from ports that are
closed or open (the control: the scan works here), and under the policy, where nothing but the
permitted port may give any answer. Scans in tiny fragments see nothing at all: a first fragment
without the TCP header is dropped whatever the filters say (docs/internals/parsing.md)."""
import select
import shutil
import subprocess
import threading
import xml.etree.ElementTree as ET

from pwtest import C4, S4, S6, check, main, skip

TCP_OPEN, UDP_OPEN = 8080, 9999
TCP_PORTS = [21, 22, 23, 25, 88, 135, 139, 445, 1433, 3389, 5985, TCP_OPEN, 49152]
UDP_PORTS = [53, 88, 137, 161, 500, 1434, 4500, 5353, UDP_OPEN]
LISTEN_TCP = [22, 135, 445, 3389, TCP_OPEN]
LISTEN_UDP = [53, 137, 1434, UDP_OPEN]
POLICY = f'''policy "Nothing but two" {{
    rule "nothing" block in all
    rule "tcp"  permit in tcp port {TCP_OPEN}
    rule "udp"  permit in udp port {UDP_OPEN}
}}
'''
# Arguments, and whether the permitted port must be seen.
TCP_SCANS = [
    (["-sS"], True),
    (["-sT"], True),
    (["-sS", "--source-port", "88"], True),
    (["-sS", "--source-port", "53"], True),
    (["-sS", "--source-port", "20"], True),
    (["-sS", "--data-length", "64"], True),
    (["-sS", "--badsum"], None),
    (["-sS", "-f"], False),
    (["-sS", "-f", "-f"], False),
    (["-sS", "--ip-options", "L 192.168.1.2"], False),
    (["-sS", "--ip-options", "R"], True),
    (["-sA"], True),
    (["-sW"], True),
    (["-sF"], None),
    (["-sN"], None),
    (["-sX"], None),
    (["-sM"], None),
    (["-sS", "--scanflags", "SYNFIN"], True),
    (["-sA", "--scanflags", "URGACKPSHRSTSYNFIN"], None),
]
UDP_SCANS = [(["-sU"], True), (["-sU", "--source-port", "88"], True),
             (["-sU", "--source-port", "53"], True)]
SILENT = {"no-response"}
# No host need answer these: wrong checksums, flags that make no sense, a source route.
NO_CONTROL = {"--badsum", "URGACKPSHRSTSYNFIN", "L 192.168.1.2"}


class Listeners(threading.Thread):
    """TCP sockets accept by themselves; UDP ones answer what they get."""

    def __init__(self, net):
        super().__init__(daemon=True)
        self.ends = False
        self.tcp = [net.tcp_listen("S", a, p) for a in (S4, S6) for p in LISTEN_TCP]
        self.udp = [net.udp("S", a, p) for a in (S4, S6) for p in LISTEN_UDP]
        self.start()

    def run(self):
        while not self.ends:
            for s in select.select(self.udp, [], [], 0.1)[0]:
                data, peer = s.recvfrom(2048)
                s.sendto(data or b"?", peer)


def scan(net, address, ports, args):
    """Port -> (state, reason) as the scanner prints it."""
    six = ["-6"] if ":" in address else []
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{net.names['C']}", "nmap", *six, "-n", "-Pn", "-T5",
         "--max-retries", "1", "--min-rate", "500", "--max-rtt-timeout", "150ms",
         "--initial-rtt-timeout", "100ms", "--host-timeout", "60s", "--reason", "-oX", "-", *args,
         "-p", ",".join(map(str, ports)), address],
        text=True, capture_output=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"nmap {' '.join(args)}: {done.stderr}")
    seen = {p: ("filtered", "no-response") for p in ports}
    root = ET.fromstring(done.stdout)
    for port in root.iter("port"):
        state = port.find("state")
        seen[int(port.get("portid"))] = (state.get("state"), state.get("reason"))
    for extra in root.iter("extrareasons"):  # ports that all have one state are only counted
        if extra.get("ports"):
            for part in extra.get("ports").split(","):
                first, _, last = part.partition("-")
                for port in range(int(first), int(last or first) + 1):
                    seen[port] = ("extra", extra.get("reason").replace("-responses", "-response"))
    return seen


def answers(seen):
    return {port for port, (_, reason) in seen.items() if reason.rstrip("s") not in SILENT}


def family(address):
    return "IPv6" if ":" in address else "IPv4"


def scans(address):
    """Those that the scanner has for this family."""
    only4 = {"-f", "--ip-options"}
    for kind, ports, permitted in ((TCP_SCANS, TCP_PORTS, TCP_OPEN),
                                   (UDP_SCANS, UDP_PORTS, UDP_OPEN)):
        for args, visible in kind:
            if ":" in address and only4 & set(args):
                continue
            yield args, ports, permitted, visible


def control(net, address):
    """What each scan hears from a host without filters."""
    heard = {}
    for args, ports, _, _ in scans(address):
        heard[" ".join(args)] = answers(scan(net, address, ports, args))
        if not NO_CONTROL & set(args):
            check(len(heard[" ".join(args)]) >= len(ports) // 2,
                  f"control, {family(address)} {' '.join(args)}: {len(heard[' '.join(args)])} of "
                  f"{len(ports)} ports answer without filters")
    return heard


def filtered(net, address, heard):
    for args, ports, permitted, visible in scans(address):
        seen = scan(net, address, ports, args)
        got, name = answers(seen), f"{family(address)} {' '.join(args)}"
        check(got <= {permitted}, f"{name}: nothing but {permitted} answers ({sorted(got)})")
        if visible and permitted in heard[" ".join(args)]:
            check(got == {permitted}, f"{name}: {permitted} is seen ({seen[permitted]})")
        if visible is False:
            check(not got, f"{name}: nothing at all is seen")


def test(net):
    if not shutil.which("nmap"):
        skip("nmap is not installed")
    net.start_agent()
    listeners = Listeners(net)
    net.sysctl("S", "net.ipv4.icmp_ratelimit", "0")
    net.sysctl("S", "net.ipv6.icmp.ratelimit", "0")
    heard = {a: control(net, a) for a in (S4, S6)}
    net.ok("policy", "load", "-", text=POLICY)
    net.ok("policy", "assign", "Nothing but two")
    for address in (S4, S6):
        filtered(net, address, heard[address])
    check(net.connect("C", C4, S4, TCP_OPEN), "the permitted port still serves")
    listeners.ends = True
    listeners.join()


main(test)
