# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests and the benchmark of the scanner share: a target with listeners at random ports,
loss in both directions, a relay that delays, and scans whose answers are compared with the truth."""
import json
import os
import random
import select
import socket
import struct
import subprocess
import time

from pwtest import CLI, S4, run, until

SEED = int(os.environ.get("PORTWARD_SEED") or random.SystemRandom().randrange(1 << 32))
rng = random.Random(SEED)


def inside(net, which, *command, timeout=120, **kwargs):
    return subprocess.run(["nsenter", f"--net=/run/netns/{net.names[which]}", *map(str, command)],
                          text=True, capture_output=True, timeout=timeout, **kwargs)


def listeners(net, n, address=S4):
    """Listens at n random ports of S; the set of them."""
    ports = set(rng.sample(range(1, 65536), n))
    for port in ports:
        net.tcp_listen("S", address, port)
    return ports


def nft(net, which, text):
    done = inside(net, which, "nft", "-f", "-", input=text)
    if done.returncode:
        raise RuntimeError(f"nft: {done.stderr}")


def loss(net, percent, family="inet"):
    """Drops so many of a hundred TCP packets, each way."""
    nft(net, "S", f"""table {family} lose {{
        chain i {{ type filter hook input priority 0; meta l4proto tcp numgen random mod 1000 < {percent * 10} drop; }}
        chain o {{ type filter hook output priority 0; meta l4proto tcp numgen random mod 1000 < {percent * 10} drop; }}
    }}""")


def clear(net, which="S"):
    nft(net, which, "flush ruleset")


def ports_of(text):
    """"1-3,7" as a set; None is the empty one."""
    found = set()
    for part in filter(None, (text or "").split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def scan(net, *args, which="C", prefix=(), timeout=300):
    """Runs a scan with --json in a namespace: (data of the first target, finished process)."""
    done = subprocess.run([*prefix, "nsenter", f"--net=/run/netns/{net.names[which]}", str(CLI),
                           "--runtime-dir", str(net.dir / "run"), "scan", "--json",
                           *map(str, args)], text=True, capture_output=True, timeout=timeout)
    if done.returncode not in (0, 1) or not done.stdout:
        raise RuntimeError(f"scan {args}: exit {done.returncode}: {done.stdout}{done.stderr}")
    document = json.loads(done.stdout)
    data = document.get("data") or {}
    return (data.get("targets") or [None])[0], done


def opened(target):
    return ports_of(target["states"]["open"])


class Relay:
    """Two namespaces joined by a process that holds each frame back: R is a bridge of two packet
    sockets between veth pairs, so that neither side's kernel shortens the path."""

    def __init__(self, net, delay_s, lose_udp=()):
        self.net, self.delay_s, self.lose_udp = net, delay_s, set(lose_udp)
        tag = net.names["S"].removeprefix("pw-s-")
        self.name = f"pw-r-{tag}"
        run(["ip", "netns", "add", self.name])
        s, c = net.names["S"], net.names["C"]
        run(["ip", "-n", s, "link", "add", "s1", "type", "veth", "peer", "name", "rs", "netns", self.name])
        run(["ip", "-n", c, "link", "add", "c1", "type", "veth", "peer", "name", "rc", "netns", self.name])
        for ns, dev, address in ((s, "s1", "192.168.77.1/24"), (c, "c1", "192.168.77.2/24")):
            run(["ip", "-n", ns, "addr", "add", address, "dev", dev])
            run(["ip", "-n", ns, "link", "set", dev, "up"])
        # Checksums that a card would fill in stay empty on this way; raw sockets do not look at them.
        for dev in ("rs", "rc"):
            run(["ip", "-n", self.name, "link", "set", dev, "up"])
        self.target = "192.168.77.1"
        self.own = "192.168.77.2"
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.relay()
            finally:
                os._exit(1)
        if until(lambda: net.ping("C", self.target, 1, wait_s=0.5), 30) == float("inf"):
            raise RuntimeError("the relay hands on nothing")

    def is_lost(self, frame):
        return frame[12:14] == b"\x08\x00" and frame[23] == 17 and \
            struct.unpack("!H", frame[36:38])[0] in self.lose_udp

    def relay(self):
        from pwtest import set_netns
        set_netns(os.open(f"/run/netns/{self.name}", os.O_RDONLY))
        ends = []
        for dev in ("rs", "rc"):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            s.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE
            s.setsockopt(socket.SOL_SOCKET, 32, 64 << 20)   # SO_SNDBUFFORCE
            s.bind((dev, 0))
            s.setblocking(False)
            ends.append(s)
        queue = []  # in the order of arrival: all have the same delay
        at = 0
        while True:
            left = None
            if at < len(queue):
                left = max(0, queue[at][0] - time.monotonic())
            ready, _, _ = select.select(ends, [], [], left)
            for s in ready:
                other = ends[1 - ends.index(s)]
                for _ in range(256):
                    try:
                        frame, info = s.recvfrom(2048)
                    except BlockingIOError:
                        break
                    if info[2] != socket.PACKET_OUTGOING and not self.is_lost(frame):
                        queue.append((time.monotonic() + self.delay_s, other, frame))
            now = time.monotonic()
            while at < len(queue) and queue[at][0] <= now:
                try:
                    queue[at][1].send(queue[at][2])
                except BlockingIOError:
                    break
                at += 1
            if at > 65536:
                del queue[:at]
                at = 0

    def close(self):
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        for which, dev in (("S", "s1"), ("C", "c1")):  # both ends go, and with them rs and rc
            subprocess.run(["ip", "-n", self.net.names[which], "link", "del", dev], capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)
