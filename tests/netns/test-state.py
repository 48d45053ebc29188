#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`keep state` on real packets: what was asked for is answered, and nothing else comes in. Usage:
test-state.py [SYNS [PART...]]; from a million SYNs on it also waits for real time to pass."""
import contextlib
import json
import os
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

from pwtest import C4, C6, FAR4, S4, S6, check, checksum, main, received, run, until

FLOOD = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
LONG = FLOOD >= 1000000
SEED = int(os.environ.get("PORTWARD_SEED", time.time_ns() % 10**9))
SYN, RST, ACK, FIN = 2, 4, 16, 1


def ask(net, server, source, target, sport=0, port=53):
    """Sends from S, and lets the server answer; the socket that waits for the answer."""
    s = net.udp("S", source, sport)
    s.sendto(b"question", (target, port))
    select.select([server], [], [], 1)
    data, peer = server.recvfrom(2048)
    server.sendto(b"answer to " + data, peer)
    return s, peer


def answered(s, wait_s=0.3):
    return bool(select.select([s], [], [], wait_s)[0]) and bool(s.recv(2048))


def datagrams(net):
    for source, target in ((S4, C4), (S6, C6)):
        server, other = net.udp("C", target, 53), net.udp("C", target, 54)
        s, peer = ask(net, server, source, target)
        check(not answered(s), f"control: without a permit no answer to {source}")
        net.block("permit", "out", "udp", "to", target, "port", "53", "keep", "state")
        s, peer = ask(net, server, source, target)
        check(answered(s), f"the answer reaches {source}")
        server.sendto(b"again", peer)
        check(answered(s), "and one more")
        other.sendto(b"forged", peer)
        check(not answered(s), "from another port of the server: nothing")
        neighbour = net.udp("S", source, 7000)
        server.sendto(b"forged", (source, 7000))
        check(not answered(neighbour), "to another port from port 53: nothing")
        net.ok("flush")
        net.ok("block", "in", "all")
        server.sendto(b"late", peer)
        check(not answered(s), "the permit is gone, and its flow with it")
    stranger = net.udp("C", C4, 60)
    net.block("permit", "out", "udp", "port", "60", "keep", "state")
    s, peer = ask(net, stranger, S4, C4, port=60)
    check(answered(s), "permit to anywhere")
    net.ok("flush")
    net.ok("block", "in", "all")


class Resolver:
    """A real one: dig in S asks dnsmasq in C."""

    @staticmethod
    def is_here():
        return shutil.which("dnsmasq") and shutil.which("dig")

    def __init__(self, net):
        self.net = net
        self.daemon = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{net.names['C']}", "dnsmasq", "--keep-in-foreground",
             "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--pid-file", "--user=root",
             "--port=53", f"--listen-address={C4}", "--bind-interfaces",
             "--address=/portward.test/192.0.2.77"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        net.children.append(self.daemon)
        until(lambda: self.answers(which="C"))

    def answers(self, *words, which="S", tries=2):
        done = subprocess.run(
            ["nsenter", f"--net=/run/netns/{self.net.names[which]}", "dig", f"@{C4}", "+short",
             "+time=1", f"+tries={tries}", "portward.test", *words], text=True,
            capture_output=True, timeout=60)
        return done.stdout.strip() == "192.0.2.77"

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait()


def resolver(net):
    if not Resolver.is_here():
        print("SKIP: no dnsmasq or dig here: the part with a real resolver is left out")
        return
    dns = Resolver(net)
    check(not dns.answers(), "control: dig gets no answer under 'block in all'")
    one = net.block("permit", "out", "udp", "to", C4, "port", "53", "keep", "state")
    check(dns.answers(tries=5), "dig gets its answer")
    check(all(dns.answers(tries=5) for _ in range(10)), "ten times")
    check(not dns.answers("+tcp"), "over TCP not: nobody permitted it")
    two = net.block("permit", "out", "tcp", "to", C4, "port", "53", "keep", "state")
    check(dns.answers("+tcp", tries=5), "over TCP with a permit")
    for identity in (one, two):
        net.ok("delete", identity)
    dns.stop()


def make_older(net, seconds):
    """All that the tables remember, as if so much time had gone by; how many entries."""
    count = 0
    for table in ("lo_new", "lo_est", "re_new", "re_est"):
        path = str(net.pins / "map" / table)
        for entry in json.loads(run(["bpftool", "-j", "map", "dump", "pinned", path]).stdout):
            value = bytes(int(b, 16) for b in entry["value"])
            seen, = struct.unpack_from("=Q", value)
            older = struct.pack("=Q", seen - seconds * 10**9) + value[8:]
            run(["bpftool", "map", "update", "pinned", path, "key", *entry["key"], "value",
                 *(f"0x{b:02x}" for b in older)])
            count += 1
    return count


def after_its_time(net):
    """60 s after a question nobody may answer it any more; 180 s after an answer no more."""
    dns = net.block("permit", "out", "udp", "to", C4, "port", "53", "keep", "state")
    server = net.udp("C", C4, 53)
    for was_answered, life in ((False, 60), (True, 180)):
        net.ok("state", "delete", "all")
        s = net.udp("S", S4)
        s.sendto(b"question", (C4, 53))
        select.select([server], [], [], 5)
        _, peer = server.recvfrom(2048)
        if was_answered:
            server.sendto(b"answer", peer)
            check(answered(s), "answered once")
        if LONG and not was_answered:
            time.sleep(life - 2)
        else:
            check(make_older(net, life - 2) == 1, "one entry")
        server.sendto(b"in time", peer)
        check(answered(s), f"{life - 2} s later: in time")
        net.ok("state", "delete", "all")
        s.sendto(b"question", (C4, 53))
        select.select([server], [], [], 5)
        server.recvfrom(2048)
        if was_answered:
            server.sendto(b"answer", peer)
            check(answered(s), "answered once")
        if LONG and not was_answered:
            time.sleep(life + 1)
        else:
            make_older(net, life + 1)
        server.sendto(b"late", peer)
        check(not answered(s), f"{life + 1} s later: from the same server and port, but too late")
    net.ok("delete", dns)


SHORT_S = 0.8  # for what must not come


class Connection:
    """A TCP connection between namespaces, both ends of it. By default there is time for TCP to
    send a segment again that a busy machine lost; who expects silence waits for SHORT_S."""

    def __init__(self, net, which, source, target, port, wait_s=5.0):
        peer = "C" if which == "S" else "S"
        self.open = False
        listener = net.tcp_listen(peer, target, port)
        self.client = net._socket(which, target, socket.SOCK_STREAM)
        self.client.settimeout(wait_s)
        self.client.bind((source, 0))
        with contextlib.suppress(OSError):
            self.client.connect((target, port))
            select.select([listener], [], [], 1)
            self.server, _ = listener.accept()
            net.sockets.append(self.server)
            self.open = True
        listener.close()
        net.sockets.remove(listener)

    def talks(self, wait_s=3.0):
        """Both directions carry data."""
        for a, b in ((self.client, self.server), (self.server, self.client)):
            with contextlib.suppress(OSError):
                b.setblocking(False)
                while b.recv(65536):
                    pass
            try:
                a.send(b"ping")
            except OSError:
                return False
            if not select.select([b], [], [], wait_s)[0]:
                return False
        return True


def tcp_packet(source, target, sport, dport, flags, seq=1, ack=1):
    """The segment alone, for a raw socket that makes the IP header."""
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 1024, 0, 0)
    pseudo = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!BBH", 0, 6, 20)
    return head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:]


def connections(net):
    for source, target in ((S4, C4), (S6, C6)):
        check(not Connection(net, "S", source, target, 8080, wait_s=SHORT_S).open,
              f"control: {source} gets no answer to its connection")
        identity = net.block("permit", "out", "tcp", "port", "8080", "keep", "state")
        c = Connection(net, "S", source, target, 8080)
        if not check(c.open and c.talks(), f"a connection of {source} is answered"):
            continue
        c.server.settimeout(5)
        c.client.settimeout(5)
        c.server.sendall(b"x" * 100000)
        got = b""
        while got.count(b"x") < 100000:
            got += c.client.recv(65536)
        check(got.count(b"x") == 100000, "100,000 bytes come back")
        check(not net.connect("C", target, source, 8080), "nobody connects to it")
        if source == S4:
            intruders(net, c)
        net.ok("delete", identity)
        check(not c.talks(SHORT_S), "the permit is gone, and the connection is mute")
        identity = net.block("permit", "out", "tcp", "port", "8080")
        check(not c.talks(SHORT_S), "a permit without state does not bring it back")
        net.ok("delete", identity)


def intruders(net, c):
    """Forged segments from the peer's address: none does anything to the state."""
    _, sport = c.client.getsockname()
    raw = net.raw("C", C4, socket.IPPROTO_TCP)
    for flags in (RST, FIN, RST | ACK, FIN | ACK):
        raw.sendto(tcp_packet(C4, S4, 8080, sport, flags, seq=0x12345678), (S4, 0))
    check(c.talks(), "blind RST and FIN change nothing")
    stats = blocked(net)
    for n in range(20):
        raw.sendto(tcp_packet(C4, S4, 8080, sport, SYN, seq=n), (S4, 0))
        raw.sendto(tcp_packet(C4, S4, 8081, sport, ACK, seq=n), (S4, 0))
    time.sleep(0.1)
    check(blocked(net) - stats == 40, "SYN on the same tuple, ACK on another one: dropped")


