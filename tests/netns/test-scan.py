#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`portward scan` against known truth: exact for listeners, filters, rejects, loss and delay, over
IPv4 and IPv6; what it refuses; what a forged answer changes (nothing); what it does when this host
cannot send; and the cooperative scan. `long`: 20 runs of each."""
import json
import os
import pathlib
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import time

import pwtest
import scanlab
from pwtest import C4, CLI, S4, S6, check, checksum
from scanlab import clear, inside, listeners, loss, nft, opened, ports_of, rng, scan

LONG = "long" in sys.argv[1:]
RUNS = 20 if LONG else 2
FAST = ("--rate", "unlimited")


def exact(target, truth, closed_rest=True):
    """Problem of a scan of all ports whose open ones are `truth`; "" = none."""
    states = {k: ports_of(v) for k, v in target["states"].items()}
    if states["open"] != truth:
        return (f"missed {sorted(truth - states['open'])[:5]}, "
                f"invented {sorted(states['open'] - truth)[:5]}")
    rest = "closed" if closed_rest else "filtered"
    want = 65535 - len(truth)
    return "" if len(states[rest]) == want else f"{len(states[rest])} {rest}, not {want}"


def repeated(net, name, truth, *args, closed_rest=True, runs=RUNS, target=S4):
    good, problem, rounds = 0, "", set()
    for _ in range(runs):
        found, done = scan(net, target, *FAST, *args)
        what = exact(found, truth, closed_rest)
        good += not what
        problem = what or problem
        rounds.add(found["rounds"])
    check(good == runs, f"{name}: exact in {good} of {runs} runs, rounds {sorted(rounds)} {problem}")


def plain(net, truth):
    repeated(net, "200 listeners", truth)
    repeated(net, "200 listeners, connect", truth, "--connect", runs=1)
    six = set(rng.sample(range(1, 65536), 50))
    for port in six:
        net.tcp_listen("S", S6, port)
    found, _ = scan(net, S6, *FAST)
    check(exact(found, six) == "", f"IPv6, 50 listeners: exact {exact(found, six)}")
    # Of this namespace, without a limit that anybody has to give.
    found, done = scan(net, S4, which="S")
    check(found["own"] and found["rate"] is None and exact(found, truth) == "",
          f"own address: no limit, exact {exact(found, truth)}")
    found, done = scan(net, S4, "--from", net.names["C"], which="S")
    check(found["own"] and found["rate"] is None and found["interface"] == "c0" and
          exact(found, truth) == "", "--from: own address, seen from the other namespace, exact")


def lossy(net, truth):
    for percent in (1, 5):
        loss(net, percent)
        repeated(net, f"{percent} % loss each way", truth, runs=RUNS)
        clear(net)
    loss(net, 50)
    found, _ = scan(net, S4, *FAST, "-p", ",".join(map(str, sorted(truth)[:50])))
    check(len(opened(found)) < 50 or found["rounds"] > 3,
          f"control: half of all packets lost is noticed ({found['rounds']} rounds)")
    clear(net)


def filtered(net, truth):
    ten = set(rng.sample(sorted(truth), 10))
    nft(net, "S", "table inet f {\nchain i {\ntype filter hook input priority 0; policy drop;\n"
                  "meta l4proto icmpv6 accept\n"
                  f"tcp dport {{ {','.join(map(str, ten))} }} accept\n}}\n}}")
    repeated(net, "default drop, 10 open", ten, closed_rest=False)
    clear(net)


def rejected(net, _truth):
    ports = "100-104,200-204"
    for address in (S4, S6):
        nft(net, "S", "table inet f {\nchain i {\ntype filter hook input priority 0;\n"
                      "tcp dport 100-104 reject with icmpx admin-prohibited\n"
                      "tcp dport 200-204 reject with tcp reset\n}\n}")
        net.sysctl("S", "net.ipv4.icmp_ratelimit", "0")
        net.sysctl("S", "net.ipv6.icmp.ratelimit", "0")
        found, _ = scan(net, address, "-p", ports)
        check(found["states"]["rejected"] == "100-104" and found["states"]["closed"] == "200-204",
              f"{address}: rejected by ICMP {found['states']['rejected']}, by reset "
              f"{found['states']['closed']}")
        clear(net)
    found, _ = scan(net, S4, "-p", "1-65535", *FAST, "--udp", timeout=60)
    silent = len(ports_of(found["states"]["unknown"]))
    check(silent + len(ports_of(found["states"]["closed"])) == 65535,
          f"UDP: {silent} silent ports are unknown, none is called closed without an answer")


def services(net, _truth):
    """A name server that answers, and a port that answers something else."""
    dns, odd = net.udp("S", S4, 53), net.udp("S", S4, 161)
    dns.setblocking(True)
    args = ["nsenter", f"--net=/run/netns/{net.names['C']}", str(CLI), "scan", "--json", S4, "--udp",
            "-p", "53,161,9"]
    process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    query, peer = dns.recvfrom(512)
    dns.sendto(query[:2] + b"\x80\x00" + query[4:], peer)
    if select.select([odd], [], [], 5)[0]:
        _, peer = odd.recvfrom(512)
        odd.sendto(b"what", peer)
    found = json.loads(process.communicate(timeout=30)[0])["data"]["targets"][0]
    by_port = {p["port"]: p for p in found["ports"]}
    check(by_port[53]["state"] == "open" and by_port[53]["answers_as"] == "dns",
          "a DNS answer proves the service")
    check(by_port[161]["state"] == "open" and by_port[161]["answers_as"] is None,
          "another answer shows that the port is open, no more")
    check(by_port[9]["state"] == "closed", "port unreachable: closed")


# --- what is refused ---
def capture(net):
    with net.inside("C"):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
    s.bind(("c0", 0))
    s.setblocking(False)
    net.sockets.append(s)
    return s


def syns(s):
    """Times and destination ports of the SYN frames to S4 that left."""
    n = []
    while True:
        try:
            frame, info = s.recvfrom(2048)
        except BlockingIOError:
            return n
        if info[2] == socket.PACKET_OUTGOING and frame[12:14] == b"\x08\x00" and frame[23] == 6 and \
                frame[30:34] == socket.inet_aton(S4) and frame[47] & 0x17 == 2:
            n.append(struct.unpack("!H", frame[36:38])[0])


def refusals(net, _truth):
    tap = capture(net)
    cases = [
        (2, []), (2, ["--rate", "100000"]), (2, ["--ports", "1-10"]), (2, [S4, C4, "127.0.0.1"]),
        (2, [S4, C4, "--hosts", "3"]), (2, [S4, "--hosts", "2"]), (2, ["192.168.1.0/27", "--hosts", "32"]),
        (2, ["2001:db8::/120", "--hosts", "256"]), (2, ["192.168.1.0/28"]), (2, ["255.255.255.255"]),
        (2, ["192.168.1.255"]), (2, ["224.0.0.1"]), (2, ["0.0.0.0"]), (2, ["ff02::1"]), (2, ["::"]),
        (2, [S4, "--rate", "0"]), (2, [S4, "--rate", "fast"]), (2, [S4, "-p", "65536"]),
        (2, [S4, "-p", "5-1"]), (2, [S4, "-p", ""]), (2, [S4, "--udp", "--connect"]),
        (2, [S4, "--spoof", "1.2.3.4"]), (2, [S4, "--decoy", "x"]), (2, [S4, "--fragment"]),
        (1, ["no-such-host.invalid"]), (1, [S4, "--from", "no-such-netns"]),
    ]
    for code, args in cases:
        done = inside(net, "C", CLI, "scan", *args)
        check(done.returncode == code and not done.stdout,
              f"scan {' '.join(args)}: exit {done.returncode}, {done.stderr.splitlines()[:1]}")
    check(not syns(tap), "no packet left for any of them")
    done = inside(net, "C", CLI, "scan", "192.168.1.248/29", "--hosts", "8", "-p", "80")
    check(done.returncode == 2 and not syns(tap), "a broadcast address among them: refused as a whole")
    done = inside(net, "C", CLI, "scan", S4, "-p", "80")
    check(len(syns(tap)) >= 1, "control: a scan that is allowed is seen")


def plan(net, _truth):
    """The plan stands on stderr before the first packet."""
    tap = capture(net)
    fifo = net.dir / "stderr"
    os.mkfifo(fifo)
    p = subprocess.Popen(["nsenter", f"--net=/run/netns/{net.names['C']}", "sh", "-c",
                          f"exec {CLI} scan {S4} -p 1-2000 --rate 1000 2>{fifo}"],
                         stdout=subprocess.DEVNULL)
    # Nobody reads: the program waits in open() and cannot have said anything.
    time.sleep(0.3)
    before = len(syns(tap))
    text = fifo.read_text()
    p.wait(timeout=60)
    sent = syns(tap)
    check(before == 0 and "scan of" in text and "1000 per second" in text,
          "nothing is sent until the plan can be read")
    check(len(sent) >= 2000, f"control: {len(sent)} probes were sent afterwards")


def rate(net, _truth):
    for want in (500, 2000, 20000):
        found, _ = scan(net, S4, "-p", f"1-{want * 2}", "--rate", want)
        took = found["elapsed_us"] / 1e6
        got = found["probes"] / took
        check(found["rounds"] == 1 and got <= want * 1.05 and got >= want * 0.8,
              f"--rate {want}: {got:.0f} probes per second")
    found, _ = scan(net, S4, "-p", "1-10")
    check(found["rate"] == 2000, "another host: 2000 per second without being asked")


# --- what must not change anything ---
def forgeries(net, truth):
    """Answers without the cookie, while a scan runs over ports that are filtered."""
    nft(net, "S", "table inet f {\nchain i {\ntype filter hook input priority 0; policy drop;\n}\n}")
    p = subprocess.Popen(["nsenter", f"--net=/run/netns/{net.names['C']}", str(CLI), "scan", "--json",
                          S4, "-p", "1-400", "--rate", "400"], stdout=subprocess.PIPE, text=True,
                         stderr=subprocess.DEVNULL)
    tap = capture(net)
    raw = net.raw("S", S4, socket.IPPROTO_TCP)
    icmp = net.raw("S", S4, socket.IPPROTO_ICMP)
    seen = forged = 0
    end = time.monotonic() + 4
    while p.poll() is None and time.monotonic() < end:
        select.select([tap], [], [], 0.05)
        while True:
            try:
                frame, info = tap.recvfrom(2048)
            except BlockingIOError:
                break
            if info[2] != socket.PACKET_OUTGOING or frame[12:14] != b"\x08\x00" or frame[23] != 6 or \
                    frame[47] & 0x17 != 2:
                continue
            seen += 1
            sport, dport, seq = struct.unpack("!HHI", frame[34:42])
            for flags, off in ((0x12, 2), (0x14, 0), (0x12, 0x10000)):
                t = struct.pack("!HHIIBBHHH", dport, sport, 7, (seq + off) & 0xffffffff, 0x50, flags,
                                1000, 0, 0)
                pseudo = socket.inet_aton(S4) + socket.inet_aton(C4) + struct.pack("!HH", 6, len(t))
                t = t[:16] + struct.pack("!H", checksum(pseudo + t)) + t[18:]
                raw.sendto(t, (C4, 0))
                forged += 1
            quoted = frame[14:34] + struct.pack("!HHI", sport, dport, (seq + 1) & 0xffffffff)
            m = struct.pack("!BBHI", 3, 13, 0, 0) + quoted
            icmp.sendto(m[:2] + struct.pack("!H", checksum(m)) + m[4:], (C4, 0))
    out = json.loads(p.communicate(timeout=60)[0])["data"]["targets"][0]
    check(forged > 300, f"control: {forged} forged answers to {seen} probes")
    check(out["states"]["filtered"] == "1-400", f"they change nothing: {out['states']}")
    clear(net)


def proxy(net, _truth):
    """Everything answers: nothing is called open."""
    nft(net, "S", "table ip f {\nchain i {\ntype nat hook prerouting priority -100;\n"
                  "tcp dport 1024-65535 redirect to :999\n}\n}")
    listener = net.tcp_listen("S", "0.0.0.0", 999)
    found, done = scan(net, S4, *FAST)
    open_ports = opened(found)
    check(found["proxy"] and not [p for p in open_ports if p > 1023],
          f"a host where every port is open: {len(open_ports)} called open, unknown "
          f"{len(ports_of(found['states']['unknown']))}")
    net.sockets.remove(listener)
    listener.close()
    clear(net)


def poor(net, truth):
    """A host that is short of descriptors, and one whose output is blocked."""
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    some = sorted(truth)[:20]
    ports = ",".join(map(str, some)) + ",1-500"
    done = subprocess.run(["nsenter", f"--net=/run/netns/{net.names['C']}", str(CLI), "scan", "--json",
                           S4, "--connect", "--rate", "unlimited", "-p", ports], text=True,
                          capture_output=True, timeout=60, preexec_fn=few)
    found = json.loads(done.stdout)["data"]["targets"][0]
    want = set(some) | {p for p in truth if p <= 500}
    check(opened(found) == want, "64 descriptors: the same result")
    nft(net, "C", "table inet f {\nchain o {\ntype filter hook output priority 0;\n"
                  "tcp dport 100-199 drop\n}\n}")
    found, _ = scan(net, S4, "-p", "90-209")
    check(found["states"]["unknown"] == "100-199" and not found["states"]["filtered"] and
          found["local_errors"] > 0, "blocked on the way out: unknown, not closed nor filtered")
    clear(net, "C")


def rights(net, _truth):
    """The process that reads answers has no capability and is nobody."""
    p = subprocess.Popen(["nsenter", f"--net=/run/netns/{net.names['C']}", str(CLI), "scan", S4,
                          "--rate", "500"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(0.7)
    children = pathlib.Path(f"/proc/{p.pid}/task/{p.pid}/children").read_text().split()
    status = pathlib.Path(f"/proc/{children[0]}/status").read_text() if children else ""
    caps = re.findall(r"Cap(?:Eff|Prm|Inh|Amb):\t(\w+)", status)
    check(len(caps) == 4 and not any(int(c, 16) for c in caps) and "NoNewPrivs:\t1" in status and
          "Uid:\t65534" in status, f"the scanning process: no capability {caps}, user nobody")
    own = pathlib.Path(f"/proc/{p.pid}/status").read_text()
    check(int(re.search(r"CapEff:\t(\w+)", own)[1], 16) > 0, "control: its parent has some")
    p.send_signal(signal.SIGINT)
    for child in children:
        os.kill(int(child), signal.SIGINT)
    out, err = p.communicate(timeout=10)
    check(p.returncode == 1 and b"stopped before the end" in err,
          f"an interrupt ends it cleanly with what is known, exit {p.returncode}")
    p = subprocess.Popen(["nsenter", f"--net=/run/netns/{net.names['C']}", str(CLI), "scan", S4, "--rate",
                          "500"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.7)
    children = pathlib.Path(f"/proc/{p.pid}/task/{p.pid}/children").read_text().split()
    p.kill()
    p.wait()
    gone = pwtest.until(lambda: not os.path.exists(f"/proc/{children[0]}"), 5)
    check(gone < 5, "killed: nothing goes on scanning")
    done = subprocess.run(["nsenter", f"--net=/run/netns/{net.names['C']}", "setpriv", "--reuid", "65534",
                           "--regid", "65534", "--clear-groups", net.public(CLI), "scan", S4, "-p",
                           "1-50"], text=True, capture_output=True, timeout=60)
    check(done.returncode == 0 and "whole connections" in done.stderr,
          f"without rights: connections, and a note ({done.stderr[:100]!r})")


def journal(net, _truth):
    """A scan of another host leaves an entry; the journal of the test is its own."""
    where = net.dir / "journal"
    where.mkdir()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(str(where / "socket"))
    net.sockets.append(s)
    script = (f"mkdir -p /run/systemd/journal && mount --bind {where} /run/systemd/journal && "
              f"exec {CLI} scan {S4} -p 80 --rate 7")
    exists = os.path.isdir("/run/systemd/journal")
    done = inside(net, "C", "unshare", "-m", "sh", "-c",
                  script if exists else "mount -t tmpfs none /run && " + script)
    s.settimeout(2)
    try:
        entry = s.recv(65536).decode()
    except OSError:
        entry = ""
    fields = dict(line.split("=", 1) for line in entry.splitlines())
    check(fields.get("PORTWARD_EVENT") == "scan-started" and fields.get("PORTWARD_TARGET") == S4 and
          fields.get("PORTWARD_UID") == "0" and fields.get("PORTWARD_PORTS") == "80" and
          fields.get("PORTWARD_RATE") == "7", f"the journal has it: {fields} {done.stderr[-200:]}")


def delay(net, _truth):
    """20 ms each way through a relay."""
    relay = scanlab.Relay(net, 0.02)
    try:
        truth = set(rng.sample(range(1, 65536), 200))
        for port in truth:
            net.tcp_listen("S", relay.target, port)
        few = sorted(truth)[:20]
        want = set(few)
        good = 0
        for _ in range(RUNS):
            found, _ = scan(net, relay.target, *FAST, "-p", ",".join(map(str, few)) + ",7-9")
            good += opened(found) - {7, 8, 9} == want
        check(good == RUNS, f"20 ms delay, few ports: exact in {good} of {RUNS} runs")
        good, problem = 0, ""
        for _ in range(RUNS):
            found, _ = scan(net, relay.target, "--rate", "20000")
            what = exact(found, truth)
            good += not what
            problem = what or problem
        rtt = [p["rtt_us"] for p in found["ports"] if p["rtt_us"]]
        check(good == RUNS, f"20 ms delay, all ports: exact in {good} of {RUNS} runs {problem}")
        check(rtt and min(rtt) >= 40000, f"control: the round trip takes {min(rtt or [0]) / 1000:.1f} ms")
    finally:
        relay.close()


# --- cooperative ---
def agent_command(net, extra=""):
    return (f"{extra}nsenter --net=/run/netns/{net.names['S']} {CLI} --runtime-dir {net.dir / 'run'} "
            "scan --listen")


def coop(net, _truth):
    command = agent_command(net)
    bound = set(rng.sample(range(1, 65536), 40)) | {53}
    for port in bound:
        net.udp("S", S4, port)
    allowed = set(range(5000, 5100)) | {53} | set(rng.sample(sorted(bound), 10))
    # Without an agent: by whom is not known, what is.
    nft(net, "S", "table inet f {\nchain i {\ntype filter hook input priority 0; policy drop;\n"
                  f"udp dport {{ {','.join(map(str, allowed))} }} accept\n}}\n}}")
    found, done = scan(net, S4, "--udp", "--with-agent", command, *FAST)
    states = {k: ports_of(v) for k, v in found["states"].items()}
    check(states["open"] == allowed & bound and states["closed"] == allowed - bound and
          len(states["filtered"]) == 65535 - len(allowed),
          f"UDP behind nftables, no agent: exact ({len(states['open'])} open)")
    check({d["verdict"] for d in found["decided"]} == {None}, "who decided is not known")
    clear(net)

    net.start_agent()
    (net.dir / "p.pw").write_text(
        'policy "Coop" {\n  rule "Nothing"  block in udp from any to me\n' + "".join(
            f'  rule "p{p}"  permit in udp from any to me port {p}\n' for p in sorted(allowed - set(range(5000, 5100))))
        + '  rule "Range"  permit in udp from any to me port 5000-5099\n}\n')
    net.ok("policy", "load", str(net.dir / "p.pw"))
    net.ok("policy", "assign", "Coop")
    best = 99.0
    for _ in range(RUNS if LONG else 3):
        found, done = scan(net, S4, "--udp", "--with-agent", command, *FAST)
        best = min(best, found["elapsed_us"] / 1e6)
        states = {k: ports_of(v) for k, v in found["states"].items()}
        if not (states["open"] == allowed & bound and states["closed"] == allowed - bound and
                len(states["filtered"]) == 65535 - len(allowed)):
            check(False, f"cooperative: {len(states['open'])} open, {len(states['filtered'])} filtered")
            return
    check(True, f"all 65535 UDP ports behind a policy: exact, best {best:.2f} s")
    check(best < 2, f"{best:.2f} s are less than 2 s")
    decided = found["decided"]
    covered = set()
    for d in decided:
        covered |= set(range(d["first"], d["last"] + 1))
    check(covered == states["filtered"] and all(d["verdict"] == "block" and "block in udp" in d["text"]
                                                for d in decided),
          f"each dropped port has its filter: {decided[:1]}")
    check(any(w["why"] == "dropped by the target" for w in scan(
        net, S4, "--udp", "--with-agent", command, "-p", "7")[0]["ports"]), "and the reason")

    # Lost on the way, TCP, and a target that says nothing of use.
    relay = scanlab.Relay(net, 0.001, lose_udp=range(5000, 5010))
    try:
        found, _ = scan(net, relay.target, "--udp", "--with-agent", command, "-p", "4995-5020")
    finally:
        relay.close()
    whys = {p["port"]: p["why"] for p in found["ports"]}
    check(all(whys[p] == "lost on the path" for p in range(5000, 5010)) and whys[5010] is None and
          whys[4995] == "dropped by the target",
          f"lost on the path is told from dropped by the target {whys}")
    net.ok("block", "in", "tcp", "port", "700-710")
    found, _ = scan(net, S4, "--with-agent", command, "-p", "695-715")
    check(found["states"]["filtered"] == "700-710" and found["decided"][0]["verdict"] == "block" and
          found["decided"][0]["filter"].startswith("d"), f"TCP: {found['decided']}")
    for bad in ("echo hello", "true", "yes", "printf 'ready 1\\nready 1\\narrived x\\n'"):
        done = inside(net, "C", CLI, "scan", S4, "--udp", "-p", "1-9", "--with-agent", bad)
        check(done.returncode == 1, f"--with-agent '{bad}': exit {done.returncode}, "
                                    f"{done.stderr.splitlines()[-2:-1]}")


def spp(net, _truth):
    """The article's words: rows as the answers come, while the scan goes on."""
    for port in (21, 80, 443, 900, 5000):
        net.tcp_listen("S", S4, port)
    link = net.dir / "spp"
    link.symlink_to(CLI)
    begin = time.monotonic()
    p = subprocess.Popen(["nsenter", f"--net=/run/netns/{net.names['C']}", str(link), S4],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = []
    for line in p.stdout:
        lines.append((time.monotonic() - begin, line))
    notes = p.stderr.read()
    p.wait(timeout=30)
    ports = [s for s in (21, 80, 443, 900)] + sorted(x for x in _truth if x <= 1000)
    rows = "".join(f"  TCP    {f'{S4}:{port}':<23}LISTENING\n" for port in sorted(set(ports)))
    want = f"Target '{S4}' port scan 0 to 1000 start.\n  Proto  Remote Address         State\n{rows}Completed\n"
    check("".join(text for _, text in lines) == want and p.returncode == 0,
          f"spp: the article's output, byte for byte: {[x for _, x in lines]}")
    check(lines[-1][0] - lines[0][0] > 0.3, f"the title stands {lines[-1][0] - lines[0][0]:.2f} s before the end")
    check("64535 ports above 1000 were not scanned" in notes, f"what was not scanned is said: {notes!r}")
    done = inside(net, "C", CLI, "compat", "spp", S4, "4999", "5001")
    check("5000" in done.stdout and done.stdout.count("LISTENING") == len({5000} | {
        x for x in _truth if 4999 <= x <= 5001}), "another range")
    done = subprocess.run(["nsenter", f"--net=/run/netns/{net.names['C']}", "setpriv", "--reuid", "65534",
                           "--regid", "65534", "--clear-groups", net.public(CLI), "compat", "spp", S4, "0",
                           "100"], text=True, capture_output=True, timeout=60)
    check(done.returncode == 0 and f"{S4}:80 " in done.stdout, f"without rights: {done.stderr!r}")


def test(net):
    print(f"seed {scanlab.SEED}")
    truth = listeners(net, 200)
    wanted = set(sys.argv[1:]) - {"long"}
    for part in (plain, lossy, filtered, rejected, services, refusals, plan, rate, forgeries, proxy, poor,
                 rights, journal, spp, delay, coop):
        if not wanted or part.__name__ in wanted:
            part(net, truth)


pwtest.main(test)
