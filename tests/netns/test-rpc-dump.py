#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`rpc dump` and `rpcdump`: equal to what rpcclient says of Samba and rpcinfo of rpcbind, each class of
the table once, and peers that lie, stall or never end cost a bounded time and memory.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import pwtest
import rpclab
from pwtest import C4, C6, CLI, check

HERE = pathlib.Path(__file__).resolve().parent
DCERPCD = pathlib.Path("/usr/libexec/samba/samba-dcerpcd")
SMB_CONF = """[global]
netbios name = PWHOST
server role = standalone server
rpc start on demand helpers = false
rpc server dynamic port range = 5001-5021
private dir = {d}/private
lock directory = {d}/lock
state directory = {d}/state
cache directory = {d}/cache
pid directory = {d}/pid
ncalrpc dir = {d}/ncalrpc
log file = {d}/log
disable netbios = yes
load printers = no
"""


def inside(net, *command, **kwargs):
    return subprocess.run(["nsenter", f"--net=/run/netns/{net.names['S']}", *map(str, command)],
                          text=True, capture_output=True, timeout=60, **kwargs)


def dump(net, *args, prefix=()):
    """(exit, data, seconds, maximum of resident memory in KiB) of rpc dump --json."""
    begin = time.monotonic()
    p = subprocess.Popen([*prefix, "nsenter", f"--net=/run/netns/{net.names['S']}", str(CLI),
                          "--runtime-dir", str(net.dir / "run"), "rpc", "dump", "--json", *args],
                         stdout=subprocess.PIPE, text=True)
    out = p.stdout.read()
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    doc = json.loads(out)
    return p.returncode, doc.get("data"), time.monotonic() - begin, usage.ru_maxrss


