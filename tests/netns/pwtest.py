# SPDX-License-Identifier: GPL-2.0-or-later
"""Two network namespaces joined by a veth pair, an agent in one of them, and probes.

    S (protected)  192.168.1.1/24  2001:db8:1::1/64      on s0
    C (client)     192.168.1.2/24  2001:db8:1::2/64      on c0
                   10.1.1.9, 10.1.2.9, 2001:db8:a::9, 2001:db8:b::9 as further addresses of C

Sockets are made inside a namespace by setns() of the calling thread and stay there. Everything
is removed by Net.close(): processes started here (by pid), namespaces, pins, directories.
A test calls check(); main(run) prints the result and ends with 0, 1, or 77 (cannot run here).
"""
import contextlib
import ctypes
import json
import math
import os
import pathlib
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

SKIP = 77
ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PORTWARD_BUILD", ROOT / "build"))
AGENT = BUILD / "src/portwardd/portwardd"
CLI = BUILD / "src/portward/portward"
PIN_ROOT = pathlib.Path("/sys/fs/bpf/portward")
S4, C4, S6, C6 = "192.168.1.1", "192.168.1.2", "2001:db8:1::1", "2001:db8:1::2"
LAN4, FAR4, LAN6, FAR6 = "10.1.1.9", "10.1.2.9", "2001:db8:a::9", "2001:db8:b::9"
SO_NETNS_COOKIE = 71
CLONE_NEWNET = 0x40000000
WAIT_S = 0.25  # how long a probe waits for what must not come

_libc = ctypes.CDLL(None, use_errno=True)
_results = {"ok": 0, "bad": 0}


def check(condition, text):
    """Counts and prints one assertion; returns it."""
    _results["ok" if condition else "bad"] += 1
    print(("ok      " if condition else "NOT OK  ") + text, flush=True)
    return condition


def run(command, **kwargs):
    """Runs a helper command that must succeed."""
    return subprocess.run(command, check=True, text=True, capture_output=True, **kwargs)


def skip(reason):
    print(f"SKIP: {reason}", flush=True)
    sys.exit(SKIP)


def main(test, world=None):
    """Runs test(world()) and ends the process with its result; a world is a Net if not said."""
    if os.geteuid() != 0:
        skip("needs root for network namespaces")
    net = None
    try:
        net = (world or Net)()
        test(net)
    except Exception:  # a broken test is a failed test, with its trace
        traceback.print_exc()
        _results["bad"] += 1
    finally:
        if net:
            net.close()
    print(f"{_results['ok']} checks passed, {_results['bad']} failed")
    sys.exit(1 if _results["bad"] or not _results["ok"] else 0)


