"""Code that replaces the target: requested piece by piece, checked, requested once more, or refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from devstral_ls.actions.answer import code_in, is_closed, whole_lines
from devstral_ls.actions.chat_session import ChatAnswer, ChatRequest
from devstral_ls.actions.context import ActionContext
from devstral_ls.actions.outputs.import_statements import imports_edit
from devstral_ls.actions.outputs.placement import Fault, Placed, code_for_target, without_imports
from devstral_ls.actions.outputs.sampling import sample_repairs
from devstral_ls.actions.outputs.streamed_edit import merged
from devstral_ls.actions.query import ActionRefused, Result
from devstral_ls.actions.target.find import Target
from devstral_ls.actions.target.line_style import dedent, reindent
from devstral_ls.actions.target.pieces import piece_chars, pieces
from devstral_ls.errors import PromptTooLong
from devstral_ls.text import Edit, Span, apply, unix_newlines

OnDraftText = Callable[[str], Awaitable[None]]


async def write_replacement(context: ActionContext) -> Result:
    """Rewrite the target; for a fix, sample other answers where the most likely one changes nothing or fails.

    Raises:
        ActionRefused: it cannot be done, or no answer passed the checks.
        PromptTooLong: the target does not fit the model's context.
    """
    context.refuse_secrets(context.target.span)
    failure: ActionRefused | PromptTooLong = ActionRefused("the model found nothing to change")
    edit: Edit | None = None
    notes: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    try:
        edit, notes, imports = await _rewritten(context)
    except (ActionRefused, PromptTooLong) as error:
        failure = error
    if edit is None or edit.text == context.snapshot.of(edit.span):
        repair = await sample_repairs(context)
        if repair is None:
            raise failure
        (edit, notes), imports = repair, ()
    if names := context.checks.dropped(edit):
        notes = (*notes, f"no longer there: {', '.join(names)}")
    syntax = context.checks.syntax
    added = imports_edit(imports, syntax, edit.span.start) if imports and syntax is not None else None
    return context.result(edit=edit, imports=added, notes=notes)


async def _rewritten(context: ActionContext) -> tuple[Edit, tuple[str, ...], tuple[str, ...]]:
    """The target as the model writes it, which may be as it was, notes for the user, and the imports that it needs.

    Raises:
        ActionRefused, PromptTooLong: as ``write_replacement``.
    """
    target, snapshot = context.target, context.snapshot
    spans = pieces(context.checks.syntax, snapshot, target, piece_chars(context.model))
    if spans is None:
        raise context.too_long()
    spans = _with_diagnostics(context, spans)
    code = snapshot.of(target.span)
    notes: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    delta = 0
    for number, span in enumerate(spans):
        if len(spans) > 1:
            context.chat.enter(f"part {number + 1} of {len(spans)}")
        at = Span(span.start - target.span.start + delta, span.end - target.span.start + delta)
        piece = await _piece(context, span, partial(_draft, context, code, at))
        code = apply(code, Edit(at, piece.text))
        delta += len(piece.text) - len(span)
        notes = tuple(dict.fromkeys((*notes, *piece.notes)))
        imports = tuple(dict.fromkeys((*imports, *piece.imports)))
    edit = Edit(target.span, code)
    if error := context.checks.worse(edit):
        raise _refusal(Fault(f"wrote code that does not parse ({error})"))
    return edit, notes, imports


def _with_diagnostics(context: ActionContext, spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Of several pieces those that contain a diagnostic; all where none does."""
    diagnostics = context.query.diagnostics
    if len(spans) == 1:
        return spans
    hit = tuple(
        span
        for span in spans
        if any(item.span.start <= span.end and item.span.end >= span.start for item in diagnostics)
    )
    return hit or spans


async def _draft(context: ActionContext, code: str, at: Span, text: str) -> None:
    """Show the target with ``text`` at ``at`` of its ``code``."""
    await context.draft(Edit(context.target.span, apply(code, Edit(at, text))))


async def _piece(context: ActionContext, span: Span, on_draft: OnDraftText) -> Placed:
    """The new text of ``span``, asked for a second time where the first answer has a fault.

    Raises:
        ActionRefused: both answers have one.
    """
    whole = span == context.target.span
    target = context.target if whole else replace(context.target, kind="selection", name="", span=span, header=None)
    request = context.request(target, _first_lines(context, target))
    answer = await _ask(context, request, target, on_draft)
    placed = code_for_target(context, request, answer, target)
    if isinstance(placed, Fault) and not placed.is_final:
        context.chat.enter("trying once more")
        again = (
            f"That cannot be used: it {placed.text}. Write the code again, complete and correct, in one fenced block."
        )
        request = request.followed_by(answer, again)
        answer = await _ask(context, request, target, on_draft)
        placed = code_for_target(context, request, answer, target)
    if isinstance(placed, Fault):
        raise _refusal(placed)
    return placed


async def _ask(context: ActionContext, request: ChatRequest, target: Target, on_draft: OnDraftText) -> ChatAnswer:
    old = context.snapshot.of(target.span)
    style = context.line_style(target.span)
    dedented = dedent(old, style)

    async def show(text: str) -> None:
        code = code_in(request.prefix, text)
        if not code.in_fence:
            return
        text = without_imports(context, code.text, target)[1]
        lines = whole_lines(text + ("\n" if code.closed else ""))
        if "".join(lines).strip():
            lines = reindent("\n".join(lines), style, dedented).split(style.line_end)
            await on_draft(merged(unix_newlines(old), lines).replace("\n", style.line_end))

    return await context.chat.ask(request, partial(is_closed, request.prefix), show)


def _first_lines(context: ActionContext, target: Target) -> str:
    """The first lines of the answer, up to the end of the target's header; empty where these may have to change."""
    header = target.header
    if not context.action.prefills_header or header is None or target.selection is not None:
        return ""
    snapshot = context.snapshot
    end = snapshot.line_span(snapshot.line_at(header.end)).end
    if end >= target.span.end or any(item.span.start <= end for item in context.query.diagnostics):
        return ""
    return dedent(snapshot.text[target.span.start : end], context.line_style(target.span)) + "\n"


def _refusal(fault: Fault) -> ActionRefused:
    text = fault.text if fault.text.startswith(("wrote", "did")) else f"wrote code that {fault.text}"
    return ActionRefused(f"the model {text}", hint="Nothing was changed; ask again, or with less code.")
