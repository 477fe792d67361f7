"""``devstral-ls stats``: how many suggestions were shown and accepted, as a table with a chart, or as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence

from devstral_ls.cli import DONE, NOTHING, InputError
from devstral_ls.cli.chart import bars, can_show_bars
from devstral_ls.platform.paths import Directories, directories
from devstral_ls.settings.sources import read_user_file
from devstral_ls.statistics import counters as names
from devstral_ls.statistics.counters import Counts, kept, looked_at
from devstral_ls.statistics.report import Report, Row, report

CHART_DAYS = 30
"""The last days in the chart."""

MAX_REASONS = 10
"""Rows of the table of reasons."""

_OFF = "Statistics are off (privacy.statistics = false): nothing is recorded."
_NONE = "Nothing was recorded yet. The language server records the suggestions it shows every 15 seconds."

_HEADS = (
    "language", "model", "shown", "accepted", "", "chars", "kept 30 s", "5 min",
    "model p50", "p90 ms", "cache p50", "p90 ms", "cached",
)  # fmt: skip

_NOTES = (
    "accepted: also as a share of those shown. kept: accepted suggestions that were mostly unchanged when checked later.",
    "model, cache: latency of suggestions that asked the model or came from the cache. cached: the share of the latter.",
)


def run(options: argparse.Namespace) -> int:
    """Print the statistics, or delete them."""
    folders = directories()
    if options.clear:
        print("The statistics are deleted." if _clear(folders) else "There were no statistics.")
        return DONE
    settings, _ = read_user_file(folders.config_file)
    enabled = settings.privacy.statistics
    stats = report(_read(folders), options.days)
    if options.json:
        print(json.dumps({"enabled": enabled} | stats.as_json()))
        return DONE if stats.rows else NOTHING
    if not enabled:
        print(_OFF)
    if not stats.rows:
        print(_NONE if enabled else "", end="\n" if enabled else "")
        return NOTHING
    print("\n".join(_page(stats, ascii_only=not can_show_bars(sys.stdout.encoding))))
    return DONE


def _clear(folders: Directories) -> bool:
    """Delete the statistics; True when there were any.

    Raises:
        InputError: the file cannot be deleted.
    """
    from devstral_ls.statistics.store import StatisticsError, Store

    try:
        return Store(folders.data).clear()
    except StatisticsError as error:
        raise InputError(error.message, hint=error.hint) from error


def _read(folders: Directories) -> Counts:
    """The statistics.

    Raises:
        InputError: the file cannot be read, or this Python has no SQLite.
    """
    try:
        from devstral_ls.statistics.store import StatisticsError, Store
    except ImportError as error:
        raise InputError(f"this Python has no {error.name}", hint="Statistics need SQLite.") from error
    try:
        return Store(folders.data).read()
    except StatisticsError as error:
        raise InputError(error.message, hint="`devstral-ls stats --clear` deletes them.") from error


def _page(stats: Report, *, ascii_only: bool) -> Iterable[str]:
    days = list(stats.days)
    yield f"{days[0]} to {days[-1]}, {len(days)} day{'s' if len(days) != 1 else ''}"
    yield ""
    rows = [[language, model, *_cells(row)] for (language, model), row in stats.rows.items()]
    if len(rows) > 1:
        rows.append(["all", "", *_cells(stats.total)])
    yield from _table_lines([list(_HEADS), *rows])
    yield ""
    yield from _NOTES
    more = stats.total.n
    yield (
        f"Also: {more[names.READ]} read, {more[names.PARTLY]} accepted in part, {more[names.TYPED]} typed to the end, "
        f"{more[names.REJECTED]} dismissed."
    )
    yield from _reasons(stats.total.reasons)
    chars = [(day, row.n[names.ACCEPTED_CHARS]) for day, row in stats.days.items()][-CHART_DAYS:]
    if any(n for _, n in chars):
        yield ""
        yield "Characters accepted, by day"
        yield from bars(chars, ascii_only=ascii_only)


def _cells(row: Row) -> list[str]:
    n = row.n
    return [
        str(n[names.SHOWN]),
        str(n[names.ACCEPTED]),
        _percent(row.share(names.ACCEPTED, names.SHOWN)),
        str(n[names.ACCEPTED_CHARS]),
        *(_percent(row.share(kept(seconds), looked_at(seconds))) for seconds in (30, 300)),
        *(_ms(row.latency_ms(kind, share)) for kind in (names.MODEL, names.MEMORY) for share in (0.5, 0.9)),
        _percent(row.from_memory),
    ]


def _reasons(reasons: dict[str, int]) -> Iterable[str]:
    if not reasons:
        return
    total = sum(reasons.values())
    yield ""
    yield f"Why {total} requests got no suggestion"
    most = list(reasons.items())[:MAX_REASONS]
    yield from _table_lines([[reason, "", str(n), _percent(n / total)] for reason, n in most])
    if len(reasons) > MAX_REASONS:
        yield f"and {len(reasons) - MAX_REASONS} other reasons"


def _table_lines(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """The rows as lines, columns aligned: the first two to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.ljust(width) if n < 2 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
            if width
        )
        yield "  ".join(cells).rstrip()


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _ms(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.0f}"
