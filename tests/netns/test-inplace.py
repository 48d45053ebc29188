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


def sequence(net):
    """Many changes by chance: the same image, a line on disk each, and packets get what the list says,
    also after a kill, when the image is taken over as it is."""
    rng = random.Random(SEED)
    net.block("block", "in", "udp", "port", "2500")
    net.block("block", "in", "udp", "from", C4, "to", "me", "port", "2500")
    image, ids = image_id(net), {}
    snapshot = net.dir / "run" / "dynamic.json"
    written = snapshot.stat().st_mtime_ns
    for _ in range(60):
        port = rng.randrange(2501, 2521)
        if port in ids:
            net.ok("delete", ids.pop(port))
        else:
            source = ("from", C4, "to", "me") if rng.random() < 0.5 else ()
            ids[port] = net.block("block", "in", "udp", *source, "port", str(port))
    check(image_id(net) == image, "60 changes by chance came into the same image")
    check(snapshot.stat().st_mtime_ns == written, "and none of them wrote the whole layer")
    ports = rng.sample(range(2501, 2521), 6)
    check([arrives(net, C4, S4, p, 2) == 0 for p in ports] == [p in ids for p in ports],
          "packets get what the list says")
    before = net.json("list")["filters"], generation(net)
    net.stop_agent(signal.SIGKILL)
    net.start_agent()
    check((net.json("list")["filters"], generation(net)) == before and image_id(net) == image,
          "an agent after a kill knows all of it, and takes the image over")
    check([arrives(net, C4, S4, p, 2) == 0 for p in ports] == [p in ids for p in ports],
          "packets still get it")
    net.block("block", "in", "udp", "port", "2530")
    check(image_id(net) == image and arrives(net, C4, S4, 2530) == 0, "and goes on in it")
    net.ok("flush", "-y")


def killed(net):
    """An acknowledged filter is never lost, and packets get what the list says."""
    rng = random.Random(SEED)
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
    print(f"PORTWARD_SEED={SEED}")
    sequence(net)
    killed(net)


main(test)
