"""``devstral-ls model calibrate [NAME] [--json]``: benchmark a model on this machine, and show the result."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from devstral_ls.calibration import measurement, speed
from devstral_ls.calibration.check import N_REQUESTS, Checked, check
from devstral_ls.calibration.record import Record, save
from devstral_ls.calibration.score import scores
from devstral_ls.cli import DONE
from devstral_ls.cli.command_session import open_session, user_settings
from devstral_ls.cli.terminal import clear_status, show_status
from devstral_ls.engine import rendezvous
from devstral_ls.engine.model_selection import wanted
from devstral_ls.engine.spec import EngineOptions
from devstral_ls.engine.tuning.budget import Budget, budget_for
from devstral_ls.engine.tuning.calibration import Calibrated, Subject
from devstral_ls.engine.tuning.sizing import BATCH_SECONDS, physical_cores
from devstral_ls.errors import EngineBusy, EngineError, SettingsError
from devstral_ls.generation import Engine
from devstral_ls.platform import locks
from devstral_ls.platform.paths import Directories, directories
from devstral_ls.settings.tree import Settings

WORTH = 1.25
"""Another number of threads is recommended where it is this many times faster."""


@dataclass(frozen=True, slots=True)
class Speed:
    """The rates with some number of threads, in tokens a second."""

    threads: int
    prefill: float
    decode: float | None


@dataclass(frozen=True, slots=True)
class CalibrationTable:
    """The result of the command."""

    subject: Subject
    record: Record
    calibrated: Calibrated
    budget: Budget
    """For the batch that the engine runs with now."""
    checked: Checked
    speeds: tuple[Speed, ...]
    note: str | None
    """Why no other number of threads was tried; None where it was."""

    @property
    def batch(self) -> int:
        """Tokens of a prompt batch after the next start of the engine."""
        on_gpu = self.subject.batch >= speed.LONGEST
        return self.subject.batch if on_gpu else self.calibrated.batch_within(BATCH_SECONDS * 1000)


def run(options: argparse.Namespace) -> int:
    """Measure what is not measured yet, and print the table. After an interruption, the next run continues there."""
    folders = directories()
    settings = user_settings(folders, options.name)
    if settings.engine.kind == "remote":
        raise SettingsError(
            "only engines on this machine can be calibrated, and engine.kind is remote",
            hint='Set engine.kind = "managed", or leave a remote engine as it is.',
        )
    table = asyncio.run(_calibrate(settings, folders, again=options.again))
    print(json.dumps(as_json(table), indent=2) if options.json else "\n".join(table_lines(table)))
    return DONE


async def _calibrate(settings: Settings, folders: Directories, *, again: bool) -> CalibrationTable:
    async with open_session(settings) as session:
        subject = _subject(session.engine.subject)
        if again:
            save(subject.file, measurement.begin(subject).without_rates())
        with _measuring_lock(subject):
            record = await measure(session.engine, subject)
        session.engine.recalibrated()
        subject = _subject(session.engine.subject)
        calibrated = measurement.result_of(record, subject)
        budget = budget_for(calibrated, subject.batch, subject.model.context_tokens, subject.latency_ms)
        checked = await check(session.engine, settings)
    options = EngineOptions.of(settings)
    # The engine starts again when it is needed: with the new batch, and with room for the one measured next.
    await rendezvous.stop_unused(folders, wanted(options, folders).key)
    speeds = [_speed(subject.threads, record)]
    note = None
    try:
        speeds += await _other_threads(settings, folders, subject)
    except EngineError as error:
        note = error.message
    return CalibrationTable(subject, record, calibrated, budget, checked, tuple(speeds), note)


def _measuring_lock(subject: Subject) -> AbstractContextManager[object]:
    """Keep editors' servers from measuring at the same time; one that is measuring stops when it sees the lock."""
    try:
        subject.file.parent.mkdir(parents=True, exist_ok=True)
        return locks.try_lock(subject.file.with_suffix(".lock")) or nullcontext()
    except OSError:
        return nullcontext()


async def measure(engine: Engine, subject: Subject, *, layouts: bool = True) -> Record:
    """Measure everything that is not measured yet, with a line of progress on stderr for each step.

    Raises:
        EngineError: the engine failed.
    """

    def on_step(number: int, total: int, title: str) -> None:
        _show_step(f"{number} of {total}: {title}", is_last=number == total)

    return await measurement.calibrate(engine, subject, layouts=layouts, on_step=on_step)


async def _other_threads(settings: Settings, folders: Directories, first: Subject) -> list[Speed]:
    """The rates with all physical cores, from a separate engine that is stopped afterwards."""
    cores = physical_cores()
    if settings.engine.threads != "auto" or first.threads == cores or first.batch >= speed.LONGEST:
        return []
    settings = replace(settings, engine=replace(settings.engine, threads=cores))
    key = wanted(EngineOptions.of(settings), folders).key
    try:
        async with open_session(settings) as session:
            subject = _subject(session.engine.subject)
            record = await measure(session.engine, subject, layouts=False)
    finally:
        await rendezvous.stop_unused(folders, key)
    return [_speed(cores, record)]


def _subject(subject: Subject | None) -> Subject:
    if subject is None:
        raise EngineBusy("the engine is not ready to be calibrated")
    return subject


