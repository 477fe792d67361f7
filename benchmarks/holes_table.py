"""From answers to figures: each answer's score, each arm's shares with intervals, and paired comparisons of arms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks import execution, score
from benchmarks.cross_file import others
from benchmarks.items import CrossHole, Hole, Quiet
from benchmarks.journal import digest
from benchmarks.llama_vim_baseline import BASELINES
from benchmarks.results import header_lines, number
from benchmarks.stats import mcnemar, mean, paired_interval, percentile, wilson

Row = Mapping[str, Any]
Rows = Sequence[tuple[Hole | Quiet, Mapping[str, Row]]]

PAIRED_WITH = ("raw", "llama.vim")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "line": ("line",), "lines": ("lines",), "span": ("span",), "lines and span": ("lines", "span"),
    "cross": ("cross",),
}  # fmt: skip

_ran: dict[str, execution.Ran] = {}


def scored(hole: Hole, row: Row) -> dict[str, Any]:
    """All figures of one answer. ``right``: the tests pass; without tests, the file is as it was."""
    answer = score.Answer(row["text"], row["n_replaced"])
    text = score.effective(answer, hole.after)
    exact = score.is_exact(hole.before, hole.middle, hole.after, answer)
    passed, why = None, ""
    if hole.test is not None:
        ran = _run(score.document(hole.before, answer, hole.after), hole)
        passed, why = ran.passed, ran.said
    given = bool(answer.text.strip())
    return {
        "id": hole.id, "kind": hole.kind, "language": hole.language,
        "passed": passed, "right": exact if passed is None else passed, "why": why, "exact": exact,
        "es_first": score.edit_similarity(score.first_line(text), score.first_line(hole.middle)),
        "es": score.edit_similarity(text, hole.middle),
        "given": given, "shown": bool(row.get("shown")), "reason": row.get("reason"),
        "valid": score.is_valid(hole.before, hole.after, answer, hole.language) if given else None,
        "repeats": given and score.repeats_suffix(hole.before, text, hole.after),
        "over": score.over_generation(text, hole.middle) if given else None,
        "ms": row["ms"], "text": answer.text, "middle": hole.middle,
    }  # fmt: skip


def _run(program: str, hole: Hole) -> execution.Ran:
    assert hole.test is not None
    files = others(hole) if isinstance(hole, CrossHole) else {}
    key = digest(program, hole.test, files)
    if key not in _ran:
        _ran[key] = execution.run(program, hole.test, files=files)
    return _ran[key]


def summary(rows: Rows) -> dict[str, Any]:
    """Figures of each group and arm, pairs, quiet places, and the most telling items."""
    holes = [(item, found) for item, found in rows if isinstance(item, Hole)]
    quiets = [(item, found) for item, found in rows if isinstance(item, Quiet)]
    arms = list(dict.fromkeys(arm for _, found in holes for arm in found))
    scores = {arm: [scored(item, found[arm]) for item, found in holes if arm in found] for arm in arms}
    groups = {
        group: {arm: _figures([s for s in found if s["kind"] in kinds]) for arm, found in scores.items()}
        for group, kinds in GROUPS.items()
        if any(item.kind in kinds for item, _ in holes)
    }
    ours = [arm for arm in arms if arm not in BASELINES]
    return {
        "groups": groups,
        "pairs": [
            _pair(group, kinds, one, other, scores)
            for group, kinds in GROUPS.items()
            if group in groups
            for one in ours
            for other in [*PAIRED_WITH, *ours[: ours.index(one)]]
        ],
        "quiet": {arm: _quiet(quiets, arm) for arm in dict.fromkeys(arm for _, found in quiets for arm in found)},
        "items": scores,
    }


def _figures(found: Sequence[Row]) -> dict[str, Any]:
    """One arm over one group. A share comes with the ends of its Wilson interval, its hits and its total."""
    executed = [s for s in found if s["passed"] is not None]
    given = [s for s in found if s["given"]]
    return {
        "n": len(found),
        "pass": share(sum(s["passed"] for s in executed), len(executed)),
        "right": share(sum(s["right"] for s in found), len(found)),
        "exact": share(sum(s["exact"] for s in found), len(found)),
        "es_first": mean(s["es_first"] for s in found),
        "es": mean(s["es"] for s in found),
        "given": share(len(given), len(found)),
        "shown": share(sum(s["shown"] for s in found), len(found)),
        "valid": share(sum(s["valid"] for s in given), len(given)),
        "repeats": share(sum(s["repeats"] for s in given), len(given)),
        "over": mean(s["over"] for s in given),
        "cold_ms": {str(p): percentile([s["ms"] for s in found], p / 100) for p in (50, 90)},
    }


def share(n_hits: int, n: int) -> dict[str, Any]:
    """A share with its interval."""
    low, high = wilson(n_hits, n)
    return {"hits": n_hits, "n": n, "share": n_hits / n if n else None, "low": low, "high": high}


def _pair(group: str, kinds: Sequence[str], one: str, other: str, scores: Mapping[str, list[Row]]) -> dict[str, Any]:
    """``one`` against ``other`` on the executed items of a group; in workspaces on all, since few are executed."""
    verdict = "right" if group == "cross" else "passed"
    theirs = {s["id"]: s for s in scores.get(other, [])}
    both = [
        (s, theirs[s["id"]]) for s in scores[one] if s["kind"] in kinds and s[verdict] is not None and s["id"] in theirs
    ]
    gained = [a["id"] for a, b in both if a[verdict] and not b[verdict]]
    lost = [a["id"] for a, b in both if b[verdict] and not a[verdict]]
    low, high = paired_interval(len(gained), len(lost), len(both))
    return {
        "group": group, "one": one, "other": other, "n": len(both), "gained": gained, "lost": lost,
        "points": 100 * (len(gained) - len(lost)) / len(both) if both else None,
        "low": 100 * low, "high": 100 * high, "p": mcnemar(len(gained), len(lost)),
    }  # fmt: skip


def _quiet(quiets: Rows, arm: str) -> dict[str, Any]:
    rows = [(item, found[arm]) for item, found in quiets if arm in found]
    loud = [{"id": item.id, "text": row["text"]} for item, row in rows if row["shown"]]
    return {**share(len(rows) - len(loud), len(rows)), "loud": loud}


def table(result: Mapping[str, Any]) -> list[str]:
    """The result as text."""
    return [*header_lines(result["header"]), *_lines(result)]


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    for group, arms in result["groups"].items():
        yield ""
        yield f"{group:24}    pass@1 (executed)    right  exact  ES 1st  ES all  valid  repeats  over  shown  p50 ms"
        for arm, f in arms.items():
            yield (
                f"  {arm:24} {_interval(f['pass']):20} {_percent(f['right'])}  {_percent(f['exact'])}  "
                f"{number(f['es_first'], 1):>6}  {number(f['es'], 1):>6}  {_percent(f['valid'])}  "
                f"{_percent(f['repeats']):>7}  {number(f['over'], 1):>4}  {_percent(f['shown'])}  "
                f"{number(f['cold_ms']['50']):>6}"
            )
    yield ""
    for pair in result["pairs"]:
        if pair["n"]:
            yield (
                f"{pair['group']:16} {pair['one']} against {pair['other']}: {pair['points']:+.0f} points "
                f"({pair['low']:+.0f} to {pair['high']:+.0f}) of {pair['n']}; {len(pair['gained'])} gained, "
                f"{len(pair['lost'])} lost, McNemar p = {pair['p']:.3f}"
            )
    for arm, quiet in result["quiet"].items():
        yield f"quiet, {arm}: {_interval(quiet)}"


def _interval(found: Mapping[str, Any]) -> str:
    if not found["n"]:
        return "-"
    return f"{found['hits']}/{found['n']} = {found['share']:.0%} ({found['low']:.0%}-{found['high']:.0%})"


def _percent(found: Mapping[str, Any]) -> str:
    return f"{found['share']:5.0%}" if found["n"] else "    -"
