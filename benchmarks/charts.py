"""Bars with whiskers as SVG, drawn by hand: a picture needs no library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LABEL, PLOT, NUMBER, BAR, GAP, TOP = 190, 380, 130, 16, 8, 30
"""Pixels: widths of the label, of the plot and of the number; height of a bar, space between two, space for a title."""

COLOURS = {"ours": "#2563a8", "rival": "#b0562c", "raw": "#8a8f98"}
OTHER = "#7aa6d6"


@dataclass(frozen=True, slots=True)
class Bar:
    """One value, with the ends of its interval where it has one."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    said: str = ""
    """The value for people."""


def bars(title: str, found: Sequence[Bar], most: float | None = None) -> str:
    """A horizontal bar chart from 0 to ``most``; to the largest value where that is ``None``."""
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
