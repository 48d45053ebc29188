# SPDX-License-Identifier: GPL-2.0-or-later
"""The `state` column of the acceptance table, row by row, written by hand: which policies with
which rules and filters are stored, which one is assigned, what the dynamic layer holds, and what
the command says. One entry per row that is run."""
import dataclasses

UDP, TCP, RPC = "Block UDP 1434 Filter", "Block TCP 80 Filter", "Block RPC Ports"
PORTS = range(5001, 5022)


def block_in(proto, port):
    return f"block in {proto} from any to me port {port}"


def permit_lan(port):
    return f"permit in tcp from 10.1.1.0/24 to me port {port}"


IN = {"Block Inbound UDP 1434 Rule": [block_in("udp", 1434)]}
OUT = {"Block Outbound UDP 1434 Rule": ["block out udp from me to any port 1434"]}
IN_TCP = {"Block Inbound TCP 80 Rule": [block_in("tcp", 80)]}
TEMPLATE_TCP = {"Block TCP 80 Rule": [block_in("tcp", 80)]}
RPC_135 = {"Block Inbound TCP 135 Rule": [block_in("tcp", 135)]}
RPC_5001 = {"Block Inbound TCP 5001 Rule": [block_in("tcp", 5001)]}
RPC_ALL = {f"Block Inbound TCP {p} Rule": [block_in("tcp", p)] for p in PORTS}
LAN_135 = {"Allow Inbound TCP Port 135 from 10.1.1.0 Rule": [permit_lan(135)]}
LAN_135_AGAIN = {"Allow Inbound TCP 135 from 10.1.1.0 Rule": [permit_lan(135)]}
LAN_5001 = {"Allow Inbound TCP Port 5001 from 10.1.1.0 Rule": [permit_lan(5001)]}
LAN_ALL = {f"Allow Inbound TCP {p} from 10.1.1.0 Rule": [permit_lan(p)] for p in PORTS}
BLOCKS = {**RPC_135, **RPC_ALL}
WHOLE = {**BLOCKS, **LAN_135, **LAN_ALL}  # 44 rules: 22 block, 22 permit


@dataclasses.dataclass(frozen=True)
class State:
    policies: dict = dataclasses.field(default_factory=dict)  # name -> {rule: [filter texts]}
    assigned: str = None
    dynamic: list = dataclasses.field(default_factory=list)   # filter texts


@dataclasses.dataclass(frozen=True)
class Expected:
    state: State
    exit: int = 0
    out: tuple = ()      # patterns that stdout must have
    err: tuple = ()      # patterns that stderr must have
    running: bool = True  # the agent answers afterwards


NOTHING = State()
INBOUND = State({UDP: IN}, UDP)
BOTH = State({UDP: {**IN, **OUT}}, UDP)
BOTH_UNASSIGNED = State(BOTH.policies)
MOVED = State({UDP: IN, TCP: IN_TCP}, TCP)
BACK = State({UDP: {**IN, **OUT}, TCP: IN_TCP}, UDP)
WITH_TCP = State({UDP: {**IN, **IN_TCP}}, UDP)
WITH_TEMPLATE = State({UDP: {**IN, **TEMPLATE_TCP}}, UDP)
DYNAMIC = State(dynamic=[block_in("udp", 1434)])
TCP_ONLY = State({TCP: IN_TCP}, TCP)

DONE = (r"The command completed successfully\.\s*$",)
AT_REBOOT = (r"^portward: note: dynamic: ends at reboot$",)
# The host is open afterwards.
OPEN = (r"^portward: warning: ",)
ALIEN = (r"not understood", r"unset variable ['‘]?%?IPSECTOOL%?")


def rpc(*rules, assigned=False):
    return State({RPC: {k: v for part in rules for k, v in part.items()}},
                 RPC if assigned else None)


def _twins(entries):
    """Rows in pairs: ipseccmd's and ipsecpol's."""
    return {f"{prefix}-{name}": expected for prefix, names, expected in entries
            for name in names.split()}


