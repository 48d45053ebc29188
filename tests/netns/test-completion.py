#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Completion of bash, zsh and fish with the generated files and a running agent: commands,
options, values, live names; quick, silent without an agent, and never a change."""
import os
import subprocess
import time

from pwtest import BUILD, CLI, check, main

FILES = BUILD / "src/cli/completion"
POLICY = '''policy "Block RPC Ports" {
    rule "Block 135"   block in tcp from any to me port 135
    rule "It's $(id)"  block in tcp from any to me port 136
}
policy "Web" {
    rule "HTTP"  permit in tcp from any to me port 80
}
'''
BASH = '''source "$FILE"
compopt() { :; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_portward
printf '%s\\n' "${COMPREPLY[@]}"
'''
# What zsh's own functions would be given.
ZSH = '''compadd() { shift; print -rl -- "$@" }
_describe() { local name=$2 entry; for entry in "${(@P)name}"; do print -r -- "${entry%%:*}"; done }
_files() { print -r -- "FILES" }
words=("$@"); CURRENT=$#
source "$FILE"
'''


def environment(directory, shell):
    name = {"bash": "portward", "zsh": "_portward", "fish": "portward.fish"}[shell]
    return dict(os.environ, PORTWARD_RUNTIME_DIR=str(directory), FILE=str(FILES / name),
                PATH=f"{CLI.parent}:{os.environ['PATH']}", HOME="/nonexistent")


def run_shell(shell, words, directory):
    """Candidates for the last of the words, as a sorted list."""
    if shell == "fish":
        line = " ".join(["portward", *words])
        command = ["fish", "--no-config", "-c", 'source $FILE; complete -C "$argv"', line]
    else:
        flags = ["--norc", "-c", BASH, "bash"] if shell == "bash" else ["-f", "-c", ZSH, "zsh"]
        command = [shell, *flags, "portward", *words]
    done = subprocess.run(command, text=True, capture_output=True, timeout=30,
                          env=environment(directory, shell))
    if done.stderr.strip() or done.returncode not in (0, 1):
        check(False, f"{shell} {words}: exit {done.returncode}, {done.stderr[:300]!r}")
    found = {line.split("\t")[0] for line in done.stdout.splitlines() if line}
    if shell != "zsh":
        return sorted(found)
    # zsh filters what it is given by what is typed; the stand-in for compadd does not.
    return sorted(c for c in found if c.startswith(words[-1]) or c == "FILES")


def expect(shells, words, wanted, directory):
    for shell in shells:
        found = run_shell(shell, words, directory)
        check(found == sorted(wanted), f"{shell} {words}: {found}")


ALL = ("bash", "zsh", "fish")


def fixed(directory, commands):
    """What needs no agent."""
    firsts = sorted({c.split()[0] for c in commands})
    expect(ALL, [""], firsts, directory)
    expect(ALL, ["pol"], ["policy"], directory)
    for first in ("policy", "rule"):
        seconds = [c.split()[1] for c in commands if c.startswith(first + " ")]
        expect(ALL, [first, ""], seconds, directory)
    expect(ALL, ["list", "--lay"], ["--layer"], directory)
    expect(ALL, ["list", "--layer", "d"], ["domain", "dynamic"], directory)
    expect(ALL, ["explain", "--expect", ""], ["block", "permit"], directory)
    expect(ALL, ["--utc", "--color", "never", "fl"], ["flush"], directory)
    expect(ALL, ["flush", ""], [], directory)
    # Not yet there, not of this command.
    expect(ALL, ["status", "--watc"], [], directory)
    expect(ALL, ["flush", "--laye"], [], directory)
    expect(("bash", "fish"), ["policy", "load", "/etc/hostna"], ["/etc/hostname"], directory)
    expect(("zsh",), ["policy", "load", "/etc/hostna"], ["FILES"], directory)
    expect(("bash",), ["list", "--layer", "=", "lo"], ["local"], directory)


def live(directory):
    plain = ["Block RPC Ports", "Web"]
    expect(("zsh",), ["policy", "assign", ""], plain, directory)
    expect(("bash",), ["policy", "assign", ""], [r"Block\ RPC\ Ports", "Web"], directory)
    expect(("bash",), ["policy", "assign", '"Bl'], ["Block RPC Ports"], directory)
    expect(("bash",), ["policy", "assign", r"Block\ R"], [r"Block\ RPC\ Ports"], directory)
    expect(("fish",), ["policy", "assign", ""], plain, directory)
    expect(("fish",), ["policy", "assign", "W"], ["Web"], directory)
    expect(ALL, ["list", "--policy", "W"], ["Web"], directory)
    expect(ALL, ["rule", "delete", "Web", ""], ["HTTP"], directory)
    expect(("bash",), ["rule", "delete", '"Block RPC Ports"', "B"], [r"Block\ 135"], directory)
    expect(("bash",), ["rule", "delete", '"Block RPC Ports"', "I"], [r"It\'s\ \$\(id\)"], directory)
    expect(ALL, ["delete", ""], ["d1", "d2"], directory)
    expect(ALL, ["delete", "d1", "d"], ["d1", "d2"], directory)
    expect(ALL, ["block", "in", "tcp", "on", "l"], ["lo"], directory)
    expect(ALL, ["block", "in", "tcp", "l"], [], directory)


def call(directory, *words):
    start = time.monotonic()
    done = subprocess.run([str(CLI), "__complete", *words], capture_output=True, timeout=30,
                          env=environment(directory, "bash"))
    return done, (time.monotonic() - start) * 1000


def quick(net, directory):
    times = sorted(call(directory, "policy", "assign", "")[1] for _ in range(20))
    check(times[10] < 50, f"live names in {times[10]:.1f} ms (median of 20)")
    os.kill(net.agent.pid, 19)  # SIGSTOP: an agent that does not answer
    try:
        results = [call(directory, "policy", "assign", "") for _ in range(10)]
    finally:
        os.kill(net.agent.pid, 18)
    times = sorted(r[1] for r in results)
    check(times[5] < 80, f"with an agent that hangs: {times[5]:.1f} ms (median of 10)")
    check(all((d.returncode, d.stdout, d.stderr) == (0, b"", b"") for d, _ in results),
          "  and nothing is said")
    for words in ([], [""], ["--quoted"], ["policy", "assign"], ["no", "such", "verb", ""],
                  ["list", "--policy"], ["--runtime-dir"], ["rule", "delete", "none", ""]):
        done, _ = call("/nonexistent", *words)
        check((done.returncode, done.stdout, done.stderr) == (0, b"", b""), f"silent: {words}")


def test(net):
    for shell, name in (("bash", "portward"), ("zsh", "_portward"), ("fish", "portward.fish")):
        done = subprocess.run([shell, "-n", str(FILES / name)], capture_output=True, text=True)
        check(done.returncode == 0, f"{shell} reads {name}: {done.stderr[:300]}")
    overview = net.cli("--help").stdout.split("commands:\n")[1].split("\n\n")[0]
    commands = [line.strip().split("  ")[0] for line in overview.splitlines()]
    check("__complete" not in overview, "the call for completion is not in the help")
    fixed("/nonexistent", commands)
    expect(ALL, ["policy", "assign", ""], [], "/nonexistent")
    net.start_agent()
    net.ok("policy", "load", "-", text=POLICY)
    net.block("block", "in", "udp", "port", "1434")
    net.block("block", "in", "udp", "port", "1435")
    before = net.json("status")["enforcement"]["generation"]
    live(net.dir / "run")
    quick(net, net.dir / "run")
    check(net.json("status")["enforcement"]["generation"] == before, "nothing was changed")


main(test)
