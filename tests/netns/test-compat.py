#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The front of the Windows dialects on real packets: a tool called by its own name blocks, what
only explains or repairs changes nothing, a batch is one change, two writers do not lose each
other's change, and the agent is stopped and started by `net` without systemd."""
import os
import signal
import subprocess
import threading
import time

from pwtest import C4, C6, CLI, S4, S6, check, main, received

N = 10
LINE = ("-w", "REG", "-p", "Block UDP 1434 Filter", "-r", "Block Inbound UDP 1434 Rule", "-f",
        "*=0:1434:UDP", "-n", "BLOCK", "-x")


def compat(net, *args, text=None):
    return net.cli("compat", *args, text=text)


def by_name(net, name, *args):
    """Runs a tool through a link with its name."""
    link = net.dir / name
    if not link.exists():
        link.symlink_to(CLI)
    return subprocess.run(
        ["nsenter", f"--net=/run/netns/{net.names['S']}", str(link), *args], text=True,
        capture_output=True, timeout=60,
        env={**os.environ, "PORTWARD_RUNTIME_DIR": str(net.dir / "run")})


def arrives(net, servers, source, target, port):
    net.send_udp("C", source, target, port, N)
    return received(servers[target])


def state(net):
    return net.json("policy", "list")["policies"], net.json("list")["filters"]


def same(net, before, text):
    check(state(net)[0] == before[0] and
          [f["id"] for f in state(net)[1]] == [f["id"] for f in before[1]], text)


def link_name(net, servers):
    done = by_name(net, "IPSeccmd.exe", "--explain", *LINE)
    check(done.returncode == 0 and done.stdout.splitlines()[-1] ==
          'portward policy assign "Block UDP 1434 Filter"', "--explain prints native commands")
    check("rule add --create" in done.stdout, f"the rule first:\n{done.stdout}{done.stderr}")
    script = done.stdout
    check(net.json("policy", "list")["policies"] == [], "--explain changes nothing")
    check(arrives(net, servers, C4, S4, 1434) == N, "and nothing is blocked")
    done = by_name(net, "IPSeccmd.exe", *LINE)
    check(done.returncode == 0, f"IPSeccmd.exe by name: exit 0\n{done.stdout}{done.stderr}")
    check(done.stdout.endswith("The command completed successfully.\n"), "says so at the end")
    for source, target in ((C4, S4), (C6, S6)):
        check(arrives(net, servers, source, target, 1434) == 0, f"blocked to {target}")
    text = net.ok("policy", "show", "Block UDP 1434 Filter")
    entry = net.json("policy", "history", "Block UDP 1434 Filter")["entries"][0]
    check(entry["origin"] == "dialect", f"history knows where it came from: {entry}")
    before = state(net)
    done = by_name(net, "ipsecpol", *LINE)
    check(done.returncode == 0, "the same line again is no error")
    check(state(net)[0][0]["revision"] == before[0][0]["revision"], "and no new revision")
    # The explained commands make the same policy.
    net.ok("policy", "unassign", "-y")
    net.ok("policy", "delete", "Block UDP 1434 Filter")
    shell = script.replace("portward ", f"{CLI} --runtime-dir {net.dir / 'run'} ")
    subprocess.run(["nsenter", f"--net=/run/netns/{net.names['S']}", "sh", "-ec", shell],
                   check=True, capture_output=True, timeout=60)
    check(net.ok("policy", "show", "Block UDP 1434 Filter") == text,
          "what --explain printed makes the same policy")
    check(arrives(net, servers, C4, S4, 1434) == 0, "and blocks")


def strict(net):
    before = state(net)
    done = compat(net, "--strict", "ipseccmd", "-w", "REG", "-p", "Block UDP 1434 Filter", "?y")
    check(done.returncode == 2, f"--strict refuses a misprint: {done.returncode} {done.stderr}")
    done = compat(net, "ipseccmd", "--strict", "-w", "REG", "-p", "Block UDP 1434 Filter", "?y")
    check(done.returncode == 2, "behind the tool's name, too")
    same(net, before, "nothing changed")
    done = compat(net, "ipseccmd", "-w", "REG", "-p", "No such policy", "-x")
    check(done.returncode == 1 and "hint:" in done.stderr, f"unknown policy: {done.stderr}")
    same(net, before, "nothing changed")