def _speed(threads: int, record: Record) -> Speed:
    batch = record.samples[0].batch
    batch_ms, token_ms = speed.costs(record.samples)
    decode_ms = speed.decode_ms(record.samples)
    prefill = batch / (batch_ms + batch * token_ms) * 1000
    return Speed(threads, prefill, 1000 / decode_ms if decode_ms else None)


def _show_step(text: str, *, is_last: bool) -> None:
    if not sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)
    elif is_last:
        clear_status()
    else:
        show_status(text)


def table_lines(table: CalibrationTable) -> list[str]:
    """The table as text."""
    subject, calibrated, budget = table.subject, table.calibrated, table.budget
    floor = " (the floor: the latency budget has no room for it)" if budget.by_floor else ""
    later = f" (now {subject.batch}; at its next start)" if table.batch != subject.batch else ""
    return [
        f"{subject.model.name}, llama.cpp (xllamacpp {subject.build}), family {subject.model.family}",
        "",
        f"{'layout':18} {'exact':>9} {'similarity':>11} {'score':>6}",
        *(
            f"{score.layout:18} {f'{score.n_exact} of {score.n_holes}':>9} {score.similarity:>11.2f}"
            f" {score.total:>6.2f}{'  chosen' if score.layout == calibrated.layouts[0] else ''}"
            for score in scores(table.record.answers, subject.candidates)
        ),
        "",
        f"{'threads':18} {'prefill':>9} {'decode':>11}   tokens a second",
        *(_speed_line(speed, subject.threads) for speed in table.speeds),
        *_advice(table),
        *([f"                   other numbers of threads were not tried: {table.note}"] if table.note else []),
        "",
        f"prompt batch       {calibrated.batch_ms:.0f} ms + {calibrated.token_ms:.1f} ms a token: {table.batch} tokens in"
        f" {calibrated.prefill_ms(table.batch, table.batch):.0f} ms{later}",
        f"prompt budget      {budget.prompt_tokens} tokens of code{floor}, and {calibrated.overhead_tokens:.0f} around it",
        f"token caps         {budget.line_tokens} a line, {budget.lines_tokens} several lines",
        f"a usual line       {calibrated.first_line_tokens:.0f} tokens, {calibrated.line_ms:.0f} ms",
        f"predicted          {budget.cold_ms:.0f} ms cold, {budget.warm_ms:.0f} ms while typing,"
        f" for a latency budget of {subject.latency_ms} ms{': too slow for automatic suggestions; manual requests still work' if budget.slow else ''}",
        *_check_lines(table),
    ]


def _speed_line(speed: Speed, threads: int) -> str:
    decode = f"{speed.decode:.1f}" if speed.decode else "-"
    used = "  used (engine.threads)" if speed.threads == threads else ""
    return f"{speed.threads:<18} {speed.prefill:>9.1f} {decode:>11}{used}"


def _advice(table: CalibrationTable) -> list[str]:
    """A line for each number of threads that is much faster than the one used.

    It is not set automatically: one thread that shares its core with another process holds up all the others, and the
    machine is busy just when suggestions count.
    """
    used, *alternatives = table.speeds
    better = [
        speed
        for speed in alternatives
        if speed.prefill > WORTH * used.prefill and (speed.decode or 0.0) > WORTH * (used.decode or 0.0)
    ]
    return [f"                   engine.threads = {speed.threads} is faster while little else runs" for speed in better]


def _check_lines(table: CalibrationTable) -> list[str]:
    checked, calibrated = table.checked, table.calibrated
    predicted = calibrated.prefill_ms(checked.n_new, table.subject.batch) + checked.n_decoded * calibrated.decode_ms
    over = checked.total_ms / table.subject.latency_ms - 1
    return [
        f"measured           {checked.total_ms:.0f} ms cold (median of {N_REQUESTS}; {checked.n_new} prompt tokens, {checked.n_decoded}"
        f" generated; predicted for these {predicted:.0f} ms); {over:+.0%} of the latency budget",
        f"stored in          {table.subject.file}",
    ]


def as_json(table: CalibrationTable) -> dict[str, Any]:
    """The table as JSON. Times in milliseconds, rates in tokens a second."""
    subject, calibrated, budget = table.subject, table.calibrated, table.budget
    return {
        "model": subject.model.name,
        "family": subject.model.family,
        "build": subject.build,
        "layouts": [
            {"layout": s.layout, "exact": s.n_exact, "holes": s.n_holes, "similarity": s.similarity, "score": s.total}
            for s in scores(table.record.answers, subject.candidates)
        ],
        "chosen": calibrated.layouts[0],
        "threads": [{"threads": s.threads, "prefill": s.prefill, "decode": s.decode} for s in table.speeds],
        "threadsUsed": subject.threads,
        "batch": {
            "now": subject.batch,
            "next": table.batch,
            "batchMs": calibrated.batch_ms,
            "tokenMs": calibrated.token_ms,
        },
        "latencyBudgetMs": subject.latency_ms,
        "promptTokens": budget.prompt_tokens,
        "promptTokensByFloor": budget.by_floor,
        "lineTokens": budget.line_tokens,
        "linesTokens": budget.lines_tokens,
        "predictedMs": {"cold": budget.cold_ms, "typing": budget.warm_ms, "line": calibrated.line_ms},
        "measuredColdMs": table.checked.total_ms,
        "slow": budget.slow,
        "file": str(subject.file),
    }
