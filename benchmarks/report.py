"""All results in one self-contained page, ``benchmarks/results/report.html``, and its pictures as SVG beside it.

python -m benchmarks.report
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from benchmarks import compare, growth_report, holes_table, load, replay, reuse, workspace
from benchmarks.charts import Bar, bars
from benchmarks.journal import RESULTS
from benchmarks.results import read_all

Result = Mapping[str, Any]

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2127}
pre{background:#f4f5f7;padding:1rem;overflow-x:auto;font-size:13px}h2{margin-top:2.5rem;border-bottom:1px solid #ccd}
figure{margin:1rem 0;overflow-x:auto}figcaption,.when{color:#59636e}"""


def holes_charts(result: Result) -> dict[str, str]:
    """pass@1 of each arm, a picture for each group."""
    drawn = {}
    for group, arms in result["groups"].items():
        found = [
            Bar(
                arm, f["pass"]["share"], f["pass"]["low"], f["pass"]["high"], f"{f['pass']['hits']} of {f['pass']['n']}"
            )
            for arm, f in arms.items()
            if f["pass"]["n"]
        ]
        if found:
            drawn[f"pass@1, {group}, 95 % intervals"] = bars(f"pass@1, {group}", found, most=1.0)
    return drawn


def replay_charts(result: Result) -> dict[str, str]:
    """Characters saved, and answers without the model."""
    arms = result["arms"]
    saved = [Bar(name, f["saved"], said=f"{f['saved']:.1%}") for name, f in arms.items()]
    unasked = [
        Bar(name, f["unasked"]["share"], f["unasked"]["low"], f["unasked"]["high"], f"{f['unasked']['share']:.0%}")
        for name, f in arms.items()
    ]
    return {
        "characters saved": bars("characters saved", saved),
        "answered without the model": bars("answered without the model", unasked, most=1.0),
    }


def reuse_charts(result: Result) -> dict[str, str]:
    """Shares of the prompts that the one before held already."""
    found = [Bar(name, f["reused"], said=f"{f['reused']:.2%}") for name, f in result["arms"].items()]
    return {"prompt reused while typing": bars("prompt reused while typing", found, most=1.0)}


def latency_lines(result: Result) -> list[str]:
    """The table of ``benchmarks.latency``."""
    return [f"{what:64} {f['value']:9.1f} {f['unit']}" for what, f in result["figures"].items()]


def _nothing(result: Result) -> dict[str, str]:
    return {}


SECTIONS: Mapping[str, tuple[Callable[[Any], list[str]], Callable[[Result], dict[str, str]]]] = {
    "latency": (latency_lines, _nothing),
    "reuse": (reuse.table, reuse_charts),
    "holes": (holes_table.table, holes_charts),
    "replay": (replay.table, replay_charts),
    "soak": (growth_report.table, growth_report.charts),
    "load": (load.table, load.charts),
    "workspace": (workspace.table, _nothing),
    "compare": (lambda result: list(result["markdown"]), _nothing),
}


def page(results: Mapping[str, Result]) -> tuple[str, dict[str, str]]:
    """The page, and its pictures by file name."""
    body, pictures = [], {}
    for name, (lines, charts) in SECTIONS.items():
        if name not in results:
            continue
        result = results[name]
        body.append(f'<h2>{name}</h2><p class="when">{escape(str(result.get("when", "")))}</p>')
        for title, svg in charts(result).items():
            body.append(f"<figure>{svg}<figcaption>{escape(title)}</figcaption></figure>")
            pictures[re.sub(r"\W+", "-", f"{name} {title}").strip("-").lower() + ".svg"] = svg
        body.append(f"<pre>{escape(chr(10).join(lines(result)))}</pre>")
        if name == "holes":
            body.append(f"<pre>{escape(chr(10).join(lost(result)))}</pre>")
    html = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>devstral_ls: benchmarks</title><style>{STYLE}</style><h1>devstral_ls: benchmarks</h1>"
        f"{''.join(body)}</html>\n"
    )
    return html, pictures


def lost(result: Result) -> list[str]:
    """Items that a baseline gets right and the server does not, with the server's answers."""
    lines = ["right by a baseline and wrong by ours:"]
    by_id = {arm: {s["id"]: s for s in found} for arm, found in result["items"].items()}
    for hole, ours in by_id.get("ours", {}).items():
        better = [arm for arm in compare.BASELINES if by_id.get(arm, {}).get(hole, {}).get("right")]
        if better and not ours["right"]:
            lines.append(f"  {hole} ({ours['kind']}; {', '.join(better)}): {ours['why'] or ours['reason'] or ''}")
            lines.append(f"    ours {ours['text']!r}")
            lines.append(f"    cut  {ours['middle']!r}")
    return lines if len(lines) > 1 else []


def write(folder: Path = RESULTS) -> Path | None:
    """Write page and pictures; None when there are no results."""
    results = read_all(folder)
    html, pictures = page(results)
    if "<h2>" not in html:
        return None
    for name, svg in pictures.items():
        (folder / name).write_text(svg + "\n", encoding="utf-8")
    path = folder / "report.html"
    path.write_text(html, encoding="utf-8")
    return path


def main() -> int:
    argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "").parse_args()
    path = write()
    print(path or "nothing was measured yet: make bench")
    return 0 if path else 1


if __name__ == "__main__":
    sys.exit(main())
