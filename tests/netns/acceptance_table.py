# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads tests/acceptance/seed-commands.tsv: rows, chains of context rows, the words of a command
line, and which rows belong to subjects that this program does not have yet."""
import csv
import dataclasses
import itertools
import re
import shlex

from pwtest import ROOT

TABLE = ROOT / "tests/acceptance/seed-commands.tsv"
COLUMNS = ["article", "id", "context", "command", "state", "packets", "output"]

# Rows of other subjects, by a pattern on "ID COMMAND": counted apart, with the reason.
LATER = (
    (r"^KB813878-G[124] ", "needs a reboot: the boot loader is another subject"),
    (r"^KB813878-G3 ", "needs a domain controller"),
    (r"^KB974288-G\d ", "memory pressure protection: needs an attack: test-mpp-attack.py"),
    (r"^KB974288-", "memory pressure protection: test-acceptance-mpp.py runs it"),
    (r"^IISG3-02 ", "a port scan: test-compat-spp.c has its output, test-scan.py its packets"),
    (r"^IISG3-", "listeners and port scans: netstat, spp, audit"),
)
# Rows that should be run and are not yet: id -> why.
GAPS = {}


@dataclasses.dataclass(frozen=True)
class Row:
    article: str
    id: str
    context: str
    command: str
    state: str
    packets: str
    output: str

    @property
    def prefix(self):
        return self.id.rsplit("-", 1)[0]

    @property
    def later(self):
        """Reason why the row is not part of this program yet, or None."""
        text = f"{self.id} {self.command}"
        return next((why for pattern, why in LATER if re.search(pattern, text)), None)

    @property
    def is_glued(self):
        """Blanks were lost or added: fed to --paste as one line."""
        return self.article == "KB813878-copy" and (re.search(r"\bglued\b", self.state)
                                                     or self.id == "KB813878C-M6")

    @property
    def is_misprint(self):
        """Repaired with exactly one note, refused under --strict."""
        return re.match(r"KB813878-M\d+$|KB908472-M[1-4]$", self.id) is not None

    @property
    def is_loop(self):
        return self.command.startswith("for ")

    @property
    def is_outcome(self):
        """Stated by the article without a command."""
        return self.command.startswith("(")


def read():
    """All rows by id, in the order of the table."""
    with open(TABLE, encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    if lines[0] != COLUMNS or any(len(line) != len(COLUMNS) for line in lines):
        raise ValueError(f"{TABLE}: not {len(COLUMNS)} columns in every line")
    rows = [Row(*line) for line in lines[1:]]
    if len({r.id for r in rows}) != len(rows):
        raise ValueError(f"{TABLE}: an id occurs twice")
    return {r.id: r for r in rows}


def chains(rows, row):
    """Every list of rows that prepares `row`: transitive, each row once, in order."""
    if row.context == "-" or row.context.startswith("("):
        return [[]]
    found = []
    for alternative in row.context.split(" | "):
        parts = [rows[f"{row.prefix}-{name}"] for name in alternative.split(",")]
        for choice in itertools.product(*(chains(rows, part) for part in parts)):
            chain = []
            for before, part in zip(choice, parts):
                chain += [r for r in (*before, part) if r not in chain]
            found.append(chain)
    return found


def quoted(command):
    """The command as a POSIX shell needs it: a filter specification and data with a backslash stand
    in quotes. Loops have their own quotes."""
    if command.startswith("for "):
        return command
    command = re.sub(r"(-f )(\[[^]]*\]|[^\s\"']+)(?= |$)", r"\1'\2'", command)
    return re.sub(r"(/d )([^\s\"']*\\[^\s\"']*)(?= |$)", r"\1'\2'", command)


def words(command):
    return shlex.split(quoted(command))


def spelled(tool, turn):
    """The tool's name with and without .exe, in lower and upper case, in turn."""
    name = re.sub(r"\.exe$", "", tool, flags=re.IGNORECASE)
    return [name.lower(), name.upper(), f"{name.lower()}.exe", f"{name.upper()}.EXE"][turn % 4]
