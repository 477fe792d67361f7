"""What other tools say of the code at the cursor, as comments in the text before it.

They come and go while one types, so they stand in the text, above the line they are about, and not with the excerpts at
its beginning: what is further up, and all that comes before it in the prompt, stays as it was in the engine's cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from devstral_ls.languages.language import Language
from devstral_ls.prompt.window import CHARACTERS_PER_TOKEN, Window
from devstral_ls.text import Snapshot, Span

MAX_NOTES = 3
"""In a prompt, the nearest."""

MAX_MESSAGE = 160
"""Characters of one: compilers can say very much."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What some tool said about a place of a document."""

    span: Span
    severity: Literal["error", "warning"]
    message: str
    """One line."""


@dataclass(frozen=True, slots=True)
class DiagnosticComment:
    """A comment to be put into the text."""

    at: int
    """The start of the line it stands above, in code points of the document."""
    text: str
    """Without indentation or line end."""


def notes(
    found: Sequence[Diagnostic], snapshot: Snapshot, offset: int, language: Language
) -> tuple[DiagnosticComment, ...]:
    """A comment for each, above the line it is about, or above the cursor's where that comes later.

    None in a language without comments.
    """
    here = snapshot.line_at(offset)
    places = {
        (
            snapshot.line_starts[min(here, snapshot.line_at(one.span.start))],
            f"{one.severity}: {_short(one.message)}",
        ): None
        for one in found
    }
    texts = [(at, _comment(text, language)) for at, text in places]
    return tuple(DiagnosticComment(at, text) for at, text in texts if text)


def n_tokens(said: Sequence[DiagnosticComment]) -> int:
    """What they take of the prompt's budget, about."""
    return int(sum(len(note.text) + 12 for note in said) / CHARACTERS_PER_TOKEN)


def noted(window: Window, snapshot: Snapshot, offset: int, said: Sequence[DiagnosticComment]) -> Window:
    """``window``, cut at ``offset``, with ``said``; what is about a line above the window is left out."""
    prefix = window.prefix
    for note in sorted(said, key=lambda note: note.at, reverse=True):
        below = snapshot.text[note.at : offset]
        above = window.prefix.removesuffix(below)
        if len(above) + len(below) != len(window.prefix) or above[-1:] not in ("", "\n", "\r"):
            break
        indent = below[: len(below) - len(below.lstrip(" \t"))]
        prefix = f"{above}{indent}{note.text}\n{prefix[len(above) :]}"
    return Window(prefix, window.suffix)


def _short(message: str) -> str:
    return " ".join(message.split())[:MAX_MESSAGE]


def _comment(text: str, language: Language) -> str:
    if language.line_comment:
        return f"{language.line_comment} {text}"
    if language.block_comment:
        opener, closer = language.block_comment
        return f"{opener} {text.replace(closer, ' ')} {closer}"
    return ""
