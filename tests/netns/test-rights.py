#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may do what (docs/api.md, "Rights"): every verb as root, as a member of portward-admin, as
a member of portward and as a stranger, with real user and group numbers. The groups stand in
files of a private mount namespace: those of the machine stay as they are."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys

from apicall import ask, op
from pwtest import CLI, ROOT, check, main, run, skip

PRIVATE = "PORTWARD_TEST_PRIVATE_MOUNTS"
ADMIN, READER, OTHER = 64801, 64802, 64803
USER = 64810
POLICY = 'policy "P" { rule "r" block in udp port 9 }'

# name, uid, primary group, further groups, what he may do
PEOPLE = (
    ("root", 0, 0, [], "change"),
    ("member of portward-admin", USER, USER, [OTHER, ADMIN], "change"),
    ("portward-admin as primary group", USER, ADMIN, [], "change"),
    ("member of both", USER, USER, [ADMIN, READER], "change"),
    ("member of portward", USER, USER, [READER, OTHER], "read"),
    ("portward as primary group", USER, READER, [], "read"),
    ("stranger", USER, USER, [OTHER], "nothing"),
    ("listed in the file, but without the group", USER + 1, USER, [], "nothing"),
    ("group 0 without user 0", USER, 0, [], "nothing"),
)
# Each verb with words that get as far as the agent; the codes are those of somebody who may.
READ = (
    ((0, 6), "status"), ((0,), "list"), ((0,), "list", "--all"), ((0,), "policy", "list"),
    ((0,), "policy", "show", "P"), ((0,), "counters"), ((0,), "state", "list"), ((0,), "policy", "history"),
    ((0,), "policy", "save", "P", "FILE", "-y"), ((0, 6), "policy", "check", "P"),
    ((0,), "rpc", "show"), ((0,), "log", "-n", "5"), ((0,), "counters", "--prometheus"),
    ((0, 6), "mpp", "status"), ((0,), "mpp", "exempt", "list"), ((0,), "mpp", "rate"),
    ((0, 7), "mpp", "top"), ((0, 7), "mpp", "simulate"), ((0, 7), "mpp", "events"),
    ((0,), "policy", "diff", "P", "P"), ((0,), "config", "show"), ((0,), "export", "text", "P"),
    ((0,), "explain", "in", "udp", "from", "192.168.1.2", "to", "me", "port", "9"),
    ((0,), "explain", "in", "udp", "from", "192.168.1.2", "to", "me", "port", "9", "--live"),
)
CHANGE = (
    ((0,), "block", "in", "udp", "port", "7"), ((0,), "permit", "in", "udp", "port", "8"),
    ((1,), "delete", "d9999"), ((0,), "flush"), ((0,), "policy", "load", "-", "--replace"),
    ((0,), "policy", "assign", "P"), ((0,), "rule", "add", "P", "new", "block in udp port 10"),
    ((0,), "rule", "delete", "P", "new"), ((0,), "policy", "unassign", "-y"),
    ((1,), "policy", "delete", "none"), ((0,), "counters", "--reset"), ((0,), "state", "delete", "all"),
    ((0,), "rpc", "range", "5001-5021", "--dry-run"), ((0,), "rpc", "range", "none"),
    ((0,), "rpc", "confine", "none.service", "--dry-run"),
    ((0,), "mpp", "disable"), ((0,), "mpp", "enable"), ((0,), "mpp", "profiles", "off"),
    ((0,), "mpp", "exempt", "add", "1"), ((0,), "mpp", "rate", "s0", "5"), ((0,), "mpp", "reset"),
    ((0,), "config", "reset", "mpp.rates"), ((0,), "policy", "rollback", "P@1"),
    ((0,), "block", "in", "udp", "port", "7", "--dry-run"), ((6,), "import", "reg", "REG"),
    ((6,), "import", "auto", "REG", "--dry-run"), ((0,), "compat", "ipseccmd", "-u"),
)
# What asks other hosts, or whoever answers here, and of the agent only what it may have.
ANYBODY = (
    ((0,), "rpc", "dump"), ((0,), "sockets"), ((0,), "scan", "127.0.0.1", "--ports", "9"),
    ((0, 4, 6), "audit", "--no-probe"),
)


# What no verb asks for: method, target, body, exit codes (None = success).
READ_API = (
    ("GET", "/v1/state", None, (None,)), ("GET", "/v1/library", None, (None,)),
    ("GET", "/v1/settings?key=filter.exempt", None, (None,)), ("GET", "/v1/host", None, (None,)),
    ("POST", "/v1/session", {"key": "a", "value": "x"}, (None,)),
    ("GET", "/v1/session?key=a", None, (None,)), ("GET", "/v1/policies/P?ids=1", None, (None,)),
)
CHANGE_API = (
    ("POST", "/v1/batch", {"ops": []}, (None,)),
    ("POST", "/v1/batch", {"ops": [op("library", text="x"), op("assign", name="none")]}, (1,)),
    ("POST", "/v1/batch", {"ops": [op("secret", id="a", value="b")], "dry_run": True}, (None,)),
    ("POST", "/v1/stop", {"unknown": 1}, (2,)),  # who may is told that this is wrong
)


