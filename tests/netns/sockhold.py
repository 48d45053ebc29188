#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds many listening sockets until stdin ends. Usage: sockhold.py N [PROCESSES [HOLDERS]]: N TCP
listeners in all, spread over 127.1.0.0/16 so that ports suffice, by that many processes; each
process forks HOLDERS - 1 children that hold the same sockets."""
import os
import resource
import socket
import sys

PORTS = 20000


def hold(first, n):
    kept = []
    for i in range(first, first + n):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.bind((f"127.1.{i // PORTS // 250}.{i // PORTS % 250 + 1}", 20000 + i % PORTS))
        s.listen(1)
        kept.append(s)
    return kept


def main():
    total = int(sys.argv[1])
    processes = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    holders = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    each = -(-total // processes)
    limit = max(each + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    done_r, done_w = os.pipe()
    for p in range(processes):
        if os.fork():
            continue
        os.close(done_r)
        kept = hold(p * each, min(each, total - p * each))
        for _ in range(holders - 1):
            if os.fork() == 0:
                break
        os.write(done_w, b".")
        os.close(done_w)
        sys.stdin.buffer.read()
        os._exit(0 if kept else 1)
    os.close(done_w)
    while os.read(done_r, 1):
        pass
    print("ready", flush=True)
    sys.stdin.buffer.read()


main()
