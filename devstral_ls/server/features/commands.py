"""``workspace/executeCommand``: what the user did with a suggestion, and the user's own switches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from devstral_ls.server.actions.arguments import CLEAR, RUN
from devstral_ls.server.features.action_commands import clear_review, run_action
from devstral_ls.server.features.completion_items import ACCEPTED
from devstral_ls.server.features.reasons import REASONS
from devstral_ls.suggest.trace import Reason, Trace

if TYPE_CHECKING:
    from devstral_ls.server.server import DevstralServer


async def execute_command(ls: DevstralServer, params: types.ExecuteCommandParams) -> Any:
    """Run a command with its arguments as they came."""
    command = ls.features.commands.get(params.command)
    if command is None:
        raise JsonRpcInvalidParams(f"no such command: {params.command[:80]}")
    return await command(*(params.arguments or ()))


async def accepted(ls: DevstralServer, *arguments: Any) -> None:
    """``devstral.accepted``: the user accepted the suggestion of that id."""
    suggestion_id = _suggestion_id("devstral.accepted", arguments)
    if (pipeline := ls.session.pipeline) is not None:
        pipeline.accepted(suggestion_id)
    ls.statistics.accepted(suggestion_id)


async def rejected(ls: DevstralServer, *arguments: Any) -> None:
    """``devstral.rejected``: the user dismissed the suggestion of that id."""
    suggestion_id = _suggestion_id("devstral.rejected", arguments)
    if (pipeline := ls.session.pipeline) is not None:
        pipeline.rejected(suggestion_id)
    ls.statistics.rejected(suggestion_id)


async def restart_engine(ls: DevstralServer, *arguments: Any) -> None:
    """``devstral.restartEngine``: read the settings again, give the engine up and start over."""
    _no_arguments("devstral.restartEngine", arguments)
    ls.show_problems(ls.configuration.refresh())
    with ls.reporter.reporting(asked_for=True):
        await ls.session.restart(ls.settings)


async def toggle_inline(ls: DevstralServer, *arguments: Any) -> bool:
    """``devstral.toggleInline``: ghost text on or off until the server ends. True when it is on now."""
    _no_arguments("devstral.toggleInline", arguments)
    return ls.configuration.toggle_inline()


async def set_inline(ls: DevstralServer, *arguments: Any) -> bool:
    """``devstral.setInline``: ghost text on, or off, until the server ends. True when it is on now."""
    argument = arguments[0] if len(arguments) == 1 else None
    enable = argument.get("enable") if isinstance(argument, Mapping) else None
    if not isinstance(enable, bool):
        raise JsonRpcInvalidParams("devstral.setInline: expected {enable: true} or {enable: false}")
    return ls.configuration.set_inline(enable)


async def why(ls: DevstralServer, *arguments: Any) -> dict[str, Any] | None:
    """``devstral.why``: the trace of a document's last request; reasons and times, no text.

    The argument is the document's URI, or ``{"uri": ...}`` as LSP's text document identifiers are.
    """
    argument = arguments[0] if len(arguments) == 1 else None
    uri = argument.get("uri") if isinstance(argument, Mapping) else argument
    if not isinstance(uri, str):
        raise JsonRpcInvalidParams("devstral.why: expected the URI of a document")
    if ls.documents.snapshot(uri) is None:
        return trace_json(Trace(Reason.UNKNOWN_DOCUMENT))
    pipeline = ls.session.pipeline
    trace = pipeline.why(uri) if pipeline is not None else None
    return None if trace is None else trace_json(trace)


async def index(ls: DevstralServer, *arguments: Any) -> dict[str, Any]:
    """``devstral.index``: how many files and names the workspace index has, and whether it has seen all; no text."""
    _no_arguments("devstral.index", arguments)
    state = {} if ls.workspace.index is None else await ls.workspace.index.state()
    return {"files": 0, "names": 0, "done": False} | {
        name: value for name, value in state.items() if name in ("files", "names", "done")
    }


def trace_json(trace: Trace) -> dict[str, Any]:
    """``trace`` as JSON."""
    explanation = REASONS[trace.reason]
    return {
        "reason": trace.reason.value,
        "sentence": explanation.sentence,
        "hint": explanation.hint,
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
    "devstral.setInline": set_inline,
    "devstral.why": why,
    "devstral.index": index,
    RUN: run_action,
    CLEAR: clear_review,
}


def _suggestion_id(command: str, arguments: tuple[Any, ...]) -> str:
    if len(arguments) != 1 or not isinstance(arguments[0], str):
        raise JsonRpcInvalidParams(f"{command}: expected one argument, the suggestion's id")
    return arguments[0]


def _no_arguments(command: str, arguments: tuple[Any, ...]) -> None:
    if arguments:
        raise JsonRpcInvalidParams(f"{command}: takes no arguments")


HANDLERS = {types.WORKSPACE_EXECUTE_COMMAND: execute_command}
