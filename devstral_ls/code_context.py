"""Code of other places as values: what the workspace finds and what prompts show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["function", "class", "value"]

SOURCES = ("imports", "names", "test", "sibling", "edited", "viewed", "diagnostics")
"""Where excerpts come from, stable ones first; ``inline.excerpts`` has those that are used.

``imports``: signatures of imported symbols that are used; ``names``: of other symbols of the workspace that the code at
the cursor uses; ``test``: the subject of a test file, or the tests of a subject; ``sibling``: methods of the cursor's
class that lie outside the window, the same method of another class of the package; ``edited`` and ``viewed``: regions of
other documents; ``diagnostics``: what other tools say of the code at the cursor, as far as the client tells.
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
    n_lines: int = 1
    """Lines it takes, its body included."""


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


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The definition around a cursor, for those who look for others like it."""

    name: str
    """Of the innermost function; empty in a class outside its functions."""
    container: str
    """The class around it; empty at the top."""
    header: str
    """The class's header as written: what else it names may be named by its siblings, too."""
