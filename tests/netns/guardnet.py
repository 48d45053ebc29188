# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the guard share: interfaces that are made during a row, filters for its time,
datagrams that must arrive or must not. Used by test-guard.py and test-guard-around.py, whose rows
run once with `guard = off`, where the packets must get through (the control), and once with the
guard, where none may. A stopped agent (SIGSTOP) attaches nothing: an interface made then is
uncovered.

    F  another client, behind interfaces that are made during a row
       x0  10.77.0.1/24   fd77::1/64   to f0 10.77.0.2 fd77::2
       y0  10.78.0.1/24   fd78::1/64   to g0 10.78.0.2 fd78::2 (namespace G)
"""
import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import time

from pwtest import check, received, run, until

N = 20
X4, F4, X6, F6 = "10.77.0.1", "10.77.0.2", "fd77::1", "fd77::2"
Y4, G4, Y6, G6 = "10.78.0.1", "10.78.0.2", "fd78::1", "fd78::2"
MAC = {"x0": "02:77:00:00:00:01", "f0": "02:77:00:00:00:02", "y0": "02:78:00:00:00:01",
       "g0": "02:78:00:00:00:02"}


def main_namespace(net, *command, **kwargs):
    return run(["nsenter", f"--net=/run/netns/{net.names['S']}", *command], **kwargs).stdout


def add_namespaces(net):
    for which in ("F", "G"):
        net.names[which] = f"pw-{which.lower()}-{os.getpid()}-{os.urandom(2).hex()}"
        run(["ip", "netns", "add", net.names[which]])
        net.ip(which, "link", "set", "lo", "up")


def make(net, name, peer, which, v4, peer4, v6, peer6, index=None):
    """An interface of S with its peer in another namespace, up and addressed, in one go."""
    s, f = net.names["S"], net.names[which]
    number = f"index {index}" if index else ""
    ends = f"address {MAC[name]} type veth peer name {peer} address {MAC[peer]} netns {f}"
    run(["ip", "-n", s, "-batch", "-"], input=f"""
link add {name} {number} {ends}
addr add {v4}/24 dev {name}
addr add {v6}/64 dev {name} nodad
link set {name} up
neigh replace {peer4} lladdr {MAC[peer]} dev {name} nud permanent
neigh replace {peer6} lladdr {MAC[peer]} dev {name} nud permanent
""")
    run(["ip", "-n", f, "-batch", "-"], input=f"""
addr add {peer4}/24 dev {peer}
addr add {peer6}/64 dev {peer} nodad
link set {peer} up
neigh replace {v4} lladdr {MAC[name]} dev {peer} nud permanent
neigh replace {v6} lladdr {MAC[name]} dev {peer} nud permanent
""")


def make_x(net, index=None):
    make(net, "x0", "f0", "F", X4, F4, X6, F6, index)


def make_y(net):
    make(net, "y0", "g0", "G", Y4, G4, Y6, G6)


def drop(net, *names):
    for name in names:
        subprocess.run(["ip", "-n", net.names["S"], "link", "del", name], capture_output=True)


def mac_bytes(name):
    return bytes.fromhex(MAC[name].replace(":", ""))


@contextlib.contextmanager
def stopped(net):
    """The agent does nothing meanwhile."""
    net.agent.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        net.agent.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def filters(net, *texts):
    ids = [net.block(*text.split()) for text in texts]
    try:
        yield ids
    finally:
        for identity in ids:
            net.ok("delete", identity)


def deliver(net, server_at, target, port, source, which="F"):
    """N datagrams to a port of a namespace; the socket that may get them."""
    server = net.udp(server_at, "::" if ":" in target else "0.0.0.0", port)
    net.send_udp(which, source, target, port, N)
    return server


def close(net, *sockets):
    for s in sockets:
        s.close()
        net.sockets.remove(s)


def got(net, server_at, target, port, source, which="F", want=None):
    """Datagrams of N that arrive at a port of a namespace."""
    server = deliver(net, server_at, target, port, source, which)
    count = received(server, want=want)
    close(net, server)
    return count


def expect(guard, count, text, control=None):
    """With the guard nothing passed, without it something (or just as many as told)."""
    if guard:
        return check(count == 0, f"guard on:  {text}: {count}")
    return check(count > 0 if control is None else count == control, f"guard off: {text}: {count}")


def reachable(net, which, *targets):
    """A new interface sends nothing until the kernel has noticed its carrier, and a new address
    has no neighbours until its group is joined; both come later on a busy machine. No row blocks
    echo."""
    for target in targets:
        check(until(lambda t=target: net.ping(which, t, 1)) < 10, f"{target} is reachable")


def pair(net, guard, name, server_at, target, source, which="F"):
    """Datagrams to port 1434, which the guard must stop, then to 1435, which nobody blocks: when
    those have come, so have the others or never will."""
    blocked = deliver(net, server_at, target, 1434, source, which)
    n_open = got(net, server_at, target, 1435, source, which, want=N)
    expect(guard, received(blocked, 0), f"{name}, {target}", N)
    check(n_open == N, f"{name}, {target}, a port that is not blocked: {n_open}")
    close(net, blocked)


def wait_interface(net, name, condition, text):
    """Until status shows an interface as the row needs it."""
    def seen():
        shown = net.json("status")["enforcement"]["interfaces"]
        return any(i["name"] == name and condition(i) for i in shown)
    if until(seen, 20) == math.inf:
        raise RuntimeError(f"{name} is not {text}")


def wait_covered(net, name):
    wait_interface(net, name, lambda i: i["attached_in"] and i["attached_out"], "attached")


def wait_role(net, name, role):
    wait_interface(net, name, lambda i: i["role"] == role and i["attached_out"], role)


def translate(net, family, rule):
    main_namespace(net, "nft", "-f", "-", input=f"""add table {family} pwt
add chain {family} pwt pre {{ type nat hook prerouting priority -100; }}
add rule {family} pwt pre {rule}
""")


def detach(net, name):
    run(["bpftool", "link", "detach", "pinned", str(net.pins / "link" / name)])


def s0_index(net, dev="s0"):
    with net.inside("S"):
        return socket.if_nametoindex(dev)


def run_rows(net, rows):
    """Every row, or those named on the command line, without the guard and with it."""
    add_namespaces(net)
    net.sysctl("S", "net.ipv4.ip_forward", "1")
    net.sysctl("S", "net.ipv6.conf.all.forwarding", "1")
    chosen = [row for row in rows if not sys.argv[1:] or row.__name__ in sys.argv[1:]]
    for guard in (False, True):
        net.config(f"[datapath]\nguard = {'on' if guard else 'off'}\n")
        net.start_agent()
        n = len(list((net.pins / "link").glob("guard-*")))
        check(n == (6 if guard else 0), f"{n} links of the guard")
        for row in chosen:
            start = time.monotonic()
            row(net, guard)
            print(f"{row.__name__}: {time.monotonic() - start:.1f} s", flush=True)
        net.stop_agent(signal.SIGKILL)
