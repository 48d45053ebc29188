#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two dynamic blocks by `ipseccmd -f [...]` and one static policy: `ipseccmd -u` and `net stop
policyagent` end the dynamic ones and nothing else, on packets, also while the agent is stopped.
What netdiag prints before and after is compared with tests/netns/data/netdiag-*.txt, in which only
GUIDs are masked; UPDATE=1 writes these files anew.
"""
import difflib
import os
import re

import acceptance_packets as packets
from acceptance_host import Host
from pwtest import ROOT, check, main

DATA = ROOT / "tests/netns/data"
GUID = re.compile(r"\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}")
STATIC = "in tcp any->me:23 dropped; in tcp any->me:24 delivered"
DYNAMIC_ON = "in udp any->me:1434 dropped; in tcp any->me:445 dropped"
DYNAMIC_OFF = "in udp any->me:1434 delivered; in tcp any->me:445 delivered"
TELNET = "block in tcp from any to me port 23"
BLOCKS = ["block in tcp from any to me port 445", "block in udp from any to me port 1434"]


class World:
    def __init__(self, net):
        net.start_agent()
        self.net, self.host, self.prober = net, Host(net), packets.Prober(net)

    def type(self, *words, code=0):
        done = self.host.by_name(words)
        check(done.returncode == code, f"$ {' '.join(words)}: exit {done.returncode} "
              f"{done.stderr if done.returncode != code else ''}")
        return done

    def packets(self, text, *cells):
        wrong = self.prober.failures(packets.parse("; ".join(cells), {}))
        check(not wrong, f"packets {text} {wrong[:4] or ''}")

    def state(self, dynamic, text):
        state = self.host.state()
        check(state.dynamic == dynamic and state.assigned == "Server" and
              state.policies == {"Server": {"No telnet": [TELNET]}}, f"state {text}: {state}")

    def netdiag(self, name, code=0):
        """Compares /debug with a golden file."""
        text = GUID.sub("{GUID}", self.type("netdiag", "/test:ipsec", "/debug", code=code).stdout)
        path = DATA / f"netdiag-{name}.txt"
        if os.environ.get("UPDATE"):
            path.write_text(text)
        golden = path.read_text()
        if text != golden:
            print("".join(difflib.unified_diff(golden.splitlines(True), text.splitlines(True),
                                               str(path), "now")))
        check(text == golden, f"netdiag /test:ipsec /debug is {path.name}")

    def blocks(self):
        self.type("ipseccmd", "-f", "[*=0:1434:UDP]")
        self.type("ipseccmd", "-f", "[*=0:445:TCP]")
        self.state(BLOCKS, "with both dynamic blocks")
        self.packets("with both dynamic blocks", STATIC, DYNAMIC_ON)


def clear(w):
    """ipseccmd -u."""
    w.blocks()
    w.netdiag("before")
    done = w.type("ipseccmd", "-u")
    check(done.stdout.split("\n")[-2:] == ["The command completed successfully.", ""],
          f"last line of -u: {done.stdout!r}")
    w.state([], "after -u")
    w.packets("after -u", STATIC, DYNAMIC_OFF)
    w.netdiag("after")


def stop(w):
    """net stop policyagent, and start again."""
    w.blocks()
    done = w.type("net", "stop", "policyagent")
    opened = re.findall(r"^portward: note: no longer blocked: (.*)$", done.stderr, re.MULTILINE)
    check(len(opened) == 2, f"net stop names both ports that open: {opened}")
    check(w.net.agent.wait(timeout=10) == 0, "the agent ended, exit 0")
    w.net.agent = None
    check(not w.host.answers(), "nobody answers")
    w.packets("while the agent is stopped", STATIC, DYNAMIC_OFF)
    w.netdiag("stopped", code=3)
    w.type("net", "start", "policyagent")
    w.state([], "after net start")
    w.packets("after net start", STATIC, DYNAMIC_OFF)
    w.netdiag("after")
    again = w.type("net", "start", "policyagent")
    check("portward: note:" in again.stderr, f"a second start is a note: {again.stderr!r}")


def remarks(w):
    """What is said once, and what is said only where it is true."""
    def lines(*words):
        return w.type(*words).stderr.splitlines()
    first = lines("ipseccmd", "-f", "[*=0:98:TCP]")
    check(first == ["portward: note: dynamic: ends at reboot"], f"a dynamic block: {first}")
    again = lines("ipseccmd", "-f", "[*=0:98:TCP]")
    check(len(again) == 1 and "is there already" in again[0], f"the same again: {again}")
    out = lines("ipseccmd", "-w", "REG", "-p", "Out", "-r", "R", "-f", "0=*:25:TCP", "-n", "BLOCK",
                "-x")
    check(len(out) == 1 and "forwarded traffic is not covered" in out[0],
          f"a static block of what is sent: {out}")
    same = lines("ipseccmd", "-w", "REG", "-p", "Out", "-r", "R", "-f", "0=*:25:TCP", "-n", "BLOCK",
                 "-x")
    check(same == ["portward: note: nothing to change"], f"the same static command: {same}")
    secured = lines("ipseccmd", "-f", "*=0:99:TCP", "-n", "ESP[3DES,SHA]")
    check(len([line for line in secured if "denied in the clear" in line]) == 1,
          f"negotiation is warned of once: {secured}")
    check(any("UDP 500 and 4500" in line for line in secured), "and what it lets through is said")
    level = lines("netsh", "ipsec", "dynamic", "set", "config", "ipsecexempt", "0")
    check(len([line for line in level if "source port 88" in line]) == 1,
          f"an exemption level is warned of once: {level}")
    stop_shown = w.net.cli("compat", "net", "--explain", "stop", "policyagent").stderr
    check("the agent would be stopped" in stop_shown, f"net stop, explained: {stop_shown!r}")
    shown = w.net.cli("compat", "netsh", "--explain", "ipsec", "dynamic", "set", "config",
                      "ipsecexempt", "2").stderr.splitlines()
    check(len([line for line in shown if "source port 88" in line]) == 1,
          f"also if it is only explained: {shown}")


def test(net):
    w = World(net)
    try:
        w.type("ipseccmd", "-w", "REG", "-p", "Server", "-r", "No telnet", "-f", "*=0:23:TCP", "-n",
               "BLOCK", "-x")
        w.state([], "with the static policy")
        w.packets("with the static policy", STATIC, DYNAMIC_OFF)
        clear(w)
        stop(w)
        remarks(w)
    finally:
        if w.host.answers() and not net.agent:
            w.host.end_daemon()


main(test)
