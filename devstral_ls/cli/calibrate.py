"""``devstral-ls model calibrate [NAME] [--json]``: how good and how fast a model is on this machine."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from devstral_ls.calibration import rates, steps
from devstral_ls.calibration.check import N_REQUESTS, Checked, check
from devstral_ls.calibration.record import Record, save
from devstral_ls.calibration.score import scores
from devstral_ls.cli import DONE
from devstral_ls.cli.session import session, user_settings
from devstral_ls.engine import locks, rendezvous
from devstral_ls.engine.budget import Budget, budget_for
from devstral_ls.engine.calibrated import Calibrated, Subject
from devstral_ls.engine.choice import wanted
from devstral_ls.engine.sizing import BATCH_SECONDS, physical_cores
from devstral_ls.engine.spec import EngineOptions
from devstral_ls.errors import EngineBusy, EngineError, SettingsError
from devstral_ls.generation import Engine
from devstral_ls.platform.paths import Directories, directories
from devstral_ls.settings.tree import Settings

WORTH = 1.25
"""So many times faster, and another number of threads is recommended."""


@dataclass(frozen=True, slots=True)
class Speed:
    """With so many threads; tokens a second."""

    threads: int
    prefill: float
    decode: float | None


@dataclass(frozen=True, slots=True)
class Table:
    """All that is shown."""

    subject: Subject
    record: Record
    found: Calibrated
    budget: Budget
    """With the batch the engine runs with now."""
    checked: Checked
    speeds: tuple[Speed, ...]
    note: str | None
    """Why no other number of threads was tried."""

    @property
    def batch(self) -> int:
        """The batch the engine gets at its next start."""
        on_gpu = self.subject.batch >= rates.LONGEST
        return self.subject.batch if on_gpu else self.found.batch_within(BATCH_SECONDS * 1000)


def run(options: argparse.Namespace) -> int:
    """Measure what is not measured yet, and print the table. Interrupted, it goes on there the next time."""
    folders = directories()
    settings = user_settings(folders, options.name)
    if settings.engine.kind == "remote":
        raise SettingsError(
            "only engines on this machine are calibrated, and engine.kind is remote",
            hint='Set engine.kind = "managed", or leave a remote engine as it is.',
        )
    table = asyncio.run(_calibrate(settings, folders, again=options.again))
    print(json.dumps(as_json(table), indent=2) if options.json else "\n".join(lines(table)))
    return DONE


async def _calibrate(settings: Settings, folders: Directories, *, again: bool) -> Table:
    async with session(settings) as asked:
        subject = _subject(asked.engine.subject)
        if again:
            save(subject.file, steps.begin(subject).without_rates())
        with _alone(subject):
            record = await measure(asked.engine, subject)
        asked.engine.recalibrated()
        subject = _subject(asked.engine.subject)
        found = steps.result_of(record, subject)
        budget = budget_for(found, subject.batch, subject.model.context_tokens, subject.latency_ms)
        checked = await check(asked.engine, settings)
    options = EngineOptions.of(settings)
    # With the batch found, and room for the next one: the engine starts again when it is needed.
    await asyncio.to_thread(rendezvous.stop_unused, folders, wanted(options, folders).key)
    speeds = [_speed(subject.threads, record)]
    note = None
    try:
        speeds += await _other_threads(settings, folders, subject)
    except EngineError as error:
        note = error.message
    return Table(subject, record, found, budget, checked, tuple(speeds), note)


def _alone(subject: Subject) -> AbstractContextManager[object]:
    """Keeps editors' servers from measuring at the same time. One that has begun goes on until it finds us there."""
    try:
        subject.file.parent.mkdir(parents=True, exist_ok=True)
        return locks.try_exclusive(subject.file.with_suffix(".lock")) or nullcontext()
    except OSError:
        return nullcontext()


async def measure(engine: Engine, subject: Subject, *, layouts: bool = True) -> Record:
    """Every step that is left, with a line of progress on stderr.

    Raises:
        EngineError: the engine failed.
    """
    record = steps.begin(subject)
    left = steps.left(record, subject, layouts=layouts)
    for n, step in enumerate(left):
        if steps.is_over(step, record):
            continue  # a slow model: what is known by now decides
        _say(f"{n + 1} of {len(left)}: {step.title}", last=n + 1 == len(left))
        record = await steps.do(step, engine, record, subject)
    return steps.finish(record, subject) if layouts else record


async def _other_threads(settings: Settings, folders: Directories, first: Subject) -> list[Speed]:
    """The rates with all physical cores, from an engine of its own that is stopped at once."""
    cores = physical_cores()
    if settings.engine.threads != "auto" or first.threads == cores or first.batch >= rates.LONGEST:
        return []
    settings = replace(settings, engine=replace(settings.engine, threads=cores))
    key = wanted(EngineOptions.of(settings), folders).key
    try:
        async with session(settings) as asked:
            subject = _subject(asked.engine.subject)
            record = await measure(asked.engine, subject, layouts=False)
    finally:
        await asyncio.to_thread(rendezvous.stop_unused, folders, key)
    return [_speed(cores, record)]


def _subject(subject: Subject | None) -> Subject:
    if subject is None:
        raise EngineBusy("the engine cannot be calibrated")
    return subject


