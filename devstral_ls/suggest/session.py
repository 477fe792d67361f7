"""``DocumentSession``: all that is known of one open document. To forget the document is to delete its session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from cachetools import LRUCache

from devstral_ls.languages.syntax.document_tree import DocumentTree
from devstral_ls.retrieval.document_context import DocumentContext
from devstral_ls.retrieval.retriever import ContextRetriever
from devstral_ls.suggest.cache import CacheKey, SuggestionCache
from devstral_ls.suggest.debounce import Debounce
from devstral_ls.suggest.excerpt_selection import ExcerptSelection
from devstral_ls.suggest.feedback import ShownSuggestion
from devstral_ls.suggest.in_flight import InFlightGeneration
from devstral_ls.suggest.latest_wins import LatestWins
from devstral_ls.suggest.recent_deletions import RecentDeletions
from devstral_ls.suggest.single_flight import SingleFlight
from devstral_ls.suggest.trace import InlineQuery, Trace

MAX_SESSIONS = 64
"""Documents that have a session; of the one not used for longest it is dropped. An editor may open 500 files at once, and
a tree alone takes some ten times its text."""

MAX_PROMPTS_READ = 64
"""Places of a document whose prompts were read lately, and need not be read again."""


class DocumentSession:
    """One open document.

    Args:
        context: what retrieval knows of it.
        clock: seconds.
        sleep: waits for seconds; tests give their own.
    """

    def __init__(
        self, context: DocumentContext, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self.context = context
        self.tree = DocumentTree()
        self.excerpts = ExcerptSelection()
        self.deletions = RecentDeletions()
        self.debounce = Debounce(clock, sleep)
        self.requests = LatestWins()
        self.single_flight = SingleFlight()
        self.suggestions = SuggestionCache()
        self.prompts_read: LRUCache[CacheKey, bool] = LRUCache(MAX_PROMPTS_READ)
        self.generation: InFlightGeneration | None = None
        """The one in flight, or the last one."""
        self.last_shown: ShownSuggestion | None = None
        """The answer to the last request, where it was not empty."""
        self.trace: Trace | None = None
        """How the last request went."""

    @property
    def is_at_work(self) -> bool:
        """True while a request waits for its answer, or a generation runs."""
        return self.requests.is_running or (self.generation is not None and self.generation.is_running)

    def resumable(self, query: InlineQuery, key: CacheKey) -> tuple[InFlightGeneration, str] | None:
        """The generation that may be writing what ``query`` asks for, and what of it has been typed since it began.

        One that certainly is not is ended.
        """
        generation = self.generation
        if generation is None or not generation.is_running:
            return None
        typed = generation.typed_since(query, key)
        if typed is None:
            self.end_generation()
            return None
        return generation, typed

    def end_generation(self) -> None:
        """End what is being written."""
        if self.generation is not None:
            self.generation.cancel()
            self.generation = None

    def close(self) -> None:
        """End all that runs for the document; a request that waits is answered with nothing."""
        self.requests.supersede()
        self.end_generation()
        self.context.close()


class DocumentSessions:
    """The sessions of one server, by URI. Only this map says which documents there are.

    Args:
        retriever: makes what retrieval knows of a document.
        clock: seconds.
        sleep: waits for seconds; tests give their own.
    """

    def __init__(
        self,
        retriever: ContextRetriever,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._retriever = retriever
        self._clock = clock
        self._sleep = sleep
        self._by_uri: dict[str, DocumentSession] = {}
        """The one used last stands last."""

    def __iter__(self) -> Iterator[DocumentSession]:
        return iter(tuple(self._by_uri.values()))

    def of(self, uri: str) -> DocumentSession:
        """The document's session; a new one where it has none."""
        session = self._by_uri.pop(uri, None)
        if session is None:
            session = DocumentSession(self._retriever.context_of(uri), self._clock, self._sleep)
        self._by_uri[uri] = session
        if len(self._by_uri) > MAX_SESSIONS:
            idle = (name for name, other in self._by_uri.items() if name != uri and not other.is_at_work)
            self.close(next(idle, next(iter(self._by_uri))))
        return session

    def get(self, uri: str) -> DocumentSession | None:
        """The document's session, if it has one."""
        return self._by_uri.get(uri)

    def close(self, uri: str) -> None:
        """Drop all that is known of the document."""
        session = self._by_uri.pop(uri, None)
        if session is not None:
            session.close()

    def close_all(self) -> None:
        """Drop everything."""
        for uri in tuple(self._by_uri):
            self.close(uri)

    @property
    def is_generating(self) -> bool:
        """True while a generation runs that a request of an editor has asked for."""
        generations = (session.generation for session in self._by_uri.values())
        return any(one is not None and one.is_running and not one.is_prefetch for one in generations)

    def end_preemptible(self) -> None:
        """End the generations of all documents that may be cancelled for another request."""
        for session in self._by_uri.values():
            if session.generation is not None and session.generation.is_preemptible:
                session.end_generation()
