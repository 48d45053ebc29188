# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers for the clients of `rpc dump`: an endpoint mapper made of bytes, in either byte order, with
its answers in pieces, and mappers that nobody would want to meet. Run as a program it serves one
connection after the other:  rpcpeers.py ADDRESS MODE [N]
"""
import socket
import struct
import sys
import time

EPM = bytes.fromhex("0883afe11f5dc91191a408002b14a0fa03000000")
NDR = bytes.fromhex("045d888aeb1cc9119fe808002b10486002000000")
NOT_REGISTERED = 0x16C9A0D6


class Mapper:
    """What it sends; `order` is "<" or ">"."""

    def __init__(self, order="<", fragment=None):
        self.order = order
        self.fragment = fragment  # bytes of a stub in one PDU, None = all

    def pack(self, form, *values):
        return struct.pack(self.order + form, *values)

    def pdu(self, kind, call, body, flags=3):
        drep = b"\x10\0\0\0" if self.order == "<" else b"\0\0\0\0"
        return (bytes([5, 0, kind, flags]) + drep + self.pack("HHI", 16 + len(body), 0, call) + body)

    def bind_ack(self, call):
        body = self.pack("HHI", 4280, 4280, 1) + self.pack("H", 4) + b"135\0"
        body += b"\0" * (-(16 + len(body)) % 4)
        body += b"\1\0\0\0" + self.pack("HH", 0, 0) + NDR
        return self.pdu(12, call, body)

    def response(self, call, stub):
        step = self.fragment or len(stub) or 1
        parts = [stub[i:i + step] for i in range(0, len(stub), step)] or [b""]
        out = []
        for i, part in enumerate(parts):
            flags = (1 if i == 0 else 0) | (2 if i == len(parts) - 1 else 0)
            out.append(self.pdu(2, call, self.pack("IHBB", len(stub), 0, 0, 0) + part, flags))
        return b"".join(out)

    def entries(self, items, handle=bytes(20), status=0):
        """items: (annotation, tower); NDR of ept_lookup's answer."""
        n = len(items)
        stub = handle + self.pack("IIII", n, 500, 0, n)
        for i, (text, _) in enumerate(items):
            raw = text.encode() + b"\0"
            stub += bytes(16) + self.pack("III", 0x20000 + i, 0, len(raw)) + raw
            stub += b"\0" * (-len(stub) % 4)
        for _, tower in items:
            stub += self.pack("II", len(tower), len(tower)) + tower
            stub += b"\0" * (-len(stub) % 4)
        return stub + self.pack("I", status)


def floor(left, right):
    return struct.pack("<H", len(left)) + left + struct.pack("<H", len(right)) + right


def tower(uuid, port, address):
    """uuid: 16 bytes as in memory; address: bytes of IPv4 or IPv6."""
    return struct.pack("<H", 5) + b"".join([
        floor(b"\x0d" + uuid + b"\x01\0", b"\x02\0"),
        floor(b"\x0d" + NDR[:16] + b"\x02\0", b"\0\0"),
        floor(b"\x0b", b"\0\0"),
        floor(b"\x07", struct.pack(">H", port)),
        floor(b"\x09", address)])


def items(first, n):
    """Entries with ports from `first`; every second one has a tower of IPv6."""
    v4, v6 = socket.inet_aton("192.0.2.7"), socket.inet_pton(socket.AF_INET6, "2001:db8::7")
    return [(f"service {first + i}", tower(struct.pack("<I", first + i) + bytes(12), first + i,
                                           v6 if i % 2 else v4)) for i in range(n)]


def read_exactly(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            raise ConnectionError
        data += part
    return data


def read_request(s):
    """(type, call id)."""
    head = read_exactly(s, 16)
    length, call = struct.unpack("<8xHxxI", head)
    read_exactly(s, length - 16)
    return head[2], call


def honest(s, m, pieces=None, calls=1):
    """`calls` answers of three entries each, the last one says that there are no more."""
    def send(data):
        if pieces is None:
            s.sendall(data)
            return
        s.sendall(data[:pieces])
        time.sleep(0.002)
        s.sendall(data[pieces:])

    send(m.bind_ack(read_request(s)[1]))
    for i in range(calls):
        call = read_request(s)[1]
        last = i == calls - 1
        handle = bytes(20) if last else bytes([i + 1]) * 20
        send(m.response(call, m.entries(items(6000 + 3 * i, 3), handle,
                                        NOT_REGISTERED if last else 0)))


def silent(s, _m):
    time.sleep(60)


def trickle(s, m):
    for byte in m.bind_ack(1) * 100:
        s.send(bytes([byte]))
        time.sleep(1)


def endless_fragments(s, m):
    s.sendall(m.bind_ack(read_request(s)[1]))
    call = read_request(s)[1]
    part = m.pdu(2, call, m.pack("IHBB", 0, 0, 0, 0) + bytes(60000), 0)
    while True:
        s.sendall(part)


def empty_fragments(s, m):
    s.sendall(m.bind_ack(read_request(s)[1]))
    call = read_request(s)[1]
    part = m.pdu(2, call, m.pack("IHBB", 0, 0, 0, 0), 0)
    while True:
        s.sendall(part)


def endless_calls(s, m):
    s.sendall(m.bind_ack(read_request(s)[1]))
    while True:
        call = read_request(s)[1]
        s.sendall(m.response(call, m.entries(items(6000, 3), b"\1" * 20)))


def huge_count(s, m):
    s.sendall(m.bind_ack(read_request(s)[1]))
    call = read_request(s)[1]
    s.sendall(m.response(call, bytes(20) + m.pack("IIII", 2**32 - 1, 2**32 - 1, 0, 2**32 - 1)))
    time.sleep(60)


def garbage(s, _m):
    s.sendall(bytes(range(256)) * 256)
    time.sleep(60)


MODES = {"silent": silent, "trickle": trickle, "endless-fragments": endless_fragments,
         "empty-fragments": empty_fragments, "endless-calls": endless_calls,
         "huge-count": huge_count, "garbage": garbage}


def serve(address, mode, number):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, 135))
    listener.listen(16)
    print("ready", flush=True)
    while True:
        s = listener.accept()[0]
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if mode in MODES:
                MODES[mode](s, Mapper())
            elif mode == "pieces":  # another cut with every connection
                honest(s, Mapper(), number)
                number += 1
            else:
                order, fragment, calls = {"little": ("<", None, 1), "big": (">", None, 1),
                                          "fragments": ("<", 7, 1), "big-fragments": (">", 11, 2),
                                          "calls": ("<", None, 5)}[mode]
                honest(s, Mapper(order, fragment), None, calls)
        except OSError:
            pass  # the client had enough
        s.close()


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)
