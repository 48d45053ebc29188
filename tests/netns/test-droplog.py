#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The log: what records say about real packets, that a flood never makes more of them than the
configured rate, and that each packet is either written, suppressed or lost."""
import json
import os
import signal
import socket
import time

import bpfcall
from pwtest import C4, C6, FAR4, LAN4, S4, S6, check, main, received, udp_frame

RATE, BURST = 10, 20  # of one filter, by default
POLL_S = 0.2


class Events:
    """What the agent wrote since the last look."""

    def __init__(self, net):
        self.path, self.at = net.dir / "agent.log", 0
        self.new()

    def new(self, name=None):
        with open(self.path, encoding="utf-8") as f:
            f.seek(self.at)
            lines = f.readlines()
            self.at = f.tell()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [e for e in found if name is None or e["event"] == name]

    def wait(self, name, n=1, seconds=2):
        """At least n events of this name, and nothing of what comes later."""
        found, end = [], time.monotonic() + seconds
        while len(found) < n and time.monotonic() < end:
            time.sleep(0.05)
            found += self.new(name)
        return found


def fields(event, *names):
    return tuple(event.get(name) for name in names)


def log_stats(net):
    return net.json("status")["log"]


def flood(net, port, seconds, per_round=200):
    """Frames for a blocked port; how many were sent."""
    frame = udp_frame(net.mac("C", "c0"), net.mac("S", "s0"), C4, S4, port)
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        net.frames("C", "c0", frame, per_round)
        sent += per_round
    return sent


def rate(net, events):
    net.ok("block", "in", "udp", "port", "70", "log")
    net.ok("block", "in", "udp", "port", "71")
    before = log_stats(net)
    flood(net, 71, 0.3)
    time.sleep(2 * POLL_S)
    check(not events.new("packet-dropped"), "a filter without 'log' logs nothing")
    begin = time.monotonic()
    sent = flood(net, 70, 3)
    took = time.monotonic() - begin
    time.sleep(2 * POLL_S)
    got = events.new()
    records = [e for e in got if e["event"] == "packet-dropped"]
    check(sent > 10000, f"{sent} packets in {took:.2f} s")
    most = int(RATE * took) + BURST + 1
    check(BURST < len(records) <= most, f"{len(records)} records, at most {most} are allowed")
    told = [e for e in got if e["event"] == "log-suppressed"]
    check(1 <= len(told) <= took + 2, f"{len(told)} events say how many were left out")
    time.sleep(1)
    net.send_udp("C", C4, S4, 70, 1)
    records += events.wait("packet-dropped")
    covered = sum(1 + int(e.get("SUPPRESSED", 0)) for e in records)
    check(covered == sent + 1, f"records and what they say was suppressed: {covered} of {sent + 1}")
    now = log_stats(net)
    check(now["written"] - before["written"] == len(records), "status counts the records")
    check(now["suppressed"] - before["suppressed"] + len(records) == sent + 1,
          "and the suppressed ones")
    check(now["lost"] == before["lost"], "none is lost")
    check("beyond the rate" in net.cli("status").stdout, "status says so in words")
    net.ok("flush")


def two_cpus(net, events):
    """The program itself on two CPUs at once: no packet is forgotten or told twice."""
    repeat, cpus = 500000, sorted(os.sched_getaffinity(0))[:2]
    net.ok("block", "in", "udp", "port", "72", "log")
    frame = udp_frame(net.mac("C", "c0"), net.mac("S", "s0"), C4, S4, 72)
    events.new()
    with net.inside("S"):
        ifindex = socket.if_nametoindex("s0")
        program = bpfcall.pinned(net.pins / "prog/pw_in")
        children = []
        for cpu in cpus:
            child = os.fork()
            if child == 0:
                os.sched_setaffinity(0, {cpu})
                bpfcall.run_program(program, frame, ifindex, repeat)
                os._exit(0)
            children.append(child)
        ended = [os.waitpid(child, 0)[1] for child in children]
        time.sleep(1.2)
        result, _ = bpfcall.run_program(program, frame, ifindex)
    bpfcall.close(program)
    time.sleep(3 * POLL_S)
    records = events.new("packet-dropped")
    covered, sent = sum(1 + int(e.get("SUPPRESSED", 0)) for e in records), repeat * len(cpus) + 1
    check(result == 2 and not any(ended) and covered == sent,
          f"{len(cpus)} CPUs: {len(records)} records tell of {covered} of {sent} packets")
    net.ok("flush")


def of_filters(net, events):
    net.ok("policy", "load", "-", text=f"""policy "Log" {{
        rule "Web" block in tcp port 81 log
        rule "Ping" block in icmp type 8 log
        rule "Six" block in udp from {C6} port 4444 to me port 82 log
        rule "Whole" block in udp from {LAN4} to me log
        rule "Out" block out udp to {C4} port 83 log
        rule "Open" permit in udp from {C4} to me port 84 log
        rule "Over" block in udp port 85 override log
    }}""")
    net.ok("policy", "assign", "Log")
    events.new()
    net.connect("C", C4, S4, 81, sport=50001)
    e = events.wait("packet-dropped")[0]
    check(fields(e, "REASON", "DIRECTION", "INTERFACE", "PROTOCOL", "SOURCE", "SOURCE_PORT",
                 "DESTINATION", "DESTINATION_PORT", "TCP_FLAGS", "POLICY", "RULE", "LAYER") ==
          ("filter", "in", "s0", "tcp", C4, "50001", S4, "81", "S", "Log", "Web", "local"),
          f"TCP: a SYN, with its rule: {e}")
    check(e["MAC"] == net.mac("C", "c0").hex(":") and e["ID"].startswith("s"),
          "with MAC address and id")
    time.sleep(0.3)
    events.new()
    net.ping("C", S4, 1)
    e = events.wait("packet-dropped")[0]
    check(fields(e, "PROTOCOL", "ICMP", "RULE", "SOURCE_PORT") == ("icmp", "8/0", "Ping", None),
          "ICMP: type and code")
    net.send_udp("C", C6, S6, 82, 1, sport=4444)
    e = events.wait("packet-dropped")[0]
    check(fields(e, "SOURCE", "DESTINATION", "SOURCE_PORT", "DESTINATION_PORT", "RULE") ==
          (C6, S6, "4444", "82", "Six"), "IPv6: addresses and ports")
    s = net.udp("C", LAN4)
    s.sendto(bytes(3000), (S4, 90))
    got = events.wait("packet-dropped", 3)
    check([e["REASON"] for e in got] == ["filter", "fragment", "fragment"] and
          all(e["FLAGS"] == "fragment" for e in got), "fragments: the first, and the later ones")
    check(got and got[0]["DESTINATION_PORT"] == "90" and "DESTINATION_PORT" not in got[-1],
          "only the first has ports")
    net.send_udp("S", S4, C4, 83, 1)
    e = events.wait("packet-dropped")[0]
    check(fields(e, "DIRECTION", "SOURCE", "DESTINATION", "RULE") == ("out", S4, C4, "Out"),
          "on the way out")
    sink = net.udp("S", S4, 84)
    net.send_udp("C", C4, S4, 84, 1)
    e = events.wait("packet-passed")
    check(received(sink) == 1 and len(e) == 1 and
          fields(e[0], "RULE", "REASON") == ("Open", None), "a permit with 'log' passes and says so")
    net.send_udp("C", C4, S4, 85, 1)
    e = events.wait("packet-dropped")[0]
    check(fields(e, "REASON", "RULE") == ("override", "Over"), "an override block")


def without_filter(net, events):
    events.new()
    frame = udp_frame(net.mac("C", "c0"), net.mac("S", "s0"), S4, S4, 99)
    net.frames("C", "c0", frame, 1)
    e = events.wait("packet-dropped")[0]
    check(fields(e, "REASON", "ID", "RULE", "WEIGHT") == ("martian", None, None, None),
          "a drop that no filter decided")
    bad = bytearray(udp_frame(net.mac("C", "c0"), net.mac("S", "s0"), FAR4, S4, 99))
    bad[14] = 0x44  # a header of 16 bytes
    before, sent = log_stats(net), 500
    net.frames("C", "c0", bytes(bad), sent)
    got = events.wait("packet-dropped")
    time.sleep(2 * POLL_S)
    got += events.new("packet-dropped")
    check(0 < len(got) <= BURST + RATE and {e["REASON"] for e in got} == {"bad-header"},
          f"{sent} packets of one reason: {len(got)} records")
    now = log_stats(net)
    check(sum(now.values()) - sum(before.values()) == sent, "all are counted")
    net.ok("policy", "unassign", "-y")


def unread(net):
    """The agent stands still: the ring gets full, nothing is blocked less, all is counted."""
    net.config("[log]\nrate = 1000\ntotal-rate = 10000\n")
    net.agent.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    for port in range(100, 110):
        net.ok("block", "in", "udp", "port", str(port), "log")
    before = log_stats(net)
    sink = net.udp("S", S4, 105)
    net.agent.send_signal(signal.SIGSTOP)
    sent = sum(flood(net, port, 0.3) for port in range(100, 110))
    net.agent.send_signal(signal.SIGCONT)
    now = log_stats(net)
    more = {k: now[k] - before[k] for k in now}
    check(more["lost"] > 0 and sum(more.values()) == sent, f"{sent} packets: {more}")
    check(received(sink) == 0, "a full ring opens nothing")


def restarted(net):
    """What an agent did not read, the next one does."""
    net.ok("flush")
    net.config("")
    net.agent.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    net.ok("block", "in", "udp", "port", "120", "log")
    net.stop_agent(signal.SIGKILL)
    net.send_udp("C", C4, S4, 120, 3)
    events = Events(net)
    net.start_agent()
    got = events.wait("packet-dropped", 3)
    check([e.get("DESTINATION_PORT") for e in got] == ["120"] * 3 and all("ID" in e for e in got),
          "records of the time without an agent")


def test(net):
    net.start_agent()
    events = Events(net)
    rate(net, events)
    two_cpus(net, events)
    of_filters(net, events)
    without_filter(net, events)
    unread(net)
    restarted(net)


if __name__ == "__main__":
    main(test)
