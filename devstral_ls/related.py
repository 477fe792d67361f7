"""Code of other places as values: what the workspace finds and what prompts show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["function", "class", "value"]

SOURCES = ("imports", "names", "test", "edited", "viewed")
"""Where excerpts come from, stable ones first; ``inline.excerpts`` has those that are used.

``imports``: signatures of imported symbols that are used; ``names``: of other symbols of the workspace that the code at
the cursor uses; ``test``: the subject of a test file, or the tests of a subject; ``edited`` and ``viewed``: regions of
other documents.
"""


@dataclass(frozen=True, slots=True)
class Definition:
    """A named thing in a file."""

    name: str
    kind: Kind
    """``class`` is anything that holds definitions; ``value`` a constant, a type alias, a field."""
    signature: str
    """As written, without its body; of a class also the signatures of what it holds, a line each."""
    doc: str
    """The first line of its description; empty without one."""
    path: str
    """The file, absolute."""
    line: int
    """From 0."""
    container: str = ""
    """The class it is in; empty at the top."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A piece of another place, for a prompt."""

    source: str
    """One of ``SOURCES``."""
    path: str
    """For the model to see: relative to the workspace, with ``/``."""
    text: str
    """Whole lines without the last line end."""
    rank: float = 0.0
    """The higher, the more useful; decides what goes in where the room is short."""
