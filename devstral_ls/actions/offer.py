"""Which rows apply at a range: fast, without the model, since editors ask at every move of the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from devstral_ls.actions.document import undocumented
from devstral_ls.actions.frameworks import rows_of
from devstral_ls.actions.header import typable
from devstral_ls.actions.instruction import instruction_for
from devstral_ls.actions.query import Problem
from devstral_ls.actions.runner import NO_CHAT
from devstral_ls.actions.table import ACTIONS, Action, OutputKind, TargetKind, wanted
from devstral_ls.actions.target import Target, language_at, target_of
from devstral_ls.generation import ModelInfo
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.prompt.chat import chat_format
from devstral_ls.text import Snapshot, Span

_SHOWN_MESSAGE = 60


@dataclass(frozen=True, slots=True)
class Offer:
    """One entry of the menu."""

    action: Action
    title: str
    problems: tuple[Problem, ...] = ()
    """The diagnostics it is about."""
    disabled: str = ""
    """Why it cannot be done here; empty if it can."""
    needs_instruction: bool = False
    """Must the user be asked what to do?"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks for."""

    snapshot: Snapshot
    span: Span
    problems: tuple[Problem, ...] = ()
    only: tuple[str, ...] | None = None
    automatic: bool = False
    """Does the client ask by itself? Then only what belongs to diagnostics is offered."""
    asks_instructions: bool = False
    """Can the client ask its user what to do?"""
    hidden: str = ""
    """Why no model may see the document; empty if it may."""


def offers(asked: Asked, syntax: Syntax | None, model: ModelInfo | None) -> list[Offer]:
    """What to offer, in the order of the table."""
    made: list[Offer] = []
    targets: dict[TargetKind, Target | str] = {}
    for action in ACTIONS.values():
        if not wanted(action.kind, asked.only) or (asked.automatic and action.where is not TargetKind.PROBLEM):
            continue
        if action.where is TargetKind.PROBLEM and not asked.problems:
            continue
        if action.where not in targets:
            problems = tuple(problem.span for problem in asked.problems)
            targets[action.where] = target_of(action, syntax, asked.snapshot, asked.span, problems)
        offer = _offer(action, asked, targets[action.where], model)
        made.append(replace(offer, disabled=asked.hidden, needs_instruction=False) if asked.hidden else offer)
    return made


def _offer(action: Action, asked: Asked, target: Target | str, model: ModelInfo | None) -> Offer:
    problems = asked.problems if action.where is TargetKind.PROBLEM else ()
    if isinstance(target, str):
        title = action.title.format(what=_about(problems) or "code")
        return Offer(action, title, problems, target)
    title = action.title.format(what=_about(problems) or target.words)
    if model is not None and chat_format(model) is None:
        return Offer(action, title, problems, f"{model.name} {NO_CHAT}")
    if action.needs_instruction:
        return _with_instruction(action, asked, target)
    return Offer(action, title, problems, _hindrance(action, asked.snapshot, target))


def _with_instruction(action: Action, asked: Asked, target: Target) -> Offer:
    written = instruction_for(asked.snapshot, asked.span, target.span, language_at(asked.snapshot))
    title = action.title.format(what=target.words)
    if written is not None and written[0]:
        return Offer(action, f"Rewrite: {_short(written[0])}")
    if asked.asks_instructions:
        return Offer(action, title.replace(" as instructed", "…"), needs_instruction=True)
    return Offer(action, title, disabled="write what to change above the code as a comment: devstral: use a loop")


def _hindrance(action: Action, snapshot: Snapshot, target: Target) -> str:
    language = language_at(snapshot)
    if action.gives is OutputKind.DOC:
        return undocumented(snapshot, target)
    if action.gives is OutputKind.HEADER:
        return typable(snapshot, target)
    if action.gives is OutputKind.TESTS and not rows_of(language.id):
        return f"no test framework is known for {language.name}"
    if action.gives is OutputKind.TESTS and not snapshot.uri.startswith("file:"):
        return "this document is no file, so there is no place beside it for tests"
    return ""


def _about(problems: Sequence[Problem]) -> str:
    if not problems:
        return ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return _short(" ".join(problems[0].message.split())) + more


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_MESSAGE else text[: _SHOWN_MESSAGE - 1].rstrip() + "…"
