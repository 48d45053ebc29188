#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line as people and scripts see it: every transcript of tests/golden-cli with its
exit codes, JSON of every verb, round trips, colours and closed pipes.

A transcript is a list of commands ("$ ...") with what they print on both streams together and
"[exit N]" if N is not 0; each begins with a new agent without policies, so that ids are known.
Times, pids, generations and durations are masked. UPDATE=1 writes the transcripts anew.
"""
import difflib
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess

from pwtest import CLI, ROOT, check, main, remove_pins

GOLDEN = ROOT / "tests/golden-cli"
MASKS = ((r"\d\d:\d\d:\d\d", "HH:MM:SS"), (r"\d\d [A-Z][a-z]{2} \d\d:\d\d", "DD Mon HH:MM"),
         (r"(expires )DD Mon (?=HH:MM:SS)", r"\1"), (r"\d\d [A-Z][a-z]{2} (?=HH:MM:SS)", ""),
         (r"(in|for|up) \d+ (m?s)\b", r"\1 N \2"), (r"generation \d+", "generation N"),
         (r"pid \d+", "pid N"), (r"[\d.]+ MiB", "N MiB"), (r"cookie \d+", "cookie N"),
         (r"\b1 h 59 min\b", "2 h"), (r"\b14 min\b", "15 min"))


def environment(net, **extra):
    return {**os.environ, "PATH": f"{CLI.parent}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8",
            "PORTWARD_RUNTIME_DIR": str(net.dir / "run"), **extra}


def command(net, line, **kwargs):
    """One line of shell inside S, both streams in the order in which they are written."""
    return subprocess.run(["nsenter", f"--net=/run/netns/{net.names['S']}", "sh", "-c", line],
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, env=environment(net), cwd=net.dir / "work",
                          timeout=60, check=False, **kwargs)


def fresh_agent(net):
    if net.agent:
        net.stop_agent(signal.SIGTERM)
    remove_pins(net.pins)
    for name in ("state", "run"):
        shutil.rmtree(net.dir / name, ignore_errors=True)
    net.start_agent()


def mask(net, text):
    text = text.replace(str(net.dir), "DIR").replace(socket.gethostname() + "  portward",
                                                     "HOST  portward")
    for pattern, by in MASKS:
        text = re.sub(pattern, by, text, flags=re.MULTILINE)
    return text


def transcript(net, path):
    """Runs the commands of one transcript and compares; returns the exit codes seen."""
    fresh_agent(net)
    shutil.copytree(GOLDEN, net.dir / "work", dirs_exist_ok=True)
    golden = path.read_text()
    out, codes = [], set()
    for line in (x for x in golden.splitlines() if x.startswith("$ ")):
        done = command(net, line[2:])
        codes.add(done.returncode)
        out.append(line + "\n" + mask(net, done.stdout))
        if done.returncode:
            out.append(f"[exit {done.returncode}]\n")
    text = "".join(out)
    if os.environ.get("UPDATE"):
        path.write_text(text)
    elif text != golden:
        print("".join(difflib.unified_diff(golden.splitlines(True), text.splitlines(True),
                                           str(path), "now")))
    check(text == path.read_text(), f"transcript {path.name}: {len(out)} parts")
    return codes


def valid(done, code, name):
    """One JSON document of the common form, and nothing on standard error."""
    try:
        doc = json.loads(done.stdout)
        good = (done.returncode == code and done.stderr == "" and done.stdout.count("\n") == 1
                and re.fullmatch(r"portward\.[a-z-]+/1", doc["schema"]) is not None
                and doc["ok"] == (code in (0, 6)))
        if doc["ok"]:
            good &= isinstance(doc["data"], dict) and isinstance(doc["generation"], int) \
                and isinstance(doc["warnings"], list)
        else:
            good &= doc["exit"] == code and doc["schema"] == "portward.error/1" \
                and bool(doc["error"]["message"]) and "." not in doc["error"]["message"][-1]
        good &= not any(isinstance(v, float) or v == "" for v in scalars(doc))
    except (ValueError, KeyError) as error:
        good, doc = False, error
    check(good, f"--json, {name}: exit {done.returncode} (want {code})")
    if not good:
        print(done.stdout, done.stderr, doc)


def scalars(value):
    """Every number and string of a document: there must be no float and no empty string."""
    if isinstance(value, dict):
        for v in value.values():
            yield from scalars(v)
    elif isinstance(value, list):
        for v in value:
            yield from scalars(v)
    else:
        yield value


# Every verb once with success, in an order in which that is possible.
VERBS = (["status"], ["policy", "load", "rpc.pw"], ["policy", "list"],
         ["policy", "show", "Block RPC Ports"], ["policy", "assign", "Block RPC Ports"],
         ["rule", "add", "Block RPC Ports", "r", "block", "in", "tcp", "port", "7"],
         ["rule", "delete", "Block RPC Ports", "r"], ["block", "in", "tcp", "port", "445"],
         ["permit", "in", "tcp", "port", "7", "for", "1h"], ["list", "--all"],
         ["explain", "in", "tcp", "from", "10.1.1.7", "to", "me", "port", "135", "--live"],
         ["counters"], ["counters", "--reset"], ["delete", "d1"], ["flush"],
         ["policy", "unassign", "-y"], ["policy", "delete", "Block RPC Ports"])
# A failure of the agent for each verb that can have one.
FAILURES = ((1, ["policy", "show", "nope"]), (1, ["policy", "assign", "nope"]),
            (1, ["policy", "delete", "nope"]), (1, ["rule", "delete", "nope", "r"]),
            (1, ["rule", "add", "nope", "r", "block", "tcp"]), (1, ["delete", "d99"]),
            (1, ["list", "--policy", "nope"]), (1, ["counters", "--policy", "nope"]),
            (1, ["explain", "in", "tcp", "from", "1.2.3.4", "to", "me", "port", "1", "on", "x9"]),
            (2, ["policy", "unassign"]), (2, ["blok"]), (2, ["block", "--nope"]),
            (7, ["policy", "load", "bad.pw"]), (1, ["policy", "load", "none.pw"]))


def in_work(net, *args, directory=None):
    return subprocess.run(
        ["nsenter", f"--net=/run/netns/{net.names['S']}", str(CLI), "--runtime-dir",
         str(directory or net.dir / "run"), *args], text=True, capture_output=True,
        stdin=subprocess.DEVNULL, cwd=net.dir / "work", timeout=60, check=False)


def json_everywhere(net):
    fresh_agent(net)
    for words in VERBS:
        valid(in_work(net, *words, "--json"), 0, " ".join(words))
    for code, words in FAILURES:
        valid(in_work(net, *words, "--json"), code, " ".join(words) + " (fails)")
    for words in VERBS:
        valid(in_work(net, *words, "--json", directory="/nonexistent"), 3,
              " ".join(words) + " (no agent)")


FILTERS = """block in udp port 1434
block tcp port 5001-5021,6000 mirrored
block out 47 to 192.0.2.0/24
permit in tcp from 10.1.1.5-10.1.1.9 port 1024-65535 to me port 135
block in icmp type 8 code 0
block in icmpv6 type 128 from 2001:db8::/32
block in tcp port 445 override
permit udp from me port 53 to any mirrored
block in from 192.0.2.7
block udp to 255.255.255.255 port 67"""


def round_trips(net):
    fresh_agent(net)
    net.ok("policy", "load", str(GOLDEN / "rpc.pw"))
    net.ok("policy", "assign", "Block RPC Ports")
    for line in FILTERS.splitlines():
        net.ok(*line.split())
    before = net.json("policy", "list"), json.loads(net.ok("status", "--json"))["generation"]
    done = net.cli("policy", "load", "-", text=net.ok("policy", "show", "Block RPC Ports"))
    after = net.json("policy", "list"), json.loads(net.ok("status", "--json"))["generation"]
    check(done.returncode == 0 and done.stdout.startswith("no change") and before == after,
          "policy show | policy load - changes nothing")
    texts = [f["text"] for f in net.json("list", "--all")["filters"]]
    check(len(texts) >= 14, f"{len(texts)} filters are listed")
    for i, text in enumerate(texts):
        net.ok("rule", "add", "--create", "again", f"r{i}", *text.split())
    shown = net.ok("policy", "show", "again")
    lost = [t for i, t in enumerate(texts) if not re.search(rf'rule "r{i}" +{re.escape(t)}\n', shown)]
    check(not lost, f"each filter of list is read again as what it was {lost}")
    for line in FILTERS.splitlines():
        done = net.cli(*line.split())
        check(done.returncode == 0 and done.stdout.endswith("no change\n"), f"again: {line}")


def on_terminal(net, *words, **extra):
    """What the command writes to a terminal; read while it runs, a terminal holds 4 KiB."""
    leader, follower = pty.openpty()
    with subprocess.Popen(["nsenter", f"--net=/run/netns/{net.names['S']}", str(CLI), *words],
                          stdout=follower, stderr=follower, stdin=subprocess.DEVNULL,
                          env=environment(net, TERM="xterm", **extra)):
        os.close(follower)
        data = b""
        try:
            while chunk := os.read(leader, 4096):
                data += chunk
        except OSError:  # EIO: the other side is closed and everything is read
            pass
    os.close(leader)
    return data


def appearance(net):
    fresh_agent(net)
    rules = "".join(f'rule "規則 {port}" block in tcp port {port}\n' for port in range(300))
    net.ok("policy", "load", "-", text=f'policy "many" {{\n{rules}}}')
    net.ok("policy", "assign", "many")
    check(b"\x1b[31m" in on_terminal(net, "list", "--layer", "local"), "colours on a terminal")
    check(b"\x1b" not in on_terminal(net, "list", NO_COLOR="1"), "NO_COLOR is obeyed")
    check("\x1b" not in net.ok("list"), "no colour in a pipe")
    check("\x1b" in net.ok("list", "--color", "always"), "--color always")
    done = command(net, "portward list | head -n 1")
    check(done.stdout.startswith("ID") and done.stdout.count("\n") == 1,
          "closed output ends quietly")
    lines = net.ok("list").splitlines()
    at = lines[0].index("RULE")
    check(len(lines) == 301 and all(x[at:at + 2] == "規則" for x in lines[1:]),
          "300 rows, one column of Japanese names")
    done = command(net, "portward list > /dev/full")
    check(done.returncode == 1 and "cannot write the output" in done.stdout, "a full disk is 1")
    done = command(net, "portward block in tcp port 445 --reason 'a\033[31mb'; portward list")
    check("\x1b" not in done.stdout, "control bytes never reach the terminal")


def nothing_pinned(net):
    """Where the kernel enforces nothing, no hint says that it does."""
    net.stop_agent(signal.SIGTERM)
    remove_pins(net.pins)
    done = net.cli("status")
    check(done.returncode == 3 and "none: nothing is pinned" in done.stdout
          and done.stderr.endswith("\nhint: systemctl start portwardd\n"), "status, nothing pinned")


def test(net):
    net.config("[safety]\nfailsafe = tcp/22 from 192.0.2.0/24\n")
    codes = set()
    for path in sorted(GOLDEN.glob("*.txt")):
        codes |= transcript(net, path)
    check(codes >= {0, 1, 2, 3, 4, 5, 6, 7}, f"exit codes seen: {sorted(codes)}")
    json_everywhere(net)
    round_trips(net)
    appearance(net)
    nothing_pinned(net)


main(test)
