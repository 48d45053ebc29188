#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`portward import` and `portward export` against the agent: an old server's registry file becomes
a policy that packets obey, settings act, the rules for surplus port ranges hold, a dry run and a
refused file change nothing, an import deletes and assigns nothing, and no preshared key comes out
again."""
import hashlib
import json

from pwtest import C4, C6, ROOT, S4, S6, check, main, received

SERVER = ROOT / "tests/golden-cli/server.reg"
HEADER = "Windows Registry Editor Version 5.00\r\n\r\n"
SERVICES = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services"
SECRET = "correct horse"


def hexadecimal(data):
    return ",".join(f"{byte:02x}" for byte in data)


def multi(*strings):
    return "hex(7):" + hexadecimal("".join(f"{s}\0" for s in (*strings, "")).encode("utf-16-le"))


def reg(key, **values):
    return f"[{key}]\r\n" + "".join(f'"{name}"={value}\r\n' for name, value in values.items())


class Imports:
    def __init__(self, net):
        self.net = net

    def file(self, name, text, encoding="utf-16"):
        path = self.net.dir / name
        path.write_bytes(text.encode(encoding))
        return str(path)

    def run(self, code, *words, text=None):
        done = self.net.cli(*words, text=text)
        check(done.returncode == code,
              f"{' '.join(map(str, words))[-90:]}: exit {done.returncode}, want {code}"
              + ("" if done.returncode == code else f"\n{done.stdout}{done.stderr}"))
        return done

    def setting(self, key):
        values = self.net.json("config", "show", key)["settings"]
        return values[0]["value"] if values else None

    def digest(self):
        """Everything that an import could have changed."""
        seen = [self.net.json("policy", "list"), self.net.json("policy", "history"),
                self.net.json("config", "show"), self.net.json("list", "--all")["filters"]]
        return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def reaches(net, source, target, port):
    with net.udp("S", target, port) as server:
        net.send_udp("C", source, target, port, 3)
        return received(server, 1) > 0


def moved_server(i):
    """From a file of regedit to packets, over both families."""
    net = i.net
    text = SERVER.read_text()
    before = i.digest()
    path = i.file("server.reg", text)
    dry = i.run(6, "import", "auto", path, "--dry-run")
    check("would store" in dry.stdout and i.digest() == before, "a dry run changes nothing")
    done = i.run(6, "import", "auto", path)
    check("'EnableOffload'" in done.stderr and "only stored" in done.stderr,
          "what is left out and what is not assigned is said")
    check(i.setting("filter.exempt") == "1", "NoDefaultExempt acts")
    check(reaches(net, C4, S4, 1434), "a stored policy blocks nothing")
    net.ok("policy", "assign", "Old server")
    for source, target in ((C4, S4), (C6, S6)):
        check(not reaches(net, source, target, 1434), f"UDP 1434 of {target} is shut")
        check(reaches(net, source, target, 1435), f"UDP 1435 of {target} is open")
    for encoding in ("utf-8", "utf-8-sig"):
        again = i.run(6, "import", "reg", i.file("again.reg", text, encoding))
        check("stored" not in again.stdout, f"the same in {encoding}: no new revision")
    check(not reaches(net, C4, S4, 1434), "it is still assigned")


def export_is_the_same(i):
    first = i.net.dir / "first.reg"
    i.run(0, "export", "reg", "Old server", "-o", first)
    data = first.read_bytes()
    check(data[:2] == b"\xff\xfe" and b"\r\0\n\0" in data, "UTF-16LE with mark and CRLF")
    text = data.decode("utf-16")
    check('"ActivePolicy"=' in text, "the assigned policy is named")
    check(max(map(len, (line for line in text.split("\r\n") if "hex" in line or line[:2] == "  ")))
          <= 80, "hexadecimal lines end at column 80")
    check(i.run(0, "import", "auto", first).stdout == "nothing to change\n", "read again: the same")
    everything = i.net.cli("export", "reg", "--json")
    answer = json.loads(everything.stdout)["data"]
    check(answer["policies"] == ["Old server"] and answer["text"].startswith("Windows Registry"),
          "all policies, as one document")


def surplus_ranges(i):
    """windows.md 7: the first 12, a warning for each further one."""
    ranges = [f"{n}-{n + 1}" for n in range(100, 400, 20)]
    path = i.file("mpp.reg", HEADER + reg(SERVICES + r"\Tcpip\Parameters",
                                          EnableMPP="dword:00000000", MPPExcludedPorts=multi(*ranges)))
    before = i.digest()
    strict = i.run(7, "import", "reg", path, "--strict")
    check(ranges[12] in strict.stderr and i.digest() == before, "--strict refuses, nothing changes")
    done = i.run(6, "import", "reg", path)
    said = [r for r in ranges if f" {r}" in done.stderr or f"'{r}'" in done.stderr]
    check(said == ranges[12:], f"the three that are left out are named: {said}")
    check(len(i.setting("mpp.ipv4.exempt").replace(",", " ").split()) == 12, "twelve are kept")
    i.run(0, "import", "reg", path, "--all-ranges")
    check(len(i.setting("mpp.ipv4.exempt").replace(",", " ").split()) == 15, "--all-ranges: all")
    check(i.setting("mpp.ipv4.enabled") == "no", "EnableMPP is kept")


def refused(i):
    """One wrong value refuses the whole file."""
    key = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Rpc\Internet"
    good = {"Ports": multi("5001-5021"), "PortsInternetAvailable": '"Y"', "UseInternetPorts": '"Y"'}
    before = i.digest()
    for name, values in (("range", {**good, "Ports": multi("5001-70000")}),
                         ("word", {**good, "Ports": multi("many")}),
                         ("half", {"Ports": multi("5001-5021")})):
        text = HEADER + reg(SERVICES + r"\IPSEC", NoDefaultExempt="dword:00000002") + reg(key, **values)
        i.run(7, "import", "reg", i.file(f"{name}.reg", text))
        check(i.digest() == before, f"  {name}: nothing is changed")
    i.run(0, "import", "reg", i.file("good.reg", HEADER + reg(key, **good)))
    check(i.setting("rpc.ports") == "5001-5021", "a whole set is kept")
    for code, words, text in (
            (7, ("import", "auto", "-"), "hello\n"), (7, ("import", "reg", "-"), "[HKLM]\n"),
            (7, ("import", "text", "-"), "policy \"x\" {\n"), (7, ("import", "text", "-"), ""),
            (2, ("import", "nft", "-"), ""), (1, ("import", "reg", "/nonexistent.reg"), None),
            (1, ("export", "text", "nope"), None), (2, ("export", "nft"), None)):
        i.run(code, *words, text=text)


def deletes_nothing(i):
    i.net.ok("compat", "netsh", "ipsec", "static", "add", "filterlist", "name=spare")
    before = i.digest()
    for words in ("delete all", 'delete policy name="Old server"', "delete filterlist name=spare"):
        done = i.run(5, "import", "netsh", "-", text=f"ipsec static {words}\n")
        check("deletes nothing" in done.stderr and i.digest() == before, f"  {words}: nothing")
    i.run(0, "import", "netsh", "-", text='ipsec static add policy name="New" assign=yes\n')
    check([p["name"] for p in i.net.json("policy", "list")["policies"] if p["state"] == "assigned"]
          == ["Old server"], "another policy is not assigned")
    i.net.ok("policy", "delete", "New")


def shared_objects(i):
    """What a file shares with the assigned policy changes it, and that is said; a native text
    keeps its own filters; a netsh script does not add what is there."""
    net = i.net
    script = ("pushd ipsec static\nadd filter filterlist=shared srcaddr=any dstaddr=me protocol=UDP "
              "dstport=1501 mirrored=no\n%spopd\n")
    first = ("add filteraction name=shut action=block\nadd policy name=First\n"
             "add rule name=r policy=First filterlist=shared filteraction=shut\n")
    i.run(0, "import", "netsh", "-", text=script % first)
    net.ok("policy", "assign", "First")
    check(not reaches(net, C4, S4, 1501), "the first policy is in force")
    before = i.digest()
    second = (script % "add policy name=Second\n").replace("1501", "1502")
    for words in (("--dry-run",), ()):
        check(i.digest() == before, "nothing is changed yet")
        done = i.run(0, "import", "netsh", "-", *words, text=second)
        check("warning: policy 'First' is not in 'stdin' and changes with it" in done.stderr,
              f"the assigned policy that changes is named {done.stderr}")
    check(not reaches(net, C4, S4, 1502), "the new filter of its list is in force")
    before = i.digest()
    i.run(5, "import", "netsh", "-", text=second)
    check(i.digest() == before, "the same script again: refused, nothing is added twice")
    text = ('policy "Third" { rule "r" attribute filterlist "shared" attribute filteraction "shut" '
            "permit in udp from any to me port 1503 }\n")
    done = i.run(0, "import", "text", "-", text=text)
    check("port 1503" in net.ok("policy", "show", "Third") and "keeps the filters" in done.stderr,
          "names that mean something else here do not change a text")
    net.ok("policy", "assign", "Old server")
    for name in ("First", "Second", "Third"):
        net.ok("policy", "delete", name)


def preshared_keys(i):
    """Kept by the agent, and in no answer, no file and no message."""
    script = ('pushd ipsec static\nadd policy name=Keys\nadd filterlist name=l\n'
              'add filter filterlist=l srcaddr=me dstaddr=192.0.2.1\n'
              'add filteraction name=n action=negotiate qmsecmethods="ESP[3DES,SHA1]"\n'
              f'add rule name=r policy=Keys filterlist=l filteraction=n psk="{SECRET}"\npopd\n')
    seen = []
    for words, code in ((("import", "netsh", "-", "--dry-run"), 0), (("import", "netsh", "-"), 0),
                        (("import", "netsh", "-", "-o", "-"), 6)):
        done = i.run(code, *words, text=script)
        seen += [done.stdout, done.stderr]
    seen.append(i.net.cli("import", "netsh", "-", "--json", text=script).stdout)
    for form in ("text", "reg", "netsh", "ipseccmd"):
        path = i.net.dir / f"keys.{form}"
        done = i.net.cli("export", form, "Keys", "-o", path)
        if form != "text":
            check(done.returncode == 6 and "preshared key" in done.stderr,
                  f"export {form}: the key is a loss, exit {done.returncode}")
        text = path.read_bytes().decode("utf-16" if form == "reg" else "utf-8")
        one_line = text.replace("\\\r\n  ", "")
        seen += [done.stderr, text,
                 one_line.replace(hexadecimal(SECRET.encode("utf-16-le")), SECRET)]
    check(not any(SECRET in text for text in seen), "the key is in nothing that came out")
    check("kept" in seen[2], "it is said that a key is kept")
    i.net.ok("policy", "delete", "Keys")


def filtering(i):
    """TCP/IP filtering: stored; what this build cannot enforce is refused when it is assigned."""
    parameters = SERVICES + r"\Tcpip\Parameters"
    guid = "{AAAAAAAA-0000-0000-0000-000000000001}"
    text = HEADER + reg(parameters, EnableSecurityFilters="dword:00000001") + reg(
        rf"{parameters}\Interfaces\{guid}", TCPAllowedPorts=multi("80", "20", "21"),
        UDPAllowedPorts=multi("0"), RawIpAllowedProtocols=multi("0"))
    path = i.file("filtering.reg", text)
    done = i.run(0, "import", "reg", path, "--map", f"{guid}=s0")
    shown = i.net.ok("policy", "show", "TCP/IP filtering")
    check("port 80 on s0" in shown and "block in tcp from any to me on s0" in shown
          and "keep state" in shown, f"a policy of its own {done.stdout}")
    assign = i.net.cli("policy", "assign", "TCP/IP filtering")
    check(assign.returncode in (0, 7), f"assigned or refused: {assign.returncode} {assign.stderr}")
    i.run(2, "import", "reg", path, "--map", "s0")
    other = i.run(6, "import", "reg", path, "--map", "{1}=s0")
    check(guid in other.stderr, "an interface that nobody knows is named")


def test(net):
    net.start_agent()
    i = Imports(net)
    moved_server(i)
    export_is_the_same(i)
    surplus_ranges(i)
    refused(i)
    deletes_nothing(i)
    shared_objects(i)
    preshared_keys(i)
    filtering(i)
    net.stop_agent()
    done = i.run(0, "import", "netsh", "-", "-o", str(net.dir / "offline.pw"),
                 text='ipsec static add policy name="New"\n')
    check("saved" in done.stdout, "-o needs no agent")
    i.run(3, "import", "netsh", "-", text='ipsec static add policy name="New"\n')
    i.run(3, "export", "text")


main(test)
