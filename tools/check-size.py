#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Gates the size and complexity of C code (eBPF programs included).

Hard limits: 100 lines and complexity 25 per function, 800 lines per .c file. What is above
must stand in tools/size-allow.txt ("FILE:FUNCTION reason", or "FILE reason"). Needs pmccabe.
SEC(...) and other section macros are stripped from a copy first: pmccabe would take them for
the function's name.
Usage: check-size.py [SOURCE_ROOT]
"""
import pathlib
import re
import subprocess
import sys
import tempfile

LINES, COMPLEXITY, FILE_LINES = 100, 25, 800
GOAL_LINES, GOAL_COMPLEXITY, GOAL_FILE = 60, 15, 400
SECTION = re.compile(r"\bSEC\(\"[^\"]*\"\)|__(?:always_inline|noinline|weak|hidden)\b")


def allowed(root):
    path = root / "tools" / "size-allow.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}


def functions(path, text):
    """Yields (name, complexity, lines) for every function of one file."""
    with tempfile.NamedTemporaryFile("w", suffix=".c") as copy:
        copy.write(SECTION.sub("", text))
        copy.flush()
        run = subprocess.run(["pmccabe", copy.name], capture_output=True, text=True, check=False)
        if run.returncode or "possible" in run.stderr:
            print(f"{path}: pmccabe: {run.stderr.strip()}")
        for line in run.stdout.splitlines():
            fields = line.split("\t")
            if len(fields) >= 6:
                yield fields[5].split(": ")[-1].strip(), int(fields[0]), int(fields[4])


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    allow = allowed(root)
    bad = over_goal = count = 0
    for path in sorted(p for d in ("src", "bpf", "tests") for p in (root / d).rglob("*.c")):
        name = path.relative_to(root).as_posix()
        text = path.read_text()
        n_lines = text.count("\n")
        if n_lines > FILE_LINES and name not in allow:
            bad += 1
            print(f"{name}: {n_lines} lines, limit {FILE_LINES}")
        over_goal += n_lines > GOAL_FILE
        for function, complexity, lines in functions(path, text):
            count += 1
            over_goal += lines > GOAL_LINES or complexity > GOAL_COMPLEXITY
            if lines <= LINES and complexity <= COMPLEXITY:
                continue
            if f"{name}:{function}" not in allow:
                bad += 1
                print(f"{name}: {function}: {lines} lines, complexity {complexity}; "
                      f"limits {LINES} and {COMPLEXITY}")
    print(f"{count} functions, {bad} over a hard limit, {over_goal} functions or files over a goal")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main())