def blocked(net):
    return net.json("status")["packets"]["in"]["dropped"].get("filter", 0)


def bans(net):
    permit = net.block("permit", "out", "tcp", "port", "8080", "keep", "state")
    dns = net.block("permit", "out", "udp", "port", "53", "keep", "state")
    server = net.udp("C", C4, 53)
    for words in (("block", "in", "from", C4), ("block", "from", C4, "to", "me", "mirrored"),
                  ("block", "in", "all", "override"), ("block", "in", "from", "192.168.1.0/24")):
        c = Connection(net, "S", S4, C4, 8080)
        s, peer = ask(net, server, S4, C4)
        check(c.open and c.talks() and answered(s), "before the ban both are answered")
        ban = net.block(*words)
        server.sendto(b"more", peer)
        check(not answered(s), f"'{' '.join(words)}' ends the answers to datagrams")
        check(not c.talks(SHORT_S), "and the connection")
        if "mirrored" in words:
            for n in (received(server), received(c.server)):
                check(n == 0, "what is on its way is nothing")
            with contextlib.suppress(OSError):
                s.sendto(b"out", (C4, 53))
                c.client.send(b"out")
            check(received(server) == 0 and not select.select([c.server], [], [], 0.5)[0],
                  "nothing leaves for a banned peer either")
        net.ok("delete", ban)
    for identity in (permit, dns):
        net.ok("delete", identity)


