#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ports of RPC servers are confined: every number once, what is given back comes again, strangers
are kept out, and all of it without a living agent. Uses sockets of its own; the services of a
distribution are the business of test-rpc-services.py.
"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pwtest
import rpclab
from pwtest import check

FIRST, LAST = 5001, 5021
N = LAST - FIRST + 1
PORTS = set(range(FIRST, LAST + 1))
JOIN = pwtest.BUILD / "src/rpc/rpc-join"
BINDS = pwtest.BUILD / "tests/tools/pw-binds"
NO_PORT = [(socket.SOL_IP, 24, 1)]  # IP_BIND_ADDRESS_NO_PORT
REUSEPORT = [(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)]


def config(net, *units, **more):
    lines = [f"{k.replace('_', '-')} = {v}" for k, v in more.items()]
    net.config("\n".join(["[rpc]", f"ports = {FIRST}-{LAST}", f"confine = {' '.join(units)}",
                          *lines, ""]))


def table(net):
    """{protocol: {port: references}} of the tables in the kernel, and clients."""
    out = subprocess.run(["bpftool", "-j", "map", "dump", "pinned",
                          str(net.pins / "rpc/map/rpc_tables")], capture_output=True, text=True)
    dump = json.loads(out.stdout)
    found = {}
    for entry in dump:
        v = entry["formatted"]["value"]
        found["udp" if entry["formatted"]["key"] else "tcp"] = {
            "refs": {p: v["refs"][p] for p in range(1024, 65536) if v["refs"][p]},
            "held": v["held"], "clients": v["clients"]}
    return found


def nothing_held(net):
    return all(not t["refs"] and t["held"] == 0 and t["clients"] == 0
               for t in table(net).values())


def each_number_once(net, lab, app):
    b = lab.binder(app)
    for proto in ("tcp", "udp"):
        got = b.many(proto, N + 1, proto)
        check(set(got["ports"]) == PORTS and len(got["ports"]) == N and
              got["error"] == "EADDRINUSE",
              f"{proto}: {N} of {N} ports of the set, then EADDRINUSE")
    b.ask("close_all")
    check(rpclab.wait_for(lambda: {e.get("PROTOCOL") for e in rpclab.events(net, "rpc-exhausted")}
                          == {"tcp", "udp"}), "one event for each protocol that was used up")
    check(len(rpclab.events(net, "rpc-exhausted")) == 2, "and no more than that")
    again = b.many("tcp", N, "again")
    check(set(again["ports"]) == PORTS, "all are free again after close")
    b.kill()
    c = lab.binder(app)
    check(len(c.many("tcp", N)["ports"]) == N, "and after kill -9")
    c.kill()


def explicit_counts(lab, app):
    b = lab.binder(app)
    check(b.bound("x", port=FIRST + 6)[0] == FIRST + 6, "a confined unit may bind by number")
    got = b.many("tcp", N)
    check(set(got["ports"]) == PORTS - {FIRST + 6} and got["error"] == "EADDRINUSE",
          "which leaves the others")
    b.kill()


def kept_until_last_close(lab, app):
    b = lab.binder(app)
    port, _ = b.bound("f")
    pid = b.ask("fork_close", "f")["value"]
    rest = b.many("tcp", N)
    check(port not in rest["ports"] and len(rest["ports"]) == N - 1,
          "a port stays taken while a child has the socket")
    b.ask("close_all")
    os.kill(pid, signal.SIGKILL)
    check(rpclab.wait_for(lambda: b.many("tcp", N)["error"] is None, 3), "and is free when it ends")
    b.kill()
    b = lab.binder(app)
    p, _ = b.bound("g0", options=REUSEPORT)
    b.ask("open", "g1", proto="tcp", options=REUSEPORT)
    joined = b.ask("bind", "g1", port=p, listen=True)
    b.ask("close", "g0")
    rest = b.many("tcp", N)
    check(joined["value"] == p and p not in rest["ports"] and len(rest["ports"]) == N - 1,
          "a group of SO_REUSEPORT keeps its number until the last close")
    b.kill()


