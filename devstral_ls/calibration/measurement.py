"""A calibration, step by step. The record is stored after each step, so it can be interrupted and resumed anywhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from devstral_ls.calibration import speed
from devstral_ls.calibration.cases import Hole, holes, scope_and_cursor
from devstral_ls.calibration.record import HoleAnswer, Record, load, save
from devstral_ls.calibration.score import compare, first_line, overhead_tokens, ranked, scores, usual_tokens
from devstral_ls.engine.tuning.budget import FLOOR
from devstral_ls.engine.tuning.calibration import Calibrated, Subject
from devstral_ls.errors import ModelUnsupported, PromptTooLong
from devstral_ls.generation import Engine, ModelInfo, Priority
from devstral_ls.prompt.layouts import suffix_share
from devstral_ls.prompt.window import CHARACTERS_PER_TOKEN, cut_window
from devstral_ls.suggest.answer_stream import read_answer, request_for
from devstral_ls.suggest.postprocess.steps import postprocess
from devstral_ls.suggest.trace import NothingToShow, Trace

MAX_TOKENS = 40
"""Of an answer: only its first line counts."""

TIME_LIMIT_MS = 10_000
"""Of decoding; a model that needs longer for a line has not answered."""

MOST_S = 240.0
"""Seconds of work after which optional steps are left out. Where 30 holes in three layouts take longer, a few show enough:
the languages come in turns."""

N_HOLES_ONE_LAYOUT = 8
"""Holes for a single layout: nothing is compared, but its answers say how long a line is."""

_USUAL_LINE = 12.0
"""Tokens of a usual first line where no engine counted them: 73 characters at the 95th percentile are 25."""

_USUAL_DECODE = 2.0
"""The cost of a generated token in prompt tokens, where no sample shows it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to measure."""

    title: str
    measure: Callable[[Engine, Record], Awaitable[Record]]
    """Returns the record with the measurement; raises ``EngineError`` when it failed."""
    optional: bool
    """True when a slow model leaves it out."""


def begin(subject: Subject) -> Record:
    """The record on disk, or an empty one."""
    return load(subject.file) or Record(subject.model.name, subject.threads, subject.build)


def calibration_steps(
    record: Record, subject: Subject, cases: Sequence[Hole] | None = None, *, layouts: bool = True
) -> list[Step]:
    """The steps that ``record`` lacks: samples of the rates, then each hole in all layouts, unless only rates are wanted."""
    lengths = (0, *speed.lengths(subject.batch, subject.model.context_tokens))
    found = [
        _sample(n, lengths[n % len(lengths)], subject.batch, optional=n >= len(lengths))
        for n in range(len(record.samples), speed.N_ROUNDS * len(lengths))
    ]
    if layouts:
        cases = holes() if cases is None else cases
        asked = cases if len(subject.candidates) > 1 else cases[:N_HOLES_ONE_LAYOUT]
        answered = [record.answers.get(layout, {}) for layout in subject.candidates]
        found += [_hole(hole, subject) for hole in asked if any(hole.id not in each for each in answered)]
    return found


async def calibrate(
    engine: Engine,
    subject: Subject,
    *,
    cases: Sequence[Hole] | None = None,
    layouts: bool = True,
    on_step: Callable[[int, int, str], None] = lambda number, total, title: None,
    clock: Callable[[], float] = time.monotonic,
) -> Record:
    """Measure what the record on disk lacks; the finished record, with its result unless ``layouts`` is False.

    Raises:
        EngineError: the engine failed; the steps before are stored.
    """
    record = begin(subject)
    todo = calibration_steps(record, subject, cases, layouts=layouts)
    for number, step in enumerate(todo, 1):
        if step.optional and record.spent_s > MOST_S:
            break
        on_step(number, len(todo), step.title)
        begun = clock()
        record = await step.measure(engine, record)
        record = replace(record, spent_s=record.spent_s + clock() - begun)
        save(subject.file, record)
    if layouts:
        record = replace(record, result=result_of(record, subject), finished=True)
        save(subject.file, record)
    return record


def result_of(record: Record, subject: Subject) -> Calibrated:
    """The result of the measurements."""
    order = ranked(scores(record.answers, subject.candidates))
    batch_ms, token_ms = speed.costs(record.samples)
    chosen = record.answers.get(order[0], {})
    return Calibrated(
        layouts=tuple(order),
        batch_ms=batch_ms,
        token_ms=token_ms,
        decode_ms=speed.decode_ms(record.samples) or _USUAL_DECODE * token_ms,
        first_line_tokens=usual_tokens(chosen) or _USUAL_LINE,
        overhead_tokens=overhead_tokens(chosen),
    )


def _sample(n: int, length: int, batch: int, *, optional: bool) -> Step:
    async def measure(engine: Engine, record: Record) -> Record:
        return replace(record, samples=(*record.samples, await speed.sample(engine, n, length, batch)))

    return Step(f"a prompt of {length} tokens" if length else "decoding", measure, optional)


def _hole(hole: Hole, subject: Subject) -> Step:
    """Ask ``hole`` in every layout, so that they can be compared."""

    async def measure(engine: Engine, record: Record) -> Record:
        answers = dict(record.answers)
        for layout in subject.candidates:
            answer = await _answer(engine, hole, replace(subject.model, layouts=(layout,)))
            answers[layout] = {**answers.get(layout, {}), hole.id: answer}
        return replace(record, answers=answers)

    return Step(hole.id, measure, optional=True)


async def _answer(engine: Engine, hole: Hole, model: ModelInfo) -> HoleAnswer:
    """The suggestion for ``hole`` as the pipeline makes it in ``model``'s layout, compared with the expected code."""
    scope, place = scope_and_cursor(hole)
    trace = Trace()
    budget = min(FLOOR, model.context_tokens * 3 // 4)
    share = suffix_share(model.layouts[0])
    window = cut_window(hole.snapshot, hole.offset, scope, budget=budget, suffix_share=share)
    written = text = ""
    with contextlib.suppress(NothingToShow, PromptTooLong, ModelUnsupported):
        request = request_for(
            window, hole.snapshot.uri, model, MAX_TOKENS, TIME_LIMIT_MS,
            conversation=speed.CONVERSATION, priority=Priority.BACKGROUND,
        )  # fmt: skip
        draft = await read_answer(engine, request, place, trace)
        written = draft.text
        text = postprocess(draft).text
    answer = compare(hole.expected, text)
    if trace.usage is None:
        return answer
    of_first_line = min(len(first_line(written)) / max(len(written.strip()), 1), 1.0)
    return replace(
        answer,
        n_tokens=max(1, round(trace.usage.generated_tokens * of_first_line)) if text else 0,
        n_prompt=trace.usage.prompt_tokens,
        n_window=round(len(window.prefix + (window.suffix if share else "")) / CHARACTERS_PER_TOKEN),
    )
