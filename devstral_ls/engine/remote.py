"""``RemoteEngine``: an engine somebody else runs, as the server sees it: found, watched, and found again.

Nothing is started or stopped here, and an engine that is away is waited for as long as it takes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from devstral_ls.engine.endpoint import Endpoint, checked_address, key_of
from devstral_ls.engine.http import Http
from devstral_ls.engine.kept import KeptEngine
from devstral_ls.engine.patience import Patience
from devstral_ls.engine.probing import Found, client_of, probe
from devstral_ls.engine.remote_options import RemoteOptions
from devstral_ls.engine.status import EngineStatus, State
from devstral_ls.errors import (
    DevstralError,
    EngineBusy,
    EngineError,
    EngineUnavailable,
    ModelError,
    SettingsError,
)

__all__ = ["RemoteEngine", "RemoteOptions"]

_log = logging.getLogger(__name__)

SILENCE_SECONDS = 60.0
"""No news of a generation for so long, the wait for its turn included, and it has failed."""

_RETRIES = 2
"""Of a connect that failed."""

_PATIENCE = Patience(look=10.0)

_AWAY = "Is it running, and is engine.baseUrl right? It is tried again by itself."


class RemoteEngine(KeptEngine):
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
        super().__init__(on_status)
        self._options = options
        self._patience = patience
        self._silence = silence
        self._environ = environ
        self._n_failures = 0

    def reconfigure(self, options: RemoteOptions) -> None:
        """Use ``options`` from now on."""
        if options != self._options:
            self._options = options
            self._changed.set()

    def restart(self) -> None:
        """Connect anew; the engine itself is not ours to restart."""
        self._changed.set()

    # What it does in the background.

    async def _clear_the_way(self) -> None:
        """Begin to count anew."""
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

    def _is_settled(self, status: EngineStatus) -> bool:
        # It may be away for days: who asked is told now.
        return super()._is_settled(status) or status.state == "lost"
