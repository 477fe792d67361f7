"""The engine and the pipeline of one server: made when first needed, reconfigured, given back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from devstral_ls.engine.spec import Options, options_of
from devstral_ls.engine.status import EngineStatus
from devstral_ls.errors import DevstralError
from devstral_ls.generation import Engine
from devstral_ls.platform.paths import Directories
from devstral_ls.server.ports import Background, Factories, Pipeline, ServedEngine
from devstral_ls.server.status import ReportingEngine, StatusReporter
from devstral_ls.settings.tree import Settings

if TYPE_CHECKING:
    from devstral_ls.server.ports import OnStatus
    from devstral_ls.suggest.retriever import ContextRetriever
    from devstral_ls.text import Snapshot

_log = logging.getLogger(__name__)

CLOSE_S = 1.5
"""Seconds the engine may take to let go before we leave without it."""

_REINSTALL = "Reinstall devstral-ls; `devstral-ls doctor` says what is missing."

_REPORT = "This is a bug; the server's log says where it broke."


class Parts:
    """What answers requests. While it is not there, and after it failed, requests get nothing but an answer."""

    def __init__(
        self,
        factories: Factories,
        directories: Directories,
        status: StatusReporter,
        on_status: OnStatus,
        on_related: Callable[[ContextRetriever], None] = lambda related: None,
        over_weeks: Callable[[Snapshot], float] = lambda snapshot: 1.0,
    ) -> None:
        self._factories = factories
        self._directories = directories
        self._status = status
        self._on_status = on_status
        self._on_related = on_related
        self._over_weeks = over_weeks
        self._making: asyncio.Task[Pipeline | None] | None = None
        self._options: Options | None = None
        self._engine: ServedEngine | None = None
        self._background: Background | None = None
        self.pipeline: Pipeline | None = None
        """The pipeline, if it is there already."""
        self.engine: Engine | None = None
        """What the pipeline asks, if it is there already: for code actions."""

    async def get(self, settings: Settings) -> Pipeline | None:
        """The pipeline; made by the first call. ``None`` where it cannot be made: the status says why."""
        if self._making is None:
            self._making = asyncio.create_task(self._make(settings))
            self._making.add_done_callback(self._made)
        return await asyncio.shield(self._making)

    async def apply(self, settings: Settings) -> None:
        """Go on with ``settings``; the engine only hears of them when those of the engine differ."""
        if self._making is None:
            return
        await asyncio.shield(self._making)
        if self._background is not None:
            self._background.enabled = settings.model.calibrate == "auto"
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

    @property
    def model(self) -> str | None:
        """The name of the model that answers now, if one does."""
        info = self.engine.model if self.engine is not None else None
        return None if info is None else info.name

    def halt(self) -> None:
        """Stop loading the model."""
        if self._engine is not None:
            self._engine.halt()

    def poke(self) -> None:
        """A model may have come."""
        if self._engine is not None:
            self._engine.poke()

    def other(self, options: Options) -> ServedEngine:
        """Another engine beside the usual one, which says nothing of how it is.

        Raises:
            DevstralError: it cannot be made.
        """
        return self._factories.engine(options, self._directories, lambda status: None)

    async def aclose(self) -> None:
        """Let go of the engine, in bounded time."""
        if self._making is not None and not self._making.done():
            self._making.cancel()
        if self.pipeline is not None:
            self.pipeline.close()
        engine, self._engine, self.pipeline, self.engine = self._engine, None, None, None
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
        options = options_of(settings.answering("inline"))
        self._on_status(EngineStatus("starting"))
        try:
            await asyncio.to_thread(self._factories.preload)  # the loop goes on answering
            engine = self._factories.engine(options, self._directories, self._on_status)
            background = self._factories.background(engine)
            asked = background.engine if background is not None else engine
            self.engine = ReportingEngine(asked, self._status)
            self.pipeline = self._factories.pipeline(self.engine)
            self.pipeline.feedback.over_weeks = self._over_weeks
            related = self._factories.related()
            if related is not None:
                self.pipeline.related = related
                self._on_related(related)
        except DevstralError as error:
            self._failed(error.message, error.hint)
            return None
        except ImportError as error:
            self._failed(f"cannot import {error.name}", _REINSTALL)
            return None
        self._engine, self._options = engine, options
        engine.start()
        if background is not None:
            self._background = background
            background.enabled = settings.model.calibrate == "auto"
            background.start()
        return self.pipeline

    def _made(self, making: asyncio.Task[Pipeline | None]) -> None:
        if not making.cancelled() and (bug := making.exception()) is not None:
            self._failed(f"internal error ({type(bug).__name__})", _REPORT)

    def _failed(self, message: str, hint: str) -> None:
        _log.error("%s. %s", message, hint)
        self._on_status(EngineStatus("failed", message=message, hint=hint))
