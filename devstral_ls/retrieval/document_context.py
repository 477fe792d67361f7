"""What retrieval knows of one open document: where the user was, what other tools report, what the index has found."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from devstral_ls.code_context import Definition, EnclosingDefinition
from devstral_ls.retrieval.diagnostics import DocumentDiagnostics
from devstral_ls.retrieval.recent import RecentPlace

MAX_FOUND = 512
"""Names of a document that are known beside those around the cursor: every key in a name makes another one."""


@dataclass(slots=True)
class IndexResults:
    """What the index was asked for a document, and what it answered. Another one is made when the imports change."""

    imports: tuple[str, ...]
    near: Mapping[str, None] = field(default_factory=dict)
    """The names around the cursor, the nearest before it first ..."""
    place: tuple[int, int] | None = None
    """... which was at this version and offset."""
    found: dict[str, tuple[str, Definition] | None] = field(default_factory=dict)
    """By name: the source and the definition, or ``None`` where the index has none."""
    counterpart: tuple[Definition, ...] = ()
    """Of a test its subject's definitions, of a subject those of its test."""
    siblings: tuple[tuple[str, str], ...] = ()
    """Path and text of definitions in other files like the one around the cursor ..."""
    like: EnclosingDefinition | None = None
    """... which is this one."""
    root: str = ""
    """The workspace folder of the document."""
    is_answered: bool = False
    """True when the index has answered since the imports changed."""
    was_awaited: bool = False
    """True when a request has waited for the index once: it is waited for longer the first time."""
    asking: asyncio.Task[None] | None = None

    @property
    def is_asking(self) -> bool:
        """True while an answer of the index is due."""
        return self.asking is not None and not self.asking.done()

    def forget_all_but(self, names: Collection[str]) -> None:
        """Where too many names are known, keep ``names``, and others that were found if they are not too many either."""
        if len(self.found) > MAX_FOUND:
            for name in [name for name, match in self.found.items() if match is None and name not in names]:
                del self.found[name]
        if len(self.found) > MAX_FOUND:
            for name in [name for name in self.found if name not in names]:
                del self.found[name]


@dataclass(slots=True, eq=False, weakref_slot=True)
class DocumentContext:
    """Made by ``ContextRetriever.context_of``; it is the document's session that keeps it, and drops it on close."""

    uri: str
    recent: RecentPlace | None = None
    diagnostics: DocumentDiagnostics = field(default_factory=DocumentDiagnostics)
    results: IndexResults | None = None
    """``None`` until a suggestion is asked for in the document."""
    epoch: int = 0
    """Counts how often all that was found was dropped, as it may be what must not be shown any more."""

    def reset(self) -> None:
        """Drop what the index said."""
        self.results = None
        self.epoch += 1

    def close(self) -> None:
        """The document was closed: nothing of it is shown any more."""
        self.reset()
        self.recent = None
