"""Ablation of the server's parts, and other models with the same server: one table, one run for each model.

    python -m benchmarks.compare --limit 40
    python -m benchmarks.compare --models starter,tiny --arms ours

Holes (and, with ``--replay``, typed files) as in ``benchmarks.holes``, with an arm for each part that can be switched
off and each layout of the model. Answers are shared with ``holes``: none is asked for twice.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks import holes, items, replay
from benchmarks.results import header_lines, write
from benchmarks.rig import Arm, Bench
from benchmarks.stats import mcnemar, paired_interval
from benchmarks.variants import ARMS, OFF, SOURCE_ARMS
from devstral_ls.errors import DevstralError
from devstral_ls.testing.interruptible import run_interruptible

PARTS = ("ours", *(f"without {name}" for name in OFF), *SOURCE_ARMS, "shipped", "layout fim-psm", "layout chat-prefill",
         "layout left-to-right")  # fmt: skip
BASELINES = ("raw", "raw, cut", "llama.vim")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "one line": ("line",), "several lines, span": ("lines", "span"), "other files": ("cross",),
}  # fmt: skip

SHARES = ("parses", "shown", "quiet")
"""Of the answers: parses as well as before; of the holes: something shows automatically; of the quiet places: nothing."""


def against_ours(result: Mapping[str, Any], arm: str, kinds: Sequence[str]) -> dict[str, Any]:
    """The executed items of ``kinds``: how many ``arm`` gets right, and the difference to ``ours``, in points.

    In workspaces items that are not executed count too: right when the file is as it was.
    """
    verdict = "right" if "cross" in kinds else "passed"
    found = {s["id"]: s[verdict] for s in result["items"].get(arm, []) if s["kind"] in kinds and s[verdict] is not None}
    ours = {s["id"]: s[verdict] for s in result["items"].get("ours", []) if s["id"] in found}
    more = sum(found[name] and not ours[name] for name in ours)
    less = sum(ours[name] and not found[name] for name in ours)
    low, high = paired_interval(more, less, len(ours))
    return {
        "n": len(found), "hits": sum(found.values()), "points": 100 * (more - less) / len(ours) if ours else None,
        "low": 100 * low, "high": 100 * high, "p": mcnemar(more, less),
    }  # fmt: skip


def rows(result: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, dict[str, Any]], list[float | None]]]:
    """For each arm: its figures by column, and the shares named in ``SHARES``."""
    for arm in result["items"]:
        columns = {title: against_ours(result, arm, kinds) for title, kinds in COLUMNS.items()}
        given = [s["valid"] for s in result["items"][arm] if s["valid"] is not None]
        quiet = result["quiet"].get(arm)
        shown = [s["shown"] for s in result["items"][arm]]
        shares = [
            sum(given) / len(given) if given else None,
            sum(shown) / len(shown) if shown else None,
            quiet["share"] if quiet else None,
        ]
        yield arm, columns, shares


def markdown(results: Mapping[str, Mapping[str, Any]], command: str) -> list[str]:
    """The table for ``docs/lab/quality.md``."""
    lines = [f"Made by `{command}`; differences are to `ours`, on the same items, with their 95 % intervals.", ""]
    for result in results.values():
        lines += [*(f"{line}  " for line in header_lines(result["header"])), ""]
        titles = ["", *COLUMNS, *SHARES]
        lines += [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
        for arm, columns, shares in rows(result):
            cells = [_cell(arm, found) for found in columns.values()]
            lines.append(f"| {arm} | {' | '.join([*cells, *map(_share, shares)])} |")
        lines.append("")
    return lines


def _cell(arm: str, found: Mapping[str, Any]) -> str:
    if not found["n"]:
        return "-"
    counts = f"{found['hits']}/{found['n']}"
    if arm == "ours" or found["points"] is None:
        return counts
    return f"{counts}, {found['points']:+.0f} ({found['low']:+.0f} to {found['high']:+.0f})"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """All models, one after the other.

    Raises:
        DevstralError: no such model, or no engine.
    """
    names = [name for name in options.arms.split(",") if name]
    arms: list[Arm] = [ARMS[name] for name in dict.fromkeys(["ours", *names])]
    languages = [name for name in options.languages.split(",") if name]
    asked = holes.chosen(options.kinds.split(","), languages, options.limit)
    results = {}
    for model in options.models.split(","):
        bench = Bench(model, options.threads)
        results[model] = await holes.run(bench, arms, asked, f"compare-{model.rpartition('/')[2]}")
        if options.replay:
            files = items.replays()[: options.replay]
            typed = await replay.run(bench, arms, files, options.characters)
            results[model]["replay"] = {name: found["saved"] for name, found in typed["arms"].items()}
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    holes.add_options(parser)
    parser.add_argument("--models", default="starter", help="names or paths, with commas")
    parser.add_argument("--arms", default=",".join(PARTS), help=f"with commas, of: {', '.join(ARMS)}")
    parser.add_argument("--replay", type=int, default=0, metavar="FILES", help="type so many files, too")
    parser.add_argument("--characters", type=int, default=200, help="typed of each file")
    options = parser.parse_args()
    try:
        results = run_interruptible(run(options))
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except DevstralError as error:
        print(f"{error.message}{f' — {error.hint}' if error.hint else ''}", file=sys.stderr)
        return 1
    lines = markdown(results, "python -m benchmarks.compare " + " ".join(sys.argv[1:]))
    for model, result in results.items():
        saved = result.get("replay", {})
        lines += [f"typing with {model}, {name}: {share:.1%} of the characters saved" for name, share in saved.items()]
    write("compare", {"benchmark": "compare", "markdown": lines, "models": list(results)})
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
