"""How likely a model finds the lines that are there, and which slips would make them likelier.

The model is asked as for a suggestion: what stands before some lines and what follows them, and the lines themselves
are forced into its answer. That needs no instruction and no opinion, and a small model that reviews badly still knows
well what code looks like: what it would rather have seen is told by its own probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from devstral_ls.generation import Chunk, Likely, ModelInfo, Prompt
from devstral_ls.languages.slips import Slip
from devstral_ls.models.family import FAMILIES
from devstral_ls.prompt.layouts import LAYOUTS
from devstral_ls.prompt.window import Window
from devstral_ls.text import Snapshot, Span

ALTERNATIVES = 40
"""Tokens told for each place: enough for every operator and name that is at all likely."""

LAYOUT_ORDER = ("fim-psm", "fim-spm-in-psm", "fim-spm", "chat-prefill")
"""Layouts that show what follows a hole; the first, because going on from hole to hole it leaves the KV cache most."""

ABOVE, BELOW = 60, 10
"""Lines shown above a hole, in whole blocks of so many, and below it."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A text as the model reads it: its tokens, how likely each was, and what else could have stood there."""

    tokens: tuple[str, ...] = ()
    logprobs: tuple[float, ...] = ()
    alternatives: tuple[Likely, ...] = ()

    def and_(self, chunk: Chunk) -> Weighed:
        """With what ``chunk`` adds."""
        tokens = _tokens(chunk)
        return Weighed(
            (*self.tokens, *tokens), (*self.logprobs, *chunk.logprobs), (*self.alternatives, *chunk.alternatives)
        )

    @property
    def total(self) -> float:
        """The natural logarithm of the whole text's probability."""
        return sum(self.logprobs)

    @property
    def mean(self) -> float:
        """The same for each token, in the mean; impossible where nothing was told."""
        return self.total / len(self.logprobs) if self.logprobs else -math.inf


def _tokens(chunk: Chunk) -> list[str]:
    """The text of a chunk as its tokens: an engine that held some back says them at once, known by their likelihood."""
    texts, rest = [], chunk.text
    for told, likely in zip(chunk.logprobs[:-1], chunk.alternatives, strict=False):
        text = next((text for text, other in likely if other == told and rest.startswith(text)), "")
        texts.append(text)
        rest = rest[len(text) :]
    return [*texts, rest]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A slip, and how much likelier the place is with it, judged by the first token that differs."""

    slip: Slip
    gain: float


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


def suspects(text: str, start: int, weighed: Weighed, slips: Sequence[Slip]) -> list[Suspect]:
    """The slips in ``text``, which stands at ``start``, that the model finds likelier than what is there, best first."""
    starts = [0]
    for token in weighed.tokens:
        starts.append(starts[-1] + len(token))
    found = []
    for slip in slips:
        gain = _gain(text, mended(text, start, slip), starts, weighed)
        if gain is not None and gain > 0:
            found.append(Suspect(slip, gain))
    return sorted(found, key=lambda one: -one.gain)


def mended(text: str, start: int, slip: Slip) -> str:
    """``text``, which stands at ``start``, with ``slip`` mended."""
    return text[: slip.span.start - start] + slip.text + text[slip.span.end - start :]


def _gain(text: str, other: str, starts: Sequence[int], weighed: Weighed) -> float | None:
    """How much likelier the first token of ``other`` that differs is than that of ``text``, as a logarithm."""
    differs = next((at for at, (old, new) in enumerate(zip(text, other, strict=False)) if old != new), None)
    if differs is None:
        return None
    place = next((n for n in range(len(weighed.alternatives)) if starts[n] <= differs < starts[n + 1]), None)
    if place is None:
        return None
    gains = []
    for n in (place - 1, place):  # `<` and `<=` differ behind the token `<`
        was, new = text[starts[n] :], other[starts[n] :]
        likely = weighed.alternatives[n] if n >= 0 else ()
        gains += [told - weighed.logprobs[n] for token, told in likely if _only(token, new, was)]
    return max(gains, default=None)


def _only(token: str, new: str, was: str) -> bool:
    return new.startswith(token) and not was.startswith(token)
