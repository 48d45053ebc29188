#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Wall time of one command that blocks a TCP port from one address, and of the one that takes it
back: whole processes, median of RUNS, portward beside nft, ufw and firewall-cmd in the same run,
each in namespaces of its own. A competitor that is not here or does not run in a namespace is
skipped aloud. Besides, the agent's resident memory.

Usage: bench-command.py [RUNS]; PORTWARD_BUILD names the build directory, PORTWARD_PEERS one where
unpack-peers.sh put competitors that are not installed here."""
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))
import peers  # noqa: E402
from pwtest import CLI, SKIP, Net, set_netns  # noqa: E402

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 50
PEERS = os.environ.get("PORTWARD_PEERS")
SIZES = (0, 1000, 10000)
PER_RULE = 100  # filters of one rule of the policy


def address(i):
    return f"198.51.{100 + i // 200}.{i % 200 + 1}"


def filters(n):
    """(source prefix, port) of the filters that are there already."""
    return [(f"10.{i >> 8 & 255}.{i & 255}.0/24", i % 1000 + 1) for i in range(n)]


def timed(command):
    """Milliseconds and standard output of a process that must succeed."""
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    elapsed = (time.monotonic() - start) * 1000
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}".strip())
    return elapsed, done.stdout


def series(add, delete):
    """Medians of RUNS rounds of add(i), then delete(i, what add printed)."""
    added, deleted = [], []
    for i in range(RUNS):
        elapsed, out = timed(add(i))
        added.append(elapsed)
        deleted.append(timed(delete(i, out))[0])
    return statistics.median(added), statistics.median(deleted), max(added)


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


def policy(n):
    text, all_filters = "", filters(n)
    for first in range(0, n, PER_RULE):
        text += f'    rule "r{first}" {{\n'
        for source, port in all_filters[first:first + PER_RULE]:
            text += f"        block in tcp from {source} to me port {port}\n"
        text += "    }\n"
    return f'policy "P" {{\n{text}}}\n'


def portward(n):
    """Runtime files are in memory and the database is on disk, as on an installed system (/run
    may be on the disk of a container)."""
    net = Net()
    run_dir = tempfile.mkdtemp(prefix="pw-bench-", dir="/dev/shm")
    os.symlink(run_dir, net.dir / "run")
    try:
        net.start_agent()
        if n:
            net.ok("policy", "load", "-", text=policy(n))
            net.ok("policy", "assign", "P")
        memory = resident_mb(net.agent.pid)
        base = [str(CLI), "--runtime-dir", str(net.dir / "run")]
        with net.inside("S"):
            result = series(
                lambda i: base + ["block", "in", "tcp", "from", address(i), "to", "me", "port",
                                  "22"],
                lambda _, out: base + ["delete", out.split()[0]])
        return (*result, memory)
    finally:
        net.close()
        shutil.rmtree(run_dir, ignore_errors=True)


def nft(n):
    rules = "".join(f"        ip saddr {source} tcp dport {port} drop\n"
                    for source, port in filters(n))
    with tempfile.NamedTemporaryFile("w", suffix=".nft") as ruleset:
        ruleset.write("table inet bench {\n    chain input {\n        type filter hook input "
                      f"priority 0;\n{rules}    }}\n}}\n")
        ruleset.flush()
        timed(["nft", "-f", ruleset.name])
    return series(
        lambda i: ["nft", "-e", "-a", "add", "rule", "inet", "bench", "input", "ip", "saddr",
                   address(i), "tcp", "dport", "22", "drop"],
        lambda _, out: ["nft", "delete", "rule", "inet", "bench", "input", "handle",
                        out.split("handle")[-1].split()[0]])


def ufw():
    """Its files are copies: it writes to /etc/ufw whatever the namespace."""
    timed(["ufw", "--force", "enable"])
    return series(
        lambda i: ["ufw", "deny", "proto", "tcp", "from", address(i), "to", "any", "port", "22"],
        lambda i, _: ["ufw", "--force", "delete", "deny", "proto", "tcp", "from", address(i), "to",
                      "any", "port", "22"])


def firewalld():
    os.makedirs("/run/dbus", exist_ok=True)
    bus = subprocess.Popen(["dbus-daemon", "--system", "--nofork", "--nopidfile"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    daemon = subprocess.Popen(["firewalld", "--nofork", "--nopid"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while subprocess.run(["firewall-cmd", "--state"], capture_output=True).returncode:
            if time.monotonic() > deadline or daemon.poll() is not None:
                raise RuntimeError("firewalld does not start in a namespace")
            time.sleep(0.2)
        rule = 'rule family="ipv4" source address="{}" port port="22" protocol="tcp" drop'
        return series(
            lambda i: ["firewall-cmd", "--add-rich-rule", rule.format(address(i))],
            lambda i, _: ["firewall-cmd", "--remove-rich-rule", rule.format(address(i))])
    finally:
        for process in (daemon, bus):
            process.terminate()
            process.wait()


def apart(function, *args):
    """Runs function in a child with network and mount namespaces of its own, and copies of the
    directories that these tools write to. Returns its result or the reason why there is none."""
    read, write = os.pipe()
    copies = tempfile.mkdtemp(prefix="pw-bench-")
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            peers.enter(copies, PEERS)
            text = "ok " + " ".join(map(str, function(*args)))
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            text = "no " + " ".join(str(error).split())[:200]
        os.write(write, text.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        kind, _, text = pipe.read().partition(" ")
    os.waitpid(child, 0)
    os.rmdir(copies)  # what was mounted on it is gone with the child's namespace
    return ([float(x) for x in text.split()], "") if kind == "ok" else (None, text)


def row(name, n, result, own):
    ratio = "" if own is None else f"{result[0] / own[0]:8.1f} x {result[1] / own[1]:8.1f} x"
    print(f"{name:<14}{n:>8}{result[0]:>10.2f}{result[1]:>10.2f}{result[2]:>10.2f}  {ratio}",
          flush=True)


def main():
    if os.geteuid() != 0:
        print("SKIP: bench-command needs root for namespaces")
        sys.exit(SKIP)
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    baseline = statistics.median(timed(["/bin/true"])[0] for _ in range(RUNS))
    print(f"median of {RUNS}, milliseconds; an empty process takes {baseline:.2f}")
    print(f"{'command':<14}{'filters':>8}{'block':>10}{'delete':>10}{'max':>10}  times portward")
    own, memory = {}, {}
    for n in SIZES:
        *own[n], memory[n] = portward(n)
        set_netns(home)
        row("portward", n, own[n], None)
    jobs = [("nft", nft, n, (n,)) for n in SIZES]
    jobs += [("ufw", ufw, 0, ()), ("firewall-cmd", firewalld, 0, ())]
    for name, function, n, args in jobs:
        unpacked = PEERS and any(pathlib.Path(PEERS, "usr", d, name).exists()
                                 for d in ("bin", "sbin"))
        if not shutil.which(name) and not unpacked:
            print(f"SKIP: {name} is not installed here")
            continue
        result, why = apart(function, *args)
        if result:
            row(name, n, result, own[n])
        else:
            print(f"SKIP: {name}: {why}")
    print("resident memory of the agent: " +
          ", ".join(f"{memory[n]:.1f} MB with {n} filters" for n in SIZES))


main()
