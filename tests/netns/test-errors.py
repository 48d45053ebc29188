#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong says what, where and what to do, has the right exit code, and neither opens
nor loses anything."""
import hashlib
import os
import pathlib
import signal
import subprocess
import time

from pwtest import AGENT, C4, CLI, S4, check, main, nested_shapes, received


def refused(done, code, *parts, name):
    text = done.stdout + done.stderr
    good = done.returncode == code and all(p in text for p in parts)
    check(good, f"{name}: exit {done.returncode} (want {code}), says {text.strip()[:300]!r}")


def agent_once(net, *args, directory=None, prefix=()):
    """Starts an agent that must refuse; returns the finished process."""
    base = pathlib.Path(directory or net.dir)
    command = [*prefix, str(AGENT), "--foreground", "--state-dir", str(base / "state"),
               "--runtime-dir", str(base / "run"), *args]
    return subprocess.run(command, text=True, capture_output=True, timeout=60)


def inside(net):
    return ("nsenter", f"--net=/run/netns/{net.names['S']}")


def still_blocked(net, name):
    server, other = net.udp("S", S4, 1434), net.udp("S", S4, 1435)
    net.send_udp("C", C4, S4, 1434, 20)
    net.send_udp("C", C4, S4, 1435, 20)
    check(received(server) == 0 and received(other) == 20, f"{name}: 1434 blocked, 1435 open")
    for s in (server, other):
        net.sockets.remove(s)
        s.close()


def permissions(net):
    nobody = 65534
    done = subprocess.run([net.public(CLI), "--runtime-dir", str(net.dir / "run"), "flush"],
                          text=True, capture_output=True, user=nobody, group=nobody,
                          extra_groups=[])
    refused(done, 4, "permission", name="flush as nobody")
    done = subprocess.run([net.public(AGENT), "--foreground", "--state-dir", "/tmp/pw-nobody",
                           "--runtime-dir", "/tmp/pw-nobody"], text=True, capture_output=True,
                          user=nobody, timeout=60)
    refused(done, 1, "root", name="portwardd as nobody")
    refused(net.cli("status", directory="/nonexistent"), 3, "agent not running",
            name="status without an agent")
    refused(net.cli("block", "in", "udp", "port", "1", directory="/nonexistent"), 3,
            "agent not running", name="block without an agent")


def second_agent(net):
    other = net.dir / "second"
    other.mkdir()
    done = agent_once(net, prefix=inside(net), directory=other)
    refused(done, 1, "another agent", name="second agent in the namespace, other directories")
    still_blocked(net, "second agent")


def hidden_bpffs(net):
    done = agent_once(net, prefix=("ip", "netns", "exec", net.names["S"]),
                      directory=net.dir / "third")
    refused(done, 1, "bpf", "nsenter", name="agent under ip netns exec")


def bad_input(net):
    before = net.json("list")["filters"], net.json("policy", "list")["policies"]
    refused(net.cli("block", "in", "tcp", "prot", "445"), 2, "did you mean 'port'",
            name="unknown word")
    refused(net.cli("blok", "in", "tcp"), 2, "block", name="unknown verb")
    for option in ("--confirm=60s", "--cut", "--force"):
        refused(net.cli("block", "in", "tcp", "port", "9", option), 2, option.split("=")[0],
                name=f"option {option} of a later version")
    refused(net.cli("policy", "load", "-", text='policy "x" { rule "r" block in tcp port 70000 }'),
            7, "70000", "0 to 65535", name="port out of range")
    line = 'policy "x" { rule "r" block in tcp port ' + "1" * 10_000_000 + " }"
    done = net.cli("policy", "load", "-", text=line)
    refused(done, 7, "1:", name="a line of 10 MB")
    check(len(done.stderr) < 2000, f"  and the message is short ({len(done.stderr)} bytes)")
    rules = "".join(f'rule "r{i}" block in tcp port {i % 60000 + 1}\n' for i in range(4097))
    refused(net.cli("policy", "load", "-", text=f'policy "x" {{\n{rules}}}'), 7, "4096",
            name="4097 rules")
    net.ok("policy", "load", "-", text=nested_shapes("shapes"))
    refused(net.cli("policy", "assign", "shapes"), 7, "64", name="1,024 nested mask shapes")
    net.ok("policy", "delete", "shapes")
    after = net.json("list")["filters"], net.json("policy", "list")["policies"]
    strip = [[{k: v for k, v in f.items() if k not in ("packets", "bytes", "expires_in_s")}
              for f in part] for part in (*before, *after)]
    check(strip[:2] == strip[2:], "nothing changed by any of it")
    still_blocked(net, "bad input")


def many_filters(net):
    """200,000 filters in one file: accepted, enforced, unassigned again."""
    path = net.dir / "many.pw"
    lines = "".join(f"        block udp from 11.{i >> 16}.{i >> 8 & 255}.{i & 255} to me port 1434\n"
                    for i in range(199_999))
    path.write_text('policy "many" {\n    rule "list" {\n        block in udp port 1434\n'
                    + lines + "    }\n}\n")
    start = time.monotonic()
    net.ok("policy", "load", str(path))
    loaded = time.monotonic()
    net.ok("policy", "assign", "many")
    print(f"200,000 filters: load {loaded - start:.1f} s, assign {time.monotonic() - loaded:.1f} s")
    status = net.json("status")
    check(status["image"]["entries"] >= 200_000, f"{status['image']['entries']} entries in force")
    net.ok("flush")
    still_blocked(net, "200,000 filters")
    counters = {f["text"]: f["packets"] for f in net.json("counters")["counters"]
                if f["packets"]}
    check(counters == {"block in udp from any to me port 1434": 20}, f"counted: {counters}")
    net.ok("block", "in", "udp", "port", "1434")
    net.ok("policy", "unassign", "-y")
    net.ok("policy", "delete", "many")


def corrupt_database(net):
    net.ok("policy", "load", "-", text='policy "kept" { rule "r" block in udp port 1434 }')
    net.ok("policy", "assign", "kept")
    net.stop_agent(signal.SIGTERM)
    database = net.dir / "state" / "portward.db"
    good = database.read_bytes()
    side = {p.name: p.read_bytes() for p in database.parent.glob("portward.db-*")}
    half = len(good) // 2
    for name, content in (("garbage in the middle", good[:4096] + os.urandom(half) +
                           good[4096 + half:]),
                          ("truncated", good[:len(good) // 2]),
                          ("not a database", b"hello\n" * 500)):
        database.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        done = agent_once(net, prefix=inside(net))
        refused(done, 1, "portward.db", "hint", name=f"database: {name}")
        check(hashlib.sha256(database.read_bytes()).hexdigest() == digest, "  file unchanged")
        still_blocked(net, f"database: {name}")
    database.write_bytes(good)
    for name, content in side.items():
        (database.parent / name).write_bytes(content)
    net.start_agent()
    check([p["name"] for p in net.json("policy", "list")["policies"]] == ["kept"],
          "with the good file back, the policy is there")
    still_blocked(net, "after repair")


def test(net):
    net.start_agent()
    net.ok("block", "in", "udp", "port", "1434")
    permissions(net)
    second_agent(net)
    hidden_bpffs(net)
    bad_input(net)
    many_filters(net)
    corrupt_database(net)


main(test)
