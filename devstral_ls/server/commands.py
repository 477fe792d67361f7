"""``workspace/executeCommand``: what became of a suggestion, and the user's own switches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pygls.exceptions import JsonRpcInvalidParams

from devstral_ls.server.action_arguments import CLEAR, RUN
from devstral_ls.server.action_commands import clear_review, run_action
from devstral_ls.server.encode import ACCEPTED
from devstral_ls.suggest.trace import Reason, Trace

if TYPE_CHECKING:
    from devstral_ls.server.app import DevstralServer


async def accepted(ls: DevstralServer, *arguments: Any) -> None:
    """``devstral.accepted``: the user took the suggestion of that id."""
    suggestion_id = _string("devstral.accepted", arguments)
    if (pipeline := ls.parts.pipeline) is not None:
        pipeline.feedback.accepted(suggestion_id)
    ls.statistics.accepted(suggestion_id)


async def rejected(ls: DevstralServer, *arguments: Any) -> None:
    """``devstral.rejected``: the user dismissed the suggestion of that id."""
    suggestion_id = _string("devstral.rejected", arguments)
    if (pipeline := ls.parts.pipeline) is not None:
        pipeline.feedback.rejected(suggestion_id)
    ls.statistics.rejected(suggestion_id)


async def restart_engine(ls: DevstralServer, *arguments: Any) -> None:
    """``devstral.restartEngine``: read the settings again, give the engine up and start over."""
    _nothing("devstral.restartEngine", arguments)
    ls.show_problems(ls.configuration.refresh())
    with ls.reporter.reporting(asked_for=True):
        await ls.parts.restart(ls.settings)


async def toggle_inline(ls: DevstralServer, *arguments: Any) -> bool:
    """``devstral.toggleInline``: ghost text on or off until the server ends; is it on now?"""
    _nothing("devstral.toggleInline", arguments)
    return ls.configuration.toggle_inline()


async def why(ls: DevstralServer, *arguments: Any) -> dict[str, Any] | None:
    """``devstral.why``: how the last request of a document went; reasons and times, no text.

    The argument is the document's URI, or ``{"uri": ...}`` as LSP's text document identifiers are.
    """
    argument = arguments[0] if len(arguments) == 1 else None
    uri = argument.get("uri") if isinstance(argument, Mapping) else argument
    if not isinstance(uri, str):
        raise JsonRpcInvalidParams("devstral.why: expected the URI of a document")
    if ls.documents.snapshot(uri) is None:
        return told(Trace(Reason.UNKNOWN_DOCUMENT))
    pipeline = ls.parts.pipeline
    trace = pipeline.why(uri) if pipeline is not None else None
    return None if trace is None else told(trace)


async def index(ls: DevstralServer, *arguments: Any) -> dict[str, Any]:
    """``devstral.index``: files and names that the workspace's index has, and whether it has seen all; no text."""
    _nothing("devstral.index", arguments)
    known = ls.others.index
    state = await known.state() if known is not None else {}
    return {name: state.get(name, nothing) for name, nothing in (("files", 0), ("names", 0), ("done", False))}


def told(trace: Trace) -> dict[str, Any]:
    """``trace`` as JSON."""
    return {
        "reason": trace.reason.value,
        "layout": trace.layout,
        "model": trace.model,
        "multiline": trace.multiline,
        "cached": trace.cached,
        "confidence": trace.confidence if trace.confidence is None else round(trace.confidence, 3),
        "minConfidence": round(trace.min_confidence, 3),
        "excerpts": trace.excerpts,
        "decisions": trace.decisions,
        "usage": None if trace.usage is None else asdict(trace.usage),
        "stages": {name: round(ms, 2) for name, ms in trace.stages.items()},
    }


Command = Callable[..., Any]

COMMANDS: Mapping[str, Command] = {
    ACCEPTED: accepted,
    "devstral.rejected": rejected,
    "devstral.restartEngine": restart_engine,
    "devstral.toggleInline": toggle_inline,
    "devstral.why": why,
    "devstral.index": index,
    RUN: run_action,
    CLEAR: clear_review,
}


def _string(command: str, arguments: tuple[Any, ...]) -> str:
    if len(arguments) != 1 or not isinstance(arguments[0], str):
        raise JsonRpcInvalidParams(f"{command}: expected one argument, the suggestion's id")
    return arguments[0]


def _nothing(command: str, arguments: tuple[Any, ...]) -> None:
    if arguments:
        raise JsonRpcInvalidParams(f"{command}: takes no arguments")