def _speed(threads: int, record: Record) -> Speed:
    batch = record.samples[0].batch
    batch_ms, token_ms = rates.costs(record.samples)
    decode_ms = rates.decode_ms(record.samples)
    prefill = batch / (batch_ms + batch * token_ms) * 1000
    return Speed(threads, prefill, 1000 / decode_ms if decode_ms else None)


def _say(words: str, *, last: bool) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="\r\033[K" if last else "", file=sys.stderr, flush=True)
    else:
        print(words, file=sys.stderr, flush=True)


def lines(table: Table) -> list[str]:
    """The table, for people."""
    subject, found, budget = table.subject, table.found, table.budget
    floor = " (the floor: the latency budget has no room for it)" if budget.by_floor else ""
    later = f" (now {subject.batch}; at its next start)" if table.batch != subject.batch else ""
    return [
        f"{subject.model.name}, llama.cpp (xllamacpp {subject.build}), family {subject.model.family}",
        "",
        f"{'layout':18} {'exact':>9} {'similarity':>11} {'score':>6}",
        *(
            f"{score.layout:18} {f'{score.n_exact} of {score.n_holes}':>9} {score.similarity:>11.2f}"
            f" {score.total:>6.2f}{'  chosen' if score.layout == found.layouts[0] else ''}"
            for score in scores(table.record.answers, subject.candidates)
        ),
        "",
        f"{'threads':18} {'prefill':>9} {'decode':>11}   tokens a second",
        *(_speed_line(speed, subject.threads) for speed in table.speeds),
        *_advice(table),
        *([f"                   others not tried: {table.note}"] if table.note else []),
        "",
        f"prompt batch       {found.batch_ms:.0f} ms + {found.token_ms:.1f} ms a token: {table.batch} tokens in"
        f" {found.prefill_ms(table.batch, table.batch):.0f} ms{later}",
        f"prompt budget      {budget.prompt_tokens} tokens of code{floor}, and {found.overhead_tokens:.0f} around it",
        f"token caps         {budget.line_tokens} a line, {budget.lines_tokens} several lines",
        f"a usual line       {found.first_line_tokens:.0f} tokens, {found.line_ms:.0f} ms",
        f"predicted          {budget.cold_ms:.0f} ms cold, {budget.warm_ms:.0f} ms while typing,"
        f" for a latency budget of {subject.latency_ms} ms{': too slow to suggest by itself' if budget.slow else ''}",
        *_check_lines(table),
    ]


def _speed_line(speed: Speed, threads: int) -> str:
    decode = f"{speed.decode:.1f}" if speed.decode else "-"
    used = "  used (engine.threads)" if speed.threads == threads else ""
    return f"{speed.threads:<18} {speed.prefill:>9.1f} {decode:>11}{used}"


def _advice(table: Table) -> list[str]:
    """Another number of threads where it is worth it. Not taken by itself: threads that share a core with somebody
    stop all the others (``engines.md``), and the machine is busy just when suggestions count.
    """
    used, *others = table.speeds
    better = [
        speed
        for speed in others
        if speed.prefill > WORTH * used.prefill and (speed.decode or 0.0) > WORTH * (used.decode or 0.0)
    ]
    return [f"                   engine.threads = {speed.threads} is faster while little else runs" for speed in better]


def _check_lines(table: Table) -> list[str]:
    checked, found = table.checked, table.found
    predicted = found.prefill_ms(checked.n_new, table.subject.batch) + checked.n_decoded * found.decode_ms
    over = checked.total_ms / table.subject.latency_ms - 1
    return [
        f"measured           {checked.total_ms:.0f} ms cold (median of {N_REQUESTS}; {checked.n_new} prompt tokens, {checked.n_decoded}"
        f" generated; predicted for these {predicted:.0f} ms); {over:+.0%} of the latency budget",
        f"kept in            {table.subject.file}",
    ]


def as_json(table: Table) -> dict[str, Any]:
    """The table, for programs. Times in milliseconds, rates in tokens a second."""
    subject, found, budget = table.subject, table.found, table.budget
    return {
        "model": subject.model.name,
        "family": subject.model.family,
        "build": subject.build,
        "layouts": [
            {"layout": s.layout, "exact": s.n_exact, "holes": s.n_holes, "similarity": s.similarity, "score": s.total}
            for s in scores(table.record.answers, subject.candidates)
        ],
        "chosen": found.layouts[0],
        "threads": [{"threads": s.threads, "prefill": s.prefill, "decode": s.decode} for s in table.speeds],
        "threadsUsed": subject.threads,
        "batch": {"now": subject.batch, "next": table.batch, "batchMs": found.batch_ms, "tokenMs": found.token_ms},
        "latencyBudgetMs": subject.latency_ms,
        "promptTokens": budget.prompt_tokens,
        "promptTokensByFloor": budget.by_floor,
        "lineTokens": budget.line_tokens,
        "linesTokens": budget.lines_tokens,
        "predictedMs": {"cold": budget.cold_ms, "typing": budget.warm_ms, "line": found.line_ms},
        "measuredColdMs": table.checked.total_ms,
        "slow": budget.slow,
        "file": str(subject.file),
    }
