"""The part of a review that asks no question: lines the model finds unlikely, where one mended slip makes them likely.

Two stages, for the cost: blocks of lines are weighed as they are, one after the other; where the first token of a
mended line is much likelier, that line alone is weighed again, with what follows it in view, as it is and mended.
"""

from __future__ import annotations

import math

from devstral_ls.actions.job import Job
from devstral_ls.actions.likelihood import Suspect, layout_of, mended, prompt_for, suspects
from devstral_ls.actions.query import Finding
from devstral_ls.languages.slips import Slip, slips
from devstral_ls.text import Edit, Snapshot, Span

BLOCK = 6
"""Lines weighed at once."""

LOOKS = 3.0
"""From this gain at the first token on a mended line is weighed whole (natural logarithm of the ratio)."""

SURE = 5.0
"""So much likelier must a mended line be (natural logarithm of the ratio)."""

ADDED, GONE = math.log(0.5), math.log(0.1)
"""A repair that only adds lines: so likely must their tokens be, in the mean; one that only takes some away: so unlikely
must those be. By judgement, not fitted: single lines that are there or not cannot be weighed against each other."""

MAX_LOOKS = 2
"""Mended lines that are weighed, of one line; and four times as many of one piece of code."""

MAX_LINES = 120
"""Lines of one piece of code that are weighed; what follows is read by question only."""


async def unlikely(job: Job, span: Span) -> list[Finding] | None:
    """The findings in ``span``; ``None`` where nobody can tell: no grammar, or an engine that gives no probabilities."""
    syntax, snapshot = job.checks.syntax, job.snapshot
    if syntax is None or not layout_of(job.model):
        return None
    by_line: dict[int, list[Slip]] = {}
    for slip in slips(syntax, span):
        by_line.setdefault(snapshot.line_at(slip.span.start), []).append(slip)
    looked: list[tuple[int, Suspect]] = []
    blocks = _blocks(job, sorted(by_line))
    for count, numbers in enumerate(blocks, 1):
        job.asker.stage = f"weighing {count} of {len(blocks)}"
        hole = Span(_line(snapshot, numbers[0]).start, _line(snapshot, numbers[-1]).end)
        text = snapshot.of(hole)
        weighed = await job.asker.weigh(prompt_for(job.model, snapshot, hole), text)
        if not weighed.tokens:
            return None
        for number in numbers:
            found = suspects(text, hole.start, weighed, by_line.get(number, ()))
            looked += [(number, one) for one in found[:MAX_LOOKS] if one.gain >= LOOKS]
    looked.sort(key=lambda one: -one[1].gain)
    return await _mended(job, looked[: 4 * MAX_LOOKS])


async def holds(job: Job, edit: Edit) -> bool:
    """Is a repair, ``edit`` of whole lines, what the model finds likelier by itself, too?"""
    job.asker.stage = "weighing a repair"
    prompt, old = prompt_for(job.model, job.snapshot, edit.span), job.snapshot.of(edit.span)
    was = await job.asker.weigh(prompt, old) if old.strip() else None
    new = await job.asker.weigh(prompt, edit.text) if edit.text.strip() else None
    if was is None or new is None:
        only = was or new
        return only is not None and only.tokens != () and (only.mean <= GONE if new is None else only.mean >= ADDED)
    return new.total - was.total >= SURE


def _blocks(job: Job, numbers: list[int]) -> list[list[int]]:
    """The lines with slips in groups that span ``BLOCK`` lines at most; none with a secret, which was not shown."""
    blocks: list[list[int]] = []
    for number in numbers[:MAX_LINES]:
        line = _line(job.snapshot, number)
        if any(one.start < line.end and line.start < one.end for one in job.secrets):
            continue
        if blocks and number - blocks[-1][0] < BLOCK:
            blocks[-1].append(number)
        else:
            blocks.append([number])
    return blocks


async def _mended(job: Job, looked: list[tuple[int, Suspect]]) -> list[Finding]:
    """Of the suspects those that are much likelier mended, one for each line."""
    best: dict[int, tuple[float, Finding]] = {}
    was: dict[int, float] = {}
    for number, suspect in looked:
        line = _line(job.snapshot, number)
        prompt, text = prompt_for(job.model, job.snapshot, line), job.snapshot.of(line)
        new = mended(text, line.start, suspect.slip)
        edit = Edit(suspect.slip.span, suspect.slip.text)
        if job.checks.worse(edit) or not job.checks.changes_code(edit, types=False):
            continue
        job.asker.stage = f"weighing line {number + 1} again"
        if number not in was:
            was[number] = (await job.asker.weigh(prompt, text)).total
        gain = (await job.asker.weigh(prompt, new)).total - was[number]
        if gain >= SURE and (number not in best or gain > best[number][0]):
            best[number] = gain, _finding(job, number, suspect.slip, new)
    return [best[number][1] for number in sorted(best)]


def _finding(job: Job, number: int, slip: Slip, new: str) -> Finding:
    old = job.snapshot.of(slip.span)
    fix = new.rstrip("\r\n")
    code = _code(old, slip.text)
    target = job.target.span if job.target.name else None
    return Finding(number, "warning", code, f"this line is unlikely; it may have to be `{fix.strip()}`", fix, target)


def _code(old: str, new: str) -> str:
    """Which of ``review.CODES`` a slip is."""
    if old.isidentifier() and new.isidentifier():
        return "wrong-value"
    if old.isdecimal() or not old or (old.strip()[:1] in ("+", "-") and not new):
        return "off-by-one"
    return "wrong-operator" if new else "wrong-condition"


def _line(snapshot: Snapshot, number: int) -> Span:
    """The line with its line end."""
    end = snapshot.line_starts[number + 1] if number + 1 < snapshot.n_lines else len(snapshot.text)
    return Span(snapshot.line_starts[number], end)
