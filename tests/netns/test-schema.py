#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every verb's --json document, on success, on failure and without an agent, fits its schema in
share/schema; every schema is used; and none of them accepts a document that is wrong."""
import json
import re
import socket
import subprocess

from apicall import ask as ask_api, op
from pwtest import C4, CLI, LAN4, ROOT, S4, check, main
from schemas import Schemas, wrong_documents

POLICY = '''policy "Block RPC Ports" {
    rule "Block 135"  block in tcp from any to me port 135,5001-5021
    rule "Allow LAN"  permit in tcp from 10.1.1.0/24 to me port 135
    rule "Both ways"  block udp from 2001:db8:a::/48 to me port 53 mirrored description "twin"
    rule "Echo"       permit in icmp type 8 from 10.0.0.0-10.0.0.9 to me
    rule "Exotic"     block 99 from any to 192.0.2.1
}
'''
ODD = '''policy "Odd" {
    rule "a"  permit in tcp from 10.1.1.0/24 port 135
    rule "b"  block in tcp from 10.1.1.0/24 port 135
    rule "c"  block in tcp from 10.1.1.7 port 135
}
'''


class Answers:
    """Runs commands with --json and keeps one document of each kind for the mutations."""

    def __init__(self, net):
        self.net = net
        self.schemas = Schemas()
        self.kept = {}
        self.verbs = set()

    def ask(self, expected, *args, code=None, text=None, directory=None, words=2):
        words_of_tool = args[:1] == ("compat",)  # what stands behind the tool is the tool's
        done = self.net.cli(*(["--json", *args] if words_of_tool else [*args, "--json"]),
                            text=text, directory=directory)
        name = " ".join(args)[:60]
        try:
            document = json.loads(done.stdout)
        except ValueError:
            check(False, f"{name}: stdout is no JSON: {done.stdout[:200]!r} {done.stderr[:200]!r}")
            return None
        problem = self.schemas.problem(document)
        good = document.get("schema") == f"portward.{expected}/1" and not problem
        if expected == "error":
            good = good and document["exit"] == done.returncode and done.returncode == code
        elif code is not None:
            good = good and done.returncode == code
        check(good, f"{name}: {document.get('schema')}, exit {done.returncode}"
                    + (f": {problem}" if problem else "" if good else f": {done.stdout[:300]}"))
        self.verbs.add(" ".join(args[:words]))
        self.verbs.update(args[:1])
        self.keep(document, problem)
        return document

    def api(self, expected, method, target, body=None):
        """The same for what only programs ask for."""
        document = ask_api(self.net, method, target, body)
        problem = self.schemas.problem(document)
        check(document.get("schema") == f"portward.{expected}/1" and not problem,
              f"{method} {target}: {document.get('schema')} {problem or ''}")
        self.keep(document, problem)
        return document

    def keep(self, document, problem):
        old = self.kept.get(document.get("schema"))
        size = len(json.dumps(document))
        if not problem and (not old or size > len(json.dumps(old))):
            if size < 8000:  # enough of everything, and quick
                self.kept[document["schema"]] = document


def successes(a):
    a.ask("policy-load", "policy", "load", "-", text=POLICY, code=0)
    a.ask("policy-load", "policy", "load", "-", text=POLICY, code=0)
    a.ask("policy-assign", "policy", "assign", "Block RPC Ports", code=0)
    a.ask("policy-load", "policy", "load", "-", "--replace", code=0,
          text=POLICY.replace("192.0.2.1", "192.0.2.2"))
    a.ask("policy-list", "policy", "list", code=0)
    a.ask("policy-show", "policy", "show", "Block RPC Ports", code=0)
    a.ask("policy-show", "policy", "show", "Block RPC Ports", "--source", code=0)
    a.ask("policy-history", "policy", "history", code=0)
    a.ask("policy-history", "policy", "history", "Block RPC Ports", "-n", "1", code=0)
    a.ask("policy-rollback", "policy", "rollback", "Block RPC Ports@1", "--dry-run", code=0)
    a.ask("policy-rollback", "policy", "rollback", "Block RPC Ports@1", "--reason", "typo", code=0)
    a.ask("policy-rollback", "policy", "rollback", "Block RPC Ports@2", code=0)
    a.ask("policy-history", "policy", "history", code=0)
    a.ask("policy-diff", "policy", "diff", "Block RPC Ports@1", "Block RPC Ports")
    a.ask("policy-diff", "policy", "diff", "Block RPC Ports", "Block RPC Ports", code=0)
    a.ask("policy-save", "policy", "save", "Block RPC Ports", str(a.net.dir / "rpc.pw"), code=0)
    a.ask("policy-check", "policy", "check", "Block RPC Ports")
    a.ask("policy-check", "policy", "check", str(a.net.dir / "rpc.pw"), directory="/nonexistent")
    (a.net.dir / "odd.pw").write_text(ODD)
    document = a.ask("policy-check", "policy", "check", str(a.net.dir / "odd.pw"), code=6)
    check({f["kind"] for f in document["data"]["policies"][0]["findings"]} >= {"conflict"},
          "a check with findings")
    a.ask("rule-add", "rule", "add", "Block RPC Ports", "New", "block in udp port 9", code=0)
    a.ask("rule-add", "rule", "add", "Block RPC Ports", "New", "block in udp port 9", code=0)
    a.ask("rule-add", "rule", "add", "--replace", "Block RPC Ports", "New",
          "block in udp port 10", code=0)
    a.ask("rule-add", "rule", "add", "--create", "Other", "One", "block in udp port 9", code=0)
    a.ask("rule-delete", "rule", "delete", "Block RPC Ports", "New", code=0)
    a.ask("block", "block", "in", "tcp", "port", "135", "for", "2h", "reason", "worm", code=0)
    a.ask("block", "block", "in", "tcp", "port", "135", "for", "2h", code=0)
    a.ask("block", "block", "in", "udp", "port", "1434", "override", code=0)
    a.ask("permit", "permit", "in", "tcp", "from", LAN4, "port", "22", "for", "1h", code=0)
    for options in ([], ["--all"], ["--layer", "dynamic"], ["--policy", "Block RPC Ports"]):
        a.ask("list", "list", *options, code=0, words=1)
    a.ask("counters", "counters", code=0, words=1)
    a.ask("metrics", "counters", "--prometheus", code=0, words=1)
    a.ask("log", "log", code=0, words=1)
    a.net.send_udp("C", C4, S4, 1434, 3)
    a.ask("rpc-show", "rpc", "range", code=0)
    a.ask("batch", "rpc", "range", "5001-5021", code=0)
    a.ask("batch", "rpc", "confine", "a.service", "/no/such/group", code=0)
    a.ask("rpc-show", "rpc", "show", "--size", code=0)
    a.ask("rpc-dump", "rpc", "dump", code=0)
    a.ask("batch", "rpc", "range", "none", code=0)
    a.ask("scan", "scan", S4, "-p", "22,80", code=0)
    a.ask("scan", "scan", S4, "--udp", "-p", "1-200", code=0)
    a.ask("error", "scan", code=2)
    for packet in ("in tcp from 10.1.1.7 to me port 135", "in tcp from 10.1.1.7 to me port 8",
                   "in udp from 10.1.1.7 to me port 1434", "in tcp from 10.1.2.7 to me port 77",
                   "in icmpv6 type 135 code 0 from fe80::1 to me", "out tcp from me to 10.1.1.7 port 1"):
        for live in ([], ["--live"]):
            a.ask("explain", "explain", *packet.split(), *live, words=1)
    a.ask("status", "status", words=1)
    a.ask("permit", "permit", "out", "udp", "to", C4, "port", "53", "keep", "state", code=0)
    a.net.send_udp("S", S4, C4, 53, 1)
    listener = a.net.tcp_listen("S", "192.168.1.1", 22)
    a.ask("sockets", "sockets", code=0, words=1)
    a.ask("sockets", "sockets", "--all", "--all-netns", code=0, words=1)
    a.api("sockets", "GET", "/v1/sockets?all=1")
    a.ask("audit", "audit", words=1)
    a.api("reach", "POST", "/v1/reach", {"items": ["tcp *4 22,135", "udp *6 1-65535"]})
    listener.close()
    a.ask("flows", "state", "list", code=0, words=1)
    a.ask("flows-delete", "state", "delete", C4, "--dry-run", code=0, words=1)
    a.ask("flows-delete", "state", "delete", "all", code=0, words=1)
    a.ask("settings", "config", "show", code=0)
    a.ask("settings", "config", "show", "filter.exempt", code=0)
    a.ask("batch", "config", "reset", "filter.exempt", code=0)
    a.ask("batch", "config", "reset", "filter.exempt", "--dry-run", code=0)
    a.ask("compat", "compat", "ipseccmd", "--explain", "-f", "[*=0:1433:UDP]", code=0, words=1)
    a.ask("compat", "compat", "ipseccmd", "-f", "[*=0:1433:UDP]", "[*=0:135:TCP]", code=0, words=1)
    a.ask("compat", "compat", "netdiag", "/test:", "ipsec", code=0, words=1)
    a.ask("counters-reset", "counters", "--reset", code=0, words=1)
    foreign = str(ROOT / "tests/golden-cli/server.reg")
    a.ask("import", "import", "auto", foreign, "--dry-run", code=6, words=1)
    a.ask("import", "import", "reg", foreign, code=6, words=1)
    a.ask("import", "import", "reg", foreign, "-o", str(a.net.dir / "server.pw"), code=6, words=1)
    a.ask("import", "import", "text", "-", "--name", "Imported", text=POLICY, code=0, words=1)
    a.ask("export", "export", "reg", "Old server", code=0, words=1)
    a.ask("export", "export", "netsh", "-o", str(a.net.dir / "all.netsh"), code=6, words=1)
    a.ask("export", "export", "ipseccmd", str(a.net.dir / "odd.pw"), code=0, words=1)


def pressure(a):
    """Memory pressure protection: settings, and questions with a connection there."""
    for words in (("exempt", "add", "5000-5009"), ("exempt", "add", "5000-5009"),
                  ("disable", "--interface", "s0", "--family", "4"), ("rate", "s0", "200/s"),
                  ("rate", "gone0", "5"), ("profiles", "off"), ("disable", "--apply-to-existing"),
                  ("enable",), ("exempt", "delete", "5000-5009"), ("exempt", "add", "6000")):
        a.ask("mpp-change", "mpp", *words, code=0)
    a.ask("mpp", "mpp", "exempt", "list", code=0)
    a.ask("mpp", "mpp", "rate", code=0)
    a.ask("mpp", "mpp", "status", code=0)
    with listener(a.net) as server:
        with a.net.inside("C"):
            client = socket.create_connection((S4, 8080), timeout=10)
        with client:
            served, _ = server.accept()
            with served:
                document = a.ask("mpp-ranking", "mpp", "top", "-n", "5", code=0)
                check(document["data"]["total"] >= 1, "the connection is in the ranking")
                a.ask("mpp-ranking", "mpp", "simulate", code=0)
    a.ask("mpp-records", "mpp", "events", code=0)
    a.ask("mpp-change", "mpp", "reset", "--all", code=0)


def listener(net):
    with net.inside("S"):
        return socket.create_server((S4, 8080))


def dry_runs(a):
    """What changes something can be tried before, and says then what it would change."""
    tried = POLICY.replace("5001-5021", "5001-5022")
    for schema, *words in (
            ("block", "block", "in", "tcp", "port", "445"),
            ("permit", "permit", "in", "udp", "port", "1434"), ("delete", "delete", "d1"),
            ("flush", "flush"), ("policy-load", "policy", "load", "-", "--replace"),
            ("policy-assign", "policy", "assign", "Other"),
            ("policy-unassign", "policy", "unassign", "-y"),
            ("policy-delete", "policy", "delete", "Other"),
            ("rule-add", "rule", "add", "Block RPC Ports", "N", "block in udp port 77"),
            ("rule-delete", "rule", "delete", "Block RPC Ports", "Block 135"),
            ("counters-reset", "counters", "--reset"),
            ("mpp-change", "mpp", "disable")):
        document = a.ask(schema, *words, "--dry-run", code=0, text=tried)
        check("preview" in document["data"], f"  {words[0]} says what it would do")


def for_programs(a):
    """What no verb asks for; the rest of a batch that is only tried."""
    a.api("batch", "POST", "/v1/batch", {"ops": [
        op("policy-load", text=POLICY.replace("Block RPC Ports", "Batch"), replace=True),
        op("assign", name="Batch"), op("unassign"), op("filter-add", text="block in udp port 99"),
        op("filter-delete", items=["block in udp port 99"]),
        op("filter-add", text="block in tcp port 99"), op("flush"),
        op("policy-delete", name="Batch"), op("setting", key="mpp.rates", value="s0=7"),
        op("library", text='policy "filterlists" { }'), op("secret", id="6a1e", value="hush")],
        "dry_run": True})
    a.api("batch", "POST", "/v1/batch", {"ops": [
        op("setting", key="mpp.rates", value=""), op("library", text='policy "filterlists" { }'),
        op("filter-add", text="block in tcp port 99"), op("filter-delete", items=[
            "block in tcp port 99"])]})
    a.api("error", "POST", "/v1/batch", {"ops": [op("flush"), op("assign", name="none")]})
    a.api("error", "POST", "/v1/batch", {"ops": [], "if_state": 1})
    a.api("batch", "POST", "/v1/batch", {"ops": [op("mpp", text="exempt add 1-2"),
                                                 op("mpp", text="reset")]})
    a.api("state", "GET", "/v1/state")
    a.api("library", "GET", "/v1/library")
    a.api("settings", "GET", "/v1/settings")
    a.api("host", "GET", "/v1/host")
    a.api("session", "GET", "/v1/session?key=a")
    a.api("session", "POST", "/v1/session", {"key": "a", "value": ""})
    a.api("session", "GET", "/v1/session?key=a")
    a.api("policy-show", "GET", "/v1/policies/Block%20RPC%20Ports?ids=1")


def failures(a):
    """One error of every verb, with the exit codes that they can have."""
    for code, *args in (
            (2, "status", "now"), (2, "status", "--json=2"), (2, "list", "--layer", "upper"),
            (1, "list", "--policy", "none"), (2, "block", "in", "tcp", "prot", "445"),
            (7, "block", "in", "tcp", "port", "70000"), (2, "permit", "in", "nothing"),
            (7, "permit", "in", "tcp", "--reason", ""), (1, "delete", "d9999"),
            (2, "delete"), (2, "flush", "all"), (2, "policy"), (2, "policy", "list", "x"),
            (1, "policy", "show", "none"), (1, "policy", "load", "/nonexistent.pw"),
            (1, "policy", "assign", "none"), (2, "policy", "unassign"),
            (5, "policy", "delete", "Block RPC Ports"),
            (1, "policy", "history", "none"), (1, "policy", "rollback", "none"),
            (1, "mpp", "exempt", "delete", "7"), (2, "mpp", "profiles", "maybe"),
            (2, "mpp", "enable", "--family", "5"), (2, "mpp", "rate", "s0", "x"),
            (1, "policy", "save", "none", "/nonexistent/x.pw"), (1, "policy", "check", "none"),
            (1, "policy", "diff", "none", "none"),
            (5, "flush", "--if-generation", "1"),
            (5, "rule", "add", "Block RPC Ports", "Block 135", "permit in tcp port 1"),
            (1, "rule", "delete", "Block RPC Ports", "none"), (2, "explain", "sideways"),
            (1, "explain", "in", "tcp", "from", "10.1.1.1", "to", "me", "port", "1",
             "on", "nosuchif0"),
            (1, "config", "show", "none"), (1, "config", "reset", "none"),
            (1, "config", "reset", "datapath.hook"), (2, "config", "reset"),
            (7, "rpc", "range", "80"), (1, "rpc", "confine", "none", "--remove"), (2, "rpc"),
            (2, "compat"), (2, "compat", "nettool"), (2, "compat", "ipseccmd", "-f", "*=0:1:UDP:9"),
            (1, "compat", "ipseccmd", "-w", "REG", "-p", "none", "-x"),
            (2, "import", "nft", "-"), (7, "import", "auto", "-"), (1, "import", "reg", "/none.reg"),
            (1, "export", "reg", "none"), (2, "export", "nft"),
            (7, "export", "ipseccmd", "--strict", "Block RPC Ports"),
            (1, "counters", "--policy", "none"), (2, "blok"), (2,)):
        if code == 2 and "--json=2" in args:
            done = a.net.cli(*args)  # the one that must not ask for the wrong major
            document = json.loads(done.stdout)
            check(done.returncode == 2 and not a.schemas.problem(document),
                  "status --json=2: refused in a document of major 1")
            continue
        a.ask("error", *args, code=code)
    many = 'policy "x" {\n' + "rule \"r\" block in tcp port 70000\n" * 30 + "}\n"
    document = a.ask("error", "policy", "load", "-", text=many, code=7)
    check(document["n_errors"] > 10 and len(document["errors"]) == 9, "30 errors: 10 and a count")
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    for words in (["status"], ["flush"]):
        done = subprocess.run([a.net.public(CLI), "--runtime-dir", str(a.net.dir / "run"), *words,
                               "--json"], text=True, capture_output=True, **nobody)
        problem = a.schemas.problem(json.loads(done.stdout))
        check(done.returncode == 4 and not problem, f"{words[0]} as nobody: {problem}")


def without_agent(a, commands):
    samples = {"policy save": ["x", "/nonexistent/y.pw"], "policy check": ["x"],
               "policy diff": ["x", "y"], "policy rollback": ["x"], "state delete": ["all"], "policy load": ["-"], "policy show": ["x"], "policy assign": ["x"],
               "policy delete": ["x"], "policy unassign": ["-y"], "rule delete": ["x", "y"],
               "rule add": ["x", "y", "block in udp port 1"], "delete": ["d1"],
               "config reset": ["filter.exempt"], "rpc confine": ["a.service"], "mpp profiles": ["on"], "mpp exempt": ["list"], "compat": ["ipseccmd", "-f", "[*=0:1:UDP]"],
               "import": ["text", "-"], "export": ["text"],
               "block": ["in", "udp", "port", "1"], "permit": ["in", "udp", "port", "1"],
               "explain": ["in", "udp", "from", "10.1.1.1", "to", "me", "port", "1"]}
    a.ask("rpc-dump", "rpc", "dump", code=0, directory="/nonexistent")  # says what it can
    a.ask("sockets", "sockets", code=0, words=1, directory="/nonexistent")  # verdicts are unknown
    for verb in set(commands) - {"rpc dump", "scan", "sockets"}:
        a.ask("error", *verb.split(), *samples.get(verb, []), code=3, directory="/nonexistent",
              text=POLICY)


def mutations(a):
    for schema, document in sorted(a.kept.items()):
        refused, total = 0, 0
        optional = ("file", "data", "op") if "error" in schema else ("preview",)
        if "policy-show" in schema:
            optional = ()
        empty = ("value",) if "settings" in schema or "session" in schema else ()
        for path, wrong in wrong_documents(document, optional, empty):
            total += 1
            if a.schemas.problem(wrong):
                refused += 1
            else:
                print(f"  accepted although wrong: {schema} at {path}")
        check(total > 10 and refused == total, f"{schema}: {refused} of {total} wrong ones refused")


def fields(a):
    """The parsed fields say the same as the text."""
    by_text = {f["text"]: f for f in a.net.json("list", "--all")["filters"]}
    f = by_text["block in tcp from any to me port 135,5001-5021"]
    check((f["direction"], f["protocol"], f["source"], f["destination"], f["source_ports"],
           f["destination_ports"]) == ("in", "tcp", "any", "me", [], [[135, 135], [5001, 5021]]),
          "fields of a port list")
    f = by_text['block in udp from 2001:db8:a::/48 to me port 53 mirrored description "twin"']
    check((f["source"], f["mirrored"], f["description"], f["override"])
          == ("2001:db8:a::/48", True, "twin", False), "fields of a mirrored filter")
    f = by_text["permit in icmp type 8 from 10.0.0.0-10.0.0.9 to me"]
    check((f["protocol"], f["icmp"], f["source"])
          == ("icmp", {"type": 8, "code": None}, "10.0.0.0-10.0.0.9"), "fields of an ICMP filter")
    f = by_text["block 99 from any to 192.0.2.2"]
    check((f["protocol"], f["direction"]) == ("99", None), "a protocol without a name")


def test(net):
    net.config("[safety]\nfailsafe = tcp/22 from 10.1.0.0/16\n")
    net.start_agent()
    a = Answers(net)
    overview = net.cli("--help").stdout.split("commands:\n")[1].split("\n\n")[0]
    commands = [re.split(r"\s{2,}", line.strip())[0] for line in overview.splitlines()]
    successes(a)
    pressure(a)
    dry_runs(a)
    fields(a)
    for_programs(a)
    failures(a)
    without_agent(a, commands)
    a.ask("delete", "delete", "d1", code=0, words=1)
    a.ask("flush", "flush", code=0, words=1)
    a.ask("policy-unassign", "policy", "unassign", "-y", code=0)
    a.ask("policy-unassign", "policy", "unassign", "-y", code=0)
    a.ask("policy-delete", "policy", "delete", "Block RPC Ports", code=0)
    a.api("stop", "POST", "/v1/stop", {})
    net.agent.wait(timeout=30)
    check(not set(commands) - a.verbs, f"verbs without a document: {set(commands) - a.verbs}")
    check(a.schemas.used == a.schemas.names(),
          f"schemas never used: {sorted(a.schemas.names() - a.schemas.used)}")
    mutations(a)


main(test)
