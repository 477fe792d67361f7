"""Replacements as they are offered; for a fix, other answers are drawn where the likeliest one is no use.

Small models that are asked to repair mostly write the code again as it was, and are not sure of it: drawn a few times at
a higher temperature, from the problem's line on, some answers are repairs. One that comes twice is taken at once. All
of them go through the checks of every answer.
"""

from __future__ import annotations

from dataclasses import replace

from devstral_ls.actions.answer import whole_lines
from devstral_ls.actions.chat_session import Answer, Question
from devstral_ls.actions.indentation import dedent
from devstral_ls.actions.job import ActionContext
from devstral_ls.actions.query import ActionRefused, Result
from devstral_ls.actions.replace import Fault, asked, placed, rewritten
from devstral_ls.actions.windows import piece_chars
from devstral_ls.errors import PromptTooLong
from devstral_ls.text import Edit

TRIES = 8
"""Answers drawn at most. By judgement: more than half of them are the code as it was (``docs/quality.md``)."""

DRAWN_AT, DRAWN_FROM = 1.0, 0.995
"""Their temperature, and the share of the likeliest tokens they are drawn from: at the usual ones all are the same."""

AGREED = 2
"""So many answers that are the same are enough."""


async def replacement(job: ActionContext) -> Result:
    """Rewrite the target.

    Raises:
        ActionRefused: it cannot be done, or no answer is one to offer.
    """
    job.keep_secrets(job.target.span)
    refused = ActionRefused("the model found nothing to change")
    notes: tuple[str, ...] = ()
    edit: Edit | None = None
    try:
        edit, notes = await rewritten(job)
    except ActionRefused as error:
        refused = error
    if edit is None or edit.text == job.snapshot.of(edit.span):
        found = await _drawn(job)
        if found is None:
            raise refused
        edit, notes = found
    if gone := job.checks.dropped(edit):
        notes = (*notes, f"no longer there: {', '.join(gone)}")
    return job.result(edit=edit, notes=notes)


async def _drawn(job: ActionContext) -> tuple[Edit, tuple[str, ...]] | None:
    """The repair that most of some drawn answers are, the first of several, and what is to be said of it."""
    target = job.target
    if not job.action.draws or not job.query.problems or len(target.span) > piece_chars(job.model):
        return None
    question, following = _from_the_problem(job)
    if not question.opened:
        return None  # a model that does not go on from a beginning
    votes: dict[str, int] = {}
    n_drawn = 0
    for n_drawn in range(1, TRIES + 1):
        job.asker.stage = f"looking for another repair, {n_drawn} of {TRIES}"
        text = await _draw(job, question, following)
        if text is None:
            continue
        votes[text] = votes.get(text, 0) + 1
        if votes[text] == AGREED:
            break
    if not votes:
        return None
    best = max(votes, key=lambda text: votes[text])
    return Edit(target.span, best), (f"the model is not sure of it: {votes[best]} of {n_drawn} answers say so",)


def _from_the_problem(job: ActionContext) -> tuple[Question, tuple[str, ...]]:
    """The question with an answer begun up to the first problem's line, and the lines that follow this one.

    A problem in the definition's first lines is said about all of it: the answer is then begun with nothing.
    """
    target, snapshot = job.target, job.snapshot
    line = snapshot.line_at(min(problem.span.start for problem in job.query.problems))
    at, shape = snapshot.line_starts[line], job.shape(target.span)
    is_inside = target.span.start < at < target.span.end and (target.header is None or at >= target.header.end)
    begun = dedent(snapshot.text[target.span.start : at], shape) if is_inside else ""
    rest = snapshot.text[snapshot.line_span(line).end : target.span.end] if is_inside else ""
    following = tuple(dedent(rest, shape).split("\n")[1:])
    question = replace(asked(job, target, begun), temperature=DRAWN_AT, top_p=DRAWN_FROM)
    return question, following if any(one.strip() for one in following) else ()


async def _draw(job: ActionContext, question: Question, following: tuple[str, ...]) -> str | None:
    """One answer as it goes into the document; ``None`` if it is not another one, or not one to offer."""
    ends = next((one for one in following if one.strip()), None)

    def is_back(text: str) -> bool:
        return ends is not None and any(one.rstrip() == ends.rstrip() for one in whole_lines(text)[-1:])

    try:
        answer = await job.asker.ask(question, is_back)
    except (ActionRefused, PromptTooLong):
        return None
    lines = answer.text.split("\n")
    back = next((n for n, one in enumerate(lines) if ends is not None and one.rstrip() == ends.rstrip()), None)
    if back is not None:
        answer = Answer("\n".join((*lines[:back], *following[following.index(ends or "") :])), complete=True)
    made = placed(job, question, answer, job.target)
    if isinstance(made, Fault):
        return None
    edit = Edit(job.target.span, made.text)
    is_other = made.text.strip() not in (job.snapshot.of(edit.span).strip(), job.query.tried.strip())
    return made.text if is_other and job.checks.changes_code(edit, types=True) else None
