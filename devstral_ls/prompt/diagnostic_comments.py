"""Diagnostics of other tools as comments in the text before the cursor.

They come and go while the user types, so they are placed above the lines they refer to and not with the excerpts at the
beginning: everything before them in the prompt stays in the engine's KV cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from devstral_ls.code_context import Diagnostic
from devstral_ls.languages.language import Language
from devstral_ls.prompt.window import CHARACTERS_PER_TOKEN, Window
from devstral_ls.text import Snapshot

MAX_COMMENTS = 3
"""Diagnostics in a prompt, the nearest ones."""

MAX_MESSAGE = 160
"""Characters of one message; those of compilers can be very long."""


@dataclass(frozen=True, slots=True)
class DiagnosticComment:
    """A comment to insert into the text."""

    at: int
    """The start of the line below it, in code points of the document."""
    text: str
    """Without indentation or line end."""


def comments_on(
    diagnostics: Sequence[Diagnostic], snapshot: Snapshot, offset: int, language: Language
) -> tuple[DiagnosticComment, ...]:
    """A comment for each diagnostic, above its line, or above the cursor's line where its own comes later.

    Empty in a language without comments.
    """
    cursor_line = snapshot.line_at(offset)
    distinct: dict[tuple[int, str], None] = {}
    for diagnostic in diagnostics:
        line = min(cursor_line, snapshot.line_at(diagnostic.span.start))
        distinct[snapshot.line_starts[line], f"{diagnostic.severity}: {_short(diagnostic.message)}"] = None
    texts = [(at, _comment(text, language)) for at, text in distinct]
    return tuple(DiagnosticComment(at, text) for at, text in texts if text)


def comment_tokens(comments: Sequence[DiagnosticComment]) -> int:
    """About the tokens that ``comments`` take of the prompt's budget."""
    return int(sum(len(comment.text) + 12 for comment in comments) / CHARACTERS_PER_TOKEN)


def with_comments(window: Window, snapshot: Snapshot, offset: int, comments: Sequence[DiagnosticComment]) -> Window:
    """``window``, cut at ``offset``, with ``comments`` inserted; those above the window's first line are left out."""
    prefix = window.prefix
    for comment in sorted(comments, key=lambda comment: comment.at, reverse=True):
        below = snapshot.text[comment.at : offset]
        above = window.prefix.removesuffix(below)
        if len(above) + len(below) != len(window.prefix) or above[-1:] not in ("", "\n", "\r"):
            break
        indent = below[: len(below) - len(below.lstrip(" \t"))]
        prefix = f"{above}{indent}{comment.text}\n{prefix[len(above) :]}"
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
