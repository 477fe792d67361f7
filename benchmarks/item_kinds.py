"""The values the benchmarks work on. Offsets and columns are in code points, lines count from 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from devstral_ls.text import Span

HoleKind = Literal["line", "lines", "span", "cross"]
Action = Literal["fix", "document", "types", "review"]
ACTIONS: tuple[Action, ...] = ("fix", "document", "types", "review")


@dataclass(frozen=True, slots=True)
class Hole:
    """A piece cut out of a working file: ``before + middle + after`` is the file."""

    id: str
    language: str
    """LSP language id."""
    name: str
    """File name."""
    kind: HoleKind
    """``line``, ``lines`` and ``cross`` begin at the start of a line or after its indentation and end at a line end; for
    ``cross`` the expected code is known from other files only."""
    before: str
    middle: str
    after: str
    test: str | None
    """Python source to append to the file; raises if the file does not work. ``None`` for other languages."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A document that was opened before the one with the hole: edited, or only viewed."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class CrossHole(Hole):
    """A hole in a file of a workspace. ``name`` is the file's path in it."""

    files: tuple[tuple[str, str], ...]
    """Path and text of the others."""
    opened: tuple[Opened, ...]
    said: tuple[Diagnostic, ...]
    """The diagnostics of a checker for the file with the hole."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A file to be typed character by character."""

    id: str
    language: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """A cursor where nothing should be shown, between ``before`` and ``after``."""

    id: str
    language: str
    name: str
    before: str
    after: str
    why: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A diagnostic of a linter, compiler or test runner for a case's text."""

    line: int
    column: int
    end_line: int
    end_column: int
    severity: Literal["error", "warning"]
    source: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Bug:
    """A planted bug: a finding on one of these lines has found it. ``end_line`` is the last line."""

    line: int
    end_line: int
    what: str


@dataclass(frozen=True, slots=True)
class ActionCase:
    """A document on which an action is asked for.

    ``fix``: the answer may change ``target`` only; ``test`` fails on ``text`` and must pass afterwards.
    ``document``: the target has no documentation; the answer adds it, and changes no code and nothing else.
    ``types``: the target has no types; the answer adds some, and changes nothing else; ``test`` passes before and after.
    ``review``: findings on the lines of ``bugs`` are right, all others false alarms; without bugs the text is clean.
    """

    id: str
    action: Action
    language: str
    name: str
    text: str
    target_line: int
    """The cursor: the line of the first diagnostic, else the first line of the target."""
    target: Span
    """The definition to change or review; the whole text when none is marked."""
    test: str | None
    """As in ``Hole``: passes on ``reference``, for ``types`` on ``text``. ``None`` for other languages than Python, and for
    ``document``."""
    diagnostics: tuple[Diagnostic, ...]
    bugs: tuple[Bug, ...]
    reference: str | None
    """The text with every bug fixed; None when it has no bug."""

    def keeps_the_rest(self, answer: str) -> bool:
        """True when ``answer``, a whole file, equals ``text`` before and after the target."""
        head, tail = self.text[: self.target.start], self.text[self.target.end :]
        return len(answer) >= len(head) + len(tail) and answer.startswith(head) and answer.endswith(tail)
