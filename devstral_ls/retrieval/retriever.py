"""Code of other files for a cursor: asked of the workspace index, and of the documents the user was in.

Excerpts stand at the beginning of a prompt, so a different one makes the engine read all of it again. What is found here
are candidates; ``suggest.excerpt_selection`` chooses among them, and keeps its choice while the user types.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakSet

from devstral_ls.code_context import EnclosingDefinition, Excerpt
from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.retrieval.document_context import DocumentContext, IndexResults
from devstral_ls.retrieval.index.workspace_index import IndexScope, WorkspaceIndex
from devstral_ls.retrieval.ranking import (
    EDITED,
    VIEWED,
    definition_candidates,
    imported_names,
    names_near,
    relative,
    sibling_candidates,
    surroundings,
)
from devstral_ls.retrieval.recent import MAX_REGIONS, MAX_TEXT, RecentPlace
from devstral_ls.retrieval.redact import redacted_part
from devstral_ls.retrieval.visibility import IGNORE_FILES, Visibility
from devstral_ls.retrieval.visibility_check import VisibilityCheck
from devstral_ls.settings.tree import Settings
from devstral_ls.text import DocumentChange, Snapshot, Span
from devstral_ls.uris import displayed_path, path_of

MAX_NAMES = 48
"""Asked for at once, the nearest."""

WAIT_S = 0.03
"""Seconds a suggestion waits for the workspace index: what is found later, later prompts show. The first suggestion in a
document waits until the index has answered or given up (``workspace_index.ANSWER_S``): excerpts that come later stand at
the beginning of the next prompt, so that the engine would read all of it again."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What there is for a prompt at a cursor."""

    visibility: Visibility
    """Of the document itself: what is not visible must not be shown to a model."""
    candidates: tuple[Excerpt, ...] | None = ()
    """``None`` while an answer of the index is due."""
    key: object = None
    """Another one means that candidates should be chosen anew."""
    epoch: int = 0
    """Another one means that candidates chosen before must not be shown any more."""
    hidden: frozenset[str] = frozenset()
    """Files of which nothing must be shown, among those of the candidates and of ``chosen``."""


