# SPDX-License-Identifier: GPL-2.0-or-later
"""The results of bench.py as tables (plain text, or Markdown for docs/performance.md) and as one
SVG picture. Pure: results in, text out."""
import math

FAILED = "-"
COLORS = ("#1b6ca8", "#c0392b", "#27ae60", "#8e44ad", "#d35400", "#16a085", "#7f8c8d", "#b7950b",
          "#2c3e50", "#e84393", "#00838f", "#6d4c41", "#9e9d24", "#000000")
SETS = {"one": "", "range": ", port ranges", "mixed16": ", 16 masks", "mixed56": ", 56 masks",
        "everyone": ", and one for all"}


def count(n):
    return f"{n:,}"


def figure(value, digits=0):
    return FAILED if value is None else f"{value:,.{digits}f}"


def nanoseconds(value):
    return FAILED if value is None else f"{value:,.0f}"


def packet(row, way, kind):
    value = row.get(way, {}).get(kind)
    return value["median_ns"] if value else None


def milliseconds(row, key):
    value = row.get("load", {}).get(key)
    return FAILED if value is None else f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def megabytes(row, *keys):
    for key in keys:
        value = row.get("load", {}).get(key)
        if value:
            return f"{value / 1e6:,.1f}"
    return FAILED


def million_pps(row, kind):
    value = row.get("veth", {}).get(kind)
    return FAILED if value is None else f"{value['pps_per_core'] / 1e6:.2f}"


def name(row):
    return row["label"] + SETS[row["set"]] + (", IPv6" if row["family"] == 6 else "")


def times_none(row):
    """Legitimate packets against no filter, just before."""
    own, base = packet(row, "inject", "legit"), row["baseline"].get("inject")
    return FAILED if own is None or not base else f"{own / base['median_ns']:.2f}"


PACKET_HEAD = ("ruleset", "filters", "legit", "x none", "drop", "miss", "legit Mpps", "drop Mpps")
LOAD_HEAD = ("ruleset", "filters", "apply ms", "one more ms", "kernel MB", "process MB",
             "loader MB")


def packet_rows(results):
    return [(name(r), count(r["n"]), nanoseconds(packet(r, "inject", "legit")), times_none(r),
             nanoseconds(packet(r, "inject", "hit")), nanoseconds(packet(r, "inject", "miss")),
             million_pps(r, "legit"), million_pps(r, "hit"))
            for r in results["rows"] if r.get("inject") or r.get("veth")]


def load_rows(results):
    return [(name(r), count(r["n"]), milliseconds(r, "apply_ms"), milliseconds(r, "update_ms"),
             megabytes(r, "image_bytes", "kernel_bytes"), megabytes(r, "resident_bytes"),
             megabytes(r, "loader_bytes"))
            for r in results["rows"] if r.get("load", {}).get("apply_ms") is not None]


PHASES = ("parse", "store", "build", "compile", "load", "self_test", "flip", "rest")
PHASE_HEAD = ("ruleset", "filters", *(p.replace("_", "-") for p in PHASES))


def phase_rows(results):
    """Of the first load; the table above has the median of all."""
    return [(name(r), count(r["n"]), *(figure(r["load"]["phases_ms"].get(p), 1) for p in PHASES))
            for r in results["rows"] if "phases_ms" in r.get("load", {})]


def special_rows(results):
    rows = []
    for r in results["rows"]:
        for kind, text in (("fixed", "drop, always the same source"),
                           ("near", "chosen sources, delivered"),
                           ("flood-fixed", "port blocked for all, one source"),
                           ("flood-random", "port blocked for all, random sources")):
            value = packet(r, "inject", kind)
            if value is not None:
                rows.append((name(r), count(r["n"]), text, nanoseconds(value)))
    return rows


def goal_rows(results):
    words = {True: "met", False: "MISSED", None: "not measured"}
    return [(g["text"], f"{g['op']} {g['bound']:g}", figure(g["value"], 3), words[g["met"]],
             "" if g["without"] is None else figure(g["without"], 3)) for g in results["goals"]]


def change_rows(results):
    return [(count(c["n"]), figure(c.get("in_place_ms"), 4), figure(c.get("in_place_delete_ms"), 4),
             figure(c.get("generation_ms"), 2)) for c in results["changes"]]


def troubles(results):
    lines = [f"{name(r)}, {count(r['n'])}: WRONG: {r['wrong']}"
             for r in results["rows"] if "wrong" in r]
    lines += [f"{name(r)}, {count(r['n'])}: failed: {r['failed']}"
              for r in results["rows"] if "failed" in r]
    return lines + results["skipped"]


TABLES = (
    ("Nanoseconds of CPU for a packet; million packets per second and core over veth",
     PACKET_HEAD, packet_rows),
    ("Special traffic, nanoseconds of CPU for a packet", ("ruleset", "filters", "traffic", "ns"),
     special_rows),
    ("Loading and memory", LOAD_HEAD, load_rows),
    ("Parts of loading, milliseconds", PHASE_HEAD, phase_rows),
    ("One filter more inside one process, milliseconds",
     ("filters", "in place", "deleted in place", "by generation"), change_rows),
    ("Goals", ("goal", "bound", "measured", "", "with no filter at all"), goal_rows),
)


