# SPDX-License-Identifier: GPL-2.0-or-later
"""Confined servers for tests: directories of cgroup v2 and programs that run in them, inside the
namespace S of a pwtest.Net. The cgroup is entered first and the namespace then: `ip netns exec`
would hide the tree.

A Lab keeps what it made and removes it in close(): processes by their id, then directories.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pwtest


def cgroup_root():
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        fields = line.split()
        if fields[2] == "cgroup2":
            return pathlib.Path(fields[1])
    pwtest.skip("no cgroup v2 tree is mounted")


# Runs in a child: binds and prints what came of it, one JSON line per command read from stdin.
BINDER = r"""
import errno, json, os, socket, sys
socks = {}
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}

def run(op, name, args):
    if op == "open":
        family = socket.AF_INET6 if args.get("six") else socket.AF_INET
        s = socks[name] = socket.socket(family, KINDS[args["proto"]])
        for level, option, value in args.get("options", []):
            s.setsockopt(level, option, value)
    elif op == "bind":
        socks[name].bind((args.get("address", ""), args.get("port", 0)))
        if args.get("listen"):
            socks[name].listen(64)
    elif op == "listen":
        socks[name].listen(64)
    elif op == "connect":
        socks[name].connect((args["address"], args["port"]))
    elif op == "accept":
        socks[args["as"]] = socks[name].accept()[0]
    elif op == "close":
        socks.pop(name).close()
    elif op == "fork_close":
        pid = os.fork()
        if pid == 0:
            os.kill(os.getpid(), 19)
            os._exit(0)
        socks.pop(name).close()
        return pid
    elif op == "many":
        out = []
        for i in range(args["n"]):
            s = socket.socket(socket.AF_INET, KINDS[args["proto"]])
            try:
                s.bind(("", 0))
                if args["proto"] == "tcp":
                    s.listen(8)
            except OSError as e:
                s.close()
                return {"ports": out, "error": errno.errorcode[e.errno]}
            socks[f"{name}{i}"] = s
            out.append(s.getsockname()[1])
        return {"ports": out, "error": None}
    elif op == "close_all":
        for s in socks.values():
            s.close()
        socks.clear()
    return socks[name].getsockname()[1] if name in socks else 0

for line in sys.stdin:
    op, name, args = json.loads(line)
    try:
        answer = {"value": run(op, name, args), "error": None}
    except OSError as e:
        answer = {"value": None, "error": errno.errorcode[e.errno]}
    print(json.dumps(answer), flush=True)
"""


class Lab:
    def __init__(self, net):
        self.net = net
        self.root = cgroup_root()
        self.dirs = []
        self.children = []
        # programs at the root of the tree must not outlive a test that is cut off
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    def cgroup(self, name):
        """Makes a directory; name may have parts: app/web.service."""
        top = name.split("/")[0]
        path = self.root / name
        for part in [*reversed(path.relative_to(self.root).parents)][1:]:
            (self.root / part).mkdir(exist_ok=True)
        path.mkdir(exist_ok=True)
        self.dirs.append(self.root / top)
        return path

    def name(self, suffix=""):
        """A name that no other test has."""
        return f"pw-rpc-{os.getpid()}{suffix}"

    def start(self, cgroup, command, which="S", **kwargs):
        shell = 'echo $$ > "$0/cgroup.procs" && shift 0 && exec nsenter --net="$1" "${@:2}"'
        p = subprocess.Popen(
            ["bash", "-c", shell, str(cgroup or self.root), f"/run/netns/{self.net.names[which]}",
             *map(str, command)], text=True, **kwargs)
        self.children.append(p)
        return p

    def binder(self, cgroup, which="S"):
        return Binder(self, cgroup, which)

    def stop(self, child, sig=signal.SIGKILL):
        if child.poll() is None:
            child.send_signal(sig)
        child.wait()

    def close(self):
        for child in self.children:
            self.stop(child)
        for top in self.dirs:
            for path in sorted([*top.rglob("*"), top], reverse=True):
                if not path.is_dir():
                    continue
                for pid in (path / "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)  # daemons that a test started here
                for _ in range(100):
                    try:
                        path.rmdir()
                        break
                    except OSError:
                        time.sleep(0.02)


class Binder:
    """A process in a directory that does what it is told with sockets."""

    def __init__(self, lab, cgroup, which):
        self.lab = lab
        self.p = lab.start(cgroup, [sys.executable, "-c", BINDER], which, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE)

    def ask(self, op, name="s", **args):
        self.p.stdin.write(json.dumps([op, name, args]) + "\n")
        self.p.stdin.flush()
        return json.loads(self.p.stdout.readline())

    def bound(self, name="s", proto="tcp", port=0, six=False, address="", options=(), listen=None):
        """Opens and binds; (port, error)."""
        self.ask("open", name, proto=proto, six=six, options=list(options))
        a = self.ask("bind", name, port=port, address=address,
                     listen=proto == "tcp" if listen is None else listen)
        return a["value"], a["error"]

    def many(self, proto, n, name="m"):
        return self.ask("many", name, proto=proto, n=n)["value"]

    def kill(self):
        self.lab.stop(self.p)


def events(net, name):
    """The events of this id in the agent's log."""
    found = []
    for line in (net.dir / "agent.log").read_text().splitlines():
        if line.startswith("{") and f'"{name}"' in line:
            found.append(json.loads(line))
    return found


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