def over_old_connections(net, lab, app):
    b = lab.binder(app)
    for i in range(N):
        port, error = b.bound("l")
        if error:
            break
        b.ask("open", "c", proto="tcp")
        b.ask("connect", "c", address="127.0.0.1", port=port)
        b.ask("accept", "l", **{"as": "a"})
        if i % 2:  # else the connection lives on
            b.ask("close", "a")
            b.ask("close", "c")
        else:
            b.ask("open", "keep", proto="udp")
        b.ask("close", "l")
    got = b.many("tcp", N)
    # the clients above are sockets of other unit's choice: they have no number of the set
    check(len(got["ports"]) == N, "binds over TIME_WAIT and ESTABLISHED children of closed "
          f"listeners ({len(got['ports'])})")
    b.kill()


def all_forms(lab, app):
    b = lab.binder(app)
    for text, args in (("::", {"six": True}), ("::1", {"six": True, "address": "::1"}),
                       ("V6ONLY", {"six": True, "options": [(41, 26, 1)]}),
                       ("127.0.0.1", {"address": "127.0.0.1"}),
                       ("udp ::", {"six": True, "proto": "udp"})):
        port, _ = b.bound(text, **args)
        check(port in PORTS, f"{text} gets a port of the set")
    b.ask("close_all")
    b.ask("open", "r", proto="tcp")
    errors = [b.ask("bind", "r", address="203.0.113.7")["error"] for _ in range(3)]
    port = b.ask("bind", "r", address="127.0.0.1", listen=True)["value"]
    check(errors == ["EADDRNOTAVAIL"] * 3 and port in PORTS, "a failed bind, then a good one")
    check(b.ask("bind", "r", address="127.0.0.1")["error"] == "EINVAL",
          "a second bind is refused by the kernel as ever")
    got = b.many("tcp", N)
    check(len(got["ports"]) == N - 1, "which leaks nothing")
    b.ask("close_all")
    for proto in ("tcp", "udp"):
        port, error = b.bound("n" + proto, proto=proto, options=NO_PORT, address="127.0.0.1",
                              listen=False)
        check(port == 0 and not error, f"{proto}: IP_BIND_ADDRESS_NO_PORT takes no port")
    got = b.many("tcp", N)
    check(len(got["ports"]) == N, "so that all are left for listeners")
    b.kill()


def strangers(net, lab, app):
    out = lab.binder(None)
    for proto in ("tcp", "udp"):
        check(out.bound("s", proto=proto, port=FIRST + 3)[1] == "EACCES",
              f"{proto}: an outsider is refused a port of the set")
    check(out.bound("s6", port=FIRST + 4, six=True)[1] == "EACCES", "over IPv6, too")
    check(out.bound("t", port=LAST + 1)[0] == LAST + 1, "but no other one (control)")
    check(rpclab.wait_for(lambda: rpclab.events(net, "rpc-guard")), "event rpc-guard")
    got = [out.bound(f"z{i}")[0] for i in range(50)]
    check(not PORTS & set(got), "bind(0) of an outsider stays outside")
    reserved = pathlib.Path("/proc/sys/net/ipv4/ip_local_reserved_ports")
    with net.inside("S"):
        check(reserved.read_text().strip() == f"{FIRST}-{LAST}", "the set is reserved")
    out.kill()
    inner = lab.cgroup(f"{app.name}/deep/er")
    b = lab.binder(inner)
    check(b.bound()[0] in PORTS, "a directory below the unit is confined with it")
    b.kill()


def never_inside(net, lab, count):
    """The kernel's own choice, from a range around the set."""
    net.sysctl("S", "net.ipv4.ip_local_port_range", f"{FIRST - 20} {LAST + 80}")
    env = {**os.environ, "PW_FIRST": str(FIRST), "PW_LAST": str(LAST)}
    p = lab.start(None, [BINDS, "churn", count, "0"], stdout=subprocess.PIPE, env=env)
    done, failed, outside = map(int, p.communicate()[0].split())
    check(done == count and failed == 0 and outside == count,
          f"{count} unconfined binds to port 0: none in the set")
    net.sysctl("S", "net.ipv4.ip_local_port_range", "32768 60999")


