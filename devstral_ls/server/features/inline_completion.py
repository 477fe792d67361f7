"""``textDocument/inlineCompletion``: ghost text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from devstral_ls.server.features import completion_items
from devstral_ls.suggest.trace import InlineQuery, Outcome, Reason, Suggestion

if TYPE_CHECKING:
    from devstral_ls.server.server import DevstralServer
    from devstral_ls.text import Snapshot


async def inline_completion(ls: DevstralServer, params: types.InlineCompletionParams) -> types.InlineCompletionList:
    """Answer ``textDocument/inlineCompletion``."""
    place = ls.documents.at(params)
    if place is None:
        return types.InlineCompletionList(items=[])
    snapshot, cursor = place
    invoked = params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked
    suggestions: tuple[Suggestion, ...] = ()
    with ls.reporter.reporting(asked_for=invoked):
        suggestions = await suggest(ls, snapshot, cursor, invoked=invoked)
    ls.statistics.shown(snapshot, cursor, suggestions, ls.session.model)
    return completion_items.inline_completion_list(ls.documents, snapshot, suggestions)


async def suggest(ls: DevstralServer, snapshot: Snapshot, cursor: int, *, invoked: bool) -> tuple[Suggestion, ...]:
    """The pipeline's suggestions; none where the document has changed meanwhile.

    Raises:
        DevstralError: the engine failed.
    """
    pipeline = await ls.pipeline()
    start = ls.clock()
    if pipeline is None:
        return _no_model(ls, invoked=invoked)
    if not ls.documents.is_current(snapshot):  # changed or closed while the pipeline was made
        return ()
    with ls.statistics.asking(snapshot, ls.session.model):
        outcome = await pipeline.inline(InlineQuery(snapshot, cursor, invoked), ls.settings)
    trace = outcome.trace
    latency_ms = 1000 * (ls.clock() - start) - trace.stages.get("pace", 0.0)  # waiting for a pause is no latency
    if outcome.asked_model and trace.reason is not Reason.SUPERSEDED:
        ls.status.answered(latency_ms)
    if not ls.documents.is_current(snapshot):
        trace.reason = Reason.DOCUMENT_MOVED if outcome.suggestions else trace.reason
        outcome = Outcome((), trace)
    ls.statistics.answered(snapshot, outcome, latency_ms, ls.session.model)
    return _no_model(ls, invoked=invoked) if trace.reason is Reason.NOT_READY else outcome.suggestions


def _no_model(ls: DevstralServer, *, invoked: bool) -> tuple[Suggestion, ...]:
    """No suggestions; a user who asked for them is told why there is no model."""
    if invoked:
        ls.tell_state()
    return ()


HANDLERS = {types.TEXT_DOCUMENT_INLINE_COMPLETION: inline_completion}
