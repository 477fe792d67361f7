"""Figures, verdict (flat or not) and plot of the samples of ``benchmarks.soak``."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.charts import Line, lines
from benchmarks.results import header_lines

Rows = Sequence[Mapping[str, Any]]

N_FILES = 12
WARM_SHARE = (0.25, 0.5)
"""The judged part begins when ``N_FILES`` files were typed (each of the replays once), between the first and the second
share of the run: before that, imports, grammars of new languages, slots and caches are still being filled."""

WINDOW_SHARE = 1 / 12
"""Share of the run: the first such part after warming up is compared with the last one."""

SERVER_MB = 250.0
"""The most resident memory of a server, at any moment."""

GROWTH = {"server": 0.10, "index": 0.10, "engine": 0.05}
"""The greatest growth of resident memory at the end, as a share."""

N_MORE = 2
"""The greatest growth of handles and threads: a connection may stay open for a while."""

N_WAITING = 8
"""The most requests in the engine at any sample."""


_MIDDLES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "rss_mb": statistics.median, "anon_mb": statistics.median, "handles": min, "threads": min,
}  # fmt: skip
"""How a part of the run is summarised. A request has handles of its own, so that their median depends on how many samples
met one; a leaked handle is in every sample, so the least counts."""


def figures(rows: Rows) -> dict[str, Any]:
    """The figures of the samples, and the broken limits in words."""
    end = rows[-1]["t"]
    typed = next((row["t"] for row in rows if row["did"].get("closed", 0) >= N_FILES), end)
    warm = min(max(typed, WARM_SHARE[0] * end), WARM_SHARE[1] * end)
    first = [row for row in rows if warm <= row["t"] <= warm + WINDOW_SHARE * end]
    last = [row for row in rows if row["t"] >= end - WINDOW_SHARE * end]
    result = {
        "seconds": end,
        "warm_s": warm,
        "samples": len(rows),
        "processes": {name: _process(name, rows, first, last) for name in GROWTH},
        "engine": _engine(rows),
        "unanswered": {"most": max(row["unanswered"] for row in rows), "last": rows[-1]["unanswered"]},
        "disk_mb": [rows[0]["disk_mb"], rows[-1]["disk_mb"]],
        "did": dict(rows[-1]["did"]),
        "memory": {name: _thinned([(row["t"], row["processes"][name]["rss_mb"]) for row in rows]) for name in GROWTH},
    }
    return {**result, "broken": list(broken(result))}


def _process(name: str, rows: Rows, first: Rows, last: Rows) -> dict[str, Any]:
    def of(some: Rows, what: str) -> list[float]:
        return [row["processes"][name][what] for row in some]

    found: dict[str, Any] = {
        what: {"first": middle(of(first, what)), "last": middle(of(last, what)), "most": max(of(rows, what))}
        for what, middle in _MIDDLES.items()
    }
    found["growth"] = found["rss_mb"]["last"] / found["rss_mb"]["first"] - 1
    found["cpu"] = of(rows, "cpu_s")[-1] / rows[-1]["t"]
    found["pids"] = len({row["pids"][name] for row in rows})
    return found


def _engine(rows: Rows) -> dict[str, Any]:
    waiting = [row["engine"]["waiting"] for row in rows if row["engine"]["waiting"] is not None]
    return {
        "waiting_most": max(waiting, default=None),
        "asked": len(waiting),
        "clients_most": max((row["engine"]["clients"] or 0 for row in rows), default=0),
    }


def broken(result: Mapping[str, Any]) -> list[str]:
    """The broken limits, a sentence each."""
    found = []
    for name, one in result["processes"].items():
        if one["pids"] != 1:
            found.append(f"the {name} was started {one['pids']} times")
        if one["growth"] > GROWTH[name]:
            found.append(f"the {name}'s memory has grown by {one['growth']:.1%}")
        found += [
            f"the {name} has {one[what]['last'] - one[what]['first']:g} more {what}"
            for what in ("handles", "threads")
            if one[what]["last"] - one[what]["first"] > N_MORE
        ]
    if (most := result["processes"]["server"]["rss_mb"]["most"]) > SERVER_MB:
        found.append(f"the server had {most:.0f} MB")
    if (result["engine"]["waiting_most"] or 0) > N_WAITING:
        found.append(f"{result['engine']['waiting_most']} requests lay in the engine")
    if not result["did"].get("shown"):
        found.append("nothing was ever shown: nothing was tried")
    return found


def _thinned(points: Sequence[tuple[float, float]], n: int = 240) -> list[tuple[float, float]]:
    """At most ``n`` points, the highest of each stretch of time, so that no peak is lost."""
    step = -(-len(points) // n)
    parts = (points[at : at + step] for at in range(0, len(points), step))
    return [(round(part[0][0]), round(max(y for _, y in part), 1)) for part in parts]


def table(result: Mapping[str, Any]) -> list[str]:
    """The figures as text."""
    did = ", ".join(f"{name} {n}" for name, n in sorted(result["did"].items(), key=lambda one: -one[1]))
    engine, unanswered = result["engine"], result["unanswered"]
    return [
        *header_lines(result["header"]),
        "",
        f"{result['seconds'] / 3600:.2f} h, {result['samples']} samples, judged from {result['warm_s'] / 60:.0f} min on",
        f"{'':10}" + "".join(f"{title:>12}" for title, _ in _COLUMNS),
        *(
            f"{name:10}" + "".join(f"{say(one):>12}" for _, say in _COLUMNS)
            for name, one in result["processes"].items()
        ),
        f"engine: {engine['clients_most']} clients and {engine['waiting_most']} requests waiting at most",
        f"requests without an answer: {unanswered['most']} at most, {unanswered['last']} at the end",
        f"files of the run: {result['disk_mb'][0]:.2f} MB at the beginning, {result['disk_mb'][1]:.2f} MB at the end",
        f"done: {did}",
        *(f"BROKEN: {one}" for one in result["broken"]),
        "verdict: " + ("not flat" if result["broken"] else "flat"),
    ]


def _from_to(what: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda one: f"{one[what]['first']:g} -> {one[what]['last']:g}"


_COLUMNS: tuple[tuple[str, Callable[[Mapping[str, Any]], str]], ...] = (
    ("MB, first", lambda one: f"{one['rss_mb']['first']:.1f}"),
    ("last", lambda one: f"{one['rss_mb']['last']:.1f}"),
    ("most", lambda one: f"{one['rss_mb']['most']:.1f}"),
    ("growth", lambda one: f"{one['growth']:+.1%}"),
    ("own, first", lambda one: f"{one['anon_mb']['first']:.1f}"),
    ("own, last", lambda one: f"{one['anon_mb']['last']:.1f}"),
    ("handles", _from_to("handles")),
    ("threads", _from_to("threads")),
    ("CPU", lambda one: f"{one['cpu']:.0%}"),
)


def charts(result: Mapping[str, Any]) -> dict[str, str]:
    """Memory over time."""
    shown = [Line(name, [(t / 60, mb) for t, mb in points]) for name, points in result["memory"].items()]
    limit = Line("limit of the server", [(0, SERVER_MB), (result["seconds"] / 60, SERVER_MB)], dashed=True)
    title = f"resident memory in MB, over {result['seconds'] / 60:.0f} minutes of typing"
    return {"memory": lines(title, [*shown, limit], "minutes")}
