# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests to the agent's socket without the command line, for what no verb asks for."""
import http.client
import json
import socket


class _Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(120)
        self.sock.connect(self.path)


def ask(net, method, target, body=None, agent="portward/test"):
    """The document that the agent of this Net answers with."""
    connection = _Connection(net.dir / "run" / "portward.sock")
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, target, text, {"User-Agent": agent})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def data(net, target):
    """`data` of a question that must be answered."""
    answer = ask(net, "GET", target)
    if not answer["ok"]:
        raise RuntimeError(f"GET {target}: {answer}")
    return answer["data"]


def batch(net, *ops, **members):
    return ask(net, "POST", "/v1/batch", {"ops": list(ops), **members})


def op(name, /, **members):
    return {"op": name, **members}
