# SPDX-License-Identifier: GPL-2.0-or-later
"""Small eBPF programs made by hand and attached to TCX hooks, for tests that need a program of
somebody else: bpf(2) by its number, instructions as bytes. Used by test-guard.py. And the other way round: runs of pinned programs, for test-droplog.py."""
import ctypes
import os
import platform
import struct

BPF_PROG_LOAD, BPF_OBJ_GET, BPF_PROG_TEST_RUN, BPF_LINK_CREATE = 5, 7, 10, 28
BPF_OBJ_GET_INFO_BY_FD = 15
SCHED_CLS, TCX_INGRESS, TCX_EGRESS, F_BEFORE = 3, 46, 47, 1 << 3
TCX_NEXT, TCX_PASS = -1, 0
NUMBER = {"x86_64": 321, "aarch64": 280, "riscv64": 280}.get(platform.machine(), 321)
SKB_MARK, SKB_IFINDEX, SKB_TC_INDEX = 8, 40, 44  # offsets in struct __sk_buff

_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command, attributes):
    attributes = ctypes.create_string_buffer(attributes, len(attributes))
    fd = _libc.syscall(NUMBER, command, attributes, len(attributes))
    if fd < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}")
    return fd


def _insn(code, dst=0, src=0, off=0, imm=0):
    return struct.pack("=BBhi", code, dst | src << 4, off, imm)


def returning(verdict):
    """A program that says the same of every packet."""
    return _insn(0xb7, 0, imm=verdict) + _insn(0x95)


def tagging(verdict):
    """Writes the packet's mark into its tc_index."""
    return (_insn(0x61, 2, 1, SKB_MARK) + _insn(0x63, 1, 2, SKB_TC_INDEX) + returning(verdict))


def load(code, name):
    """A loaded sched_cls program, as a descriptor."""
    code = ctypes.create_string_buffer(code, len(code))
    license_text = ctypes.create_string_buffer(b"GPL")
    return _bpf(BPF_PROG_LOAD, struct.pack(
        "=IIQQIIQII16s", SCHED_CLS, len(code) // 8, ctypes.addressof(code),
        ctypes.addressof(license_text), 0, 0, 0, 0, 0, name.encode()))


def tcx(program, ifindex, attach_type):
    """A link at the front of a TCX hook of the current namespace; it ends with its descriptor."""
    return _bpf(BPF_LINK_CREATE, struct.pack("=IIIIIIQ", program, ifindex, attach_type, F_BEFORE,
                                             0, 0, 0))


def close(*fds):
    for fd in fds:
        os.close(fd)


def pinned(path):
    """A pinned program or map, as a descriptor."""
    name = ctypes.create_string_buffer(str(path).encode())
    return _bpf(BPF_OBJ_GET, struct.pack("=QII", ctypes.addressof(name), 0, 0))


def link_info(path):
    """(id, id of its program, ifindex) of a pinned TCX link; the last is 0 once it is detached or
    its interface gone."""
    link, info = pinned(path), ctypes.create_string_buffer(64)
    try:
        _bpf(BPF_OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", link, len(info), ctypes.addressof(info)))
    finally:
        os.close(link)
    _, identity, program, _, ifindex = struct.unpack_from("=5I", info)
    return identity, program, ifindex


def run_program(program, frame, ifindex, repeat=1):
    """Runs a sched_cls program over a frame as if it came in by an interface of this namespace;
    returns its result and the ns of one run."""
    data = ctypes.create_string_buffer(frame, len(frame))
    skb = ctypes.create_string_buffer(192)
    struct.pack_into("=I", skb, SKB_IFINDEX, ifindex)
    attributes = ctypes.create_string_buffer(struct.pack(
        "=IIIIQQIIIIQQIII4x", program, 0, len(frame), 0, ctypes.addressof(data), 0, repeat, 0,
        len(skb), 0, ctypes.addressof(skb), 0, 0, 0, 0))
    if _libc.syscall(NUMBER, BPF_PROG_TEST_RUN, attributes, len(attributes)) < 0:
        raise OSError(ctypes.get_errno(), "bpf test run")
    return struct.unpack_from("=i", attributes, 4)[0], struct.unpack_from("=I", attributes, 36)[0]
