# SPDX-License-Identifier: GPL-2.0-or-later
"""The packet filters that bench.py compares. Each loads N filters into a station (lab.py) and adds
one more; the packets decide whether it did. `cap` is the largest N that is tried, `why` the reason
of a cap; `tools` are the programs that it needs."""
import json
import os
import pathlib
import statistics
import subprocess
import time

import rulesets
from lab import BUILD, PROGRAM, Failed
from pwtest import AGENT, CLI

PW_ATTACH = BUILD / "tests/tools/pw-attach"
MILLION = 1000000
LIMIT = MILLION  # of portward: no room for one more at the largest size
UPDATES, UPDATES_MAX_S = 5, 10


class Backend:
    name, label, cap, why, tools = "", "", MILLION, "", ()
    kind, family = "one", 4
    kinds = ("legit", "hit", "miss")  # packets that are put into the stack
    floods = ("legit", "hit")         # and that come over veth

    def load(self, station, n):
        """Puts N filters in force; what it says goes into the row."""
        return {}

    def add_one(self, station, i):
        """Seconds for one filter more, by the command that people type."""
        raise NotImplementedError

    def updates(self, station):
        times = [self.add_one(station, 0)]
        # One that takes minutes (nft reads all ranges first) is measured once.
        while len(times) < UPDATES and sum(times) < UPDATES_MAX_S:
            times.append(self.add_one(station, len(times)))
        return {"update_ms": round(statistics.median(times) * 1000, 3), "updates": len(times)}


class Nothing(Backend):
    name, label = "none", "no filter"

    def updates(self, station):
        return {}


def loaded(station, words, text=None, tools=False):
    seconds, resident, _ = station.timed(words, tools=tools, text=text)
    return {"apply_ms": round(seconds * 1000, 3), "loader_bytes": resident}


class XdpDrop(Backend):
    """Drops everything at the device, before the stack: what a drop can cost at least."""
    name, label, kinds, floods = "xdp-drop", "XDP that drops all", (), ("hit",)

    def load(self, station, n):
        child = station.spawn([PROGRAM, "--drop-all", "--device", "s0"], stdout=subprocess.PIPE,
                              stdin=subprocess.PIPE, text=True)
        if child.stdout.readline().strip() != "ready":
            raise Failed("no XDP program on the device")
        return {}


class Nft(Backend):
    tools = ("nft",)

    def __init__(self, name, label, make, element, cap=MILLION, why="", kind="one", family=4):
        self.name, self.label, self.make, self.element = name, label, make, element
        self.cap, self.why, self.kind, self.family = cap, why, kind, family

    def load(self, station, n):
        path = station.dir / "rules.nft"
        path.write_text(self.make(n))
        return loaded(station, ["nft", "-f", path])

    def add_one(self, station, i):
        address = rulesets.extra_address(i) if self.family == 4 else f"2001:db8:1::{i:x}"
        return station.timed(["nft", self.element.format(address)])[0]


class Iptables(Backend):
    def __init__(self, flavour, cap, why):
        self.name, self.label = f"iptables-{flavour}", f"iptables-{flavour}, chain"
        self.program, self.cap, self.why = f"iptables-{flavour}", cap, why
        self.tools = (self.program,)

    def load(self, station, n):
        return loaded(station, [f"{self.program}-restore"], text=rulesets.iptables(n), tools=True)

    def add_one(self, station, i):
        return station.timed([self.program, "-A", "INPUT", "-s", rulesets.extra_address(i), "-p",
                              "udp", "--dport", rulesets.PORT, "-j", "DROP"], tools=True)[0]


class Ipset(Backend):
    name, label, tools = "ipset", "ipset hash:ip,port", ("ipset", "iptables-legacy")

    def load(self, station, n):
        row = loaded(station, ["ipset", "restore"], text=rulesets.ipset(n), tools=True)
        station.timed(["iptables-legacy", "-A", "INPUT", "-p", "udp", "-m", "set", "--match-set",
                       "bench", "src,dst", "-j", "DROP"], tools=True)
        return row

    def add_one(self, station, i):
        return station.timed(["ipset", "add", "bench",
                              f"{rulesets.extra_address(i)},udp:{rulesets.PORT}"], tools=True)[0]