def paste(net, servers):
    line = 'Ipsecpol-w REG-p "Pasted"-r "In"-f * = 0: 1435: UDP-n BLOCK-x\n'
    before = state(net)
    done = compat(net, "--paste", text=line)
    check(done.returncode == 0 and '-f "*=0:1435:UDP" -n BLOCK -x' in done.stdout,
          f"--paste prints the repaired line: {done.stdout}{done.stderr}")
    same(net, before, "--paste alone changes nothing")
    check(compat(net, "--strict", "--paste", "--run", text=line).returncode == 2,
          "--strict refuses it")
    same(net, before, "nothing changed")
    done = compat(net, "--paste", "--run", text=line)
    check(done.returncode == 0, f"--paste --run: {done.stdout}{done.stderr}")
    check(arrives(net, servers, C4, S4, 1434) == N, "the other policy is no longer assigned")
    done = compat(net, "Netdiag/test:", "ipsec")
    check(done.returncode == 0 and "'Pasted'" in done.stdout,
          f"glued tool name is read directly: {done.stdout}{done.stderr}")


def batch(net):
    file = net.dir / "block.cmd"
    file.write_bytes(("@echo off\r\nrem a comment\r\nset TOOL=ipseccmd.exe\r\n:label\r\n"
                      "%TOOL% -w REG -p \"Batch\" -r \"One\" -f *=0:1001:TCP ^\r\n"
                      "  -n BLOCK > nul 2>&1\r\n"
                      "ipsecpol -w REG -p Batch -r Two -f *=0:1002:TCP -n BLOCK && "
                      "ipseccmd -w REG -p Batch -x\r\n"
                      "ping -n 3 localhost\r\n"
                      "%IPSECTOOL% -u\r\nif exist x ipseccmd -u\r\n").encode("utf-16"))
    before = net.json("status")
    dry = compat(net, "--batch", str(file), "--dry-run")
    check(dry.returncode == 6 and "portward rule add --create Batch One block" in dry.stdout,
          f"--dry-run prints native text: {dry.stdout}{dry.stderr}")
    check(net.json("status")["enforcement"]["generation"] ==
          before["enforcement"]["generation"], "and changes nothing")
    done = compat(net, "--batch", str(file))
    check(done.returncode == 6, f"lines that are not understood: exit 6\n{done.stderr}")
    for text in ("block.cmd:9: not understood: unset variable IPSECTOOL",
                 "block.cmd:10: not understood: 'if'", "block.cmd:8: not run: 'ping'"):
        check(text in done.stderr, text)
    status = net.json("status")
    check(status["enforcement"]["generation"] == before["enforcement"]["generation"] + 1,
          "a batch is one generation")
    check(status["policy"]["local"] == "Batch", "and assigned what it said")
    bad = net.dir / "bad.cmd"
    bad.write_text("ipseccmd -w REG -p Batch2 -r One -f *=0:1001:TCP -n BLOCK\n"
                   "ipseccmd -w REG -p Batch2 -r Two -f *=0:99999:TCP -n BLOCK\n")
    done = compat(net, "--batch", str(bad))
    check(done.returncode in (2, 7) and "bad.cmd:2:" in done.stderr,
          f"a mistake names the line: {done.stderr}")
    check(all(p["name"] != "Batch2" for p in net.json("policy", "list")["policies"]),
          "and nothing of the batch is done")


