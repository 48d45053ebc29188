#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""explain names what decides and why the others lost; --live asks the loaded program, agrees,
and leaves every map as it was."""
import json
import random
import subprocess
import time

from pwtest import C4, ROOT, S4, check, main, run

LOCAL = {"from": "10.1.1.7", "port": 40000}


def dump_maps(net):
    """Contents of every pinned map, images behind the map of maps included."""
    dumps = {}
    for pin in sorted(p for p in (net.pins).rglob("*") if p.is_file() and "map" in p.parts):
        shown = json.loads(run(["bpftool", "-j", "map", "show", "pinned", str(pin)]).stdout)
        if shown["type"] in ("ringbuf", "sk_storage"):  # they cannot be dumped
            continue
        dumps[pin.name] = run(["bpftool", "-j", "map", "dump", "pinned", str(pin)]).stdout
        if shown["type"].endswith("_of_maps"):
            for entry in json.loads(dumps[pin.name]):
                inner = entry.get("inner_map_id")
                if inner:
                    dumps[f"{pin.name}/{inner}"] = subprocess.run(
                        ["bpftool", "-j", "map", "dump", "id", str(inner)], text=True,
                        capture_output=True, check=False).stdout
    return dumps


def quiet_maps(net):
    """Maps once nothing moves: the cable is out, and two looks a second apart are equal."""
    net.ip("C", "link", "set", "c0", "down")
    before = None
    for _ in range(20):
        now = dump_maps(net)
        if now == before:
            return now
        before = now
        time.sleep(1)
    raise RuntimeError("the maps do not come to rest")


def winner_and_runner_up(net):
    words = "in tcp from 10.1.1.7 port 40000 to me port 135".split()
    answer = net.json("explain", *words, "--live")
    win, lose = answer["winner"], answer["runner_up"]
    check(answer["verdict"] == "permit" and win["weight"] == "70306201", "the permit wins, 70306201")
    check(win["rule"] == "Allow Inbound TCP Port 135 from 10.1.1.0 Rule"
          and win["policy"] == "Block RPC Ports", "rule and policy are named")
    check(lose["weight"] == "40006203" and answer["lost_in"] == "addresses",
          "the runner-up lost in the addresses")
    check(answer["kernel"]["agrees"], "the kernel agrees")
    text = net.ok("explain", *words, "--live")
    print(text)
    for part in ("permit by s", "runner-up", "loses there", "kernel", "agrees"):
        check(part in text, f"text says '{part}'")
    check(net.cli("explain", *words, "--expect", "block").returncode == 6, "--expect: exit 6")


def live(net):
    """Random packets: explain --live agrees, and no map changes."""
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    print(f"seed {seed}")
    before = quiet_maps(net)
    check(len(before) >= 5 and sum(map(len, before.values())) > 1000, "maps were dumped")
    agreed = 0
    for _ in range(40):
        source = rng.choice(("10.1.1.5", "10.1.2.9", C4, "203.0.113.5"))
        port = rng.choice((134, 135, 136, 5000, 5001, 5021, 5022, 22))
        words = ["in", rng.choice(("tcp", "udp")), "from", source, "to", "me", "port", str(port)]
        agreed += net.json("explain", *words, "--live")["kernel"]["agrees"]
    check(agreed == 40, f"the kernel agrees on {agreed} of 40 packets")
    after = dump_maps(net)
    changed = [name for name in before if before[name] != after.get(name)]
    net.ip("C", "link", "set", "c0", "up")
    check(not changed and before.keys() == after.keys(), f"every map unchanged {changed}")


def decisions(net):
    """Other things that decide: nothing, an override block, failsafe."""
    answer = net.json("explain", "in", "udp", "from", C4, "to", "me", "port", "53", "--live")
    check(answer["decider"] == "no-match" and answer["verdict"] == "permit", "no match passes")
    net.ok("block", "in", "tcp", "port", "135", "override")
    answer = net.json("explain", "in", "tcp", "from", "10.1.1.7", "to", "me", "port", "135",
                      "--live")
    check(answer["verdict"] == "block" and answer["winner"]["tier"] == "override"
          and answer["kernel"]["agrees"], "an override block beats the more specific permit")
    answer = net.json("explain", "in", "tcp", "from", "192.0.2.7", "to", "me", "port", "135",
                      "--live")
    check(answer["decider"] == "failsafe" and answer["verdict"] == "permit"
          and answer["kernel"]["agrees"], "failsafe beats the override block")
    check(net.cli("explain", "in", "tcp", "from", "bogus").returncode == 2
          or net.cli("explain", "in", "tcp", "from", "bogus").returncode == 7, "faulty packet text")


def test(net):
    net.config("[safety]\nfailsafe = tcp/135 from 192.0.2.0/24\n")
    net.start_agent()
    net.ok("policy", "load", str(ROOT / "tests/golden/kb908472.in"))
    net.ok("policy", "assign", "Block RPC Ports")
    winner_and_runner_up(net)
    for port in (135, 5001):  # traffic beforehand, so that counters are not all zero
        net.connect("C", C4, S4, port)
    live(net)
    decisions(net)


main(test)