def served(net):
    """The opposite: 'block out all', and services that answer."""
    net.ok("flush")
    net.ok("block", "out", "all")
    check(not Connection(net, "C", C4, S4, 22, wait_s=SHORT_S).open, "control: no answer leaves")
    identity = net.block("permit", "in", "tcp", "port", "22", "keep", "state")
    udp = net.block("permit", "in", "udp", "port", "123", "keep", "state")
    for source, target in ((C4, S4), (C6, S6)):
        c = Connection(net, "C", source, target, 22)
        check(c.open and c.talks(), f"a service on {target} answers")
        check(not Connection(net, "S", target, source, 22, wait_s=SHORT_S).open,
              "but nothing is opened from here")
        server, client = net.udp("S", target, 123), net.udp("C", source)
        client.sendto(b"time?", (target, 123))
        select.select([server], [], [], 1)
        _, peer = server.recvfrom(100)
        server.sendto(b"now", peer)
        check(answered(client), "a datagram is answered")
        with contextlib.suppress(PermissionError):
            server.sendto(b"unasked", (source, 9))
        c.client.close()
        c.server.close()
    check(net.ping("C", S4, 3) == 0, "control: echo is not answered")
    echo = net.block("permit", "in", "icmp", "type", "8", "keep", "state")
    check(net.ping("C", S4, 3) == 3, "echo is answered with a permit")
    for each in (identity, udp, echo):
        net.ok("delete", each)
    net.ok("flush")
    net.ok("block", "in", "all")
    check(net.ping("S", C4, 3) == 0, "control: our echo gets no answer")
    net.block("permit", "out", "icmp", "type", "8", "keep", "state")
    check(net.ping("S", C4, 3) == 3, "our echo is answered")
    net.ok("flush")
    net.ok("block", "in", "all")