# --- Samba ---
def start_samba(net):
    d = net.dir / "samba"
    for part in ("private", "lock", "state", "cache", "pid", "ncalrpc"):
        (d / part).mkdir(parents=True)
    (d / "smb.conf").write_text(SMB_CONF.format(d=d))
    p = subprocess.Popen(["nsenter", f"--net=/run/netns/{net.names['S']}", str(DCERPCD), "-s",
                          str(d / "smb.conf"), "-F", "--libexec-rpcds"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                         start_new_session=True)
    net.children.append(p)
    ready = rpclab.wait_for(lambda: ":5003" in inside(net, "ss", "-lnt").stdout, 30)
    return d / "smb.conf", p, ready


def oracle(net, conf):
    """{(transport, endpoint, uuid, major)} of rpcclient -c epmlookup."""
    out = inside(net, "rpcclient", "-s", conf, "-U%", "ncacn_ip_tcp:127.0.0.1[135]", "-c",
                 "epmlookup").stdout
    found = set()
    for m in re.finditer(r"^\S+ (\w+):[^\[]*\[([^,]*),abstract_syntax=([^/]+)/0x(\w+)\]", out,
                         re.M):
        found.add((m[1], m[2], m[3], int(m[4], 16) & 0xFFFF))
    return found


PROTSEQ = {"tcp": "ncacn_ip_tcp", "udp": "ncadg_ip_udp", "pipe": "ncacn_np", "local": "ncalrpc",
           "http": "ncacn_http"}


def samba(net):
    if not DCERPCD.exists() or not shutil.which("rpcclient"):
        print("skipped: no samba-dcerpcd or rpcclient")
        return
    conf, process, ready = start_samba(net)
    if not check(ready, "samba-dcerpcd listens"):
        return
    theirs = oracle(net, conf)
    code, data, _, _ = dump(net, "--dce")
    ours = {(PROTSEQ[e["transport"]], str(e["port"]) if e["port"] else e["path"], e["interface"],
             int(e["version"].split(".")[0])) for e in data["endpoints"] if e["source"] == "dce"}
    missing, more = theirs - ours, ours - theirs
    check(len(theirs) >= 30 and not missing and len(more) <= 1,
          f"the map of Samba: {len(ours)} entries, rpcclient prints {len(theirs)} of them (it may "
          f"lack the last one: {more or 'none'}; missing here: {missing or 'none'})")
    ports = {e["port"] for e in data["endpoints"] if e["transport"] == "tcp"}
    check(ports <= {135, *range(5001, 5022)}, f"its endpoints lie in the range: {sorted(ports)}")
    dead = [e for e in data["endpoints"] if e["class"] == "registered-dead"]
    check(code == 6 and dead and all(e["port"] == 593 for e in dead),
          "registered-dead: ncacn_http [593], which Samba names and nobody serves (exit 6)")
    times = [dump(net, "--dce")[2] for _ in range(5)]
    print(f"        {len(ours)} entries in {min(times) * 1000:.0f} ms (whole program)")
    text = net.cli("compat", "rpcdump.exe", "/v", "/i")
    check(text.returncode == 6 and "ncacn_ip_tcp:127.0.0.1[5001]" in text.stdout
          and re.search(r"\d+ TCP endpoints on 4 ports, set 5001-5021 has 21", text.stdout),
          "rpcdump /v /i: bindings, and the count against the 21 ports of the set")
    net.ok("block", "in", "tcp", "from", "10.1.1.0/24", "to", "me", "port", "5001-5021")
    rows = [e for e in dump(net, "--dce")[1]["endpoints"] if e["transport"] == "tcp"]
    half = [e for e in rows if e["class"] == "half-open"]
    check(half and all(5001 <= e["port"] <= 5021 and e["reachable_from"] == "any but 10.1.1.0/24"
                       for e in half) and all(e["reachable_from"] == "any" for e in rows
                                              if e["port"] == 135),
          "half-open: 10.1.1.0/24 reaches the mapper and not what it names")
    net.ok("flush")
    only = net.cli("compat", "RPCDUMP", "/p", "ncacn_np").stdout
    check("ncacn_np" in only and "ncacn_ip_tcp" not in only, "rpcdump /p shows one protocol sequence")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


# --- rpcbind ---
class Rpcbind:
    """In a mount namespace of its own, so that the socket in /run is not the host's."""

    def __init__(self, net):
        script = "mount -t tmpfs none /run && mkdir -p /run/rpcbind /run/netns && exec rpcbind -f -w"
        self.p = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{net.names['S']}", "unshare", "-m", "sh", "-c", script],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        net.children.append(self.p)
        self.enter = ["nsenter", "--target", str(self.p.pid), "--mount", "--net"]
        self.net = net

    def run(self, *command):
        return subprocess.run([*self.enter, *map(str, command)], text=True, capture_output=True,
                              timeout=60)

    def dump(self, *args):
        out = self.run(CLI, "--runtime-dir", self.net.dir / "run", "rpc", "dump", "--json", *args)
        return out.returncode, json.loads(out.stdout)["data"]


def parse_rpcinfo(text):
    """{(program, version, netid, port, owner)} of rpcinfo without options."""
    found = set()
    for line in text.splitlines()[1:]:
        program, version, netid, address, *_, owner = line.split()
        parts = address.rsplit(".", 2)
        port = int(parts[1]) * 256 + int(parts[2]) if netid[:3] in ("tcp", "udp") else None
        found.add((program, version, netid, port, owner))
    return found


def rpcbind(net):
    if not shutil.which("rpcbind") or not shutil.which("rpcinfo"):
        print("skipped: no rpcbind")
        return
    r = Rpcbind(net)
    if not check(rpclab.wait_for(lambda: "portmapper" in r.run("rpcinfo").stdout), "rpcbind answers"):
        return
    for program in (["rpc.mountd", "-F"], ["rpc.statd", "-F", "--no-notify"]):
        if shutil.which(program[0]):
            net.children.append(subprocess.Popen([*r.enter, *program], stdout=subprocess.DEVNULL,
                                                 stderr=subprocess.DEVNULL))
    rpclab.wait_for(lambda: "mountd" in r.run("rpcinfo").stdout, 5)
    time.sleep(0.5)  # all of its registrations
    theirs = parse_rpcinfo(r.run("rpcinfo").stdout)
    code, data = r.dump("--onc")
    ours = {(e["interface"], e["version"], e["netid"], e["port"], e["owner"])
            for e in data["endpoints"] if e["source"] == "onc"}
    check(len(theirs) >= 6 and ours == theirs,
          f"the table of rpcbind equals rpcinfo: {len(ours)} and {len(theirs)} entries, "
          f"difference {ours ^ theirs or 'none'}")
    outside = [e for e in data["endpoints"] if e["class"] == "outside"]
    mountd = [e for e in data["endpoints"] if e["name"] == "mountd"]
    if mountd:
        check(code == 6 and outside and all(e["listening"] and not e["in_range"] for e in outside),
              f"outside: {len(outside)} endpoints of servers that began before the range (exit 6)")
    over_tcp = subprocess.run([*r.enter, str(CLI), "--runtime-dir", str(net.dir / "run"), "rpc",
                               "dump", "--json", "--onc", pwtest.S4], text=True,
                              capture_output=True, timeout=60)
    far = json.loads(over_tcp.stdout)["data"]["endpoints"]
    check({(e["interface"], e["version"], e["netid"], e["port"]) for e in far if e["interface"]}
          == {x[:4] for x in ours}, "the same by address, over TCP")
    check(all(e["class"] == "unknown" and e["listening"] is None for e in far if e["port"]),
          "unknown: of an address nothing is said about sockets")
    r.p.kill()
    r.p.wait()


# --- made-up peers ---
def peer(net, address, mode, *more):
    p = subprocess.Popen(["nsenter", f"--net=/run/netns/{net.names['C']}", sys.executable,
                          str(HERE / "rpcpeers.py"), address, mode, *more],
                         stdout=subprocess.PIPE, text=True)
    net.children.append(p)
    p.stdout.readline()
    return p


def expected(n):
    return {(6000 + i, "2001:db8::7" if i % 3 == 1 else "192.0.2.7", f"service {6000 + i}")
            for i in range(n)}


def shapes(net):
    for mode, n in (("little", 3), ("big", 3), ("fragments", 3), ("big-fragments", 6),
                    ("calls", 15)):
        p = peer(net, C4, mode)
        code, data, _, _ = dump(net, "--dce", C4)
        got = {(e["port"], e["address"], e["name"]) for e in data["endpoints"]}
        check(code == 0 and got == expected(n), f"{mode}: {len(got)} of {n} entries, IPv4 and IPv6")
        p.kill()
        p.wait()
    p = peer(net, C6, "big-fragments")
    code, data, _, _ = dump(net, "--dce", C6)
    check(code == 0 and len(data["endpoints"]) == 6, "a mapper over IPv6")
    p.kill()
    p.wait()


def pieces(net):
    cuts = range(1, 64)
    p = peer(net, C4, "pieces", "1")
    wrong = [cut for cut in cuts if dump(net, "--dce", C4)[:2][0] != 0]
    check(not wrong, f"answers cut behind each of the first {len(cuts)} bytes (wrong: {wrong})")
    p.kill()
    p.wait()


def hostile(net):
    modes = ("silent", "trickle", "endless-fragments", "empty-fragments", "huge-count", "garbage")
    for mode in modes:
        p = peer(net, C4, mode)
        code, data, seconds, memory = dump(net, "--dce", C4)
        check(code == 1 and data is None and seconds < 11.5 and memory < 64 * 1024,
              f"{mode}: exit {code} after {seconds:.1f} s with {memory // 1024} MiB")
        p.kill()
        p.wait()
    p = peer(net, C4, "endless-calls")
    code, data, seconds, memory = dump(net, "--dce", C4)
    check(len(data["endpoints"]) == 3 * 64 and "does not end" in data["missing"][0]
          and seconds < 11.5 and memory < 64 * 1024,
          f"endless-calls: 64 of them in {seconds:.1f} s, and that there would be more is said")
    p.kill()
    p.wait()


def listeners(net):
    """unregistered and explicit: of this host without any mapper."""
    lab = rpclab.Lab(net)
    app = lab.cgroup(lab.name("-dump.service"))
    net.ok("rpc", "confine", app.name)
    b = lab.binder(app)
    port = b.bound("a")[0]
    code, data, _, _ = dump(net)
    rows = [e for e in data["endpoints"] if e["class"] == "unregistered"]
    check(code == 0 and [e["port"] for e in rows] == [port] and rows[0]["unit"] == app.name
          and len(data["missing"]) == 2,
          f"unregistered: {app.name} listens at {port}; no mapper answers, which is said")
    b.kill()
    net.ok("rpc", "confine", app.name, "--remove")
    lab.close()


def test(net):
    net.start_agent()
    net.ok("rpc", "range", "5001-5021")
    shapes(net)
    pieces(net)
    listeners(net)
    samba(net)
    rpcbind(net)
    hostile(net)


pwtest.main(test)
