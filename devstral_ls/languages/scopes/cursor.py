"""The scopes around a cursor as values, which ``tree`` and ``indentation`` both return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from devstral_ls.text import Span


@dataclass(frozen=True, slots=True)
class Scope:
    """A definition that encloses the cursor. Spans are in code points."""

    kind: Literal["function", "class"]
    """``class`` is anything that holds definitions: a struct, an impl, a namespace."""
    name: str
    """As written; empty for an anonymous function, or where no name is recognized."""
    span: Span
    """The whole definition, decorators and modifiers included."""
    header: Span
    """From the first line of the definition itself, decorators left out, through the ``:`` or ``{`` before its body."""
    body: Span
    """From the end of the header to the closing token, or to the end of the definition where there is none."""


@dataclass(frozen=True, slots=True)
class CursorScope:
    """What surrounds the cursor."""

    scopes: tuple[Scope, ...] = ()
    """The definitions around the cursor, outermost first; of more than 64, the innermost."""
    imports: tuple[Span, ...] = ()
    """Import statements (and the package clause) of the document, whole, in document order."""
    in_comment: bool = False
    in_string: bool = False
    block_due: bool = False
    """True when more than one line is expected here; see ``blocks.block_due``."""
