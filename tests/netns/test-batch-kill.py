#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent is killed in the middle of batches that move one block from the dynamic layer into an
assigned policy and back, under a continuous probe of the port that both close.

Half of such a batch opens the port, or leaves the block twice: the dynamic layer is written before
the flip, the database after it. Moments are drawn (PORTWARD_SEED). Usage: test-batch-kill.py
[ROUNDS]"""
import http.client
import os
import random
import signal
import sys
import threading
import time

from apicall import batch, data, op
from pwtest import C4, S4, check, main, received

PORT, OPEN = 4001, 7777
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
SEED = int(os.environ.get("PORTWARD_SEED", time.time_ns() % 10**9))
BLOCK = f"block in udp from any to me port {PORT}"
POLICY = f'policy "Moved" {{\n    rule "r" block in udp port {PORT}\n}}\n'
INTO_POLICY = [op("policy-load", text=POLICY), op("assign", name="Moved"),
               op("filter-delete", items=[BLOCK])]
INTO_DYNAMIC = [op("filter-add", text=BLOCK), op("policy-delete", name="Moved", unassign=True)]


def look(net):
    """Where the block is: (dynamic, stored, assigned)."""
    filters = [f["text"] for f in data(net, "/v1/filters?layer=dynamic")["filters"]]
    states = [p["state"] for p in data(net, "/v1/policies")["policies"]]
    return BLOCK in filters, bool(states), states == ["assigned"]


DYNAMIC, STATIC = (True, False, False), (False, True, True)


class Probe:
    """Sends to both ports until the end."""

    def __init__(self, net):
        self.closed, self.opened = net.udp("S", S4, PORT), net.udp("S", S4, OPEN)
        sender = net.udp("C", C4)
        self.child = os.fork()
        if self.child == 0:
            while os.getppid() != 1:
                for port in (PORT, OPEN):
                    sender.sendto(b"probe", (S4, port))
                time.sleep(0.002)
            os._exit(0)

    def stop(self):
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)
        return received(self.closed, 0), received(self.opened, 0)


def interrupted(net, ops, delay):
    """True if the batch was answered before the kill."""
    answers = []

    def run():
        try:
            answers.append(batch(net, *ops))
        except (OSError, http.client.HTTPException, ValueError):
            pass

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(delay)
    net.stop_agent(signal.SIGKILL)
    thread.join()
    return bool(answers) and answers[0]["ok"]


def one_batch(net):
    """How long one takes here, in seconds."""
    start = time.monotonic()
    for ops in (INTO_POLICY, INTO_DYNAMIC) * 2:
        check(batch(net, *ops)["ok"], "a batch moves the block")
    return (time.monotonic() - start) / 4


def test(net):
    rng, wrong = random.Random(SEED), []
    net.start_agent()
    check(batch(net, op("filter-add", text=BLOCK))["ok"], "the block is in the dynamic layer")
    probe = Probe(net)
    span, before = 1.1 * one_batch(net), DYNAMIC
    tally = {"acknowledged": 0, "kept": 0, "undone": 0}
    for _ in range(ROUNDS):
        ops, after = (INTO_POLICY, STATIC) if before == DYNAMIC else (INTO_DYNAMIC, DYNAMIC)
        delay = span * rng.random()
        acknowledged = interrupted(net, ops, delay)
        net.start_agent()
        found = look(net)
        if found != after and (acknowledged or found != before):
            wrong.append(f"killed after {delay * 1000:.2f} ms, {acknowledged=}: {found}")
            batch(net, op("flush"), op("filter-add", text=BLOCK))
            batch(net, op("policy-delete", name="Moved", unassign=True))
            found = look(net)
        tally["acknowledged" if acknowledged else "kept" if found == after else "undone"] += 1
        before = found
    leaked, arrived = probe.stop()
    for line in wrong:
        print(line)
    check(not wrong, f"{ROUNDS} kills over {span * 1000:.1f} ms, seed {SEED}: {tally}; each batch "
                     "is there as a whole or not at all")
    check(tally["undone"] > 0, "kills hit before the end of batches")
    check(leaked == 0, f"{leaked} datagrams leaked")
    check(arrived > 100, f"control: {arrived} datagrams came through to the open port")


main(test)
