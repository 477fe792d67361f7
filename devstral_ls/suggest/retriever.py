"""What other files say about the place of a cursor: asked of the workspace, chosen once, kept while one types.

Excerpts stand at the beginning of a prompt, so a different one makes the engine read all of it again. They change when
the cursor goes to another definition, the imports change, or the line at the cursor uses something that is not shown.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from devstral_ls.code_context import Diagnostic, EnclosingDefinition, Excerpt
from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.languages.table import language_of
from devstral_ls.prompt import excerpts
from devstral_ls.prompt.diagnostic_comments import DiagnosticComment, comments_on
from devstral_ls.prompt.window import Window
from devstral_ls.retrieval.index.workspace_index import IndexScope, WorkspaceIndex
from devstral_ls.retrieval.recent import Recent
from devstral_ls.retrieval.redact import redacted_around
from devstral_ls.retrieval.visibility import IGNORE_FILES, is_excluded
from devstral_ls.settings.tree import PrivacySettings, Settings
from devstral_ls.suggest.client_diagnostics import ClientDiagnostics
from devstral_ls.suggest.ranking import (
    AT_CURSOR,
    EDITED,
    VIEWED,
    DocumentContext,
    imported_names,
    known_candidates,
    redacted_again,
    relative,
    shown_anyway,
    sibling_candidates,
    surroundings,
)
from devstral_ls.suggest.refusals import NothingToShow
from devstral_ls.suggest.trace import Reason
from devstral_ls.text import Snapshot, Span
from devstral_ls.uris import displayed_path, path_of

MAX_DOCUMENTS = 64

MAX_NAMES = 48
"""Asked for at once, the nearest."""

WAIT_S = 0.03
"""Seconds a suggestion waits for the workspace: what is found later, later prompts show. Only whether a document may be
shown at all is waited for, once."""


class ContextRetriever:
    """Made once for a server. Without an index only open documents are known; ``wait_s`` is as ``WAIT_S``."""

    def __init__(self, index: WorkspaceIndex | None = None, wait_s: float = WAIT_S) -> None:
        self.index = index
        self._wait_s = wait_s
        self.finding: set[asyncio.Task[None]] = set()
        """What is asked of the index now."""
        self._recent = Recent()
        self._diagnosed = ClientDiagnostics()
        self._known: OrderedDict[str, DocumentContext] = OrderedDict()
        self._allowed: dict[str, bool] = {}
        """Of documents that are only in ``_recent``: may they be shown?"""

    def edited(self, before: Snapshot, after: Snapshot) -> None:
        """A document has changed."""
        self._recent.edited(before, after)
        self._diagnosed.edited(after)

    def begin(self, folders: Sequence[str], settings: Settings) -> None:
        """Read the workspace's folders, given by URI, as far as the settings allow."""
        if self.index is not None:
            privacy = settings.privacy
            paths = tuple(path for uri in folders if (path := path_of(uri)))
            used = settings.inline.enable or settings.completion.enable or settings.actions.enable
            self.index.begin(IndexScope(paths if used else (), privacy.exclude, privacy.respect_ignore_files))
            self._forget_all()  # what was found in a file may be what is not to be read any more

    def opened(self, snapshot: Snapshot) -> None:
        """The text of a document, when it is opened and when it rests after a change."""
        if self.index is not None:
            self.index.opened(snapshot.uri, snapshot.text)
            self.outdated(snapshot.uri)

    def closed(self, uri: str) -> None:
        """A document was closed."""
        if self.index is not None:
            self.index.closed(uri)

    def changed_on_disk(self, uris: Sequence[str]) -> None:
        """Files were made, changed or removed."""
        if self.index is not None:
            self.index.changed_on_disk(uris)
            if any(uri.rpartition("/")[2] in IGNORE_FILES for uri in uris):
                self._forget_all()
            self.outdated()

    async def aclose(self) -> None:
        """Let go of the index."""
        for finding in self.finding:
            finding.cancel()
        if self.index is not None:
            await self.index.aclose()

    def outdated(self, but: str = "") -> None:
        """Other files have changed: what was found out is asked again, what was chosen stays."""
        for uri, known in self._known.items():
            if uri != but:
                known.found.clear()

    def forget(self, uri: str) -> None:
        """The document was closed."""
        self._known.pop(uri, None)
        self._allowed.pop(uri, None)
        self._recent.forget(uri)
        self._diagnosed.forget(uri)

    async def around(
        self,
        snapshot: Snapshot,
        offset: int,
        scope: CursorScope,
        budget: int,
        settings: Settings,
        siblings: Sequence[Span] = (),
    ) -> tuple[Excerpt, ...]:
        """The excerpts for a prompt of ``budget`` tokens at ``offset``; ``siblings`` are the functions beside the cursor's.

        Raises:
            NothingToShow: an ignore file names the document.
        """
        n_characters = excerpts.room_for_excerpts(budget)
        sources = settings.inline.context
        known = await self._find_out(snapshot, offset, scope, sources if n_characters > 0 else ())
        if not known.allowed and settings.privacy.respect_ignore_files:
            raise NothingToShow(Reason.IGNORED)
        self._recent.viewed(snapshot, offset)
        if not n_characters or not sources:
            return ()
        if known.finding is not None and not known.finding.done():
            return known.chosen
        candidates = [one for one in self._candidates(snapshot, offset, known, settings) if one.source in sources]
        if "sibling" in sources:
            candidates += sibling_candidates(snapshot, offset, scope, known, budget, siblings, settings.privacy)
        scopes = tuple(one.name for one in scope.scopes)
        key = (scopes, known.imports, known.answered, known.siblings, n_characters, sources, settings.privacy)
        shown = {one.text for one in known.chosen}
        window = shown_anyway(snapshot, offset, budget)
        urgent = [one for one in candidates if one.rank >= AT_CURSOR and one.text not in window]
        if known.key != key or any(one.text not in shown for one in urgent):
            known.key, known.chosen = key, excerpts.select_excerpts(candidates, n_characters, window)
        return known.chosen

    def diagnosed(self, snapshot: Snapshot, found: Sequence[Diagnostic]) -> None:
        """What other tools say of ``snapshot``, all of it."""
        self._diagnosed.put(snapshot, found)

    def notes(
        self, snapshot: Snapshot, offset: int, scope: CursorScope, budget: int, settings: Settings
    ) -> tuple[DiagnosticComment, ...]:
        """What other tools say of the code at ``offset``, as comments for a prompt of ``budget`` tokens."""
        if not excerpts.room_for_excerpts(budget) or "diagnostics" not in settings.inline.context:
            return ()
        language = language_of(snapshot.language, snapshot.uri)
        return comments_on(self._diagnosed.near(snapshot, offset, scope), snapshot, offset, language)

    async def _find_out(
        self, snapshot: Snapshot, offset: int, scope: CursorScope, sources: Sequence[str]
    ) -> DocumentContext:
        imports = tuple(snapshot.of(span) for span in scope.imports)
        known = self._known.get(snapshot.uri)
        if known is None or known.imports != imports:
            last = known or DocumentContext(imports)
            known = replace(last, imports=imports, found={}, other=(), answered=False, finding=None)
            self._known[snapshot.uri] = known
        under_way = known.finding is not None and not known.finding.done()
        is_new = not (known.answered or under_way)
        self._known.move_to_end(snapshot.uri)
        if len(self._known) > MAX_DOCUMENTS:
            self._known.popitem(last=False)
        names = _new_names(known, snapshot, offset) if sources else []
        like = surroundings(snapshot, offset, scope) if "sibling" in sources else None
        is_elsewhere = like != known.like
        if self.index is None:
            return known
        asked: set[asyncio.Task[None]] = set()
        if names or is_new or is_elsewhere:
            known.found.update(dict.fromkeys(names))
            known.like, known.siblings = like, () if is_elsewhere else known.siblings
            like = like if is_elsewhere else None
            finding = self._find(self.index, known, names, snapshot, like, counterpart=is_new)
            known.finding = self._ask(finding)
            asked.add(known.finding)
        asked |= {self._ask(self._allow(self.index, uri)) for uri in self._strangers(snapshot.uri, sources)}
        if asked:
            await asyncio.wait(asked, timeout=self._wait_s if known.told else None)
        return known

    def _forget_all(self) -> None:
        self._known.clear()
        self._allowed.clear()

    def _ask(self, finding: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(finding)
        self.finding.add(task)
        task.add_done_callback(self.finding.discard)
        return task

    def _strangers(self, uri: str, sources: Sequence[str]) -> list[str]:
        """Documents somebody was in without asking for anything: nobody knows yet whether they may be shown."""
        if not {"edited", "viewed"}.intersection(sources):
            return []
        recent = (region.uri for region in self._recent.elsewhere(uri))
        return [one for one in recent if one not in self._known and one not in self._allowed]

    async def _allow(self, index: WorkspaceIndex, uri: str) -> None:
        self._allowed[uri] = False
        found = await index.find((), uri)
        if found.answered:
            self._allowed[uri] = found.allowed
        else:  # the next key asks again
            self._allowed.pop(uri, None)

    async def _find(
        self,
        index: WorkspaceIndex,
        known: DocumentContext,
        names: list[str],
        snapshot: Snapshot,
        like: EnclosingDefinition | None,
        *,
        counterpart: bool,
    ) -> None:
        found = await index.find(
            names, snapshot.uri, known.imports, snapshot.language, counterpart=counterpart, like=like
        )
        if not found.answered:  # what was known still holds; the next key asks again
            for name in names:
                known.found.pop(name, None)
            known.like = None if like else known.like
            return
        if like is not None and like == known.like:
            known.siblings = found.siblings
        known.allowed, known.root = found.allowed, found.root
        known.told = known.answered = True
        known.other = found.counterpart if counterpart else known.other
        known.found.update({name: (source, one) for source, name, one in found.definitions})

    def _candidates(
        self, snapshot: Snapshot, offset: int, known: DocumentContext, settings: Settings
    ) -> Iterator[Excerpt]:
        yield from known_candidates(snapshot, offset, known, settings.privacy)
        for number, region in enumerate(self._recent.elsewhere(snapshot.uri)):
            path = PurePath(displayed_path(region.uri))
            other = self._known.get(region.uri)
            allowed = other.allowed if other is not None else self._allowed.get(region.uri, False)
            if not allowed or is_excluded(path, settings.privacy.exclude):
                continue
            rank = (EDITED if region.edited else VIEWED) - number / 100
            text = redacted_again(region.text) if settings.privacy.redact_secrets else region.text
            yield Excerpt("edited" if region.edited else "viewed", relative(str(path), known.root), text, rank)


def _new_names(known: DocumentContext, snapshot: Snapshot, offset: int) -> list[str]:
    """The names around the cursor that the index was not asked for yet, the nearest."""
    known.come_to(snapshot, offset)
    around = {**known.near, **dict.fromkeys(imported_names(known.imports))}
    known.forget_but(around)
    return [name for name in around if name not in known.found][:MAX_NAMES]


def without_secrets(window: Window, settings: PrivacySettings) -> Window:
    """``window`` as it may be shown to a model.

    Raises:
        NothingToShow: the cursor is in a secret.
    """
    if not settings.redact_secrets:
        return window
    shown = redacted_around(window.prefix, window.suffix)
    if shown is None:
        raise NothingToShow(Reason.SECRET)
    return Window(*shown)
