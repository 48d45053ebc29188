#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every row of tests/acceptance/seed-commands.tsv that belongs to the Windows dialects, exactly as
written: its context rows first, then the command; then the stored state, real packets between two
namespaces, and what is printed.

Each row runs twice: as written through `portward compat`, and through links named like the tool, in
lower and upper case, with and without .exe. A row that is neither run nor listed in
acceptance_table.LATER or GAPS fails the test.
Usage: test-acceptance.py [PREFIX...]   rows whose id begins with a prefix
"""
import re
import shutil
import sys

import acceptance_packets as packets
import acceptance_states as states
import acceptance_table as table
import pwtest
import rpclab
from acceptance_host import Host
from pwtest import check, main

PREFIXES = tuple(sys.argv[1:]) or ("",)
# The known part of netdiag's text ends here; what follows is ours (windows.md 10).
OWN_HEADING = re.compile(r"(Dynamic|Persistent|IPv6) filters: \d+")
REPAIR = re.compile(r"^portward: note: read '.*' as '", re.MULTILINE)


def squeezed(text):
    return " ".join(text.replace("\\n", "\n").split())


def output_pattern(cell):
    return re.escape(squeezed(cell)).replace(re.escape("{GUID}"), r"\{[0-9A-F]{8}(?:-[0-9A-F]{4})"
                                             r"{3}-[0-9A-F]{12}\}").replace(r"\ ", " ")


def notes(done):
    """Number of repairs that a command told of."""
    return len(REPAIR.findall(done.stderr))


class Chain:
    """One row with one chain of context rows, on an agent that holds nothing."""

    def __init__(self, host, prober, rows, row, context, turn):
        self.host, self.prober, self.rows, self.row = host, prober, rows, row
        self.context, self.turn = context, turn
        self.by_name = turn > 0
        self.expected = states.EXPECTED[row.id]
        self.wrong = []

    def require(self, condition, text):
        if not condition:
            self.wrong.append(text)
        return condition

    # --- running ---
    def execute(self, row, *options):
        """One row's command, options of ours right behind compat or the tool's name."""
        if row.is_loop:
            words = row.command
            if self.by_name:
                words = re.sub(r"\bipsec\w+\.exe", lambda m: table.spelled(m[0], self.turn),
                               words)
            return self.host.shell(words, self.by_name)
        if row.is_glued:
            return self.host.compat("--paste", "--run", *options, text=row.command + "\n")
        words = table.words(row.command)
        if words[0] == "%IPSECTOOL%":
            return self.batch(row)
        if not self.by_name:
            return self.host.compat(*options, *words)
        return self.host.by_name([table.spelled(words[0], self.turn), *options, *words[1:]])

    def batch(self, row):
        path = self.host.net.dir / "row.cmd"
        path.write_text(f"@echo off\r\n{row.command}\r\n")
        return self.host.compat("--batch", path)

    def prepare(self):
        """Clean agent, then the context rows."""
        self.host.ensure_agent()
        self.host.clear()
        chain = list(self.context)
        if self.by_name and self.row.id in states.PREPARED:
            first = self.rows[states.PREPARED[self.row.id][0]]
            chain.insert(len(chain) if first.article == "KB908472" else 0, first)
        for row in chain:
            done = self.execute(row)
            if not self.require(done.returncode == states.EXPECTED[row.id].exit,
                                f"context row {row.id}: exit {done.returncode}: {done.stderr}"):
                return False
        return True

    def unchanged(self, what, run):
        """run() must change nothing at all; returns the finished command."""
        before, state = self.host.marks(), self.host.state()
        done = run()
        self.require(self.host.state() == state, f"{what} changed something")
        self.require(self.host.marks() == before, f"{what} made a new generation or state")
        return done

    # --- what must hold ---
    def run(self):
        row = self.row
        if not self.prepare():
            return self.wrong
        if row.is_misprint or row.id == "KB813878C-M1":
            self.strict()
        if row.is_glued:
            self.paste()
        self.generation = self.host.marks()[1] if self.host.answers() else None
        done = None if row.is_outcome else self.execute(row)
        if done:
            self.said(done)
        self.holds()
        if self.expected.running:
            self.extra(done)
        return self.wrong

    def strict(self):
        """Before or behind the tool's name: refused, nothing happens."""
        tool, *words = table.words(self.row.command)
        line = (tool, "--strict", *words) if self.by_name else ("--strict", tool, *words)
        done = self.unchanged("--strict", lambda: self.host.compat(*line))
        self.require(done.returncode == 2, f"--strict: exit {done.returncode}: {done.stderr}")

    def paste(self):
        """Without --run nothing happens, the corrected line is shown."""
        done = self.unchanged("--paste", lambda: self.host.compat(
            "--paste", text=self.row.command + "\n"))
        self.require(done.returncode == 0, f"--paste: exit {done.returncode}: {done.stderr}")
        for pattern in states.CORRECTED[self.row.id]:
            self.require(re.search(pattern, done.stdout), f"--paste prints {done.stdout!r}, "
                         f"not {pattern}")
        if self.row.id == "KB813878C-M4":
            self.require(re.search(r"\*\s?0\s?=:", done.stderr), "--paste does not name *0=: "
                         f"{done.stderr!r}")
        self.refused_glued()

    def refused_glued(self):
        """The same words as arguments: refused, except netdiag's, which are repaired."""
        words = table.words(self.row.command)
        done = self.unchanged("as arguments", lambda: self.host.compat(*words))
        if self.row.id in ("KB813878C-M1", "KB813878C-M6"):
            self.require(done.returncode == 0, f"as arguments: exit {done.returncode}: "
                         f"{done.stderr}")
            self.output(done.stdout)
        else:
            self.require(done.returncode == 2, f"as arguments: exit {done.returncode}")

    def said(self, done):
        expected, row = self.expected, self.row
        self.require(done.returncode == expected.exit,
                     f"exit {done.returncode}, expected {expected.exit}: {done.stderr}")
        for stream, text, patterns in (("stdout", done.stdout, expected.out),
                                       ("stderr", done.stderr, expected.err)):
            for pattern in patterns:
                self.require(re.search(pattern, text, re.MULTILINE),
                             f"{stream} {text!r} lacks {pattern}")
        if row.is_misprint:
            self.require(notes(done) == 1, f"{notes(done)} repair notes, expected 1: "
                         f"{done.stderr}")
        elif not row.is_glued:
            self.require(notes(done) == 0, f"repair notes in a correct row: {done.stderr}")
        if row.output != "-":
            self.output(done.stdout, anywhere=row.is_glued)

    def output(self, stdout, anywhere=False):
        text, pattern = squeezed(stdout), output_pattern(self.row.output)
        match = re.search(pattern, text) if anywhere else re.match(pattern, text)
        if self.require(match, f"stdout {text!r} is not {squeezed(self.row.output)!r}"):
            rest = text[match.end():].strip()
            self.require(not rest or OWN_HEADING.match(rest), f"stdout goes on with {rest!r}")

    def state_expected(self):
        prepared = states.PREPARED.get(self.row.id)
        if not self.by_name or not prepared or not prepared[1]:
            return self.expected.state
        return prepared[1]

    def holds(self):
        """State and packets."""
        if self.expected.running:
            expected, got = self.state_expected(), self.host.state()
            self.require(got == expected, f"state is {got}, expected {expected}")
            now = self.host.marks()[1]
            in_force = sorted(f for rule in got.policies.get(got.assigned, {}).values()
                              for f in rule)
            self.require(self.host.filters("local") == in_force, "not everything assigned is in "
                         f"force: {self.host.filters('local')}")
            if self.generation is not None and not self.row.is_loop:
                self.require(now - self.generation in (0, 1),
                             f"generation {self.generation} became {now}: more than one step")
        else:
            self.require(not self.host.answers(), "the agent still answers")
        self.wrong += self.prober.failures(self.packets())[:8]

    def packets(self):
        expected = packets_of(self.rows, self.row, self.context)
        prepared = states.PREPARED.get(self.row.id)
        if self.by_name and prepared and prepared[2]:
            expected |= packets.parse(prepared[2], {})
        return expected

    def extra(self, done):
        """What a row says beyond state and packets."""
        check_row = EXTRA.get(self.row.id)
        if check_row:
            check_row(self, done)


