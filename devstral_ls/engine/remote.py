"""``RemoteEngine``: an engine somebody else runs, as the server sees it: found, watched, and found again.

Nothing is started or stopped here, and an engine that is away is waited for as long as it takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from devstral_ls.engine.client import EngineClient
from devstral_ls.engine.endpoint import Endpoint, checked_address, key_of
from devstral_ls.engine.http import Http
from devstral_ls.engine.patience import Patience
from devstral_ls.engine.probing import Found, client_of, probe
from devstral_ls.engine.remote_options import RemoteOptions
from devstral_ls.engine.status import EngineStatus, State
from devstral_ls.errors import (
    DevstralError,
    EngineBusy,
    EngineError,
    EngineUnavailable,
    GenerationFailed,
    ModelError,
    SettingsError,
)
from devstral_ls.generation import Chunk, GenerationRequest, ModelInfo

__all__ = ["RemoteEngine", "RemoteOptions"]

_log = logging.getLogger(__name__)

SILENCE_SECONDS = 60.0
"""No news of a generation for so long, the wait for its turn included, and it has failed."""

_RETRIES = 2
"""Of a connect that failed."""

_PATIENCE = Patience(look=10.0)

_AWAY = "Is it running, and is engine.baseUrl right? It is tried again by itself."


class RemoteEngine:
    """An ``Engine`` at ``engine.baseUrl``. ``start`` it once, ``aclose`` it."""

    def __init__(
        self,
        options: RemoteOptions,
        on_status: Callable[[EngineStatus], None],
        *,
        patience: Patience = _PATIENCE,
        silence: float = SILENCE_SECONDS,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """``on_status`` hears of every change, in the event loop; ``silence`` is in seconds."""
        self._options = options
        self._on_status = on_status
        self._patience = patience
        self._silence = silence
        self._environ = environ
        self._status = EngineStatus("starting")
        self._error: DevstralError | None = None
        self._client: EngineClient | None = None
        self._n_running = 0
        self._n_failures = 0
        self._halted = False
        self._changed = asyncio.Event()
        self._poked = asyncio.Event()
        self._settled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def model(self) -> ModelInfo | None:
        """The model that would answer now."""
        return self._client.model if self._client is not None else None

    @property
    def status(self) -> EngineStatus:
        """How it is now."""
        return self._status

    @property
    def error(self) -> DevstralError | None:
        """Why it cannot be used, where it is lost or failed."""
        return self._error

    def start(self) -> None:
        """Begin to look for the engine. Again does nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name="devstral-ls remote engine")

    async def ready(self) -> EngineStatus:
        """The status as soon as it is known whether the engine can be used."""
        await self._settled.wait()
        return self._status

    async def aclose(self) -> None:
        """Close the connections; the engine does not notice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def reconfigure(self, options: RemoteOptions) -> None:
        """Use ``options`` from now on."""
        if options != self._options:
            self._options = options
            self._changed.set()

    def restart(self) -> None:
        """Connect anew; the engine itself is not ours to restart."""
        self._changed.set()

    def halt(self) -> None:
        """Stop looking for it, if it is not found yet. ``restart`` or other options begin again."""
        if self._client is None:
            self._halted = True
            self._changed.set()

    def poke(self) -> None:
        """Look now: it may be gone, or back, or have another model."""
        self._poked.set()

    @asynccontextmanager
    async def generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[Chunk]]:
        """Run ``request``; see ``generation.Engine``."""
        client = self._client
        if client is None:
            raise self._refusal()
        self._running(+1)
        try:
            async with client.generate(request) as chunks:
                yield chunks
        except (EngineUnavailable, GenerationFailed):
            self.poke()
            raise
        finally:
            self._running(-1)

    def _refusal(self) -> DevstralError:
        if self._error is not None:
            return type(self._error)(self._error.message, hint=self._error.hint)
        return EngineBusy(self._status.message or "the engine is not found yet")

    # What it does in the background.

    async def _keep(self) -> None:
        await asyncio.to_thread(importlib.import_module, "httpx")
        while True:
            attempt = asyncio.create_task(self._attempt())
            changed = asyncio.create_task(self._changed.wait())
            try:
                await asyncio.wait((attempt, changed), return_when=asyncio.FIRST_COMPLETED)
            finally:
                attempt.cancel()
                changed.cancel()
                await asyncio.gather(attempt, changed, return_exceptions=True)
            if not attempt.cancelled() and (bug := attempt.exception()) is not None:
                _log.error("the remote engine's keeper failed", exc_info=bug)
                self._say("failed", error=EngineError(f"internal error: {bug!r}"))
                await self._changed.wait()
            if self._changed.is_set():
                self._changed.clear()
                self._n_failures = 0

    async def _attempt(self) -> None:
        """One connection from its beginning to its end, and the wait for the next."""
        if self._halted:
            self._halted = False
            again = "The command devstral.restartEngine looks for it again."
            self._say("failed", error=EngineError("looking for the engine was cancelled", hint=again))
            await self._changed.wait()
        try:
            await self._serve()
        except SettingsError as error:
            self._say("failed", error=error)
            await self._changed.wait()
        except EngineBusy as error:
            self._say("loading", message=error.message)
            await self._pause(self._wait())
        except ModelError as error:
            self._say("failed", error=error)
            await self._pause(self._patience.most)
        except EngineError as error:
            hint = _AWAY if error.hint == type(error).hint else error.hint
            self._say("lost", error=EngineUnavailable(error.message, hint=hint))
            await self._pause(self._wait())

    def _wait(self) -> float:
        """Seconds before the next attempt: longer each time, and never in step with other clients."""
        seconds = min(self._patience.first * 2.0 ** min(self._n_failures, 16), self._patience.most)
        self._n_failures += 1
        return seconds * random.uniform(0.5, 1.0)  # noqa: S311  nothing secret

    async def _serve(self) -> None:
        """Find the engine and watch it; returns when it has another model.

        Raises:
            SettingsError: it must not be contacted, or cannot be as the settings are.
            EngineError: it is away, or has no model.
        """
        if self._error is None:
            self._say("starting")
        options = self._options
        endpoint = Endpoint(
            checked_address(options.base_url, allow_remote=options.allow_remote, environ=self._environ),
            key_of(options.api_key_env, self._environ),
            options.ca_file,
        )
        http = Http(endpoint, silence=self._silence, retries=_RETRIES)
        try:
            await asyncio.to_thread(lambda: http.client)  # reading certificates takes its time
            found = await probe(http, options)
            self._client = client_of(found, endpoint, http)
            self._n_failures = 0
            self._say("ready", found=found)
            await self._watch(http, options, found)
        finally:
            self._client = None
            await http.aclose()

    async def _watch(self, http: Http, options: RemoteOptions, found: Found) -> None:
        """Until it has another model.

        Raises:
            EngineUnavailable: it is away.
        """
        assert self._client is not None  # noqa: S101  set by the caller
        while True:
            poked = await self._pause(self._patience.look)
            if poked and (await probe(http, options)).model != found.model:
                return
            if not await self._client.health():
                await asyncio.sleep(self._patience.first)  # once may be chance
                if not await self._client.health():
                    raise EngineUnavailable("the engine does not answer any more")

    async def _pause(self, seconds: float) -> bool:
        """Until ``seconds`` are over, or somebody pokes: which."""
        try:
            async with asyncio.timeout(seconds):  # Python 3.11's wait_for loses a cancellation that comes with the poke
                await self._poked.wait()
        except TimeoutError:
            return False
        self._poked.clear()
        return True

    # What it says.

    def _running(self, change: int) -> None:
        self._n_running += change
        if self._client is not None:
            self._set(replace(self._status, state="generating" if self._n_running else "ready"))

    def _say(
        self,
        state: State,
        *,
        error: DevstralError | None = None,
        message: str | None = None,
        found: Found | None = None,
    ) -> None:
        self._error = error
        if found is not None:
            message = f"{found.model.name}, {found.model.layouts[0]}, {found.model.context_tokens} tokens of context"
            message += f"; {found.note}" if found.note else ""
        self._set(
            EngineStatus(
                state=state,
                model=found.model.name if found else self._options.remote_model,
                engine=f"{found.software} ({found.dialect.name})" if found else None,
                message=error.message if error else message,
                hint=error.hint if error else None,
            )
        )

    def _set(self, status: EngineStatus) -> None:
        if status.settled or status.state == "lost":  # it may be away for days: who asked is told now
            self._settled.set()
        else:
            self._settled.clear()
        if status != self._status:
            self._status = status
            self._on_status(status)
