"""Bars with whiskers and lines over time as SVG, drawn by hand: a picture needs no library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LABEL, PLOT, NUMBER, BAR, GAP, TOP = 190, 380, 130, 16, 8, 30
"""Pixels: widths of the label, of the plot and of the number; height of a bar, space between two, space for a title."""

COLOURS = {"ours": "#2563a8", "llama.vim": "#b0562c", "raw": "#8a8f98"}
OTHER = "#7aa6d6"


@dataclass(frozen=True, slots=True)
class Bar:
    """One value, with its interval if it has one."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    said: str = ""
    """The value as text."""


def bars(title: str, found: Sequence[Bar], most: float | None = None) -> str:
    """A horizontal bar chart from 0 to ``most``, by default the largest value."""
    top = most or max((max(bar.value, bar.high or 0.0) for bar in found), default=1.0) or 1.0
    height = TOP + len(found) * (BAR + GAP) + GAP
    width = LABEL + PLOT + NUMBER
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title)}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="8" y="19" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]
    for n, bar in enumerate(found):
        drawn += _drawn(bar, TOP + n * (BAR + GAP), top)
    return "\n".join([*drawn, "</svg>"])


def _drawn(bar: Bar, y: int, top: float) -> list[str]:
    def x(value: float) -> float:
        return LABEL + PLOT * min(max(value / top, 0.0), 1.0)

    middle = y + BAR / 2
    colour = COLOURS.get(bar.label, OTHER)
    lines = [
        f'<text x="{LABEL - 8}" y="{middle + 4:.0f}" text-anchor="end">{escape(bar.label)}</text>',
        f'<rect x="{LABEL}" y="{y}" width="{x(bar.value) - LABEL:.1f}" height="{BAR}" fill="{colour}"/>',
        f'<text x="{LABEL + PLOT + 8}" y="{middle + 4:.0f}">{escape(bar.said or f"{bar.value:g}")}</text>',
    ]
    if bar.low is not None and bar.high is not None:
        lines.append(
            f'<path d="M{x(bar.low):.1f} {middle}H{x(bar.high):.1f}M{x(bar.low):.1f} {y + 4}v{BAR - 8}'
            f'M{x(bar.high):.1f} {y + 4}v{BAR - 8}" stroke="#222" fill="none"/>'
        )
    return lines


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot."""

    label: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


PALETTE = ("#2563a8", "#b0562c", "#3c8d5a", "#8a8f98", "#7b4fa3")
WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM = 700, 300, 55, 150, 40
"""Pixels of a plot: the whole, and the margins for numbers and labels."""


def lines(title: str, found: Sequence[Line], unit: str) -> str:
    """Lines from 0 on both axes; ``unit`` is the unit of the horizontal one."""
    right = max((x for line in found for x, _ in line.points), default=1.0) or 1.0
    top = nice(max((y for line in found for _, y in line.points), default=1.0))

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + (WIDTH - LEFT - RIGHT) * x / right, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / top

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{escape(title)}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="8" y="19" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]
    for n in range(5):
        x, y = place(right * n / 4, top * n / 4)
        drawn += [
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>',
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{top * n / 4:g}</text>',
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{right * n / 4:.3g}</text>',
        ]
    drawn.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{escape(unit)}</text>')
    for n, line in enumerate(found):
        drawn += _drawn_line(line, [place(x, y) for x, y in line.points], n)
    return "\n".join([*drawn, "</svg>"])


def _drawn_line(line: Line, points: Sequence[tuple[float, float]], n: int) -> list[str]:
    colour = PALETTE[n % len(PALETTE)]
    dash = ' stroke-dasharray="6 4"' if line.dashed else ""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    y = TOP + 14 + 18 * n
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dash}/>',
        f'<path d="M{WIDTH - RIGHT + 10} {y - 4}h18" stroke="{colour}" stroke-width="2"{dash}/>',
        f'<text x="{WIDTH - RIGHT + 33}" y="{y}">{escape(line.label)}</text>',
    ]


def nice(most: float) -> float:
    """The next of 1, 2, 4, 6, 8 and 10 times a power of ten from ``most`` on: its quarters can be read."""
    power = 10.0 ** math.floor(math.log10(most)) if most > 0 else 1.0
    return next(step * power for step in (1, 2, 4, 6, 8, 10, 20) if step * power >= most)
