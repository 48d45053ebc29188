#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS names and server keywords in filters: a name that changes its address under load, a name
server that lies, stalls or floods, a restart without one, and the gateway keyword.

A small name server runs in C, portward-fetch and the agent in S."""
import json
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import pwtest
from pwtest import C4, FAR4, LAN4, S4, check, main, received

FETCH = pwtest.BUILD / "src/fetch/portward-fetch"
NAMED, CLOSED, OPEN = 9999, 8888, 7777
RATE = 1000  # datagrams per second, source and port
A, CNAME, AAAA = 1, 5, 28


def dns_name(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"


class Server:
    """A name server whose answers a test can change at any time."""

    def __init__(self, net):
        self.mode, self.ttl, self.addresses, self.queries = {}, {}, {}, 0
        self.udp = net._socket("C", C4, socket.SOCK_DGRAM)
        self.udp.bind((C4, 53))
        self.tcp = net._socket("C", C4, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((C4, 53))
        self.tcp.listen(16)
        threading.Thread(target=self.loop, daemon=True).start()

    def set(self, name, *addresses, mode="ok", ttl=1):
        self.addresses[name], self.mode[name], self.ttl[name] = addresses, mode, ttl

    def loop(self):
        while True:
            ready = select.select([self.udp, self.tcp], [], [])[0]
            if self.udp in ready:
                query, peer = self.udp.recvfrom(4096)
                answer = self.answer(query, tcp=False)
                if answer:
                    self.udp.sendto(answer, peer)
            if self.tcp in ready:
                connection = self.tcp.accept()[0]
                connection.settimeout(2)
                try:
                    size = struct.unpack("!H", connection.recv(2))[0]
                    answer = self.answer(connection.recv(size), tcp=True)
                    connection.sendall(struct.pack("!H", len(answer)) + answer)
                except (OSError, struct.error):
                    pass
                connection.close()

    def answer(self, query, tcp):
        self.queries += 1
        ident, at, labels = query[:2], 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, kind = ".".join(labels).lower(), struct.unpack("!H", query[at + 1:at + 3])[0]
        question = query[12:at + 5]
        mode, ttl = self.mode.get(name, "absent"), self.ttl.get(name, 1)
        addresses = self.addresses.get(name, ())
        owner, records, flags = b"\xc0\x0c", [], 0x8180
        if mode == "stall":
            return None
        if mode == "absent":
            flags |= 3
        if mode == "failed":
            flags |= 2
        if mode == "wrong-id":
            ident = bytes([ident[0] ^ 1, ident[1]])
        if mode == "wrong-question":
            question = dns_name("other.example") + question[-4:]
        if mode == "wrong-name":
            owner = dns_name("other.example")
        if mode == "many":  # as many as a message of 64 KB holds
            addresses = [f"10.9.{i >> 8}.{i & 255}" for i in range(4000)]
        if mode == "cname":
            target = dns_name("target.example")
            records.append(owner + struct.pack("!HHIH", CNAME, 1, ttl, len(target)) + target)
            owner = target
        if mode in ("truncated", "many") and not tcp:
            return ident + struct.pack("!HHHHH", flags | 0x200, 1, 0, 0, 0) + question
        for text in addresses:
            if kind == (AAAA if ":" in text else A):
                data = socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
                records.append(owner + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data)
        return (ident + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + question
                + b"".join(records))


def start_fetch(net, *extra):
    process = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{net.names['S']}", str(FETCH), "--runtime-dir",
         str(net.dir / "run"), "--nameserver", C4, "--min-ttl", "1", *extra])
    net.children.append(process)
    return process


def stop_fetch(process):
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=10)


def events(net, name):
    found = []
    for line in (net.dir / "agent.log").read_text().splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("event") == name:
            found.append(event)
    return found


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def generation(net):
    return net.json("status")["enforcement"]["generation"]


def warnings(net):
    return [w["code"] for w in json.loads(net.cli("status", "--json").stdout)["warnings"]]


class Load:
    """A child that sends numbered datagrams from three sources to three ports until stop()."""

    def __init__(self, net):
        self.sources = (FAR4, LAN4, C4)
        self.out = [net.udp("C", a) for a in self.sources]
        self.into = {port: net.udp("S", S4, port) for port in (NAMED, CLOSED, OPEN)}
        self.got = {(port, a): 0 for port in self.into for a in self.sources}
        self.first, self.last = {}, {}
        self.read, write = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            self.run(write)
        os.close(write)

    def run(self, write):
        stopped = []
        signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
        n, start, parent = 0, time.monotonic(), os.getppid()
        while not stopped and os.getppid() == parent:
            for s in self.out:
                for port in (NAMED, CLOSED, OPEN):
                    s.sendto(n.to_bytes(8, "big"), (S4, port))
            n += 1
            delay = start + n / RATE - time.monotonic()
            if delay > 0:
                time.sleep(delay)
        os.write(write, n.to_bytes(8, "big"))
        os._exit(0)

    def collect(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for s in select.select(list(self.into.values()), [], [], left)[0]:
                try:
                    while True:
                        source, port = s.recvfrom(64)[1][0], s.getsockname()[1]
                        self.got[port, source] += 1
                        self.last[port, source] = time.monotonic()
                        self.first.setdefault((port, source), time.monotonic())
                except BlockingIOError:
                    pass

    def stop(self, net):
        os.kill(self.child, signal.SIGTERM)
        n = int.from_bytes(os.read(self.read, 8), "big")
        os.waitpid(self.child, 0)
        os.close(self.read)
        self.collect(0.3)
        for s in (*self.out, *self.into.values()):
            s.close()
            net.sockets.remove(s)
        return n


def follows_under_load(net, server):
    """bad.example: FAR4, LAN4 -> LAN4, C4; good.example stays. LAN4 must never get through."""
    ttl = 2
    server.set("bad.example", FAR4, LAN4, ttl=ttl)
    server.set("good.example", FAR4, ttl=ttl)
    net.ok("block", "in", "udp", "from", "bad.example", "to", "me", "port", str(NAMED))
    net.ok("block", "in", "udp", "port", str(CLOSED))
    net.ok("block", "in", "udp", "port", str(OPEN))
    net.ok("permit", "in", "udp", "from", "good.example", "to", "me", "port", str(OPEN))
    listing = net.ok("list")
    check("(2 addresses)" in listing and "(1 address)" in listing, "list shows numbers of addresses")
    before = generation(net)
    load = Load(net)
    load.collect(1)
    server.set("bad.example", LAN4, C4, ttl=ttl)
    changed = time.monotonic()
    load.collect(ttl + 3)
    sent = load.stop(net)
    opened = load.first.get((NAMED, FAR4), 0) - changed
    closed = load.last.get((NAMED, C4), 0) - changed
    check(0 < opened < ttl + 1.5, f"the old address is free {opened:.2f} s after the change")
    check(0 < closed < ttl + 1.5, f"the new address is blocked {closed:.2f} s after the change")
    check(load.got[NAMED, LAN4] == 0, "the address that stayed never got through")
    check(all(load.got[CLOSED, a] == 0 for a in load.sources), "the other blocked port stays shut")
    check(load.got[OPEN, FAR4] == sent, f"no datagram of the permitted name lost ({sent} sent)")
    check(load.got[OPEN, LAN4] == load.got[OPEN, C4] == 0, "others do not use its permit")
    seen = [e for e in events(net, "address-changed") if e["NAME"] == "bad.example"]
    check(len(seen) == 1 and set(seen[0]["BEFORE"].split(",")) == {FAR4, LAN4}
          and set(seen[0]["AFTER"].split(",")) == {LAN4, C4}, "event with old and new addresses")
    check(generation(net) == before + 1, "one generation")


def is_blocked(net, source):
    s = net.udp("S", S4, NAMED)
    net.send_udp("C", source, S4, NAMED, n=5)
    n = received(s)
    s.close()
    net.sockets.remove(s)
    return n == 0


def wrong_answers(net, server):
    """Each of them changes nothing but an event; then a good answer is believed again."""
    cases = [("many", (), "address-refused", "too-many"),
             ("ok", ("0.0.0.0",), "address-refused", "unspecified"),
             ("ok", ("127.0.0.1", LAN4), "address-refused", "loopback"),
             ("ok", ("224.0.0.1",), "address-refused", "multicast"),
             ("ok", ("255.255.255.255",), "address-refused", "reserved"),
             ("ok", (S4,), "address-refused", "of this host"),
             ("ok", ("::ffff:10.1.1.9",), "address-refused", "IPv4-mapped"),
             ("absent", (), "name-failed", "no such name"),
             ("ok", (), "name-failed", "no such name, or no address"),
             ("failed", (), "name-failed", ""),
             ("wrong-name", (FAR4,), "name-failed", "wrong-name"),
             ("wrong-question", (FAR4,), "name-failed", "timeout"),
             ("wrong-id", (FAR4,), "name-failed", "timeout"),
             ("stall", (), "name-failed", "timeout")]
    for mode, addresses, event, reason in cases:
        server.set("bad.example", LAN4, C4)
        good = wait_for(lambda: not warnings(net), 15)
        number, n = generation(net), len(events(net, event))
        server.set("bad.example", *addresses, mode=mode)
        seen = wait_for(lambda: len(events(net, event)) > n, 15)
        last = events(net, event)[-1] if seen else {}
        check(good and seen and last["NAME"] == "bad.example" and reason in last["REASON"],
              f"{mode} {' '.join(addresses)}: event {event} ({last.get('REASON')})")
        check(generation(net) == number and is_blocked(net, LAN4) and is_blocked(net, C4)
              and not is_blocked(net, FAR4), f"{mode} {' '.join(addresses)}: nothing else changed")
    start = time.monotonic()
    net.ok("block", "in", "tcp", "port", "4444")
    check(time.monotonic() - start < 1, "a stalled name server does not slow down a command")
    net.ok("delete", "block", "in", "tcp", "port", "4444")
    server.set("bad.example", LAN4, C4)


def good_shapes(net, server):
    server.set("alias.example", FAR4, mode="cname")
    server.set("cut.example", FAR4, mode="truncated")
    server.set("zero.example", FAR4, ttl=0)
    for name in ("alias.example", "cut.example", "zero.example"):
        identity = net.block("block", "in", "udp", "from", name, "to", "me", "port", str(NAMED))
        check(is_blocked(net, FAR4), f"{name}: resolved and enforced")
        net.ok("delete", identity)
        check(not is_blocked(net, FAR4), f"{name}: deleted")


def refused_names(net, server):
    server.set("stall.example", mode="stall")
    number = generation(net)
    done = net.cli("block", "in", "from", "nobody.example", "to", "me")
    check(done.returncode == 7 and "nobody.example" in done.stderr, "a name that does not exist: 7")
    waiting = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{net.names['S']}", str(pwtest.CLI), "--runtime-dir",
         str(net.dir / "run"), "block", "in", "from", "stall.example", "to", "me"],
        stderr=subprocess.PIPE, text=True)
    time.sleep(0.5)
    start = time.monotonic()
    net.ok("block", "in", "tcp", "port", "4445")
    check(time.monotonic() - start < 1 and waiting.poll() is None,
          "a command that waits for a name holds up no other")
    net.ok("delete", "block", "in", "tcp", "port", "4445")
    error = waiting.communicate(timeout=20)[1]
    check(waiting.returncode in (1, 7) and "stall.example" in error,
          f"a name without answer: refused ({error.splitlines()[0] if error else ''})")
    check("stall.example" not in net.ok("list") and generation(net) == number + 2,
          "nothing of the refused ones is in force")
    done = net.cli("permit", "in", "from", "good.example", "to", "me")
    check(done.returncode == 7 and "needs protocol and port" in done.stderr,
          "a wide permit by name is refused")
    net.ok("policy", "load", "-", text='policy "N" { rule "r" block in from nobody.example }')
    done = net.cli("policy", "assign", "N")
    check(done.returncode == 7 and "nobody.example" in done.stderr, "so is assigning it: 7")
    net.ok("policy", "delete", "N")
    rules = "".join(f"block in from h{i}.many.example\n" for i in range(1001))
    net.ok("policy", "load", "-", text=f'policy "M" {{ rule "r" {{ {rules} }} }}')
    done = net.cli("policy", "assign", "M")
    check(done.returncode == 7 and "more than 1000 DNS names" in done.stderr, "1,001 names: 7")
    net.ok("policy", "delete", "M")
    identity = net.block("block", "in", "udp", "from", "good.example", "to", "me", "port", "1")
    check(identity, "which leaves room for others")
    net.ok("delete", identity)


def hostile_fetcher(net):
    """Raw lines on fetch.sock: the connection ends, nothing changes."""
    number = generation(net)
    path = str(net.dir / "run/fetch.sock")
    many = " ".join(f"10.9.{i >> 8}.{i & 255}" for i in range(10000))
    for what, text in (("10,000 addresses", f"found bad.example 60 {many}"),
                       ("65 addresses", "found bad.example 60 " + " ".join(["10.9.9.9"] * 65)),
                       ("a lifetime of zero", "found bad.example 0 10.9.9.9"),
                       ("a wrong word", "run /bin/sh"),
                       ("no hello", None)):
        n = len(events(net, "fetch-lost"))
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.settimeout(5)
            s.sendall((f"portward-fetch 1\n{text}\n" if text else "hello\n").encode())
            try:
                while s.recv(65536):
                    pass
                ended = True
            except TimeoutError:
                ended = False
            except OSError:
                ended = True
        lost = not text or wait_for(lambda: len(events(net, "fetch-lost")) > n, 5)
        check(ended and lost and generation(net) == number, f"hostile fetcher, {what}: shut out")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(b"portward-fetch 1\nfound other.example 60 10.9.9.9\n")
        time.sleep(0.2)
        check(generation(net) == number, "an answer nobody asked for is ignored")


def restart_without_resolver(net):
    net.ok("policy", "load", "-",
           text='policy "by name" { rule "bad" block in udp from bad.example to me port 6666 }')
    net.ok("policy", "assign", "by name")
    return net.stop_agent()


def keeps_last_good(net):
    net.start_agent()
    check(is_blocked(net, LAN4) and is_blocked(net, C4) and not is_blocked(net, FAR4),
          "after a restart without resolver the last good addresses are in force")
    check("fetch-not-connected" in warnings(net), "status says that nobody renews them")
    done = net.cli("block", "in", "from", "new.example", "to", "me")
    check(done.returncode == 1 and "portward-fetch" in done.stderr,
          "a new name without resolver is refused: 1")
    check(net.cli("block", "in", "tcp", "port", "4446").returncode == 0,
          "filters without names do not care")


def lost_addresses(net):
    net.stop_agent(signal.SIGKILL)
    names = net.dir / "state/names"
    kept = names.read_text()
    names.unlink()
    process = net.start_agent(expect_ready=False)
    check(process.wait(timeout=30) == 1, "lost addresses of a block: the start is refused")
    check(is_blocked(net, LAN4), "what is in force stays")
    names.write_text(kept)
    net.start_agent()
    check(is_blocked(net, LAN4), "with the file again it starts")


def keywords(net):
    net.ip("S", "route", "add", "default", "via", C4)
    identity = net.block("block", "in", "udp", "from", "gateway", "to", "me", "port", "5555")
    other = net.udp("S", S4, 5555)
    net.send_udp("C", C4, S4, 5555)
    check(received(other) == 0, "gateway: the default gateway is blocked")
    net.send_udp("C", LAN4, S4, 5555)
    check(received(other) > 0, "gateway: others are not")
    net.ip("S", "route", "replace", "default", "via", "192.168.1.77")
    seen = wait_for(lambda: any(e["NAME"] == "gateway" and e["AFTER"] == "192.168.1.77"
                                for e in events(net, "address-changed")), 5)
    net.send_udp("C", C4, S4, 5555)
    check(seen and received(other) > 0, "gateway: another default route is followed, with event")
    net.ip("S", "route", "del", "default")
    check(wait_for(lambda: "(0 addresses)" in net.ok("list"), 8), "gateway: no route, no address")
    net.ok("delete", identity)
    done = net.cli("block", "in", "udp", "from", "wins", "to", "me", "port", "5556")
    check(done.returncode == 0 and "stands for no address" in done.stdout + done.stderr,
          "wins: stands for nothing, said so")
    net.config(f"[filter]\nwins = {C4}, {LAN4}\n")
    net.agent.send_signal(signal.SIGHUP)
    check(wait_for(lambda: "(2 addresses)" in
                   "".join(x for x in net.ok("list").splitlines() if "wins" in x), 8),
          "wins: taken from the configuration")
    shown = [x for x in net.ok("list").splitlines() if "wins" in x][0].split()[0]
    net.ok("delete", shown)


def uid_of(process):
    lines = open(f"/proc/{process.pid}/status").read().splitlines()
    return [line.split()[1:5] for line in lines if line.startswith("Uid:")][0]


def becomes_its_user(net):
    """With a user portward-fetch in /etc/passwd, in a mount namespace of its own."""
    passwd = net.dir / "passwd"
    with open("/etc/passwd") as f:
        passwd.write_text("portward-fetch:x:990:990::/nonexistent:/usr/sbin/nologin\n" + f.read())
    process = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", 'mount --make-rprivate / 2>/dev/null; mount --bind "$1" '
         '/etc/passwd && exec "$2" --runtime-dir "$3"', "sh", str(passwd), str(FETCH),
         str(net.dir / "nowhere")], stderr=subprocess.DEVNULL)
    net.children.append(process)
    check(wait_for(lambda: uid_of(process) == ["990"] * 4, 5),
          "started by root it becomes user portward-fetch before it connects")
    stop_fetch(process)


def test(net):
    server = Server(net)
    net.start_agent()
    fetch = start_fetch(net)
    check(wait_for(lambda: events(net, "fetch-connected"), 5), "portward-fetch connects")
    time.sleep(0.2)
    check("0" not in uid_of(fetch), f"portward-fetch runs as user {uid_of(fetch)[0]}")
    becomes_its_user(net)
    follows_under_load(net, server)
    good_shapes(net, server)
    refused_names(net, server)
    wrong_answers(net, server)
    keywords(net)
    restart_without_resolver(net)
    if fetch.poll() is None:
        stop_fetch(fetch)
    keeps_last_good(net)
    hostile_fetcher(net)
    lost_addresses(net)


if __name__ == "__main__":
    main(test)