def icmp_error(kind, code, quoted, mtu=0):
    body = struct.pack("!BBHHH", kind, code, 0, 0, mtu) + quoted
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def quoted_packet(source, target, sport, dport, proto=17):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1400, 7, 0x4000, 63, proto, 0,
                       socket.inet_aton(source), socket.inet_aton(target))
    return head + struct.pack("!HHHH", sport, dport, 1380, 0)


def errors(net):
    """'Fragmentation needed' about a packet of ours passes, from whatever router it comes."""
    net.block("permit", "out", "udp", "port", "53", "keep", "state")
    net.block("permit", "out", "tcp", "port", "8080", "keep", "state")
    server = net.udp("C", C4, 53)
    s, (_, sport) = ask(net, server, S4, C4)
    c = Connection(net, "S", S4, C4, 8080)
    seen = net.raw("S", S4, socket.IPPROTO_ICMP)
    router = net.raw("C", FAR4, socket.IPPROTO_ICMP)
    router.bind((FAR4, 0))
    for name, quoted, passes in (
            ("a datagram", quoted_packet(S4, C4, sport, 53), True),
            ("a connection", quoted_packet(S4, C4, c.client.getsockname()[1], 8080, 6), True),
            ("a datagram nobody sent", quoted_packet(S4, C4, sport, 54), False),
            ("a connection of nobody", quoted_packet(S4, C4, 4, 8080, 6), False),
            ("a packet of another host", quoted_packet("192.0.2.1", C4, sport, 53), False)):
        received(seen)
        router.sendto(icmp_error(3, 4, quoted, 1300), (S4, 0))
        check((received(seen) > 0) == passes,
              f"'fragmentation needed' about {name} {'passes' if passes else 'is dropped'}")
    check(c.talks(), "the connection goes on")
    net.ok("flush")
    net.ok("block", "in", "all")


def silence(net):
    """After its time an entry lets nothing in; ICMP has the shortest one."""
    net.block("permit", "out", "icmp", "type", "8", "keep", "state")
    seen, peer = net.raw("S", S4, socket.IPPROTO_ICMP), net.raw("C", C4, socket.IPPROTO_ICMP)
    net.sysctl("C", "net.ipv4.icmp_echo_ignore_all", "1")

    def echo(kind, ident):
        body = struct.pack("!BBHHH", kind, 0, 0, ident, 1)
        return body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    seen.sendto(echo(8, 77), (C4, 0))
    time.sleep(0.1)
    for ident, passes in ((77, True), (78, False)):
        peer.sendto(echo(0, ident), (S4, 0))
        check((received(seen) > 0) == passes, f"reply with id {ident}: {passes}")
    time.sleep(11)
    peer.sendto(echo(0, 77), (S4, 0))
    check(received(seen) == 0, "11 s later no more")
    net.sysctl("C", "net.ipv4.icmp_echo_ignore_all", "0")
    net.ok("flush")
    net.ok("block", "in", "all")


