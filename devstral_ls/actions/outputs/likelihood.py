"""Whether a repair is more likely code than what it repairs, by the model's own probabilities.

The model gets the prompt of a suggestion, the text before and after some lines, and the lines themselves are forced as
its answer. The probabilities of their tokens say how likely they are, without any instruction: a small model that is
told to repair code changes correct code, too, but still knows what code looks like.
"""

from __future__ import annotations

import math

from devstral_ls.actions.chat_session import ChatSession
from devstral_ls.generation import ModelInfo, Prompt
from devstral_ls.models.families.table import FAMILIES
from devstral_ls.prompt.layouts import LAYOUTS
from devstral_ls.prompt.window import Window
from devstral_ls.text import Edit, Snapshot, Span

MIN_ADDED, MAX_REMOVED = math.log(0.5), math.log(0.1)
"""Where an edit only adds lines, the least mean of their tokens' logarithms; where it only removes lines, the greatest
mean of theirs. By judgement (``docs/lab/quality.md``): the presence of lines cannot be weighed against their absence."""

LAYOUT_ORDER = ("fim-psm", "fim-spm-in-psm", "fim-spm", "chat-prefill")
"""Layouts that show the text after a hole. ``fim-psm`` first: from hole to hole it keeps most of the KV cache."""

ABOVE, BELOW = 60, 10
"""Lines shown above a hole, in whole blocks of this many, and below it."""


async def is_likelier(chat: ChatSession, snapshot: Snapshot, edit: Edit) -> bool | None:
    """True when whole lines are more likely after ``edit``; None where the layouts or the engine cannot tell.

    Raises:
        EngineError, PromptTooLong: see ``generation.Engine``.
    """
    if not layout_of(chat.model):
        return None
    prompt, old = prompt_for(chat.model, snapshot, edit.span), snapshot.of(edit.span)
    before = await chat.logprobs(prompt, old) if old.strip() else ()
    after = await chat.logprobs(prompt, edit.text) if edit.text.strip() else ()
    if before is None or after is None:
        return None
    if not before or not after:
        mean = sum(before or after) / max(len(before or after), 1)
        return mean <= MAX_REMOVED if before else mean >= MIN_ADDED
    return sum(after) > sum(before)


def layout_of(model: ModelInfo) -> str:
    """The layout in which lines of code are weighed; empty for a model that is shown only the text before a hole."""
    return next((name for name in LAYOUT_ORDER if name in model.layouts), "")


def prompt_for(model: ModelInfo, snapshot: Snapshot, hole: Span) -> Prompt:
    """The prompt that shows the text around ``hole``, whole lines, without them."""
    number = snapshot.line_at(hole.start)
    first = max(0, (number // ABOVE - 1) * ABOVE)
    last = snapshot.line_at(max(hole.end - 1, hole.start)) + BELOW
    end = snapshot.line_starts[last + 1] if last + 1 < snapshot.n_lines else len(snapshot.text)
    window = Window(snapshot.text[snapshot.line_starts[first] : hole.start], snapshot.text[hole.end : end])
    return LAYOUTS[layout_of(model)].build(FAMILIES[model.family], window, snapshot.uri)
