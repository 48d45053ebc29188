# SPDX-License-Identifier: GPL-2.0-or-later
"""What the datapath promises, as ratios within one run of bench.py: (text, bound, how to compute
it, and, where the stack decides, what it would be without any filter of ours). A value that the run
cannot give (quick mode, a competitor that is not here) is neither met nor missed. Medians, not
minima: a goal that only the best round meets is not met."""
OFF = ("portward-guard-off", "portward", "portward-direct")
ON = ("portward-guard-on",)
DIRECT = ("portward-direct",)
SETS = ("nft-hash", "nft-concat")
NO_MORE, AT_LEAST = "<=", ">="
NOISE_NS = 1  # an added cost below it cannot be told from none


class Run:
    """Looks values up in the rows of one run; None where there is none."""
    def __init__(self, results):
        self.rows, self.changes = results["rows"], results["changes"]

    def find(self, names, n, kind, family, value):
        """The first value that is known, in the order of names."""
        for name in names:
            for row in self.rows:
                if (row["backend"], row["n"], row["set"], row["family"]) == \
                        (name, n, kind, family) and "wrong" not in row:
                    known = value(row)
                    if known is not None:
                        return known
        return None

    def ns(self, names, n, packet, kind="one", family=4, way="inject"):
        return self.find(names, n, kind, family,
                         lambda row: row.get(way, {}).get(packet, {}).get("median_ns"))

    def tax(self, names, n, way):
        """Legitimate packets, against those of a namespace without filters just before."""
        return self.find(names, n, "one", 4, lambda row: ratio(
            row.get(way, {}).get("legit", {}).get("median_ns"),
            row["baseline"].get(way, {}).get("median_ns")))

    def none_ns(self, names, n, kind="one"):
        """No filter at all, measured just before this row."""
        return self.find(names, n, kind, 4,
                         lambda row: row["baseline"].get("inject", {}).get("median_ns"))

    def added(self, names, n, kind="one"):
        """What the filters add to a legitimate packet, over no filter at all just before."""
        own, none = self.ns(names, n, "legit", kind), self.none_ns(names, n, kind)
        return None if own is None or none is None else max(own - none, NOISE_NS)

    def load(self, names, n, key, kind="one"):
        return self.find(names, n, kind, 4, lambda row: row.get("load", {}).get(key))

    def change(self, n, key):
        return next((c.get(key) for c in self.changes if c["n"] == n), None)

    def sizes(self, limit):
        return sorted({row["n"] for row in self.rows if row["n"] <= limit})


def ratio(a, b):
    return a / b if a is not None and b else None


def largest(values):
    known = [v for v in values if v is not None]
    return max(known) if known else None


def smallest(values):
    known = list(values)
    return None if not known or None in known else min(known)


def peer(name, n, packet, kind="one", names=OFF):
    return lambda run: ratio(run.ns((name,), n, packet, kind), run.ns(names, n, packet, kind))


def without(names, n, kind="one"):
    """The same with no filter at all in the place of ours: no filter of ours can reach more."""
    return lambda run: ratio(smallest(run.ns((name,), n, "legit", kind) for name in names),
                             run.none_ns(OFF, n, kind))


def added(name, n, kind="one"):
    return lambda run: ratio(run.added((name,), n, kind), run.added(OFF, n, kind))


def grows(packet, n, way):
    return lambda run: ratio(run.ns(OFF, n, packet, way=way), run.ns(OFF, 10, packet, way=way))


def tax(names, way):
    return lambda run: largest(run.tax(names, n, way) for n in run.sizes(100000))


def legit_against(names, n):
    """The quickest of nft's sets, against ours."""
    return lambda run: ratio(smallest(run.ns((s,), n, "legit") for s in SETS),
                             run.ns(names, n, "legit"))


def worst(*functions):
    return lambda run: smallest([f(run) for f in functions])


def spread(run):
    fixed = run.ns(OFF, 10000, "fixed")
    return largest((ratio(run.ns(OFF, 10000, "hit"), fixed),
                    ratio(run.ns(OFF, 10000, "flood-random", "everyone"),
                          run.ns(OFF, 10000, "flood-fixed", "everyone"))))


def six(run):
    return largest(ratio(run.ns(OFF, n, packet, family=6), run.ns(OFF, n, packet))
                   for n in run.sizes(100000) for packet in ("legit", "hit"))


def attack(run):
    random = run.ns(OFF, 100000, "hit", "mixed56")
    return largest(ratio(run.ns(OFF, 100000, packet, "mixed56"), random)
                   for packet in ("miss", "near"))


def quicker_than_sets(key):
    def compute(run):
        peers = smallest(run.load((s,), 100000, "apply_ms") for s in SETS)
        return ratio(peers, run.load(DIRECT, 100000, key))
    return compute


def bytes_each(run):
    return ratio(run.load(("portward-direct",), 100000, "image_bytes"), 100000)


