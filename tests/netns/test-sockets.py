#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`portward sockets` against `ss`: the same rows for sockets of every kind and for many listeners, with
the same processes; units, states and verdicts. Usage: test-sockets.py [LISTENERS]"""
import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time

from pwtest import CLI, S4, S6, check, main
from socklab import both, difference, holding, in_netns

N = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
SEED = int(os.environ.get("PORTWARD_SEED", time.time_ns() % 10**9))
CGROUP = "/sys/fs/cgroup/unified"
SO_BINDTODEVICE = 25


def make(net, rng, kept):
    """One socket of a random kind, bound in S."""
    six = rng.random() < 0.5
    kind = rng.choice([socket.SOCK_STREAM, socket.SOCK_DGRAM])
    with net.inside("S"):
        s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, kind)
    if six:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, rng.randrange(2))
    if rng.random() < 0.2:
        s.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, b"s0\0")
    if rng.random() < 0.3:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    address = rng.choice(["::", S6, "::1"] if six else ["0.0.0.0", S4, "127.0.0.1", "127.3.2.1"])
    port = rng.randrange(1, 65536)
    try:
        s.bind((address, port))
    except OSError:
        s.close()
        return
    state = "bound"
    if kind == socket.SOCK_STREAM:
        state = "reserved"
        if rng.random() < 0.8:
            try:
                s.listen(1)
                state = "listen"
            except OSError:  # another one listens there
                s.close()
                return
    kept.append((s, state, kind))


def every_kind(net):
    rng, kept = random.Random(SEED), []
    print(f"seed {SEED} (PORTWARD_SEED)")
    while len(kept) < 1000:
        make(net, rng, kept)
    theirs, ours, others = both(net, net.cli)
    check(theirs == ours, f"{sum(ours.values())} rows as ss has them: {difference(theirs, ours)}")
    want = sum(1 for _, state, _ in kept if state == "reserved")
    have = [s for s in others if s["state"] == "reserved"]
    check(want == len(have) and want > 0, f"{want} reserved sockets, none of them listening")
    inodes = {os.fstat(s.fileno()).st_ino for s, state, _ in kept if state == "reserved"}
    check(len(inodes) == want and not any(s["state"] == "listen" and s["port"] == 0 for s in others),
          "control: they are sockets of this test")
    for s, _, _ in kept:
        s.close()


def forked(net):
    with holding(net, 20, processes=2, holders=3):
        theirs, ours, _ = both(net, net.cli)
        check(theirs == ours, f"forked servers: all holders, {difference(theirs, ours)}")
        check(all(len(row[4]) == 3 for row in ours), "three processes hold each socket")
        rows = json.loads(net.cli("sockets", "--json").stdout)["data"]["sockets"]
        pids = [p["pid"] for p in rows[0]["processes"]]
        check(pids == sorted(pids) and rows[0]["processes"][0]["name"].startswith("python"),
              "lowest pid first, with its name and program")


def passed(net):
    """A descriptor on its way: in the queue of a Unix socket, held by nobody."""
    a, b = socket.socketpair()
    s = net.tcp_listen("S", S4, 7100)
    socket.send_fds(a, [b"x"], [s.fileno()])
    net.sockets.remove(s)
    s.close()
    row = [r for r in json.loads(net.cli("sockets", "--json").stdout)["data"]["sockets"]
           if r["port"] == 7100]
    check(len(row) == 1 and row[0]["processes"] == [] and row[0]["owner"] == "none",
          "a descriptor in flight: listed, held by nobody")
    theirs, ours, _ = both(net, net.cli)
    check(theirs == ours, f"as ss: {difference(theirs, ours)}")
    a.close()
    b.close()


def dead_unit(net):
    path = f"{CGROUP}/pw-sock-{os.getpid()}.service"
    os.mkdir(path)
    try:
        code = ("import socket,sys\n"
                f"open('{path}/cgroup.procs','w').write('0')\n"
                "s=socket.socket(); s.bind(('0.0.0.0',7200)); s.listen()\n"
                f"open('{CGROUP}/cgroup.procs','w').write('0')\n"
                "print('ready',flush=True); sys.stdin.read()\n")
        child = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{net.names['S']}", sys.executable, "-c", code],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        net.children.append(child)
        child.stdout.readline()
        row = [r for r in net.json("sockets")["sockets"] if r["port"] == 7200][0]
        check(row["unit"] == os.path.basename(path) and not row["unit_dead"], "the unit by cgroup")
    finally:
        os.rmdir(path)
    row = [r for r in net.json("sockets")["sockets"] if r["port"] == 7200][0]
    check(row["unit"] is None and row["unit_dead"], "its cgroup is gone: dead unit")
    check("(dead unit)" in net.ok("sockets"), "the table says so, too")
    child.stdin.close()
    child.wait()


def packets(net):
    with net.inside("S"):
        sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)
        server = socket.socket()
        server.bind((S4, 7300))
        server.listen()
        client = socket.create_connection((S4, 7300))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.connect((S4, 9))
    rows = net.json("sockets")["sockets"]
    check({r["state"] for r in rows} == {"listen"}, f"without --all: {[r['state'] for r in rows]}")
    rows = net.json("sockets", "--all")["sockets"]
    states = sorted(r["state"] for r in rows if r["processes"])
    check(states == ["connected", "connected", "listen", "raw", "sniff"],
          f"with --all: connected, raw, packet: {states}")
    by = {r["state"]: r for r in rows}
    check(by["sniff"]["number"] == 3 and by["raw"]["number"] == 47, "EtherType and protocol")
    check(all(s["state"] != "bound" or s["port"] != udp.getsockname()[1] for s in rows),
          "a connected UDP socket is none that takes datagrams from anybody")
    for s in (sniffer, raw, server, client, udp):
        s.close()


def verdicts(net):
    for s in ((S4, 22), ("0.0.0.0", 135), ("0.0.0.0", 445), ("127.0.0.1", 631)):
        net.tcp_listen("S", *s)
    net.tcp_listen("S", "::", 8080)
    reserved = net._socket("S", S4, socket.SOCK_STREAM)
    reserved.bind(("0.0.0.0", 8081))
    policies = {p["port"]: p["policy"] for p in net.json("sockets")["sockets"]}
    check(policies[22] == "permit" and policies[631] == "loopback only" and
          policies[8081] == "not listening", f"no filters: {policies}")
    net.ok("block", "in", "tcp")
    net.ok("permit", "in", "tcp", "port", "22", "from", "10.1.0.0/16")
    net.ok("permit", "in", "tcp", "port", "445", "from", "any")
    net.ok("block", "in", "tcp", "port", "445", "from", "10.1.1.0/24")
    net.ok("permit", "in", "tcp", "port", "8080", "from", "10.0.0.0/8")
    policies = {p["port"]: p["policy"] for p in net.json("sockets")["sockets"]}
    want = {22: "permit from 10.1.0.0/16, else block", 135: "block",
            445: "permit, but block from 10.1.1.0/24", 631: "loopback only",
            8080: "IPv4 permit from 10.0.0.0/8, else block; IPv6 block", 8081: "not listening"}
    check(policies == want, f"verdicts by the filters in force: {policies}")
    for port, source, says in ((22, "10.1.7.7", "permit"), (22, "192.0.2.1", "block"),
                               (445, "10.1.1.7", "block"), (445, "10.1.2.7", "permit")):
        verdict = net.json("explain", "in", "tcp", "from", source, "to", "me", "port", str(port))
        check(verdict["verdict"] == says, f"explain agrees: {port} from {source} {says}")
    net.ok("flush")


def other_namespaces(net):
    with net.inside("C"):
        s = socket.socket()
        s.bind(("0.0.0.0", 7400))
        s.listen()
    rows = net.json("sockets", "--all-netns")["sockets"]
    own = [r for r in rows if r["netns"] is None]
    other = [r for r in rows if r["netns"] == net.names["C"]]
    check(not any(r["port"] == 7400 for r in own), "a port of another namespace is none of ours")
    check([r["port"] for r in other] == [7400] and other[0]["policy"] is None and
          other[0]["processes"], "it is listed under its namespace, without a verdict")
    s.close()


def while_changing(net):
    """Listeners come and go during the dumps: no crash, and no row that never was."""
    stop, used = threading.Event(), range(30000, 32000)

    def churn():
        rng = random.Random(SEED)
        while not stop.is_set():
            kept = []
            for port in rng.sample(used, 500):
                with net.inside("S"):
                    s = socket.socket()
                kept.append(s)
                with contextlib.suppress(OSError):  # the port of a connection of before
                    s.bind((S4, port))
                    s.listen()
            for s in kept:
                s.close()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        wrong = []
        for _ in range(30):
            rows = [r for r in net.json("sockets")["sockets"] if r["port"] in used]
            # A port may be there twice: the one socket listened, its successor is only bound yet.
            names = [(r["port"], r["state"]) for r in rows]
            wrong += [r for r in rows if r["address"] != S4 or
                      r["state"] not in ("listen", "reserved") or r["protocol"] != "tcp"]
            wrong += {n for n in names if names.count(n) > 1}
        check(not wrong, f"30 lists of sockets that come and go: each row is one that was: "
              f"{wrong[:3]}")
    finally:
        stop.set()
        thread.join()


def rights(net):
    """Another user sees the sockets, and the verdicts only if the agent answers him."""
    net.tcp_listen("S", S4, 7500)
    done = in_netns(net, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                    net.public(CLI), "--runtime-dir", str(net.dir / "run"), "sockets", "--json")
    row = [r for r in json.loads(done.stdout)["data"]["sockets"] if r["port"] == 7500][0]
    check(row["processes"] == [] and row["owner"] == "unknown" and row["policy"] is None,
          "without rights: no process, and that is called unknown")


def many(net):
    with holding(net, N):
        theirs, ours, _ = both(net, net.cli)
        check(theirs == ours and sum(ours.values()) >= N,
              f"{N} listeners: the same {sum(ours.values())} rows as ss {difference(theirs, ours)}")
        start = time.monotonic()
        in_netns(net, str(CLI), "--runtime-dir", str(net.dir / "run"), "sockets")
        print(f"{N} listeners in {time.monotonic() - start:.3f} s")


def test(net):
    every_kind(net)  # without an agent: an iterator of its own
    alone = net.tcp_listen("S", S4, 7000)
    done = net.cli("sockets")
    check("not known: agent not running" in done.stderr and "unknown" in done.stdout and
          done.returncode == 0, "no agent: what filters say is unknown, the rest is there")
    alone.close()
    net.start_agent()
    check((net.pins / "iter/holders").exists(), "the agent leaves its iterator pinned")
    for part in (every_kind, forked, passed, dead_unit, packets, verdicts, other_namespaces,
                 while_changing, rights, many):
        part(net)


main(test)
