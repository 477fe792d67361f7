"""What other files say about the place of a cursor: asked of the workspace, chosen once, kept while one types.

Excerpts stand at the beginning of a prompt, so a different one makes the engine read all of it again. They change when
the cursor goes to another definition, the imports change, or the line at the cursor uses something that is not shown.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import PurePath

from devstral_ls.languages.scopes import CursorScope
from devstral_ls.languages.table import language_of
from devstral_ls.prompt import excerpts
from devstral_ls.prompt.window import CHARACTERS_PER_TOKEN, Window
from devstral_ls.related import Definition, Excerpt
from devstral_ls.settings import PrivacySettings, Settings
from devstral_ls.suggest.refusals import NothingToShow
from devstral_ls.suggest.trace import Reason
from devstral_ls.text import Snapshot
from devstral_ls.uris import path_in
from devstral_ls.workspace.ignore import IGNORE_FILES, is_excluded
from devstral_ls.workspace.index import Scope, WorkspaceIndex, path_of
from devstral_ls.workspace.recent import Recent
from devstral_ls.workspace.redact import redacted, redacted_around

MAX_DOCUMENTS = 64

NEAR = 2_500
"""Characters before the cursor in which names are looked for, and a fifth of it behind."""

MAX_NAMES = 48
"""Asked for at once, the nearest."""

WAIT_S = 0.03
"""Seconds a suggestion waits for the workspace: what is found later, later prompts show. Only whether a document may be
shown at all is waited for, once."""

AT_CURSOR, NEARBY, IMPORTED, SUBJECT, EDITED, VIEWED = 3.0, 2.0, 1.0, 1.5, 0.8, 0.5
"""Ranks."""

_NAME = re.compile(r"[A-Za-z_$][\w$]{2,}(?:(?:\.|::)[A-Za-z_$][\w$]*)?")

_KEYWORD = re.compile(
    r"\b(?:def|class|func|fn|function|struct|interface|enum|trait|type|let|const|var|val|record)\s+\Z"
)
"""What a name that is defined stands behind, or ..."""

_GIVEN = re.compile(r"(?!\w)\s*:?=[^=]")
"""... in front of."""

_MAX_OCCURRENCES = 300
"""Of a name in its own document; one that is used more often is asked about rarely."""


@dataclass(slots=True)
class _Known:
    """What was found out for a document."""

    imports: tuple[str, ...]
    found: dict[str, tuple[str, Definition] | None] = field(default_factory=dict)
    other: tuple[Definition, ...] = ()
    root: str = ""
    allowed: bool = True
    answered: bool = False
    """Has the index said anything of the document since its imports changed?"""
    told: bool = False
    """Is it known whether it is allowed?"""
    finding: asyncio.Task[None] | None = None
    key: object = None
    chosen: tuple[Excerpt, ...] = ()


class Related:
    """Made once for a server. Without an index only open documents are known; ``wait_s`` is as ``WAIT_S``."""

    def __init__(self, index: WorkspaceIndex | None = None, wait_s: float = WAIT_S) -> None:
        self.index = index
        self._wait_s = wait_s
        self.finding: set[asyncio.Task[None]] = set()
        """What is asked of the index now."""
        self._recent = Recent()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def edited(self, before: Snapshot, after: Snapshot) -> None:
        """A document has changed."""
        self._recent.edited(before, after)

    def begin(self, folders: Sequence[str], settings: Settings) -> None:
        """Read the workspace's folders, given by URI, as far as the settings allow."""
        if self.index is not None:
            privacy = settings.privacy
            paths = tuple(path for uri in folders if (path := path_of(uri)))
            used = settings.inline.enable or settings.completion.enable or settings.actions.enable
            self.index.begin(Scope(paths if used else (), privacy.exclude, privacy.respect_ignore_files))
            self._known.clear()  # what was found in a file may be what is not to be read any more

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
                self._known.clear()
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

    async def around(
        self, snapshot: Snapshot, offset: int, scope: CursorScope, budget: int, settings: Settings
    ) -> tuple[Excerpt, ...]:
        """The excerpts for a prompt of ``budget`` tokens at ``offset``.

        Raises:
            NothingToShow: an ignore file names the document.
        """
        n_characters = excerpts.room(budget)
        sources = settings.inline.excerpts
        known = await self._find_out(snapshot, offset, scope, asks=bool(sources) and n_characters > 0)
        if not known.allowed and settings.privacy.respect_ignore_files:
            raise NothingToShow(Reason.IGNORED)
        self._recent.viewed(snapshot, offset)
        if not n_characters or not sources:
            return ()
        if known.finding is not None and not known.finding.done():
            return known.chosen
        candidates = [one for one in self._candidates(snapshot, offset, known, settings) if one.source in sources]
        scopes = tuple(one.name for one in scope.scopes)
        key = (scopes, known.imports, known.answered, n_characters, sources, settings.privacy)
        shown = {one.text for one in known.chosen}
        window = _near(snapshot, offset, budget)
        urgent = [one for one in candidates if one.rank >= AT_CURSOR and one.text not in window]
        if known.key != key or any(one.text not in shown for one in urgent):
            known.key, known.chosen = key, excerpts.choose(candidates, n_characters, window)
        return known.chosen

    async def _find_out(self, snapshot: Snapshot, offset: int, scope: CursorScope, *, asks: bool) -> _Known:
        imports = tuple(snapshot.of(span) for span in scope.imports)
        known = self._known.get(snapshot.uri)
        if known is None or known.imports != imports:
            last = known or _Known(imports)
            known = replace(last, imports=imports, found={}, other=(), answered=False, finding=None)
            self._known[snapshot.uri] = known
        under_way = known.finding is not None and not known.finding.done()
        is_new = not (known.answered or under_way)
        self._known.move_to_end(snapshot.uri)
        if len(self._known) > MAX_DOCUMENTS:
            self._known.popitem(last=False)
        names = [name for name in dict.fromkeys(_names(snapshot, offset, imports)) if name not in known.found]
        names = names[:MAX_NAMES] if asks else []
        if self.index is None or not (names or is_new):
            return known
        known.found.update(dict.fromkeys(names))
        finding = asyncio.create_task(self._find(self.index, known, names, snapshot, counterpart=is_new))
        known.finding = finding
        self.finding.add(finding)
        finding.add_done_callback(self.finding.discard)
        await asyncio.wait({finding}, timeout=self._wait_s if known.told else None)
        return known

    async def _find(
        self, index: WorkspaceIndex, known: _Known, names: list[str], snapshot: Snapshot, *, counterpart: bool
    ) -> None:
        found = await index.find(names, snapshot.uri, known.imports, snapshot.language, counterpart=counterpart)
        if not found.answered:  # what was known still holds; the next key asks again
            for name in names:
                known.found.pop(name, None)
            return
        known.allowed, known.root = found.allowed, found.root
        known.told = known.answered = True
        known.other = found.counterpart if counterpart else known.other
        known.found.update({name: (source, one) for source, name, one in found.definitions})

    def _candidates(self, snapshot: Snapshot, offset: int, known: _Known, settings: Settings) -> Iterator[Excerpt]:
        line = snapshot.text[max(snapshot.line_starts[snapshot.line_at(offset)], offset - NEAR) : offset]
        here = {_plain(name) for name in _NAME.findall(line)}
        near = {_plain(name) for name in _NAME.findall(_around(snapshot, offset))}
        words = set(re.findall(r"\w+", " ".join(known.imports)))
        for name, found in known.found.items():
            if found is None:
                continue
            source, one = found
            if source == "names" and (name in words or name not in near or _is_own(name, snapshot.text)):
                continue
            rank = AT_CURSOR if name in here else NEARBY if name in near else IMPORTED
            yield _signature(source, one, known.root, rank, settings.privacy)
        for number, one in enumerate(known.other[:12]):
            yield _signature("test", one, known.root, SUBJECT - number / 100, settings.privacy)
        for number, region in enumerate(self._recent.elsewhere(snapshot.uri)):
            path = PurePath(path_in(region.uri))
            other = self._known.get(region.uri)
            if other is None or not other.allowed or is_excluded(path, settings.privacy.exclude):
                continue
            rank = (EDITED if region.edited else VIEWED) - number / 100
            text = _redacted(region.text) if settings.privacy.redact_secrets else region.text
            yield Excerpt("edited" if region.edited else "viewed", _relative(str(path), known.root), text, rank)


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


