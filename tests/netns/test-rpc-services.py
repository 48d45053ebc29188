#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers of the distribution, unmodified, in 5001-5021: python3 -m http.server on port 0, rpcbind
with rpc.statd and rpc.mountd, and Samba's endpoint services. They register what they got, a
permitted subnet reaches them and another one does not, over TCP and UDP, IPv4 and IPv6.

Every daemon runs in its own mount namespace, with a /run and a /var/lib/nfs of its own, so that
nothing of this host is touched.
"""
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import time

import pwtest
import rpclab
from pwtest import FAR4, FAR6, LAN4, LAN6, S4, S6, check

FIRST, LAST = 5001, 5021
PORTS = set(range(FIRST, LAST + 1))
SHARE = "5015-5021"  # a third of the set, for Samba alone
NEEDED = ["rpcbind", "rpc.statd", "rpc.mountd", "rpcinfo", "smbd", "testparm"]
POLICY = f"""policy "KB908472" {{
  rule "RPC" {{
    block tcp from any to me port 111
    block udp from any to me port 111
    block tcp from any to me port 135
    block tcp from any to me port {FIRST}-{LAST}
    block udp from any to me port {FIRST}-{LAST}
    permit tcp from 10.1.1.0/24 to me port 111
    permit udp from 10.1.1.0/24 to me port 111
    permit tcp from 10.1.1.0/24 to me port 135
    permit tcp from 10.1.1.0/24 to me port {FIRST}-{LAST}
    permit udp from 10.1.1.0/24 to me port {FIRST}-{LAST}
    permit tcp from 2001:db8:a::/48 to me port 111
    permit udp from 2001:db8:a::/48 to me port 111
    permit tcp from 2001:db8:a::/48 to me port 135
    permit tcp from 2001:db8:a::/48 to me port {FIRST}-{LAST}
    permit udp from 2001:db8:a::/48 to me port {FIRST}-{LAST}
  }}
}}
"""


def in_private_mounts(lab, cgroup, directory, command, **kwargs):
    """A daemon with files of its own."""
    for sub in ("run", "nfs/sm", "nfs/sm.bak", "nfs/v4recovery"):
        (directory / sub).mkdir(parents=True, exist_ok=True)
    for name in ("etab", "rmtab", "state"):
        (directory / "nfs" / name).touch()
    binds = f"mount --bind {directory}/run /run && mount --bind {directory}/nfs /var/lib/nfs && "
    return lab.start(cgroup, ["unshare", "-m", "sh", "-c", binds + 'exec "$@"', "sh", *command],
                     **kwargs)


def sockets(net, proto=None):
    """[(proto, address, port)] that wait in S."""
    out = subprocess.run(["nsenter", f"--net=/run/netns/{net.names['S']}", "ss", "-H", "-lntu"],
                         capture_output=True, text=True).stdout
    found = []
    for line in out.splitlines():
        f = line.split()
        address, port = f[4].rsplit(":", 1)
        if proto in (None, f[0]):
            found.append((f[0], address, int(port)))
    return found


def web(net, lab):
    app = lab.cgroup(lab.name("/web"))
    lab.start(app, [sys.executable, "-u", "-m", "http.server", "0", "--directory", str(net.dir)],
              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lab.start(app, [sys.executable, "-u", "-m", "http.server", "0", "--bind", "::", "--directory",
                    str(net.dir)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rpclab.wait_for(lambda: len(sockets(net, "tcp")) >= 2)
    ports = [p for _, _, p in sockets(net, "tcp")]
    check(len(ports) == 2 and set(ports) <= PORTS, f"http.server on port 0: {ports}")
    v4 = next(p for _, a, p in sockets(net, "tcp") if a == "0.0.0.0")
    v6 = next(p for _, a, p in sockets(net, "tcp") if a != "0.0.0.0")
    check(net.connect("C", LAN4, S4, v4) and net.connect("C", LAN6, S6, v6),
          "they answer the permitted subnets, IPv4 and IPv6")
    check(not net.connect("C", FAR4, S4, v4) and not net.connect("C", FAR6, S6, v6),
          "and not the others")


def registered(net):
    """{(program, version, netid): port} of rpcbind, over its network port."""
    out = subprocess.run(["nsenter", f"--net=/run/netns/{net.names['S']}", "rpcinfo", "127.0.0.1"],
                         capture_output=True, text=True).stdout
    found = {}
    for line in out.splitlines()[1:]:
        program, version, netid, address = line.split()[:4]
        if netid in ("tcp", "udp", "tcp6", "udp6"):
            high, low = map(int, address.rsplit(".", 2)[-2:])
            found[int(program), int(version), netid] = high * 256 + low
    return found


def null_call(net, source, target, port, program, version):
    """Calls procedure 0 over UDP: true if an answer comes."""
    call = struct.pack("!10I", 0x5057, 0, 2, program, version, 0, 0, 0, 0, 0)
    s = net.udp("C", source)
    for _ in range(3):
        s.sendto(call, (target, port))
    ok = pwtest.received(s, 0.4) > 0
    s.close()
    net.sockets.remove(s)
    return ok


def nfs(net, lab):
    app = lab.cgroup(lab.name("/nfs"))
    home = net.dir / "daemons"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    in_private_mounts(lab, app, home, ["rpcbind", "-f", "-w"], **quiet)
    check(rpclab.wait_for(lambda: registered(net)), "rpcbind answers")
    in_private_mounts(lab, app, home, ["rpc.statd", "-F", "--no-notify"], **quiet)
    in_private_mounts(lab, app, home, ["rpc.mountd", "-F"], **quiet)
    check(rpclab.wait_for(lambda: {100024, 100005} <= {k[0] for k in registered(net)}, 20),
          "rpc.statd and rpc.mountd are registered")
    time.sleep(1)
    maps = {k: p for k, p in registered(net).items() if k[0] in (100024, 100005)}
    check(set(maps.values()) <= PORTS and maps, f"all in the set: {sorted(set(maps.values()))}")
    kinds = {k[2] for k in maps}
    check(kinds == {"tcp", "udp", "tcp6", "udp6"}, f"over {sorted(kinds)}")
    waiting = {(proto, port) for proto, _, port in sockets(net)}
    check(all((k[2][:3], p) in waiting for k, p in maps.items()),
          "and each registered port is one that somebody listens on")
    other = sorted(p for _, a, p in sockets(net) if p not in PORTS and p != 111 and
                   not a.startswith("127."))
    check(not other, f"nobody listens anywhere else ({other})")
    for program, version, name in ((100024, 1, "statd"), (100005, 3, "mountd")):
        for six, lan, far, target in (("", LAN4, FAR4, S4), ("6", LAN6, FAR6, S6)):
            tcp, udp = maps[program, version, "tcp" + six], maps[program, version, "udp" + six]
            check(net.connect("C", lan, target, tcp) and not net.connect("C", far, target, tcp),
                  f"{name} tcp{six} {tcp}: from the permitted subnet only")
            check(null_call(net, lan, target, udp, program, version) and
                  not null_call(net, far, target, udp, program, version),
                  f"{name} udp{six} {udp}: from the permitted subnet only")


SMB_CONF = """[global]
   workgroup = TEST
   server role = standalone server
   private dir = {d}/private
   state directory = {d}/state
   cache directory = {d}/cache
   lock directory = {d}/lock
   pid directory = {d}/pid
   ncalrpc dir = {d}/ncalrpc
   log file = {d}/log
   disable netbios = yes
   smb ports = 445
   rpc start on demand helpers = no
   load printers = no
