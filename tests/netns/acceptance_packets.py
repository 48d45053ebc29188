# SPDX-License-Identifier: GPL-2.0-or-later
"""The `packets` column of the acceptance table: its words become packets with an expected fate,
and a prober sends them between the namespaces of pwtest and sees what arrives.

Every probe is sent three times and carries a number of its own. Delivered = a raw socket behind
the filters, in the namespace of the receiver, saw all three; dropped = none of them within
200 ms. `any` = every peer, over IPv4 and IPv6, from source ports 88 and 1024 or more.
"""
import collections
import ipaddress
import re
import select
import socket
import struct
import time

from pwtest import C4, C6, FAR4, FAR6, LAN4, LAN6, S4, S6, checksum

PEERS = (C4, LAN4, FAR4, C6, LAN6, FAR6)
COPIES, DROPPED_S, DELIVERED_S = 3, 0.2, 2.0
USUAL_SPORTS = (88, 40123)
EPHEMERAL = 50123
PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
SYN, SYN_ACK, RST = 2, 18, 4

Packet = collections.namedtuple("Packet", "way proto src sport dst dport answer")


class Connection(collections.namedtuple("Connection", "way peer port")):
    """A whole TCP connection, answers included."""


# Statements about everything: ports of all articles.
EVERYTHING = ("in/out udp 1434 delivered; in udp any->me:1435,135 delivered; "
              "in tcp any->me:80,81,134,135,136,1434,5000,5001,5010,5021,5022 delivered; "
              "out tcp me->any:80,135,1434 delivered; out udp me->any:1435 delivered")
# Words of the table for statements in its own language; "before" is what held before the row.
PHRASES = (
    (r"everything delivered( at once)?", EVERYTHING),
    (r"policy not assigned yet: no packet effect", EVERYTHING),
    (r"no change", "before"),
    (r"static and domain filters as before", "before"),
    (r"after a new assignment: as that policy says", "before"),  # no domain: nothing new
    (r"after a content change only: no change until the policy poll interval or -22", ""),
    (r"(in udp any->me:1434 delivered) when only the dynamic filter blocked it", r"\1"),
    (r"ports blocked by a static policy stay dropped", ""),  # acceptance_states.PREPARED
    (r"(out tcp me->any:80) delivered and its replies \((in tcp .*)\) delivered",
     r"\1 delivered; \2 delivered; connection out any 80"),
    (r"replies to permitted connections delivered",
     "connection in 10.1.1.9 135; connection in 10.1.1.9 5001; connection in 10.1.1.9 5021"),
    (r"(.*) not matched, delivered", r"\1 delivered"),
    (r"(.*) (?:delivered again)", r"\1 delivered"),
    (r"(.*) still dropped", r"\1 dropped"),
    (r"(.*) dropped without any extra command", r"\1 dropped"),
    (r"(in tcp )any(->.*) dropped, also from 10\.1\.1\.9",
     r"\1any\2 dropped; \g<1>10.1.1.9\2 dropped"),
    (r"(in tcp any:88->me:80) per policy", r"\1 delivered"),  # it names no TCP port
    (r"with value 0 the same packets are delivered", ""),  # acceptance_states.exempt_level
    (r"a permit for 135 without permits for 5001-5021 must give a finding.*", ""),
)
STATEMENT = re.compile(r"(in/out|in|out) (tcp|udp) (.+) (dropped|delivered)")
CONNECTION = re.compile(r"connection (in|out) (\S+) (\d+)")


def _family(address):
    return 6 if ":" in address else 4


def _ports(text):
    """"80", "134,136", "5001..5021", "EPHEMERAL"."""
    ports = []
    for part in text.split(","):
        first, _, last = part.replace("EPHEMERAL", str(EPHEMERAL)).partition("..")
        ports += range(int(first), int(last or first) + 1)
    return ports


def _peers(text):
    """Addresses of "any", "any but 10.1.1.0/24", "10.1.1.9"."""
    if text == "any":
        return PEERS
    if text.startswith("any but "):
        net = ipaddress.ip_network(text[8:])
        return [p for p in PEERS if ipaddress.ip_address(p) not in net]
    if text not in PEERS:
        raise ValueError(f"'{text}' is no peer")
    return [text]


