"""A calibration, step by step: what is left to measure, and how one thing is measured. Each step is small, stands for
itself, and is written down by whoever runs it; so it can be stopped anywhere and goes on there.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from devstral_ls.calibration import rates
from devstral_ls.calibration.cases import Hole, holes, seen
from devstral_ls.calibration.record import Answered, Record, load, save
from devstral_ls.calibration.score import compare, first_line, overhead_tokens, ranked, scores, usual_tokens
from devstral_ls.engine.budget import FLOOR
from devstral_ls.engine.calibrated import Calibrated, Subject
from devstral_ls.errors import ModelUnsupported, PromptTooLong
from devstral_ls.generation import Engine, ModelInfo, Priority
from devstral_ls.languages.syntax.tree import SyntaxTrees
from devstral_ls.prompt.layouts import suffix_share
from devstral_ls.prompt.window import CHARACTERS_PER_TOKEN, Window, cut
from devstral_ls.suggest.answer_stream import read, request_for
from devstral_ls.suggest.postprocess import postprocess
from devstral_ls.suggest.refusals import NothingToShow
from devstral_ls.suggest.trace import Trace

MAX_TOKENS = 40
"""Of an answer: only its first line counts."""

TIME_LIMIT_MS = 10_000
"""Of decoding; a model that needs longer for a line has not answered."""

MOST_S = 240.0
"""Seconds of work after which no further hole is asked: what is known by then decides. At the pace of a model for which
30 holes in three layouts take longer, a few of each show enough: they come in turns, layout by layout.
"""

_USUAL_LINE = 12.0
"""Tokens of a usual first line where no engine counted them: 73 characters at the 95th percentile are 25."""

_USUAL_DECODE = 2.0
"""Where no sample says what a generated token costs: so many times a prompt token."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to measure."""

    title: str
    run: Callable[[Engine, Record], Awaitable[Record]]
    """The record with what came of it; raises ``EngineError`` where nothing could be measured."""
    hole: str = ""
    """The hole it asks; empty for a sample of the rates."""
    again: bool = False
    """Is it a sample that was taken before, taken again?"""


def begin(subject: Subject) -> Record:
    """The record on disk, or an empty one."""
    found = load(subject.file)
    if found is None:
        return Record(subject.model.name, subject.threads, subject.build)
    return found


def left(record: Record, subject: Subject, cases: Sequence[Hole] | None = None, *, layouts: bool = True) -> list[Step]:
    """What is still to be measured: the rates first, then every layout on each hole, unless only the rates are wanted.

    A single candidate needs no comparison, but its answers say how long a line is: a few holes will do.
    """
    cases = holes() if cases is None else cases
    if len(subject.candidates) == 1:
        cases = cases[:8]
    lengths = rates.planned(subject.batch, subject.model.context_tokens)
    n_once = len(lengths) // rates.N_ROUNDS
    steps = [
        _sample(n, length, subject.batch, again=n >= n_once)
        for n, length in enumerate(lengths)
        if n >= len(record.samples)
    ]
    if layouts:
        trees = SyntaxTrees()
        steps += [
            _hole(hole, replace(subject.model, layouts=(layout,)), trees)
            for hole in cases
            for layout in subject.candidates
            if hole.id not in record.answers.get(layout, {})
        ]
    return steps


def is_over(step: Step, record: Record) -> bool:
    """Is ``step`` to be left out, for all has taken longer than ``MOST_S``? Each rate is measured once all the same, and
    a hole that was asked in one layout is asked in all: they are compared.
    """
    begun = any(step.hole in answers for answers in record.answers.values())
    return record.spent_s > MOST_S and (step.again or (bool(step.hole) and not begun))


async def do(
    step: Step, engine: Engine, record: Record, subject: Subject, clock: Callable[[], float] = time.monotonic
) -> Record:
    """Run ``step`` and keep what came of it on disk; nothing where it ``is_over``.

    Raises:
        EngineError: the engine failed; nothing is lost.
    """
    if is_over(step, record):
        return record
    begun = clock()
    record = await step.run(engine, record)
    record = replace(record, spent_s=record.spent_s + clock() - begun)
    save(subject.file, record)
    return record


def finish(record: Record, subject: Subject) -> Record:
    """The record with its result, on disk."""
    record = replace(record, result=result_of(record, subject), finished=True)
    save(subject.file, record)
    return record


def result_of(record: Record, subject: Subject) -> Calibrated:
    """What the measurements come to."""
    order = ranked(scores(record.answers, subject.candidates))
    batch_ms, token_ms = rates.costs(record.samples)
    chosen = record.answers.get(order[0], {})
    usual = usual_tokens(chosen)
    return Calibrated(
        layouts=tuple(order),
        batch_ms=batch_ms,
        token_ms=token_ms,
        decode_ms=rates.decode_ms(record.samples) or _USUAL_DECODE * token_ms,
        first_line_tokens=usual or _USUAL_LINE,
        overhead_tokens=overhead_tokens(chosen),
    )


def _sample(n: int, length: int, batch: int, *, again: bool) -> Step:
    async def run(engine: Engine, record: Record) -> Record:
        return record.with_sample(await rates.sample(engine, n, length, batch))

    return Step(f"a prompt of {length} tokens" if length else "decoding", run, again=again)


def _hole(hole: Hole, model: ModelInfo, trees: SyntaxTrees) -> Step:
    """``hole``, asked as ``suggest.inline`` would ask, with ``model``'s layout."""
    layout = model.layouts[0]

    async def run(engine: Engine, record: Record) -> Record:
        return record.with_answer(layout, hole.id, await _answer(engine, hole, model, trees))

    return Step(f"{hole.id} as {layout}", run, hole.id)


async def _answer(engine: Engine, hole: Hole, model: ModelInfo, trees: SyntaxTrees) -> Answered:
    """What would be shown, nothing included, compared with what is expected."""
    place = seen(hole, trees)
    trace = Trace()
    budget = min(FLOOR, model.context_tokens * 3 // 4)
    share = suffix_share(model.layouts[0])
    window = cut(hole.snapshot, hole.offset, place.scope, budget=budget, suffix_share=share)
    written = text = ""
    with contextlib.suppress(NothingToShow, PromptTooLong, ModelUnsupported):
        request = request_for(
            window, hole.snapshot.uri, model, MAX_TOKENS, TIME_LIMIT_MS,
            conversation=rates.CONVERSATION, priority=Priority.BACKGROUND,
        )  # fmt: skip
        draft = await read(engine, request, place.place, trace)
        written = draft.text
        text = postprocess(draft).text
    answered = compare(hole.expected, text)
    if trace.usage is None:
        return answered
    return replace(
        answered,
        n_tokens=_first_line_tokens(written, trace.usage.generated_tokens) if text else 0,
        n_prompt=trace.usage.prompt_tokens,
        n_window=round(_window_characters(window, share) / CHARACTERS_PER_TOKEN),
    )


def _first_line_tokens(written: str, n_generated: int) -> int:
    """How many of the tokens of ``written`` its first line took."""
    share = len(first_line(written)) / max(len(written.strip()), 1)
    return max(1, round(n_generated * min(share, 1.0)))


def _window_characters(window: Window, suffix_share: float) -> int:
    return len(window.prefix) + (len(window.suffix) if suffix_share else 0)
