"""``textDocument/codeAction`` and ``codeAction/resolve``: offers without the model, the edit when one is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from devstral_ls.actions.query import Problem
from devstral_ls.actions.table import ACTIONS, KINDS
from devstral_ls.server.action_arguments import CLEAR, RUN, arguments_of, query_of
from devstral_ls.text import Snapshot, Span

if TYPE_CHECKING:
    from devstral_ls.actions.offer import Offer
    from devstral_ls.server.app import DevstralServer

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
        ls.on_cursor_idle(snapshot, end)  # nothing else in the protocol tells of a cursor that moves
    if not ls.settings.actions.enable:
        return None
    made: list[types.CodeAction] = []
    with ls.reporter.reporting(asked_for=False):
        await ls.pipeline()  # imports what is needed, beside the event loop
        made = [*_of_findings(ls, snapshot, span, params.context), *await _offered(ls, snapshot, span, params.context)]
    if ls.actions.abilities.literals:
        return made
    return [action.command for action in made if action.command is not None and action.disabled is None]


async def resolve(ls: DevstralServer, action: types.CodeAction) -> types.CodeAction:
    """Answer ``codeAction/resolve``: compute the edit, once."""
    if action.edit is not None or action.data is None:
        return action
    query = query_of(ls, action.data, "codeAction/resolve")
    action.edit = await ls.actions.run(query, edits=True)
    return action


async def _offered(
    ls: DevstralServer, snapshot: Snapshot, span: Span, context: types.CodeActionContext
) -> list[types.CodeAction]:
    from devstral_ls.actions.offer import Asked, offers

    automatic = context.trigger_kind is types.CodeActionTriggerKind.Automatic
    if automatic and not context.diagnostics:
        return []  # at every move of the cursor
    problems = tuple(_problem(ls, snapshot, one) for one in context.diagnostics)
    asked = Asked(
        snapshot,
        span,
        problems,
        None if context.only is None else tuple(_value(kind) for kind in context.only),
        automatic,
        ls.actions.abilities.asks,
        await _hidden(ls, snapshot),
    )
    model = ls.parts.engine.model if ls.parts.engine is not None else None
    found = offers(asked, ls.actions.trees.tree(snapshot), model)
    made = (_action(ls, snapshot, span, context, offer) for offer in found)
    return [one for one in made if one is not None]


async def _hidden(ls: DevstralServer, snapshot: Snapshot) -> str:
    """Why no model may see the document; empty if it may."""
    from devstral_ls.actions.privacy import EXCLUDED, IGNORED
    from devstral_ls.retrieval.visibility import is_excluded_document

    if is_excluded_document(snapshot.uri, ls.settings.privacy.exclude):
        return EXCLUDED
    return "" if await ls.actions.elsewhere(tries=1).allows(snapshot) else IGNORED


def _action(
    ls: DevstralServer, snapshot: Snapshot, span: Span, context: types.CodeActionContext, offer: Offer
) -> types.CodeAction | None:
    able, row = ls.actions.abilities, offer.action
    tried = ls.actions.still_reported(snapshot, offer.problems)
    title = f"{offer.title} (still reported; another try)" if tried else offer.title
    made = types.CodeAction(title=f"Devstral: {title}", kind=row.kind)
    disabled = offer.disabled
    if row.edits and not able.applies and (offer.needs_instruction or not able.resolves):
        disabled = disabled or _NO_EDITS
    if disabled:
        made.disabled = types.CodeActionDisabled(reason=disabled)
        return made if able.disabled else None
    made.diagnostics = list(context.diagnostics) if offer.problems else None
    made.is_preferred = (row.is_preferred and not tried) or None
    data = arguments_of(ls, row.id, snapshot, span, offer.problems)
    live = ls.settings.actions.apply == "live" and able.applies and able.versioned
    if row.edits and able.resolves and not live and not offer.needs_instruction:
        made.data = data
    else:
        made.command = types.Command(title=made.title, command=RUN, arguments=[data])
    return made


def _of_findings(
    ls: DevstralServer, snapshot: Snapshot, span: Span, context: types.CodeActionContext
) -> list[types.CodeAction]:
    """The quick fix of each finding there, and a way to be rid of it; no model is asked."""
    from devstral_ls.actions.table import wanted
    from devstral_ls.server.workspace_edit import edit_of

    kind = ACTIONS["fix"].kind
    only = None if context.only is None else tuple(_value(one) for one in context.only)
    if not wanted(kind, only):
        return []
    made = []
    for shown in ls.actions.reviews.at(snapshot, span):
        diagnostic = ls.actions.reviews.diagnostic(snapshot, shown)
        edit = ls.actions.reviews.fix(snapshot, shown)
        if edit is not None:
            made.append(
                types.CodeAction(
                    title=f"Devstral: Change to `{edit.text.strip()[:60]}`",
                    kind=kind,
                    is_preferred=True,
                    diagnostics=[diagnostic],
                    edit=edit_of(ls.documents, snapshot, edit, ls.actions.abilities),
                )
            )
        title = "Devstral: Dismiss this finding"
        argument: Any = {"uri": snapshot.uri, "id": shown.id}
        command = types.Command(title=title, command=CLEAR, arguments=[argument])
        made.append(types.CodeAction(title=title, kind=kind, diagnostics=[diagnostic], command=command))
    return made


def _problem(ls: DevstralServer, snapshot: Snapshot, diagnostic: types.Diagnostic) -> Problem:
    start = ls.documents.offset(snapshot, diagnostic.range.start)
    end = ls.documents.offset(snapshot, diagnostic.range.end)
    severity = diagnostic.severity.name.lower() if diagnostic.severity else "error"
    code = "" if diagnostic.code is None else str(diagnostic.code)
    source = diagnostic.source or ""
    message = diagnostic.message if isinstance(diagnostic.message, str) else diagnostic.message.value
    return Problem(Span(start, max(start, end)), message, severity, code, source)


def _value(kind: types.CodeActionKind | str) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else kind
