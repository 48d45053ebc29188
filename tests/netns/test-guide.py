#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The story of the IIS hardening guide, part 3, as one test: a host with its listeners, some of them
closed again, some only bound. netstat shows what listens, spp what answers between 0 and 1000,
sockets whose it is, audit why they differ. Then everything is blocked but 80 and 21, and DNS with
state: audit and nmap, which knows nothing of us, agree port by port."""
import json
import re
import select
import shutil
import socket

from pwtest import C4, CLI, S4, check, main
from socklab import in_netns

LISTENERS = (21, 80, 135, 443, 445, 1025, 1026, 1027, 1029, 3372)
CLOSED, BOUND, LOCAL = (1030, 3373), (1031, 3374), 5354
DATAGRAMS = (135, 445, 1028)
NETSTAT = "Active Connections\n\n  Proto  Local Address          Foreign Address        State\n" + \
    "".join(f"  TCP    {f'0.0.0.0:{p}':22} 0.0.0.0:0              LISTENING\n" for p in LISTENERS) + \
    f"  TCP    {f'127.0.0.1:{LOCAL}':22} 0.0.0.0:0              LISTENING\n" + \
    "".join(f"  UDP    {f'0.0.0.0:{p}':22} *:*\n" for p in DATAGRAMS)
GUIDE = """policy "IIS" {
    rule "Nothing else" block in all
    rule "Web" permit in tcp port 80
    rule "FTP" permit in tcp port 21
    rule "DNS" permit out udp port 53 keep state
}
"""


def host(net):
    """Listeners as in the guide; some are closed again, some never listened."""
    for port in LISTENERS:
        net.tcp_listen("S", "0.0.0.0", port)
    for port in CLOSED:
        s = net.tcp_listen("S", "0.0.0.0", port)
        s.close()
        net.sockets.remove(s)
    for port in BOUND:
        net._socket("S", S4, socket.SOCK_STREAM).bind(("0.0.0.0", port))
    net.tcp_listen("S", "127.0.0.1", LOCAL)
    for port in DATAGRAMS:
        net._socket("S", S4, socket.SOCK_DGRAM).bind(("0.0.0.0", port))


def from_client(net, *words):
    """A tool in the client's namespace, which has no agent."""
    return in_netns(net, str(CLI), "compat", *words, which="C")


def rows_of(text):
    return [line.split() for line in text.splitlines() if line.startswith("  ")][1:]


def before(net):
    shown = net.ok("compat", "netstat", "-a", "-n")
    check(shown == NETSTAT, f"netstat -a -n, byte for byte{'' if shown == NETSTAT else shown}")
    bound = rows_of(net.ok("compat", "netstat", "-a", "-n", "-q"))
    check([r[1] for r in bound if r[-1] == "BOUND"] == [f"0.0.0.0:{p}" for p in BOUND],
          "-q: what is only bound is BOUND, never LISTENING")
    done = from_client(net, "spp", S4)
    check(done.stdout.startswith(f"Target '{S4}' port scan 0 to 1000 start.\n"
                                 "  Proto  Remote Address         State\n") and
          done.stdout.endswith("Completed\n"), "spp: the layout of the guide")
    found = {int(r[1].rsplit(":", 1)[1]) for r in rows_of(done.stdout)}
    check(found == {p for p in LISTENERS if p <= 1000},
          f"spp finds those below 1000, and only these: {sorted(found)}")
    found = {int(r[1].rsplit(":", 1)[1])
             for r in rows_of(from_client(net, "spp", S4, "0", "65535").stdout)}
    check(found == set(LISTENERS), "the five that 'disappeared' lie above 1000, nothing else")
    states = {(s["protocol"], s["port"]): s["state"] for s in net.json("sockets")["sockets"]}
    want = {("tcp", p): "listen" for p in (*LISTENERS, LOCAL)}
    want.update({("tcp", p): "reserved" for p in BOUND})
    want.update({("udp", p): "bound" for p in DATAGRAMS})
    check(states == want, f"sockets: listen, bound, reserved; the closed ones are gone: {states}")
    document = json.loads(net.cli("audit", "--json").stdout)["data"]
    classes = {r["port"]: r["class"] for r in document["rows"] if r["protocol"] == "tcp"}
    check(all(classes[p] == "open" for p in LISTENERS) and classes[LOCAL] == "local" and
          all(classes[p] == "reserved" for p in BOUND) and not set(CLOSED) & set(classes),
          f"audit without a policy: all that listen are open: {classes}")
    worst = {r["port"] for r in document["rows"] for f in r["findings"]
             if f["class"] == "privileged-service-any"}
    check(worst == {135, 445}, f"and 135 and 445 are open to everybody: {worst}")


def nmap(net):
    """Open ports by nmap."""
    done = in_netns(net, "nmap", "-n", "-Pn", "-sS", "-T5", "--max-retries", "2",
                    "-p", ",".join(map(str, (*LISTENERS, *CLOSED, *BOUND, LOCAL))), "-oG", "-", S4,
                    which="C")
    return {int(p) for p in re.findall(r"(\d+)/open/tcp", done.stdout)}


def dns(net):
    """A question that was asked is answered; what nobody asked for is not."""
    server = net.udp("C", C4, 53)
    client = net.udp("S", S4)
    client.sendto(b"question", (C4, 53))
    if not select.select([server], [], [], 2)[0]:
        return False, True
    _, peer = server.recvfrom(512)
    server.sendto(b"answer", peer)
    answered = bool(select.select([client], [], [], 2)[0])
    stranger = net.udp("S", S4, 1433)
    server.sendto(b"not asked for", (S4, 1433))
    return answered, bool(select.select([stranger], [], [], 0.3)[0])


def after(net):
    net.ok("policy", "load", "-", text=GUIDE)
    net.ok("policy", "assign", "IIS")
    done = net.cli("audit", "--json")
    document = json.loads(done.stdout)["data"]
    rows = {r["port"]: r for r in document["rows"] if r["protocol"] == "tcp"}
    check(done.returncode == 0 and document["n_findings"] == 0,
          f"the wanted end: no finding {[(r['port'], r['findings']) for r in document['rows'] if r['findings']]}")
    opened = {p for p, r in rows.items() if r["class"] == "open"}
    check(opened == {21, 80}, f"audit: 80 and 21 are open: {sorted(opened)}")
    check(all(rows[p]["class"] == "protected" and rows[p]["sides"][0]["rule"] == "Nothing else"
              for p in LISTENERS if p not in (21, 80)), "the rest is protected, by its rule")
    udp = {r["port"]: r["class"] for r in document["rows"] if r["protocol"] == "udp"}
    check(all(udp[p] == "protected" for p in DATAGRAMS), f"and so are the datagram ports: {udp}")
    if shutil.which("nmap"):
        check(nmap(net) == opened, f"nmap agrees: {sorted(nmap(net))}")
    shown = {s["port"]: s["policy"] for s in net.json("sockets")["sockets"]
             if s["protocol"] == "tcp"}
    check(shown[80] == shown[21] == "permit" and shown[445] == "block", "sockets says the same")
    check(net.ok("compat", "netstat", "-a", "-n") == NETSTAT,
          "netstat still shows what listens: it knows nothing of the policy")
    found = {int(r[1].rsplit(":", 1)[1])
             for r in rows_of(from_client(net, "spp", S4, "0", "4000").stdout)}
    check(found == {21, 80}, f"spp: {sorted(found)}")
    answered, forged = dns(net)
    check(answered and not forged, "DNS: the answer comes in, what nobody asked for does not")


def test(net):
    net.start_agent()
    host(net)
    before(net)
    after(net)


main(test)