def only_counted(net, lab, app):
    """guard = no."""
    config(net, f"/{app.name}", guard="no")
    net.agent.send_signal(signal.SIGHUP)
    out, b = lab.binder(None), lab.binder(app)
    rpclab.wait_for(lambda: out.bound("s", port=FIRST + 3)[0], 5)
    before = len(rpclab.events(net, "rpc-guard"))
    check(out.bound("t", proto="udp", port=FIRST + 3)[0] == FIRST + 3,
          "guard = no: an outsider gets the port")
    got = b.many("udp", N)
    check(set(got["ports"]) == PORTS - {FIRST + 3}, "which is handed out to nobody else")
    check(rpclab.wait_for(lambda: rpclab.events(net, "rpc-guard") and before >= 0),
          "and is told all the same")
    out.ask("close", "t")
    b.ask("close_all")
    check(set(b.many("udp", N)["ports"]) == PORTS, "until it is closed")
    out.kill()
    b.kill()
    config(net, f"/{app.name}")
    net.agent.send_signal(signal.SIGHUP)
    time.sleep(1)


def other_namespace(lab, app):
    b = lab.binder(app, which="C")
    got = b.many("tcp", N + 1)
    check(not PORTS & set(got["ports"]) and got["error"] is None,
          "the same unit in another namespace passes untouched")
    check(b.bound("x", port=FIRST + 1)[0] == FIRST + 1, "and nothing is guarded there")
    b.kill()


def without_agent(net, lab, app):
    b = lab.binder(app)
    held, _ = b.bound("held")
    before = table(net)
    net.stop_agent(signal.SIGKILL)
    port, _ = b.bound("alone")
    check(port in PORTS and port != held, "the agent is killed: ports are handed out all the same")
    out = lab.binder(None)
    check(out.bound("s", port=held)[1] == "EACCES", "and guarded")
    net.start_agent()
    after = table(net)
    check(held in before["tcp"]["refs"] and after["tcp"]["refs"] == {held: 1, port: 1},
          "the next agent takes over who holds what")
    got = b.many("tcp", N)
    check(len(got["ports"]) == N - 2 and not {held, port} & set(got["ports"]), "and goes on")
    b.kill()
    net.stop_agent()
    c = lab.binder(app)
    check(len(c.many("udp", N)["ports"]) == N, "the agent is stopped: confined all the same")
    c.kill()
    net.start_agent()
    out.kill()


def joins(net, lab):
    """rpc-join, as a drop-in of systemd runs it."""
    net.stop_agent()
    name = lab.name("-joined.service")
    path = lab.cgroup(f"{lab.name('-joins')}/{name}")
    check(lab.start(path, [JOIN, "other.service"], stderr=subprocess.DEVNULL).wait() == 1,
          "rpc-join refuses what is not the unit it runs in")
    check(lab.start(path, [JOIN, "--class", "none", name], stderr=subprocess.DEVNULL).wait() == 2,
          "and a class that is none")
    b = lab.binder(path)
    check(b.bound()[0] not in PORTS, "the unit is not confined yet (control)")
    check(lab.start(path, [JOIN, name]).wait() == 0 and b.bound("x")[0] in PORTS,
          "after rpc-join it is, without an agent")
    check(lab.start(path, [JOIN, name]).wait() == 0, "twice is once")
    check(lab.start(path, [JOIN, name], which="C", stderr=subprocess.DEVNULL).wait() == 1,
          "it fails where ports are not confined")
    b.kill()
    net.start_agent()


def repairs(net, lab, app):
    link = net.pins / "rpc/link/bind-4"
    pwtest.run(["bpftool", "link", "detach", "pinned", str(link)])
    link.unlink()
    check(rpclab.wait_for(lambda: rpclab.events(net, "tamper") and link.exists()),
          "a link that somebody removed comes back, with an event")
    b = lab.binder(app)
    check(b.bound()[0] in PORTS, "and works")
    b.kill()


