#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`portward log`, the files of the packet log, and the metrics.

Every form is read back: text, JSON lines, pfirewall.log by its #Fields, a file of packets by a
reader that knows the format (and by tcpdump where it is installed), the metrics by a strict reader
of the exposition format. Under a flood logged and suppressed lines together are what the counter
says, and an event that an administrator must see is there."""
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import time

from pwtest import C4, C6, CLI, S4, S6, check, main, udp_frame

POLICY = r'''policy "Log \"it\"" {
    rule "Web; rm -rf / \" # x" block in tcp port 81 log
    rule "Six" block in udp from 2001:db8:1::2 to me port 82 log
    rule "Ping" block in icmp type 8 log
    rule "Open" permit in udp from 192.168.1.2 to me port 84 log
    rule "Out" block out udp to 192.168.1.2 port 83 log
}
'''
FIELDS = ("date time action protocol src-ip dst-ip src-port dst-port size tcpflags tcpsyn tcpack "
          "tcpwin icmptype icmpcode info path").split()


def settle():
    time.sleep(0.5)


def entries(net, *args):
    return net.json("log", *args)["entries"]


def traffic(net):
    net.connect("C", C4, S4, 81, sport=50001)
    net.send_udp("C", C6, S6, 82, 1, sport=4444)
    net.ping("C", S4, 1)
    net.send_udp("C", C4, S4, 84, 1, sport=4445)
    net.send_udp("S", S4, C4, 83, 1, sport=4446)
    settle()


def forms(net):
    rule = 'Web; rm -rf / " # x'
    found = entries(net)
    check(len(found) >= 5 and [e["seq"] for e in found] == sorted({e["seq"] for e in found}),
          f"{len(found)} entries with numbers that grow")
    web = [e for e in found if e.get("dport") == 81][0]
    check(all(web.get(k) == v for k, v in {
        "verdict": "block", "dir": "in", "reason": "filter", "rule": rule, "policy": 'Log "it"',
        "layer": "local", "if": "s0", "proto": "tcp", "src": C4, "sport": 50001, "dst": S4,
        "flags": "S"}.items()) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+\.\d{3}Z", web["t"]),
          f"what an entry says: {web}")
    check("head" not in web, "no bytes of the packet")
    text = net.ok("log", "-n", "1000").splitlines()
    line = [x for x in text if ":81 " in x][0]
    match = re.fullmatch(r'(\d\d:\d\d:\d\d\.\d{3})  block  in  tcp (\S+):50001 > (\S+):81 s0 +(s\d+) '
                         r'"(.*)"', line)
    check(match and match[2] == C4 and match[3] == S4 and match[5] == rule.replace('"', '\\"'),
          f"text: {line}")
    check(any(re.search(rf"in  udp \[{C6}\]:4444 > \[{S6}\]:82 s0 ", x) for x in text),
          "text: IPv6 in brackets")
    check(any("icmp" in x and "type 8 code 0" in x for x in text), "text: ICMP")
    check(any(re.match(r"\S+  permit  in  udp", x) for x in text) and
          any(re.match(r"\S+  block  out udp", x) for x in text), "text: permits, and the way out")
    lines = net.ok("log", "--format", "json").splitlines()
    known = [{k: v for k, v in e.items() if v is not None} for e in found]
    check([json.loads(x) for x in lines] == known, "JSON lines are what is known of the entries")
    pfirewall(net.ok("log", "--format", "pfirewall").splitlines(), "portward log")


def pfirewall(lines, what):
    header = [x for x in lines if x.startswith("#")]
    check(header[0] == "#Version: 1.5" and header[2] == "#Time Format: Local" and
          header[3].split(": ")[1].split() == FIELDS, f"{what}: header of pfirewall.log")
    rows = [dict(zip(FIELDS, x.split(" "))) for x in lines if x and not x.startswith("#")]
    check(all(len(x.split(" ")) == len(FIELDS) for x in lines if x and not x.startswith("#")),
          f"{what}: {len(rows)} rows have all fields, whatever the rules are called")
    tcp = [r for r in rows if r["dst-port"] == "81"][-1]
    check((tcp["action"], tcp["protocol"], tcp["src-ip"], tcp["tcpflags"], tcp["path"],
           tcp["tcpack"], tcp["icmptype"]) == ("DROP", "TCP", C4, "S", "RECEIVE", "0", "-") and
          int(tcp["tcpsyn"]) > 0 and int(tcp["tcpwin"]) > 0 and int(tcp["size"]) in range(40, 100),
          f"{what}: a SYN: {tcp}")
    check(any(r["action"] == "ALLOW" for r in rows) and any(r["path"] == "SEND" for r in rows) and
          any(r["protocol"] == "ICMP" and r["icmptype"] == "8" for r in rows), f"{what}: others")


def filters(net):
    check({e["dport"] for e in entries(net, "block", "in", "tcp", "port", "81")} == {81},
          "a filter chooses")
    check({e["src"] for e in entries(net, "permit", "in", "udp", "from", "192.168.1.0/24")} == {C4},
          "by action and prefix")
    check(not entries(net, "block", "in", "tcp", "port", "82"), "by protocol")
    check(len(entries(net, "-n", "2")) == 2, "the last ones")
    check(len(entries(net, "--since", "1h")) == len(entries(net)) and
          not entries(net, "--since", "2100-01-01T00:00:00Z"), "by time")
    for bad in (["--format", "xml"], ["--since", "yesterday"], ["--mpp", "block"],
                ["block", "in", "tcp", "prot", "3"]):
        check(net.cli("log", *bad).returncode in (2, 7), f"refused: {bad}")


def pcap(net):
    path = net.dir / "drops.pcap"
    net.ok("log", "--pcap", str(path))
    data = path.read_bytes()
    magic, major, minor, _, _, snap, link = struct.unpack("=IHHIIII", data[:24])
    check((magic, major, minor, link) == (0xa1b2c3d4, 2, 4, 101) and snap == 64, "header of a pcap")
    at, packets = 24, []
    while at < len(data):
        _, us, kept, length = struct.unpack("=IIII", data[at:at + 16])
        if us >= 1000000 or kept != min(length, 64):
            check(False, f"a packet's header: {us} us, {kept} of {length} bytes")
        packets.append(data[at + 16:at + 16 + kept])
        at += 16 + kept
    check(at == len(data) and len(packets) >= 5 and {p[0] >> 4 for p in packets} == {4, 6},
          f"{len(packets)} packets of both families")
    check(net.cli("log", "--pcap", str(path)).returncode == 1, "a file that is there is not replaced")
    if shutil.which("tcpdump"):
        done = subprocess.run(["tcpdump", "-nr", str(path)], capture_output=True, text=True)
        check(done.returncode == 0 and f"{C4}.50001 > {S4}.81: Flags [S]" in done.stdout,
              f"tcpdump reads it: {done.stdout[:200]} {done.stderr}")


def follow(net):
    reader = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{net.names['S']}", str(CLI), "log", "-f", "-n", "1", "--json",
         "--runtime-dir", str(net.dir / "run")], stdout=subprocess.PIPE, text=True)
    first = json.loads(reader.stdout.readline())
    check(first["schema"] == "portward.log/1" and len(first["data"]["entries"]) == 1, "one document per line")
    net.connect("C", C4, S4, 81, sport=50009)
    got = json.loads(reader.stdout.readline())
    check(got["data"]["entries"][0]["sport"] == 50009, f"following shows what comes: {got['data']}")
    reader.kill()
    reader.wait()


def files(net):
    j, p = net.dir / "drop.json", net.dir / "pfirewall.log"
    net.config(f"[log]\njson-file = {j}\npfirewall-file = {p}\nmax-size = 64\n")
    net.agent.send_signal(signal.SIGHUP)
    settle()
    traffic(net)
    lines = [json.loads(x) for x in j.read_text().splitlines()]
    check(any(e.get("dport") == 81 for e in lines), f"{len(lines)} JSON lines in the file")
    pfirewall(p.read_text().splitlines(), "the file")
    check(all(os.stat(f).st_mode & 0o777 == 0o640 and os.stat(f).st_uid == 0 for f in (j, p)),
          "mode 0640, owner root")
    j.rename(net.dir / "moved.json")
    net.agent.send_signal(signal.SIGHUP)
    settle()
    net.connect("C", C4, S4, 81, sport=50010)
    settle()
    check("50010" in j.read_text() and "50010" not in (net.dir / "moved.json").read_text(),
          "SIGHUP opens the files anew")
    net.config(f"[log]\nrate = 1000\ntotal-rate = 10000\njson-file = {j}\nmax-size = 64\n")
    net.agent.send_signal(signal.SIGHUP)
    settle()
    net.ok("block", "in", "udp", "port", "200", "log")
    frame = udp_frame(net.mac("C", "c0"), net.mac("S", "s0"), C4, S4, 200)
    for _ in range(10):
        net.frames("C", "c0", frame, 100)
        time.sleep(0.25)
    settle()
    old = net.dir / "drop.json.old"
    check(old.exists() and j.stat().st_size <= 64 * 1024 and old.stat().st_size <= 64 * 1024,
          "a file that is large enough is put aside, and the next begins")
    check(all(json.loads(x) for f in (old, j) for x in f.read_text().splitlines()),
          "no line is torn")
    net.config(f"[log]\njson-file = {net.dir}/no/such/dir/x.json\n")
    net.agent.send_signal(signal.SIGHUP)
    settle()
    log = (net.dir / "agent.log").read_text()
    check(log.count('"log-file-failed"') == 1, "a file that cannot be written is one event")
    net.config("")
    net.agent.send_signal(signal.SIGHUP)
    settle()


def flood(net):
    net.ok("block", "in", "udp", "port", "201", "log")
    frame = udp_frame(net.mac("C", "c0"), net.mac("S", "s0"), C4, S4, 201)
    begin = entries(net, "-n", "1")[-1]["seq"]
    time.sleep(1.2)
    end, sent, n = time.monotonic() + 3, 0, 0
    while time.monotonic() < end:
        net.frames("C", "c0", frame, 2000)
        sent += 2000
        n += 1
        if n == 5:
            next((net.pins / "map").iterdir()).unlink()
    time.sleep(2.5)
    ident = [f["id"] for f in net.json("list")["filters"] if "201" in f["text"]][0]
    mine = [e for e in entries(net, "-n", "4096") if e["seq"] > begin and e.get("filter") == ident]
    logged = sum(e["verdict"] == "block" for e in mine)
    suppressed = sum(e["count"] for e in mine if e["verdict"] == "suppressed")
    counted = [f["packets"] for f in net.json("counters")["counters"] if f["id"] == ident][0]
    check(counted == sent and logged + suppressed == counted,
          f"{sent} packets: {logged} lines and {suppressed} suppressed make {counted}")
    check(logged <= 10 * 6 + 21, "the rate holds")
    check('"tamper"' in (net.dir / "agent.log").read_text(), "tampering is told in the flood")
    text = net.ok("log", "-n", "4096")
    check(re.search(rf"\((\d+) more of {ident} suppressed in 1 s\)", text), "in words, too")
    lost = [x for x in net.ok("log", "--format", "pfirewall", "-n", "4096").splitlines()
            if " INFO-EVENTS-LOST " in x]
    check(lost and all(len(x.split(" ")) == len(FIELDS) for x in lost), "and in pfirewall.log")


def no_state(net):
    """A datagram that looks like an answer and answers nothing."""
    net.ok("policy", "load", "-", "--replace", text='''policy "Answers" {
        rule "all" block all log
        rule "dns" permit out udp from me to 192.168.1.2 port 53 keep state
    }''')
    net.ok("policy", "assign", "Answers")
    net.send_udp("C", C4, S4, 40000, 1, sport=53)
    net.send_udp("C", C4, S4, 40000, 1, sport=54)
    settle()
    found = {e["sport"]: e["reason"] for e in entries(net, "-n", "20") if e.get("dport") == 40000}
    check(found == {53: "no-state", 54: "filter"}, f"a reply that nobody asked for: {found}")


NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?\d+(?:\.\d+)?)")


def parse_metrics(text):
    """Family -> {labels: value}; anything that the format does not allow fails."""
    families, kind, current = {}, {}, None
    check(text.endswith("\n"), "metrics end with a newline")
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            current = line.split(" ", 3)[2]
            if current in families:
                check(False, f"{current} begins twice")
            families[current] = {}
        elif line.startswith("# TYPE "):
            _, _, name, type_ = line.split(" ")
            if name != current or type_ not in ("counter", "gauge") or name in kind:
                check(False, f"wrong TYPE: {line}")
            kind[name] = type_
        else:
            match = SAMPLE.fullmatch(line)
            if not match or match[1] != current or current not in kind:
                check(False, f"no sample: {line}")
                continue
            if (match[2] or "") in families[current]:
                check(False, f"twice: {line}")
            families[current][match[2] or ""] = float(match[3])
    for name, type_ in kind.items():
        if (type_ == "counter") != name.endswith("_total"):
            check(False, f"{name} is a {type_}")
    return families


def metrics(net):
    before = parse_metrics(net.ok("counters", "--prometheus"))
    check(len(before) > 30 and before["portward_enforcing"][""] == 1 and
          before["portward_generation"][""] == net.json("status")["enforcement"]["generation"],
          f"{len(before)} families of metrics")
    net.connect("C", C4, S4, 81)
    after = parse_metrics(net.ok("counters", "--prometheus"))
    key = 'direction="in",reason="filter"'
    check(after["portward_dropped_packets_total"][key] >
          before["portward_dropped_packets_total"][key], "drops are counted")
    mine = [k for k in after["portward_filter_packets_total"] if 'id="s' in k]
    check(any(r'rule="Web; rm -rf / \" # x"' in k for k in mine), "names are escaped")
    net.ok("policy", "load", "-", text='policy "Many" {\n' + "".join(
        f'  rule "r{i}" block in udp port {2000 + 2 * i}\n' for i in range(400)) + "}\n")
    net.ok("policy", "assign", "Many")
    many = parse_metrics(net.ok("counters", "--prometheus"))["portward_filter_packets_total"]
    check(len(many) == 257 and any('id="other"' in k for k in many),
          f"cardinality is bounded: {len(many)} series for {400} filters")


def test(net):
    net.start_agent()
    net.ok("policy", "load", "-", text=POLICY)
    net.ok("policy", "assign", 'Log "it"')
    traffic(net)
    forms(net)
    filters(net)
    pcap(net)
    follow(net)
    files(net)
    flood(net)
    metrics(net)
    no_state(net)


if __name__ == "__main__":
    main(test)
