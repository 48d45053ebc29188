# SPDX-License-Identifier: GPL-2.0-or-later
"""The place where bench.py measures: network namespaces of its own, gone when it ends in any way.

A *station* is one namespace, made for one ruleset and removed with it:
    pw-bench-N   10.0.0.1/8, 2001:db8:ffff::1/32 on s0, everything else is routed there
    c<N>         the other end of its veth pair, in the common namespace pw-bench-out, where floods
                 come from
Commands of competitors run in the mount namespace of peers.py. Nothing here reads or writes the
rules of the machine's own namespace."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "netns"))
from pwtest import BUILD, PIN_ROOT, netns_cookie, remove_pins, run, set_netns  # noqa: E402

PROGRAM = BUILD / "tests/bench/pw-inject"
KERNEL_FREE = ("MemFree", "Buffers", "Cached", "SReclaimable", "AnonPages", "PageTables")
SETTLE_TRIES = 50


class Failed(Exception):
    """A command of a backend did not do what it must; the row says why."""


def kernel_bytes_used():
    """What the kernel holds for itself, of the whole machine. Differences below a few MB are the
    work of others."""
    lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    memory = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    return memory["MemTotal"] - sum(memory[name] for name in KERNEL_FREE)


class PeakMemory(threading.Thread):
    """The largest resident memory of a process while it runs, looked at every 10 ms. What wait4()
    reports contains the memory of the process that started it."""
    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path, self.peak, self.ended = f"/proc/{pid}/status", 0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.01):
            try:
                with open(self.path, encoding="ascii") as status:
                    high = [line for line in status if line.startswith("VmHWM")]
            except OSError:
                return
            self.peak = max(self.peak, int(high[0].split()[1]) * 1024 if high else 0)

    def stop(self):
        self.ended.set()
        self.join()
        return self.peak


class Lab:
    def __init__(self, unpacked=None):
        self.tag = f"{os.getpid()}-{os.urandom(2).hex()}"
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pw-bench-", dir="/dev/shm"))
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.outside = f"pw-bench-out-{self.tag}"
        self.stations, self.count, self.holder = [], 0, None
        self.unpacked = unpacked
        run(["ip", "netns", "add", self.outside])
        for name in ("default", "all"):
            self.setting(self.outside, f"net/ipv6/conf/{name}/disable_ipv6", "1")

    def setting(self, namespace, path, value):
        fd = os.open(f"/run/netns/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            set_netns(fd)
            pathlib.Path("/proc/sys", path).write_text(value)
        finally:
            set_netns(self.home)
            os.close(fd)

    def station(self):
        self.count += 1
        station = Station(self, self.count)
        self.stations.append(station)  # before anything exists that close() must remove
        station.build()
        return station

    def mounts(self):
        """Process id of the mount namespace of the competitors, made when it is first needed."""
        if not self.holder:
            copies = self.dir / "copies"
            copies.mkdir()
            command = [sys.executable, str(HERE / "peers.py"), "hold", str(copies)]
            command += [self.unpacked] if self.unpacked else []
            self.holder = subprocess.Popen(command, stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE, text=True)
            if self.holder.stdout.readline().strip() != "ready":
                raise Failed("no mount namespace for competitors: " + self.holder.stderr.read())
        return self.holder.pid

    def has(self, tool):
        where = [pathlib.Path(self.unpacked, "usr", d, tool) for d in ("sbin", "bin")] \
            if self.unpacked else []
        return shutil.which(tool) is not None or any(path.exists() for path in where)

    def close(self):
        for station in list(self.stations):
            station.close()
        if self.holder:
            self.holder.kill()
            self.holder.wait()
        subprocess.run(["ip", "netns", "del", self.outside], capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)
        os.close(self.home)


class Station:
    def __init__(self, lab, number):
        self.lab, self.name, self.outer = lab, f"pw-bench-{lab.tag}-{number}", f"c{number}"
        self.path = f"/run/netns/{self.name}"
        self.children, self.cookie, self.mac = [], None, ""
        self.large = False  # takes the kernel a while to free
        self.dir = lab.dir / str(number)
        self.dir.mkdir()

    def build(self):
        lab = self.lab
        run(["ip", "netns", "add", self.name])
        run(["ip", "-n", self.name, "link", "add", "s0", "type", "veth", "peer", "name", self.outer,
             "netns", lab.outside])
        # No answers of ours and no addresses without use: nothing but the traffic is measured.
        for path in ("net/ipv4/conf/all/rp_filter", "net/ipv4/conf/s0/rp_filter",
                     "net/ipv6/conf/s0/accept_ra"):
            lab.setting(self.name, path, "0")
        self.ip("addr", "add", "10.0.0.1/8", "dev", "s0")
        self.ip("addr", "add", "2001:db8:ffff::1/32", "dev", "s0", "nodad")
        self.ip("link", "set", "lo", "up")
        run(["ip", "-n", lab.outside, "link", "set", self.outer, "up"])
        self.ip("link", "set", "s0", "up")
        self.ip("route", "add", "default", "dev", "s0")
        self.mac = json.loads(self.ip("-j", "link", "show", "dev", "s0"))[0]["address"]
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        set_netns(fd)
        self.cookie = netns_cookie()
        set_netns(lab.home)
        os.close(fd)

    def ip(self, *args):
        return run(["ip", "-n", self.name, *args]).stdout

    @property
    def pins(self):
        return PIN_ROOT / str(self.cookie)

    def command(self, words, tools=False):
        mounts = [f"--mount=/proc/{self.lab.mounts()}/ns/mnt"] if tools else []
        return ["nsenter", f"--net={self.path}", *mounts, *map(str, words)]

    def timed(self, words, tools=False, text=None, timeout=600, accept=(0,)):
        """Runs a command that must succeed: seconds, largest resident bytes (0 if it was too short
        to be seen), standard output.
        The mount namespace is entered once per command: 1 ms that the others do not pay."""
        command = self.command(words, tools)
        feed = tempfile.TemporaryFile("w+")
        out = tempfile.TemporaryFile("w+")
        feed.write(text or "")
        feed.seek(0)
        start = time.monotonic()
        process = subprocess.Popen(command, stdin=feed, stdout=out, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        memory = PeakMemory(process.pid)
        timer = signal.signal(signal.SIGALRM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
        signal.alarm(timeout)
        try:
            process.wait()
            seconds = time.monotonic() - start
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, timer)
            peak = memory.stop()
        out.seek(0)
        printed = out.read()
        feed.close()
        out.close()
        if process.returncode not in accept:
            said = " ".join(printed.split()).replace(str(self.dir), "")[:300]
            raise Failed(f"{pathlib.Path(words[0]).name}: exit {process.returncode}: {said}")
        return seconds, peak, printed

    def spawn(self, words, tools=False, **kwargs):
        child = subprocess.Popen(self.command(words, tools), **kwargs)
        self.children.append(child)
        return child

    def inject(self, kind, n, options=(), flood=False, rounds=5, round_ms=40):
        """Rounds of pw-inject with packets of one kind."""
        words = [str(PROGRAM), "--kind", kind, "--filters", str(max(n, 1)), "--rounds",
                 str(rounds), "--round-ms", str(round_ms), *map(str, options)]
        if flood:
            words = ["nsenter", f"--net=/run/netns/{self.lab.outside}", *words, "--flood",
                     "--device", self.outer, "--mac", self.mac, "--receiver", self.path]
        else:
            words = self.command([*words, "--device", "s0"])
        done = subprocess.run(words, capture_output=True, text=True, timeout=900)
        if done.returncode:
            raise Failed(done.stderr.strip() or f"pw-inject: exit {done.returncode}")
        return json.loads(done.stdout)["rounds"]

    def close(self):
        """Removes everything; once is enough, twice is fine."""
        if self not in self.lab.stations:
            return
        for child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
        self.children = []
        if self.cookie:
            remove_pins(self.pins)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.lab.stations.remove(self)
        if self.large:
            settle()


def settle():
    """Waits until the kernel has freed what was removed: it does so in the background, at the
    cost of the next measurement."""
    before = kernel_bytes_used()
    for _ in range(SETTLE_TRIES):
        time.sleep(0.1)
        now = kernel_bytes_used()
        if before - now < 1 << 20:
            return
        before = now
