# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab of mpplab.py with a choice of servers: `plain` is pw-serve, `nginx` is Debian's nginx with
a master, two workers and sendfile. Used by tests that hold both against the same attacks.

Only what would fall before memory does is raised from nginx's defaults: connections of a worker and
its descriptors. Invariant: no process of a server outlives end()."""
import os
import pathlib
import shutil
import signal
import socket
import time

from mpplab import ATTACKS, EXEMPT_PORT, PORT, Lab
from pwtest import set_netns, skip

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
SERVERS = ("plain", "nginx")
BODIES = (100000, 1200000, 10000000)  # what clients and attackers ask for
CONFIG = """\
daemon off;
user root;
worker_processes 2;
worker_rlimit_nofile {descriptors};
error_log {dir}/error.log crit;
pid {dir}/nginx.pid;
events {{ worker_connections 100000; }}
http {{
    access_log off;
    sendfile on;
    keepalive_timeout 0;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        {listens}
        root {dir}/www;
    }}
}}
"""


def children(pid):
    try:
        return [int(p) for p in
                pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class ServerLab(Lab):
    """`kind` names the server that serve() starts."""

    def __init__(self):
        if not NGINX:
            skip("needs nginx")
        self.kind, self.descriptors = "plain", 100000
        super().__init__()
        self.place = self.dir / "nginx"
        (self.place / "www").mkdir(parents=True)
        for size in BODIES:
            with open(self.place / "www" / str(size), "wb") as f:
                f.write(b"x" * size)

    def sysctl(self, key, value):
        """Of S."""
        with open(f"/run/netns/{self.names['S']}") as ns:
            set_netns(ns.fileno())
            try:
                pathlib.Path("/proc/sys/net", key).write_text(str(value))
            finally:
                set_netns(self.home)

    def serve(self, descriptors=100000, ports=(PORT, EXEMPT_PORT)):
        self.descriptors = descriptors
        if self.kind == "plain":
            super().serve(descriptors, ports)
            return
        (self.place / "nginx.conf").write_text(CONFIG.format(
            dir=self.place, descriptors=descriptors // 2,
            listens=" ".join(f"listen [::]:{p} ipv6only=off backlog=65535;" for p in ports)))
        self.server = self.spawn("S", NGINX, "-p", self.place, "-e", self.place / "error.log", "-c",
                                 self.place / "nginx.conf")
        self.wait_for_answer(ports[0])

    def wait_for_answer(self, port):
        with open(f"/run/netns/{self.names['L']}") as ns:
            set_netns(ns.fileno())
            try:
                end = time.monotonic() + 10
                while time.monotonic() < end:
                    try:
                        socket.create_connection(("10.77.1.1", port), timeout=1).close()
                        return
                    except OSError:
                        time.sleep(0.01)
            finally:
                set_netns(self.home)
        raise RuntimeError("nginx does not start")

    def end(self, process, sig=signal.SIGTERM):
        """A master that is killed leaves its workers, and they the ports."""
        workers = children(process.pid) if process and process is self.server else []
        super().end(process, sig)
        for pid in workers if sig == signal.SIGKILL else ():
            os.kill(pid, sig)
            while pathlib.Path(f"/proc/{pid}").exists() and not is_zombie(pid):
                time.sleep(0.005)

    def crash(self):
        """The server dies with what it had queued and is there again at once: another pw-serve, or
        workers that nginx's master starts."""
        if self.kind == "plain":
            self.end(self.server, signal.SIGKILL)
            self.serve(self.descriptors)
            return
        for pid in children(self.server.pid):
            os.kill(pid, signal.SIGKILL)


def is_zombie(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


ATTACKS["orphan"] = ATTACKS["zero"]  # and the server dies