class Ufw(Backend):
    name, label, tools = "ufw", "ufw", ("ufw", "iptables")
    cap, why = 1000, "one chain rule for each filter"
    kinds = ("legit", "hit")  # random sources fill its connection table

    def load(self, station, n):
        rules = station.dir / "ufw.rules"
        rules.write_text(rulesets.ufw_rules(n))
        station.timed(["sh", "-c", "cp /usr/share/ufw/user.rules /etc/ufw/user.rules && "
                       f"sed -i '/^### RULES ###/r {rules}' /etc/ufw/user.rules"], tools=True)
        station.timed(["ufw", "--force", "disable"], tools=True)
        station.timed(["ufw", "default", "allow", "incoming"], tools=True)
        return loaded(station, ["ufw", "--force", "enable"], tools=True)

    def add_one(self, station, i):
        return station.timed(["ufw", "deny", "proto", "udp", "from", rulesets.extra_address(i),
                              "to", "any", "port", rulesets.PORT], tools=True)[0]


class Firewalld(Backend):
    name, label = "firewalld", "firewalld, rich rules"
    tools = ("firewalld", "firewall-cmd", "dbus-daemon")
    cap, why = 1000, "one chain rule for each filter"
    kinds = ("legit", "hit")

    def load(self, station, n):
        zone = station.dir / "zone.xml"
        zone.write_text(rulesets.firewalld_zone(n))
        station.timed(["sh", "-c", "mkdir -p /run/dbus /etc/firewalld/zones && rm -f "
                       f"/run/dbus/* && cp {zone} /etc/firewalld/zones/bench.xml && "
                       "sed -i 's/^DefaultZone=.*/DefaultZone=bench/' "
                       "/etc/firewalld/firewalld.conf"], tools=True)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        station.spawn(["dbus-daemon", "--system", "--nofork", "--nopidfile"], True, **quiet)
        daemon = station.spawn(["firewalld", "--nofork", "--nopid"], True, **quiet)
        deadline = time.monotonic() + 60
        while True:
            try:
                station.timed(["firewall-cmd", "--state"], tools=True)
                break
            except Failed as error:
                if time.monotonic() > deadline or daemon.poll() is not None:
                    raise Failed(f"firewalld does not start in a namespace: {error}") from error
                time.sleep(0.2)
        row = loaded(station, ["firewall-cmd", "--reload"], tools=True)
        return {**row, "resident_bytes": resident(daemon.pid)}

    def add_one(self, station, i):
        return station.timed(["firewall-cmd", "--add-rich-rule",
                              f'rule family="ipv4" source address="{rulesets.extra_address(i)}" '
                              f'port port="{rulesets.PORT}" protocol="udp" drop'], tools=True)[0]


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