def plain_table(head, rows):
    widths = [max(len(str(line[i])) for line in [head, *rows]) for i in range(len(head))]
    return "\n".join("  ".join(str(cell).ljust(w) if i == 0 else str(cell).rjust(w)
                               for i, (cell, w) in enumerate(zip(line, widths))).rstrip()
                     for line in [head, *rows])


def plain(results):
    parts = [f"{title}\n{plain_table(head, rows(results))}\n" for title, head, rows in TABLES
             if rows(results)]
    return "\n".join(parts + troubles(results))


def markdown_table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


# --- SVG ---
WIDTH, HEIGHT, LEFT, TOP, GAP, LEGEND = 430, 330, 60, 50, 60, 230


class Panel:
    """One log-log diagram."""
    def __init__(self, title, unit, lines, x0):
        self.title, self.unit, self.x0 = title, unit, x0
        self.lines = {k: v for k, v in lines.items() if v}
        values = [y for points in self.lines.values() for _, y in points]
        sizes = [x for points in self.lines.values() for x, _ in points]
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
        self.first, self.last = math.log10(min(sizes)), max(math.log10(max(sizes)), 1.5)

    def x(self, n):
        return self.x0 + (math.log10(n) - self.first) / (self.last - self.first) * WIDTH

    def y(self, value):
        return TOP + HEIGHT - (math.log10(value) - self.low) / (self.high - self.low) * HEIGHT

    def draw(self, color):
        out = [f'<text x="{self.x0}" y="{TOP - 14}" font-weight="bold">{self.title}, '
               f'{self.unit}</text>']
        for power in range(self.low, self.high + 1):
            y = self.y(10 ** power)
            out.append(f'<line x1="{self.x0}" y1="{y:.1f}" x2="{self.x0 + WIDTH}" y2="{y:.1f}" '
                       'stroke="#dddddd"/>')
            out.append(f'<text x="{self.x0 - 6}" y="{y + 4:.1f}" text-anchor="end">'
                       f'{10.0 ** power:,.{max(0, -power)}f}</text>')
        for power in range(math.ceil(self.first), math.floor(self.last) + 1):
            out.append(f'<text x="{self.x(10 ** power):.1f}" y="{TOP + HEIGHT + 18}" '
                       f'text-anchor="middle">{10 ** power:,}</text>')
        for label, points in self.lines.items():
            path = " ".join(f"{self.x(n):.1f},{self.y(value):.1f}" for n, value in points)
            width = 3 if label.startswith("portward") else 1.5
            out.append(f'<polyline points="{path}" fill="none" stroke="{color[label]}" '
                       f'stroke-width="{width}"/>')
            out.extend(f'<circle cx="{self.x(n):.1f}" cy="{self.y(value):.1f}" r="2.5" '
                       f'fill="{color[label]}"/>' for n, value in points)
        return out


def lines_of(results, value):
    lines = {}
    for row in results["rows"]:
        plain_set = row["set"] == "one" or (row["set"] == "range" and row["backend"] != "portward"
                                            and not row["backend"].startswith("portward-"))
        known = value(row)
        if row["family"] == 4 and plain_set and known and "wrong" not in row:
            lines.setdefault(row["label"], []).append((row["n"], known))
    return {label: sorted(points) for label, points in lines.items()}


def svg(results):
    makers = (("Legitimate packet", "ns", lambda r: packet(r, "inject", "legit")),
              ("Blocked packet", "ns", lambda r: packet(r, "inject", "hit")),
              ("Loading", "ms", lambda r: r.get("load", {}).get("apply_ms")))
    data = [(title, unit, lines_of(results, value)) for title, unit, value in makers]
    data = [d for d in data if d[2]]
    labels = list(dict.fromkeys(label for _, _, lines in data for label in lines))
    color = {label: COLORS[i % len(COLORS)] for i, label in enumerate(labels)}
    total = LEFT + len(data) * (WIDTH + GAP) + LEGEND
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{TOP + HEIGHT + 60}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{total}" height="{TOP + HEIGHT + 60}" fill="#ffffff"/>']
    for i, (title, unit, lines) in enumerate(data):
        out += Panel(title, unit, lines, LEFT + i * (WIDTH + GAP)).draw(color)
    out.append(f'<text x="{LEFT}" y="{TOP + HEIGHT + 44}">number of filters</text>')
    x = LEFT + len(data) * (WIDTH + GAP) - GAP / 2
    for i, label in enumerate(labels):
        y = TOP + 10 + 20 * i
        out.append(f'<line x1="{x}" y1="{y}" x2="{x + 24}" y2="{y}" stroke="{color[label]}" '
                   'stroke-width="3"/>')
        out.append(f'<text x="{x + 30}" y="{y + 4}">{label}</text>')
    return "\n".join(out + ["</svg>"]) + "\n"
