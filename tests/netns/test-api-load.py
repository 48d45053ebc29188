#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that only cost: 1,000 that send nothing, 1,000 with half a header, 1,000 with a
body that does not end, and some that do not read their answers. All are closed in time, the agent
answers others meanwhile, and its memory stays bounded."""
import os
import resource
import select
import socket
import struct
import threading
import time

from pwtest import C4, S4, check, main, received

N = 1000
IDLE_S = 5       # docs/api.md, "Limits"
SLACK_S = 4      # the machine of the test may have one slow core
HALF = b"GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Hal"
CHUNK = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
ENDLESS = (b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 10, 0))
    s.connect(str(path))
    s.setblocking(False)
    return s


class Others(threading.Thread):
    """Somebody who works while the agent is under load: asks, and changes something."""

    def __init__(self, net):
        super().__init__()
        self.net, self.stop, self.times, self.failed = net, threading.Event(), [], []
        self.start()

    def run(self):
        port = 2000
        while not self.stop.is_set():
            port += 1
            for words in (("status",), ("block", "in", "udp", "port", str(port), "for", "1h")):
                start = time.monotonic()
                done = self.net.cli(*words)
                self.times.append(time.monotonic() - start)
                if done.returncode not in (0, 6):
                    self.failed.append((words, done.returncode, done.stderr[:200]))
            time.sleep(0.05)

    def result(self, name):
        self.stop.set()
        self.join()
        check(not self.failed and len(self.times) >= 4,
              f"{name}: {len(self.times)} commands of others answered {self.failed[:2] or ''}")
        check(max(self.times) < 6, f"  the slowest after {max(self.times) * 1000:.0f} ms")


def memory_mib(net):
    """Resident memory of the agent: now, and the most it ever was."""
    status = dict(line.split(":", 1) for line in
                  open(f"/proc/{net.agent.pid}/status").read().splitlines())
    return tuple(int(status[name].split()[0]) // 1024 for name in ("VmRSS", "VmHWM"))


def wait_closed(sockets, seconds):
    """Sockets the agent has closed, and when the last one was."""
    start, last, opened = time.monotonic(), 0.0, {s.fileno(): s for s in sockets}
    poll = select.poll()
    for fd in opened:
        poll.register(fd, select.POLLIN | select.POLLRDHUP)
    while opened and time.monotonic() - start < seconds:
        for fd, _ in poll.poll(200):
            try:
                if opened[fd].recv(65536):
                    continue  # an answer; the end comes behind it
            except BlockingIOError:
                continue
            except OSError:
                pass
            poll.unregister(fd)
            del opened[fd]
            last = time.monotonic() - start
    return len(sockets) - len(opened), last


def crowd(net, name, first):
    """N connections that send `first` and nothing more."""
    path = net.dir / "run" / "portward.sock"
    others = Others(net)
    sockets = []
    for _ in range(N):
        sockets.append(connect(path))
        try:
            if first:
                sockets[-1].send(first)
        except (BrokenPipeError, ConnectionResetError):
            pass  # already gone: there were newer ones
    closed, last = wait_closed(sockets, IDLE_S + SLACK_S)
    check(closed == N, f"{name}: {closed} of {N} closed, the last after {last:.1f} s")
    others.result(name)
    for s in sockets:
        s.close()


def endless(net, target):
    """N connections that all the time send more of a body."""
    path = net.dir / "run" / "portward.sock"
    others = Others(net)
    opened = [connect(path) for _ in range(N)]
    pending = {}
    sent, start = 0, time.monotonic()
    for s in opened:
        pending[s.fileno()] = ENDLESS % target
    # Those to /v1/policies may go on to 96 MiB each and to 192 MiB all together, or to 60 s.
    while time.monotonic() < start + (6 if target == b"/v1/policies" else 30) and opened:
        for s in list(opened):
            data = pending[s.fileno()] or CHUNK
            try:
                n = s.send(data)
                pending[s.fileno()] = data[n:]
                sent += n
            except BlockingIOError:
                continue
            except OSError:
                opened.remove(s)
                s.close()
    time.sleep(max(0, start + 3 - time.monotonic()))  # time for the others
    name = f"endless body for {target.decode()}"
    check(len(opened) <= 64, f"{name}: {N - len(opened)} of {N} closed, {sent >> 20} MiB taken")
    others.result(name)
    for s in opened:
        s.close()


def unread_answers(net):
    """Askers of a large list who do not read it."""
    path = net.dir / "run" / "portward.sock"
    others = Others(net)
    sockets = []
    for _ in range(100):
        sockets.append(connect(path))
        sockets[-1].send(b"GET /v1/filters HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(IDLE_S + SLACK_S)
    # What the kernel has buffered can still be read; then comes the end.
    closed, _ = wait_closed(sockets, 3)
    check(closed == 100, f"answers that nobody reads: {closed} of 100 closed")
    others.result("answers that nobody reads")
    for s in sockets:
        s.close()


def test(net):
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    net.start_agent()
    net.ok("block", "in", "udp", "port", "1434")
    rules = "".join(f"block in udp from 10.{i >> 8}.{i & 255}.0/24 to me port 53\n"
                    for i in range(1000))
    net.ok("policy", "load", "-", text=f'policy "P" {{ rule "r" {{ {rules} }} }}')
    net.ok("policy", "assign", "P")
    files = len(os.listdir(f"/proc/{net.agent.pid}/fd"))
    before = memory_mib(net)[0]
    crowd(net, "silent", b"")
    crowd(net, "half a header", HALF)
    crowd(net, "half a body", b"POST /v1/flush HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
    check(memory_mib(net)[1] < before + 64, f"memory {before} MiB, at most {memory_mib(net)[1]}")
    endless(net, b"/v1/flush")
    endless(net, b"/v1/policies")
    check(memory_mib(net)[1] < before + 450,  # the bodies, and their JSON while it is read
          f"memory with endless bodies at most {memory_mib(net)[1]} MiB")
    unread_answers(net)
    time.sleep(0.5)
    check(len(os.listdir(f"/proc/{net.agent.pid}/fd")) <= files + 2, "no descriptor is left over")
    check(net.agent.poll() is None, "it is the same agent")
    server = net.udp("S", S4, 1434)
    net.send_udp("C", C4, S4, 1434, 20)
    check(received(server) == 0, "and what was blocked is blocked")


main(test)