def renames(net):
    """Policies and rules go on under other names; two may exchange theirs in one change."""
    script = net.dir / "rename.netsh"
    script.write_text("""ipsec static
add policy name="Left"
add policy name="Right"
add filterlist name=one
add filter filterlist=one srcaddr=any dstaddr=me protocol=TCP dstport=3001 mirrored=no
add filteraction name=deny action=block
add rule name=L policy=Left filterlist=one filteraction=deny
set policy name=Left assign=y
""")
    net.ok("compat", "netsh", "-f", str(script))
    net.ok("compat", "ipseccmd", "-w", "REG", "-p", "Right", "-r", "R", "-f", "*=0:3002:TCP", "-n",
           "BLOCK")
    left = [f["id"] for f in net.json("list")["filters"] if f["policy"] == "Left"]
    script.write_text("""ipsec static
set policy name=Left newname=Middle
set policy name=Right newname=Left
set policy name=Middle newname=Right
set rule name=L policy=Right newname=Inbound
""")
    done = compat(net, "netsh", "-f", str(script))
    check(done.returncode == 0, f"two policies exchange names: {done.stdout}{done.stderr}")
    check("port 3001" in net.ok("policy", "show", "Right") and
          "port 3002" in net.ok("policy", "show", "Left"), "each has what the other had")
    now = [f for f in net.json("list")["filters"] if f["policy"] == "Right"]
    check([f["id"] for f in now] == left and now[0]["rule"] == "Inbound",
          f"still assigned, the same filter: {left} {[(f['id'], f['rule']) for f in now]}")
    done = compat(net, "netsh", "ipsec", "static", "add", "filter", "filterlist=one", "srcaddr=any",
                  "dstaddr=me", "protocol=TCP", "dstport=3003", "mirrored=no")
    check(done.returncode == 0 and "port 3003" in net.ok("policy", "show", "Right"),
          f"a filter of a list reaches the rule that uses it: {done.stderr}")
    net.ok("rule", "add", "--replace", "Right", "Inbound", "block in tcp port 3009")
    net.ok("compat", "netsh", "ipsec", "static", "add", "filter", "filterlist=one", "srcaddr=any",
           "dstaddr=me", "protocol=TCP", "dstport=3004", "mirrored=no")
    check("port 3009" in net.ok("policy", "show", "Right") and
          "port 3004" not in net.ok("policy", "show", "Right"),
          "a rule that was changed natively is not changed behind its owner's back")


def writers(net):
    """Forty rules of two writers at a time: none is lost."""
    codes = []

    def add(which):
        for i in range(20):
            codes.append(compat(net, "ipseccmd", "-w", "REG", "-p", "Shared", "-r",
                                f"{which} {i}", "-f", f"*=0:{2000 + i}:TCP", "-n",
                                "BLOCK").returncode)
    threads = [threading.Thread(target=add, args=(which,)) for which in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = net.ok("policy", "show", "Shared")
    done, shown = codes.count(0), text.count("rule ")
    check(set(codes) <= {0, 5} and done == shown and done >= 36,
          f"{done} commands succeeded, {shown} rules are there, {codes.count(5)} gave up")


def stop_and_start(net, servers):
    net.ok("compat", "ipseccmd", "-w", "REG", "-p", "Block UDP 1434 Filter", "-x")
    done = compat(net, "ipseccmd", "-f", "[*=0:1435:UDP]")
    check(done.returncode == 0 and done.stderr.count("note: dynamic: ends at reboot") == 1,
          f"a dynamic block says when it ends: {done.stderr}")
    check(arrives(net, {S4: servers["other"]}, C4, S4, 1435) == 0, "the dynamic block works")
    done = compat(net, "net", "stop", "policyagent")
    check(done.returncode == 0 and "stopped successfully" in done.stdout,
          f"net stop: {done.stdout}{done.stderr}")
    net.agent.wait(timeout=10)
    check(arrives(net, {S4: servers["other"]}, C4, S4, 1435) == N, "the dynamic block is gone")
    check(arrives(net, servers, C4, S4, 1434) == 0, "the static one stays")
    check(compat(net, "ipseccmd", "-w", "REG", "-p", "x", "-x").returncode == 3,
          "without the agent: exit 3")
    done = compat(net, "net", "start", "policyagent")
    check(done.returncode == 0 and "started successfully" in done.stdout,
          f"net start: {done.stdout}{done.stderr}")
    status = net.json("status")
    check(status["policy"]["local"] == "Block UDP 1434 Filter", "the agent is back")
    check(os.getsid(status["pid"]) != os.getsid(0), "in a session of its own")
    check(arrives(net, servers, C4, S4, 1434) == 0, "the static block as before")
    check(compat(net, "NET.EXE", "START", "PolicyAgent").returncode == 0, "already started: exit 0")
    os.kill(status["pid"], signal.SIGTERM)
    for _ in range(100):
        if net.cli("status").returncode == 3:
            break
        time.sleep(0.1)


def test(net):
    servers = {a: net.udp("S", a, 1434) for a in (S4, S6)}
    servers["other"] = net.udp("S", S4, 1435)
    net.start_agent()
    link_name(net, servers)
    strict(net)
    paste(net, servers)
    batch(net)
    renames(net)
    writers(net)
    stop_and_start(net, servers)


main(test)
