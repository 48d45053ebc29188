#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The samples of the command line's reference for the verbs about policies, previews and history,
against a real agent. Times, ids, generations and durations are masked, nothing else."""
import contextlib
import os
import pathlib
import re

from pwtest import S4, check, main

RPC = '''policy "Block RPC Ports" {
    rule "Block Inbound TCP 135"  block in tcp from any to me port 135
    rule "Allow 135 from LAN"     permit in tcp from 10.1.1.0/24 to me port 135
}
'''
SSH = '''policy "Web server" {
    rule "Allow SSH"  permit in tcp from NETWORK to me port 22
    rule "Block SSH"  block in tcp from any to me port 22
}
'''
CHECKED = '''policy "Web server" {

    rule "Telnet"     permit in tcp from 10.0.0.0/8 to me port 23
    rule "Office"     permit from 10.1.1.5 to me
    rule "No telnet"  block tcp from 10.1.1.0/24 to me port 23
    rule "LAN SSH"    permit tcp from 10.0.0.0/8 to any port 22
    rule "No inbound" block in
    rule "DNS"        permit udp from me to any port 53 mirrored
}
'''
MASKS = ((r"\b[sdp][0-9]+\b", "ID"), (r"generation [0-9]+", "generation N"),
         (r"in [0-9]+ ms", "in N ms"), (r"[0-9]{2}:[0-9]{2}:[0-9]{2}", "TIME"),
         (r"[0-9]{2} [A-Z][a-z]{2} [0-9]{2}:[0-9]{2}", "DAY"))


def masked(text):
    for pattern, word in MASKS:
        text = re.sub(pattern, word, text)
    return text


def golden(net, args, expected, code=0, text=None):
    """Standard output and standard error together, as on a terminal where only one speaks."""
    done = net.cli(*args, text=text)
    said = masked(done.stdout + done.stderr)
    good = said == expected and done.returncode == code
    check(good, f"portward {' '.join(args)}")
    if not good:
        print(f"exit {done.returncode} (want {code}), says\n{said}\nbut should say\n{expected}")


@contextlib.contextmanager
def ssh_from(address):
    os.environ["SSH_CONNECTION"] = f"{address} 50122 {S4} 22"
    try:
        yield
    finally:
        del os.environ["SSH_CONNECTION"]


def blocks(net):
    net.ok("rule", "add", "--create", "Lan", "Allow SMB from LAN", "permit", "in", "tcp", "port",
           "445", "from", "10.1.1.0/24")
    net.ok("policy", "assign", "Lan")
    golden(net, ("block", "in", "tcp", "port", "445", "for", "2h", "--dry-run"),
           'would add      block in tcp from any to me port 445\n'
           'newly blocked  tcp from any but 10.1.1.0/24 to me port 445\n'
           'first block: malformed and source-routed packets are dropped, too\n'
           'still allowed  tcp from 10.1.1.0/24 to me port 445: ID "Allow SMB from LAN" is more'
           ' specific\n'
           'nothing changed\n')
    golden(net, ("block", "in", "tcp", "port", "445", "for", "2h", "reason", "SMB worm"),
           'ID  block in tcp from any to me port 445  expires TIME, at the latest at reboot\n'
           'still allowed  tcp from 10.1.1.0/24 to me port 445: ID "Allow SMB from LAN" is more'
           ' specific\n'
           'generation N active on 1 interface in N ms\n'
           'hint: to close it for them too: portward block in tcp port 445 override\n')
    net.ok("flush")
    net.ok("policy", "unassign", "-y")


def files(net):
    web = net.dir / "web.pw"
    backup = net.dir / "web-backup.pw"
    web.write_text(SSH.replace("NETWORK", "10.0.0.0/8"))
    golden(net, ("policy", "load", str(web)),
           'stored "Web server" revision 1 (2 rules, 0 warnings), not assigned\n')
    golden(net, ("policy", "save", "Web server", str(backup)),
           f'saved "Web server" revision 1 to {backup} (2 rules)\n')
    check(backup.read_text() == SSH.replace("NETWORK", "10.0.0.0/8"), "the saved text")
    check([p.name for p in net.dir.glob("*.new")] == [], "nothing is left beside it")
    golden(net, ("policy", "save", "Web server", "-"),
           SSH.replace("NETWORK", "10.0.0.0/8") +
           'saved "Web server" revision 1 to stdout (2 rules)\n')
    golden(net, ("policy", "load", str(backup), "--replace"),
           'no change: "Web server" revision 1 (2 rules, 0 warnings), not assigned\n')
    web.write_text(SSH.replace("NETWORK", "10.1.0.0/16"))
    golden(net, ("policy", "diff", "Web server", str(web)),
           '- rule "Allow SSH"  permit in tcp from 10.0.0.0/8 to me port 22\n'
           '+ rule "Allow SSH"  permit in tcp from 10.1.0.0/16 to me port 22\n'
           'newly blocked  tcp from 10.0.0.0/8 but 10.1.0.0/16 to me port 22  (then matches'
           ' "Block SSH")\n', code=6)
    golden(net, ("policy", "load", str(web), "--replace", "-n"),
           'would store    "Web server" revision 2 (2 rules, 0 warnings), not assigned\n'
           'no packet changes its verdict\n'
           'nothing changed\n')
    net.ok("policy", "load", str(web), "--replace")
    golden(net, ("policy", "diff", "Web server@1", "Web server@2"),
           '- rule "Allow SSH"  permit in tcp from 10.0.0.0/8 to me port 22\n'
           '+ rule "Allow SSH"  permit in tcp from 10.1.0.0/16 to me port 22\n'
           'newly blocked  tcp from 10.0.0.0/8 but 10.1.0.0/16 to me port 22  (then matches'
           ' "Block SSH")\n', code=6)


def checks(net):
    here = os.getcwd()
    os.chdir(net.dir)
    try:
        pathlib.Path("web.pw").write_text(CHECKED)
        done = net.cli("policy", "check", "web.pw")
        for part in (
                'web.pw:4:5: warning: "Office" and "No telnet" overlap, differ in action, and'
                ' neither contains the other\n'
                '    rule "Office"     permit from 10.1.1.5 to me                weight 80400001\n'
                '    rule "No telnet"  block tcp from 10.1.1.0/24 to me port 23  weight 70306203\n'
                'for tcp from 10.1.1.5 to me port 23 "Office" wins: addresses are compared first\n',
                'web.pw:6:5: warning: never-wins: "LAN SSH" can never win: "No inbound" names'
                " 'me', it does not\n"
                '    rule "LAN SSH"  permit tcp from 10.0.0.0/8 to any port 22  weight 10106201\n',
                'hint: write: to me port 22\n',
                'web.pw:8:5: warning: mirrored-hole: ',
                '    rule "DNS"  permit udp from me to any port 53 mirrored  weight ',
                'hint: permit out udp from me to any port 53 keep state\n',
                'web.pw: valid, 6 rules, 3 warnings\n'):
            check(part in done.stdout, f"policy check says {part.splitlines()[0]}")
        check(done.returncode == 6 and not done.stderr, f"policy check: {done.returncode}")
        stored = net.cli("policy", "load", "web.pw", "--name", "Stored")
        check(stored.returncode == 0, stored.stderr)
        again = net.cli("policy", "check", "Stored")
        check(again.returncode == 6 and "Stored: valid, 6 rules, 3 warnings\n" in again.stdout,
              f"the same stored: {again.stdout[-80:]}")
        pathlib.Path("bad.pw").write_text(
            'policy "Web" {\n\n    rule "Admin UI"  permit in tcp from 10.1.1.0/24 to me port'
            ' 70000\n}\n')
        golden(net, ("policy", "check", "bad.pw"),
               "bad.pw:3:64: error: port '70000' is out of range\n"
               '    rule "Admin UI"  permit in tcp from 10.1.1.0/24 to me port 70000\n'
               '                                                               ^~~~~\n'
               'hint: ports are 0 to 65535\n', code=7)
    finally:
        os.chdir(here)


def history(net):
    net.ok("rule", "add", "--create", "Block RPC Ports", "DNS", "permit", "out", "udp", "to",
           "192.0.2.53", "port", "53")
    net.ok("policy", "assign", "Block RPC Ports")
    with ssh_from("10.1.4.7"):
        net.ok("rule", "add", "Block RPC Ports", "Block Inbound TCP 135", "block", "in", "tcp",
               "port", "135", "--reason", "RPC worm")
    lines = masked(net.ok("policy", "history", "Block RPC Ports")).splitlines()
    expected = [
        'REV  WHEN          WHO                                 CHANGE'
        '                            GENERATION  REASON',
        '  2  DAY  root (uid 0, ssh from 10.1.4.7)  add rule "Block Inbound TCP 135"  N  RPC worm',
        '  1  DAY  root (uid 0, cli)  create, add rule "DNS"  -  -']
    check(re.sub("  +", "  ", lines[0]) == re.sub("  +", "  ", expected[0]), lines[0])
    for have, want in zip(lines[1:], expected[1:]):
        squeezed = "  " + re.sub("   *", "  ", have.strip())
        squeezed = re.sub(r'"  [0-9]+  RPC', '"  N  RPC', squeezed)
        check(squeezed == want, f"{squeezed!r}")
    golden(net, ("policy", "rollback", "Block RPC Ports@1"),
           'restored revision 1 of "Block RPC Ports" as revision 3; generation N\n')
    golden(net, ("policy", "rollback", "Block RPC Ports"),
           'restored revision 2 of "Block RPC Ports" as revision 4; generation N\n')
    net.ok("policy", "unassign", "-y")
    golden(net, ("policy", "delete", "Block RPC Ports"),
           'deleted "Block RPC Ports" (2 rules); undo with: portward policy rollback'
           ' "Block RPC Ports@4"\n')
    golden(net, ("policy", "rollback", "Block RPC Ports@4"),
           'restored revision 4 of "Block RPC Ports" as revision 5, not assigned\n')
    golden(net, ("policy", "rollback", "Block RPC Ports@9"),
           "portward: policy 'Block RPC Ports' has no revision 9\n"
           'hint: portward policy history "Block RPC Ports"\n', code=1)


def run(net):
    net.config("")
    net.start_agent()
    blocks(net)
    files(net)
    checks(net)
    history(net)


main(run)