def seeding(net, lab, app):
    """What was bound before the range."""
    net.stop_agent()
    pwtest.remove_pins(net.pins / "rpc")
    early = lab.binder(None)
    early.ask("open", "c", proto="udp")
    check(early.bound("u", proto="udp", port=FIRST + 1)[0] == FIRST + 1,
          "a stranger was there first")
    net.start_agent()
    told = lambda: [e for e in rpclab.events(net, "rpc-restart-needed") if "UNIT" not in e]
    check(rpclab.wait_for(told, 3) and f":{FIRST + 1}" in told()[0]["DETAIL"],
          "which is told when the range comes into force")
    b = lab.binder(app)
    check(set(b.many("udp", N)["ports"]) == PORTS - {FIRST + 1}, "its port is not handed out")
    b.ask("close_all")
    net.config(f"[rpc]\nports = {FIRST}-{LAST}, {LAST + 1}\nconfine = /{app.name}\n")
    early.bound("more", port=LAST + 1)
    net.agent.send_signal(signal.SIGHUP)
    check(rpclab.wait_for(lambda: any("in use" in e["REASON"] for e in
                                      rpclab.events(net, "generation-refused"))),
          "a change to a range with a listener of somebody else is refused")
    config(net, f"/{app.name}")
    early.kill()
    check(rpclab.wait_for(lambda: len(b.many("udp", N)["ports"]) == N or b.ask("close_all") is None,
                          5), "when the stranger goes its port comes into the set")
    b.kill()
    net.stop_agent()
    pwtest.remove_pins(net.pins / "rpc")
    running = lab.binder(app)
    old, _ = running.bound("old")
    net.start_agent()
    check(rpclab.wait_for(lambda: rpclab.events(net, "rpc-restart-needed"), 3),
          "a unit that runs with a port outside: restart needed")
    detail = rpclab.events(net, "rpc-restart-needed")[-1]["DETAIL"]
    check(f":{old}" in detail, f"which names it: {detail}")
    check(running.bound("new")[0] in PORTS, "its next port is one of the set")
    running.ask("open", "auto", proto="tcp")
    escaped = running.ask("listen", "auto")["value"]
    check(escaped not in PORTS and rpclab.wait_for(lambda: any(
        e.get("PORT") == str(escaped) for e in rpclab.events(net, "rpc-escape")), 8),
        "listen() without bind escapes, and is told")
    running.kill()


def comes_later(net, lab):
    """A unit that has no directory yet."""
    name = lab.name("-later.service")
    config(net, f"/{lab.name()}", name)
    net.agent.send_signal(signal.SIGHUP)
    time.sleep(1)
    path = lab.cgroup(f"{lab.name('-slice')}/{name}")
    time.sleep(1.5)
    b = lab.binder(path)
    check(b.bound()[0] in PORTS, "a unit that comes later is confined by its name")
    b.kill()
    rpclab.wait_for(lambda: not (path / "cgroup.procs").read_text().strip())
    path.rmdir()
    time.sleep(1)
    path.mkdir()
    time.sleep(1.5)
    b = lab.binder(path)
    check(b.bound()[0] in PORTS, "and again when it is started anew")
    b.kill()


def storm(net, lab, app, proto, reserve):
    """A unit that calls out, 200 sockets at once, and the listeners of another one."""
    other = lab.cgroup(lab.name("-other"))
    config(net, f"/{app.name}", f"/{other.name}", reserve=reserve)
    net.agent.send_signal(signal.SIGHUP)
    time.sleep(1)
    sink = net.tcp_listen("C", pwtest.C4, 7000) if proto == "tcp" else net.udp("C", pwtest.C4, 7000)
    if proto == "tcp":
        sink.listen(2000)  # nobody accepts
    p = lab.start(app, [BINDS, "storm", "1000", proto, pwtest.C4, "7000"], stdin=subprocess.PIPE,
                  stdout=subprocess.PIPE)
    connected, failed = map(int, p.stdout.readline().split())
    b = lab.binder(other)
    port, error = b.bound(proto=proto)
    t = table(net)[proto]
    told = lambda: [e for e in rpclab.events(net, "rpc-reserve") if e.get("PROTOCOL") == proto]
    if reserve == "auto":
        check(connected == 1000 and failed == 0, f"{proto}: 1000 calls out, none fails")
        check(port in PORTS, f"{proto}: another unit gets a port of the set meanwhile "
              f"({t['clients']} clients hold numbers)")
        check(rpclab.wait_for(told, 1.5) and len(told()) == 1, f"{proto}: one event rpc-reserve")
        check(f"{pwtest.C4}:7000" in told()[0].get("DETAIL", ""), "which names the remote")
    else:
        check(error == "EADDRINUSE", f"{proto}: without a reserve it gets none (control)")
    p.stdin.close()
    p.wait()
    b.kill()
    sink.close()
    net.sockets.remove(sink)
    check(rpclab.wait_for(lambda: nothing_held(net), 5), f"{proto}: every number is free again")


