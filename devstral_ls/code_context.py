"""Definitions, excerpts and diagnostics as values: what retrieval finds and prompts show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from devstral_ls.text import Span

Kind = Literal["function", "class", "value"]

SOURCES = ("imports", "names", "test", "sibling", "edited", "viewed", "diagnostics")
"""The sources of excerpts, stable ones first; the setting ``inline.context`` lists those in use.

``imports``: signatures of imported symbols that the document uses; ``names``: of other symbols of the workspace that the
code at the cursor uses; ``test``: the subject of a test file, or the tests of a subject; ``sibling``: methods of the
cursor's class outside the window, and the same method of other classes of the package; ``edited`` and ``viewed``:
regions of other documents; ``diagnostics``: those of other tools at the cursor, where the client forwards them.
"""


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition in a file of the workspace, as the index knows it."""

    name: str
    kind: Kind
    """``class`` is anything that holds definitions; ``value`` a constant, a type alias, a field."""
    signature: str
    """As written, without its body; of a class also the signatures of its members, a line each."""
    doc: str
    """The first line of its description; empty without one."""
    path: str
    """The absolute path of its file."""
    line: int
    """From 0."""
    container: str = ""
    """The class it is in; empty at the top level."""
    n_lines: int = 1
    """Its lines, including the body."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A piece of code from outside the window, for a prompt."""

    source: str
    """One of ``SOURCES``."""
    path: str
    """As the model is shown it: relative to the workspace folder, with ``/``."""
    text: str
    """Whole lines, without the final line end."""
    rank: float = 0.0
    """Higher is more useful; decides which excerpts are included when there is little room."""
    file: str = ""
    """The absolute path or the URI of what it is from: whether a model may see that is decided before each prompt."""


@dataclass(frozen=True, slots=True)
class EnclosingDefinition:
    """The method or class around a cursor, to find similar ones by."""

    name: str
    """The name of the innermost function; empty in a class outside of its functions."""
    container: str
    """The class around it; empty at the top level."""
    header: str
    """The header of that class as written: similar classes share names with it, such as a base class."""


Severity = Literal["error", "warning", "information", "hint"]
"""The severities of LSP."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A diagnostic of another tool, such as a compiler or a linter, as the client reports it."""

    span: Span
    severity: Severity
    message: str
    code: str = ""
    """The tool's own code for it: ``F821``; empty where it has none."""
    source: str = ""
    """The tool's name; empty where the client does not say."""
