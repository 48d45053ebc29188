#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`rpc range`, `rpc confine`, `rpc show`, `rpccfg`, and the registry: what they store and say, what they
refuse, and that what is refused changes nothing.
"""
import re

import pwtest
import rpclab
from pwtest import FAR4, LAN4, S4, check

REG = """Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Rpc\\Internet]
"Ports"=hex(7):{ports}
"PortsInternetAvailable"="{available}"
"UseInternetPorts"="{use}"
"""


def multi(*texts):
    data = "".join(t + "\0" for t in texts) + "\0"
    return ",".join(f"{b:02x}" for b in data.encode("utf-16-le"))


def says(net, code, pattern, *args, text=None):
    done = net.cli(*args, text=text)
    both = done.stdout + done.stderr
    return check(done.returncode == code and re.search(pattern, both, re.M),
                 f"{' '.join(args)}: exit {done.returncode}, {both.strip().splitlines()[:1]}")


def ranges(net):
    says(net, 0, "^not set$", "rpc", "range")
    says(net, 0, "nothing changed", "rpc", "range", "5001-5021", "--dry-run")
    says(net, 0, "^not set$", "rpc", "range")
    says(net, 0, "^5001-5021: 21 TCP and 21 UDP ports, before: not set$", "rpc", "range", "5001-5021")
    for wrong in ("0-5", "80-90", "5001-70000", "5021-5001", "5001-", "x", "1024-20000",
                  "5001-5021,5010"):
        says(net, 7, "^portward: ", "rpc", "range", wrong)
    says(net, 2, "internet or intranet", "rpc", "range", "5001-5021", "--class", "local")
    says(net, 2, "need '--policy NAME'", "rpc", "range", "5001-5021", "--from", "10.1.1.0/24")
    check(net.json("rpc", "range")["ports"] == "5001-5021", "the old range is still in force")
    says(net, 0, "class intranet, default intranet", "rpc", "range") if net.ok(
        "rpc", "range", "5001-5021", "--class", "intranet", "--default", "intranet") else None
    net.ok("rpc", "range", "5001-5021")
    says(net, 7, "rpc.use-internet-ports' is set", "config", "reset", "rpc.ports")


def dialect(net):
    says(net, 0, "^5001-5021: 21 ports", "compat", "rpccfg.exe", "-pe", "5001-5021", "-d", "0")
    says(net, 0, "for intranet servers", "compat", "RPCCFG", "-pi", "6001-6010", "-d", "1")
    got = net.json("rpc", "range")
    check((got["class"], got["default"], got["count"]) == ("intranet", "intranet", 10),
          "rpccfg -pi 6001-6010 -d 1 is class intranet, default intranet")
    says(net, 7, r"\^", "compat", "rpccfg", "-pe", "5001-65536")
    says(net, 2, r"\^", "compat", "rpccfg", "-pe", "5001-5021", "-d", "2")
    says(net, 2, "needs a value", "compat", "rpccfg", "-pe")
    check(net.json("rpc", "range")["ports"] == "6001-6010", "what was refused changed nothing")
    says(net, 0, "rpc.ports = 5001-5021", "compat", "rpccfg", "--explain", "-pe", "5001-5021")
    says(net, 0, "interfaces: s0", "compat", "rpccfg", "-a", "s0")
    says(net, 0, "interfaces: all", "compat", "rpccfg", "-r")
    says(net, 0, re.escape(S4), "compat", "rpccfg", "-l")
    says(net, 0, "^Lists the RPC endpoints", "compat", "rpcdump", "/?")
    says(net, 2, "unknown switch", "compat", "rpcdump", "/x")


def registry(net):
    path = net.dir / "rpc.reg"
    for available, use, words in (("Y", "Y", ("internet", "internet")),
                                  ("y", "n", ("internet", "intranet")),
                                  ("N", "Y", ("intranet", "internet")),
                                  ("n", "N", ("intranet", "intranet"))):
        path.write_text(REG.format(ports=multi("5001-5010", "5011-5021", "7000"),
                                   available=available, use=use))
        done = net.cli("import", "reg", str(path))
        got = net.json("rpc", "range")
        check(done.returncode == 0 and (got["class"], got["default"]) == words
              and got["ports"] == "5001-5021,7000", f"registry {available},{use}: {words}")
    before = net.json("rpc", "range")
    for ports, available, use in ((multi("5001-70000"), "Y", "Y"), (multi("none"), "Y", "Y"),
                                  (multi("0-10"), "Y", "Y"), (multi("5001-5021"), "maybe", "Y"),
                                  (multi(), "Y", "Y")):
        path.write_text(REG.format(ports=ports, available=available, use=use))
        done = net.cli("import", "reg", str(path))
        check(done.returncode == 7 and net.json("rpc", "range")["ports"] == before["ports"],
              f"invalid registry data is refused with a reason: {done.stderr.strip()[:100]!r}")
    says(net, 0, "", "compat", "reg", "add", r"HKLM\SOFTWARE\Microsoft\Rpc\Internet", "/v",
         "UseInternetPorts", "/t", "REG_SZ", "/d", "Y", "/f")
    check(net.json("rpc", "range")["default"] == "internet", "reg add changes a value of the set")
    says(net, 0, "7000", "compat", "reg", "query", r"HKLM\SOFTWARE\Microsoft\Rpc\Internet")


def truth_table(net, lab):
    """All four rows on sockets: what internet, local and default servers get."""
    units = {kind: lab.cgroup(lab.name(f"-{kind}")) for kind in ("internet", "local", "default")}
    net.config("[rpc]\n" + "".join(
        f"{'confine' if kind == 'internet' else kind} = {path}\n" for kind, path in units.items()))
    net.stop_agent()
    net.start_agent()
    for available, use, inside in (("internet", "internet", {"internet", "default"}),
                                   ("internet", "intranet", {"internet"}),
                                   ("intranet", "internet", {"local"}),
                                   ("intranet", "intranet", {"local", "default"})):
        net.ok("rpc", "range", "5001-5021", "--class", available, "--default", use)
        got = set()
        for kind, path in units.items():
            b = lab.binder(path)
            got |= {kind} if 5001 <= b.bound()[0] <= 5021 else set()
            b.kill()
        check(got == inside, f"set for {available}, default {use}: inside are {sorted(got)}")
    net.ok("rpc", "range", "none")
    net.config("")
    net.stop_agent()
    net.start_agent()


def confine(net, lab):
    app = lab.cgroup(lab.name())
    b = lab.binder(app)
    old = b.bound("old")[0]
    says(net, 0, "confined once a range is set", "rpc", "confine", str(app))
    net.ok("rpc", "range", "5001-5021")
    says(net, 0, f"confined after a restart: tcp 0.0.0.0:{old}", "rpc", "confine", str(app))
    check(b.bound("new")[0] == 5001, "a new bind is confined at once")
    says(net, 0, "^late.service +confined when it starts", "rpc", "confine", "late")
    says(net, 2, "no unit", "rpc", "confine", "a..service/b")
    says(net, 1, "is not confined", "rpc", "confine", "nobody", "--remove")
    shown = {u["name"]: u for u in net.json("rpc", "show")["units"]}
    check(shown[str(app)]["tcp"] == 1 and shown["late.service"]["state"] == "not running",
          "rpc show: ports held, and who is not running")
    says(net, 0, r"^tcp +21 +1 +0 +0 +1 +4 +5$", "rpc", "show", "--size")
    done = net.cli("rpc", "range", "6001-6021")
    check(done.returncode == 5 and "5001" in done.stderr, "a range that leaves a holder out is "
          f"refused, exit {done.returncode}: {done.stderr.splitlines()[0]}")
    says(net, 0, "6001-6021", "rpc", "range", "6001-6021", "--keep-holders")
    net.ok("rpc", "confine", str(app), "--remove")
    b.kill()
    net.ok("rpc", "confine", "late", "--remove")


def policy(net):
    """The article's policy in one line, on packets."""
    says(net, 0, 'stored "RPC" revision 1 .12 rules', "rpc", "range", "5001-5021", "--policy", "RPC",
         "--from", "10.1.1.0/24", "2001:db8:a::/48")
    says(net, 5, "RPC", "rpc", "range", "5001-5021", "--policy", "RPC", "--from", "10.9.0.0/16")
    net.ok("policy", "assign", "RPC")
    says(net, 0, "0 warnings", "policy", "check", "RPC")
    for port in (111, 135, 5001, 5011, 5021):
        net.tcp_listen("S", S4, port)
        near, far = net.connect("C", LAN4, S4, port), net.connect("C", FAR4, S4, port)
        check(near and not far, f"tcp {port}: open to 10.1.1.0/24 only")
    for port in (5000, 5022):
        net.tcp_listen("S", S4, port)
        check(net.connect("C", FAR4, S4, port), f"control: tcp {port} answers everybody")
    half = ('policy "Half" {\n    rule "a" block in tcp port 135,5001-5021\n'
            '    rule "b" permit in tcp from 10.1.1.0/24 to me port 135\n}\n')
    says(net, 6, r"rpc-half-open: 10\.1\.1\.0/24 reaches the mapper \(tcp port 135\), nobody the range",
         "policy", "check", "-", text=half)
    document = net.cli("policy", "check", "-", "--json", text=half)
    check('"rpc-half-open"' in document.stdout, "the same in JSON")
    whole = half.replace("}\n", '    rule "c" permit in tcp from 10.1.1.0/24 to me port 5001-5021\n}\n')
    says(net, 0, "0 warnings", "policy", "check", "-", text=whole)


def test(net):
    net.start_agent()
    lab = rpclab.Lab(net)
    try:
        ranges(net)
        dialect(net)
        registry(net)
        truth_table(net, lab)
        confine(net, lab)
        policy(net)
    finally:
        lab.close()


pwtest.main(test)
