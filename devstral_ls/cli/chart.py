"""A bar chart for the terminal, one bar a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

WIDTH = 40
"""Characters of the longest bar."""

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def can_show_bars(encoding: str | None) -> bool:
    """True when a terminal of this encoding can show the block characters of the bars."""
    try:
        _EIGHTHS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def bars(values: Sequence[tuple[str, int]], *, ascii_only: bool) -> Iterable[str]:
    """A line for each name and value; the bar of the greatest value is ``WIDTH`` long."""
    greatest = max((n for _, n in values), default=0)
    n_name = max((len(name) for name, _ in values), default=0)
    n_value = len(str(greatest))
    for name, n in values:
        eighths = round(8 * WIDTH * max(n, 0) / greatest) if greatest > 0 else 0
        bar = "#" * round(eighths / 8) if ascii_only else "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
        yield f"{name.ljust(n_name)}  {n:>{n_value}}  {bar}".rstrip()
