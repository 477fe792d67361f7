"""Which actions to offer at a range: fast, without the model, since editors ask at every move of the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from devstral_ls.actions.outputs.table import OUTPUTS
from devstral_ls.actions.runner import NO_CHAT
from devstral_ls.actions.table import ACTIONS, Action, TargetKind, is_requested, switched_off
from devstral_ls.actions.target.find import NEAR_LINES, Target, language_at, target_of
from devstral_ls.actions.target.instruction import instruction_for
from devstral_ls.code_context import Diagnostic
from devstral_ls.generation import ModelInfo
from devstral_ls.languages.syntax.parse_errors import nearest_error
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.prompt.chat import chat_format
from devstral_ls.settings.tree import ReviewMode
from devstral_ls.text import Snapshot, Span

_MAX_TITLE = 60
"""Characters of a message or instruction in a title."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One entry of the menu."""

    action: Action
    title: str
    diagnostics: tuple[Diagnostic, ...] = ()
    """Those it is about."""
    disabled: str = ""
    """Why it cannot be done here; empty if it can."""
    needs_instruction: bool = False
    """True when the client has to ask the user what to change."""


@dataclass(frozen=True, slots=True)
class OfferRequest:
    """The range and the abilities of the client."""

    snapshot: Snapshot
    span: Span
    diagnostics: tuple[Diagnostic, ...] = ()
    only: tuple[str, ...] | None = None
    """The kinds of code action that the client asks for; None: all."""
    automatic: bool = False
    """True when no user opened a menu: only actions on diagnostics are offered then."""
    asks_instructions: bool = False
    """True when the client can ask its user what to change."""
    hidden: str = ""
    """Why no model may see the document; empty if it may."""
    review: ReviewMode = "auto"
    """The setting ``actions.review``."""


def offers(request: OfferRequest, syntax: Syntax | None, model: ModelInfo | None) -> list[Offer]:
    """What to offer, in the order of the table. ``model`` is the one that would answer, None while none is ready."""
    request = _with_syntax_error(request, syntax)
    menu: list[Offer] = []
    targets: dict[TargetKind, Target | str] = {}
    for action in ACTIONS.values():
        if not _applies(action, request) or switched_off(action, request.review, model):
            continue
        if action.target not in targets:
            spans = tuple(item.span for item in request.diagnostics)
            targets[action.target] = target_of(action, syntax, request.snapshot, request.span, spans)
        offer = _offer(action, request, targets[action.target], model)
        menu.append(replace(offer, disabled=request.hidden, needs_instruction=False) if request.hidden else offer)
    return menu


def _with_syntax_error(request: OfferRequest, syntax: Syntax | None) -> OfferRequest:
    """``request`` with the nearest syntax error as its diagnostic, where the user opened a menu near one."""
    if request.automatic or request.diagnostics or syntax is None or syntax.snapshot.text != request.snapshot.text:
        return request
    snapshot = request.snapshot
    first, last = snapshot.line_at(request.span.start), snapshot.line_at(request.span.end)
    error = nearest_error(syntax, first)
    if not error.n_errors or not first - NEAR_LINES <= error.line <= last + NEAR_LINES:
        return request
    line = min(error.line, snapshot.n_lines - 1)
    return replace(request, diagnostics=(Diagnostic(snapshot.line_span(line), "error", error.first),))


def _applies(action: Action, request: OfferRequest) -> bool:
    """True when the client asks for such actions here."""
    if not is_requested(action.kind, request.only):
        return False
    return bool(request.diagnostics) if action.target is TargetKind.DIAGNOSTIC else not request.automatic


def _offer(action: Action, request: OfferRequest, target: Target | str, model: ModelInfo | None) -> Offer:
    diagnostics = request.diagnostics if action.target is TargetKind.DIAGNOSTIC else ()
    if isinstance(target, str):
        title = action.title.format(what=_in_words(diagnostics) or "code")
        return Offer(action, title, diagnostics, target)
    title = action.title.format(what=_in_words(diagnostics) or target.words)
    if model is not None and chat_format(model) is None:
        return Offer(action, title, diagnostics, f"{model.name} {NO_CHAT}")
    if action.needs_instruction:
        return _instructed(action, request, target)
    return Offer(action, title, diagnostics, OUTPUTS[action.output].hindrance(request.snapshot, target))


def _instructed(action: Action, request: OfferRequest, target: Target) -> Offer:
    """The offer of an action that needs an instruction: from the comment above the code, or from the user."""
    written = instruction_for(request.snapshot, request.span, target.span, language_at(request.snapshot))
    title = action.title.format(what=target.words)
    if written is not None and written[0]:
        return Offer(action, f"Rewrite: {_shortened(written[0])}")
    if request.asks_instructions:
        return Offer(action, title.replace(" as instructed", "…"), needs_instruction=True)
    return Offer(action, title, disabled="write what to change above the code as a comment: devstral: use a loop")


def _in_words(diagnostics: Sequence[Diagnostic]) -> str:
    if not diagnostics:
        return ""
    more = f" (and {len(diagnostics) - 1} more)" if len(diagnostics) > 1 else ""
    return _shortened(" ".join(diagnostics[0].message.split())) + more


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_TITLE else text[: _MAX_TITLE - 1].rstrip() + "…"
