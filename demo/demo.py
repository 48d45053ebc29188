#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows the main job on real packets: two network namespaces, real servers in one of them, and
what two clients reach before, with a dynamic block, and with the policy of KB908472.

Usage: demo.py [BUILD_DIRECTORY]; needs root. Ends with 1 if a packet did not do what the text
says. Namespaces, processes and pins are removed at the end, whatever happens."""
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
if len(sys.argv) > 1:
    os.environ["PORTWARD_BUILD"] = sys.argv[1]
sys.path.insert(0, str(ROOT / "tests/netns"))
import pwtest  # noqa: E402  (needs the two lines above)
from pwtest import FAR4, FAR6, LAN4, LAN6, S4, S6, received  # noqa: E402

UDP, TCP = (1434,), (80, 135, 5001, 5002, 5003)
CLIENTS = ((LAN4, S4), (FAR4, S4), (LAN6, S6), (FAR6, S6))
POLICY = ROOT / "demo/kb908472.pw"
RPC = {135, 5001, 5002, 5003}


class Demo:
    def __init__(self, net):
        self.net = net
        self.udp = {a: net.udp("S", a, 1434) for a in (S4, S6)}
        for address in (S4, S6):
            for port in TCP:
                net.tcp_listen("S", address, port)
        self.wrong = 0

    def reached(self, source, target):
        """Ports of `target` that really answer (TCP) or receive (UDP) from `source`."""
        self.net.send_udp("C", source, target, 1434, 3)
        ports = {port for port in TCP if self.net.connect("C", source, target, port)}
        return ports | ({1434} if received(self.udp[target], 0.1) == 3 else set())

    def table(self, title, expected):
        """Probes and prints one table; expected(source) = the ports that must be closed."""
        print(f"\n{title}")
        print("  client            " + "".join(f"{h:>10}" for h in
              [f"UDP {p}" for p in UDP] + [f"TCP {p}" for p in TCP]))
        for source, target in CLIENTS:
            ports = self.reached(source, target)
            row = "".join(f"{'open' if p in ports else 'closed':>10}" for p in UDP + TCP)
            closed = set(UDP + TCP) - ports
            good = closed == expected(source)
            self.wrong += not good
            print(f"  {source:<18}{row}" + ("" if good else f"   WRONG, closed: {closed}"))

    def type(self, *words):
        """Types one command as an administrator would, and shows what it prints."""
        print("\n$ portward " + " ".join(f'"{w}"' if " " in w else w for w in words))
        done = self.net.cli(*words)
        print((done.stdout + done.stderr).rstrip())
        if done.returncode:
            raise RuntimeError(f"exit {done.returncode}")

    def run(self):
        net = self.net
        print("real servers in the protected namespace: UDP 1434, TCP 80, 135, 5001-5003")
        self.table("before: nothing is installed", lambda _: set())
        net.start_agent()
        self.type("block", "in", "udp", "port", "1434", "for", "2h", "reason", "Slammer")
        self.table("with the dynamic block", lambda _: {1434})
        self.type("flush")
        self.type("policy", "load", str(POLICY))
        self.type("policy", "assign", "Block RPC Ports")
        self.table("with the policy of KB908472: RPC ports closed but for 10.1.1.0/24",
                   lambda source: set() if source == LAN4 else RPC)
        self.type("explain", "in", "tcp", "from", LAN4, "to", "me", "port", "135", "--live")
        self.type("counters")
        self.type("status")
        self.type("policy", "unassign", "-y")
        self.table("unassigned: everything answers again", lambda _: set())


def main():
    if os.geteuid() != 0:
        print("demo: needs root for network namespaces", file=sys.stderr)
        return 1
    start = time.monotonic()
    net = pwtest.Net()
    try:
        demo = Demo(net)
        demo.run()
    finally:
        net.close()
    left = [str(net.pins)] if net.pins.exists() else []
    print(f"\nremoved again: namespaces, agent, pins; {time.monotonic() - start:.1f} s"
          + (f"; LEFT BEHIND: {left}" if left else ""))
    if demo.wrong or left:
        print(f"{demo.wrong} rows are not as they should be")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
