"""Is a repair what the model would rather see there, too, when nobody asks for a repair?

The model is asked as for a suggestion: what stands before some lines and what follows them, and the lines themselves
are forced into its answer. Its probabilities say how likely they are, with no instruction and no opinion: a small model
that is told to repair repairs what is right, and still knows what code looks like.
"""

from __future__ import annotations

import math

from devstral_ls.actions.chat_session import ChatSession
from devstral_ls.generation import ModelInfo, Prompt
from devstral_ls.models.families.table import FAMILIES
from devstral_ls.prompt.layouts import LAYOUTS
from devstral_ls.prompt.window import Window
from devstral_ls.text import Edit, Snapshot, Span

ADDED, GONE = math.log(0.5), math.log(0.1)
"""Where lines are only added, so likely must their tokens be, in the mean; where some are only taken away, so unlikely
must those be. By judgement (``docs/quality.md``): lines that are there or not cannot be weighed against each other."""

LAYOUT_ORDER = ("fim-psm", "fim-spm-in-psm", "fim-spm", "chat-prefill")
"""Layouts that show what follows a hole; the first, because going on from hole to hole it leaves the KV cache most."""

ABOVE, BELOW = 60, 10
"""Lines shown above a hole, in whole blocks of so many, and below it."""


async def is_likelier(asker: ChatSession, snapshot: Snapshot, edit: Edit) -> bool | None:
    """Are whole lines likelier after ``edit``? ``None`` where nobody can tell: neither the layouts nor the engine do.

    Raises:
        EngineError, PromptTooLong: see ``generation.Engine``.
    """
    if not layout_of(asker.model):
        return None
    prompt, old = prompt_for(asker.model, snapshot, edit.span), snapshot.of(edit.span)
    weighed = [await asker.weigh(prompt, text) if text.strip() else () for text in (old, edit.text)]
    if None in weighed:
        return None
    was, new = (one or () for one in weighed)
    if not was or not new:
        mean = sum(was or new) / max(len(was or new), 1)
        return mean <= GONE if was else mean >= ADDED
    return sum(new) > sum(was)


def layout_of(model: ModelInfo) -> str:
    """The layout in which lines of code are weighed; empty for a model that is shown only what comes before."""
    return next((name for name in LAYOUT_ORDER if name in model.layouts), "")


def prompt_for(model: ModelInfo, snapshot: Snapshot, hole: Span) -> Prompt:
    """What the model is shown around ``hole``, whole lines, which are left out."""
    number = snapshot.line_at(hole.start)
    first = max(0, (number // ABOVE - 1) * ABOVE)
    last = snapshot.line_at(max(hole.end - 1, hole.start)) + BELOW
    end = snapshot.line_starts[last + 1] if last + 1 < snapshot.n_lines else len(snapshot.text)
    window = Window(snapshot.text[snapshot.line_starts[first] : hole.start], snapshot.text[hole.end : end])
    return LAYOUTS[layout_of(model)].build(FAMILIES[model.family], window, snapshot.uri)