def packets_of(rows, row, context):
    """Fates of a row's packets; "no change" = those of the row before it."""
    cell = row.packets
    if cell.startswith("not executed without --run: no change; with --run: "):
        cell = cell.split("with --run: ")[1]
    if re.match("none by itself;|22nd bind fails", cell) or row.id == "KB908472-G1":  # ports, not packets: EXTRA
        cell = "everything delivered"
    if row.id in states.AS:
        return packets_of(rows, rows[states.AS[row.id]], context)
    before = packets.everything()
    if context and "change" in cell or "as before" in cell:
        before = packets_of(rows, context[-1], context[:-1])
    return packets.parse(cell, before)


# --- rows that say more ---
def exempt_level(chain, done):
    """R1: the level is stored; with value 0 the packets from port 88 pass, with a warning."""
    host, words = chain.host, table.words(chain.row.command)
    got = host.data("GET", "/v1/settings?key=filter.exempt")["settings"]
    chain.require([s["value"] for s in got] == ["1"], f"filter.exempt is {got}")
    opened = host.compat(*["0" if w == "1" else w for w in words])
    chain.require(opened.returncode == 0 and "portward: warning:" in opened.stderr,
                  f"value 0: exit {opened.returncode}, {opened.stderr!r}")
    chain.wrong += chain.prober.failures(packets.parse(
        "in udp any:88->me:1434 delivered; in tcp any:88->me:80 delivered; "
        "in udp any:40123->me:1434 dropped", {}))


