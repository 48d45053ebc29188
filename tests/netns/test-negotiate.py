#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters that negotiate, without an engine: on the wire their packets are dropped in the clear in
both directions, IKE passes, and nothing that happens to the agent ever lets one through."""
import http.client
import json
import signal
import socket
import threading

from pwtest import C4, C6, LAN4, S4, S6, check, main, received

NAME = "Secure"
POLICY = f"""policy "{NAME}" {{
    rule "SQL" {{
        negotiate in udp from {C4} port 1434 to me
        negotiate in udp from {C6} port 1434 to me
    }}
    rule "Files"  negotiate esp 3des-sha1 in tcp from {C4} to me port 445 mirrored
    rule "Rest"  block in udp from {C4} to me
    rule "Rest 6"  block in udp from {C6} to me
}}
"""
CODE = "negotiation-not-configured"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def post(net, target, body):
    """The answer of the API: the command line has no verb for what only dialects add."""
    connection = UnixConnection(str(net.dir / "run/portward.sock"))
    connection.request("POST", target, json.dumps(body), {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def arrives(net, source, target, port, sport=0):
    """Datagrams of 5 that reach a socket of S bound to this port."""
    sink = net.udp("S", target, port)
    net.send_udp("C", source, target, port, 5, sport)
    n = received(sink, 0.15)
    net.sockets.remove(sink)
    sink.close()
    return n


def leaves(net, target, port, sport=0):
    """Datagrams of 5 that S sends to the client."""
    sink = net.udp("C", target, port)
    net.send_udp("S", S6 if ":" in target else S4, target, port, 5, sport)
    n = received(sink, 0.15)
    net.sockets.remove(sink)
    sink.close()
    return n


def warnings(answer):
    return [w["message"] for w in answer["warnings"] if w["code"] == CODE]


def asked(net, *args, text=None):
    """Exit code and warnings of a command."""
    done = net.cli(*args, "--json", text=text)
    return done.returncode, warnings(json.loads(done.stdout))


def stored_and_assigned(net):
    for source, target in ((C4, S4), (C6, S6)):
        check(arrives(net, source, target, 53, 1434) == 5, f"control: {source} port 1434 arrives")
    code, said = asked(net, "policy", "load", "-", text=POLICY)
    check(code == 0 and len(said) == 1, f"load: stored, one warning ({code}, {said})")
    check(said and '"SQL", "Files"' in said[0] and "Rest" not in said[0], "it names the rules")
    check(arrives(net, C4, S4, 53, 1434) == 5, "stored, not assigned: no packet effect")
    code, said = asked(net, "policy", "assign", NAME)
    check(code == 0 and len(said) == 1, f"assign: one warning ({code}, {said})")
    code, said = asked(net, "status")
    check(code == 6 and len(said) == 1 and '"SQL"' in said[0], f"status: standing, exit 6 ({code})")
    text = net.cli("status")
    check("denied in the clear" in text.stdout + text.stderr, "status says it in words")


def on_the_wire(net):
    for source, target in ((C4, S4), (C6, S6)):
        check(arrives(net, source, target, 53, 1434) == 0, f"{source} port 1434: dropped")
        for port in (500, 4500):
            check(arrives(net, source, target, port) == 5, f"IKE from {source} to {port} passes")
            check(leaves(net, source, port) == 5, f"IKE to {source} port {port} passes")
        check(arrives(net, source, target, 501) == 0, "port 501 is no IKE: blocked")
        check(arrives(net, source, target, 53, 500) == 0,
              "source port 500 opens no other port")
    check(arrives(net, LAN4, S4, 500) == 5, "another host is not concerned")
    net.tcp_listen("S", S4, 445)
    check(not net.connect("C", C4, S4, 445), "TCP 445 is dropped")
    check(net.connect("C", LAN4, S4, 445), "and is open for others")
    dropped = net.json("status")["packets"]["in"]["dropped"]
    check(dropped.get("no-sa", 0) >= 10, f"counted as no-sa ({dropped})")


def words(net):
    packet = ("in", "udp", "from", C4, "port", "1434", "to", "me", "port", "53")
    data = net.json("explain", *packet, "--live")
    check(data["verdict"] == "block" and data["reason"] == "no-sa", "explain: block, no-sa")
    check(data["kernel"]["agrees"], "the loaded program agrees")
    check("denied in the clear" in net.ok("explain", *packet), "explain says why")
    ike = net.json("explain", "in", "udp", "from", C4, "port", "500", "to", "me", "port", "500",
                   "--live")
    check(ike["verdict"] == "permit" and ike["exemption"] == "ike", "explain: IKE is exempt")
    check(ike["kernel"]["agrees"], "the loaded program agrees about IKE")
    listed = net.json("list", "--all")["filters"]
    check(any(f["rule"] == "IKE" and f["id"] == "-" for f in listed), "list --all shows IKE")
    check(any(f["action"] == "negotiate" for f in net.json("list")["filters"]),
          "list shows the action")
    done = net.cli("policy", "check", "-", text=POLICY)
    check("denied in the clear" in done.stderr, f"policy check notes it ({done.stderr})")
    text = net.ok("permit", "udp", "from", C4, "port", "1434", "to", "me", "--dry-run")
    check("newly permitted" not in text, "a wider permit lets none of it through")


class Prober(threading.Thread):
    """Sends from the negotiated port without a pause, and counts what arrives."""

    def __init__(self, net):
        super().__init__()
        self.sink = net.udp("S", S4, 53)
        self.source = net.udp("C", C4, 1434)
        self.done = threading.Event()
        self.sent = 0

    def run(self):
        while not self.done.wait(0.0005):
            self.source.sendto(b"probe", (S4, 53))
            self.sent += 1

    def end(self):
        self.done.set()
        self.join()
        self.source.close()
        return self.sent, received(self.sink, 0.1)


def never_opens(net):
    probe = Prober(net)
    probe.start()
    net.ok("policy", "load", "-", "--replace", text=POLICY.replace("Rest", "Remainder"))
    net.ok("policy", "load", "-", "--replace", text=POLICY)
    net.agent.send_signal(signal.SIGHUP)
    net.ok("block", "in", "tcp", "port", "7")
    net.ok("flush")
    net.stop_agent()
    net.start_agent()
    check(asked(net, "status")[1] != [], "after a restart the warning stands")
    net.stop_agent(signal.SIGKILL)
    net.start_agent()
    net.stop_agent()
    net.start_agent()
    sent, got = probe.end()
    check(sent > 100 and got == 0, f"reload, restart, kill: {got} of {sent} probes arrived")


def dynamic(net):
    net.ok("policy", "unassign", "-y")
    check(arrives(net, C4, S4, 53, 1434) == 5, "unassigned: it arrives again")
    check(asked(net, "status")[1] == [], "and the warning is gone")
    answer = post(net, "/v1/filters", {"text": f"negotiate in udp from {C4} to me port 53"})
    check(answer["ok"] and len(warnings(answer)) == 1, f"added dynamically, warned ({answer})")
    added = answer["data"]["filter"]
    check(added["ends"] == "reboot", f"it ends at reboot like a block ({added['ends']})")
    check(f'"{added["id"]}"' in warnings(answer)[0], "the warning names its id")
    check(arrives(net, C4, S4, 53) == 0, "dropped in the clear")
    check(arrives(net, C4, S4, 500) == 5, "IKE passes")
    answer = post(net, "/v1/filters", {"text": f"permit in udp from {C4} to me port 53"})
    check(any(w["code"] == "conflict" and "negotiate wins" in w["message"]
              for w in answer["warnings"]), "the equal permit loses, and that is said")
    check(arrives(net, C4, S4, 53) == 0, "still dropped")
    net.stop_agent()
    check(arrives(net, C4, S4, 53) == 0, "the agent is stopped: still dropped")
    net.start_agent()
    ids = [f["id"] for f in net.json("list")["filters"]]
    check(ids == [added["id"]], f"adopted; the permit ended with the agent ({ids})")
    check(arrives(net, C4, S4, 53) == 0, "still dropped after the start")
    answer = post(net, "/v1/filters", {"text": f"block in udp from {C4} to me port 53"})
    check(arrives(net, C4, S4, 53) == 0, "a block besides it")
    net.ok("flush")
    check(arrives(net, C4, S4, 53) == 5, "flushed: it arrives")


def inpass(net):
    tried = net.ok("permit", "inpass", "in", "udp", "from", C4, "to", "me", "port", "53",
                   "--dry-run")
    check("must negotiate" in tried, f"preview: must negotiate ({tried})")
    done = net.cli("permit", "inpass", "in", "udp", "from", C4, "to", "me", "port", "53",
                   "mirrored")
    check(done.returncode == 0 and "denied in the clear" in done.stderr, "inpass is added, warned")
    check("ends at reboot" in done.stdout, "and stays like a block")
    check(arrives(net, C4, S4, 53) == 0, "inpass: denied in the clear on the way in")
    check(leaves(net, C4, 7, 53) == 0, "and on the way out")
    check(arrives(net, C4, S4, 4500) == 5, "IKE passes for it as well")
    data = net.json("explain", "in", "udp", "from", C4, "to", "me", "port", "53", "--live")
    check(data["reason"] == "no-sa" and data["kernel"]["agrees"], "program and evaluator agree")
    net.ok("flush")
    check(arrives(net, C4, S4, 53) == 5, "flushed: it arrives")


def test(net):
    net.start_agent()
    stored_and_assigned(net)
    on_the_wire(net)
    words(net)
    never_opens(net)
    dynamic(net)
    inpass(net)


if __name__ == "__main__":
    main(test)
