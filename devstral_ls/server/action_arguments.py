"""What a code action carries to the client and back: ``{action, uri, version, range, instruction?, diagnostics?}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from devstral_ls.actions.query import ActionQuery, Problem
from devstral_ls.actions.table import ACTIONS
from devstral_ls.errors import EditConflict
from devstral_ls.text import Snapshot, Span

if TYPE_CHECKING:
    from devstral_ls.server.app import DevstralServer

RUN = "devstral.runAction"
CLEAR = "devstral.clearReview"

_MAX_INSTRUCTION = 4_000
"""Characters."""

_MAX_PROBLEMS = 20


def arguments_of(
    ls: DevstralServer, action: str, snapshot: Snapshot, span: Span, problems: Sequence[Problem]
) -> dict[str, Any]:
    """The argument of ``devstral.runAction``, and the data of an action that is resolved."""
    made: dict[str, Any] = {
        "action": action,
        "uri": snapshot.uri,
        "version": snapshot.version,
        "range": _range(ls, snapshot, span),
    }
    if problems:
        made["diagnostics"] = [
            {"range": _range(ls, snapshot, one.span), "message": one.message, "code": one.code, "source": one.source}
            for one in problems[:_MAX_PROBLEMS]
        ]
    return made


def query_of(ls: DevstralServer, said: Any, where: str) -> ActionQuery:
    """The query that such an argument means.

    Raises:
        JsonRpcInvalidParams: it cannot be read; the message names the member.
        EditConflict: the document is not that of the offer any more.
    """
    if not isinstance(said, Mapping):
        raise JsonRpcInvalidParams(f"{where}: expected an object with action, uri and range")
    action, uri = _string(said, "action", where), _string(said, "uri", where)
    if action not in ACTIONS:
        raise JsonRpcInvalidParams(f"{where}: action: there are {', '.join(ACTIONS)}")
    snapshot = ls.documents.snapshot(uri)
    if snapshot is None:
        raise JsonRpcInvalidParams(f"{where}: uri: that document is not open")
    version = said.get("version")
    if isinstance(version, int) and version != snapshot.version:
        raise EditConflict("the document has changed since the action was offered", hint="Ask for it again.")
    instruction = said.get("instruction") or ""
    if not isinstance(instruction, str) or len(instruction) > _MAX_INSTRUCTION:
        raise JsonRpcInvalidParams(f"{where}: instruction: expected a string of at most {_MAX_INSTRUCTION} characters")
    span = _span(ls, snapshot, said.get("range"), where)
    problems = _problems(ls, snapshot, said.get("diagnostics"), where)
    tried = ls.actions.still_reported(snapshot, problems)
    return ActionQuery(action, snapshot, span, instruction.strip(), problems, tried)


def _string(said: Mapping[str, Any], member: str, where: str) -> str:
    value = said.get(member)
    if not isinstance(value, str):
        raise JsonRpcInvalidParams(f"{where}: {member}: expected a string")
    return value


def _span(ls: DevstralServer, snapshot: Snapshot, said: Any, where: str) -> Span:
    try:
        ends = [types.Position(line=int(said[end]["line"]), character=int(said[end]["character"])) for end in _ENDS]
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise JsonRpcInvalidParams(f"{where}: range: expected start and end with line and character") from error
    start, end = sorted(ls.documents.offset(snapshot, position) for position in ends)
    return Span(start, end)


def _problems(ls: DevstralServer, snapshot: Snapshot, said: Any, where: str) -> tuple[Problem, ...]:
    if said is None:
        return ()
    if not isinstance(said, list | tuple):
        raise JsonRpcInvalidParams(f"{where}: diagnostics: expected a list")
    found = []
    for one in said[:_MAX_PROBLEMS]:
        if not isinstance(one, Mapping) or not isinstance(one.get("message"), str):
            raise JsonRpcInvalidParams(f"{where}: diagnostics: expected a range and a message each")
        span = _span(ls, snapshot, one.get("range"), where)
        found.append(
            Problem(span, one["message"], code=str(one.get("code") or ""), source=str(one.get("source") or ""))
        )
    return tuple(found)


def _range(ls: DevstralServer, snapshot: Snapshot, span: Span) -> dict[str, Any]:
    range_ = ls.documents.range(snapshot, span)
    return {
        end: {"line": position.line, "character": position.character}
        for end, position in zip(_ENDS, (range_.start, range_.end), strict=True)
    }


_ENDS = ("start", "end")