AGENT = ("portward-guard-off", "portward")
GOALS = (
    ("drop over veth, 100,000 against 10 filters", NO_MORE, 1.3, grows("hit", 100000, "veth")),
    ("legit over veth, 100,000 against 10 filters", NO_MORE, 1.15, grows("legit", 100000, "veth")),
    ("drop in the stack, 10,000 against 10", NO_MORE, 1.15, grows("hit", 10000, "inject")),
    ("drop in the stack, 100,000 against 10", NO_MORE, 1.6, grows("hit", 100000, "inject")),
    ("legit in the stack against no filter, up to 100,000, guard off", NO_MORE, 1.2,
     tax(OFF, "inject")),
    ("legit in the stack against no filter, up to 100,000, guard on", NO_MORE, 1.25,
     tax(ON, "inject")),
    ("legit over veth against no filter, up to 100,000, guard off", NO_MORE, 1.1, tax(OFF, "veth")),
    ("XDP that drops all against ours, drop over veth, 10", AT_LEAST, 0.95,
     lambda run: ratio(run.ns(("xdp-drop",), 10, "hit", way="veth"),
                       run.ns(OFF, 10, "hit", way="veth"))),
    ("nft chain against ours, added to legit, 1,000", AT_LEAST, 30, added("nft-linear", 1000)),
    ("nft chain against ours, added to legit, 10,000", AT_LEAST, 300, added("nft-linear", 10000)),
    ("nft chain against ours, added to legit, 100,000", AT_LEAST, 3000,
     added("nft-linear", 100000)),
    ("nft chain against ours, legit in all, 1,000", AT_LEAST, 30,
     peer("nft-linear", 1000, "legit"), without(("nft-linear",), 1000)),
    ("nft chain against ours, legit in all, 10,000", AT_LEAST, 300,
     peer("nft-linear", 10000, "legit"), without(("nft-linear",), 10000)),
    ("nft chain against ours, legit in all, 100,000", AT_LEAST, 3000,
     peer("nft-linear", 100000, "legit"), without(("nft-linear",), 100000)),
    ("nft concatenated set against ours, drop, 1,000", AT_LEAST, 1.4,
     peer("nft-concat", 1000, "hit")),
    ("nft concatenated set against ours, drop, 100,000", AT_LEAST, 1.5,
     peer("nft-concat", 100000, "hit")),
    ("best nft set against ours, legit, 1,000 and 100,000, guard off", AT_LEAST, 1.0,
     worst(legit_against(OFF, 1000), legit_against(OFF, 100000)),
     worst(without(SETS, 1000), without(SETS, 100000))),
    ("best nft set against ours, legit, 1,000 and 100,000, guard on", AT_LEAST, 1 / 1.05,
     worst(legit_against(ON, 1000), legit_against(ON, 100000)),
     worst(without(SETS, 1000), without(SETS, 100000))),
    ("nft concatenated ranges against ours, added to legit, 100,000", AT_LEAST, 5,
     added("nft-ranges", 100000, "range")),
    ("nft concatenated ranges against ours, drop in all, 100,000", AT_LEAST, 5,
     peer("nft-ranges", 100000, "hit", "range")),
    ("nft concatenated ranges against ours, legit in all, 100,000", AT_LEAST, 5,
     peer("nft-ranges", 100000, "legit", "range"), without(("nft-ranges",), 100000, "range")),
    ("16 mask shapes against one, drop, 100,000", NO_MORE, 2,
     lambda run: ratio(run.ns(OFF, 100000, "hit", "mixed16"), run.ns(OFF, 100000, "hit"))),
    ("random-source against fixed-source flood, 10,000", NO_MORE, 1.5, spread),
    ("chosen sources against random hits, 56 shapes, 100,000", NO_MORE, 4, attack),
    ("IPv6 against IPv4, drop and legit, up to 100,000", NO_MORE, 1.6, six),
    ("milliseconds from text to packets, 100,000, one process", NO_MORE, 300,
     lambda run: run.load(DIRECT, 100000, "apply_ms")),
    ("milliseconds from text to packets, 100,000, two commands, agent and database", NO_MORE, 300,
     lambda run: run.load(AGENT, 100000, "apply_ms")),
    ("milliseconds from text to packets, 1,000,000, one process", NO_MORE, 4000,
     lambda run: run.load(DIRECT, 1000000, "apply_ms")),
    ("nft sets against ours, load of 100,000 from text", AT_LEAST, 15,
     quicker_than_sets("apply_ms")),
    ("nft sets against ours, load of 100,000, compiled from memory and put in force", AT_LEAST, 15,
     quicker_than_sets("enforce_ms")),
    ("milliseconds for one filter in place, 100,000", NO_MORE, 0.01,
     lambda run: run.change(100000, "in_place_ms")),
    ("milliseconds for one filter by generation, 100,000", NO_MORE, 50,
     lambda run: run.change(100000, "generation_ms")),
    ("bytes of the kernel for one filter, 100,000, counters apart", NO_MORE, 100, bytes_each),
)


def judge(results):
    """A list of {"text", "op", "bound", "value", "without", "met"}; met is None where nothing is
    known."""
    run = Run(results)
    judged = []
    for text, op, bound, compute, *limit in GOALS:
        value = compute(run)
        most = limit[0](run) if limit else None
        met = None if value is None else value <= bound if op == NO_MORE else value >= bound
        judged.append({"text": text, "op": op, "bound": round(bound, 3),
                       "value": None if value is None else round(value, 4),
                       "without": None if most is None else round(most, 4), "met": met})
    return judged