class ContextRetriever:
    """What other files say. Made once for a server.

    Args:
        index: the workspace index; without one only open documents are known.
        wait_s: as ``WAIT_S``.
        visibility: decides what may be shown.
    """

    def __init__(
        self,
        index: WorkspaceIndex | None = None,
        wait_s: float = WAIT_S,
        visibility: VisibilityCheck | None = None,
    ) -> None:
        self.index = index
        self.visibility = visibility or VisibilityCheck()
        self._wait_s = wait_s
        self._contexts: WeakSet[DocumentContext] = WeakSet()
        self._order = itertools.count(1)
        self.asking: set[asyncio.Task[None]] = set()
        """Queries to the index that are on their way."""

    def context_of(self, uri: str) -> DocumentContext:
        """What retrieval is to know of a document that is open from now on. It lasts as long as the caller keeps it."""
        context = DocumentContext(uri)
        self._contexts.add(context)
        return context

    # --- what happens in the workspace ---

    def begin(self, folders: Sequence[str], settings: Settings) -> None:
        """Read the workspace's folders, given by URI, as far as the settings allow."""
        paths = tuple(path for uri in folders if (path := path_of(uri)))
        self.visibility.begin(paths)
        if self.index is not None:
            privacy = settings.privacy
            used = settings.inline.enable or settings.completion.enable or settings.actions.enable
            self.index.begin(IndexScope(paths if used else (), privacy.exclude, privacy.respect_ignore_files))
            self._reset()  # what was found in a file may be what is not to be read any more

    def opened(self, snapshot: Snapshot) -> None:
        """Tell the index the text of a document: when it is opened, and when it rests after a change."""
        if self.index is not None:
            self.index.opened(snapshot.uri, snapshot.text)
            self._outdated(but=snapshot.uri)

    def closed(self, uri: str) -> None:
        """A document was closed."""
        if self.index is not None:
            self.index.closed(uri)

    def changed_on_disk(self, uris: Sequence[str]) -> None:
        """Files were made, changed or removed."""
        if self.index is not None:
            self.index.changed_on_disk(uris)
            if any(uri.rpartition("/")[2] in IGNORE_FILES for uri in uris):
                self._reset()
            self._outdated()

    async def aclose(self) -> None:
        """Let go of the index."""
        for question in self.asking:
            question.cancel()
        self.visibility.close()
        if self.index is not None:
            await self.index.aclose()

    # --- what happens in a document ---

    def edited(self, context: DocumentContext, change: DocumentChange) -> None:
        """The document has changed."""
        context.diagnostics.changed(change)
        if len(change.after.text) <= MAX_TEXT:
            context.recent = RecentPlace(change.after, change.edit.span.start, True, next(self._order))

    async def retrieve(
        self,
        context: DocumentContext,
        snapshot: Snapshot,
        offset: int,
        scope: CursorScope,
        settings: Settings,
        siblings: Sequence[Span] = (),
        reach: int = 0,
        chosen: Sequence[Excerpt] = (),
    ) -> Retrieved:
        """The candidates for a prompt at ``offset``.

        ``siblings`` are the functions beside the cursor's, ``reach`` how many characters around it a prompt may show
        anyway; with 0 there is no room for other code, and there are no candidates. ``chosen`` are excerpts that may be
        shown again. What may be shown is looked up last: it holds for the prompt that is made of the answer.
        """
        sources = settings.inline.context if reach else ()
        results = await self._look_up(context, snapshot, offset, scope, sources)
        self._viewed(context, snapshot, offset)
        found = self._candidates(context, results, snapshot, offset, scope, settings, siblings, reach)
        files = {snapshot.uri, *(one.file for one in (*chosen, *(found.candidates or ())))}
        answers = await self.visibility.answers(files, settings.privacy)
        hidden = frozenset(file for file in files if answers[file] is not Visibility.VISIBLE)
        if snapshot.uri in hidden:
            return Retrieved(answers[snapshot.uri])
        visible = None if found.candidates is None else tuple(e for e in found.candidates if e.file not in hidden)
        return replace(found, hidden=hidden, candidates=visible)

    def _candidates(
        self,
        context: DocumentContext,
        results: IndexResults,
        snapshot: Snapshot,
        offset: int,
        scope: CursorScope,
        settings: Settings,
        siblings: Sequence[Span],
        reach: int,
    ) -> Retrieved:
        """The candidates, of which it is not decided yet whether they may be shown."""
        sources = settings.inline.context if reach else ()
        if not sources:
            return Retrieved(Visibility.VISIBLE)
        if results.is_asking:
            return Retrieved(Visibility.VISIBLE, None, epoch=context.epoch)
        candidates = [
            *definition_candidates(snapshot, offset, results, settings.privacy),
            *self._recent_candidates(context, results, settings),
        ]
        candidates = [one for one in candidates if one.source in sources]
        if "sibling" in sources:
            candidates += sibling_candidates(snapshot, offset, scope, results, reach, siblings, settings.privacy)
        scopes = tuple(one.name for one in scope.scopes)
        key = (scopes, results.imports, results.is_answered, results.siblings, reach, sources, settings.privacy)
        return Retrieved(Visibility.VISIBLE, tuple(candidates), key, context.epoch)

    def _viewed(self, context: DocumentContext, snapshot: Snapshot, offset: int) -> None:
        """Note where the user is, unless something was edited in the document: that says more."""
        if len(snapshot.text) <= MAX_TEXT and not (context.recent and context.recent.edited):
            context.recent = RecentPlace(snapshot, offset, False, next(self._order))

    def _outdated(self, but: str = "") -> None:
        """Other files have changed: what was found is asked for again, what was chosen stays."""
        for context in self._contexts:
            if context.uri != but and context.results is not None:
                context.results.found.clear()

    def _reset(self) -> None:
        for context in self._contexts:
            context.reset()

    # --- the index ---

    async def _look_up(
        self, context: DocumentContext, snapshot: Snapshot, offset: int, scope: CursorScope, sources: Sequence[str]
    ) -> IndexResults:
        results = _results_for(context, tuple(snapshot.of(span) for span in scope.imports))
        is_new = not (results.is_answered or results.is_asking)
        names = _new_names(results, snapshot, offset) if sources else []
        like = surroundings(snapshot, offset, scope) if "sibling" in sources else None
        is_elsewhere = like != results.like
        if self.index is None:
            return results
        if names or is_new or is_elsewhere:
            results.found.update(dict.fromkeys(names))
            results.like, results.siblings = like, () if is_elsewhere else results.siblings
            like = like if is_elsewhere else None
            results.asking = self._ask(self._find(self.index, results, names, snapshot, like, counterpart=is_new))
            await asyncio.wait([results.asking], timeout=self._wait_s if results.was_awaited else None)
            results.was_awaited = True
        return results

    def _ask(self, query: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(query)
        self.asking.add(task)
        task.add_done_callback(self.asking.discard)
        return task

    async def _find(
        self,
        index: WorkspaceIndex,
        results: IndexResults,
        names: list[str],
        snapshot: Snapshot,
        like: EnclosingDefinition | None,
        *,
        counterpart: bool,
    ) -> None:
        answer = await index.find(
            names, snapshot.uri, results.imports, snapshot.language, counterpart=counterpart, like=like
        )
        if not answer.answered:  # what was known still holds; the next key asks again
            for name in names:
                results.found.pop(name, None)
            results.like = None if like else results.like
            return
        if like is not None and like == results.like:
            results.siblings = answer.siblings
        results.root, results.is_answered = answer.root, True
        results.counterpart = answer.counterpart if counterpart else results.counterpart
        results.found.update({name: (source, definition) for source, name, definition in answer.definitions})

    # --- other documents ---

    def _recent_elsewhere(self, context: DocumentContext) -> list[DocumentContext]:
        """The other documents among those the user was in last, the latest first."""
        places = [(one.recent.order, one) for one in self._contexts if one.recent is not None]
        places.sort(key=lambda place: -place[0])
        return [one for _, one in places[:MAX_REGIONS] if one.uri != context.uri]

    def _recent_candidates(
        self, context: DocumentContext, results: IndexResults, settings: Settings
    ) -> Iterator[Excerpt]:
        for number, other in enumerate(self._recent_elsewhere(context)):
            if other.recent is None:
                continue
            path = displayed_path(other.uri)
            edited, snapshot, region = other.recent.edited, other.recent.snapshot, other.recent.region
            rank = (EDITED if edited else VIEWED) - number / 100
            text = redacted_part(snapshot.text, region) if settings.privacy.redact_secrets else snapshot.of(region)
            source = "edited" if edited else "viewed"
            yield Excerpt(source, relative(path, results.root), text.strip("\r\n"), rank, other.uri)


def _results_for(context: DocumentContext, imports: tuple[str, ...]) -> IndexResults:
    """The document's results; where the imports have changed, another one, which late answers for the old do not reach."""
    results = context.results
    if results is None or results.imports != imports:
        last = results or IndexResults(imports)
        results = replace(last, imports=imports, found={}, counterpart=(), is_answered=False, asking=None)
        context.results = results
    return results


def _new_names(results: IndexResults, snapshot: Snapshot, offset: int) -> list[str]:
    """The names around the cursor that the index was not asked for yet, the nearest."""
    place = (snapshot.version, offset)
    if results.place != place:
        results.near, results.place = names_near(snapshot, offset), place
    wanted = {**results.near, **dict.fromkeys(imported_names(results.imports))}
    results.forget_all_but(wanted)
    return [name for name in wanted if name not in results.found][:MAX_NAMES]