[share]
   path = {d}
"""


def samba(net, lab):
    home = net.dir / "samba"
    conf = home / "smb.conf"
    before = conf.read_text()
    # the agent has written its file when the unit was confined
    include = home / "portward.conf"
    check(include.exists() and SHARE in include.read_text() and
          str(include) in conf.read_text(), "smb.conf includes the range")
    check((home / "smb.conf.portward-backup").read_text() == SMB_CONF.format(d=home),
          "the file of before is kept")
    shown = subprocess.run(["testparm", "-s", str(conf)], capture_output=True, text=True)
    check(shown.returncode == 0 and "rpc server dynamic port range = " + SHARE in shown.stdout,
          "testparm reads it so")
    app = lab.root / lab.name() / "smbd.service"
    lab.start(app, ["/usr/libexec/samba/samba-dcerpcd", "--libexec-rpcds", "-F", "-s", str(conf)],
              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    check(rpclab.wait_for(lambda: any(p == 135 for _, _, p in sockets(net, "tcp")), 30),
          "samba-dcerpcd listens on 135")
    mine = lambda: sorted({p for _, _, p in sockets(net, "tcp")
                           if holder(net, lab, p) == "smbd.service"} - {135, 445, 593})
    rpclab.wait_for(lambda: len(mine()) >= 3, 20)
    dynamic = mine()
    check(dynamic and set(dynamic) <= PORTS, f"its endpoint services: {dynamic}")
    if shutil.which("rpcclient"):
        out = subprocess.run(
            ["nsenter", f"--net=/run/netns/{net.names['S']}", "rpcclient", "-s", str(conf), "-N",
             "-c", "epmlookup", f"ncacn_ip_tcp:{S4}"], capture_output=True, text=True)
        named = {int(p) for p in re.findall(r"ncacn_ip_tcp:[^\[]*\[(\d+)", out.stdout)}
        check(named and named - {135} <= PORTS, f"registered: {sorted(named)}")
    for port in dynamic + [135]:
        for lan, far, target in ((LAN4, FAR4, S4), (LAN6, FAR6, S6)):
            check(net.connect("C", lan, target, port) and not net.connect("C", far, target, port),
                  f"{port}: from the permitted subnet {lan} only")
    return before


def holder(net, lab, port):
    """Last part of the cgroup in which a listener was made."""
    out = subprocess.run(["nsenter", f"--net=/run/netns/{net.names['S']}", "ss", "-H", "-lnt",
                          "--cgroup", f"sport = :{port}"], capture_output=True, text=True).stdout
    found = re.search(r"cgroup:(\S+)", out)
    if found and not found.group(1).startswith("unreachable"):
        return found.group(1).rsplit("/", 1)[-1]
    ino = re.search(r"unreachable:([0-9a-f]+)", out)
    for path in lab.root.glob("pw-rpc-*/*"):
        if ino and path.stat().st_ino == int(ino.group(1), 16):
            return path.name
    return ""


def taken_away(net, lab):
    home = net.dir / "samba"
    net.config(f"[rpc]\nsamba-config = {home}/smb.conf\n")
    net.agent.send_signal(1)
    check(rpclab.wait_for(lambda: not (home / "portward.conf").exists()) and
          (home / "smb.conf").read_text() == SMB_CONF.format(d=home),
          "without a range smb.conf is what it was")


def refused_by_testparm(net, lab):
    """A file that testparm does not accept is left alone."""
    home = net.dir / "samba"
    bad = SMB_CONF.format(d=home) + "   rpc server dynamic port range = 40000-40010\n"
    (home / "smb.conf").write_text(bad.replace("[share]\n", "[global]\n"))
    text = (home / "smb.conf").read_text()
    start_range(net, lab)
    net.agent.send_signal(1)
    time.sleep(2)
    check((home / "smb.conf").read_text() == text and not (home / "portward.conf").exists(),
          "a smb.conf that sets another range behind ours is left alone")


def start_range(net, lab):
    base = f"/{lab.name()}"
    net.config(f"[rpc]\nports = {FIRST}-{LAST}\nsamba-config = {net.dir}/samba/smb.conf\n"
               f"confine = {base}/web {base}/nfs {base}/smbd.service\n")


def run(net):
    missing = [p for p in NEEDED if not shutil.which(p)]
    if missing:
        pwtest.skip(f"not installed: {' '.join(missing)}")
    lab = rpclab.Lab(net)
    try:
        home = net.dir / "samba"
        for sub in ("private", "state", "cache", "lock", "pid", "ncalrpc"):
            (home / sub).mkdir(parents=True)
        (home / "smb.conf").write_text(SMB_CONF.format(d=home))
        for unit in ("web", "nfs", "smbd.service"):
            lab.cgroup(lab.name(f"/{unit}"))
        start_range(net, lab)
        net.start_agent()
        (net.dir / "policy.pw").write_text(POLICY)
        net.ok("policy", "load", str(net.dir / "policy.pw"))
        net.ok("policy", "assign", "KB908472")
        web(net, lab)
        nfs(net, lab)
        samba(net, lab)
        taken_away(net, lab)
        refused_by_testparm(net, lab)
    finally:
        lab.close()


pwtest.main(run)