def redundant(chain, done):
    """23, 24: accepted, and check reports it."""
    found = chain.host.run([pwtest.CLI, "policy", "check", states.RPC])
    chain.require(found.returncode == 6 and "Allow Inbound TCP 135 from 10.1.1.0 Rule" in
                  found.stdout + found.stderr, f"policy check: exit {found.returncode}, "
                  f"{found.stdout}")


def confined(chain, done):
    """01, M5: a server that binds port 0 gets 5001 to 5021; the 22nd fails, not the 21st, with one
    event; a server that ran before needs a restart."""
    lab = rpclab.Lab(chain.host.net)
    app = lab.cgroup(lab.name())
    try:
        b = lab.binder(app)
        old = b.bound("old")[0]
        told = chain.host.run([pwtest.CLI, "rpc", "confine", str(app)]).stdout
        chain.require(f"confined after a restart: tcp 0.0.0.0:{old}" in told, f"confine: {told!r}")
        again = chain.host.compat(*table.words(chain.row.command))
        chain.require("needs a restart" in again.stdout, f"no word of a restart: {again.stdout!r}")
        before = len(rpclab.events(chain.host.net, "rpc-exhausted"))
        got = b.many("tcp", 22)
        chain.require(set(got["ports"]) == set(range(5001, 5022)) and got["error"] == "EADDRINUSE",
                      f"ports {got}")
        chain.require(rpclab.wait_for(
            lambda: len(rpclab.events(chain.host.net, "rpc-exhausted")) == before + 1),
            "no event, or more than one")
    finally:
        chain.host.clear()  # the next rows listen on these ports
        lab.close()


def rebooted(chain, done):
    """G1: what a reboot leaves: the database, no pins, no runtime directory."""
    net = chain.host.net
    chain.host.ensure_agent()
    net.stop_agent()
    pwtest.remove_pins(net.pins)
    shutil.rmtree(net.dir / "run", ignore_errors=True)
    net.start_agent()
    got = chain.host.data("GET", "/v1/rpc")
    chain.require((got["ports"], got["class"], got["default"])
                  == ("5001-5021", "internet", "internet"), f"after it: {got}")


EXTRA = {"KB908472-G1": rebooted, "KB908472-01": confined, "KB908472-M5": confined, "KB813878-R1": exempt_level, "KB908472-23": redundant, "KB908472-24": redundant}


def run_row(host, prober, rows, row, turn):
    """All chains of a row, as written and by name; True if everything held."""
    wrong = []
    for context in table.chains(rows, row):
        for by_name in (0, 1):
            chain = Chain(host, prober, rows, row, context, turn if by_name else 0)
            confines = any("rpccfg" in r.command for r in (row, *context))
            prober.rest() if confines else prober.listen()
            where = f"{'by name' if by_name else 'as written'} after " \
                    f"{','.join(r.id for r in context) or 'nothing'}"
            try:
                chain.run()
            except Exception as error:  # the other rows still run
                chain.wrong.append(f"{type(error).__name__}: {error}")
            wrong += [f"{where}: {text}" for text in chain.wrong]
    check(not wrong, f"{row.id}  {row.command}")
    for text in wrong:
        print(f"        {text}")
    return not wrong


def test(net):
    rows = table.read()
    wanted = [r for r in rows.values() if r.id.startswith(PREFIXES)]
    later = [r for r in wanted if r.later]
    ours = [r for r in wanted if not r.later]
    net.start_agent()
    host, prober = Host(net), packets.Prober(net)
    passed, missing = 0, []
    try:
        for turn, row in enumerate(ours, 1):
            if row.id in table.GAPS:
                print(f"gap     {row.id}: {table.GAPS[row.id]}")
            elif row.id not in states.EXPECTED:
                missing.append(row.id)
            else:
                passed += run_row(host, prober, rows, row, turn)
    finally:
        if host.answers() and (not net.agent or net.agent.poll() is not None):
            host.end_daemon()
    print(f"\nnot part of this issue: {len(later)} rows")
    for row in later:
        print(f"        {row.id}: {row.later}")
    check(not missing, f"every row is run or listed as a gap {missing or ''}")
    check(set(table.GAPS) <= set(rows), "every gap is a row")
    print(f"{passed} of {len(ours)} rows")


main(test)