class Portward(Backend):
    """The real agent, with a configuration of its own."""

    def __init__(self, guard=None, kind="one", family=4):
        self.guard, self.kind, self.family = guard, kind, family
        self.name = "portward" + ("" if guard is None else f"-guard-{guard}")
        self.label = "portward" + ("" if guard is None else f", guard {guard}")
        self.kinds = ("legit", "hit", "miss") + (("fixed",) if kind == "one" else ())

    def cli(self, station, *args, **kwargs):
        return station.timed([CLI, "--timeout", "10m", "--runtime-dir", station.dir / "run", *args],
                             **kwargs)

    def start(self, station):
        config = station.dir / "portward.conf"
        config.write_text(f"[datapath]\nguard = {self.guard}\n" if self.guard else "")
        self.log = station.dir / "agent.log"
        with open(self.log, "w") as log:
            self.agent = station.spawn(
                [AGENT, "--foreground", "--config", config, "--state-dir", station.dir / "state",
                 "--runtime-dir", station.dir / "run"], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            try:
                # 6: in force, with warnings.
                return self.cli(station, "status", accept=(0, 6))
            except Failed as error:
                if time.monotonic() > deadline or self.agent.poll() is not None:
                    raise Failed(f"agent: {self.log.read_text()[-300:]}") from error
                time.sleep(0.02)

    def load(self, station, n):
        policy = station.dir / "bench.policy"
        policy.write_text(rulesets.portward(n, self.kind, self.family))
        self.room = LIMIT - n
        self.start(station)
        before = resident(self.agent.pid)
        stored, _, answer = self.cli(station, "--json", "policy", "load", policy, accept=(0, 6))
        assigned, _, answer2 = self.cli(station, "--json", "policy", "assign", "bench",
                                        accept=(0, 6))
        return {"apply_ms": round((stored + assigned) * 1000, 3),
                "store_ms": round(stored * 1000, 3), "assign_ms": round(assigned * 1000, 3),
                "phases_ms": phases(stored + assigned, answer, answer2),
                "resident_bytes": resident(self.agent.pid), "resident_empty_bytes": before,
                **image_bytes(station)}

    def updates(self, station):
        return super().updates(station) if self.room >= UPDATES else {}

    def add_one(self, station, i):
        address = rulesets.extra_address(i) if self.family == 4 else f"2001:db8:1::{i:x}"
        return self.cli(station, "block", "in", "udp", "from", address, "to", "me", "port",
                        rulesets.PORT, accept=(0, 6))[0]


def phases(seconds, *answers):
    """Where the agent's time went, and what is left: the command line with its own check of the
    text, the way to the agent, and notes for the caller."""
    parts = {}
    for answer in answers:
        for name, us in json.loads(answer)["data"]["phases_us"].items():
            parts[name] = round(parts.get(name, 0) + us / 1000, 3)
    return {**parts, "rest": round(seconds * 1000 - sum(parts.values()), 3)}


class PortwardDirect(Portward):
    """The same datapath without an agent and its database: text file to packets in one process."""
    def __init__(self, kind="one", family=4):
        super().__init__(None, kind, family)
        self.name, self.label = "portward-direct", "portward, one process"

    def load(self, station, n):
        policy = station.dir / "bench.policy"
        policy.write_text(rulesets.portward(n, self.kind, self.family))
        seconds, peak, printed = station.timed([PW_ATTACH, "--detach", policy])
        line = next(line for line in printed.splitlines() if line.startswith("ms "))
        words = line.split()[1:]
        steps = dict(zip(words[::2], map(float, words[1::2])))
        return {"apply_ms": round(sum(steps.values()), 3), "steps_ms": steps,
                "enforce_ms": round(sum(steps.values()) - steps["parse"], 3),
                "process_ms": round(seconds * 1000, 3), "loader_bytes": peak,
                **image_bytes(station)}

    def updates(self, station):
        return {}


def bpftool(*args):
    done = subprocess.run(["bpftool", "-j", "map", *args], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout else {}


def image_bytes(station):
    """Kernel memory of the image in force, and of all other maps of this namespace (counters and
    tables whose size does not depend on the number of filters)."""
    pins = station.pins / "map"
    value = bpftool("lookup", "pinned", str(pins / "roots"), "key", "0", "0", "0", "0").get("value")
    if not value:
        return {}
    number = int.from_bytes(bytes(int(b, 16) for b in value), "little")
    others = sum(bpftool("show", "pinned", str(path)).get("bytes_memlock", 0)
                 for path in pins.iterdir())
    return {"image_bytes": bpftool("show", "id", str(number)).get("bytes_memlock", 0),
            "other_map_bytes": others}


def guard_known(directory):
    """True if this build has the key `[datapath] guard`."""
    config = pathlib.Path(directory) / "guard.conf"
    config.write_text("[datapath]\nguard = off\n")
    done = subprocess.run([str(AGENT), "--check-config", "--config", str(config)],
                          capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    return done.returncode == 0


LINEAR_CAP = "a chain, 0.4 to 3 ms for a packet at 100,000"
PEERS = (
    Nft("nft-linear", "nft, chain", rulesets.nft_linear,
        f"add rule inet bench input ip saddr {{}} udp dport {rulesets.PORT} drop", 100000,
        LINEAR_CAP),
    Nft("nft-hash", "nft, hash set", rulesets.nft_hash, "add element inet bench s {{ {} }}"),
    Nft("nft-concat", "nft, concatenated set", rulesets.nft_concat,
        f"add element inet bench s {{{{ {{}} . {rulesets.PORT} }}}}"),
    Nft("nft-vmap", "nft, verdict map", rulesets.nft_vmap,
        f"add element inet bench m {{{{ {{}} . udp . {rulesets.PORT} : drop }}}}"),
    Nft("nft-interval", "nft, interval set", rulesets.nft_interval,
        "add element inet bench s {{ {} }}"),
    Nft("nft-ranges", "nft, concatenated ranges", rulesets.nft_ranges,
        "add element inet bench s {{ {} . " + "-".join(map(str, rulesets.PORT_RANGE)) + " }}",
        100000, "0.5 GB of kernel memory at 100,000", kind="range"),
    Nft("nft-concat", "nft, concatenated set", rulesets.nft_concat6,
        f"add element inet bench s {{{{ {{}} . {rulesets.PORT} }}}}", family=6),
    Iptables("legacy", 100000, LINEAR_CAP),
    Iptables("nft", 10000, "a chain, slower than the others"),
    Ipset(),
    Ufw(),
    Firewalld(),
)
