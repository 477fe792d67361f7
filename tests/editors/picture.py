"""Pictures of terminals for README: what a screen showed, as SVG. Tests make them; `editors/*/media` has copies."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

CELL, LINE = 8.4, 19
"""Pixels of a cell at the font size that is set below; of a line."""

EDGE = 12

_STYLE = (
    "text{font:14px ui-monospace,Menlo,Consolas,monospace;fill:#1f2328;white-space:pre}"
    ".ghost{fill:#8c959f;font-style:italic}"
)


def svg(rows: Sequence[str], ghost: str, *, n_columns: int) -> str:
    """A terminal with ``rows``, where the first line of ``ghost`` is grey as it was there."""
    width, height = round(n_columns * CELL) + 2 * EDGE, len(rows) * LINE + 2 * EDGE
    first = ghost.split("\n")[0]
    at = next(n for n, row in enumerate(rows) if first in row)
    lines = []
    for n, row in enumerate(rows):
        if n == at:
            before, after = row.split(first, 1)
            text = f'{escape(before)}<tspan class="ghost">{escape(first)}</tspan>{escape(after)}'
        else:
            text = escape(row)
        lines.append(f'<text x="{EDGE}" y="{EDGE + (n + 1) * LINE - 5}" xml:space="preserve">{text}</text>')
    frame = f'<rect width="{width}" height="{height}" rx="6" fill="#f6f8fa" stroke="#d1d9e0"/>'
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', f"<style>{_STYLE}</style>", frame, *lines, "</svg>", ""]
    )