class Net:
    def __init__(self):
        tag = f"{os.getpid()}-{os.urandom(2).hex()}"
        self.names = {"S": f"pw-s-{tag}", "C": f"pw-c-{tag}"}
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pw-test-"))
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.agent = None
        self.sockets = []
        self.cookies = []
        self.children = []
        for name in self.names.values():
            run(["ip", "netns", "add", name])
        s, c = self.names["S"], self.names["C"]
        run(["ip", "-n", s, "link", "add", "s0", "type", "veth", "peer", "name", "c0", "netns", c])
        for ns, dev, v4, v6 in ((s, "s0", S4, S6), (c, "c0", C4, C6)):
            run(["ip", "-n", ns, "addr", "add", f"{v4}/24", "dev", dev])
            run(["ip", "-n", ns, "addr", "add", f"{v6}/64", "dev", dev, "nodad"])
            run(["ip", "-n", ns, "link", "set", dev, "up"])
            run(["ip", "-n", ns, "link", "set", "lo", "up"])
        for address in (f"{LAN4}/32", f"{FAR4}/32", f"{LAN6}/128", f"{FAR6}/128"):
            extra = ["nodad"] if ":" in address else []
            run(["ip", "-n", c, "addr", "add", address, "dev", "c0", *extra])
        for prefix in ("10.1.0.0/16", "2001:db8:a::/48", "2001:db8:b::/48"):
            run(["ip", "-n", s, "route", "add", prefix, "dev", "s0"])
        with self.inside("S"):
            self.cookies.append(netns_cookie())
        self.ready()

    def ready(self):
        """Waits until the client reaches the server over both families (no agent yet)."""
        for address in (S4, S6):
            if until(lambda a=address: self.ping("C", a, 1, wait_s=0.5), 60) == math.inf:
                raise RuntimeError(f"namespaces cannot talk over {address}")

    @property
    def pins(self):
        return PIN_ROOT / str(self.cookies[0])

    @contextlib.contextmanager
    def inside(self, which):
        fd = os.open(f"/run/netns/{self.names[which]}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            set_netns(fd)
            yield
        finally:
            set_netns(self.home)
            os.close(fd)

    def ip(self, which, *args):
        return run(["ip", "-n", self.names[which], *args]).stdout

    def sysctl(self, which, key, value):
        """Sets a setting of one namespace; it goes with the namespace."""
        with self.inside(which):
            pathlib.Path("/proc/sys", *key.split(".")).write_text(value)

    # --- agent and command line ---
    def start_agent(self, *extra, directory=None, expect_ready=True):
        """Starts portwardd in S and waits for its socket; returns the process."""
        base = pathlib.Path(directory or self.dir)
        log = open(base / "agent.log", "a")
        process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.names['S']}", str(AGENT), "--foreground",
             "--config", str(base / "portward.conf"), "--state-dir", str(base / "state"),
             "--runtime-dir", str(base / "run"), *extra],
            stdout=log, stderr=log)
        log.close()
        self.children.append(process)
        if expect_ready:
            self.agent = process
            deadline = time.monotonic() + 60
            while self.cli("status", "--json").returncode not in (0, 6):
                if process.poll() is not None or time.monotonic() > deadline:
                    print((base / "agent.log").read_text()[-4000:])
                    raise RuntimeError(f"agent did not start (exit {process.poll()})")
                time.sleep(0.02)
        return process

    def stop_agent(self, sig=signal.SIGTERM):
        self.agent.send_signal(sig)
        self.agent.wait(timeout=30)
        code, self.agent = self.agent.returncode, None
        return code

    def public(self, program):
        """A copy of a program where anybody can run it: the checkout may lie where only root can
        go. The test's directory becomes open to all, as /run/portward is."""
        place = self.dir / "bin"
        place.mkdir(exist_ok=True)
        self.dir.chmod(0o755)
        copy = place / program.name
        if not copy.exists():
            shutil.copy(program, copy)
        return str(copy)

    def config(self, text):
        (self.dir / "portward.conf").write_text(text)

    def cli(self, *args, text=None, directory=None):
        """Runs portward inside S; returns the finished process."""
        base = pathlib.Path(directory or self.dir)
        return subprocess.run(
            ["nsenter", f"--net=/run/netns/{self.names['S']}", str(CLI), "--runtime-dir",
             str(base / "run"), *args],
            text=True, capture_output=True, input=text, timeout=120)

    def ok(self, *args, text=None):
        """The same for a command that must succeed; returns its standard output."""
        done = self.cli(*args, text=text)
        if done.returncode:
            raise RuntimeError(f"portward {' '.join(args)}: exit {done.returncode}\n"
                               f"{done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *args, text=None):
        """Data of the --json answer of a command that must succeed."""
        done = self.cli(*args, "--json", text=text)
        answer = json.loads(done.stdout)
        if not answer["ok"]:
            raise RuntimeError(f"portward {' '.join(args)}: {done.stdout}")
        return answer["data"]

    def block(self, *args):
        """Adds a dynamic filter, returns its id."""
        return self.json(*args)["filter"]["id"]

    def counters(self):
        return {f["id"]: f["packets"] for f in self.json("counters")["counters"]}

    # --- probes ---
    def _socket(self, which, address, kind, proto=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.inside(which):
            s = socket.socket(family, kind, proto)
        self.sockets.append(s)
        return s

    def udp(self, which, address, port=0):
        """A bound UDP socket with a large receive buffer."""
        s = self._socket(which, address, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
        s.bind((address, port))
        s.setblocking(False)
        return s

    def tcp_listen(self, which, address, port):
        s = self._socket(which, address, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        s.listen(128)
        s.setblocking(False)
        return s

    def connect(self, which, source, target, port, sport=0):
        """True if a TCP connection is established, False if nothing or a reset comes back."""
        s = self._socket(which, target, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.settimeout(WAIT_S)
        try:
            s.bind((source, sport))
            s.connect((target, port))
            return True
        except OSError:
            return False
        finally:
            s.close()
            self.sockets.remove(s)

    def send_udp(self, which, source, target, port, n=20, sport=0):
        s = self.udp(which, source, sport)
        sent = 0
        for i in range(n):
            try:
                s.sendto(i.to_bytes(8, "big"), (target, port))
                sent += 1
            except PermissionError:
                sent += 1  # an outbound block on the way: counted as sent, never delivered
            except ConnectionRefusedError:
                s.sendto(i.to_bytes(8, "big"), (target, port))
                sent += 1
        s.close()
        self.sockets.remove(s)
        return sent

    def ping(self, which, target, n=5, wait_s=WAIT_S):
        """Number of echo replies."""
        six = ":" in target
        proto = socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP
        s = self._socket(which, target, socket.SOCK_RAW, proto)
        ident, replies = os.getpid() & 0xffff, 0
        for seq in range(n):
            message = struct.pack("!BBHHH", 128 if six else 8, 0, 0, ident, seq) + b"portward"
            if not six:
                message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
            with contextlib.suppress(OSError):
                s.sendto(message, (target, 0))
        end = time.monotonic() + wait_s
        while replies < n:
            left = end - time.monotonic()
            if left <= 0 or not select.select([s], [], [], left)[0]:
                break
            data = s.recv(2048)
            body = data if six else data[(data[0] & 15) * 4:]
            replies += body[0] == (129 if six else 0) and body[4:6] == struct.pack("!H", ident)
        s.close()
        self.sockets.remove(s)
        return replies

    def raw(self, which, address, proto):
        """A raw IP socket of one protocol."""
        s = self._socket(which, address, socket.SOCK_RAW, proto)
        s.setblocking(False)
        return s

    def frames(self, which, dev, frame, n):
        """Sends whole Ethernet frames."""
        with self.inside(which):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            s.bind((dev, 0))
        for _ in range(n):
            s.send(frame)
        s.close()

    def mac(self, which, dev):
        link = json.loads(self.ip(which, "-j", "link", "show", "dev", dev))[0]
        return bytes.fromhex(link["address"].replace(":", ""))

    # --- end ---
    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
                child.wait()
        for s in self.sockets:
            s.close()
        for cookie in self.cookies:
            remove_pins(PIN_ROOT / str(cookie))
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)
        os.close(self.home)


class SmallDisk:
    """A file system of 1 MiB on a directory, and what fills it."""

    def __init__(self, path, size="1m"):
        self.path = pathlib.Path(path)
        self.path.mkdir(exist_ok=True, parents=True)
        run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(self.path)])

    def fill(self):
        with open(self.path / "filler", "wb", buffering=0) as f:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        f.write(bytes(size))
                except OSError:
                    pass

    def free(self):
        (self.path / "filler").unlink()

    def unmount(self):
        subprocess.run(["umount", "-l", str(self.path)], capture_output=True)


def nested_shapes(name):
    """A policy of 1,024 mask shapes, nested so that at most 8 can share a group: it is stored, and
    refused when it is to be enforced."""
    rules = "".join(f'rule "r{i}-{j}" block tcp from 10.0.0.0/{i} to 10.0.0.0/{j} port 1\n'
                    for i in range(1, 33) for j in range(1, 33))
    return f'policy "{name}" {{\n{rules}}}'


def image_id(net):
    """The map that slot 0 of the root names: it changes with each new image."""
    out = run(["bpftool", "-j", "map", "lookup", "pinned", str(net.pins / "map/roots"),
               "key", "0", "0", "0", "0"]).stdout
    return bytes(int(b, 16) for b in json.loads(out)["value"])


def set_netns(fd):
    if _libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def netns_cookie():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return struct.unpack("=Q", s.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))[0]


def remove_pins(directory):
    if directory.is_dir():
        for path in sorted(directory.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        directory.rmdir()


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def until(condition, limit_s=10.0):
    """Waits until something is true; returns the seconds it took, infinity if it did not come."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > limit_s:
            return math.inf
        time.sleep(0.02)
    return time.monotonic() - start


def received(s, wait_s=WAIT_S, want=None):
    """Number of datagrams that reach a socket until nothing comes for wait_s. With want: until so
    many have come (or 10 s have passed), however busy the machine is, and what else is there."""
    n, end = 0, time.monotonic() + 10
    while select.select([s], [], [], wait_s if want is None else
                        max(0, end - time.monotonic()) if n < want else 0)[0]:
        try:
            while True:
                s.recv(65536)
                n += 1
        except BlockingIOError:
            pass
    return n


def udp6_frame(src_mac, dst_mac, source, target, port, n_bytes=8):
    """The same over IPv6, with the checksum that IPv6 demands."""
    addresses = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target)
    length = 8 + n_bytes
    udp = struct.pack("!HHHH", 40000, port, length, 0) + bytes(n_bytes)
    total = checksum(addresses + struct.pack("!II", length, 17) + udp)
    udp = udp[:6] + struct.pack("!H", total or 0xffff) + udp[8:]
    return dst_mac + src_mac + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, length, 17, 64) + \
        addresses + udp


def udp_frame(src_mac, dst_mac, source, target, port, n_bytes=8):
    """Ethernet frame of an IPv4 UDP datagram from port 40000, without UDP checksum."""
    udp = struct.pack("!HHHH", 40000, port, 8 + n_bytes, 0) + bytes(n_bytes)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0,
                         socket.inet_aton(source), socket.inet_aton(target))
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return dst_mac + src_mac + b"\x08\x00" + header + udp
