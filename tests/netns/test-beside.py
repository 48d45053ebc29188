#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths beside the hook: status names a packet socket with its owner, an XDP program and an XFRM
policy, and forgets them when they are gone. The packet socket is seen to read what is blocked."""
import ctypes
import os
import platform
import socket
import struct
import time

from pwtest import C4, S4, check, main, received, run

N = 5
ETH_P_ALL, ETH_P_IP = 3, 0x0800
BPF_PROG_LOAD, BPF_OBJ_PIN, XDP = 5, 6, 6
SYS_BPF = {"x86_64": 321, "aarch64": 280}
_libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    r = _libc.syscall(SYS_BPF[platform.machine()], command, buffer, 128)
    if r < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    return r


def xdp_pass(path):
    """Loads `return XDP_PASS` as program "beside_test" and pins it."""
    code = ctypes.create_string_buffer(struct.pack("<BBhiBBhi", 0xb7, 0, 0, 2, 0x95, 0, 0, 0), 16)
    licence, name = ctypes.create_string_buffer(b"GPL"), ctypes.create_string_buffer(path.encode())
    fd = bpf(BPF_PROG_LOAD, struct.pack("=IIQQIIQII16s", XDP, 2, ctypes.addressof(code),
                                        ctypes.addressof(licence), 0, 0, 0, 0, 0, b"beside_test"))
    bpf(BPF_OBJ_PIN, struct.pack("=QII", ctypes.addressof(name), fd, 0))
    os.close(fd)


def beside(net, kind):
    return [b for b in net.json("status")["beside"] if b["kind"] == kind]


def packet_socket(net):
    net.ok("block", "in", "udp", "port", "1434")
    server = net.udp("S", S4, 1434)
    with net.inside("S"):
        s, late = (socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) for _ in range(2))
    s.bind(("s0", ETH_P_ALL))
    late.bind(("s0", ETH_P_IP))
    for each in (s, late):
        each.setblocking(False)
    net.send_udp("C", C4, S4, 1434, N)
    check(received(server, 0.1) == 0 and received(s, 0.1) >= N,
          "a packet socket of all protocols reads what is blocked")
    check(received(late, 0.1) == 0, "one of a single protocol does not")
    check([b["text"].split(", ")[1] for b in beside(net, "packet-socket")] ==
          ["reads before the filters", "may send past the filters"], "both are listed as what they are")
    late.close()
    found = beside(net, "packet-socket")
    name = open("/proc/self/comm").read().strip()
    check([(b["interface"], b["pid"], b["program"], b["count"]) for b in found] ==
          [("s0", os.getpid(), name, 1)], f"it is listed with its owner ({found})")
    text = net.cli("status").stdout
    check(f"beside       1 path beside the hook: packet socket of {name} (pid {os.getpid()}) on s0, "
          "reads before the filters\n" in text, f"status says it in words ({text})")
    s.close()
    check(beside(net, "packet-socket") == [], "closed: it is not listed any more")


def xdp_program(net):
    pin = f"/sys/fs/bpf/pw-test-{os.getpid()}"
    xdp_pass(pin)
    try:
        run(["nsenter", f"--net=/run/netns/{net.names['S']}", "ip", "link", "set", "dev", "s0",
             "xdpgeneric", "pinned", pin])
    finally:
        os.unlink(pin)
    found = beside(net, "xdp-program")
    check([(b["interface"], b["program"]) for b in found] == [("s0", "beside_test")],
          f"an XDP program is listed by name ({found})")
    net.ip("S", "link", "set", "dev", "s0", "xdpgeneric", "off")
    check(beside(net, "xdp-program") == [], "off: it is not listed any more")


def xfrm_policies(net):
    for port in ("1", "2"):
        net.ip("S", "xfrm", "policy", "add", "src", f"{S4}/32", "dst", f"{C4}/32", "proto", "udp",
               "dport", port, "dir", "out", "action", "allow")
    found = beside(net, "xfrm-policy")
    check([b["count"] for b in found] == [2], f"XFRM policies are counted ({found})")
    net.ip("S", "xfrm", "policy", "flush")
    check(beside(net, "xfrm-policy") == [], "flushed: not listed any more")


def test(net):
    net.start_agent()
    check(net.json("status")["beside"] == [], "nothing beside the hook at first")
    packet_socket(net)
    xdp_program(net)
    xfrm_policies(net)
    start = time.monotonic()
    net.json("status")
    check(time.monotonic() - start < 5, "status answers at once")


main(test)
