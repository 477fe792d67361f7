"""Sampled repairs: more answers to a fix whose most likely answer was useless.

Small models that are asked to repair code mostly write it again as it was, and are unsure of it: of a few answers
sampled at a higher temperature, from the diagnostic's line on, some are repairs. The first one that comes twice is taken.
All of them go through the checks of every answer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from devstral_ls.actions.answer import whole_lines
from devstral_ls.actions.chat_session import ChatAnswer, ChatRequest
from devstral_ls.actions.context import ActionContext
from devstral_ls.actions.outputs.placement import Fault, code_for_target
from devstral_ls.actions.query import ActionRefused
from devstral_ls.actions.target.line_style import dedent
from devstral_ls.actions.target.pieces import piece_chars
from devstral_ls.errors import PromptTooLong
from devstral_ls.text import Edit

MAX_SAMPLES = 8
"""The most answers sampled. By judgement: more than half of them are the code as it was (``docs/lab/quality.md``)."""

TEMPERATURE, TOP_P = 1.0, 0.995
"""Of the sampling: at those of other requests all answers are the same."""

AGREEING = 2
"""This many equal answers end the sampling."""


async def sample_repairs(context: ActionContext) -> tuple[Edit, tuple[str, ...]] | None:
    """The most frequent candidate among the sampled repairs (the first wins ties), and the note shown with it."""
    target = context.target
    if not context.action.samples or not context.query.diagnostics or len(target.span) > piece_chars(context.model):
        return None
    request, following = _from_the_diagnostic(context)
    if not request.prefix:
        return None  # the model cannot continue an answer
    votes: Counter[str] = Counter()
    n_samples = 0
    for n_samples in range(1, MAX_SAMPLES + 1):
        context.chat.enter(f"looking for another repair, {n_samples} of {MAX_SAMPLES}")
        text = await _sample_once(context, request, following)
        if text is None:
            continue
        votes[text] += 1
        if votes[text] == AGREEING:
            break
    if not votes:
        return None
    (text, n_votes), *_ = votes.most_common(1)
    return Edit(target.span, text), (f"the model is not sure of it: {n_votes} of {n_samples} answers say so",)


def _from_the_diagnostic(context: ActionContext) -> tuple[ChatRequest, tuple[str, ...]]:
    """The request whose answer starts with the code up to the first diagnostic's line, and the lines below that line.

    A diagnostic in the definition's header concerns all of it: the answer starts with nothing then.
    """
    target, snapshot = context.target, context.snapshot
    line = snapshot.line_at(min(item.span.start for item in context.query.diagnostics))
    at, style = snapshot.line_starts[line], context.line_style(target.span)
    is_inside = target.span.start < at < target.span.end and (target.header is None or at >= target.header.end)
    first_lines = dedent(snapshot.text[target.span.start : at], style) if is_inside else ""
    rest = snapshot.text[snapshot.line_span(line).end : target.span.end] if is_inside else ""
    following = tuple(dedent(rest, style).split("\n")[1:])
    request = replace(context.request(target, first_lines), temperature=TEMPERATURE, top_p=TOP_P)
    return request, following if any(text.strip() for text in following) else ()


async def _sample_once(context: ActionContext, request: ChatRequest, following: tuple[str, ...]) -> str | None:
    """One sampled repair as it goes into the document; None if it fails the checks or changes nothing.

    The answer is read until it reaches the first of the ``following`` lines; these complete it then.
    """
    end = next((line for line in following if line.strip()), None)

    def is_end(line: str) -> bool:
        return end is not None and line.rstrip() == end.rstrip()

    try:
        answer = await context.chat.ask(request, lambda text: any(map(is_end, whole_lines(text)[-1:])))
    except (ActionRefused, PromptTooLong):
        return None
    lines = answer.text.split("\n")
    at = next((number for number, line in enumerate(lines) if is_end(line)), None)
    if at is not None:
        answer = ChatAnswer("\n".join((*lines[:at], *following[following.index(end or "") :])), complete=True)
    placed = code_for_target(context, request, answer, context.target)
    if isinstance(placed, Fault):
        return None
    edit = Edit(context.target.span, placed.text)
    is_new = placed.text.strip() not in (context.snapshot.of(edit.span).strip(), context.query.failed_attempt.strip())
    return placed.text if is_new and context.checks.changes_code(edit, types=True) else None
