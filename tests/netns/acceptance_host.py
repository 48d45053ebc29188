# SPDX-License-Identifier: GPL-2.0-or-later
"""The protected host of the acceptance tests as its administrator uses it: the Windows tools by
`portward compat` and by their own names, and what the agent holds, asked over its API."""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.parse

import pwtest
from acceptance_states import State

TOOLS = ("ipsecpol", "ipseccmd", "netdiag", "netsh", "net", "secedit", "gpupdate", "reg",
         "rpccfg", "rpcdump")
TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|[{}]|\n|[^\s{}"]+')


class _Http(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def rules_of(text):
    """{rule: [filter texts]} of a policy in canonical text. Attributes and connections are not
    looked at; an inactive rule is named with '-' before it."""
    rules, lines = {}, iter(text.splitlines()[1:-1])
    for line in lines:
        match = re.match(r'\s*(inactive )?rule "((?:[^"\\]|\\.)*)"(?: connection \S+)?'
                         r'(?:\s+attribute \S+ "(?:[^"\\]|\\.)*")*\s*(.*)$', line)
        if not match:
            raise ValueError(f"not understood: {line}")
        name, rest = ("-" if match[1] else "") + match[2].replace('\\"', '"'), match[3]
        if rest == "{":
            rules[name] = []
            for inner in lines:
                if inner.strip() == "}":
                    break
                rules[name].append(inner.strip())
        else:
            rules[name] = [] if rest == "{}" else [rest]
    return rules


class Host:
    def __init__(self, net):
        self.net = net
        self.socket = net.dir / "run/portward.sock"
        self.daemons = []  # pids that `net start` left
        self.wrappers, self.names = net.dir / "wrappers", net.dir / "names"
        for directory in (self.wrappers, self.names):
            directory.mkdir()
        for tool in TOOLS:
            for name in (tool, tool.upper(), f"{tool}.exe", f"{tool.upper()}.EXE"):
                self._wrapper(name)
                (self.names / name).symlink_to(pwtest.CLI)

    def _wrapper(self, name):
        path = self.wrappers / name
        path.write_text(f'#!/bin/sh\nexec "{pwtest.CLI}" compat {name} "$@"\n')
        path.chmod(0o755)

    # --- commands ---
    def run(self, argv, text=None, path=None):
        """Runs a command in S. Every program finds the agent by its environment."""
        env = {**os.environ, "PORTWARD_RUNTIME_DIR": str(self.net.dir / "run"),
               "LC_ALL": "C.UTF-8"}
        if path:
            env["PATH"] = f"{path}:{env['PATH']}"
        with self.net.inside("S"):
            return subprocess.run([str(a) for a in argv], text=True, capture_output=True,
                                  input=text or "", env=env, cwd=self.net.dir, timeout=60,
                                  check=False)

    def compat(self, *words, text=None):
        return self.run([pwtest.CLI, "compat", *words], text=text)

    def by_name(self, words):
        return self.run([self.names / words[0], *words[1:]])

    def shell(self, line, by_name=False):
        """A line of shell whose tools are those of the table."""
        if by_name:  # a name of ours for each tool that the wrappers know
            return self.run(["sh", "-c", line], path=self.names)
        for tool in {w for w in re.findall(r"\S+", line) if w.lower().split(".")[0] in TOOLS}:
            if not (self.wrappers / tool).exists():
                self._wrapper(tool)
        return self.run(["sh", "-c", line], path=self.wrappers)

    # --- the agent ---
    def ask(self, method, target, body=None):
        """The answer's document."""
        c = _Http(self.socket)
        try:
            c.request(method, target, body=json.dumps(body) if body is not None else None,
                      headers={"Content-Type": "application/json"} if body is not None else {})
            return json.loads(c.getresponse().read())
        finally:
            c.close()

    def data(self, method, target, body=None):
        answer = self.ask(method, target, body)
        if not answer["ok"]:
            raise RuntimeError(f"{method} {target}: {answer}")
        return answer["data"]

    def answers(self):
        try:
            return self.ask("GET", "/v1/status")["ok"]
        except OSError:
            return False

    def state(self):
        policies, assigned = {}, None
        for p in self.data("GET", "/v1/policies")["policies"]:
            name = urllib.parse.quote(p["name"], safe="")
            policies[p["name"]] = rules_of(self.data("GET", f"/v1/policies/{name}")["text"])
        assigned = self.data("GET", "/v1/status")["policy"]["local"]
        return State(policies, assigned, self.filters("dynamic"))

    def filters(self, layer):
        """Texts of the filters in force in one layer."""
        return sorted(f["text"] for f in self.data("GET", f"/v1/filters?layer={layer}")["filters"])

    def marks(self):
        """What must not move if nothing changed: number of the state and of the generation."""
        answer = self.ask("GET", "/v1/state")
        return answer["data"]["state"], answer["generation"]

    def clear(self):
        """Everything that a row can leave behind goes."""
        policies = self.data("GET", "/v1/policies")["policies"]
        ops = [{"op": "policy-delete", "name": p["name"], "unassign": True} for p in policies]
        ops += [{"op": "flush"}, {"op": "setting", "key": "filter.exempt", "value": None}]
        ops += [{"op": "setting", "key": f"rpc.{key}", "value": None} for key in (
            "ports", "ports-internet-available", "use-internet-ports", "confine")]
        if self.data("GET", "/v1/library")["text"]:
            ops.append({"op": "library", "text": ""})
        self.data("POST", "/v1/batch", {"ops": ops})

    def ensure_agent(self):
        """An agent that is our child runs, whatever the row did."""
        if self.net.agent and self.net.agent.poll() is None:
            return
        self.net.agent = None
        if self.answers():
            self.end_daemon()
        self.net.start_agent()

    def end_daemon(self):
        """Ends the agent that `net start` made: it is nobody's child here."""
        pid = self.data("GET", "/v1/status")["pid"]
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while pathlib.Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
