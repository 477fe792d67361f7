"""``textDocument/inlineCompletion``: ghost text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from devstral_ls.server import encode
from devstral_ls.suggest.trace import InlineQuery, Outcome, Reason, Suggestion

if TYPE_CHECKING:
    from devstral_ls.server.app import DevstralServer
    from devstral_ls.text import Snapshot


async def inline_completion(ls: DevstralServer, params: types.InlineCompletionParams) -> types.InlineCompletionList:
    """Answer ``textDocument/inlineCompletion``."""
    found = ls.documents.at(params)
    if found is None:
        return types.InlineCompletionList(items=[])
    snapshot, cursor = found
    asked_for = params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked
    suggestions: tuple[Suggestion, ...] = ()
    with ls.reporter.reporting(asked_for=asked_for):
        suggestions = await suggest(ls, snapshot, cursor, invoked=asked_for)
    ls.statistics.shown(snapshot, cursor, suggestions, ls.parts.model)
    return encode.inline_completion_list(ls.documents, snapshot, suggestions)


async def suggest(ls: DevstralServer, snapshot: Snapshot, cursor: int, *, invoked: bool) -> tuple[Suggestion, ...]:
    """What the pipeline suggests there; nothing if the document has moved on meanwhile.

    Raises:
        DevstralError: the engine failed.
    """
    pipeline = await ls.pipeline()
    start = ls.clock()
    if pipeline is None:
        return _nothing(ls, invoked=invoked)
    with ls.statistics.asking(snapshot, ls.parts.model):
        outcome = await pipeline.inline(InlineQuery(snapshot, cursor, invoked), ls.settings)
    trace = outcome.trace
    latency_ms = 1000 * (ls.clock() - start) - trace.stages.get("pace", 0.0)  # waiting for a pause is no latency
    if trace.layout is not None and trace.reason is not Reason.SUPERSEDED:
        ls.status.answered(latency_ms)
    if not ls.documents.is_current(snapshot):
        trace.reason = Reason.DOCUMENT_MOVED if outcome.suggestions else trace.reason
        outcome = Outcome((), trace)
    ls.statistics.answered(snapshot, outcome, latency_ms, ls.parts.model)
    return _nothing(ls, invoked=invoked) if trace.reason is Reason.NOT_READY else outcome.suggestions


def _nothing(ls: DevstralServer, *, invoked: bool) -> tuple[Suggestion, ...]:
    """There is no model: whoever pressed a key is told so."""
    if invoked:
        ls.tell_state()
    return ()