class Attack:
    """Spoofed SYNs, half as many forged answers of the name server and as many datagrams to a
    service, blind RSTs for real connections; from a process of CPU 0, this one stays on CPU 1."""

    def __init__(self, net, links):
        self.read, write = os.pipe()
        tuples = [c.client.getsockname()[1] for c in links]
        raw = net.raw("C", C4, socket.IPPROTO_RAW)
        raw.setblocking(True)
        self.child = os.fork()
        if self.child:
            os.close(write)
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
            return
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        rng, sent = random.Random(SEED), [0] * 4
        for n in range(FLOOD):
            port, source = 1024 + n % 60000, 0x0a010000 + rng.randrange(1, 0xffff)
            packets = [segment(source, port, 9, SYN, n)]
            if n % 2:
                packets.append(datagram(PEER, 53, port))
                packets.append(datagram(source, port, 123))
            if n % 20 == 0 and tuples:
                packets.append(segment(PEER, 8080, tuples[n // 20 % len(tuples)], RST,
                                       rng.getrandbits(32)))
            for kind, packet in enumerate(packets):
                with contextlib.suppress(OSError):
                    raw.sendto(packet, (S4, 0))
                    sent[3 if n % 20 == 0 and kind == len(packets) - 1 else kind] += 1
        os.write(write, struct.pack("4Q", *sent))
        os._exit(0)

    def goes_on(self):
        return not select.select([self.read], [], [], 0)[0]

    def result(self):
        sent = struct.unpack("4Q", os.read(self.read, 32))
        os.waitpid(self.child, 0)
        os.close(self.read)
        return sent


PEER, HOST = (int.from_bytes(socket.inet_aton(a), "big") for a in (C4, S4))


def ip_header(source, proto, length):
    return struct.pack("!BBHHHBBHII", 0x45, 0, 20 + length, 0, 0, 64, proto, 0, source, HOST)


def segment(source, sport, dport, flags, seq):
    """With its checksum, in few steps: there are millions of them."""
    total = (HOST >> 16) + (HOST & 0xffff) + (source >> 16) + (source & 0xffff) + 6 + 20 + sport + \
        dport + (seq >> 16) + (seq & 0xffff) + (5 << 12 | flags) + 1024
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ip_header(source, 6, 20) + struct.pack("!HHIIBBHHH", sport, dport, seq, 0, 5 << 4, flags,
                                                  1024, ~total & 0xffff, 0)


def datagram(source, sport, dport):
    return ip_header(source, 17, 8) + struct.pack("!HHHH", sport, dport, 8, 0)


def still_answered(server, asked):
    """Whether all of them get answers; a datagram that the flood's queue had no room for is sent
    again."""
    for s, peer in asked:
        received(s, 0)  # forged ones that named its very port
        for _ in range(5):
            server.sendto(b"still here", peer)
            if answered(s, 1):
                break
        else:
            return False
    return True


def flood(net):
    """Forged answers and SYNs beside real ones: all real ones survive."""
    for words in ("out udp port 53", "out tcp port 8080", "in udp port 123", "in tcp port 9"):
        net.block("permit", *words.split(), "keep", "state")
    net.ok("block", "out", "all")
    # One neighbour for all spoofed addresses: the table of neighbours is one for all namespaces.
    net.ip("S", "route", "replace", "10.1.0.0/16", "via", C4)
    server = net.udp("C", FAR4, 53)
    asked = [ask(net, server, S4, FAR4) for _ in range(10)]
    check(all(answered(s) for s, _ in asked), "10 questions are answered")
    links = [Connection(net, "S", S4, C4, 8080) for _ in range(10)]
    check(all(c.open for c in links), "10 connections")
    asks = Resolver(net) if Resolver.is_here() else None
    listener = net.tcp_listen("S", S4, 9)
    cpus, begin, rounds, bad = os.sched_getaffinity(0), time.monotonic(), 0, []
    attack = Attack(net, links)
    while attack.goes_on() or not rounds:
        rounds += 1
        # A forged answer that guesses the port of a question is one to any filter, and ends dig.
        if asks and not any(asks.answers(tries=3) for _ in range(3)):
            bad.append("resolver")
        if not still_answered(server, asked):
            bad.append("datagrams")
        bad += [f"connection {i}" for i, c in enumerate(links) if not c.talks(3)]
    sent = attack.result()
    os.sched_setaffinity(0, cpus)
    check(not bad, f"seed {SEED}: {rounds} rounds of {'a resolver, ' if asks else ''}10 "
          f"conversations and 10 connections under {sent[0]} SYNs, {sent[1]} forged answers, "
          f"{sent[2]} datagrams, {sent[3]} RSTs in {time.monotonic() - begin:.1f} s: {bad}")
    check(sent[0] > 0.9 * FLOOD and sent[1] > 0.45 * FLOOD - 1 and sent[3] > 0, "they were sent")
    check(still_answered(server, asked), "all 10 still get answers")
    check(all(c.talks(3) for c in links), "all 10 connections still talk")
    s, _ = ask(net, server, S4, FAR4)
    check(answered(s, 2), "a new question is answered")
    if asks:
        check(asks.answers(), "and one of dig")
        asks.stop()
    listener.close()
    net.sockets.remove(listener)
    net.ip("S", "route", "replace", "10.1.0.0/16", "dev", "s0")
    net.ok("flush")
    net.ok("block", "in", "all")


def listed(net):
    """`portward state list` names what is remembered, `state delete` ends it."""
    net.block("permit", "out", "udp", "port", "53", "keep", "state")
    net.block("permit", "out", "tcp", "port", "8080", "keep", "state")
    server, far = net.udp("C", C4, 53), net.udp("C", FAR4, 53)
    net.ok("state", "delete", "all")
    s, peer = ask(net, server, S4, C4)
    other, other_peer = ask(net, far, S4, FAR4)
    links = [Connection(net, "S", source, target, 8080) for source, target in ((S4, C4), (S6, C6))]
    check(answered(s) and answered(other) and all(c.open for c in links), "two of each")
    flows = net.json("state", "list")["flows"]
    mine = [f for f in flows if f["protocol"] == "udp" and f["destination"] == C4]
    check(len(mine) == 1 and mine[0]["source"] == S4 and mine[0]["source_port"] == peer[1] and
          mine[0]["destination_port"] == 53 and mine[0]["opened"] == "out" and
          mine[0]["answered"] is True and mine[0]["idle_s"] < 5 and mine[0]["filter"],
          f"the datagrams are listed: {mine}")
    for c, target in zip(links, (C4, C6)):
        port = c.client.getsockname()[1]
        mine = [f for f in flows if f["kept"] == "connection" and f["source_port"] == port]
        check(len(mine) == 1 and mine[0]["destination"] == target and mine[0]["answered"] is None,
              f"the connection to {target} is listed")
    text = net.ok("state", "list")
    check(f"{C4}:53" in text and f"[{C6}]:8080" in text, "as a table, too")
    check(net.json("state", "delete", C4, "--dry-run")["deleted"] == 2 and links[0].talks(),
          "--dry-run counts and deletes nothing")
    check(net.json("state", "delete", C4)["deleted"] == 2, "both flows of one address go")
    server.sendto(b"x", peer)
    far.sendto(b"x", other_peer)
    check(not answered(s) and answered(other), "its answers are dropped, others not")
    check(not links[0].talks(SHORT_S) and links[1].talks(), "connections likewise")
    check(net.json("state", "delete", C6)["deleted"] == 1 and not links[1].talks(SHORT_S), "IPv6")
    net.ok("state", "delete", "all")
    check(net.json("state", "list")["total"] == 0, "all: none is left")
    check(net.cli("state", "delete", "nobody").returncode == 2, "a word that is no address: 2")
    s, peer = ask(net, server, S4, C4)
    check(answered(s), "the next question is answered again")
    time.sleep(5.5)
    counts = net.json("status")["flows"]
    check(counts["out_answered"] == 1 and counts["out_new"] == 0, f"status counts it: {counts}")
    net.ok("flush")
    net.ok("block", "in", "all")


def explained(net):
    """`explain` names the table, and says whether an answer passes for that."""
    dns = net.block("permit", "out", "udp", "port", "53", "keep", "state")
    web = net.block("permit", "out", "tcp", "port", "8080", "keep", "state")
    net.ok("state", "delete", "all")

    def said(direction, proto, source, sport, target, port):
        return net.json("explain", direction, proto, "from", source, "port", str(sport), "to",
                        target, "port", str(port), *(["ack"] if proto == "tcp" else []), "on", "s0")
    x = said("out", "udp", S4, 4000, C4, 53)["state"]
    check(x == {"table": "out-new", "opened": "out", "exists": False, "answer": False,
                "passes": False, "filter": dns}, f"a question would be remembered: {x}")
    check(said("in", "udp", C4, 53, S4, 4000)["state"] is None, "an answer to nothing: no state")
    server = net.udp("C", C4, 53)
    s, (_, sport) = ask(net, server, S4, C4)
    check(answered(s), "a question is answered")
    c = Connection(net, "S", S4, C4, 8080)
    rows = (("udp", 53, sport, "out-answered", dns),
            ("tcp", 8080, c.client.getsockname()[1], "connection", web))
    for proto, port, own, table, permit in rows:
        for ban in (None, ("block", "in", "from", C4)):
            identity = net.block(*ban) if ban else None
            x = said("in", proto, C4, port, S4, own)
            check(x["verdict"] == "block" and x["state"] == {
                "table": table, "opened": "out", "exists": True, "answer": True,
                "passes": not ban, "filter": permit},
                f"{proto} answer, {'with a ban' if ban else 'no ban'}: {x['state']}")
            if identity:
                net.ok("delete", identity)
    text = net.ok("explain", "in", "udp", "from", C4, "port", "53", "to", S4, "port", str(sport))
    check(f"state      answers a flow in out-answered, permitted by {dns}: passes for that" in text,
          f"in words: {text}")
    with net.inside("S"):
        reader = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
    reader.bind(("s0", 3))
    beside = net.json("explain", "in", "udp", "from", C4, "to", "me", "port", "9")["path"]["beside"]
    check([b["kind"] for b in beside] == ["packet-socket"], f"and a path beside the hook: {beside}")
    check("beside     packet socket of " in net.ok("explain", "in", "udp", "from", C4, "to", "me",
                                                   "port", "9"), "in words, too")
    reader.close()
    net.ok("flush")
    net.ok("block", "in", "all")


def unattached(net):
    """The guard judges what TCX does not: without our program on the interface its tables do."""
    if net.json("status")["enforcement"]["guard"] != "on":
        print("no guard here: its part is left out")
        return
    net.block("permit", "out", "udp", "port", "53", "keep", "state")
    net.block("permit", "out", "tcp", "port", "8080", "keep", "state")
    net.stop_agent(signal.SIGKILL)  # in good order it would take its permits along
    for pin in sorted((net.pins / "link").glob("*")):
        if pin.name.endswith(("-in", "-out")):
            pin.unlink()
    server = net.udp("C", C4, 53)
    s, peer = ask(net, server, S4, C4)
    check(answered(s), "a datagram is answered")
    c = Connection(net, "S", S4, C4, 8080, wait_s=5)
    check(c.open and c.talks(3), "a connection is answered")
    check(not net.connect("C", C4, S4, 8080), "nobody connects")
    stranger = net.udp("S", S4, 7000)
    server.sendto(b"forged", (S4, 7000))
    check(not answered(stranger), "nothing else comes in")
    net.start_agent()
    net.ok("flush")
    net.ok("block", "in", "all")


def lasting(net):
    """Entries outlive the agent; changes of other filters do not end them."""
    policy = 'policy "K" { rule "dns" { permit out udp to any port 53 keep state ' \
             'permit out tcp to any port 8080 keep state block in all } }'
    net.ok("flush")
    net.ok("policy", "load", "-", "--replace", text=policy)
    net.ok("policy", "assign", "K")
    server = net.udp("C", C4, 53)
    s, peer = ask(net, server, S4, C4)
    c = Connection(net, "S", S4, C4, 8080)
    check(answered(s) and c.open, "under a policy")
    net.ok("block", "in", "tcp", "port", "4711")
    server.sendto(b"x", peer)
    check(answered(s) and c.talks(), "after a change in place")
    net.ok("policy", "load", "-", "--replace", text=policy.replace(
        "block in all", "block in all block in from 203.0.113.7"))
    server.sendto(b"x", peer)
    check(answered(s) and c.talks(), "after a new generation")
    net.stop_agent()
    server.sendto(b"x", peer)
    check(answered(s) and c.talks(), "without an agent")
    net.start_agent()
    server.sendto(b"x", peer)
    check(answered(s) and c.talks(), "with the next agent")
    net.ok("policy", "load", "-", "--replace", text=policy.replace("port 53", "port 54"))
    server.sendto(b"x", peer)
    check(not answered(s), "the policy no longer permits it: no answer")
    check(net.json("status")["packets"]["in"]["dropped"].get("state-expired", 0) >= 1,
          "counted as state-expired")
    check(c.talks(), "the other flow goes on")
    net.ok("policy", "unassign", "-y")


PARTS = (datagrams, after_its_time, resolver, connections, bans, served, errors, listed, explained,
         unattached, silence, flood, lasting)


def test(net):
    net.start_agent()
    net.ok("block", "in", "all")
    for part in PARTS:
        if not sys.argv[2:] or part.__name__ in sys.argv[2:]:
            start = time.monotonic()
            part(net)
            print(f"{part.__name__}: {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main(test)
