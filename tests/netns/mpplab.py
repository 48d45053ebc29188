# SPDX-License-Identifier: GPL-2.0-or-later
"""Namespaces, attacks, legitimate clients and numbers for tests of memory pressure protection.

    S (server)    pub0 10.77.0.1/24 fd77::1/64,  pub1 10.77.1.1/24 fd77:ffff::1/64
    W (switch)    joins pub0, A and C
    A (attacker)  mppA; its sources are in 10.77.128.0/17 and fd77:1::/32, routed to it
    C (clients on the attacked interface)  10.77.0.3, fd77::3
    L (clients on another interface)       10.77.1.2, fd77:ffff::2

net.ipv4.tcp_mem is one for the whole host: the lab holds a lock on it and puts it back.
"""
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time

from pwtest import AGENT, BUILD, CLI, PIN_ROOT, netns_cookie, remove_pins, run, set_netns

LOCK = "/run/lock/portward-tcp-mem.lock"
TCP_MEM = pathlib.Path("/proc/sys/net/ipv4/tcp_mem")
SMALL = (6144, 8192, 12288)  # pages: 24, 32, 48 MB
PAGE = os.sysconf("SC_PAGESIZE")
PORT, EXEMPT_PORT = 8080, 5005
TOOLS = BUILD / "tests/tools"
ADDRESS = {4: {"pub0": "10.77.0.1", "pub1": "10.77.1.1", "from": "10.77.128.0"},
           6: {"pub0": "fd77::1", "pub1": "fd77:ffff::1", "from": "fd77:1::5"}}
# What pw-attack is told; descriptors of the server; None: the limits of the host.
ATTACKS = {
    "zero": (["-m", "zero", "-n", "1500", "-r", "400"], 100000, SMALL),
    "grown": (["-m", "zero", "-g", "300000", "-n", "400", "-r", "100"], 100000, SMALL),
    "slow": (["-m", "slow", "-w", "1460", "-n", "1500", "-r", "400"], 100000, SMALL),
    "noack": (["-m", "noack", "-n", "1500", "-r", "400"], 100000, SMALL),
    "reopen": (["-m", "zero", "-n", "1500", "-r", "1500", "-R"], 100000, SMALL),
    "botnet": (["-m", "zero", "-n", "1500", "-r", "400", "-c", "1"], 100000, SMALL),
    "idle": (["-m", "idle", "-n", "8000", "-r", "2500"], 5000, None),
    "syn": (["-m", "syn", "-n", "20000", "-r", "10000", "-c", "20000"], 100000, SMALL),
}


def tcp_memory():
    """Pages of TCP memory, of the host."""
    for line in pathlib.Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            return int(line.split()[-1])
    raise RuntimeError("no line TCP: in sockstat")


class Memory(threading.Thread):
    """Samples (monotonic, wall, pages) every 20 ms."""

    def __init__(self):
        super().__init__(daemon=True)
        self.samples, self.stopped = [], threading.Event()
        self.start()

    def run(self):
        while not self.stopped.wait(0.02):
            self.samples.append((time.monotonic(), time.time(), tcp_memory()))

    def stop(self):
        self.stopped.set()
        self.join()
        return self.samples


