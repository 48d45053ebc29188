#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The four values of NoDefaultExempt on the wire, against a policy that blocks everything: exactly
the traffic of policy.md 6 passes, over IPv4 and IPv6, in and out, at once and without a restart.
The value comes from the configuration file, from netsh and from the registry."""
import contextlib
import signal
import socket
import struct
import time

from pwtest import C4, C6, LAN4, S4, S6, check, main, received

POLICY = f"""policy "Nothing" {{
    rule "Everything"  block from any to any
    rule "Secure"  negotiate in tcp from {LAN4} to me port 445
}}
"""
KERBEROS, MULTICAST = "Kerberos", "multicast"
# What passes at which level: policy.md 6 and windows.md 13.
LEVELS = {0: {KERBEROS, MULTICAST}, 1: {MULTICAST}, 2: {KERBEROS}, 3: set()}
GROUP4, GROUP6 = "239.7.7.7", "ff05::7:7"
RSVP = 46
N = 3


class Wire:
    """Sockets that stay open for the whole test, and probes between them."""

    def __init__(self, net):
        self.net = net
        self.index = {}
        for which, dev in (("S", "s0"), ("C", "c0")):
            with net.inside(which):
                self.index[which] = socket.if_nametoindex(dev)
        for address in (S4, S6):
            for port in (88, 445):
                net.tcp_listen("S", address, port)

    @contextlib.contextmanager
    def socket(self, which, address, kind, proto=0, port=0):
        s = self.net._socket(which, address, kind, proto)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        s.bind((address, port))
        s.setblocking(False)
        try:
            yield s
        finally:
            s.close()
            self.net.sockets.remove(s)

    def join(self, which, s, group):
        if ":" in group:
            data = socket.inet_pton(socket.AF_INET6, group) + struct.pack("=I", self.index[which])
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, data)
        else:
            data = struct.pack("4s4si", socket.inet_aton(group), bytes(4), self.index[which])
            s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, data)

    def send_by(self, which, s, group):
        if ":" in group:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, self.index[which])
        else:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                         struct.pack("4s4si", bytes(4), bytes(4), self.index[which]))

    @staticmethod
    def send(s, target, port):
        for _ in range(N):
            with contextlib.suppress(OSError):  # a packet dropped on its way out may be told
                s.sendto(b"probe", (target, port))

    def udp(self, sender, source, target, port, sport=0):
        """Datagrams that arrive at the other side."""
        other = "S" if sender == "C" else "C"
        with self.socket(other, target, socket.SOCK_DGRAM, port=port) as sink, \
                self.socket(sender, source, socket.SOCK_DGRAM, port=sport) as s:
            self.send(s, target, port)
            return received(sink, 0.12)

    def raw(self, sender, source, target, proto):
        other = "S" if sender == "C" else "C"
        with self.socket(other, target, socket.SOCK_RAW, proto) as sink, \
                self.socket(sender, source, socket.SOCK_RAW, proto) as s:
            self.send(s, target, 0)
            return received(sink, 0.12)

    def group(self, sender, source, group):
        other = "S" if sender == "C" else "C"
        anyone = "::" if ":" in group else "0.0.0.0"
        with self.socket(other, anyone, socket.SOCK_DGRAM, port=7777) as sink, \
                self.socket(sender, source, socket.SOCK_DGRAM) as s:
            self.join(other, sink, group)
            self.send_by(sender, s, group)
            self.send(s, group, 7777)
            return received(sink, 0.12)

    def broadcast(self, sender, source, target):
        other = "S" if sender == "C" else "C"
        with self.socket(other, "0.0.0.0", socket.SOCK_DGRAM, port=7778) as sink, \
                self.socket(sender, source, socket.SOCK_DGRAM) as s:
            if target == "255.255.255.255":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                             b"c0" if sender == "C" else b"s0")
            self.send(s, target, 7778)
            return received(sink, 0.12)

    def tcp(self, source, target, port, sport=0):
        return N if self.net.connect("C", source, target, port, sport) else 0


def probes(w):
    """Name, class of traffic that it belongs to (None: no level lets it pass), probe."""
    both = ((C4, S4), (C6, S6))
    for c, s in both:
        yield f"udp from {c} port 88 in", KERBEROS, lambda c=c, s=s: w.udp("C", c, s, 9, 88)
        yield f"udp from {c} to port 88 in", KERBEROS, lambda c=c, s=s: w.udp("C", c, s, 88)
        yield f"udp from port 88 to {c} out", KERBEROS, lambda c=c, s=s: w.udp("S", s, c, 9, 88)
        yield f"udp to {c} port 88 out", KERBEROS, lambda c=c, s=s: w.udp("S", s, c, 88)
        yield f"tcp from {c} port 88 to port 445", KERBEROS, \
            lambda c=c, s=s: w.tcp(c, s, 445, 88)
        yield f"tcp from {c} to port 88", KERBEROS, lambda c=c, s=s: w.tcp(c, s, 88)
        yield f"RSVP from {c} in", KERBEROS, lambda c=c, s=s: w.raw("C", c, s, RSVP)
        yield f"RSVP to {c} out", KERBEROS, lambda c=c, s=s: w.raw("S", s, c, RSVP)
        yield f"udp from {c} to 500 without negotiate", None, \
            lambda c=c, s=s: w.udp("C", c, s, 500, 500)
        yield f"udp from {c} to 53", None, lambda c=c, s=s: w.udp("C", c, s, 53, 1024)
        yield f"udp to {c} port 53 out", None, lambda c=c, s=s: w.udp("S", s, c, 53)
        yield f"tcp from {c} to 445", None, lambda c=c, s=s: w.tcp(c, s, 445, 1025)
        yield f"OSPF from {c}", None, lambda c=c, s=s: w.raw("C", c, s, 89)
        yield f"ping from {c}", None, lambda s=s: w.net.ping("C", s, 2, 0.12)
    for group, c, s in ((GROUP4, C4, S4), (GROUP6, C6, S6)):
        yield f"multicast {group} in", MULTICAST, lambda g=group, c=c: w.group("C", c, g)
        yield f"multicast {group} out", MULTICAST, lambda g=group, s=s: w.group("S", s, g)
    for target in ("192.168.1.255", "255.255.255.255"):
        yield f"broadcast {target} in", MULTICAST, lambda t=target: w.broadcast("C", C4, t)
        yield f"broadcast {target} out", MULTICAST, lambda t=target: w.broadcast("S", S4, t)


def see(net, w, level, how):
    """Exactly the documented traffic, and the warning where it belongs."""
    wrong = []
    for name, kind, probe in probes(w):
        got, expected = probe(), kind in LEVELS[level]
        if bool(got) != expected:
            wrong.append(f"{name}: {got}")
    check(not wrong, f"level {level} by {how}: exactly the documented traffic passes {wrong}")
    ike = {port: w.udp("C", LAN4, S4, port, port) for port in (500, 4500, 501)}
    check(ike == {500: N, 4500: N, 501: 0},
          f"level {level}: IKE of the host that negotiates, no other port ({ike})")
    done = net.cli("status", "--json")
    warned = "exempt-kerberos" in done.stdout
    check(warned == (level in (0, 2)), f"level {level}: warning {warned} in status")
    check(done.returncode == 6, "status exits 6 (for the rule that negotiates as well)")
    port88 = net.json("explain", "in", "tcp", "from", C4, "port", "88", "to", "me", "port", "445",
                      "--live")
    check((port88["verdict"] == "permit") == (KERBEROS in LEVELS[level]) and
          port88["kernel"]["agrees"], f"level {level}: explain about source port 88 agrees")


def wait_for(net, level, limit_s=5):
    """Until list --all shows the entries of the level; seconds."""
    start = time.monotonic()
    while time.monotonic() - start < limit_s:
        rules = {f["rule"] for f in net.json("list", "--all")["filters"] if f["id"] == "-"}
        if {kind for kind in (KERBEROS, MULTICAST) if kind in rules} == LEVELS[level]:
            return time.monotonic() - start
        time.sleep(0.02)
    return None


def by_file(net, level):
    net.config(f"[filter]\nexempt = {level}\n")
    net.agent.send_signal(signal.SIGHUP)
    took = wait_for(net, level)
    check(took is not None, f"level {level} by file: in force {took or 9:.2f} s after the reload")


def by_netsh(net, level):
    """Tags in different spellings; in force when the command returns."""
    words = ([f"property=ipsecexempt", f"value={level}"], ["ipsecexempt", str(level)],
             ["prop=IPSECEXEMPT", "val", "=", str(level)], [f"value={level}", "property=ipsecexempt"])
    done = net.cli("compat", "netsh", "ipsec", "dynamic", "set", "config", *words[level])
    check(done.returncode in (0, 6), f"netsh: level {level} ({done.returncode} {done.stderr})")
    return done


def by_registry(net, level):
    done = net.cli("compat", "reg", "add", r"HKLM\SYSTEM\CurrentControlSet\Services\IPSEC", "/v",
                   "NoDefaultExempt", "/t", "REG_DWORD", "/d", str(level), "/f")
    check(done.returncode in (0, 6), f"reg: level {level} ({done.returncode} {done.stderr})")
    return done


def by_dialects(net, w, pid):
    """The dialects' value is stored and stands above the file's, over a restart too."""
    for how, change in (("netsh", by_netsh), ("reg", by_registry)):
        for level in (1, 0, 2, 3):
            done = change(net, level)
            warned = "source port 88" in done.stderr
            check(warned == (level in (0, 2)), f"{how}: level {level}, loud warning {warned}")
            took = wait_for(net, level, 0.5)
            check(took is not None, f"{how}: level {level} is in force at once")
            see(net, w, level, how)
    check(net.json("status")["pid"] == pid, "all that without a restart")
    by_netsh(net, 1)
    net.config("[filter]\nexempt = 3\n")
    net.stop_agent()
    net.start_agent()
    check(wait_for(net, 1, 0.5) is not None, "the level outlives the agent")


def control(w):
    """Without the policy every probe arrives, so that silence means something."""
    silent = [name for name, _, probe in probes(w) if not probe()]
    check(not silent, f"control: without a policy all probes arrive {silent}")


def test(net):
    net.start_agent()
    w = Wire(net)
    control(w)
    net.ok("policy", "load", "-", text=POLICY)
    net.ok("policy", "assign", "Nothing")
    pid = net.json("status")["pid"]
    see(net, w, 3, "default")
    for level in (0, 1, 2, 3):
        by_file(net, level)
        see(net, w, level, "file")
    net.config("[filter]\nexempt = 4\n")
    net.agent.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    check(wait_for(net, 3) is not None, "exempt = 4 is refused, level 3 stays")
    by_dialects(net, w, pid)


if __name__ == "__main__":
    main(test)
