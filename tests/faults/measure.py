"""How long it takes to work again after each fault of ``tests.faults.table``: the rows of `docs/reliability.md`.

    python -m tests.faults.measure --times 20 --markdown

All faults once, then all once more. Each injection is kept in ``results/faults.jsonl`` as soon as it is over: a run that was broken off goes on there, several
may run at the same time (``--only``), and ``--markdown`` prints what is known. ``--model`` is the tiny model of random
weights that the tests use, unless it is given: how fast an engine loads is not what is measured here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from devstral_ls.testing import gguf_files
from devstral_ls.testing.interruptible import run_interruptible
from devstral_ls.testing.lsp_client import ROOT
from tests.faults.fault import Fault, suffer
from tests.faults.setting import Stages
from tests.faults.table import FAULTS

RESULTS = ROOT / "benchmarks" / "results" / "faults.jsonl"
WORSE_S = 120.0
"""An injection that is not over by then has failed."""

Runs = dict[str, list[float | None]]
"""By fault, the seconds of each injection; None where a promise was not kept."""


def known(path: Path = RESULTS) -> Runs:
    """What was injected up to now."""
    found: Runs = defaultdict(list)
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            found[row["fault"]].append(row["seconds"])
    return found


def markdown(runs: Runs) -> str:
    """The table of the page."""
    lines = [
        "| fault | injected | promise | recovered | median | slowest |",
        "|---|---|---|---|---|---|",
    ]
    for fault in FAULTS:
        seconds = runs.get(fault.name, [])
        times = [value for value in seconds if value is not None]
        count = f"{len(times)} of {len(seconds)}" if seconds else f"not run: {fault.needs() or 'not yet'}"
        shown = f"{statistics.median(times):.1f} s | {max(times):.1f} s" if times else "|"
        lines.append(f"| `{fault.name}` | {fault.how} | {fault.promise} | {count} | {shown} |")
    return "\n".join(lines)


async def run(faults: Sequence[Fault], times: int, model: Path | None) -> int:
    """Inject each of ``faults`` until it was injected ``times`` times; how many injections broke a promise."""
    n_broken = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        stages = Stages(folder, model or gguf_files.write_qwen_fim(folder / "model.gguf"))
        try:
            for n in range(times):
                for fault in faults:
                    if len(known()[fault.name]) <= n:
                        n_broken += await _injected(fault, stages) is None
        finally:
            await stages.aclose()
    return n_broken


async def _injected(fault: Fault, stages: Stages) -> float | None:
    """The seconds, kept and told."""
    stage = await stages.stage(fault)
    seconds: float | None = None
    says = ""
    try:
        seconds = await asyncio.wait_for(suffer(fault, stage), WORSE_S)
    except (AssertionError, TimeoutError, OSError) as error:
        says = f"{type(error).__name__}: {error}"[:500]
        await stages.aclose()
    row = {"fault": fault.name, "seconds": seconds, **({"says": says} if says else {})}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    print(f"{fault.name}: {says or f'{seconds:.1f} s'}", file=sys.stderr, flush=True)
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--times", type=int, default=20, help="injections of each fault, those kept counted in; 0: none"
    )
    parser.add_argument("--only", default="", help="names of faults, or of their settings, with commas between")
    parser.add_argument("--model", type=Path, help="a GGUF file that loads soon")
    parser.add_argument("--markdown", action="store_true", help="print the table of all that was injected")
    options = parser.parse_args()
    wanted = set(filter(None, options.only.split(",")))
    chosen = [f for f in FAULTS if not wanted or {f.name, f.setting.name} & wanted]
    todo = [fault for fault in sorted(chosen, key=lambda fault: fault.setting.name) if not fault.needs()]
    n_broken = run_interruptible(run(todo, options.times, options.model)) if options.times else 0
    if options.markdown:
        print(markdown(known()))
    return 1 if n_broken else 0


if __name__ == "__main__":
    sys.exit(main())
