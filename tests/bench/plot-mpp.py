#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Draws what bench-mpp.py recorded: TCP memory, answered requests and killed connections over time,
unprotected and protected. Usage: plot-mpp.py RESULTS.JSON PICTURE.svg"""
import json
import pathlib
import sys

LEFT, TOP, WIDTH, HEIGHT, GAP = 70, 50, 640, 130, 46
COLORS = {"unprotected": "#c0392b", "protected": "#1f6fb2"}


class Panel:
    """One diagram: x in seconds, y from 0 to `top`."""

    def __init__(self, number, title, seconds, top):
        self.y0 = TOP + number * (HEIGHT + GAP) + HEIGHT
        self.seconds, self.top = seconds, top
        self.out = [f'<text x="{LEFT}" y="{self.y0 - HEIGHT - 10}" font-weight="bold">{title}'
                    '</text>',
                    f'<rect x="{LEFT}" y="{self.y0 - HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
                    'fill="none" stroke="#999999"/>']
        for k in range(3):
            value = top * k / 2
            text = f"{value:.0f}" if top >= 4 else f"{value:.1f}"
            self.out.append(f'<text x="{LEFT - 8}" y="{self.y(value) + 4:.1f}" '
                            f'text-anchor="end">{text}</text>')

    def x(self, t):
        return LEFT + WIDTH * min(t, self.seconds) / self.seconds

    def y(self, value):
        return self.y0 - HEIGHT * min(value, self.top) / self.top

    def line(self, points, color):
        path = " ".join(f"{self.x(t):.1f},{self.y(v):.1f}" for t, v in points)
        self.out.append(f'<polyline points="{path}" fill="none" stroke="{color}" '
                        'stroke-width="1.8"/>')

    def level(self, value, text):
        self.out.append(f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{self.y(value):.1f}" '
                        f'y2="{self.y(value):.1f}" stroke="#555555" stroke-dasharray="5,4"/>')
        self.out.append(f'<text x="{LEFT + WIDTH + 6}" y="{self.y(value) + 4:.1f}">{text}</text>')

    def moment(self, t, text):
        self.out.append(f'<line x1="{self.x(t):.1f}" x2="{self.x(t):.1f}" y1="{self.y0 - HEIGHT}" '
                        f'y2="{self.y0}" stroke="#777777" stroke-dasharray="2,3"/>')
        if text:
            self.out.append(f'<text x="{self.x(t) + 4:.1f}" y="{self.y0 - HEIGHT + 14}">{text}'
                            '</text>')


def thinned(points, most=400):
    """Of each stretch the highest, so that no peak is lost."""
    step = max(1, len(points) // most)
    return [max(points[i:i + step], key=lambda p: p[1]) for i in range(0, len(points), step)]


def steps(kills, seconds):
    """Killed connections, summed up."""
    points, total = [(0, 0)], 0
    for t, n in kills:
        points.append((t, total))
        total += n
        points.append((t, total))
    return points + [(seconds, total)], total


def draw(results):
    runs, mib = results["runs"], results["page_bytes"] / 1048576
    seconds = min(len(r["clients"]) for r in runs.values())
    attack = runs["protected"]["attack_s"]
    most = max(p for r in runs.values() for _, p in r["memory"]) * mib
    kills, total = steps(runs["protected"]["kills"], seconds)
    panels = [Panel(0, "TCP memory of the host, MiB", seconds, most * 1.05),
              Panel(1, "requests of legitimate clients that were answered, %", seconds, 100),
              Panel(2, "connections killed (protected run)", seconds, max(total, 1) * 1.05)]
    panels[0].level(results["hi"] * mib, "acts above")
    for name, run in runs.items():
        panels[0].line(thinned([(t, p * mib) for t, p in run["memory"] if t <= seconds]),
                       COLORS[name])
        panels[1].line([(i + 0.5, 100 * ok / tried)
                        for i, (tried, ok) in enumerate(run["clients"][:seconds]) if tried],
                       COLORS[name])
    panels[2].line(kills, COLORS["protected"])
    for i, panel in enumerate(panels):
        panel.moment(attack, "attack begins" if i == 0 else "")
    height = TOP + 3 * (HEIGHT + GAP) + 20
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 110}" '
           f'height="{height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{LEFT + WIDTH + 110}" height="{height}" fill="#ffffff"/>']
    for i, name in enumerate(runs):
        x = LEFT + 420 + 120 * i
        out.append(f'<line x1="{x}" y1="20" x2="{x + 24}" y2="20" stroke="{COLORS[name]}" '
                   f'stroke-width="3"/><text x="{x + 30}" y="24">{name}</text>')
    for panel in panels:
        out += panel.out
    for t in range(0, seconds + 1, 2):
        out.append(f'<text x="{panels[2].x(t):.1f}" y="{panels[2].y0 + 18}" text-anchor="middle">'
                   f'{t}</text>')
    out.append(f'<text x="{LEFT + WIDTH}" y="{panels[2].y0 + 36}" text-anchor="end">seconds'
               '</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


def main():
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    results = json.loads(pathlib.Path(sys.argv[1]).read_text())
    pathlib.Path(sys.argv[2]).write_text(draw(results))
    return 0


sys.exit(main())
