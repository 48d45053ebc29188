#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""POST /v1/batch and what belongs to it (docs/api.md): several changes in one generation and
without a leak under traffic; one that fails in its last OP changes nothing; the optimistic lock;
settings that win over the file; what the dialects keep in the agent; the end by request."""
import json
import sqlite3
import threading
import time

from apicall import ask, batch, data, op
from pwtest import C4, LAN4, S4, SmallDisk, check, image_id, main

OLD = 'policy "Web" { rule "SMB" block in udp port 7001  rule "Rest" block in udp port 7009 }'
NEW = 'policy "Web 2" { rule "SMB 2" block in udp port 7001  rule "Rest" block in udp port 7009 }'
BASE = 'policy "Base" { rule "b" block in udp port 7002 }'
BASE2 = 'policy "Base" { rule "b" block in udp port 7002  rule "c" block in udp port 7003 }'


def generation(net):
    return ask(net, "GET", "/v1/state")["generation"]


def state(net):
    return data(net, "/v1/state")["state"]


def content(net, counters=True):
    """What the database says, and what is in force. counters False: without the number that a
    change takes before it fails (store.h, store_state())."""
    db = sqlite3.connect(f"file:{net.dir}/state/portward.db?mode=ro", uri=True)
    text = "\n".join(line for line in db.iterdump()
                     if counters or not line.startswith('INSERT INTO "counter"'))
    db.close()
    filters = data(net, "/v1/filters?all=1")["filters"]
    for f in filters:
        f["packets"] = f["bytes"] = f["expires_in_s"] = None
    return text, filters, generation(net)


def difference(before, after):
    return [(a, b) for x, y in zip(before, after) if x != y
            for a, b in ([(x, y)] if isinstance(x, int) else
                         zip(x.split("\n"), y.split("\n")) if isinstance(x, str) else zip(x, y))
            if a != b][:2]


class Traffic:
    """Packets to ports that are blocked before, in and after a change."""

    def __init__(self, net, *ports):
        self.receivers = [net.udp("S", S4, port) for port in ports]
        self.sender = net.udp("C", C4)
        self.ports = ports
        self.sent = 0
        self.end = False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.end:
            for port in self.ports:
                self.sender.sendto(b"x", (S4, port))
                self.sent += 1

    def stop(self):
        time.sleep(0.1)
        self.end = True
        self.thread.join()
        got = 0
        for receiver in self.receivers:
            try:
                while receiver.recv(16):
                    got += 1
            except BlockingIOError:
                pass
            receiver.close()
        return got


def one_generation(net):
    net.ok("policy", "load", "-", text=OLD)
    net.ok("policy", "load", "-", text=BASE)
    net.ok("policy", "assign", "Web")
    net.ok("policy", "assign", "Base", "--persistent")
    before_ids = data(net, "/v1/policies/Web?ids=1")
    before = generation(net)
    traffic = Traffic(net, 7001, 7002)
    answer = batch(net,
                   op("policy-load", text=NEW, renamed_from="Web", replace=True,
                      renamed_rules={"SMB 2": "SMB"}, change="netsh rename"),
                   op("policy-load", text=BASE2, replace=True),
                   op("filter-add", text="block in udp port 7004 reason \"worm\""),
                   op("filter-add", text="permit in udp from 10.1.1.0/24 to me port 7004"),
                   op("unassign", persistent=True), op("assign", name="Base", persistent=True),
                   op("library", text='policy "filterlists" { }'),
                   op("setting", key="dialect.store", value="local"),
                   reason="moved", origin="dialect")
    leaked = traffic.stop()
    check(answer["ok"], f"a batch of eight OPs {answer if not answer['ok'] else ''}")
    check(answer["generation"] == before + 1, f"one generation ({answer['generation'] - before})")
    check(leaked == 0, f"no leak among {traffic.sent} packets ({leaked})")
    results = answer["data"]["results"]
    check(len(results) == 8 and results[0]["policies"][0]["name"] == "Web 2"
          and results[0]["policies"][0]["assigned"] and results[1]["policies"][0]["assigned"]
          and results[2]["filter"]["id"] and results[5]["name"] == "Base",
          "each OP has its result")
    after_ids = data(net, "/v1/policies/Web%202?ids=1")
    check(after_ids["guid"] == before_ids["guid"]
          and after_ids["rules"][0]["guid"] == before_ids["rules"][0]["guid"]
          and after_ids["rules"][0]["filters"] == before_ids["rules"][0]["filters"],
          "a renamed policy and its renamed rule keep their identities")
    check(data(net, "/v1/status")["policy"] == {"local": "Web 2", "persistent": "Base"},
          "and the assignment")
    check(net.send_udp("C", LAN4, S4, 7004) is not None, "probe")
    trail = data(net, "/v1/history")["entries"]
    batch_rows = [e for e in trail if e["origin"] == "dialect"]
    check(len(batch_rows) >= 7 and all(e["reason"] in ("moved", "worm") for e in batch_rows),
          f"one row of the trail for each OP, by the dialect ({len(batch_rows)})")
    check(all(e["generation"] == answer["generation"] for e in batch_rows if e["object"] in
              ("Web 2", "Base")), "with the generation")
    return results


def packets(net):
    """What the batch says is what happens."""
    for port, source, passes in ((7001, C4, False), (7003, C4, False), (7004, C4, False),
                                 (7004, LAN4, True), (7010, C4, True)):
        receiver = net.udp("S", S4, port)
        net.send_udp("C", source, S4, port, n=5)
        time.sleep(0.1)
        got = 0
        try:
            while receiver.recv(16):
                got += 1
        except BlockingIOError:
            pass
        receiver.close()
        check((got > 0) == passes, f"udp {source} to port {port}: {got} of 5 arrive")


def all_or_nothing(net):
    before = content(net, counters=False)
    wrong = (
        (op("assign", name="No such policy"), "unknown-object", 1),
        (op("filter-add", text="block in udp port 99999"), "port-range", 7),
        (op("policy-load", text='policy "X" { rule "r" blok }', replace=True), None, 7),
        (op("filter-delete", items=["d9999"]), "unknown-object", 1),
        (op("setting", key="filter.exempt", value="4"), "syntax", 2),
        (op("setting", key="no.such", value="4"), "unknown-object", 1),
        (op("policy-delete", name="Base"), "conflict", 5),
        (op("filter-add"), "usage", 2), (op("nonsense"), "usage", 2),
        (op("flush", text="x"), "usage", 2),
    )
    for last, code, exit_code in wrong:
        answer = batch(net, op("policy-delete", name="Web 2", unassign=True), op("flush"),
                       op("library", text=""), op("setting", key="filter.exempt", value="1"), last)
        good = not answer["ok"] and answer.get("op") == 4 and answer["exit"] == exit_code \
            and code in (None, answer["error"]["code"])
        check(good, f"{last}: refused ({answer if not good else answer['error']['code']})")
        after = content(net, counters=False)
        check(after == before, f"  and nothing is changed {difference(before, after)}")
    before = content(net)
    answer = batch(net, op("flush"), op("policy-delete", name="Web 2", unassign=True),
                   dry_run=True)
    check(answer["ok"] and answer["data"]["preview"]["changes"]
          and answer["data"]["results"][0]["deleted"] == 2,
          "a batch that is only tried says what it would do")
    check(content(net) == before, f"  and changes nothing {difference(before, content(net))}")
    empty = batch(net)
    check(empty["ok"] and empty["data"]["results"] == [] and content(net) == before,
          "no OP at all: no change")


def lock(net):
    read = state(net)
    check(state(net) == read, "the state stays while nothing changes")
    changes = (
        lambda: net.ok("block", "in", "udp", "port", "7005", "for", "1h"),
        lambda: net.ok("block", "in", "udp", "port", "7005", "for", "2h"),
        lambda: net.ok("delete", "block", "in", "udp", "port", "7005"),
        lambda: batch(net, op("setting", key="mpp.rates", value="s0=7")),
        lambda: batch(net, op("library", text="x")),
        lambda: batch(net, op("secret", id="6a1e", value="hush")),
        lambda: net.ok("policy", "load", "-", text='policy "Other" { rule "r" block 99 }'),
    )
    for i, change in enumerate(changes):
        read = state(net)
        change()
        check(state(net) != read, f"change {i}: another state")
        stale = batch(net, op("flush"), if_state=read)
        check(not stale["ok"] and stale["exit"] == 5 and stale["error"]["code"] == "stale"
              and "op" not in stale, "  whoever read before it is refused")
    net.ok("block", "in", "udp", "port", "7006", "for", "1s")
    read = state(net)
    time.sleep(1.5)
    check(state(net) != read, "expiry: another state")
    check(batch(net, op("flush"), if_state=state(net))["ok"], "whoever read after it is not")


def settings(net):
    def setting(key):
        return data(net, f"/v1/settings?key={key}")["settings"][0]

    check(setting("filter.exempt") == {"key": "filter.exempt", "value": "3", "source": "default"},
          "exempt by default")
    answer = batch(net, op("setting", key="filter.exempt", value="0"))
    check(any(w["code"] == "exempt-kerberos" and "88" in w["message"] for w in answer["warnings"]),
          "level 0: a warning in the answer")
    status = ask(net, "GET", "/v1/status")
    check(any(w["code"] == "exempt-kerberos" for w in status["warnings"]), "and a standing one")
    check(setting("filter.exempt")["source"] == "database", "it comes from the database")
    net.config("[filter]\nexempt = 1\nmasqueraded = pass\n")
    net.agent.send_signal(1)
    deadline = time.monotonic() + 10
    while setting("filter.masqueraded")["value"] != "pass" and time.monotonic() < deadline:
        time.sleep(0.05)
    source = setting("filter.masqueraded")["source"]
    check(source == f"{net.dir}/portward.conf:3", f"a value of the file: {source}")
    check(setting("filter.exempt")["value"] == "0", "after a reload the database still wins")
    net.stop_agent()
    net.start_agent()
    check(setting("filter.exempt") == {"key": "filter.exempt", "value": "0", "source": "database"},
          "after a restart, too")
    derived = [f["rule"] for f in data(net, "/v1/filters?all=1")["filters"]
               if f["layer"] == "derived"]
    check("Kerberos" in derived, "and it is in force")
    batch(net, op("setting", key="filter.exempt"))
    check(setting("filter.exempt")["value"] == "1", "back to the file")
    derived = [f["rule"] for f in data(net, "/v1/filters?all=1")["filters"]
               if f["layer"] == "derived"]
    check("Kerberos" not in derived and "multicast" in derived, "which is in force")
    check(data(net, "/v1/settings?key=boot.mode")["settings"][0]["value"] is None, "unset is null")
    keys = [s["key"] for s in data(net, "/v1/settings")["settings"]]
    check(keys == sorted(keys) and "mpp.rates" in keys, f"all settings: {len(keys)}")
    check(ask(net, "GET", "/v1/settings?key=no.such")["exit"] == 1, "an unknown one")


def kept(net):
    check(data(net, "/v1/host")["addresses"] == [S4, "2001:db8:1::1"] or
          data(net, "/v1/host")["addresses"][0] == S4, f"host: {data(net, '/v1/host')}")
    addresses = data(net, "/v1/host")["addresses"]
    check("127.0.0.1" not in addresses and "::1" not in addresses, "without loopback")
    check(data(net, "/v1/session?key=a")["value"] is None, "a session value that is not there")
    ask(net, "POST", "/v1/session", {"key": "a", "value": "x" * 65536})
    check(data(net, "/v1/session?key=a")["value"] == "x" * 65536, "64 KiB of it")
    check(ask(net, "POST", "/v1/session", {"key": "b", "value": "x" * 65537})["exit"] == 7,
          "no more")
    codes = [ask(net, "POST", "/v1/session", {"key": f"k{i}", "value": ""})["ok"]
             for i in range(16)]
    check(codes == [True] * 15 + [False], "sixteen of one user")
    ask(net, "POST", "/v1/session", {"key": "a"})
    check(data(net, "/v1/session?key=a")["value"] is None, "removed")


def seconds(net, n):
    ops = [op("filter-add", text=f"block in udp from 10.{i >> 8}.{i & 255}.0/24 to me port 7")
           for i in range(n)]
    begin = time.monotonic()
    answer = batch(net, *ops)
    took = time.monotonic() - begin
    check(answer["ok"] and len(answer["data"]["results"]) == n
          and answer["data"]["results"][n - 1]["filter"]["id"], f"{n} filters: {took:.2f} s")
    ids = [r["filter"]["id"] for r in answer["data"]["results"]]
    begin = time.monotonic()
    answer = batch(net, *[op("filter-delete", items=[i]) for i in ids])
    check(answer["ok"], f"  and deleted one by one: {time.monotonic() - begin:.2f} s")
    return took


def many(net):
    batch(net, op("flush"))
    few, more = seconds(net, 2500), seconds(net, 10000)
    check(more < 8 * few + 2, "four times as many do not take much more than four times as long")


def in_place(net):
    """What a single change does without a new image, a batch of it does, too."""
    batch(net, op("flush"), *[op("filter-add", text=f"block in udp port {p}")
                              for p in range(7100, 7120)])
    before, image = generation(net), image_id(net)
    check(batch(net, op("filter-add", text="block in udp port 7101"),
                op("filter-add", text="block in udp port 7200"))["ok"]
          and generation(net) == before + 1 and image_id(net) == image,
          "one new filter: in place")
    check(batch(net, *[op("filter-delete", items=[f"block in udp port {p}"])
                       for p in range(7100, 7116)])["ok"]
          and generation(net) == before + 2 and image_id(net) == image,
          "sixteen deleted: in place, one generation")


def full_disk(net, disk):
    """Blocks work, policies stay as they are."""
    disk.fill()
    for i in range(200):  # until the room that is reserved for the database is used up
        answer = batch(net, *[op("filter-add", text=f"block in udp port {7300 + i} reason \"{'x' * 900}\"")
                              for _ in range(2)])
        if not answer["ok"] or answer["warnings"]:
            break
    check(answer["ok"] and any(w["code"] == "not-recorded" for w in answer["warnings"]),
          f"full disk: dynamic filters work, number {i + 1} says what could not be written")
    receiver = net.udp("S", S4, 7300 + i)
    net.send_udp("C", C4, S4, 7300 + i, n=5)
    time.sleep(0.1)
    try:
        check(not receiver.recv(16), "  it leaks")
    except BlockingIOError:
        check(True, "  and block")
    before = data(net, "/v1/policies")
    answer = batch(net, op("filter-add", text="block in udp port 7999"),
                   op("policy-load", text=BASE, replace=True))
    check(not answer["ok"] and answer["exit"] == 1, f"with a policy: refused ({answer})"[:200])
    check(data(net, "/v1/policies") == before
          and not any("7999" in f["text"] for f in data(net, "/v1/filters")["filters"]),
          "  and nothing of it is there")
    disk.free()
    check(batch(net, op("filter-add", text="block in udp port 7999"),
                op("policy-load", text=BASE, replace=True))["ok"], "space again: it works")


def nearly_full(net, disk):
    """The trail of a large batch is written after the flip: room for it must be known before."""
    disk.fill()
    with open(disk.path / "filler", "r+b") as f:
        f.truncate((disk.path / "filler").stat().st_size - 600 * 1024)
    before = generation(net)
    blocks = [op("filter-add", text=f"block in udp from 10.9.{i >> 8}.{i & 255} to me port 7400 "
                                    f"reason \"{'x' * 400}\"") for i in range(3000)]
    answer = batch(net, op("library", text="large"), *blocks)
    check(not answer["ok"] and answer["exit"] == 1, f"nearly full disk: refused ({answer})"[:200])
    check(generation(net) == before, "  and the kernel was not touched")
    disk.free()
    check(batch(net, op("library", text="large"), *blocks)["ok"], "space again: it works")
    check(batch(net, op("flush"))["ok"], "  and is flushed")


def end(net):
    args = (net.dir / "run" / "agent.args").read_bytes().split(b"\0")
    check(args[0].endswith(b"/portwardd") and args[1] == b"--foreground" and args[-1] == b""
          and f"{net.dir}/state".encode() in args, "agent.args: how it was started")
    check((net.dir / "run" / "agent.args").stat().st_mode & 0o777 == 0o600, "for root only")
    net.ok("permit", "in", "udp", "port", "7001", "from", "10.1.1.9")
    answer = ask(net, "POST", "/v1/stop", {})
    check(answer["ok"] and answer["data"]["pid"] > 0, "stop is answered")
    net.agent.wait(timeout=30)
    check(net.agent.returncode == 0, "the agent ends in an orderly way")
    check((net.dir / "run" / "agent.args").exists(), "how it was started stays")
    net.agent = None
    net.start_agent()
    layers = [f for f in data(net, "/v1/filters?layer=dynamic")["filters"]
              if f["action"] == "permit"]
    check(layers == [], "and its permits have ended with it")


def test(net):
    net.config("")
    disk = SmallDisk(net.dir / "state", "16m")
    try:
        whole(net, disk)
    finally:
        for child in net.children:
            if child.poll() is None:
                child.kill()
                child.wait()
        disk.unmount()


def whole(net, disk):
    net.start_agent()
    one_generation(net)
    packets(net)
    all_or_nothing(net)
    lock(net)
    settings(net)
    kept(net)
    in_place(net)
    full_disk(net, disk)
    nearly_full(net, disk)
    many(net)
    end(net)


if __name__ == "__main__":
    main(test)
