#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""--dry-run: says what the real run does to packets and connections, with its exit code, and leaves
database, runtime files and kernel byte for byte as they were; --if-generation and --strict."""
import hashlib
import json
import random
import socket

from pwtest import C4, C6, FAR4, LAN4, S4, S6, check, main, nested_shapes

POLICY = """
policy "Web" {
    rule "Allow SMB from LAN"  permit in tcp from 10.1.1.0/24 to me port 445
    rule "Block SMB"           block in tcp from 10.1.0.0/16 to me port 445
    rule "Block 23"            block in tcp port 23
}
"""


def footprint(net):
    """Everything that a change may write: database, runtime files, pins, generation."""
    net.ok("policy", "list")  # a reader leaves its mark in the -shm file once
    result = {}
    for part in ("state", "run"):
        for path in sorted((net.dir / part).rglob("*")):
            if path.is_file():
                result[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted(net.pins.rglob("*")):
        result[str(path)] = path.lstat().st_ino
    answer = json.loads(net.cli("list", "--all", "--json").stdout)
    for f in answer["data"]["filters"]:
        f["packets"] = f["bytes"] = f["expires_in_s"] = None
    result["filters"] = answer["data"]
    result["generation"] = answer["generation"]
    return result


def tried(net, *args, name, code=0, text=None):
    """Runs a command with --dry-run; returns its output after looking that nothing was written."""
    before = footprint(net)
    done = net.cli(*args, "--dry-run", text=text)
    after = footprint(net)
    different = [k for k in before | after if before.get(k) != after.get(k)]
    check(not different, f"{name}: nothing is written {different[:4]}")
    check(done.returncode == code, f"{name}: exit {done.returncode} (want {code}) {done.stderr!r}")
    return done


def preview(net, *args, text=None):
    return net.json(*args, "--dry-run", text=text)["preview"]


def sets(p, verdict):
    return sorted(line for c in p["changes"] if c["verdict"] == verdict
                  for line in c["set"].split("\n"))


def verbs(net):
    """Every mutating verb."""
    for args, code, text in (
            (("block", "in", "udp", "port", "1434", "for", "2h"), 0, None),
            (("block", "in", "tcp", "port", "445"), 0, None),
            (("block", "in", "tcp", "port", "445", "--strict"), 6, None),
            (("permit", "in", "tcp", "port", "23", "from", "10.1.0.0/16"), 0, None),
            (("delete", "d1"), 0, None),
            (("delete", "d99"), 1, None),
            (("flush",), 0, None),
            (("policy", "load", "-", "--replace"), 0, POLICY.replace("23", "24")),
            (("policy", "load", "-"), 5, POLICY.replace("23", "24")),
            (("policy", "load", "-", "--name", "Other"), 0, POLICY),
            (("policy", "assign", "Spare"), 0, None),
            (("policy", "assign", "Shapes"), 7, None),
            (("policy", "unassign"), 0, None),
            (("policy", "delete", "Spare"), 0, None),
            (("policy", "delete", "Web"), 5, None),
            (("policy", "rollback", "Web@1"), 0, None),
            (("policy", "rollback", "Web@77"), 1, None),
            (("rule", "add", "Web", "New", "block", "in", "tcp", "port", "24"), 0, None),
            (("rule", "add", "Web", "Block 23", "block", "in", "tcp", "port", "24"), 5, None),
            (("rule", "delete", "Web", "Block 23"), 0, None),
            (("counters", "--reset"), 0, None)):
        done = tried(net, *args, name=" ".join(args), code=code, text=text)
        if code in (0, 6):
            check(done.stdout.endswith("nothing changed\n"), f"  it says so {done.stdout[-40:]!r}")


def samples(net):
    """The sample of cli.md, and what the sets are."""
    done = tried(net, "block", "in", "tcp", "port", "445", "for", "2h", name="sample")
    expected = ("would add      block in tcp from any to me port 445\n"
                "newly blocked  tcp from any but 10.1.0.0/16 to me port 445\n"
                "still allowed  tcp from 10.1.1.0/24 to me port 445: s1 \"Allow SMB from LAN\" is"
                " more specific\n"
                "nothing changed\n")
    check(done.stdout == expected, f"sample of cli.md:\n{done.stdout}")
    p = preview(net, "policy", "unassign")
    check(sets(p, "permit") == ["tcp from 10.1.0.0/16 but 10.1.1.0/24 to me port 445",
                                "tcp from any to me port 23"], f"unassign: {p['changes']}")
    check(sets(p, "block") == [], "unassign blocks nothing")
    p = preview(net, "rule", "add", "Web", "Again", "block", "in", "tcp", "port", "23")
    check(p["equal"] and p["changes"] == [], "a rule that repeats another changes no packet")


def connected(net, source, target, port):
    """An established connection from C to S."""
    server = net.tcp_listen("S", target, port)
    client = net._socket("C", target, socket.SOCK_STREAM)
    client.settimeout(5)
    client.bind((source, 0))
    client.connect((target, port))
    peer, _ = server.accept()
    net.sockets.append(peer)
    return server, client, peer


def connections(net):
    """Established connections that the change would stall, and no others."""
    ends = [connected(net, C4, S4, 8080), connected(net, LAN4, S4, 8081),
            connected(net, FAR4, S4, 8082), connected(net, C6, S6, 8083)]
    for filter_words, expected in (
            (("in", "tcp", "port", "8080"), 1),
            (("in", "tcp", "port", "8080-8083"), 4),
            (("in", "tcp", "from", LAN4), 1),
            (("out", "tcp", "to", FAR4), 1),
            (("in", "tcp", "from", C6), 1),
            (("in", "udp"), 0),
            (("in", "tcp", "port", "9999"), 0)):
        p = preview(net, "block", *filter_words)
        check(p["connections"] == expected,
              f"block {' '.join(filter_words)}: {p['connections']} connections (want {expected})")
    done = tried(net, "block", "in", "tcp", "port", "8080-8082", name="connections")
    check("connections    3 established would stall at once; their sockets stay\n" in done.stdout,
          f"text of connections: {done.stdout!r}")
    for server, client, peer in ends:
        client.sendall(b"x")
        check(peer.recv(1) == b"x", "and the connection still lives")
        for s in (server, client, peer):
            s.close()
            net.sockets.remove(s)


def agrees_with_the_real_run(net, rounds=25):
    """Random changes: packets inside the previewed sets change their verdict, those outside do
    not."""
    rng = random.Random(20261125)
    addresses = [C4, LAN4, FAR4]
    ports = [23, 445, 7001, 7002]

    def verdicts():
        result = {}
        for a in addresses:
            for port in ports:
                x = net.json("explain", "in", "tcp", "from", a, "to", "me", "port", str(port))
                result[a, port] = x["verdict"]
        return result

    for i in range(rounds):
        action = rng.choice(["block", "permit"])
        words = [action, "in", "tcp", "port", str(rng.choice(ports))]
        if rng.random() < 0.6:
            words += ["from", rng.choice(["10.1.0.0/16", "10.1.1.0/24", LAN4, "192.168.1.0/24"])]
        before = verdicts()
        p = preview(net, *words)
        real = net.json(*words)
        after = verdicts()
        changed = {k: v for k, v in after.items() if before[k] != v}
        says = bool(p["changes"])
        check((not changed or says) and (says or not changed) and p["complete"],
              f"{i}: {' '.join(words)}: {len(changed)} verdicts changed, preview {p['changes']}")
        kinds = {c["verdict"] for c in p["changes"]}
        check({v for v in changed.values()} <= kinds, f"{i}: kinds {kinds}")
        if rng.random() < 0.4:
            net.ok("delete", real["filter"]["id"])
    net.ok("flush")


def generations(net):
    now = json.loads(net.cli("list", "--json").stdout)["generation"]
    done = net.cli("block", "in", "udp", "port", "9", "--if-generation", str(now + 5))
    check(done.returncode == 5 and f"generation {now} is in force, not {now + 5}" in done.stderr,
          f"stale: {done.returncode} {done.stderr!r}")
    check(net.cli("flush", "--if-generation", str(now - 1), "-n").returncode == 5,
          "stale, only tried: the same code")
    done = net.cli("block", "in", "udp", "port", "9", "--if-generation", str(now))
    check(done.returncode == 0, f"fresh: {done.returncode} {done.stderr!r}")
    check(net.cli("policy", "load", "-", "--replace", "--if-generation", str(now), text=POLICY)
          .returncode == 5, "and then it is stale")


def strict(net):
    done = net.cli("block", "in", "tcp", "port", "445", "--strict")
    check(done.returncode == 6 and "still allowed  tcp from 10.1.1.0/24 to me port 445" in
          done.stdout, f"strict: {done.returncode} {done.stdout!r}")
    check(not net.connect("C", FAR4, S4, 445), "the change was made")
    done = net.cli("block", "in", "tcp", "port", "445", "override", "--strict")
    check(done.returncode == 0 and "still allowed" not in done.stdout,
          f"override leaves none: {done.returncode} {done.stdout!r}")
    done = net.cli("block", "in", "tcp", "port", "22", "--strict")
    check(done.returncode == 0 and "still allowed  tcp from 192.168.1.2 to me port 22: failsafe" in
          done.stdout, f"failsafe is named and is no finding: {done.returncode} {done.stdout!r}")


def run(net):
    net.config(f"[safety]\nfailsafe = tcp/22 from {C4}\n")
    net.start_agent()
    net.ok("policy", "load", "-", text=POLICY)
    net.ok("policy", "load", "-", text='policy "Spare" { rule "a" block in udp }')
    net.ok("policy", "load", "-", text=nested_shapes("Shapes"))
    net.ok("policy", "assign", "Web")
    net.ok("block", "in", "udp", "port", "1434")
    net.ok("policy", "load", "-", "--replace", text=POLICY.replace("Block 23", "Block telnet"))
    net.ok("policy", "rollback", "Web")
    verbs(net)
    samples(net)
    connections(net)
    agrees_with_the_real_run(net)
    generations(net)
    strict(net)


main(run)
