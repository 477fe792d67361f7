"""ACTIONS: one row for each code action; what differs between them is a column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from devstral_ls.generation import ModelInfo
from devstral_ls.settings.tree import ReviewMode

REVIEW_PARAMETERS = 6_500_000_000
"""Parameters from which ``actions.review = "auto"`` is on: the 7B class, whose smallest members (CodeLlama 7B,
DeepSeek-Coder 6.7B) have 6.74 billion. Findings of smaller models were mostly false alarms (``docs/quality.md``)."""


class TargetKind(Enum):
    """Which piece of the document an action works on."""

    DIAGNOSTIC = "diagnostic"
    """The definition around the diagnostics, or the lines near them."""
    FUNCTION = "function"
    """The function, or class, that contains the range."""
    NEAREST = "nearest"
    """The selected lines; without a selection the function, the class, or the whole file."""
    CODE = "code"
    """As ``NEAREST``, but never a whole file."""
    SELECTION = "selection"
    """Selected lines inside a function; the function is what changes."""


class OutputKind(Enum):
    """What the model's answer becomes; ``outputs.table`` has the row for each."""

    REPLACEMENT = "replacement"
    """Code that replaces the target."""
    DOC_COMMENT = "doc comment"
    """A doc comment, put where the language has it."""
    TYPES = "types"
    """The header of the definition, with type annotations."""
    TESTS = "tests"
    """A new test file, or more tests in an existing one."""
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
    target: TargetKind
    output: OutputKind
    template: str
    """The file in ``templates/`` with its instruction."""
    is_preferred: bool = False
    """LSP's ``isPreferred``: the quick fix that an editor's auto-fix command applies."""
    needs_instruction: bool = False
    """True when the user has to say what to change."""
    keeps_name: bool = True
    """True when the answer must still define the target under its name."""
    prefills_header: bool = True
    """True when the answer starts with the target's header, so that the model goes on from there."""
    may_add_functions: bool = False
    """True when the answer may define functions besides the target."""
    edits: bool = True
    """True when the result is an edit; otherwise the document stays as it is."""
    samples: bool = False
    """True when further answers are sampled after the most likely one turned out useless."""
    is_experimental: bool = False
    """True when ``actions.review`` decides whether the action is available."""


_ROWS = (
    Action(
        "fix", "Fix: {what}", "quickfix.devstral.fix", TargetKind.DIAGNOSTIC, OutputKind.REPLACEMENT, "fix.md",
        is_preferred=True, samples=True,
    ),
    Action(
        "rewrite", "Rewrite {what} as instructed", "refactor.rewrite.devstral", TargetKind.CODE, OutputKind.REPLACEMENT,
        "rewrite.md", needs_instruction=True, keeps_name=False, prefills_header=False,
    ),
    Action("simplify", "Simplify {what}", "refactor.rewrite.devstral", TargetKind.CODE, OutputKind.REPLACEMENT, "simplify.md"),
    Action(
        "extract", "Extract into a function", "refactor.extract.devstral", TargetKind.SELECTION, OutputKind.REPLACEMENT,
        "extract.md", prefills_header=False, may_add_functions=True,
    ),
    Action(
        "document", "Document {what}", "refactor.rewrite.devstral.document", TargetKind.FUNCTION, OutputKind.DOC_COMMENT,
        "document.md",
    ),
    Action("types", "Add types to {what}", "refactor.rewrite.devstral.types", TargetKind.FUNCTION, OutputKind.TYPES, "types.md"),
    Action("tests", "Write tests for {what}", "source.devstral.tests", TargetKind.FUNCTION, OutputKind.TESTS, "tests.md"),
    Action(
        "review", "Review {what} for bugs (experimental)", "source.devstral.review", TargetKind.NEAREST, OutputKind.FINDINGS,
        "review.md", edits=False, is_experimental=True,
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


def is_requested(kind: str, only: tuple[str, ...] | None) -> bool:
    """True when a client that asks for ``only`` these kinds wants ``kind``; a kind includes the kinds below it."""
    return only is None or any(parent == "" or kind == parent or kind.startswith(f"{parent}.") for parent in only)


def switched_off(action: Action, review: ReviewMode, model: ModelInfo | None) -> str:
    """Why ``action`` is not available with ``model`` and this ``actions.review``; empty when it is available.

    A model whose number of parameters is unknown (a remote server may not tell it) counts as large enough.
    """
    if not action.is_experimental or review == "on":
        return ""
    if review == "off":
        return 'reviews are switched off by actions.review = "off"'
    n_parameters = None if model is None else model.parameters
    if model is None or n_parameters is None or n_parameters >= REVIEW_PARAMETERS:
        return ""
    return f"reviews are experimental and off for models under 7B, as their findings are mostly wrong ({model.name} is one)"
