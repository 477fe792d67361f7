"""What other tools say of the code at the cursor, as comments in the text before it.

They come and go while one types, so they stand as near to the cursor as a line can: above the function it is in. All
that is further up, and all that comes before it in the prompt, stays as it was in the engine's cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from devstral_ls.languages.language import Language
from devstral_ls.languages.scopes import CursorScope
from devstral_ls.prompt.window import CHARACTERS_PER_TOKEN, Window
from devstral_ls.text import Snapshot, Span

MAX_NOTES = 3
"""In a prompt, the nearest."""

MAX_MESSAGE = 160
"""Characters of one: compilers can say very much."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What some tool said about a place of a document."""

    span: Span
    severity: Literal["error", "warning"]
    message: str
    """One line."""


def lines(found: Sequence[Diagnosis], language: Language) -> tuple[str, ...]:
    """The comments, without indentation or line ends; none in a language without comments."""
    texts = dict.fromkeys(f"{one.severity}: {' '.join(one.message.split())[:MAX_MESSAGE]}" for one in found)
    if language.line_comment:
        return tuple(f"{language.line_comment} {text}" for text in texts)
    if language.block_comment:
        opener, closer = language.block_comment
        return tuple(f"{opener} {text.replace(closer, '')} {closer}" for text in texts)
    return ()


def n_tokens(notes: Sequence[str]) -> int:
    """What they take of the prompt's budget, about."""
    return int(sum(len(note) + 12 for note in notes) / CHARACTERS_PER_TOKEN)


def noted(window: Window, snapshot: Snapshot, offset: int, scope: CursorScope, notes: Sequence[str]) -> Window:
    """``window``, cut at ``offset``, with ``notes`` above the innermost function, or above the cursor's line."""
    if not notes:
        return window
    line_start = snapshot.line_starts[snapshot.line_at(offset)]
    inside = [one.span.start for one in scope.scopes[-1:] if one.kind == "function"]
    for at in (*inside, line_start):
        at = snapshot.line_starts[snapshot.line_at(at)]
        below = snapshot.text[at:offset]
        above = window.prefix.removesuffix(below)
        if len(above) + len(below) == len(window.prefix) and above[-1:] in ("", "\n", "\r"):
            indent = below[: len(below) - len(below.lstrip(" \t"))]
            return Window(above + "".join(f"{indent}{note}\n" for note in notes) + below, window.suffix)
    return window