def ask_as(net, who, *words):
    """The answer to a request of somebody else, made in a child process."""
    _, uid, gid, groups, _ = who
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            text = json.dumps(ask(net, *words))
        except OSError as e:  # the kernel keeps strangers from the socket
            text = json.dumps({"exit": 4, "kernel": str(e)})
        os.write(write_end, text.encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as f:
        text = f.read()
    os.waitpid(child, 0)
    return json.loads(text)


def requests(net, who, table, allowed):
    before = state(net)
    wrong = []
    for *words, codes in table:
        answer = ask_as(net, who, *words)
        if answer.get("exit") not in (codes if allowed else (4,)):
            wrong.append((words, answer))
    kind = "read" if table is READ_API else "change"
    check(not wrong, f"{who[0]}: {'may' if allowed else 'may not'} {kind} ({len(table)} requests)"
                     f"{': ' + repr(wrong)[:300] if wrong else ''}")
    check(state(net) == before, "  and nothing was changed")


def as_user(net, who, *words):
    _, uid, gid, groups, _ = who
    files = {"FILE": str(net.dir / "out" / f"{uid}.pw"),
             "REG": net.public(ROOT / "tests/golden-cli/server.reg")}
    words = [files.get(w, w) for w in words]
    return subprocess.run([net.public(CLI), "--runtime-dir", str(net.dir / "run"), "--json", *words],
                          text=True, capture_output=True, input=POLICY, timeout=60, user=uid,
                          group=gid, extra_groups=groups)


def state(net):
    """What a change would show in."""
    filters = [(f["id"], f["text"]) for f in net.json("list")["filters"]]
    return (net.json("status")["enforcement"]["generation"], filters,
            net.json("policy", "list")["policies"])


def verbs(net, who, table, allowed):
    wrong = []
    before = state(net)
    for codes, *words in table:
        done = as_user(net, who, *words)
        document = json.loads(done.stdout)
        if allowed:
            good = done.returncode in codes
        else:
            good = (done.returncode == 4 and document["exit"] == 4
                    and document["error"]["code"] == "permission")
        if not good:
            wrong.append((words[:2], done.returncode, done.stdout[:200]))
    kind = {READ: "read", CHANGE: "change"}.get(table, "ask others")
    check(not wrong, f"{who[0]}: {'may' if allowed else 'may not'} {kind} ({len(table)} verbs)"
                     f"{': ' + repr(wrong) if wrong else ''}")
    if not allowed:
        check(state(net) == before, "  and nothing was changed")


def covered(net):
    """The tables name every command of the help."""
    overview = net.cli("--help").stdout.split("commands:\n")[1].split("\n\n")[0]
    commands = {line.strip().split("  ")[0] for line in overview.splitlines()}
    named = {" ".join(w[:n]) for _, *w in READ + CHANGE + ANYBODY for n in (1, 2)}
    check(not commands - named, f"verbs without a right in this test: {commands - named}")


def groups_file(net, text):
    """The same file, so that what is mounted over /etc/group changes with it."""
    path = net.dir / "group"
    path.write_text("root:x:0:\n" + text)
    return path


def everybody(net, rights):
    for who in PEOPLE:
        may = rights(who)
        verbs(net, who, READ, may != "nothing")
        verbs(net, who, CHANGE, may == "change")
        verbs(net, who, ANYBODY, True)
        requests(net, who, READ_API, may != "nothing")
        requests(net, who, CHANGE_API, may == "change")


def test(net):
    net.dir.chmod(0o755)  # the directory of the test is not what is tested
    (net.dir / "out").mkdir()
    (net.dir / "out").chmod(0o777)
    passwd = net.dir / "passwd"
    passwd.write_text(f"root:x:0:0::/:/bin/sh\nalice:x:{USER}:{USER}::/:/bin/sh\n")
    group = groups_file(net, f"portward-admin:x:{ADMIN}:alice\nportward:x:{READER}:bob\n")
    run(["mount", "--bind", str(group), "/etc/group"])
    run(["mount", "--bind", str(passwd), "/etc/passwd"])
    net.start_agent()
    net.ok("policy", "load", "-", text=POLICY)
    covered(net)
    everybody(net, lambda who: who[4])
    # The kernel keeps strangers from the socket; the agent itself does not let them do more.
    (net.dir / "run" / "portward.sock").chmod(0o666)
    everybody(net, lambda who: who[4])
    # Without the groups nobody but root has any right.
    net.stop_agent()
    groups_file(net, "users:x:100:\n")
    net.start_agent()
    everybody(net, lambda who: "change" if who[1] == 0 else "nothing")
    # Only the group that may change.
    net.stop_agent()
    groups_file(net, f"portward-admin:x:{ADMIN}:\n")
    net.start_agent()
    everybody(net, lambda who: "nothing" if who[4] == "read" else who[4])


def own_files():
    return [hashlib.sha256(pathlib.Path("/etc", name).read_bytes()).hexdigest()
            for name in ("group", "passwd")]


def outside():
    """Runs the test in mounts of its own and looks whether the machine's files stayed."""
    before = own_files()
    code = subprocess.call(["unshare", "--mount", "--propagation", "private", sys.executable,
                            __file__], env=dict(os.environ, **{PRIVATE: "1"}))
    same = check(own_files() == before, "the machine's own group and passwd are untouched")
    sys.exit(code if same else 1)


if os.geteuid() != 0:
    skip("needs root for namespaces")
if PRIVATE not in os.environ:
    outside()
main(test)
