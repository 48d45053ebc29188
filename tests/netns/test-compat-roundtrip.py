#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Policies through the foreign forms and back with the real commands, compared by `portward policy
diff`: native -> reg, netsh, ipseccmd -> native. What a form cannot express is listed on stderr
before anything is written, exit 6. And a netsh script of 40 commands against its native form.

Random policies follow from the printed seed (PORTWARD_SEED); diff-convert compares the same
converters packet by packet.
"""
import os
import random
import re
import subprocess
import time

import pwtest
from acceptance_host import Host
from pwtest import ROOT, check, main

DATA = ROOT / "tests/netns/data"
FORMS = ("reg", "netsh", "ipseccmd")
PLAIN, ANY = 25, 15  # policies for each form


def address(rng, form, plain):
    """An address that the form has words for."""
    a, b = rng.randrange(1, 224), rng.randrange(256)
    kinds = [lambda: "any", lambda: f"{a}.{b}.7.{rng.randrange(256)}", lambda: f"{a}.{b}.0.0/16",
             lambda: f"192.0.2.{16 * rng.randrange(16)}/28"]
    if form != "ipseccmd" or not plain:
        kinds += [lambda: f"2001:db8:{b:x}::{a:x}", lambda: f"2001:db8:{a:x}::/48",
                  lambda: f"198.51.100.{rng.randrange(100)}-198.51.100.{100 + b % 100}"]
    return rng.choice(kinds)()


def ports(rng, form, plain):
    port = rng.choice((1, 23, 80, 135, 445, 5001, 65535))
    kinds = ["", f" port {port}", f" port {port}"]
    if form != "netsh" or not plain:
        kinds += [" port 5001-5021", " port 80,443"]
    return rng.choice(kinds)


def text_filter(rng, action, form, plain):
    mine, other = "me", address(rng, form, plain)
    way = rng.choice(("in", "out"))
    proto = rng.choice(("tcp", "tcp", "udp", "icmp", "47", "any"))
    if proto == "icmp":
        other = "any" if ":" in other else other
    sport, dport = ((ports(rng, form, plain) if rng.randrange(3) == 0 else "",
                     ports(rng, form, plain)) if proto in ("tcp", "udp") else ("", ""))
    source, target = (other, mine) if way == "in" else (mine, other)
    words = f"{action} {way} {proto} from {source}{sport} to {target}{dport}"
    if rng.randrange(4) == 0:
        words += " mirrored"
    if not plain and action == "block" and rng.randrange(4) == 0:
        words += " override"
    return words


def policy(rng, name, form, plain):
    lines = []
    for number in range(rng.randrange(1, 9)):
        action = rng.choice(("block", "permit"))
        filters = [text_filter(rng, action, form, plain) for _ in range(rng.randrange(1, 4))]
        body = "\n".join(f"        {f}" for f in filters)
        lines.append(f'    rule "{rng.choice(("Block", "規則", "a-b"))} {number}" {{\n{body}\n    }}')
    body = "\n".join(lines)
    return f'policy "{name}" {{\n{body}\n}}\n'


class Trip:
    def __init__(self, net, rng):
        self.net, self.rng, self.host = net, rng, Host(net)
        self.source, self.form_file = net.dir / "source.pw", net.dir / "form"
        self.back = net.dir / "back.pw"

    def portward(self, *words):
        return self.host.run([pwtest.CLI, *words])

    def once(self, form, plain):
        """One policy there and back; "" or what went wrong."""
        text = policy(self.rng, "Round trip", form, plain)
        self.source.write_text(text)
        for path in (self.form_file, self.back):
            path.unlink(missing_ok=True)
        load = self.portward("policy", "load", self.source, "--replace")
        if load.returncode:
            return f"load: {load.stderr}\n{text}"
        export = self.portward("export", form, "Round trip", "-o", self.form_file)
        lossy = export.returncode == 6
        if export.returncode not in ((0,) if plain else (0, 6)):
            return f"export {form}: exit {export.returncode}: {export.stderr}\n{text}"
        if lossy and not export.stderr.strip():
            return f"export {form}: exit 6 without a word\n{text}"
        back = self.portward("import", form, self.form_file, "-o", self.back)
        if back.returncode not in ((0,) if plain else (0, 6)):
            return f"import {form}: exit {back.returncode}: {back.stderr}\n{self.shown(text)}"
        if lossy:
            self.lossy += 1
            return ""
        diff = self.portward("policy", "diff", "Round trip", self.back)
        if diff.returncode:
            return f"diff: exit {diff.returncode}\n{diff.stdout}{diff.stderr}\n{self.shown(text)}"
        return ""

    def shown(self, text):
        form = self.form_file.read_bytes() if self.form_file.exists() else b""
        return f"{text}\n{form.replace(bytes(1), b'').decode(errors='replace')}"

    def many(self, form, plain, n):
        self.lossy = 0
        wrong = ""
        for i in range(n):
            wrong = self.once(form, plain)
            if wrong:
                wrong = f"policy {i}: {wrong}"
                break
        check(not wrong, f"{form}: {n} {'plain' if plain else 'any'} policies there and back, "
              f"{self.lossy} with losses {wrong}")


def losses_first(trip):
    """What is lost stands on stderr before the first byte on stdout, exit 6, and is left out."""
    trip.source.write_text('policy "Lossy" {\n    rule "kept" block in tcp from any to me port 80\n'
                           '    rule "lost" block in tcp from any to me port 81 override\n'
                           '    rule "ping" block in icmp type 8 from any to me\n}\n')
    trip.portward("policy", "load", trip.source, "--replace")
    for form in FORMS:
        with trip.net.inside("S"):
            done = subprocess.run([pwtest.CLI, "--runtime-dir", trip.net.dir / "run", "export",
                                   form, "Lossy"], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=30, check=False)
        text = done.stdout.replace(b"\0", b"").decode(errors="replace")
        said = [m.start() for m in re.finditer(r"^portward: .*", text, re.MULTILINE)]
        body = re.sub(r"^portward: .*\n?", "", text, flags=re.MULTILINE)
        check(done.returncode == 6 and len(said) >= 2 and "kept" in body,
              f"{form}: {len(said)} losses are told, exit {done.returncode}")
        check(said and text.find("kept") > said[-1] and said[0] <= 3,
              f"{form}: they stand before what is written")
        trip.portward("export", form, "Lossy", "-o", trip.form_file)
        trip.portward("import", form, trip.form_file, "-o", trip.back)
        back = trip.back.read_text()
        check("port 80" in back and not re.search("icmp|override", back),
              f"{form}: what it cannot say is left out and comes back as nothing else {back}")
    refused = trip.portward("export", "reg", "Lossy", "--strict", "-o", trip.form_file)
    check(refused.returncode == 7, f"export --strict: exit {refused.returncode}")


def netsh_script(trip):
    """A whole script through `netsh -f` is the policy that the native text says."""
    script, native = DATA / "netsh-40.netsh", DATA / "netsh-40.pw"
    done = trip.host.by_name(["netsh", "-f", str(script)])
    check(done.returncode == 0, f"netsh -f: exit {done.returncode} {done.stderr}")
    lines = script.read_text().splitlines()
    check(len(lines) >= 40, f"a script of {len(lines)} lines")
    name = re.search(r'^policy ("[^"]*"|\S+)', native.read_text(), re.MULTILINE)[1].strip('"')
    diff = trip.portward("policy", "diff", name, native)
    check(diff.returncode == 0, f"diff of '{name}': exit {diff.returncode}\n{diff.stdout}"
          f"{diff.stderr}")


def test(net):
    seed = int(os.environ.get("PORTWARD_SEED", time.time_ns()))
    print(f"seed {seed}")
    net.start_agent()
    trip = Trip(net, random.Random(seed))
    for form in FORMS:
        trip.many(form, True, PLAIN)
        trip.many(form, False, ANY)
    losses_first(trip)
    netsh_script(trip)


main(test)
