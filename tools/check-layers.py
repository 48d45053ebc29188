#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Refuses includes that break the layer rule of docs/ARCHITECTURE.md.

A module may include its own headers, and the public headers of the modules listed for it
below; nothing else. It also refuses I/O, clocks and logging in the pure modules.
Usage: check-layers.py [SOURCE_ROOT]
"""
import pathlib
import re
import sys

PURE = ["base", "model", "text", "eval", "compile"]
CORE = {"base", "model", "text", "eval", "compile"}
ALLOWED = {
    "base": set(),
    "model": {"base"},
    "text": {"base", "model"},
    "eval": {"base", "model"},
    "compile": {"base", "model"},
    "datapath": {"base", "model", "compile"},
    "sockets": {"base"},
    "rpc": {"base", "model", "rpcdump", "sockets"},
    "store": {"base", "model", "text"},
    "fetch": {"base", "model"},
    "mpp": {"base", "model", "sockets"},
    "exposure": {"base", "model", "eval", "sockets"},
    "exposure/probe": {"base", "model"},
    "agent": CORE | {"datapath", "rpc", "store", "fetch", "mpp", "exposure", "sockets"},
    "api": CORE | {"agent", "apiclient", "rpc", "exposure", "sockets"},
    "api/client": {"base"},
    "cli": CORE | {"apiclient", "rpcdump", "rpc", "exposure", "exposureprobe", "sockets"},
    "compat": CORE | {"apiclient", "cli", "rpcdump", "rpc", "exposure", "exposureprobe", "sockets"},
    "portward": {"base", "cli", "compat"},
    "portwardd": CORE | {"agent", "api"},
}
# Headers of the kernel and of eBPF that go with a module besides its own.
BPF_HEADERS = {"compile": {"image.h"}, "datapath": {"image.h", "flow.h", "record.h", "mpp.h",
                                                  "scan.h"},
               "rpc": {"rpc.h"}, "sockets": {"sockets.h"}, "exposure/probe": {"probe.h"},
               "mpp": {"mpp.h", "mpp_score.h"}}
IMPURE = re.compile(
    r"#include <(stdio|time|fcntl|unistd|syslog|sys/(?!types)[a-z]+|errno_location)\.h>"
)
IMPURE_ALLOWED = {"base/strbuf.c", "base/diag.c", "base/array.c"}  # vsnprintf and close()
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def module_of(path, src):
    parts = path.relative_to(src).parts
    return "/".join(parts[:2]) if "/".join(parts[:2]) in ALLOWED else parts[0]


def check_file(path, src):
    module = module_of(path, src)
    if module not in ALLOWED:
        yield f"{path}: module '{module}' is not in the layer table"
        return
    own_dir = src / module
    own = module.replace("/", "")
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if module in PURE and IMPURE.search(line):
            if "stdio" not in line or path.relative_to(src).as_posix() not in IMPURE_ALLOWED:
                if not (path.name in ("array.c",) and "unistd" in line):
                    yield f"{path}:{number}: I/O in the pure module '{module}': {line.strip()}"
        found = INCLUDE.match(line)
        if not found:
            continue
        name = found.group(1)
        if "/" not in name or (own_dir / name).exists():
            local = (path.parent / name).exists() or (own_dir / name).exists()
            generated = name.endswith(".skel.h") or name.endswith(".inc")
            if not (local or generated or name in BPF_HEADERS.get(module, set())):
                yield f"{path}:{number}: unknown header '{name}' in module '{module}'"
            continue
        target = name.split("/")[0]
        if target not in ALLOWED[module] | {own}:
            yield f"{path}:{number}: module '{module}' must not include '{name}'"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    src = root / "src"
    problems = []
    for path in sorted(src.rglob("*.[ch]")):
        problems.extend(check_file(path, src))
    for problem in problems:
        print(problem)
    print(f"{len(problems)} violations of the layer rule")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
