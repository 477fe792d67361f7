"""Which engine does code actions: one of its own where ``actions.model`` names another model, else the usual one."""

from __future__ import annotations

from collections.abc import Callable

from devstral_ls.engine.spec import EngineOptions, options_of
from devstral_ls.engine.status import EngineStatus
from devstral_ls.errors import EngineUnavailable
from devstral_ls.generation import Engine, ModelInfo
from devstral_ls.server.engine_session import EngineSession
from devstral_ls.server.protocols import ServedEngine
from devstral_ls.settings.tree import Settings


class ActionEngine:
    """Chooses the engine, and keeps the second one.

    Args:
        session: has the usual engine, and makes another one.
        settings: the settings in force.
        status: the usual engine's last status.
    """

    def __init__(
        self, session: EngineSession, settings: Callable[[], Settings], status: Callable[[], EngineStatus | None]
    ) -> None:
        self._session = session
        self._settings = settings
        self._status = status
        self._second: tuple[EngineOptions, ServedEngine] | None = None

    @property
    def model(self) -> ModelInfo | None:
        """The model that would do an action now; None while none is ready."""
        options = self._second_options()
        second = self._second[1] if self._second is not None and self._second[0] == options else None
        engine = self._session.engine if options is None else second
        return None if engine is None else engine.model

    async def get(self) -> Engine:
        """The engine; its model is ready.

        Raises:
            DevstralError: there is none, or its model is not ready.
        """
        await self._session.get(self._settings())
        options = self._second_options()
        if options is None:
            return self._usual()
        if self._second is None or self._second[0] != options:
            await self.aclose()
            engine = self._session.second_engine(options)
            engine.start()
            self._second = options, engine
        engine = self._second[1]
        if engine.model is None:
            raise EngineUnavailable("the model of actions.model is not ready", hint="Try again in a moment.")
        return engine

    async def aclose(self) -> None:
        """Let go of the second engine."""
        second, self._second = self._second, None
        if second is not None:
            await second[1].aclose()

    def _second_options(self) -> EngineOptions | None:
        """The options of the engine for ``actions.model``; None where the usual engine does actions."""
        settings = self._settings()
        options = options_of(settings.answering("actions"))
        if not isinstance(options, EngineOptions) or options == options_of(settings.answering("inline")):
            return None
        return options

    def _usual(self) -> Engine:
        engine = self._session.engine
        if engine is None or engine.model is None:
            status = self._status()
            why = status.message if status is not None and status.message else "the model is not ready"
            hint = status.hint if status is not None and status.hint else "Try again when the status says that it is."
            raise EngineUnavailable(why, hint=hint)
        return engine
