#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every row of article KB974288 in tests/acceptance/seed-commands.tsv, exactly as written: its
context rows first, then the command, through `portward compat`, by the tool's name, and as a batch
file; then the settings that are stored and those that the agent says are in force. What connections feel
of it is tested by test-mpp-attack.py, which makes the attack that the `packets` column speaks of."""
import dataclasses
import re

import acceptance_table as table
from acceptance_host import Host
from pwtest import check, main

KEYS = {"on4": "mpp.ipv4.enabled", "on6": "mpp.ipv6.enabled", "profiles": "mpp.profiles",
        "ports4": "mpp.ipv4.exempt", "ports6": "mpp.ipv6.exempt",
        "off4": "mpp.ipv4.interfaces-off", "off6": "mpp.ipv6.interfaces-off",
        "rates": "mpp.rates"}
# Rows that need an attack, which the tests of the engine make.
OUTCOMES = {"KB974288-G1", "KB974288-G2"}
BATCH = -1  # a line of a batch file, not a byte of it changed
TWELVE = ", ".join(f"{n}-{n + 1}" for n in range(100, 220, 10))
NO_MAP = (r"\{GUID\}: no interface is known for it, DisableMPPOnIF is not taken over; say "
          r"--map \{GUID\}=eth0",)
NO_PART = (r"^portward: note: EventMessageFile has no counterpart here and is ignored",)


@dataclasses.dataclass(frozen=True)
class Expected:
    settings: dict
    exit: int = 0
    out: tuple = ()
    err: tuple = ()
    quiet: bool = False  # nothing at all on stderr


OK = (r"\AOk\.\n\n\Z",)
DONE = (r"The operation completed successfully\.",)
EXEMPT = {"ports4": "5000-5009", "ports6": "5000-5009"}
ON = {"on4": "yes", "on6": "yes"}
EXPECTED = {
    "01": Expected({}, out=OK),
    "02": Expected({}, out=(r"\AQuerying active state\.\.\.\n\nTCP Security Parameters\n-+\n"
                            r"Memory Pressure Protection +: enabled\nProfiles +: enabled\n\n"
                            r"Port exemptions\n    none\n",)),
    "03": Expected(ON, out=OK, quiet=True),
    "04": Expected({"on4": "no", "on6": "no"}, out=OK, quiet=True),
    "05": Expected({}, out=OK),
    "06": Expected({**ON, "profiles": "yes"}, out=OK, quiet=True),
    "07": Expected({**ON, "profiles": "no"}, out=OK, quiet=True),
    "08": Expected(ON, out=OK),
    "09": Expected({**ON, **EXEMPT}, out=OK, quiet=True),
    "10": Expected(ON, out=OK, quiet=True),
    "11": Expected(ON, out=OK, quiet=True),
    "12": Expected(ON, out=OK, quiet=True),
    "R1": Expected({"on4": "no"}, out=DONE),
    "R2": Expected({"on4": "yes"}, out=DONE),
    "R3": Expected({"on6": "no"}, out=DONE),
    "R4": Expected({"on6": "yes"}, out=DONE),
    "R5": Expected({}, 6, err=NO_MAP),
    "R6": Expected({}, 6, err=NO_MAP),
    "R7": Expected({"ports4": "5000-5010"}, out=DONE, quiet=True),
    "R8": Expected({"ports6": "5000-5010"}, out=DONE, quiet=True),
    "R9": Expected({"ports4": TWELVE}, 6, err=(r"MPPExcludedPorts: range 220-221 is ignored, 12 "
                                               r"ranges are the limit",)),
    "R10": Expected({}, err=NO_PART),
    "R11": Expected({}, err=NO_PART),
    "R12": Expected({}, err=NO_PART),
    "M1": Expected(ON, out=OK, quiet=True),
    "M2": Expected({}, err=NO_PART),
    "M3": Expected({**ON, **EXEMPT}, 1, err=(r"5000-5009",)),
    "M4": Expected({**ON, **EXEMPT}, 5, err=(r"5000-5009",)),
}


class Chain:
    def __init__(self, host, row, turn):
        self.host, self.row, self.turn = host, row, turn
        self.wrong = []

    def require(self, condition, text):
        if not condition:
            self.wrong.append(text)

    def execute(self, row, *options):
        words = table.words(row.command)
        if self.turn == BATCH:
            path = self.host.net.dir / "row.cmd"
            path.write_text(f"set systemroot=C:\\Windows\r\n{' '.join([row.command, *options])}\r\n")
            return self.host.compat("--batch", path)
        if not self.turn:
            return self.host.compat(*words, *options)
        return self.host.by_name([table.spelled(words[0], self.turn), *words[1:], *options])

    def stored(self):
        values = {s["key"]: s["value"] for s in self.host.data("GET", "/v1/settings")["settings"]}
        return {name: values[key] for name, key in KEYS.items() if values[key] is not None}

    def in_force(self, want):
        """What the agent makes of the settings."""
        got = self.host.data("GET", "/v1/mpp")
        for family in "46":
            ports = [[int(p) for p in r.split("-")]
                     for r in want.get(f"ports{family}", "").split(", ") if r]
            name = f"ipv{family}"
            self.require(got[name] == (want.get(f"on{family}") != "no"), f"{name} is {got[name]}")
            self.require(got["exempt"][name] == ports, f"exempt are {got['exempt'][name]}")
            off = [i["name"] for i in got["interfaces"] if not i[name]]
            self.require(off == want.get(f"off{family}", "").split(), f"off are {off}")
        self.require(got["profiles"] == (want.get("profiles") != "no"), "profiles")
        if got["engine"]:
            self.require(got["engine"]["generation"] == got["generation"], "kernel is behind")

    def compare(self, done, expected):
        self.require(done.returncode == expected.exit, f"exit {done.returncode}, not "
                     f"{expected.exit}: {done.stdout}{done.stderr}")
        for text, patterns in ((done.stdout, expected.out), (done.stderr, expected.err)):
            for pattern in patterns:
                self.require(re.search(pattern, text, re.MULTILINE), f"{text!r} lacks {pattern}")
        self.require(not expected.quiet or not done.stderr, f"stderr: {done.stderr!r}")
        stored = self.stored()
        self.require(stored == expected.settings, f"stored {stored}, not {expected.settings}")
        self.in_force(expected.settings)

    def run(self, context):
        self.host.data("POST", "/v1/mpp", {"text": "reset all"})
        for row in context:
            done = self.execute(row)
            self.require(done.returncode == 0, f"context {row.id}: {done.stderr}")
        expected = EXPECTED[self.row.id.removeprefix("KB974288-")]
        before = self.host.marks()
        self.compare(self.execute(self.row), expected)
        if expected.exit in (1, 5):
            self.require(self.host.marks() == before, "a refused line changed something")
        self.more()
        return self.wrong

    def more(self):
        """With what the row leaves open: which interface the GUID is."""
        if self.row.id in ("KB974288-R5", "KB974288-R6"):
            family = "4" if self.row.id.endswith("5") else "6"
            self.compare(self.execute(self.row, "/map", "{GUID}=s0"),
                         Expected({f"off{family}": "s0"}, out=DONE))


def test(net):
    rows = {i: r for i, r in table.read().items() if i.startswith("KB974288-")}
    net.start_agent()
    host = Host(net)
    missing = set(rows) - {f"KB974288-{name}" for name in EXPECTED} - OUTCOMES
    check(len(rows) == 30 and not missing, f"{len(rows)} rows, none is left out: {missing or ''}")
    for number, row in enumerate(rows.values(), 1):
        if row.id in OUTCOMES:
            continue
        wrong = []
        for context in table.chains(rows, row):
            for turn in (0, number, BATCH):
                how = "in a batch file: " if turn == BATCH else "by name: " if turn else \
                    "as written: "
                wrong += [how + text for text in Chain(host, row, turn).run(context)]
        check(not wrong, f"{row.id}  {row.command}")
        for text in wrong:
            print(f"        {text}")


main(test)
