# SPDX-License-Identifier: GPL-2.0-or-later
"""One row of bench.py: a ruleset loaded into a fresh station, the same packets as for all others,
and proof that it did its work. A row whose blocked packets arrive, or whose other packets do not,
is no measurement: it is reported as wrong and makes the bench fail, so that a ruleset that does
not filter cannot win."""
import json
import statistics

import rulesets
from backends import Nothing
from lab import BUILD, Failed, kernel_bytes_used

BENCH_CHANGE = BUILD / "tests/bench/bench-change"
BLOCKED = {"hit", "fixed"}
ALL, NONE, MOST = "all", "none", "most"
NOISE_BYTES = 4 << 20
LARGE = 10000


class Wrong(Exception):
    """Packets were delivered that should not be, or the other way round."""


class Plan:
    """How long and how often."""
    def __init__(self, quick):
        self.quick = quick
        self.sizes = (10, 1000) if quick else (10, 1000, 10000, 100000, 1000000)
        self.rounds = 3 if quick else 7
        self.round_ms = 5 if quick else 40
        self.flood_ms = 20 if quick else 150
        self.slow_ns = 20000  # a packet that takes longer is not flooded with
        self.large = 1000 if quick else 100000
        self.six = (1000,) if quick else (10, 1000, 100000)
        self.changes = (1000,) if quick else (10, 100000)

    def loads(self, first_ms):
        """How often a ruleset is loaded, each time into a fresh namespace."""
        return 1 if self.quick or first_ms > 15000 else 3 if first_ms > 2500 else 5


def expect(rounds, wanted, what, exact=True):
    """Every round must have delivered all, none or most of its packets."""
    for r in rounds:
        judged = r["sent"] - r["lost"]
        if wanted == NONE:
            good = r["delivered"] == 0
        else:
            share = 0.9 if wanted == MOST else 1.0 if exact else 0.99
            good = share * judged <= r["delivered"] <= judged
        if judged <= 0 or not good:
            raise Wrong(f"{what}: {r['delivered']} of {judged} packets delivered, not {wanted}")


def summary(rounds):
    ns = [r["ns"] for r in rounds]
    median = statistics.median(ns)
    return {"median_ns": round(median, 1), "min_ns": round(min(ns), 1),
            "pps_per_core": round(1e9 / median), "packets": sum(r["sent"] for r in rounds),
            "lost": sum(r["lost"] for r in rounds), "rounds_ns": ns}


class Measurement:
    def __init__(self, lab, plan):
        self.lab, self.plan = lab, plan
        self.plain = lab.station()

    def packets(self, station, kind, n, wanted, options=(), flood=False):
        rounds = station.inject(kind, n, options, flood, self.plan.rounds,
                                self.plan.flood_ms if flood else self.plan.round_ms)
        way = "over veth" if flood else "in the stack"
        expect(rounds, wanted, f"{kind} {way}", exact=not flood)
        return summary(rounds)

    def baseline(self, family, flood=False):
        """The same legitimate packets through a station without filters, just now."""
        options = ["--v6"] if family == 6 else []
        return self.packets(self.plain, "legit", 1, ALL, options, flood)

    @staticmethod
    def wanted(backend, kind):
        return NONE if kind in BLOCKED and not isinstance(backend, Nothing) else ALL

    def inject(self, station, backend, n):
        options = ["--v6"] if backend.family == 6 else []
        options += ["--lengths", rulesets.LENGTHS[backend.kind]]
        return {kind: self.packets(station, kind, n, self.wanted(backend, kind), options)
                for kind in backend.kinds}

    def flood(self, station, backend, n, row):
        cost = row.get("inject", {}).get("legit")
        if cost and cost["median_ns"] > self.plan.slow_ns:
            row["notes"].append("too slow to be flooded with")
            return {}
        options = ["--v6"] if backend.family == 6 else []
        row["baseline"]["veth"] = self.baseline(backend.family, flood=True)
        return {kind: self.packets(station, kind, n, self.wanted(backend, kind), options, True)
                for kind in backend.floods}

    def station(self, n):
        station = self.lab.station()
        station.large = n >= LARGE
        return station

    def load(self, station, backend, n, row):
        before = kernel_bytes_used()
        row["load"] = backend.load(station, n)
        used = kernel_bytes_used() - before
        if used > NOISE_BYTES:
            row["load"]["kernel_bytes"] = used

    def load_again(self, backend, n, row):
        """The time for loading is a median too. None for what has nothing to load."""
        first = row["load"].get("apply_ms")
        loads = [row["load"]] if first is not None else []
        while loads and len(loads) < self.plan.loads(first):
            station = self.station(n)
            try:
                loads.append(backend.load(station, n))
            finally:
                station.close()
        for name in ("apply", "enforce"):
            times = [load[f"{name}_ms"] for load in loads if f"{name}_ms" in load]
            if times:
                row["load"] = {**row["load"], f"{name}_ms": round(statistics.median(times), 3),
                               f"{name}_rounds_ms": times}

    def row(self, backend, n, steps=("inject", "flood", "update")):
        """Measures one backend with N filters. Failures of the backend are kept in the row."""
        row = {"backend": backend.name, "label": backend.label, "set": backend.kind,
               "family": backend.family, "n": n, "notes": [], "baseline": {}}
        station = self.station(n)
        try:
            self.load(station, backend, n, row)
            if "inject" in steps:
                row["baseline"]["inject"] = self.baseline(backend.family)
                row["inject"] = self.inject(station, backend, n)
            if "near" in steps:
                row["inject"]["near"] = self.packets(station, "near", n, MOST,
                                                     ["--lengths", rulesets.LENGTHS[backend.kind]])
            if "nobody" in steps:
                row["inject"].update(self.floods_to_nobody(station, n))
            if "flood" in steps:
                row["veth"] = self.flood(station, backend, n, row)
            if "update" in steps:
                row["load"].update(backend.updates(station))
            station.close()
            self.load_again(backend, n, row)
        except Failed as error:
            row["failed"] = str(error)
        except Wrong as error:
            row["wrong"] = str(error)
        finally:
            station.close()
        return row

    def floods_to_nobody(self, station, n):
        """To a port that is blocked for everyone: from one source and from random ones."""
        port = ["--port", rulesets.PORT_FOR_NOBODY]
        return {"flood-fixed": self.packets(station, "legit", n, NONE, [*port, "--sources", 1]),
                "flood-random": self.packets(station, "miss", n, NONE, port)}

    def change(self, n, rounds):
        """One filter more in one process, by bench-change."""
        row = {"n": n}
        station = self.station(n)
        try:
            policy = station.dir / "bench.policy"
            policy.write_text(rulesets.portward(n))
            _, _, printed = station.timed([BENCH_CHANGE, policy, rounds])
            times = json.loads(printed.splitlines()[-1])
            row.update({f"{key}_ms": statistics.median(v) for key, v in times.items()})
        except (Failed, ValueError) as error:
            row["failed"] = str(error)
        finally:
            station.close()
        return row
