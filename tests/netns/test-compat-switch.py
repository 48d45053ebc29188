#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Assigning one policy after the other with `ipseccmd -x` never opens a window (windows.md 19.4):
both policies block the port, datagrams come all the time, none may arrive.

Control: with `-y` between the two something must arrive. Usage: test-compat-switch.py [SWITCHES]"""
import sys
import time

from acceptance_host import Host
from gap import BLOCKED, OPEN, probe
from pwtest import check, main

SWITCHES = int(sys.argv[1]) if len(sys.argv) > 1 else 100
POLICIES = ("First", "Second")


def ipseccmd(host, *words):
    done = host.by_name(["ipseccmd.exe", *words])
    if done.returncode:
        raise RuntimeError(f"ipseccmd {' '.join(words)}: exit {done.returncode}, {done.stderr}")


def store(host):
    for i, name in enumerate(POLICIES):
        rules = (("closed", f"*=0:{BLOCKED}:UDP", "BLOCK"), ("open", f"*=0:{OPEN}:UDP", "PASS"),
                 (f"other {i}", f"*=0:{20 + i}:TCP", "BLOCK"))
        for rule, spec, action in rules:
            ipseccmd(host, "-w", "REG", "-p", name, "-r", rule, "-f", spec, "-n", action)


def switch(host, n):
    for i in range(n):
        ipseccmd(host, "-w", "REG", "-p", POLICIES[i % 2], "-x")


def gap(host):
    """The control: open for a tenth of a second."""
    ipseccmd(host, "-w", "REG", "-p", POLICIES[1], "-x")
    ipseccmd(host, "-w", "REG", "-p", POLICIES[1], "-y")
    time.sleep(0.1)
    ipseccmd(host, "-w", "REG", "-p", POLICIES[0], "-x")


def test(net):
    net.start_agent()
    host = Host(net)
    store(host)
    switch(host, 2)
    probe(net, "control, unassigned for 0.1 s", lambda: gap(host), leaks=True)
    generation = host.marks()[1]
    probe(net, f"{SWITCHES} switches", lambda: switch(host, SWITCHES))
    done = host.marks()[1] - generation
    # The control left the first policy assigned, and the first switch is to that one.
    check(done == SWITCHES - 1, f"{done} generations for {SWITCHES} switches")


main(test)
