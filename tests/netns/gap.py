# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbered datagrams at a fixed rate to a blocked and to a permitted port, over both families,
while something happens: nothing may leak, nothing may get lost."""
import os
import signal
import threading
import time

from pwtest import C4, C6, S4, S6, check, received

RATE = 2000  # datagrams per second and port
BLOCKED, OPEN = 9999, 7777


class Sender:
    """A process that sends to both ports, or to the open one alone, over both families until
    stop()."""

    def __init__(self, net, blocked=True):
        self.ports = (BLOCKED, OPEN) if blocked else (OPEN,)
        self.sockets = [(net.udp("C", source), target)
                        for source, target in ((C4, S4), (C6, S6))]
        self.read, write = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            self.run(write)
        os.close(write)

    def run(self, write):
        stopped = []
        signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
        n, start = 0, time.monotonic()
        while not stopped:
            for s, target in self.sockets:
                for port in self.ports:
                    s.sendto(n.to_bytes(8, "big"), (target, port))
            n += 1
            delay = start + n / RATE - time.monotonic()
            if delay > 0:
                time.sleep(delay)
        os.write(write, n.to_bytes(8, "big"))
        os._exit(0)

    def stop(self):
        """Ends the child; returns how many datagrams went to each port and family."""
        os.kill(self.child, signal.SIGTERM)
        n = int.from_bytes(os.read(self.read, 8), "big")
        os.waitpid(self.child, 0)
        os.close(self.read)
        return n


class Counting(threading.Thread):
    """Counts what reaches sockets, so that none of their buffers gets full."""

    def __init__(self, sockets):
        super().__init__(daemon=True)
        self.sockets, self.total, self.ends = sockets, 0, False
        self.start()

    def run(self):
        while not self.ends:
            self.total += sum(received(s, 0) for s in self.sockets)
            time.sleep(0.2)

    def stop(self):
        self.ends = True
        self.join()
        return self.total + sum(received(s, 0.1) for s in self.sockets)


def probe(net, name, action, leaks=False, loses=False):
    """Runs action() under the probe; checks what arrived on both ports."""
    blocked = [net.udp("S", a, BLOCKED) for a in (S4, S6)]
    opened = [net.udp("S", a, OPEN) for a in (S4, S6)]
    sender, leaks_in, arrived_in = Sender(net), Counting(blocked), Counting(opened)
    time.sleep(0.2)
    start = time.monotonic()
    action()
    elapsed = time.monotonic() - start
    time.sleep(0.2)
    sent = sender.stop()
    leaked, lost = leaks_in.stop(), 2 * sent - arrived_in.stop()
    text = f"{name}: sent {2 * sent} per port in {elapsed:.1f} s, leaked {leaked}, lost {lost}"
    check((leaked > 0) == leaks and (lost > 0) == loses, text)
    for s in blocked + opened:
        net.sockets.remove(s)
        s.close()
