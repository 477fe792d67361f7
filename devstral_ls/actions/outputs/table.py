"""OUTPUTS: one row for each kind of output."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from devstral_ls.actions.context import ActionContext
from devstral_ls.actions.outputs.doc_comment import doc_comment_hindrance, write_doc_comment
from devstral_ls.actions.outputs.explain import write_explanation
from devstral_ls.actions.outputs.replacement import write_replacement
from devstral_ls.actions.outputs.review import write_review
from devstral_ls.actions.outputs.type_annotations import types_hindrance, write_types
from devstral_ls.actions.outputs.unit_tests import tests_hindrance, write_tests
from devstral_ls.actions.query import Result
from devstral_ls.actions.table import OutputKind
from devstral_ls.actions.target.find import Target
from devstral_ls.text import Snapshot


def _no_hindrance(_snapshot: Snapshot, _target: Target) -> str:
    """Empty: the output can be made of every target."""
    return ""


@dataclass(frozen=True, slots=True)
class Output:
    """One row."""

    write: Callable[[ActionContext], Awaitable[Result]]
    """Asks the model, checks its answer, and makes the result. May raise ActionRefused, EngineError, PromptTooLong."""
    hindrance: Callable[[Snapshot, Target], str] = _no_hindrance
    """Why it cannot be made of a target, in words; empty if it can. Fast: asked for every menu."""


OUTPUTS: Mapping[OutputKind, Output] = {
    OutputKind.REPLACEMENT: Output(write_replacement),
    OutputKind.DOC_COMMENT: Output(write_doc_comment, doc_comment_hindrance),
    OutputKind.TYPES: Output(write_types, types_hindrance),
    OutputKind.TESTS: Output(write_tests, tests_hindrance),
    OutputKind.FINDINGS: Output(write_review),
    OutputKind.MARKDOWN: Output(write_explanation),
}