def _names(snapshot: Snapshot, offset: int, imports: tuple[str, ...]) -> Iterator[str]:
    """The names used around the cursor, the nearest before it first, then those of the imports."""
    before = _NAME.findall(snapshot.text[max(0, offset - NEAR) : offset])
    yield from map(_plain, reversed(before))
    yield from map(_plain, _NAME.findall(snapshot.text[offset : offset + NEAR // 5]))
    for statement in imports:
        yield from re.findall(r"[A-Za-z_$][\w$]+", statement.rpartition("import")[2][:2_000])


def _plain(name: str) -> str:
    return name.replace("::", ".")


def _around(snapshot: Snapshot, offset: int) -> str:
    return snapshot.text[max(0, offset - NEAR) : offset + NEAR // 5]


def _near(snapshot: Snapshot, offset: int, budget: int) -> str:
    """About what the window will show."""
    n = int(budget * CHARACTERS_PER_TOKEN * 0.7)
    return snapshot.text[max(0, offset - n) : offset + n // 2]


def _is_own(name: str, text: str) -> bool:
    """Does the document itself define ``name``? Looks only where the name stands: the text may be long."""
    at = -1
    for _ in range(_MAX_OCCURRENCES):
        at = text.find(name, at + 1)
        if at < 0:
            return False
        end = at + len(name)
        if text[at - 1 : at].isidentifier() or text[at - 1 : at].isdigit():
            continue
        is_whole = not (text[end : end + 1].isidentifier() or text[end : end + 1].isdigit())
        if _GIVEN.match(text, end) or (is_whole and _KEYWORD.search(text[max(0, at - 40) : at])):
            return True
    return False


_redacted = lru_cache(512)(redacted)
"""Signatures and regions are the same from key to key."""


def _signature(source: str, one: Definition, root: str, rank: float, settings: PrivacySettings) -> Excerpt:
    text = one.signature
    if one.doc and one.kind != "class" and "\n" not in one.doc:
        mark = language_of("", one.path).line_comment
        text = f"{text}  {mark} {one.doc}" if mark else text
    return Excerpt(source, _relative(one.path, root), _redacted(text) if settings.redact_secrets else text, rank)


def _relative(path: str, root: str) -> str:
    inside = path[len(root) :] if root and path.startswith(root) else path.rpartition("/")[2]
    return inside.replace("\\", "/").lstrip("/")
