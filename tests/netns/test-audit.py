#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`portward audit` on planted cases: each class is found where it was planted, with the filter or the
rule that is why, and nowhere else; the probe leaves nothing behind."""
import collections
import contextlib
import html.parser
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time

import bpfcall

from pwtest import C4, CLI, S4, check, main, until

POLICY = """policy "Guide" {
    rule "All" block in all
    rule "Web" permit in tcp port 80
    rule "Admin" permit in tcp from 10.1.0.0/16 to me port 22
    rule "Block RPC" block in tcp port 135
}
"""
OK, FOUND = 0, 6


def nft(net, text):
    text = text.replace("; }", ";\n}").replace("} }", "}\n}").replace("; ", ";\n")
    subprocess.run(["nsenter", f"--net=/run/netns/{net.names['S']}", "nft", "-f", "-"], input=text,
                   text=True, check=True)


@contextlib.contextmanager
def rules(net, text):
    nft(net, text)
    try:
        yield
    finally:
        nft(net, "flush ruleset\n")


def audit(net, *args):
    done = net.cli("audit", "--json", *args)
    try:
        document = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"exit {done.returncode}: {done.stdout[:500]} {done.stderr[:500]}")
    if not document["ok"]:
        raise RuntimeError(done.stdout)
    return done.returncode, document["data"]


def findings(data):
    found = {(r["protocol"], r["port"], f["class"]) for r in data["rows"] for f in r["findings"]}
    return found | {("beside", b["what"], b["class"]) for b in data["beside"]}


def row(data, port, protocol="tcp"):
    return next(r for r in data["rows"] if r["port"] == port and r["protocol"] == protocol)


def side(data, port, family=4):
    return next(s for s in row(data, port)["sides"] if s["family"] == family)


def advice(data, port):
    return " | ".join(f["advice"] or "" for f in row(data, port)["findings"])


def links(net):
    return {l["ifname"] for l in json.loads(net.ip("S", "-j", "link", "show"))}


def listen(net, stack, *places):
    for address, port in places:
        s = net.tcp_listen("S", address, port)
        stack.callback(lambda s=s: (s.close(), net.sockets.remove(s)))


def clean(net):
    """A host as it should be: no finding."""
    with contextlib.ExitStack() as stack:
        listen(net, stack, ("0.0.0.0", 80), ("::", 8080), (S4, 22), ("0.0.0.0", 135),
               ("127.0.0.1", 631))
        reserved = net._socket("S", S4, socket.SOCK_STREAM)
        reserved.bind(("0.0.0.0", 8081))
        start = time.monotonic()
        code, data = audit(net)
        print(f"{len(data['rows'])} rows in {time.monotonic() - start:.2f} s")
        check(code == OK and findings(data) == set(), f"a clean host: {code} {findings(data)}")
        classes = {r["port"]: r["class"] for r in data["rows"] if r["sockets"]}
        check(classes == {80: "open", 8080: "protected", 22: "protected", 135: "protected",
                          631: "local", 8081: "reserved"}, f"classes: {classes}")
        verdicts = {r["port"]: r["verdict"] for r in data["rows"] if r["sockets"]}
        check(verdicts == {80: "reachable", 8080: "blocked", 22: "conditional", 135: "blocked",
                           631: "loopback only", 8081: "bound only"}, f"verdicts: {verdicts}")
        check(side(data, 22)["policy"] == "permit from 10.1.0.0/16, else block" and
              side(data, 80)["rule"] == "Web" and side(data, 135)["rule"] == "Block RPC" and
              side(data, 80)["probed"] == "veth" and side(data, 80, 6)["class"] != "open",
              "with prefixes, the deciding rule, and how it was probed")
        check(data["probed"] > 60 and data["as_intended"] == 6, "also control ports were probed")
        reserved.close()
        net.sockets.remove(reserved)
    check(not [l for l in links(net) if l.startswith("pwprobe")], "no link is left")


def stale(net):
    net.ok("permit", "in", "tcp", "port", "8888")
    code, data = audit(net)
    check(code == FOUND and findings(data) == {("tcp", 8888, "stale-permit"),
                                               ("tcp", 80, "stale-permit"),
                                               ("tcp", 22, "stale-permit")},
          f"stale permits: {findings(data)}")
    check("portward delete d" in advice(data, 8888) and
          'rule delete "Guide" "Web"' in advice(data, 80), "with the commands that delete them")
    net.ok("flush")


def redirected(net):
    with contextlib.ExitStack() as stack:
        listen(net, stack, ("0.0.0.0", 80), (S4, 22))
        net.ok("permit", "in", "tcp", "port", "7777")
        with rules(net, "table ip pwnat { chain pre { type nat hook prerouting priority -100; "
                        "tcp dport 7777 redirect to :80; } }\n"):
            code, data = audit(net)
        check(code == FOUND and findings(data) == {("tcp", 7777, "redirected-allowed")},
              f"a redirect: {findings(data)}")
        check("ip pwnat pre handle" in advice(data, 7777), f"names it: {advice(data, 7777)}")
        net.ok("flush")


def elsewhere(net):
    with contextlib.ExitStack() as stack:
        listen(net, stack, ("0.0.0.0", 80), (S4, 22))
        with rules(net, "table inet pwf { chain in { type filter hook input priority 0; "
                        "ct state established,related accept; tcp dport { 79, 80 } drop; } }\n"):
            code, data = audit(net)
        check(code == FOUND and findings(data) == {("tcp", 80, "blocked-elsewhere")},
              f"a foreign drop: {findings(data)}")
        check("inet pwf in handle" in advice(data, 80) and "drops it" in advice(data, 80),
              f"names the rule: {advice(data, 80)}")
        with rules(net, "table inet pwf { chain in { type filter hook input priority 0; "
                        "policy drop; tcp dport 22 accept; } }\n"):
            code, data = audit(net)
        check(findings(data) == {("tcp", 80, "blocked-elsewhere")} and
              "policy drop" in advice(data, 80), f"a foreign policy: {advice(data, 80)}")
        # A construct that is not modelled: unknown with its handle, never a wrong verdict.
        with rules(net, "table inet pwf { chain in { type filter hook input priority 0; "
                        "tcp dport 80 meta length > 0 drop; } }\n"):
            code, data = audit(net)
        foreign = side(data, 80)["foreign"]
        check(foreign["verdict"] == "unknown" and "handle" in foreign["rule"] and
              findings(data) == {("tcp", 80, "blocked-elsewhere")} and
              "may drop it" in advice(data, 80), f"not modelled: {foreign}")


def model_gap(net):
    """A rule at a hook that is not modelled: the model says it passes, the probe says it does not."""
    with contextlib.ExitStack() as stack:
        listen(net, stack, ("0.0.0.0", 80), (S4, 22))
        with rules(net, "table inet pwf { chain in { type filter hook input priority 0; accept; }\n"
                        "chain out { type filter hook output priority 0; tcp sport 80 drop; } }\n"):
            code, data = audit(net)
        check(code == FOUND and findings(data) == {("tcp", 80, "model-gap")},
              f"model and probe disagree: {findings(data)}")
        check(data["disagree"] == 1 and "please report" in advice(data, 80), "and it says so")


def families(net):
    with contextlib.ExitStack() as stack:
        listen(net, stack, ("::", 80), (S4, 22))
        with rules(net, "table ip6 pwf { chain in { type filter hook input priority 0; "
                        "tcp dport 80 drop; } }\n"):
            code, data = audit(net)
        check(code == FOUND and findings(data) == {("tcp", 80, "family-mismatch"),
                                                   ("tcp", 80, "blocked-elsewhere")},
              f"IPv4 open, IPv6 shut: {findings(data)}")
        listen(net, stack, ("::", 8080))
        net.ok("permit", "in", "tcp", "from", "0.0.0.0/0", "to", "me", "port", "8080")
        code, data = audit(net)
        check(findings(data) == {("tcp", 8080, "family-mismatch")} and
              "IPv4 is open, IPv6 is not" in advice(data, 8080),
              f"by the policy: {findings(data)} {advice(data, 8080)}")
        net.ok("flush")


def services(net):
    with contextlib.ExitStack() as stack:
        listen(net, stack, ("0.0.0.0", 80), (S4, 22), ("0.0.0.0", 6379))
        net.ok("permit", "in", "tcp", "port", "6379")
        code, data = audit(net)
        check(findings(data) == {("tcp", 6379, "privileged-service-any")} and
              "Redis" in advice(data, 6379), f"a data base for everybody: {findings(data)}")
        net.ok("flush")
        net.ok("permit", "in", "tcp", "from", "10.1.1.0/24", "to", "me", "port", "6379")
        code, data = audit(net)
        check(code == OK and findings(data) == set(), f"for one subnet: {findings(data)}")
        net.ok("flush")
        net.ok("permit", "tcp", "from", "any", "port", "53", "to", "me")
        code, data = audit(net)
        found = {f for f in findings(data) if f[1] in (22, 6379)}
        check(found == {("tcp", 22, "mirrored-hole"), ("tcp", 6379, "mirrored-hole")},
              f"a hole for one source port: {findings(data)}")
        net.ok("flush")


def users(net):
    code = "import socket,sys\ns=socket.socket(); s.bind(('0.0.0.0',9000)); s.listen(); " \
           "print('x',flush=True); sys.stdin.read()\n"
    child = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{net.names['S']}", "setpriv", "--reuid=1234",
         "--regid=1234", "--clear-groups", sys.executable, "-c", code], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE)
    net.children.append(child)
    child.stdout.readline()
    with contextlib.ExitStack() as stack:
        listen(net, stack, ("0.0.0.0", 80), (S4, 22))
        code, data = audit(net)
        check(code == OK and findings(data) == set(), f"a user's server, blocked: {findings(data)}")
        net.ok("permit", "in", "tcp", "port", "9000")
        code, data = audit(net)
        check(findings(data) == {("tcp", 9000, "unprivileged-bind")}, f"{findings(data)}")
        net.ok("flush")
    child.stdin.close()
    child.wait()


def breach(net):
    """A program of others in front of ours lets everything in; the guard is off."""
    stop = threading.Event()

    def stand_in_front(kept):
        with net.inside("S"):
            while not stop.is_set():
                for index, name in socket.if_nameindex():
                    if name.startswith("pwprobe") and (net.pins / f"link/{index}-in").exists():
                        kept.append(bpfcall.tcx(program, index, bpfcall.TCX_INGRESS))
                        return
                time.sleep(0.001)

    net.stop_agent()
    net.config("[datapath]\nguard = off\n")
    net.start_agent()
    program = bpfcall.load(bpfcall.returning(bpfcall.TCX_PASS), "pwt_pass")
    with contextlib.ExitStack() as stack:
        listen(net, stack, ("0.0.0.0", 80), (S4, 22), ("0.0.0.0", 135))
        stack.enter_context(rules(
            net, "table ip pwnat { chain pre { type nat hook prerouting priority -100; "
                 "tcp dport 7777 redirect to :80; } }\n"))
        for _ in range(5):  # the agent goes to the front again within a second
            stop.clear()
            kept = []
            thread = threading.Thread(target=stand_in_front, args=(kept,))
            thread.start()
            code, data = audit(net)
            stop.set()
            thread.join()
            for fd in kept:
                os.close(fd)
            found = {f for f in findings(data) if f[1] in (22, 80, 135, 7777)}
            if found:
                break
        check(code == FOUND and found == {("tcp", 135, "breach"), ("tcp", 22, "breach"),
                                        ("tcp", 7777, "redirected")},
              f"a path beside the hook: {findings(data)}")
        check("portward explain in tcp" in advice(data, 135) and side(data, 135)["allowed"] is False
              and side(data, 135)["reached"] and side(data, 135)["rule"] == "Block RPC",
              f"with the filter that blocks it: {advice(data, 135)}")
    os.close(program)
    net.stop_agent()
    net.config("")
    net.start_agent()


def dead_unit(net):
    """A server that outlives its cgroup."""
    root = "/sys/fs/cgroup/unified"
    path = f"{root}/pw-audit-{os.getpid()}.service"
    os.mkdir(path)
    code = ("import socket,sys\n"
            f"open('{path}/cgroup.procs','w').write('0')\n"
            "s=socket.socket(); s.bind(('0.0.0.0',9100)); s.listen()\n"
            f"open('{root}/cgroup.procs','w').write('0')\n"
            "print('x',flush=True); sys.stdin.read()\n")
    child = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{net.names['S']}", sys.executable, "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    net.children.append(child)
    child.stdout.readline()
    with contextlib.ExitStack() as stack:
        listen(net, stack, ("0.0.0.0", 80), (S4, 22))
        try:
            code, data = audit(net)
            check(findings(data) == set() and row(data, 9100)["owner"] == os.path.basename(path),
                  f"its unit is there: {findings(data)}")
        finally:
            os.rmdir(path)
        code, data = audit(net)
        check(code == FOUND and findings(data) == {("tcp", 9100, "dead-unit")},
              f"its unit has ended: {findings(data)}")
    child.stdin.close()
    child.wait()


def beside(net):
    with contextlib.ExitStack() as stack:
        listen(net, stack, ("0.0.0.0", 80), (S4, 22))
        with net.inside("S"):
            sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        code, data = audit(net)
        check(code == FOUND and findings(data) == {("beside", "packet-socket", "beside-hook")} and
              "packet socket" in data["beside"][0]["text"], f"a packet socket: {data['beside']}")
        sniffer.close()


def published(net):
    """As a container engine does it: destination NAT into another namespace."""
    with contextlib.ExitStack() as stack:
        listen(net, stack, ("0.0.0.0", 80), (S4, 22))
        server = net.tcp_listen("C", C4, 8000)
        stack.callback(lambda: (server.close(), net.sockets.remove(server)))
        net.sysctl("S", "net.ipv4.ip_forward", "1")
        net.ip("C", "route", "add", "198.18.255.0/24", "via", S4)
        net.ok("permit", "in", "tcp", "port", "8000")
        net.ok("permit", "tcp", "from", "any", "to", C4, "port", "8000", "mirrored")
        with rules(net, "table ip pwnat { chain pre { type nat hook prerouting priority -100; "
                        f"tcp dport 8000 dnat to {C4}:8000; }} }}\n"):
            code, data = audit(net)
        found = {f for f in findings(data) if f[1] == 8000}
        check(found == {("tcp", 8000, "redirected-allowed"), ("tcp", 8000, "netns-published")},
              f"a published port: {findings(data)}")
        net.ok("flush")
        net.sysctl("S", "net.ipv4.ip_forward", "0")


def random_rule(rng, ports):
    match = rng.choice([
        lambda: f"tcp dport {rng.choice(ports)}",
        lambda: f"tcp dport {{ {', '.join(map(str, rng.sample(ports, 5)))} }}",
        lambda: f"tcp dport {min(ports)}-{rng.choice(ports)}",
        lambda: f"tcp dport != {rng.choice(ports)}",
        lambda: f"ip saddr {rng.choice(['198.18.0.0/15', '10.0.0.0/8', '198.18.255.2'])} "
                f"tcp dport {rng.choice(ports)}",
        lambda: f"ip6 saddr fd70::/16 tcp dport {rng.choice(ports)}",
        lambda: f"ct state new tcp dport {rng.choice(ports)}",
        lambda: f"iifname \"{rng.choice(['pwprobe*', 's0', 'eth*'])}\" tcp dport > "
                f"{rng.choice(ports)}",
        lambda: f"ip daddr {S4} tcp dport {rng.choice(ports)}",
        lambda: f"meta nfproto ipv6 tcp dport {rng.choice(ports)}",
    ])()
    return f"{match} counter {rng.choice(['drop', 'drop', 'accept', 'jump sub', 'reject'])}"


def random_ruleset(rng, ports):
    def chain(head):
        rules_of = "; ".join(random_rule(rng, ports).replace("jump sub", "jump sub" if head
                                                            else "return") for _ in range(6))
        return f"{head}{rules_of}; "

    drops = rng.random() < 0.2
    extra = f"tcp dport {{ {', '.join(map(str, rng.sample(ports, 20)))} }} accept; " if drops else ""
    first = chain("type filter hook input priority 0; ct state established,related accept; ")
    return (f"table inet pwf {{ chain sub {{ {chain('')} }}\n"
            f"chain in {{ {first}{extra}}}\n"
            f"chain later {{ type filter hook prerouting priority -150; "
            f"{random_rule(rng, ports).replace('jump sub', 'accept').replace('reject', 'drop')}; }} }}\n")


def at_random(net):
    """Random policies and random rules of others, of the modelled kind: what both say is what the
    probe finds, at every port and in both families."""
    seed = int(os.environ.get("PORTWARD_SEED", time.time_ns() % 10**9))
    rng = random.Random(seed)
    print(f"seed {seed} (PORTWARD_SEED)")
    ports = sorted(rng.sample(range(2000, 60000), 40))
    seen, wrong = collections.Counter(), []
    with contextlib.ExitStack() as stack:
        listen(net, stack, *(("::", p) for p in ports))
        for _ in range(8):
            net.ok("flush")
            for port in rng.sample(ports, 25):
                source = rng.choice(["any", "198.18.0.0/15", "10.0.0.0/8", "fd70::/16"])
                net.ok(rng.choice(["permit", "permit", "block"]), "in", "tcp", "from", source, "to",
                       "me", "port", str(port))
            with rules(net, random_ruleset(rng, ports)):
                _, data = audit(net)
            for s in (side for r in data["rows"] if r["port"] in ports for side in r["sides"]):
                verdict = s["foreign"]["verdict"]
                seen[s["allowed"], verdict, s["reached"]] += 1
                if s["reached"] is not (s["allowed"] and verdict == "accept"):
                    wrong.append(s)
        net.ok("flush")
    check(not wrong, f"policy and rules say what the probe finds: {wrong[:2]}")
    check(len(seen) >= 4 and not any(k[1] == "unknown" for k in seen) and
          all(seen[k] for k in ((True, "accept", True), (True, "drop", False))),
          f"and all of it occurred: {dict(seen)}")


def report(net):
    """The page is well formed and contains no mark-up from outside."""
    with contextlib.ExitStack() as stack:
        listen(net, stack, ("0.0.0.0", 80), (S4, 22), ("0.0.0.0", 6379))
        net.ok("rule", "add", "Guide", "<script>alert(1)</script>", "permit in tcp port 6379")
        path = net.dir / "report.html"
        done = net.cli("audit", "--html", str(path))
        text = path.read_text()

        class Reader(html.parser.HTMLParser):
            tags, rows = set(), 0

            def handle_starttag(self, tag, attrs):
                self.tags.add(tag)
                Reader.rows += tag == "tr"

        Reader().feed(text)
        check(done.returncode == FOUND and "script" not in Reader.tags and Reader.rows >= 4 and
              "http" not in text.replace("http-equiv", ""), "a report of one page, nothing loaded")
        check("privileged-service-any" in text and "6379" in text, "with the finding")
        net.ok("rule", "delete", "Guide", "<script>alert(1)</script>")
    text = net.cli("audit", "--all")
    check(text.stdout.startswith("PROTO") and "finding" in text.stdout.splitlines()[-1],
          "the table and its sum")


def rights(net):
    listener = net.tcp_listen("S", "0.0.0.0", 80)
    code, data = audit(net, "--no-probe")
    check(side(data, 80)["reached"] is None and row(data, 80)["class"] == "not-probed" and
          data["not_probed"], "without a probe: R is unknown, not 'closed'")
    listener.close()
    net.sockets.remove(listener)
    check(net.cli("audit", directory="/nonexistent").returncode == 3, "without an agent: exit 3")


def killed(net):
    """SIGKILL in the middle: the kernel removes namespace and link."""
    net.tcp_listen("S", "0.0.0.0", 80)
    child = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{net.names['S']}", str(CLI), "--runtime-dir",
         str(net.dir / "run"), "audit", "--full"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    came = until(lambda: any(l.startswith("pwprobe") for l in links(net)), 5)
    child.kill()
    child.wait()
    gone = until(lambda: not any(l.startswith("pwprobe") for l in links(net)), 15)
    check(came < 5 and gone < 15, f"SIGKILL: the link was there, and is gone after {gone:.1f} s")


def test(net):
    net.start_agent()
    net.ok("policy", "load", "-", text=POLICY)
    net.ok("policy", "assign", "Guide")
    only = sys.argv[1:]
    for part in (clean, stale, redirected, elsewhere, model_gap, families, services, users, dead_unit, breach, beside,
                 published, at_random, report, rights, killed):
        if not only or part.__name__ in only:
            part(net)


main(test)
