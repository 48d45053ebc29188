# SPDX-License-Identifier: GPL-2.0-or-later
"""The rulesets of bench.py: the same N filters in the language of every backend.

Filter i blocks UDP from address(i) to one port of this host. A *set* says how the filters look:
    one       one mask: host address and port
    range     host address and a port range (concatenated ranges for nft)
    mixed16   16 masks: 8 prefix lengths, with and without the port
    mixed56   56 masks: 7 prefix lengths, with and without port and source port, to me or to any
    everyone  as `one`, and one filter more that blocks PORT_FOR_NOBODY for all
address() is the function of inject.h, so that the packets of pw-inject hit and miss exactly."""
import functools

PORT, PORT_FOR_NOBODY, SOURCE_PORT = 5000, 5001, 4000
PORT_RANGE = (4990, 5010)
SETS = ("one", "range", "mixed16", "mixed56", "everyone")
# How many prefix lengths a set has: filter i has 32 - i % LENGTHS bits.
LENGTHS = {"one": 1, "range": 1, "mixed16": 8, "mixed56": 7, "everyone": 1}
RULES_MAX = 4000
INDEX_MASK = (1 << 27) - 1


def number(i):
    """The 32 bits of the address that filter i names."""
    x = i & INDEX_MASK
    x ^= x >> 13
    x = x * 0x2c1b3c6d & INDEX_MASK
    x ^= x >> 12
    x = x * 0x297a2d39 & INDEX_MASK
    x ^= x >> 14
    return 0x20000000 | x >> 8 << 9 | x & 0xff


def text4(n):
    return f"{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"


def text6(n):
    return f"2001:db8:{n >> 16:x}:{n & 0xffff:x}::1"


def address(i, family=4):
    return text4(number(i)) if family == 4 else text6(number(i))


@functools.lru_cache(maxsize=2)
def addresses(n, family=4):
    text = text4 if family == 4 else text6
    return [text(number(i)) for i in range(n)]


def extra_address(i):
    """An address for one filter more, which no packet of the benchmark has."""
    return f"198.18.{i >> 8 & 255}.{i & 255}"


# --- portward ---
def portward_filter(i, kind, family):
    if kind == "range":
        return f"block in udp from {address(i, family)} to me port {PORT_RANGE[0]}-{PORT_RANGE[1]}"
    if kind in ("one", "everyone"):
        return f"block in udp from {address(i, family)} to me port {PORT}"
    shape, lengths = i // LENGTHS[kind], LENGTHS[kind]
    bits = i % lengths
    source = f"{text4(number(i) >> bits << bits)}/{32 - bits}"
    port = f" port {PORT}" if shape & 1 else ""
    if kind == "mixed16":
        return f"block in udp from {source} to me{port}"
    source += f" port {SOURCE_PORT}" if shape & 2 else ""
    return f"block udp from {source} to {'any' if shape & 4 else 'me'}{port}"


@functools.lru_cache(maxsize=1)  # each load into a fresh namespace needs it again
def portward(n, kind="one", family=4):
    """A policy file. Rules hold as many filters as the limit of rules makes necessary."""
    per_rule = max(100, -(-n // RULES_MAX))
    parts = ['policy "bench" {\n']
    for first in range(0, n, per_rule):
        parts.append(f'    rule "r{first}" {{\n')
        parts.extend(f"        {portward_filter(i, kind, family)}\n"
                     for i in range(first, min(first + per_rule, n)))
        parts.append("    }\n")
    if kind == "everyone":
        parts.append(f'    rule "nobody" {{\n        block in udp port {PORT_FOR_NOBODY}\n    }}\n')
    parts.append("}\n")
    return "".join(parts)


# --- nft ---
def nft_table(body, rules):
    return ("table inet bench {\n" + body +
            "chain input {\ntype filter hook input priority 0; policy accept;\n" + rules +
            "}\n}\n")


def nft_set(kind, elements, rule):
    return nft_table(f"set s {{\ntype {kind}\nelements = {{\n" + ",\n".join(elements) + "\n}\n}\n",
                     rule + "\n")


def nft_linear(n):
    return nft_table("", "".join(f"ip saddr {a} udp dport {PORT} drop\n" for a in addresses(n)))


def nft_hash(n):
    return nft_set("ipv4_addr", addresses(n), f"ip saddr @s udp dport {PORT} drop")


def nft_concat(n):
    return nft_set("ipv4_addr . inet_service", [f"{a} . {PORT}" for a in addresses(n)],
                   "ip saddr . udp dport @s drop")


def nft_concat6(n):
    return nft_set("ipv6_addr . inet_service", [f"{a} . {PORT}" for a in addresses(n, 6)],
                   "ip6 saddr . udp dport @s drop")


def nft_vmap(n):
    elements = ",\n".join(f"{a} . udp . {PORT} : drop" for a in addresses(n))
    return nft_table("map m {\ntype ipv4_addr . inet_proto . inet_service : verdict\n"
                     f"elements = {{\n{elements}\n}}\n}}\n",
                     "ip saddr . ip protocol . th dport vmap @m\n")


def nft_interval(n):
    return nft_set("ipv4_addr\nflags interval", addresses(n),
                   f"ip saddr @s udp dport {PORT} drop")


def nft_ranges(n):
    low, high = PORT_RANGE
    return nft_set("ipv4_addr . inet_service\nflags interval",
                   [f"{a} . {low}-{high}" for a in addresses(n)], "ip saddr . udp dport @s drop")


# --- the others ---
def iptables(n):
    rules = "".join(f"-A INPUT -s {a}/32 -p udp -m udp --dport {PORT} -j DROP\n"
                    for a in addresses(n))
    return ("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n" + rules +
            "COMMIT\n")


def ipset(n):
    return (f"create bench hash:ip,port maxelem {2 * n + 1024}\n" +
            "".join(f"add bench {a},udp:{PORT}\n" for a in addresses(n)))


def ufw_rules(n):
    """For /etc/ufw/user.rules, as `ufw deny` would write them."""
    return "".join(
        f"\n### tuple ### deny udp {PORT} 0.0.0.0/0 any {a} in\n"
        f"-A ufw-user-input -p udp --dport {PORT} -s {a} -j DROP\n" for a in addresses(n))


def firewalld_zone(n):
    """A zone that accepts what no rich rule drops."""
    rules = "".join(
        f'<rule family="ipv4"><source address="{a}"/><port port="{PORT}" protocol="udp"/>'
        "<drop/></rule>\n" for a in addresses(n))
    return ('<?xml version="1.0" encoding="utf-8"?>\n<zone target="ACCEPT">\n'
            f"<short>bench</short>\n{rules}</zone>\n")
