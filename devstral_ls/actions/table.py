"""ACTIONS: one row for each thing that can be done with code; what differs between them is a column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class TargetKind(Enum):
    """What of the document a row works on."""

    PROBLEM = "problem"
    """The definition around the diagnostics, or the lines near them."""
    FUNCTION = "function"
    """The function, or class, the range is in."""
    NEAREST = "nearest"
    """The selected lines; without a selection the function, the class, the whole file."""
    CODE = "code"
    """As ``NEAREST``, but never a whole file."""
    SELECTION = "selection"
    """Selected lines inside a function; the function is what changes."""


class OutputKind(Enum):
    """What becomes of the answer."""

    REPLACEMENT = "replacement"
    """It stands in the target's place."""
    DOC = "doc"
    """A doc comment, put where the language has it."""
    HEADER = "header"
    """The header of the definition, with types."""
    TESTS = "tests"
    """A test file, or more tests in one."""
    FINDINGS = "findings"
    """Diagnostics."""
    MARKDOWN = "markdown"
    """Text for people."""


@dataclass(frozen=True, slots=True)
class Action:
    """One row."""

    id: str
    title: str
    """``{what}`` is the target in words."""
    kind: str
    """LSP's kind of code action (``contract.md``)."""
    where: TargetKind
    gives: OutputKind
    template: str
    """The file in ``templates/`` with its instruction."""
    is_preferred: bool = False
    needs_instruction: bool = False
    needs_name: bool = True
    """Must the definition it worked on still be there under its name?"""
    opens: bool = True
    """Is the answer begun with the target's header?"""
    adds: bool = False
    """May the answer have definitions besides the target?"""
    edits: bool = True
    draws: bool = False
    """Are other answers drawn where the likeliest one is no use?"""


_ROWS = (
    Action(
        "fix", "Fix: {what}", "quickfix.devstral.fix", TargetKind.PROBLEM, OutputKind.REPLACEMENT, "fix.md", is_preferred=True,
        draws=True,
    ),
    Action(
        "rewrite", "Rewrite {what} as instructed", "refactor.rewrite.devstral", TargetKind.CODE, OutputKind.REPLACEMENT,
        "rewrite.md", needs_instruction=True, needs_name=False, opens=False,
    ),
    Action("simplify", "Simplify {what}", "refactor.rewrite.devstral", TargetKind.CODE, OutputKind.REPLACEMENT, "simplify.md"),
    Action(
        "extract", "Extract into a function", "refactor.extract.devstral", TargetKind.SELECTION, OutputKind.REPLACEMENT,
        "extract.md", opens=False, adds=True,
    ),
    Action(
        "document", "Document {what}", "refactor.rewrite.devstral.document", TargetKind.FUNCTION, OutputKind.DOC, "document.md"
    ),
    Action("types", "Add types to {what}", "refactor.rewrite.devstral.types", TargetKind.FUNCTION, OutputKind.HEADER, "types.md"),
    Action("tests", "Write tests for {what}", "source.devstral.tests", TargetKind.FUNCTION, OutputKind.TESTS, "tests.md"),
    Action(
        "review", "Review {what} for bugs", "source.devstral.review", TargetKind.NEAREST, OutputKind.FINDINGS, "review.md",
        edits=False,
    ),
    Action(
        "explain", "Explain {what}", "source.devstral.explain", TargetKind.NEAREST, OutputKind.MARKDOWN, "explain.md",
        edits=False,
    ),
)  # fmt: skip

ACTIONS: Mapping[str, Action] = {row.id: row for row in _ROWS}
"""By id, in the order in which they are offered."""

KINDS: tuple[str, ...] = tuple(dict.fromkeys(row.kind for row in _ROWS))
"""Every kind, as announced to the client."""


def wanted(kind: str, only: tuple[str, ...] | None) -> bool:
    """Does a client that asks for ``only`` these kinds want ``kind``? A kind includes those below it."""
    return only is None or any(asked == "" or kind == asked or kind.startswith(f"{asked}.") for asked in only)
