"""The engine and the pipeline of one server: made at the first request, reconfigured, restarted, closed."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from devstral_ls.engine.spec import Options, options_of
from devstral_ls.engine.status import EngineStatus
from devstral_ls.errors import DevstralError
from devstral_ls.generation import Engine, GenerationObserver
from devstral_ls.platform.paths import Directories
from devstral_ls.retrieval.visibility_check import VisibilityCheck
from devstral_ls.server.documents.store import DocumentObserver
from devstral_ls.server.protocols import Background, Factories, OnStatus, Pipeline, ServedEngine
from devstral_ls.settings.tree import Settings

if TYPE_CHECKING:
    from devstral_ls.code_context import Diagnostic
    from devstral_ls.languages.syntax.tree import Syntax
    from devstral_ls.retrieval.retriever import ContextRetriever
    from devstral_ls.text import DocumentChange, Snapshot

_log = logging.getLogger(__name__)

MAX_EARLY = 64
"""Documents whose diagnostics are kept until there is a pipeline: an editor reports fewer in the second that takes."""

CLOSE_S = 1.5
"""Seconds the engine may take to let go; after that the server leaves without it."""

_REINSTALL = "Reinstall devstral-ls; `devstral-ls doctor` says what is missing."

_REPORT = "This is a bug; the server's log says where it broke."


class EngineSession(DocumentObserver):
    """The engine and the pipeline. While they are not there, and after they failed, requests are answered with nothing.

    Args:
        factories: make the parts.
        directories: the user's folders.
        on_status: takes each status of the engine.
        observers: are told of each generation.
        on_retriever: takes the retriever as soon as it is made.
        visibility: decides what may be shown to a model.
    """

    def __init__(
        self,
        factories: Factories,
        directories: Directories,
        on_status: OnStatus,
        observers: Sequence[GenerationObserver] = (),
        on_retriever: Callable[[ContextRetriever], None] = lambda retriever: None,
        visibility: VisibilityCheck | None = None,
    ) -> None:
        self._factories = factories
        self._directories = directories
        self._on_status = on_status
        self._observers = observers
        self._on_retriever = on_retriever
        self._visibility = visibility or VisibilityCheck()
        self._settings = Settings()
        self._making: asyncio.Task[Pipeline | None] | None = None
        self._options: Options | None = None
        self._engine: ServedEngine | None = None
        self._background: Background | None = None
        self._pipeline: Pipeline | None = None
        self._early: deque[tuple[Snapshot, Sequence[Diagnostic]]] = deque(maxlen=MAX_EARLY)

    @property
    def pipeline(self) -> Pipeline | None:
        """The pipeline; ``None`` until it is made."""
        return self._pipeline

    @property
    def engine(self) -> Engine | None:
        """The engine that the pipeline uses; ``None`` until it is made."""
        return self._engine

    @property
    def model(self) -> str | None:
        """The name of the model that is ready."""
        info = self._engine.model if self._engine is not None else None
        return None if info is None else info.name

    async def get(self, settings: Settings) -> Pipeline | None:
        """The pipeline, which the first call makes. ``None`` where it cannot be made: the status says why."""
        if self._making is None:
            self._making = asyncio.create_task(self._make(settings))
            self._making.add_done_callback(self._made)
        return await asyncio.shield(self._making)

    def opened(self, snapshot: Snapshot) -> None:
        """A document was opened: where that is done anew, nothing known of it holds any more."""
        self.closed(snapshot.uri)

    def changed(self, change: DocumentChange) -> None:
        """A document has changed."""
        if self._pipeline is not None:
            self._pipeline.changed(change)
        else:
            self._forget_early(change.after.uri)

    def closed(self, uri: str) -> None:
        """A document was closed."""
        if self._pipeline is not None:
            self._pipeline.closed(uri)
        else:
            self._forget_early(uri)

    def diagnosed(self, snapshot: Snapshot, diagnostics: Sequence[Diagnostic]) -> None:
        """Other tools report ``diagnostics`` for the document as it is now, and nothing else."""
        if self._pipeline is not None:
            self._pipeline.diagnosed(snapshot, diagnostics)
        else:
            self._forget_early(snapshot.uri)
            self._early.append((snapshot, diagnostics))

    def tree(self, snapshot: Snapshot) -> Syntax | None:
        """The syntax tree of a document: the pipeline's, where there is a pipeline."""
        if self._pipeline is not None:
            return self._pipeline.tree(snapshot)
        from devstral_ls.languages.syntax.document_tree import parse_once

        return parse_once(snapshot)

    async def apply(self, settings: Settings) -> None:
        """Go on with ``settings``; the engine is reconfigured only where its own options differ."""
        if self._making is None:
            return
        await asyncio.shield(self._making)
        self._settings = settings
        options = options_of(settings.answering("inline"))
        if self._engine is not None and self._options != options:
            self._options = options
            self._engine.reconfigure(options)

    async def restart(self, settings: Settings) -> None:
        """Give the engine's process up and start over, with ``settings``."""
        await self.apply(settings)
        if self._engine is not None:
            self._engine.restart()
        else:  # it could not be made; perhaps it can now
            self._making = None
            await self.get(settings)

    def halt(self) -> None:
        """Stop loading the model."""
        if self._engine is not None:
            self._engine.halt()

    def check_now(self) -> None:
        """Look for a model now: one may have been installed."""
        if self._engine is not None:
            self._engine.check_now()

    def second_engine(self, options: Options) -> ServedEngine:
        """An engine beside the usual one, whose status is not reported.

        Raises:
            DevstralError: it cannot be made.
        """
        return self._factories.engine(options, self._directories, lambda status: None)

    async def aclose(self) -> None:
        """Let go of the engine, in bounded time."""
        if self._making is not None and not self._making.done():
            self._making.cancel()
        if self._pipeline is not None:
            self._pipeline.close()
        engine, self._engine, self._pipeline = self._engine, None, None
        background, self._background = self._background, None
        if engine is None:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                if background is not None:
                    await background.aclose()
                await engine.aclose()
        except TimeoutError:
            _log.warning("the engine did not let go within %.1f s", CLOSE_S)
        except DevstralError as error:
            _log.warning("%s: %s", error.code, error.message)

    async def _make(self, settings: Settings) -> Pipeline | None:
        self._settings = settings
        options = options_of(settings.answering("inline"))
        self._on_status(EngineStatus("starting"))
        try:
            await asyncio.to_thread(self._factories.preload)  # the loop goes on answering
            engine = self._factories.engine(options, self._directories, self._on_status)
            background = self._factories.background(engine, self._may_calibrate)
            retriever = self._factories.retriever(self._visibility)
            pipeline = self._factories.pipeline(engine, retriever)
        except DevstralError as error:
            self._failed(error.message, error.hint)
            return None
        except ImportError as error:
            self._failed(f"cannot import {error.name}", _REINSTALL)
            return None
        self._engine, self._options, self._background, self._pipeline = engine, options, background, pipeline
        for observer in self._observers:
            engine.observe(observer)
        if retriever is not None:
            self._on_retriever(retriever)
        while self._early:
            pipeline.diagnosed(*self._early.popleft())
        engine.start()
        if background is not None:
            background.start()
        return pipeline

    def _may_calibrate(self) -> bool:
        return self._settings.model.calibrate == "auto"

    def _forget_early(self, uri: str) -> None:
        """Drop diagnostics whose places are not known any more; the client reports them again."""
        early = (one for one in self._early if one[0].uri != uri)
        self._early = deque(early, maxlen=MAX_EARLY)

    def _made(self, making: asyncio.Task[Pipeline | None]) -> None:
        if not making.cancelled() and (bug := making.exception()) is not None:
            self._failed(f"internal error ({type(bug).__name__})", _REPORT)

    def _failed(self, message: str, hint: str) -> None:
        _log.error("%s. %s", message, hint)
        self._on_status(EngineStatus("failed", message=message, hint=hint))
