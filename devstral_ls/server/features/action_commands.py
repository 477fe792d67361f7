"""``devstral.runAction`` and ``devstral.clearReview``: the commands behind code actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pygls.exceptions import JsonRpcInvalidParams

from devstral_ls.errors import DevstralError
from devstral_ls.server.actions.arguments import CLEAR, RUN, query_of

if TYPE_CHECKING:
    from devstral_ls.server.server import DevstralServer


async def run_action(ls: DevstralServer, *arguments: Any) -> dict[str, Any]:
    """``devstral.runAction``: do an action, with ``{action, uri, version?, range, instruction?, diagnostics?}``."""
    if len(arguments) != 1:
        raise JsonRpcInvalidParams(f"{RUN}: expected one argument, an object with action, uri and range")
    try:
        return await ls.actions.perform(query_of(ls.documents, ls.actions.fixes, arguments[0], RUN))
    except DevstralError as error:
        ls.reporter.tell(error.message, error.hint)
        return {"applied": False, "message": error.message, "code": error.code}


async def clear_review(ls: DevstralServer, *arguments: Any) -> int:
    """``devstral.clearReview``: dismiss one finding, those of a document, or all; returns how many."""
    argument = arguments[0] if len(arguments) == 1 else {}
    argument = {"uri": argument} if isinstance(argument, str) else argument
    if len(arguments) > 1 or not isinstance(argument, dict):
        raise JsonRpcInvalidParams(f"{CLEAR}: expected nothing, a URI, or an object with uri and id")
    uri, finding = argument.get("uri"), argument.get("id")
    if not isinstance(uri, str | None) or not isinstance(finding, str | None):
        raise JsonRpcInvalidParams(f"{CLEAR}: uri and id are strings")
    return ls.actions.findings.clear(uri, finding)
