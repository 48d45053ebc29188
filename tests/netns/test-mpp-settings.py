#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings of memory pressure protection: every verb of `portward mpp` and every form of `netsh int
tcp` against a running agent; what is stored, what is refused and in which words, what the audit
trail and the events say, what connections keep of them, what survives a restart, and that netsh prints
exactly the golden texts. UPDATE=1 rewrites these."""
import collections
import json
import os
import re
import signal
import socket
import time

from apicall import ask as ask_api, op
from pwtest import ROOT, S4, S6, check, main

GOLDEN = ROOT / "tests/golden/mpp"
KEYS = ("mpp.ipv4.enabled", "mpp.ipv6.enabled", "mpp.ipv4.exempt", "mpp.ipv6.exempt",
        "mpp.ipv4.interfaces-off", "mpp.ipv6.interfaces-off", "mpp.profiles", "mpp.rates")


class Mpp:
    def __init__(self, net):
        self.net = net
        self.fresh = {key: None for key in KEYS}

    def stored(self):
        """What is set, by the last part of the key."""
        all_of = {s["key"]: s["value"] for s in self.net.json("config", "show")["settings"]}
        return {key: all_of[key] for key in KEYS if all_of[key] is not None}

    def run(self, code, *words, out=None, err=None):
        done = self.net.cli(*words)
        shown = " ".join(words)
        good = done.returncode == code
        for pattern, text in ((out, done.stdout), (err, done.stderr)):
            good = good and (pattern is None or re.search(pattern, text, re.MULTILINE | re.DOTALL)
                             is not None)
        check(good, f"{shown}: exit {done.returncode}" + ("" if good else
              f", want {code}; stdout {done.stdout!r} stderr {done.stderr!r}"))
        return done

    def netsh(self, code, line, out=None, err=None):
        return self.run(code, "compat", "netsh", *line.split(), out=out, err=err)

    def expect(self, **want):
        """Exactly these settings, with _ for . and -: ipv4_enabled="no"."""
        got = self.stored()
        names = {key: re.sub("[.-]", "_", key.removeprefix("mpp.")) for key in got}
        got = {names[key]: value for key, value in got.items()}
        check(got == want, f"stored: {want}" + ("" if got == want else f", but there is {got}"))

    def reset(self):
        self.net.ok("mpp", "reset", "--all")


def verbs(m):
    m.run(0, "mpp", "disable", out=r"^mpp disabled for new connections; .*existing")
    m.expect(ipv4_enabled="no", ipv6_enabled="no")
    m.run(0, "mpp", "disable", out=r"^no change$")
    m.run(0, "mpp", "enable", "--family", "6", out="^mpp enabled for IPv6 for new connections")
    m.expect(ipv4_enabled="no", ipv6_enabled="yes")
    status = m.net.json("mpp", "status")
    check((status["ipv4"], status["ipv6"]) == (False, True), "families are separate in status")
    done = m.net.cli("mpp", "status")
    check(re.match(r"mpp +IPv4 disabled, IPv6 enabled, profiles on\n", done.stdout),
          f"status names both: {done.stdout.splitlines()[0]!r}")
    m.run(0, "mpp", "enable")
    m.run(0, "mpp", "disable", "--interface", "s0", "--family", "4",
          out="^mpp disabled for IPv4 on s0 for new connections")
    m.expect(ipv4_enabled="yes", ipv6_enabled="yes", ipv4_interfaces_off="s0")
    m.run(0, "mpp", "disable", "--interface", "s0")
    m.run(0, "mpp", "enable", "--interface", "s0", "--family", "4")
    m.expect(ipv4_enabled="yes", ipv6_enabled="yes", ipv6_interfaces_off="s0")
    m.run(0, "mpp", "profiles", "off", out="^profiles off: connections created from now on")
    m.run(0, "mpp", "profiles", "on", out="^profiles on: ")
    m.expect(ipv4_enabled="yes", ipv6_enabled="yes", ipv6_interfaces_off="s0", profiles="yes")
    m.run(0, "mpp", "rate", "s0", "200/s", out="^at most 200 new connections a second on s0$")
    m.run(0, "mpp", "rate", out=r"s0 +200/s")
    m.expect(ipv4_enabled="yes", ipv6_enabled="yes", ipv6_interfaces_off="s0", profiles="yes",
             rates="s0=200")
    m.run(0, "mpp", "reset", out=r"^mpp enabled \(default for servers\), profiles on, "
          r"0 exemptions \(0 removed\), connection rate limits back to default$",
          err="^portward: warning: connection rate limits reset: s0 200/s$")
    m.expect(ipv6_interfaces_off="s0")
    m.run(0, "mpp", "rate", "s0", "5")
    m.run(0, "mpp", "reset", "--all", "--keep-rate-limits", out="connection rate limits kept$")
    m.expect(rates="s0=5")
    m.run(0, "mpp", "rate", "s0", "none", out="^no connection rate limit on s0$")
    m.expect()
    m.run(0, "mpp", "reset", out="^no change$")


def exemptions(m):
    m.run(0, "mpp", "exempt", "add", "5000-5009", out="^5000-5009 exempt for new connections; ")
    m.expect(ipv4_exempt="5000-5009", ipv6_exempt="5000-5009")
    m.run(0, "mpp", "exempt", "add", "5000-5009", out="^no change$")
    m.run(0, "mpp", "exempt", "add", "0")
    m.run(0, "mpp", "exempt", "add", "65535")
    m.expect(ipv4_exempt="5000-5009, 0-0, 65535-65535", ipv6_exempt="5000-5009, 0-0, 65535-65535")
    m.run(0, "mpp", "exempt", "list", out=r"\A5000-5009\n0-0\n65535-65535\n\Z")
    before = m.stored()
    m.run(5, "mpp", "exempt", "add", "5005-5014", err="'5005-5014' overlaps the exemption "
          "'5000-5009'")
    m.run(5, "mpp", "exempt", "add", "0-65535", err="overlaps the exemption '5000-5009'")
    m.run(1, "mpp", "exempt", "delete", "5000-5004", err="^portward: no exemption '5000-5004'\n"
          "hint: the entry is 5000-5009; delete it and add 5005-5009$")
    m.run(1, "mpp", "exempt", "delete", "5002-5004",
          err="delete it and add 5000-5001 and 5005-5009$")
    m.run(1, "mpp", "exempt", "delete", "7", err="no exemption '7-7'")
    for words, text in ((("65536",), "ports '65536' are outside 0-65535"),
                        (("65530-65539",), "ports '65530-65539' are outside 0-65535"),
                        (("10-9",), "range '10-9' ends before it begins"),
                        (("-5",), ""), (("5-",), "'5-' is no range of ports"),
                        (("x",), "'x' is no range of ports"), ((), "'' is no range of ports"),
                        (("5-6-7",), "'5-6-7' is no range"),
                        (("99999999999999999999",), "is no range of ports")):
        m.run(2, "mpp", "exempt", "add", *words, err=re.escape(text))
    m.run(2, "mpp", "exempt", "list", "x", err="unexpected word 'x'")
    m.run(2, "mpp", "profiles", "maybe", err="unknown word 'maybe' for profiles")
    m.run(2, "mpp", "rate", "s0", "0", err="'0' is no rate")
    m.run(2, "mpp", "rate", "s0", err="'' is no rate")
    m.run(2, "mpp", "enable", "--family", "5", err="unknown word '5' for family")
    m.run(2, "mpp", "enable", "--interface", "a/b", err="'a/b' is no name of an interface")
    check(m.stored() == before, "what is refused changes nothing")
    m.run(0, "mpp", "exempt", "add", "80", "--family", "4")
    m.run(0, "mpp", "exempt", "list", out=r"^80-80  IPv4$")
    m.run(0, "mpp", "exempt", "delete", "80", out="^80-80 no longer exempt for new connections")
    m.run(0, "mpp", "exempt", "delete", "5000-5009")
    m.run(0, "mpp", "reset", out=r"0 exemptions \(2 removed\)")
    m.expect()
    many = [f"{i * 10}-{i * 10 + 1}" for i in range(1025)]
    ops = [op("setting", key="mpp.ipv4.exempt", value=", ".join(many[:1024]))]
    check(ask_api(m.net, "POST", "/v1/batch", {"ops": ops})["ok"], "1024 ranges are taken")
    m.run(7, "mpp", "exempt", "add", "20000", err="more than 1024 exemptions")
    m.reset()


def netsh(m):
    """Every line of the article, as it is and in other spellings (the table of acceptance has
    them once more)."""
    m.netsh(0, "int tcp set security mpp=disabled", out=r"\AOk\.\n\n\Z")
    m.expect(ipv4_enabled="no", ipv6_enabled="no")
    m.netsh(0, "interface tcp set security mpp=enable profiles=dis")
    m.expect(ipv4_enabled="yes", ipv6_enabled="yes", profiles="no")
    m.netsh(0, "INT TCP SET SEC MPP = DEF PROFILES =default")
    m.expect()
    m.netsh(0, "int tcp set security startport=5000 numberofports=10 mpp=disabled")
    m.expect(ipv4_exempt="5000-5009", ipv6_exempt="5000-5009")
    m.netsh(0, "int tcp set security mpp=disabled numberofports=10 startport=5000",
            out=r"\AOk\.\n\n\Z", err="Already exempt: 5000-5009\\.$")
    before = m.stored()
    for code, line, text in (
            (5, "startport=5005 numberofports=10 mpp=disabled", "Port range 5005-5014 overlaps the "
             "exemption 5000-5009; overlapping ranges are not processed."),
            (1, "startport=5000 numberofports=5 mpp=enabled", "No exemption 5000-5004; the list "
             "has 5000-5009. Sub-ranges are not processed."),
            (1, "startport=7000 numberofports=5 mpp=default", "No exemption 7000-7004."),
            (2, "startport=65530 numberofports=10 mpp=disabled",
             "Ports 65530-65539 are outside 0-65535."),
            (2, "startport=70000 numberofports=1 mpp=disabled",
             "Ports 70000-70000 are outside 0-65535."),
            (2, "startport=5000 numberofports=0 mpp=disabled", "numberofports=0 names no port"),
            (2, "startport=5000 mpp=disabled", "startport and numberofports go together, with mpp= "
             "only."),
            (2, "numberofports=5 mpp=disabled", "startport and numberofports go together"),
            (2, "startport=5000 numberofports=1", "startport and numberofports go together"),
            (2, "startport=5000 numberofports=1 profiles=enabled mpp=disabled",
             "startport and numberofports go together"),
            (2, "mpp=d", "mpp=d can be several things"), (2, "mpp=on", "mpp takes no 'on'"),
            (2, "mpp=", "mpp takes no ''"), (2, "enabled", "'enabled' is left over"),
            (2, "mpp=enabled mpp=disabled", "tag 'mpp' is given twice"),
            (2, "mp=enabled xx=1", "unknown tag 'xx'"), (2, "", "set security needs mpp=")):
        m.netsh(code, f"int tcp set security {line}", err=re.escape(text))
    check(m.stored() == before, "what netsh refuses changes nothing")
    m.netsh(2, "int ip set address x", err="unknown context 'ip'")
    m.netsh(0, "int tcp set security startport=5000 numberofports=10 mpp=enable")
    m.expect()
    m.netsh(0, "int tcp set security startport=0 numberofports=65536 mpp=dis")
    m.expect(ipv4_exempt="0-65535", ipv6_exempt="0-65535")
    m.netsh(0, "int tcp set security startport=0 numberofports=65536 mpp=e")
    m.expect()
    script = m.net.dir / "mpp.netsh"
    script.write_text("interface tcp\nset security mpp=disabled\n"
                      "set security startport=1 numberofports=1 mpp=disabled\n"
                      "set security startport=2 numberofports=1 mpp=disabled\n")
    m.run(0, "compat", "netsh", "-f", str(script))
    m.expect(ipv4_enabled="no", ipv6_enabled="no", ipv4_exempt="1-1, 2-2", ipv6_exempt="1-1, 2-2")
    m.run(0, "compat", "netsh", "--explain", "int", "tcp", "set", "security", "mpp=enabled",
          out="^portward mpp enable --family 4\nportward mpp enable --family 6$")
    m.run(0, "compat", "netsh", "int", "tcp", "?", out="set security .*show security")
    m.netsh(0, "int tcp set security ?", out=r"startport +PORT")
    m.reset()


def golden(m):
    """What show security and reset print."""
    texts = {}

    def keep(name, line, code=0):
        done = m.netsh(code, line)
        texts[name] = f"{done.stdout}--- stderr\n{done.stderr}"

    keep("show-defaults", "int tcp show security")
    m.netsh(0, "int tcp set security startport=5000 numberofports=10 mpp=disabled")
    keep("show-exempt", "int tcp show security")
    m.net.ok("mpp", "exempt", "add", "80", "--family", "6")
    m.net.ok("mpp", "disable", "--family", "6")
    m.net.ok("mpp", "profiles", "off")
    m.net.ok("mpp", "rate", "s0", "200")
    keep("show-families", "int tcp show security")
    keep("reset", "int tcp reset")
    m.expect()
    keep("reset-again", "int tcp reset")
    for name, text in texts.items():
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("UPDATE"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        want = path.read_text() if path.exists() else None
        check(text == want, f"golden {name}" + ("" if text == want else f": {text!r}"))


def dry_run(m):
    before, generation = m.stored(), m.net.json("mpp", "status")["generation"]
    m.run(0, "mpp", "disable", "--dry-run", out="would set +mpp.ipv4.enabled = no\n"
          "would set +mpp.ipv6.enabled = no\n.*nothing changed")
    m.run(0, "mpp", "exempt", "add", "1-2", "-n", out="would set +mpp.ipv4.exempt = 1-2")
    m.run(0, "compat", "--dry-run", "netsh", "int", "tcp", "set", "security", "mpp=disabled")
    check(m.stored() == before and m.net.json("mpp", "status")["generation"] == generation,
          "a dry run stores nothing")


def trail(m):
    """Who changed what: audit rows and events; the number of the settings."""
    first = m.net.json("mpp", "status")["generation"]
    m.net.ok("mpp", "exempt", "add", "5000-5009", "--reason", "database")
    m.net.ok("mpp", "exempt", "add", "5000-5009")
    m.net.ok("compat", "netsh", "int", "tcp", "set", "security", "mpp=disabled")
    m.net.ok("mpp", "rate", "s0", "7")
    m.net.ok("mpp", "reset")
    status = m.net.json("mpp", "status")
    check(status["generation"] == first + 4, f"a number for each change: {first} became "
          f"{status['generation']}")
    rows = m.net.json("policy", "history")["entries"]
    added = [r for r in rows if r["object"] == "mpp.ipv4.exempt" and r["reason"] == "database"]
    check(len(added) == 1 and added[0]["uid"] == os.getuid() and added[0]["origin"] == "cli"
          and added[0]["change"].startswith("set"), f"the trail names who and why: {added}")
    check(any(r["origin"] == "dialect" and r["object"] == "mpp.ipv4.enabled" for r in rows),
          "and the dialect")
    events = [json.loads(line) for line in (m.net.dir / "agent.log").read_text().splitlines()
              if '"mpp-settings' in line]
    changes = [e for e in events if e["event"] == "mpp-settings-change"]
    check(any(e["KEY"] == "mpp.ipv4.exempt" and e.get("NEW") == "5000-5009" and "OLD" not in e and
              e["UID"] == str(os.getuid()) for e in changes), "event with the new value")
    check(any(e["KEY"] == "mpp.ipv4.exempt" and e.get("OLD") == "5000-5009" and "NEW" not in e
              for e in changes), "event with the old value")
    resets = [e for e in events if e["event"] == "mpp-settings-reset"]
    check(any(e.get("LOST_RATES") == "s0=7" for e in resets), "event of the reset with lost rates")


def api(m):
    answer = ask_api(m.net, "POST", "/v1/mpp", {"text": "exempt add 1-2 family 6"})
    check(answer["ok"] and answer["data"]["settings"] ==
          [{"key": "mpp.ipv6.exempt", "before": None, "now": "1-2"}], f"POST /v1/mpp: {answer}")
    for text in ("", "exempt", "exempt add 1-2 family 7", "default interface", "reset x",
                 "enable apply-to-existing twice", "rate s0 1 2"):
        answer = ask_api(m.net, "POST", "/v1/mpp", {"text": text})
        check(not answer["ok"] and answer["exit"] == 2, f"'{text}' is refused: {answer['error']}")
    for key, value in (("mpp.ipv4.enabled", "maybe"), ("mpp.ipv4.exempt", "9-8"),
                       ("mpp.ipv4.exempt", "70000-70001"), ("mpp.rates", "s0"),
                       ("mpp.rates", "s0=0"), ("mpp.ipv4.interfaces-off", "a/b"),
                       ("mpp.rates", "s0=1000001")):
        answer = ask_api(m.net, "POST", "/v1/batch", {"ops": [op("setting", key=key, value=value)]})
        check(not answer["ok"], f"{key} = {value} is refused")
    for key in ("mpp.generation", "mpp.role", "mpp.x"):
        answer = ask_api(m.net, "POST", "/v1/batch", {"ops": [op("setting", key=key, value="1")]})
        check(not answer["ok"] and answer["exit"] == 1, f"{key} is no setting that can be changed")
    answer = ask_api(m.net, "POST", "/v1/batch", {"ops": [
        op("mpp", text="disable"), op("mpp", text="exempt add 10-20"),
        op("mpp", text="exempt add 15-25")]})
    check(not answer["ok"] and answer["op"] == 2 and answer["exit"] == 5, "a batch names the edit")
    m.expect(ipv6_exempt="1-2")
    answer = ask_api(m.net, "POST", "/v1/batch", {"ops": [
        op("mpp", text="disable"), op("mpp", text="exempt add 10-20"), op("mpp", text="reset"),
        op("mpp", text="exempt add 15-25")]})
    check(answer["ok"], "a batch of edits")
    m.expect(ipv4_exempt="15-25", ipv6_exempt="15-25")
    m.reset()


def dial(m, n, port):
    with m.net.inside("C"):
        return [socket.create_connection((S4 if i % 2 else S6, port), timeout=10)
                for i in range(n)]


def verdicts(m, port):
    """Number of connections by why they would or would not be killed, from their stamps."""
    rows = m.net.json("mpp", "top", "-n", "10000")["connections"]
    return dict(collections.Counter(
        "candidate" if r["verdict"] in ("not-stalled", "below-cutoff", "would-prune")
        else r["verdict"] for r in rows if r["local_port"] == port))


def wait_for(true, what):
    end = time.monotonic() + 10
    while not true():
        if time.monotonic() > end:
            raise RuntimeError(f"never came: {what}")
        time.sleep(0.05)


def category(m):
    return next(i for i in m.net.json("mpp", "status")["interfaces"]
                if i["name"] == "s0")["category"]


def stamps(m):
    """A connection keeps what was set when it was made, until --apply-to-existing."""
    def expect(text, **want):
        got = verdicts(m, 5005)
        check(got == want, f"{text}: {got}" + ("" if got == want else f", want {want}"))

    with m.net.inside("S"):
        opened = [socket.create_server(("::", 5005), family=socket.AF_INET6, backlog=500,
                                       dualstack_ipv6=True)]
    opened += dial(m, 20, 5005)
    expect("connections of both families are candidates", candidate=20)
    said = m.net.ok("mpp", "exempt", "add", "5000-5009")
    check(re.search(r"; \d+ existing ones keep the settings", said), f"says so: {said.strip()!r}")
    opened += dial(m, 50, 5005)
    expect("the exemption is for new ones", candidate=20, exempt=50)
    m.net.ok("mpp", "exempt", "delete", "5000-5009")
    opened += dial(m, 10, 5005)
    expect("50 of 50 stay exempt after its removal, new ones are not", candidate=30, exempt=50)
    m.net.ok("mpp", "disable", "--family", "6")
    opened += dial(m, 10, 5005)
    expect("off for IPv6 only", candidate=35, exempt=50, off=5)
    m.net.ok("mpp", "enable", "--family", "6")
    m.net.ok("mpp", "disable", "--interface", "s0", "--family", "4")
    opened += dial(m, 10, 5005)
    expect("off for IPv4 of one interface", candidate=40, exempt=50, off=10)
    m.net.ok("mpp", "enable", "--interface", "s0")
    m.net.config("[profiles]\ns0 = private\n")
    m.net.agent.send_signal(signal.SIGHUP)
    wait_for(lambda: category(m) == "private", "the new category")
    time.sleep(0.6)  # the engine hears of it with the next look at the interfaces
    opened += dial(m, 10, 5005)
    expect("a private interface is spared", candidate=40, exempt=50, off=10, spared=10)
    m.net.ok("mpp", "profiles", "off")
    opened += dial(m, 10, 5005)
    expect("until profiles are off", candidate=50, exempt=50, off=10, spared=10)
    status = m.net.json("mpp", "status")
    check(status["engine"]["generation"] == status["generation"], "the kernel has these settings")
    n = status["engine"]["connections"]
    check((n["exempt"], n["spared"], n["off"]) == (50, 10, 10), f"status counts them: {n}")
    said = m.net.ok("mpp", "exempt", "add", "7", "--apply-to-existing")
    check(re.search(r"; and for \d+ existing ones$", said.strip()), f"all anew: {said.strip()!r}")
    expect("then all of them are candidates", candidate=120)
    m.run(0, "mpp", "simulate", "-n", "3", out="would kill 0 connections.*nothing changed")
    for s in opened:
        s.close()
    m.net.config("")
    m.reset()


def restart(m):
    """The database is what counts, and the files where it says nothing."""
    m.net.ok("mpp", "exempt", "add", "5000-5009")
    m.net.ok("mpp", "disable", "--interface", "s0")
    generation = m.net.json("mpp", "status")["generation"]
    m.net.stop_agent(signal.SIGKILL)
    m.net.config("[mpp]\nrole = client\n[profiles]\ns0 = private\n")
    m.net.start_agent()
    status = m.net.json("mpp", "status")
    check(status["exempt"] == {"ipv4": [[5000, 5009]], "ipv6": [[5000, 5009]]},
          "exemptions survive a kill")
    s0 = next(i for i in status["interfaces"] if i["name"] == "s0")
    check(not s0["ipv4"] and s0["category"] == "private" and s0["spared"], f"interface: {s0}")
    check(not status["ipv4"] and status["configured"]["role"] == "client",
          "a client is not protected by default")
    check(status["generation"] == generation, "the number of the settings stays")
    m.run(0, "compat", "netsh", "int", "tcp", "show", "security", out="Protection +: disabled")
    m.net.ok("mpp", "enable")
    check(m.net.json("mpp", "status")["ipv4"], "enabled wins over the role")
    m.net.config("[mpp]\nrole = server\ngate-max = 2\n")
    m.net.agent.send_signal(signal.SIGHUP)
    m.net.json("list")
    configured = m.net.json("mpp", "status")["configured"]
    check((configured["role"], configured["gate_max"]) == ("server", 2), f"reload: {configured}")
    m.reset()


def test(net):
    net.start_agent()
    m = Mpp(net)
    for part in (verbs, exemptions, netsh, golden, dry_run, trail, api, stamps, restart):
        print(f"--- {part.__name__}")
        part(m)


main(test)
