"""``textDocument/codeAction`` and ``codeAction/resolve``: offers without the model, the edit when one is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from devstral_ls.actions.table import ACTIONS, KINDS
from devstral_ls.code_context import Diagnostic
from devstral_ls.server.actions.arguments import CLEAR, RUN, arguments_of, query_of
from devstral_ls.text import Snapshot, Span

if TYPE_CHECKING:
    from devstral_ls.actions.offer import Offer
    from devstral_ls.server.documents.store import Documents
    from devstral_ls.server.server import DevstralServer

OPTIONS = types.CodeActionOptions(code_action_kinds=list(KINDS), resolve_provider=True)

_NO_EDITS = "this editor takes no edits from a server"


async def code_action(
    ls: DevstralServer, params: types.CodeActionParams
) -> Sequence[types.CodeAction | types.Command] | None:
    """Answer ``textDocument/codeAction``; editors ask at every move of the cursor."""
    snapshot = ls.documents.snapshot(params.text_document.uri)
    if snapshot is None:
        return None
    start = ls.documents.offset(snapshot, params.range.start)
    end = ls.documents.offset(snapshot, params.range.end)
    span = Span(min(start, end), max(start, end))
    if start == end:
        ls.on_cursor_idle(snapshot, end)  # no other message tells that the cursor has moved
    if not ls.settings.actions.enable:
        return None
    actions: list[types.CodeAction] = []
    with ls.reporter.reporting(asked_for=False):
        await ls.pipeline()  # imports what is needed, beside the event loop
        actions += _for_findings(ls, snapshot, span, params.context)
        actions += await _offered(ls, snapshot, span, params.context)
    if ls.client.abilities.action_literals:
        return actions
    return [action.command for action in actions if action.command is not None and action.disabled is None]


async def resolve(ls: DevstralServer, action: types.CodeAction) -> types.CodeAction:
    """Answer ``codeAction/resolve``: compute the edit, once."""
    if action.edit is not None or action.data is None:
        return action
    query = query_of(ls.documents, ls.actions.fixes, action.data, "codeAction/resolve")
    action.edit = await ls.actions.resolve(query)
    return action


async def _offered(
    ls: DevstralServer, snapshot: Snapshot, span: Span, context: types.CodeActionContext
) -> list[types.CodeAction]:
    from devstral_ls.actions.offer import OfferRequest, offers

    automatic = context.trigger_kind is types.CodeActionTriggerKind.Automatic
    diagnostics = _diagnostics(ls, snapshot, span, context)
    if automatic and not diagnostics:
        return []  # at every move of the cursor
    request = OfferRequest(
        snapshot,
        span,
        diagnostics,
        None if context.only is None else tuple(_value(kind) for kind in context.only),
        automatic,
        ls.client.abilities.asks_instruction,
        await _hidden(ls, snapshot),
        ls.settings.actions.review,
    )
    offered = offers(request, ls.session.tree(snapshot), ls.actions.model)
    actions = (_action(ls, snapshot, span, context, offer) for offer in offered)
    return [action for action in actions if action is not None]


async def _hidden(ls: DevstralServer, snapshot: Snapshot) -> str:
    """Why no model may see the document; empty when one may."""
    from devstral_ls.actions.privacy import HIDDEN

    return HIDDEN.get(await ls.actions.may_show(snapshot.uri), "")


def _action(
    ls: DevstralServer, snapshot: Snapshot, span: Span, context: types.CodeActionContext, offer: Offer
) -> types.CodeAction | None:
    abilities, row = ls.client.abilities, offer.action
    tried = ls.actions.fixes.still_reported(snapshot, offer.diagnostics)
    title = f"{offer.title} (still reported; another try)" if tried else offer.title
    tags = [types.CodeActionTag.LlmGenerated] if abilities.tags_actions else None
    action = types.CodeAction(title=f"Devstral: {title}", kind=row.kind, tags=tags)
    disabled = offer.disabled
    if row.edits and not abilities.applies_edits and (offer.needs_instruction or not abilities.resolves_actions):
        disabled = disabled or _NO_EDITS
    if disabled:
        action.disabled = types.CodeActionDisabled(reason=disabled)
        return action if abilities.disabled_actions else None
    action.diagnostics = (list(context.diagnostics) or None) if offer.diagnostics else None
    action.is_preferred = (row.is_preferred and not tried) or None
    data = arguments_of(ls.documents, row.id, snapshot, span, offer.diagnostics)
    live = ls.settings.actions.apply == "live" and abilities.applies_edits and abilities.versioned_edits
    if row.edits and abilities.resolves_actions and not live and not offer.needs_instruction:
        action.data = data
    else:
        action.command = types.Command(title=action.title, command=RUN, arguments=[data])
    return action


def _for_findings(
    ls: DevstralServer, snapshot: Snapshot, span: Span, context: types.CodeActionContext
) -> list[types.CodeAction]:
    """The quick fix of each finding there, and a way to dismiss it; no model is asked."""
    from devstral_ls.actions.table import is_requested
    from devstral_ls.server.actions.workspace_edit import edit_of

    kind = ACTIONS["fix"].kind
    only = None if context.only is None else tuple(_value(one) for one in context.only)
    if not is_requested(kind, only):
        return []
    findings = ls.actions.findings
    actions = []
    for shown in findings.at(snapshot, span):
        diagnostics = [findings.diagnostic(snapshot, shown)]
        edit = findings.fix(snapshot, shown)
        if edit is not None:
            title = f"Devstral: Change to `{edit.text.strip()[:60]}`"
            tags = [types.CodeActionTag.LlmGenerated] if ls.client.abilities.tags_actions else None
            fix = types.CodeAction(title=title, kind=kind, is_preferred=True, diagnostics=diagnostics, tags=tags)
            fix.edit = edit_of(ls.documents, snapshot, edit, ls.client.abilities)
            actions.append(fix)
        title = "Devstral: Dismiss this finding"
        argument: Any = {"uri": snapshot.uri, "id": shown.id}
        command = types.Command(title=title, command=CLEAR, arguments=[argument])
        actions.append(types.CodeAction(title=title, kind=kind, diagnostics=diagnostics, command=command))
    return actions


def _diagnostics(
    ls: DevstralServer, snapshot: Snapshot, span: Span, context: types.CodeActionContext
) -> tuple[Diagnostic, ...]:
    """Those of the request; else what the client passed on for these lines: an editor may send a server only its own."""
    if context.diagnostics:
        return tuple(_diagnostic(ls.documents, snapshot, diagnostic) for diagnostic in context.diagnostics)
    pipeline = ls.session.pipeline
    return tuple(pipeline.reported(snapshot, span)) if pipeline is not None else ()


def _diagnostic(documents: Documents, snapshot: Snapshot, diagnostic: types.Diagnostic) -> Diagnostic:
    start = documents.offset(snapshot, diagnostic.range.start)
    end = documents.offset(snapshot, diagnostic.range.end)
    severity: Any = diagnostic.severity.name.lower() if diagnostic.severity else "error"
    code = "" if diagnostic.code is None else str(diagnostic.code)
    source = diagnostic.source or ""
    message = diagnostic.message if isinstance(diagnostic.message, str) else diagnostic.message.value
    return Diagnostic(Span(start, max(start, end)), severity, message, code, source)


def _value(kind: types.CodeActionKind | str) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else kind


HANDLERS = {
    types.TEXT_DOCUMENT_CODE_ACTION: code_action,
    types.CODE_ACTION_RESOLVE: resolve,
}
