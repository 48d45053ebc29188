#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""History: who, when, why; every revision comes back and decides as it did, also of a deleted
policy; a killed agent loses nothing that it acknowledged; a full disk is told and loses nothing."""
import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time

from pwtest import C4, FAR4, LAN4, S4, check, main, run as command

CHANGES = 200


@contextlib.contextmanager
def ssh_from(address):
    os.environ["SSH_CONNECTION"] = f"{address} 50122 {S4} 22"
    try:
        yield
    finally:
        del os.environ["SSH_CONNECTION"]


def trail(net):
    """Authors, origins, reasons and generations."""
    with ssh_from("10.1.4.7"):
        net.ok("rule", "add", "--create", "Trail", "DNS", "permit", "out", "udp", "to",
               "192.0.2.53", "port", "53", "--reason", "names")
    net.ok("policy", "assign", "Trail")
    net.ok("rule", "add", "Trail", "Block 135", "block", "in", "tcp", "port", "135",
           "--reason", "RPC worm")
    with ssh_from("10.1.4.7; rm -rf /"):
        net.ok("block", "in", "udp", "port", "1434", "reason", "Slammer")
    generation = json.loads(net.cli("list", "--json").stdout)["generation"]
    one = net.json("policy", "history", "trail")["entries"]
    check([e["change"] for e in one] == ['add rule "Block 135"', 'create, add rule "DNS"'],
          f"changes: {[e['change'] for e in one]}")
    check([e["revision"] for e in one] == [2, 1], "revisions, newest first")
    check(one[0]["generation"] == generation - 1 and one[1]["generation"] is None,
          f"generations: {[e['generation'] for e in one]}, now {generation}")
    check(one[0]["reason"] == "RPC worm" and one[0]["uid"] == 0 and one[0]["login"] == "root" and
          one[0]["origin"] == "cli", f"author: {one[0]}")
    check(one[1]["peer"] == "10.1.4.7" and one[0]["peer"] is None, "where he was logged in from")
    whole = net.json("policy", "history")["entries"]
    check([e["change"] for e in whole][:4] == ["block", 'add rule "Block 135"', "assign",
                                               'create, add rule "DNS"'],
          f"the whole trail: {[e['change'] for e in whole]}")
    check(whole[0]["reason"] == "Slammer", f"reason of a block: {whole[0]['reason']}")
    check(whole[0]["peer"] is None, "what is no address is no login")
    check(len(net.json("policy", "history", "-n", "1")["entries"]) == 1, "-n 1")
    check(net.cli("policy", "history", "Nobody").returncode == 1, "an unknown policy")
    net.ok("flush")


def describe(text, rules):
    return 'policy "Many" {\n' + "".join(f"    {r}\n" for r in rules) + "}\n"


def random_rules(rng):
    return [f'rule "r{i}" {rng.choice(["block", "permit"])} in tcp from '
            f'{rng.choice(["any", "10.1.0.0/16", "10.1.1.0/24", LAN4])} to me port '
            f'{rng.choice([7001, 7002, 7003])}'
            for i in sorted(rng.sample(range(12), rng.randint(1, 8)))]


def verdicts(net):
    return [net.json("explain", "in", "tcp", "from", a, "to", "me", "port", p)["verdict"]
            for a in (C4, LAN4, FAR4) for p in ("7001", "7002", "7003")]


def every_revision(net):
    """200 random changes, then a rollback to each one."""
    rng = random.Random(20261125)
    texts = {}
    net.ok("policy", "load", "-", text='policy "Many" { rule "first" block in tcp port 1 }')
    net.ok("policy", "assign", "Many")
    seen = {}
    while len(texts) < CHANGES:
        answer = net.json("policy", "load", "-", "--replace",
                          text=describe("", random_rules(rng)))["policies"][0]
        if answer["change"] == "none":
            continue
        texts[answer["revision"]] = net.ok("policy", "show", "Many")
        if len(texts) % 20 == 0:
            seen[answer["revision"]] = verdicts(net)
    net.stop_agent(signal.SIGKILL)
    net.start_agent()
    bad = []
    order = list(texts)
    rng.shuffle(order)
    for revision in order:
        net.ok("policy", "rollback", f"Many@{revision}")
        if net.ok("policy", "show", "Many") != texts[revision]:
            bad.append(revision)
        if revision in seen and verdicts(net) != seen[revision]:
            bad.append(("verdicts", revision))
    check(not bad, f"{len(order)} rollbacks give the texts and verdicts they had {bad[:5]}")


def deleted_comes_back(net):
    net.ok("policy", "load", "-", text='policy "Gone" { rule "a" block in tcp port 7009 }')
    net.ok("policy", "assign", "Gone")
    before = net.json("list", "--policy", "Gone")["filters"][0]
    net.ok("policy", "unassign", "-y")
    done = net.cli("policy", "delete", "Gone")
    check(done.stdout == 'deleted "Gone" (1 rule); undo with: portward policy rollback "Gone@1"\n',
          f"delete: {done.stdout!r}")
    check(net.cli("policy", "show", "Gone").returncode == 1, "it is gone")
    check(net.ok("policy", "rollback", "Gone@1") ==
          'restored revision 1 of "Gone" as revision 2, not assigned\n', "it is back")
    net.ok("policy", "assign", "Gone")
    after = net.json("list", "--policy", "Gone")["filters"][0]
    check((before["id"], before["guid"], before["text"]) == (after["id"], after["guid"],
                                                            after["text"]),
          "with its id and GUID")
    check(net.json("policy", "rollback", "Gone@1")["change"] == "none", "again: no change")


def counters_follow(net):
    """A filter that both revisions have keeps its counter."""
    net.ok("policy", "load", "-", text='policy "Count" { rule "a" block in tcp port 7010 }')
    net.ok("policy", "assign", "Count")
    net.connect("C", C4, S4, 7010)
    before = {f["rule"]: f["packets"] for f in net.json("list", "--policy", "Count")["filters"]}
    net.ok("rule", "add", "Count", "b", "block", "in", "tcp", "port", "7011")
    net.ok("policy", "rollback", "Count")
    after = {f["rule"]: f["packets"] for f in net.json("list", "--policy", "Count")["filters"]}
    check(before["a"] > 0 and after == before, f"counters follow: {before} {after}")


def killed(net, rounds=12):
    """SIGKILL while changes are made one after the other."""
    rng = random.Random(7)
    net.ok("policy", "load", "-", text='policy "Kill" { rule "a" block in tcp port 1 }')
    net.ok("policy", "assign", "Kill")
    acknowledged = {}
    port = 1
    for i in range(rounds):
        stop = threading.Event()
        timer = threading.Timer(0.02 + rng.random() * 0.25,
                                lambda: (net.agent.send_signal(signal.SIGKILL), stop.set()))
        timer.start()
        while not stop.is_set():
            port += 1
            done = net.cli("rule", "add", "Kill", "a", "block", "in", "tcp", "port", str(port),
                           "--replace", "--json")
            if done.returncode == 0:
                acknowledged[json.loads(done.stdout)["data"]["revision"]] = port
        timer.join()
        net.agent.wait()
        net.start_agent()
        lost = []
        for revision, expected in acknowledged.items():
            answer = net.cli("policy", "diff", f"Kill@{revision}", "-", "--json",
                             text='policy "Kill" { rule "a" block in tcp port %d }' % expected)
            data = json.loads(answer.stdout).get("data", {})
            if answer.returncode or data.get("removed") or data.get("added"):
                lost.append(revision)
            if i < rounds - 1 and len(acknowledged) > 40:
                break  # all of them are looked at in the last round
        check(not lost, f"round {i}: {len(acknowledged)} acknowledged revisions are there {lost}")
        now = net.json("list", "--policy", "Kill")["filters"][0]["text"]
        stored = net.ok("policy", "show", "Kill")
        check(now in stored, f"round {i}: what is stored is in force: {now}")


def full_disk(net):
    """A state directory on a small tmpfs that runs full."""
    net.stop_agent()
    net.ip("S", "link", "show")  # the namespace is still ours
    base = net.dir / "small"
    (base / "state").mkdir(parents=True)
    (base / "portward.conf").write_text("")
    command(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(base / "state")])
    try:
        net.start_agent("--forget-dynamic", directory=base, expect_ready=False)
        wait_ready(net, base)
        fill_and_look(net, base)
    finally:
        child = net.children[-1]
        child.send_signal(signal.SIGKILL)
        child.wait()
        subprocess.run(["umount", str(base / "state")], check=False)


def wait_ready(net, base):
    deadline = time.monotonic() + 30
    while net.cli("status", "--json", directory=base).returncode not in (0, 6):
        if time.monotonic() > deadline:
            print((base / "agent.log").read_text()[-2000:])
            raise RuntimeError("agent did not start")
        time.sleep(0.05)


def fill_and_look(net, base):
    def cli(*args, text=None):
        return net.cli(*args, text=text, directory=base)

    check(cli("policy", "load", "-", text='policy "P" { rule "a" block in tcp port 7020 }')
          .returncode == 0, "small disk: first policy")
    check(cli("policy", "assign", "P").returncode == 0, "small disk: assigned")
    net.tcp_listen("S", S4, 7020)
    (base / "state" / "ballast").write_bytes(bytes(300 * 1024))
    stored, refused = 1, None
    for i in range(2, 400):
        rules = "".join(f'rule "r{i}-{k}" block in tcp port {7100 + k}\n' for k in range(60))
        done = cli("policy", "load", "-", "--replace",
                   text=f'policy "P" {{ rule "a" block in tcp port 7020\n{rules} }}')
        if done.returncode:
            refused = done
            break
        stored = i
    check(refused is not None and refused.returncode == 1 and "no space left" in refused.stderr,
          f"full after {stored} revisions: {refused and (refused.returncode, refused.stderr)}")
    history = json.loads(cli("policy", "history", "P", "--json").stdout)["data"]["entries"]
    check([e["revision"] for e in history] == list(range(stored, 0, -1)),
          "every stored revision is there, the refused one is not")
    check(f"r{stored}-0" in cli("policy", "show", "P").stdout, "the policy is the stored one")
    check(not net.connect("C", C4, S4, 7020), "what was blocked is blocked")
    check(cli("policy", "rollback", "P@1").returncode == 1, "a rollback needs space as well")
    done = cli("block", "in", "tcp", "port", "7021")
    check(done.returncode == 0, f"a block works without a disk: {done.stderr!r}")
    dry = cli("policy", "rollback", "P@1", "--dry-run")
    check(dry.returncode == 0, f"a dry run needs no space: {dry.stderr!r}")
    (base / "state" / "ballast").unlink()
    done = cli("policy", "rollback", "P@1")
    check(done.returncode == 0, f"space again: {done.returncode} {done.stderr!r}")


def run(net):
    net.config("")
    net.start_agent()
    trail(net)
    every_revision(net)
    deleted_comes_back(net)
    counters_follow(net)
    killed(net)
    full_disk(net)


main(run)