def _side(text):
    """"any", "me:80", "10.1.1.9:135" -> (who, ports or None)."""
    who, _, ports = text.partition(":")
    return who, _ports(ports) if ports else None


def _flow(way, proto, text):
    """All packets of "any:88->me:1434"."""
    left, arrow, right = text.partition("->")
    if not arrow:
        raise ValueError(f"'{text}' has no ->")
    (source, sports), (target, dports) = _side(left), _side(right)
    peer_text, own = (source, target) if way == "in" else (target, source)
    if own != "me":
        raise ValueError(f"'{text}' is not {way} at me")
    for peer in _peers(peer_text):
        mine = S4 if _family(peer) == 4 else S6
        src, dst = (peer, mine) if way == "in" else (mine, peer)
        for sport in sports or USUAL_SPORTS:
            for dport in dports or (EPHEMERAL,):
                answer = proto == "tcp" and dport == EPHEMERAL
                yield Packet(way, proto, src, sport, dst, dport, answer)


def _items(text):
    """"any->me:135 and ->me:5001..5021" -> both flows, the second with the first one's source."""
    source = None
    for item in re.split(r" and | then ", text):
        left, arrow, right = item.partition("->")
        source = left or source
        yield f"{source}{arrow}{right}"


def _rephrase(statement):
    for pattern, words in PHRASES:
        match = re.fullmatch(pattern, statement)
        if match:
            return match.expand(words)
    return statement


def _apply(statement, expected):
    match = CONNECTION.fullmatch(statement)
    if match:
        for peer in _peers(match[2]):
            expected[Connection(match[1], peer, int(match[3]))] = True
        return
    match = STATEMENT.fullmatch(statement)
    if not match:
        raise ValueError(f"packets column not understood: '{statement}'")
    way, proto, items, fate = match.groups()
    if way == "in/out":  # "in/out udp 1434"
        _apply(f"in {proto} any->me:{items} {fate}", expected)
        _apply(f"out {proto} me->any:{items} {fate}", expected)
        return
    for item in _items(items):
        for packet in _flow(way, proto, item):
            expected[packet] = fate == "delivered"


def parse(cell, before):
    """{Packet or Connection: delivered?}; `before` is the same for what held before the row.
    Later, narrower statements override earlier ones."""
    expected, todo = {}, [s.strip() for s in cell.split(";")]
    while todo:
        statement = todo.pop(0)
        words = _rephrase(statement)
        if words == "before":
            expected.update(before)
        elif words != statement:
            todo = [s.strip() for s in words.split(";")] + todo
        elif statement:
            _apply(statement, expected)
    return expected


def everything():
    return parse(EVERYTHING, {})


def _transport(p, number):
    if p.proto == "udp":
        data = struct.pack("!HHHHI", p.sport, p.dport, 12, 0, number)
        place = 6
    else:
        flags = SYN_ACK if p.answer else SYN
        data = struct.pack("!HHIIBBHHH", p.sport, p.dport, number, int(p.answer), 0x50, flags,
                           8192, 0, 0)
        place = 16
    family = socket.AF_INET6 if _family(p.src) == 6 else socket.AF_INET
    ends = socket.inet_pton(family, p.src) + socket.inet_pton(family, p.dst)
    pseudo = ends + (struct.pack("!II", len(data), PROTOCOLS[p.proto]) if len(ends) == 32 else
                     struct.pack("!HH", PROTOCOLS[p.proto], len(data)))
    total = checksum(pseudo + data) or 0xffff
    return ends, data[:place] + struct.pack("!H", total) + data[place + 2:]


def frame(p, number):
    """The packet with its IP header."""
    ends, body = _transport(p, number)
    proto = PROTOCOLS[p.proto]
    if len(ends) == 32:
        return struct.pack("!IHBB", 6 << 28, len(body), proto, 64) + ends + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, proto, 0) + ends
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