EXPECTED = _twins([
    ("KB813878", "01", Expected(NOTHING)),
    ("KB813878", "02 03", Expected(INBOUND, out=DONE)),
    ("KB813878", "04 05", Expected(MOVED, out=DONE)),
    ("KB813878", "06 07", Expected(BOTH, out=DONE)),
    ("KB813878", "08", Expected(BACK, out=DONE)),
    ("KB813878", "09", Expected(BOTH)),
    ("KB813878", "10", Expected(INBOUND)),
    ("KB813878", "11 12", Expected(WITH_TCP, out=DONE)),
    ("KB813878", "13 14", Expected(WITH_TEMPLATE, out=DONE)),
    ("KB813878", "15 16", Expected(DYNAMIC, out=DONE, err=AT_REBOOT)),
    ("KB813878", "17", Expected(NOTHING, out=(r"Group policy propagation from the domain",),
                                err=(r"^portward: note: no domain configured",))),
    ("KB813878", "18 19", Expected(BOTH_UNASSIGNED, out=DONE, err=OPEN)),
    ("KB813878", "20 21", Expected(NOTHING, out=DONE)),
    ("KB813878", "22", Expected(NOTHING, running=False, out=(r"was stopped successfully",),
                                err=(r"^portward: note: no longer blocked: .*udp.*1434",))),
    ("KB813878", "23", Expected(NOTHING, out=(r"was started successfully",))),
    ("KB813878", "24 25", Expected(NOTHING, out=DONE)),
    ("KB813878", "R1", Expected(INBOUND)),
    ("KB813878", "G5", Expected(INBOUND)),
    ("KB813878", "M1 M2", Expected(INBOUND, out=DONE)),
    ("KB813878", "M3 M4", Expected(BOTH, out=DONE)),
    ("KB813878", "M5 M6", Expected(State({UDP: IN}), out=DONE, err=OPEN)),
    ("KB813878", "M7 M8", Expected(INBOUND, out=DONE)),
    ("KB813878", "M9 M10", Expected(INBOUND, exit=1, err=(r"Block UDP 1434 Rule",
                                                          r"Block Inbound UDP 1434 Rule"))),
    ("KB813878C", "M1", Expected(NOTHING)),
    ("KB813878C", "M2", Expected(INBOUND)),
    ("KB813878C", "M3", Expected(MOVED)),
    ("KB813878C", "M4 M5", Expected(BOTH)),
    ("KB813878C", "M6", Expected(BOTH)),
    ("KB813878C", "M7", Expected(WITH_TCP)),
    ("KB813878C", "M8", Expected(DYNAMIC, err=AT_REBOOT)),
    ("KB813878C", "M9", Expected(State({UDP: IN, TCP: IN_TCP}, UDP), out=DONE)),
    ("KB813878C", "M10", Expected(NOTHING, exit=2, err=(r"\^", r"\*=0:1434:UDP"))),
    ("KB908472", "01 M5", Expected(NOTHING, out=(r"^5001-5021: 21 ports", r"^default class: internet"))),
    ("KB908472", "G1", Expected(NOTHING)),
    ("KB908472", "22", Expected(NOTHING, out=(r"^\d+ TCP endpoints on \d+ ports, set 5001-5021 has 21",))),
    ("KB908472", "02 03", Expected(rpc(RPC_135), out=DONE)),
    ("KB908472", "04 05", Expected(rpc(RPC_135, RPC_5001), out=DONE)),
    ("KB908472", "06 07", Expected(rpc(BLOCKS), out=DONE)),
    ("KB908472", "08 09", Expected(rpc(RPC_135, LAN_135), out=DONE)),
    ("KB908472", "10 11", Expected(rpc(RPC_135, LAN_5001), out=DONE)),
    ("KB908472", "12 13", Expected(rpc(RPC_135, LAN_ALL), out=DONE)),
    ("KB908472", "14 15", Expected(rpc(WHOLE, assigned=True), out=DONE)),
    ("KB908472", "16 17", Expected(rpc(BLOCKS, assigned=True), out=DONE)),
    ("KB908472", "18 19", Expected(rpc(WHOLE), out=DONE, err=OPEN)),
    ("KB908472", "20 21", Expected(NOTHING, out=DONE)),
    ("KB908472", "23 24", Expected(rpc(RPC_135, LAN_135, LAN_135_AGAIN), out=DONE)),
    ("KB908472", "G2", Expected(rpc(WHOLE, assigned=True))),
    ("KB908472", "M1 M2", Expected(rpc(BLOCKS, assigned=True), out=DONE)),
    ("KB908472", "M3 M4", Expected(rpc(BLOCKS), out=DONE, err=OPEN)),
    ("KB908472", "M6", Expected(NOTHING, exit=6, err=ALIEN)),
    ("KB908472", "M7", Expected(rpc(RPC_135), exit=2, err=(r"\^", r"%SUBNET%"))),
])

# "static untouched", "ports blocked by a static policy stay dropped": the second run of these rows
# begins with another row's policy in force.
PREPARED = {f"KB813878-{n}": ("KB813878-04", TCP_ONLY, "in tcp any->me:80 dropped")
            for n in (22, 23, 24, 25)}
# The second run of these has a rule of the same name before it: replaced, not doubled.
PREPARED |= {"KB908472-06": ("KB908472-04", None, ""), "KB908472-07": ("KB908472-05", None, "")}
# Patterns of the command that --paste must show, {id: patterns}.
CORRECTED = {
    "KB813878C-M1": (r"/test:ipsec",),
    "KB813878C-M2": (r'-w REG -p "Block UDP 1434 Filter" -r "Block Inbound UDP 1434 Rule" '
                     r'-f "?\*=0:1434:UDP"? -n BLOCK -x',),
    "KB813878C-M3": (r'-w REG -p "Block TCP 80 Filter" -r "Block Inbound TCP 80 Rule" '
                     r'-f "?\*=0:80:TCP"? -n BLOCK -x',),
    "KB813878C-M4": (r'-w REG -p "Block UDP 1434 Filter" -r "Block Outbound UDP 1434 Rule" '
                     r'-f "?0=\*:1434:UDP"? -n BLOCK',),
    "KB813878C-M5": (r'-w REG -p "Block UDP 1434 Filter" -r "Block Outbound UDP 1434 Rule" '
                     r'-f "?0=\*:1434:UDP"? -n BLOCK',),
    "KB813878C-M6": (r"/test:ipsec /debug",),
    "KB813878C-M7": (r'-p "Block UDP 1434 Filter" -w REG -r "Block Inbound TCP 80 Rule" '
                     r'-f "?\*=0:80:TCP"? -n BLOCK',),
    "KB813878C-M8": (r'-f "?\[\*=0:1434:UDP\]"?',),
}
# Rows whose words "as NN" name another row of the article for the packets column.
AS = {"KB908472-M1": "KB908472-16", "KB908472-M2": "KB908472-17"}
