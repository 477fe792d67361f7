"""What a code action carries to the client and back: ``{action, uri, version, range, instruction?, diagnostics?}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from devstral_ls.actions.query import ActionQuery
from devstral_ls.actions.table import ACTIONS
from devstral_ls.code_context import Diagnostic
from devstral_ls.errors import EditConflict
from devstral_ls.server.actions.applied_fixes import AppliedFixes
from devstral_ls.server.documents.store import Documents
from devstral_ls.text import Snapshot, Span

RUN = "devstral.runAction"
CLEAR = "devstral.clearReview"

_MAX_INSTRUCTION = 4_000
"""Characters."""

_MAX_DIAGNOSTICS = 20
"""Diagnostics of one action: more would not fit the prompt."""

_ENDS = ("start", "end")


def arguments_of(
    documents: Documents, action: str, snapshot: Snapshot, span: Span, diagnostics: Sequence[Diagnostic]
) -> dict[str, Any]:
    """The argument of ``devstral.runAction``, and the data of an action that is resolved."""
    arguments: dict[str, Any] = {
        "action": action,
        "uri": snapshot.uri,
        "version": snapshot.version,
        "range": _range(documents, snapshot, span),
    }
    if diagnostics:
        arguments["diagnostics"] = [
            {
                "range": _range(documents, snapshot, item.span),
                "message": item.message,
                "code": item.code,
                "source": item.source,
            }
            for item in diagnostics[:_MAX_DIAGNOSTICS]
        ]
    return arguments


def query_of(documents: Documents, fixes: AppliedFixes, arguments: Any, where: str) -> ActionQuery:
    """The query that ``arguments`` stand for; ``where`` they came from is named in errors.

    Raises:
        JsonRpcInvalidParams: they cannot be read; the message names the member.
        EditConflict: the document has changed since the action was offered.
    """
    if not isinstance(arguments, Mapping):
        raise JsonRpcInvalidParams(f"{where}: expected an object with action, uri and range")
    action, uri = _string(arguments, "action", where), _string(arguments, "uri", where)
    if action not in ACTIONS:
        raise JsonRpcInvalidParams(f"{where}: action: there are {', '.join(ACTIONS)}")
    snapshot = documents.snapshot(uri)
    if snapshot is None:
        raise JsonRpcInvalidParams(f"{where}: uri: that document is not open")
    version = arguments.get("version")
    if isinstance(version, int) and version != snapshot.version:
        raise EditConflict("the document has changed since the action was offered", hint="Ask for it again.")
    instruction = arguments.get("instruction") or ""
    if not isinstance(instruction, str) or len(instruction) > _MAX_INSTRUCTION:
        raise JsonRpcInvalidParams(f"{where}: instruction: expected a string of at most {_MAX_INSTRUCTION} characters")
    span = _span(documents, snapshot, arguments.get("range"), where)
    diagnostics = _diagnostics(documents, snapshot, arguments.get("diagnostics"), where)
    return ActionQuery(
        action, snapshot, span, instruction.strip(), diagnostics, fixes.still_reported(snapshot, diagnostics)
    )


def _string(arguments: Mapping[str, Any], member: str, where: str) -> str:
    value = arguments.get(member)
    if not isinstance(value, str):
        raise JsonRpcInvalidParams(f"{where}: {member}: expected a string")
    return value


def _span(documents: Documents, snapshot: Snapshot, range_: Any, where: str) -> Span:
    try:
        ends = [types.Position(int(range_[end]["line"]), int(range_[end]["character"])) for end in _ENDS]
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise JsonRpcInvalidParams(f"{where}: range: expected start and end with line and character") from error
    start, end = sorted(documents.offset(snapshot, position) for position in ends)
    return Span(start, end)


def _diagnostics(documents: Documents, snapshot: Snapshot, items: Any, where: str) -> tuple[Diagnostic, ...]:
    if items is None:
        return ()
    if not isinstance(items, list | tuple):
        raise JsonRpcInvalidParams(f"{where}: diagnostics: expected a list")
    diagnostics = []
    for item in items[:_MAX_DIAGNOSTICS]:
        if not isinstance(item, Mapping) or not isinstance(item.get("message"), str):
            raise JsonRpcInvalidParams(f"{where}: diagnostics: expected a range and a message each")
        span = _span(documents, snapshot, item.get("range"), where)
        code, source = str(item.get("code") or ""), str(item.get("source") or "")
        diagnostics.append(Diagnostic(span, "error", item["message"], code, source))
    return tuple(diagnostics)


def _range(documents: Documents, snapshot: Snapshot, span: Span) -> dict[str, Any]:
    range_ = documents.range(snapshot, span)
    return {
        end: {"line": position.line, "character": position.character}
        for end, position in zip(_ENDS, (range_.start, range_.end), strict=True)
    }
