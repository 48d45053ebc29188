#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent is killed in the middle of commands, and its disks run full, under a continuous probe
of a port that a policy blocks and of one that an acknowledged dynamic block closes.

Nothing may leak. After each start every acknowledged change is there, one that was not
acknowledged is there as a whole or not at all, and the kernel agrees with what list says.
Moments: half of them spread evenly over the time a command takes, half drawn (PORTWARD_SEED).
Usage: test-kill.py [ROUNDS]"""
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

from pwtest import AGENT, C4, C6, CLI, S4, S6, SmallDisk, check, main, received, run

STATIC, DYNAMIC, OPEN = 9999, 9998, 7777
CHANGING = range(4001, 4005)  # ports of the commands that are interrupted
PAUSE_S = 0.002
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
SEED = int(os.environ.get("PORTWARD_SEED", time.time_ns() % 10**9))
GUARD = f'policy "Guard" {{\n    rule "closed" block in udp port {STATIC}\n}}\n'
KEPT = f"block in udp from any to me port {DYNAMIC}"


class Probe:
    """Sends to the three ports over both families until the end."""

    def __init__(self, net):
        self.closed = [net.udp("S", a, p) for a in (S4, S6) for p in (STATIC, DYNAMIC)]
        self.opened = [net.udp("S", a, OPEN) for a in (S4, S6)]
        senders = [(net.udp("C", source), target) for source, target in ((C4, S4), (C6, S6))]
        self.child = os.fork()
        if self.child == 0:
            while os.getppid() != 1:
                for s, target in senders:
                    for port in (STATIC, DYNAMIC, OPEN):
                        s.sendto(b"probe", (target, port))
                time.sleep(PAUSE_S)
            os._exit(0)

    def leaked(self):
        return sum(received(s, 0) for s in self.closed)

    def stop(self):
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)
        leaked, arrived = self.leaked(), sum(received(s, 0) for s in self.opened)
        return leaked, arrived


class Model:
    """What was acknowledged: dynamic filters, policies with the port in them, assignment."""

    def __init__(self, filters=(), policies=(), assigned=None):
        self.filters = frozenset(filters)
        self.policies = dict(policies)
        self.assigned = assigned

    def key(self):
        return self.filters, sorted(self.policies.items()), self.assigned

    def __eq__(self, other):
        return self.key() == other.key()

    def __repr__(self):
        return repr(self.key())


def look(net):
    """The same as the agent tells it."""
    filters = {f["text"] for f in net.json("list", "--layer", "dynamic")["filters"]}
    policies, assigned = {}, None
    for p in net.json("policy", "list")["policies"]:
        if p["name"] == "Guard":
            continue
        text = net.ok("policy", "show", p["name"])
        policies[p["name"]] = int(re.search(r"port (\d+)", text).group(1))
        if p["state"] == "assigned":
            assigned = p["name"]
    return Model(filters, policies, assigned)


def filter_text(action, port):
    return f"{action} in udp from any to me port {port}"


def commands(m, rng):
    """Every command that changes m: (arguments, standard input, m afterwards)."""
    port = rng.choice(CHANGING)
    for action in ("block", "permit"):
        text = filter_text(action, port)
        if text in m.filters:
            yield (["delete", *text.split()], None,
                   Model(m.filters - {text}, m.policies, m.assigned))
        else:
            yield text.split(), None, Model(m.filters | {text}, m.policies, m.assigned)
    for name in ("P", "Q"):
        new = rng.choice([p for p in CHANGING if p != m.policies.get(name)])
        text = f'policy "{name}" {{\n    rule "r" block in udp port {new}\n}}\n'
        yield (["policy", "load", "-", "--replace"], text,
               Model(m.filters, {**m.policies, name: new}, m.assigned))
        if name not in m.policies:
            continue
        yield (["rule", "add", name, "r", "--replace", *filter_text("block", new).split()], None,
               Model(m.filters, {**m.policies, name: new}, m.assigned))
        if m.assigned == name:
            yield ["policy", "unassign", "-y"], None, Model(m.filters, m.policies)
            continue
        yield ["policy", "assign", name], None, Model(m.filters, m.policies, name)
        rest = {n: p for n, p in m.policies.items() if n != name}
        yield ["policy", "delete", name, "-y"], None, Model(m.filters, rest, m.assigned)


def verdict(m, port):
    """All are equally specific: a block wins, whatever layer it is in."""
    blocked = m.assigned and m.policies[m.assigned] == port
    dynamic = filter_text("block", port) in m.filters
    return "block" if blocked or dynamic or port == STATIC else "permit"


def kernel_agrees(net, m):
    """explain --live ends with 1 if the program in force says something else."""
    for port in (STATIC, DYNAMIC, *CHANGING):
        done = net.cli("explain", "in", "udp", "from", C4, "port", "40000", "to", S4, "port",
                       str(port), "--live", "--expect", verdict(m, port))
        if done.returncode:
            print(done.stdout + done.stderr)
            return False
    return True


def packets_agree(net, m):
    sockets = {port: net.udp("S", S4, port) for port in CHANGING}
    for port in CHANGING:
        net.send_udp("C", C4, S4, port, 3)
    seen = {port: received(s, 0.05) for port, s in sockets.items()}
    for s in sockets.values():
        net.sockets.remove(s)
        s.close()
    return seen == {port: 3 if verdict(m, port) == "permit" else 0 for port in CHANGING}


def interrupted(net, arguments, text, delay):
    """Runs a command and kills the agent meanwhile; True if the command was acknowledged."""
    child = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{net.names['S']}", str(CLI), "--runtime-dir",
         str(net.dir / "run"), *arguments], text=True, stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    net.children.append(child)
    if text:
        child.stdin.write(text)
    child.stdin.close()
    time.sleep(delay)
    net.stop_agent(signal.SIGKILL)
    return child.wait(timeout=30) == 0


def one_command(net):
    """How long a command takes from its start to its end here, in seconds."""
    best = []
    for _ in range(3):
        start = time.monotonic()
        net.ok("block", "in", "udp", "port", "4000")
        net.ok("delete", "block", "in", "udp", "from", "any", "to", "me", "port", "4000")
        best.append((time.monotonic() - start) / 2)
    return min(best)


def kills(net, rng):
    model = look(net)
    span = 1.1 * one_command(net)  # the first quarter of it, programs start
    tally = {"acknowledged": 0, "kept": 0, "undone": 0}
    wrong = []
    start = time.monotonic()
    for i in range(ROUNDS):
        arguments, text, after = rng.choice(list(commands(model, rng)))
        share = 0.25 + 0.75 * (i / ROUNDS if i % 2 == 0 else rng.random())
        acknowledged = interrupted(net, arguments, text, share * span)
        net.start_agent()
        found = look(net)
        if found != after and (acknowledged or found != model):
            wrong.append(f"{arguments} killed after {share * span * 1000:.2f} ms, acknowledged "
                         f"{acknowledged}: {model} -> {found}")
        if KEPT not in found.filters:
            wrong.append(f"{arguments}: the acknowledged block is lost")
        if not kernel_agrees(net, found) or (i % 4 == 0 and not packets_agree(net, found)):
            wrong.append(f"{arguments}: the kernel does not agree with {found}")
        tally["acknowledged" if acknowledged else "kept" if found == after else "undone"] += 1
        model = found
    for line in wrong:
        print(line)
    check(not wrong, f"{ROUNDS} kills over {span * 1000:.0f} ms in {time.monotonic() - start:.1f} "
                     f"s, seed {SEED}: {tally}; list and kernel are what was acknowledged")
    check(tally["acknowledged"] and tally["undone"], "kills hit before and after the answer")


def refused(net, name, *arguments, text=None):
    done = net.cli(*arguments, text=text)
    check(done.returncode == 1 and "space" in done.stderr.lower(),
          f"{name}: refused with exit {done.returncode}: {done.stderr.strip()}")


def use_up(net):
    """Blocks and deletes until the room reserved for the database is used up; each one works."""
    for i in range(200):
        arguments = filter_text("block", 4001).split()
        done = net.cli(*(["delete", *arguments] if i % 2 else arguments))
        if done.returncode or "audit" in done.stdout + done.stderr:
            break
    check(done.returncode == 0 and "audit" in done.stdout + done.stderr,
          f"state full: block and delete work, number {i + 1} says what could not be written")


def full_state(net, disk, probe):
    """Policies cannot be changed and do not open; the dynamic layer works, with a warning."""
    net.ok("policy", "load", "-", text='policy "Stored" {\n    rule "r" block in tcp port 1\n}\n')
    disk.fill()
    use_up(net)
    before, generation = look(net), net.json("status")["enforcement"]["generation"]
    refused(net, "state full, unassign", "policy", "unassign", "--persistent", "-y")
    refused(net, "state full, load", "policy", "load", "-", "--replace",
            text=GUARD.replace("block", "permit"))
    refused(net, "state full, assign", "policy", "assign", "Stored")
    refused(net, "state full, delete", "policy", "delete", "Stored", "-y")
    check(look(net) == before, "state full: nothing was lost")
    check(net.json("status")["enforcement"]["generation"] == generation,
          "state full: the kernel was not touched")
    check(probe.leaked() == 0, "state full: nothing leaked")
    disk.free()
    net.cli("delete", *filter_text("block", 4001).split())  # if it is there
    net.ok("policy", "load", "-", "--replace", text=GUARD + "# again\n")
    net.ok("policy", "assign", "Stored")
    net.ok("policy", "unassign", "-y")
    net.ok("policy", "delete", "Stored", "-y")
    check(look(net).policies == {}, "space again: changes work")


def full_runtime(net, disk, probe):
    """What a later agent needs cannot be written: nothing changes."""
    net.ok(*filter_text("block", 4002).split(), "for", "3s")
    # Two generations: all files are written anew, and the journal, which has room left on its last
    # page even on a full disk, is not begun.
    more = GUARD.replace("\n}\n", '\n    rule "more" block in udp port 4009\n}\n')
    net.ok("policy", "load", "-", "--replace", text=more)
    net.ok("policy", "load", "-", "--replace", text=GUARD)
    before = look(net)
    disk.fill()
    time.sleep(3.5)
    check(look(net) == before and "filter-expired" not in (net.dir / "agent.log").read_text(),
          "runtime full: an expired block stays and nothing says that it ended")
    refused(net, "runtime full, flush", "flush")
    refused(net, "runtime full, delete", "delete", *KEPT.split())
    refused(net, "runtime full, block", "block", "in", "udp", "port", "4001")
    check(look(net) == before, "runtime full: nothing was lost")
    net.stop_agent(signal.SIGKILL)
    disk.free()
    net.start_agent()
    found = look(net)
    check(found == Model([KEPT, *before.filters - {filter_text("block", 4002)}])
          and kernel_agrees(net, found), "killed and started with space: all but the expired block")
    check(probe.leaked() == 0, "runtime full: nothing leaked")
    full_stop(net, disk)


def full_stop(net, disk):
    """Dynamic permits end with the agent whatever the disk says."""
    server = net.udp("S", S4, 4003)
    net.ok(*filter_text("block", 4003).split())
    net.ok("permit", "in", "udp", "from", C4, "to", "me", "port", "4003")
    disk.fill()
    net.send_udp("C", C4, S4, 4003, 3)
    check(received(server) == 3, "runtime full: the permit holds")
    check(net.stop_agent() == 0, "runtime full: SIGTERM ends with exit 0")
    net.send_udp("C", C4, S4, 4003, 3)
    check(received(server) == 0, "runtime full, stopped: the permit is gone")
    disk.free()
    net.start_agent()
    check(look(net).filters == {KEPT, filter_text("block", 4003)}, "started: the blocks are there")


def closed_standard_files(net):
    """An event written to a number that somebody else's file took would be in that file."""
    net.stop_agent()
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    command = ["nsenter", f"--net=/run/netns/{net.names['S']}", str(AGENT), "--foreground",
               "--config", str(net.dir / "portward.conf"), "--state-dir", str(net.dir / "state"),
               "--runtime-dir", str(net.dir / "run")]
    net.agent = subprocess.Popen([*shell, *command])
    net.children.append(net.agent)
    while net.cli("status").returncode == 3:
        time.sleep(0.02)
    files = {os.readlink(f"/proc/{net.agent.pid}/fd/{n}") for n in range(3)}
    check(files == {"/dev/null"}, f"started without standard files: {files}")


