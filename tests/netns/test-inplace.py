#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes of the image in force, one filter at a time: they decide about packets when the command
returns, count right, expire, survive a kill at any moment, and do not replace the image.
PORTWARD_SEED repeats a run."""
import json
import os
import random
import signal
import subprocess
import time

from pwtest import C4, C6, CLI, S4, S6, check, image_id, main, received, run

SEED = int(os.environ.get("PORTWARD_SEED", int.from_bytes(os.urandom(4), "big")))
KILLS = 12


def generation(net):
    return net.json("status")["enforcement"]["generation"]


def arrives(net, source, target, port, n=5):
    s = net.udp("S", target, port)
    net.send_udp("C", source, target, port, n)
    got = received(s, 0.1)
    s.close()
    net.sockets.remove(s)
    return got


def adds_and_deletes(net):
    net.block("block", "in", "udp", "port", "1000")
    image, before = image_id(net), generation(net)
    ids = [net.block("block", "in", "udp", "port", str(1001 + i)) for i in range(20)]
    check(image_id(net) == image, "20 filters of a known shape came into the same image")
    check(generation(net) == before + 20, "each is a generation of its own")
    for source, target in ((C4, S4), (C6, S6)):
        check(arrives(net, source, target, 1010) == 0, f"port 1010 is blocked ({target})")
        check(arrives(net, source, target, 1021) == 5, f"port 1021 is open ({target})")
    check(net.counters()[ids[9]] == 10, "10 packets are counted for its filter")
    net.ok("delete", ids[9])
    check(image_id(net) == image, "a filter was deleted in the same image")
    check(arrives(net, C4, S4, 1010) == 5, "its port is open again")
    check(arrives(net, C4, S4, 1011) == 0, "the next port still is not")
    again = net.block("block", "in", "udp", "port", "1010")
    check(image_id(net) == image and arrives(net, C4, S4, 1010) == 0,
          "and blocked again in the slot that was deleted")
    check(net.counters()[again] == 5, "the new filter counts from zero")
    net.block("permit", "in", "udp", "from", C4, "to", "me", "port", "1010")
    check(arrives(net, C4, S4, 1010) == 5, "a more precise permit of a new shape wins")
    check(image_id(net) != image, "for which a new image was made")
    net.ok("flush", "-y")
    check(arrives(net, C4, S4, 1011) == 5, "everything is open after a flush")


def expires(net):
    net.block("block", "in", "udp", "port", "2000", "for", "1h")
    image = image_id(net)
    net.block("block", "in", "udp", "port", "2001", "for", "1s")
    net.block("permit", "in", "udp", "port", "2002", "for", "1s")
    check(arrives(net, C4, S4, 2001) == 0, "a block with an end blocks")
    time.sleep(1.5)
    check(arrives(net, C4, S4, 2001) == 5, "and is gone after it")
    check(image_id(net) == image, "both happened in the same image")
    check(len(net.json("list")["filters"]) == 1, "and one filter is left in the list")
    net.ok("flush", "-y")


def killed(net):
    """An acknowledged filter is never lost, and packets get what the list says."""
    rng = random.Random(SEED)
    print(f"PORTWARD_SEED={SEED}")
    net.block("block", "in", "udp", "port", "3000")
    wanted, bad = {3000}, []
    for i in range(KILLS):
        port = 3001 + i
        command = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{net.names['S']}", str(CLI), "--runtime-dir",
             str(net.dir / "run"), "block", "in", "udp", "port", str(port)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(rng.random() * 0.012)
        net.stop_agent(signal.SIGKILL)
        command.communicate()
        net.start_agent()
        listed = {int(f["text"].split()[-1]) for f in net.json("list")["filters"]}
        if command.returncode == 0:
            wanted.add(port)
        if not wanted <= listed or not listed <= wanted | {port}:
            bad.append((port, sorted(wanted ^ listed)))
        wanted = listed
        if (arrives(net, C4, S4, port, 3) == 0) != (port in listed):
            bad.append((port, "packets and list differ"))
    check(not bad, f"{KILLS} kills during a change: nothing lost, nothing else blocked {bad}")
    check(arrives(net, C4, S4, 3000) == 0, "the first filter is in force after all of them")


def test(net):
    net.start_agent()
    adds_and_deletes(net)
    expires(net)
    killed(net)


main(test)
