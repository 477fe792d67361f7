"""What an action is asked with and what comes of it, as values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from devstral_ls.errors import EngineError
from devstral_ls.generation import Usage
from devstral_ls.text import Edit, Snapshot, Span

Severity = Literal["error", "warning", "information"]


class ActionRefused(EngineError):
    """The model's answer is not one to offer, or there is nothing to do."""

    code = "action-refused"
    hint = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class Problem:
    """A diagnostic somebody else reported."""

    span: Span
    message: str
    severity: str = "error"
    code: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class ActionQuery:
    """One request."""

    action: str
    """A key of ``table.ACTIONS``."""
    snapshot: Snapshot
    span: Span
    """What is selected; empty: the cursor."""
    instruction: str = ""
    problems: tuple[Problem, ...] = ()
    tried: str = ""
    """An earlier answer that did not help, for the model to do otherwise."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a review found."""

    line: int
    """From 0."""
    severity: Severity
    code: str
    message: str
    fix: str | None = None
    """The line as it should be, where one line suffices."""
    related: Span | None = None
    """The definition the line is in."""


@dataclass(frozen=True, slots=True)
class FileEdit:
    """Another file that an action makes or adds to."""

    path: str
    """Relative to the project's root, with slashes."""
    text: str
    """What is put in."""
    at: int | None
    """Where, in code points of the text that is there; ``None``: the file is new."""
    before: str = ""
    """The text that is there."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an action did."""

    action: str
    title: str
    edit: Edit | None = None
    """Against the query's snapshot."""
    files: tuple[FileEdit, ...] = ()
    findings: tuple[Finding, ...] = ()
    markdown: str = ""
    notes: tuple[str, ...] = ()
    """What the user should know: a public name that is gone, text that was left out."""
    usage: Usage | None = None
    """Of all questions together."""
    reviewed: Span | None = None


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a running action is."""

    n_tokens: int
    tokens_per_second: float
    stage: str


Draft = Callable[[Edit], Awaitable[None]]
"""Hears the edit as far as it is written: whole lines, each time the whole of it. May raise to stop the action."""

Report = Callable[[Progressed], None]


class Signatures(Protocol):
    """What the workspace knows of names: an index of definitions, if there is one."""

    async def allows(self, snapshot: Snapshot) -> bool:
        """May the document be shown to a model? Not if an ignore file names it."""
        ...

    async def signatures(self, names: Sequence[str], snapshot: Snapshot, imports: Sequence[str]) -> Mapping[str, str]:
        """The signatures of ``names`` that other files define, as they may be shown; ``a.b`` is ``b`` of ``a``.

        ``imports`` are the import statements of ``snapshot``.
        """
        ...


class NoSignatures:
    """Without an index."""

    async def allows(self, snapshot: Snapshot) -> bool:
        """Nobody says no."""
        return True

    async def signatures(self, names: Sequence[str], snapshot: Snapshot, imports: Sequence[str]) -> Mapping[str, str]:
        """None."""
        return {}


class Project(Protocol):
    """The files around a document, as far as they may be read."""

    def path(self, uri: str) -> str | None:
        """The document's path in the project, with slashes; ``None`` if it is not in one."""
        ...

    def uri(self, path: str) -> str:
        """The URI of a path in the project."""
        ...

    def read(self, path: str) -> str | None:
        """The text of a file; ``None`` if there is none that may be read."""
        ...

    def names(self, folder: str) -> Sequence[str]:
        """The names of the files in a folder."""
        ...


class NoProject:
    """A document on its own."""

    def path(self, uri: str) -> str | None:
        """Not in a project."""
        return None

    def uri(self, path: str) -> str:
        """The path itself."""
        return path

    def read(self, path: str) -> str | None:
        """Nothing may be read."""
        return None

    def names(self, folder: str) -> Sequence[str]:
        """No files."""
        return ()


@dataclass(frozen=True, slots=True)
class ActionCallbacks:
    """Who hears of a running action."""

    draft: Draft | None = None
    report: Report = field(default=lambda progressed: None)