class Lab:
    def __init__(self):
        tag = f"{os.getpid()}-{os.urandom(2).hex()}"
        self.names = {n: f"pw-m{n.lower()}-{tag}" for n in "SWACL"}
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pw-mpp-"))
        self.children, self.agent, self.server = [], None, None
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.lock = open(LOCK, "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.limits = TCP_MEM.read_text()
        for name in self.names.values():
            run(["ip", "netns", "add", name])
            run(["ip", "-n", name, "link", "set", "lo", "up"])
        self.connect()
        fd = os.open(f"/run/netns/{self.names['S']}", os.O_RDONLY | os.O_CLOEXEC)
        set_netns(fd)
        self.pins = PIN_ROOT / str(netns_cookie())
        for key, value in (("core/somaxconn", "65535"), ("ipv4/tcp_max_syn_backlog", "65535"),
                           ("ipv4/conf/all/rp_filter", "0")):
            pathlib.Path("/proc/sys/net", key).write_text(value)
        set_netns(self.home)
        os.close(fd)

    def ip(self, which, *args):
        return run(["ip", "-n", self.names[which], *args]).stdout

    def connect(self):
        w, s = self.names["W"], self.names["S"]
        self.ip("W", "link", "add", "br0", "type", "bridge")
        self.ip("W", "link", "set", "br0", "up")
        for ns, dev, port in (("S", "pub0", "ps"), ("A", "mppA", "pa"), ("C", "c0", "pc")):
            self.ip(ns, "link", "add", dev, "type", "veth", "peer", "name", port, "netns", w)
            self.ip("W", "link", "set", port, "master", "br0", "up")
        self.ip("L", "link", "add", "l0", "type", "veth", "peer", "name", "pub1", "netns", s)
        for ns, dev, v4, v6 in (("S", "pub0", "10.77.0.1", "fd77::1"),
                                ("A", "mppA", "10.77.0.2", "fd77::2"),
                                ("C", "c0", "10.77.0.3", "fd77::3"),
                                ("S", "pub1", "10.77.1.1", "fd77:ffff::1"),
                                ("L", "l0", "10.77.1.2", "fd77:ffff::2")):
            self.ip(ns, "addr", "add", f"{v4}/24", "dev", dev)
            self.ip(ns, "addr", "add", f"{v6}/64", "dev", dev, "nodad")
            self.ip(ns, "link", "set", dev, "up")
        self.mac = {ns: json.loads(self.ip(ns, "-j", "link", "show", "dev", dev))[0]["address"]
                    for ns, dev in (("S", "pub0"), ("A", "mppA"))}
        for via, net in (("10.77.0.2", "10.77.128.0/17"), ("fd77::2", "fd77:1::/32")):
            self.ip("S", "neigh", "replace", via, "lladdr", self.mac["A"], "dev", "pub0",
                    "nud", "permanent")
            self.ip("S", "route", "add", net, "via", via, "dev", "pub0")

    # --- processes ---
    def spawn(self, which, *command, **kwargs):
        p = subprocess.Popen(["nsenter", f"--net=/run/netns/{self.names[which]}",
                              *map(str, command)], text=True, **kwargs)
        self.children.append(p)
        return p

    def end(self, process, sig=signal.SIGTERM):
        if process and process.poll() is None:
            process.send_signal(sig)
            process.wait(timeout=30)

    def serve(self, descriptors=100000, ports=(PORT, EXEMPT_PORT)):
        self.server = self.spawn("S", TOOLS / "pw-serve", "-f", descriptors, *ports,
                                 stdout=subprocess.PIPE)
        if self.server.stdout.readline() != "listening\n":
            raise RuntimeError("pw-serve does not start")

    def cli(self, *args):
        return subprocess.run(["nsenter", f"--net=/run/netns/{self.names['S']}", str(CLI),
                               "--runtime-dir", str(self.dir / "run"), *args],
                              text=True, capture_output=True, timeout=60)

    def ok(self, *args):
        done = self.cli(*args)
        if done.returncode not in (0, 6):
            raise RuntimeError(f"portward {' '.join(args)}: {done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *args):
        return json.loads(self.ok(*args, "--json"))["data"]

    def status(self):
        return self.json("mpp", "status")["engine"]

    def start_agent(self, config=""):
        (self.dir / "portward.conf").write_text(config)
        with open(self.dir / "agent.log", "a") as log:
            self.agent = self.spawn("S", AGENT, "--foreground", "--config",
                                    self.dir / "portward.conf", "--state-dir", self.dir / "state",
                                    "--runtime-dir", self.dir / "run", stdout=log, stderr=log)
        end = time.monotonic() + 60
        while self.cli("status").returncode not in (0, 6):
            if self.agent.poll() is not None or time.monotonic() > end:
                raise RuntimeError("agent did not start: " + self.log_text()[-2000:])
            time.sleep(0.05)

    def stop_agent(self, sig=signal.SIGTERM):
        self.end(self.agent, sig)
        self.agent = None

    def forget(self):
        """Bans and the level of the gate that the run before left; they last for half a minute."""
        self.ok("mpp", "reset", "--keep-rate-limits")
        end = time.monotonic() + 20
        while self.status()["gate"]["level"] and time.monotonic() < end:
            time.sleep(0.1)

    def log_text(self):
        return (self.dir / "agent.log").read_text()

    def events(self, since=0):
        """Events of the agent's log behind this number of lines."""
        lines = self.log_text().splitlines()[since:]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def attack(self, kind, seconds, family=4, port=PORT, extra=()):
        args = list(ATTACKS[kind][0])
        return self.spawn("A", TOOLS / "pw-attack", "-i", "mppA", "-M", self.mac["S"], "-d",
                          ADDRESS[family]["pub0"], "-s", ADDRESS[family]["from"], "-p", port,
                          "-t", seconds, "-o", self.dir / "list", *args, *extra,
                          stdout=subprocess.PIPE)

    def load(self, which, seconds, family=4, rate=50, port=PORT):
        address = ADDRESS[family]["pub1" if which == "L" else "pub0"]
        return self.spawn(which, TOOLS / "pw-load", address, port, rate, 2, seconds, 100000,
                          stdout=subprocess.PIPE)

    # --- memory ---
    def clear(self, which="S"):
        """Ends what an attack left behind, so that the next run begins with empty queues."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            run(["nsenter", f"--net=/run/netns/{self.names[which]}", "ss", "-K", "-n", "-t", "state",
                 "connected"])
            if tcp_memory() < 1500:
                return
            time.sleep(0.2)

    def limit(self, pages):
        TCP_MEM.write_text(" ".join(map(str, pages)) if pages else self.limits)

    # --- one run ---
    def scene(self, kind, family=4, seconds=10, protected=False, during=None):
        """Legitimate load for `seconds`, the attack from second 2 on. Numbers of what was seen."""
        _, descriptors, pages = ATTACKS.get(kind, ([], 100000, SMALL))
        self.clear()
        self.limit(pages)
        self.serve(descriptors)
        lines = len(self.log_text().splitlines()) if protected else 0
        memory = Memory()
        loads = [self.load("L", seconds, family), self.load("C", seconds, family)]
        time.sleep(2)
        began = time.time()
        attack = self.attack(kind, seconds - 2, family) if kind in ATTACKS else None
        if during:
            during()
        answers = [json.loads(p.communicate(timeout=60)[0]) for p in loads]
        said = attack.communicate(timeout=60)[0].split() if attack else []
        samples = memory.stop()
        if protected:
            time.sleep(0.3)  # what the agent has still to write
        self.end(self.server, signal.SIGKILL)
        self.limit(None)
        return {
            "ok": sum(a["ok"] for a in answers) / sum(a["tried"] for a in answers),
            "late": sum(a["ok_late"] for a in answers) / max(1, sum(a["tried_late"]
                                                                  for a in answers)),
            "p99": max(a["p99_ms"] for a in answers),
            "clients": answers,
            "samples": samples, "began": began,
            "opened": int(said[1]) if said else 0, "reset": int(said[3]) if said else 0,
            "events": self.events(lines) if protected else [],
        }

    def attackers(self):
        """(address, port) of every connection that the generator tried."""
        rows = (line.split() for line in (self.dir / "list").read_text().splitlines())
        return {(r[0], int(r[1])) for r in rows}

    def close(self):
        TCP_MEM.write_text(self.limits)
        for p in self.children:
            self.end(p, signal.SIGKILL)
        try:
            self.clear()
        finally:
            remove_pins(self.pins)
            for name in self.names.values():
                subprocess.run(["ip", "netns", "del", name], capture_output=True)
            subprocess.run(["rm", "-rf", str(self.dir)], check=False)
            os.close(self.home)
            self.lock.close()