def setup(net, *options):
    net.start_agent(*options)
    net.ok("policy", "load", "-", text=GUARD)
    net.ok("policy", "assign", "--persistent", "Guard")
    net.ok(*KEPT.split())


def test_full_disks(net):
    disks = [SmallDisk(net.dir / name) for name in ("state", "run")]
    try:
        setup(net)
        probe = Probe(net)
        full_state(net, disks[0], probe)
        full_runtime(net, disks[1], probe)
        leaked, arrived = probe.stop()
        check(leaked == 0 and arrived > 100, f"full disks: leaked {leaked}, {arrived} through")
        net.ok("flush")
        net.ok("policy", "unassign", "--persistent", "-y")
        net.stop_agent()
    finally:
        if net.agent and net.agent.poll() is None:
            net.stop_agent(signal.SIGKILL)
        for disk in disks:
            disk.unmount()


def test_kills(net):
    setup(net, "--forget-dynamic")  # the runtime directory of the agent before is gone
    rng = random.Random(SEED)
    probe = Probe(net)
    kills(net, rng)
    closed_standard_files(net)
    leaked, arrived = probe.stop()
    check(leaked == 0, f"kills: {leaked} datagrams leaked")
    check(arrived > 1000, f"control: {arrived} datagrams came through to the open port")


def test(net):
    test_full_disks(net)
    for name in ("state", "run"):
        (net.dir / name).rmdir()
    test_kills(net)


main(test)