class Prober:
    """Senders and receivers in both namespaces; made once, used for every row."""

    def __init__(self, net):
        self.net, self.number = net, 0
        self.senders, self.receivers = {}, {}
        for which, way in (("C", "in"), ("S", "out")):
            with net.inside(which):
                for family, six in ((socket.AF_INET, False), (socket.AF_INET6, True)):
                    s = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
                    self.senders[way, 6 if six else 4] = s
        for which, way in (("S", "in"), ("C", "out")):
            with net.inside(which):
                for family in (socket.AF_INET, socket.AF_INET6):
                    for proto in PROTOCOLS.values():
                        s = socket.socket(family, socket.SOCK_RAW, proto)
                        s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
                        s.setblocking(False)
                        self.receivers[s] = (way, family == socket.AF_INET6, proto)
        net.sockets += [*self.senders.values(), *self.receivers]
        self._neighbours()
        self.servers = []
        self.listen()
        for address in PEERS:
            net.tcp_listen("C", address, 80)

    def listen(self):
        """Servers on the ports of KB908472; away while these ports are to be confined."""
        self.servers = self.servers or [self.net.tcp_listen("S", S4, p) for p in (135, 5001, 5021)]

    def rest(self):
        for s in self.servers:
            self.net.sockets.remove(s)
            s.close()
        self.servers = []

    def _neighbours(self):
        """Fixed, so that no probe waits for a resolution."""
        for which, dev, other, far, addresses in (("S", "s0", "C", "c0", PEERS),
                                                  ("C", "c0", "S", "s0", (S4, S6))):
            mac = ":".join(f"{b:02x}" for b in self.net.mac(other, far))
            for address in addresses:
                self.net.ip(which, "neigh", "replace", address, "lladdr", mac, "dev", dev,
                            "nud", "permanent")

    def failures(self, expected):
        """Sends everything, waits once; one line for each packet that met another fate."""
        packets = [p for p in expected if isinstance(p, Packet)]
        numbers = {}
        for p in packets:
            self.number = (self.number + 1) & 0xffffffff
            numbers[self.number] = p
        self._drain()
        seen = collections.Counter()
        for number, p in numbers.items():
            sender, data = self.senders[p.way, _family(p.src)], frame(p, number)
            for _ in range(COPIES):
                try:
                    sender.sendto(data, (p.dst, 0))
                except OSError:  # the outbound filter answers the sender: it did not pass
                    pass
            if number % 64 == 0:
                self._receive(numbers, seen)
        self._wait(numbers, seen, expected)
        wrong = [f"{self._text(p)}: {seen[p]} of {COPIES} arrived, expected "
                 f"{'all' if expected[p] else 'none'}"
                 for p in packets if seen[p] != (COPIES if expected[p] else 0)]
        return wrong + self._connections(expected)

    def _wait(self, numbers, seen, expected):
        sent = time.monotonic()
        quiet = sent + (DROPPED_S if any(not expected[p] for p in numbers.values()) else 0)
        while True:
            self._receive(numbers, seen)
            now = time.monotonic()
            missing = any(expected[p] and seen[p] < COPIES for p in numbers.values())
            until = sent + DELIVERED_S if missing else quiet
            if now >= until:
                break
            select.select(list(self.receivers), [], [], min(0.02, until - now))

    def _connections(self, expected):
        wrong = []
        for c in (c for c in expected if isinstance(c, Connection)):
            mine = S4 if _family(c.peer) == 4 else S6
            ends = ("C", c.peer, mine) if c.way == "in" else ("S", mine, c.peer)
            if self.net.connect(*ends, c.port) != expected[c]:
                wrong.append(f"{c.way} tcp connection with {c.peer}, port {c.port}: not as expected")
        return wrong

    def _drain(self):
        self._receive({}, collections.Counter())

    def _receive(self, numbers, seen):
        for s, (way, six, proto) in self.receivers.items():
            while True:
                try:
                    data = s.recv(2048)
                except BlockingIOError:
                    break
                body = data if six else data[(data[0] & 15) * 4:]
                self._count(numbers, seen, way, proto, body)

    @staticmethod
    def _count(numbers, seen, way, proto, body):
        if proto == socket.IPPROTO_UDP and len(body) == 12:
            number = struct.unpack("!I", body[8:])[0]
        elif proto == socket.IPPROTO_TCP and body[13] & SYN and not body[13] & RST:
            number = struct.unpack("!I", body[4:8])[0]
        else:
            return
        p = numbers.get(number)
        if p and (p.way, p.sport, p.dport, PROTOCOLS[p.proto]) == (
                way, *struct.unpack("!HH", body[:4]), proto):
            seen[p] += 1

    @staticmethod
    def _text(p):
        return f"{p.way} {p.proto} {p.src} port {p.sport} -> {p.dst} port {p.dport}"