def churn(net, lab, app, count):
    """Eight processes, some of them killed."""
    env = {**os.environ, "PW_FIRST": str(FIRST), "PW_LAST": str(LAST)}
    children = [lab.start(app, [BINDS, "churn", count // 8, "1"], stdout=subprocess.PIPE, env=env)
                for _ in range(8)]
    victims = [lab.start(app, [BINDS, "churn", "100000000", "1"], stdout=subprocess.PIPE, env=env)
               for _ in range(2)]
    for _ in range(10):
        time.sleep(0.2)
        for i, v in enumerate(victims):
            lab.stop(v)
            victims[i] = lab.start(app, [BINDS, "churn", "100000000", "1"], env=env,
                                   stdout=subprocess.PIPE)
    done = failed = outside = 0
    for c in children:
        a, b, o = map(int, c.communicate()[0].split())
        done, failed, outside = done + a, failed + b, outside + o
    for v in victims:
        lab.stop(v)
    check(done == count // 8 * 8 and outside == 0, f"{done} binds, all inside the set")
    check(failed <= max(1, done // 1000000), f"failed while ports were free: {failed}")
    check(rpclab.wait_for(lambda: nothing_held(net), 5), f"no reference is left: {table(net)}")


def invalid(net, lab, app):
    net.config(f"[rpc]\nports = 5021-5001\nconfine = /{app.name}\n")
    net.agent.send_signal(signal.SIGHUP)
    check(rpclab.wait_for(lambda: any("5021-5001" in e["REASON"] for e in
                                      rpclab.events(net, "generation-refused"))),
          "invalid settings at a reload are refused")
    b = lab.binder(app)
    check(b.bound()[0] in PORTS, "and the old range stays in force")
    b.kill()
    net.stop_agent()
    net.start_agent()
    check(rpclab.wait_for(lambda: rpclab.events(net, "rpc-config-invalid")),
          "invalid settings: an event")
    b = lab.binder(app)
    check(b.bound()[1] == "EACCES", "a confined unit is refused every bind to port 0")
    check(b.bound("n", port=6000)[0] == 6000, "but not one to a number")
    out = lab.binder(None)
    check(out.bound()[0], "and others are not touched")
    b.kill()
    out.kill()


def taken_away(net, lab, app):
    net.config("")
    net.agent.send_signal(signal.SIGHUP)
    gone = rpclab.wait_for(lambda: not (net.pins / "rpc").exists())
    with net.inside("S"):
        left = pathlib.Path("/proc/sys/net/ipv4/ip_local_reserved_ports").read_text().strip()
    check(gone and not left, "no range: pins and reserved ports are gone")
    b = lab.binder(app)
    check(b.bound()[0] not in PORTS, "and nobody is confined")
    b.kill()


def run(net):
    lab = rpclab.Lab(net)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40000
    try:
        app = lab.cgroup(lab.name())
        config(net, f"/{app.name}")
        net.start_agent()
        each_number_once(net, lab, app)
        explicit_counts(lab, app)
        kept_until_last_close(lab, app)
        all_forms(lab, app)
        over_old_connections(net, lab, app)
        strangers(net, lab, app)
        never_inside(net, lab, count)
        only_counted(net, lab, app)
        other_namespace(lab, app)
        without_agent(net, lab, app)
        joins(net, lab)
        repairs(net, lab, app)
        churn(net, lab, app, count)
        comes_later(net, lab)
        storm(net, lab, app, "tcp", "auto")
        storm(net, lab, app, "udp", "auto")
        storm(net, lab, app, "tcp", 0)
        config(net, f"/{app.name}")
        seeding(net, lab, app)
        invalid(net, lab, app)
        taken_away(net, lab, app)
    finally:
        lab.close()


pwtest.main(run)
