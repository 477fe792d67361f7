"""``textDocument/completion``: the same suggestions in the completion list, for editors without ghost text."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types

from devstral_ls.server.features import completion_items
from devstral_ls.server.features.inline_completion import suggest

if TYPE_CHECKING:
    from devstral_ls.server.server import DevstralServer
    from devstral_ls.suggest.trace import Suggestion
    from devstral_ls.text import Snapshot


async def completion(ls: DevstralServer, params: types.CompletionParams) -> types.CompletionList:
    """Answer ``textDocument/completion``, ``completion.timeoutMs`` later at most.

    The pipeline goes on after that: its answer is in the cache when the client asks again.
    """
    place = ls.documents.at(params)
    if place is None or not ls.settings.completion.enable:
        return types.CompletionList(is_incomplete=True, items=[])
    snapshot, cursor = place
    task = ls.tasks.start(_suggestions(ls, snapshot, cursor))
    done, _ = await asyncio.wait({task}, timeout=ls.settings.completion.timeout_ms / 1000)
    suggestions = task.result() if done and not task.cancelled() else ()
    ls.statistics.shown(snapshot, cursor, suggestions, ls.session.model)
    return completion_items.completion_list(ls.documents, snapshot, cursor, suggestions)


async def _suggestions(ls: DevstralServer, snapshot: Snapshot, cursor: int) -> tuple[Suggestion, ...]:
    with ls.reporter.reporting(asked_for=False):
        return await suggest(ls, snapshot, cursor, invoked=False)
    return ()


HANDLERS = {types.TEXT_DOCUMENT_COMPLETION: completion}
