"""``RemoteEngine``: supervises an engine that is not ours: finds it, watches it, and finds it again.

Nothing is started or stopped here, and a server that is away is looked for again for as long as it takes.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from devstral_ls.engine.daemon.backend_engine import BackendEngine
from devstral_ls.engine.daemon.backends.remote.backend import RemoteBackend
from devstral_ls.engine.daemon.backends.remote.deadlines import DEADLINES, Deadlines
from devstral_ls.engine.daemon.backends.remote.guards import checked_address, key_of
from devstral_ls.engine.daemon.backends.remote.options import RemoteOptions
from devstral_ls.engine.daemon.backends.remote.probing import Probed
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.restart_policy import RestartPolicy
from devstral_ls.engine.status import EngineStatus, State
from devstral_ls.engine.supervisor import Supervisor
from devstral_ls.errors import (
    DevstralError,
    EngineBusy,
    EngineError,
    EngineSilent,
    EngineTooSlow,
    EngineUnavailable,
    ModelError,
    SettingsError,
)

__all__ = ["RemoteEngine", "RemoteOptions"]

SILENCE_SECONDS = 60.0
"""A server may load its model, or be busy with others, for so long before it is asked whether it works at all."""

_POLICY = RestartPolicy(look=10.0)

_AWAY = "Is it running, and is engine.baseUrl right? It is tried again by itself."


class RemoteEngine(Supervisor):
    """An ``Engine`` at ``engine.baseUrl``. ``start`` it once, ``aclose`` it."""

    def __init__(
        self,
        options: RemoteOptions,
        on_status: Callable[[EngineStatus], None],
        *,
        policy: RestartPolicy | None = None,
        silence: float = SILENCE_SECONDS,
        deadlines: Deadlines = DEADLINES,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """``on_status`` is called with every change, in the event loop; ``silence`` is in seconds: without an event for
        so long, the server is asked whether it works at all.
        """
        super().__init__(on_status)
        self._options = options
        self._policy = policy or _POLICY
        self._silence = silence
        self._deadlines = deadlines
        self._probed: Probed | None = None
        self._trouble: EngineError | None = None
        self._environ = environ
        self._n_failures = 0

    def reconfigure(self, options: RemoteOptions) -> None:
        """Use ``options`` from now on."""
        if options != self._options:
            self._options = options
            self._changed.set()

    def restart(self) -> None:
        """Connect anew; the server itself is not ours to restart."""
        self._changed.set()

    # In the background.

    async def _clear_the_way(self) -> None:
        """Forget earlier failures."""
        self._n_failures = 0

    async def _attempt(self) -> None:
        """One connection from its beginning to its end, and the wait before the next."""
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
            await self._pause(self._policy.most)
        except EngineError as error:
            hint = _AWAY if error.hint == type(error).hint else error.hint
            self._say("lost", error=EngineUnavailable(error.message, hint=hint))
            await self._pause(self._wait())

    def _wait(self) -> float:
        """Seconds before the next attempt: longer each time, and never in step with other clients."""
        seconds = min(self._policy.first * 2.0 ** min(self._n_failures, 16), self._policy.most)
        self._n_failures += 1
        return seconds * random.uniform(0.5, 1.0)  # noqa: S311  nothing secret

    async def _serve(self) -> None:
        """Find the server and watch it; returns when it has another model.

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
            any_user=options.allow_remote,
        )
        backend = RemoteBackend(endpoint, options, deadlines=self._deadlines)
        try:
            await backend.start()
            self._client = BackendEngine(
                backend, model=backend.probed.model, silence=self._silence, tokenizing=self._deadlines.request
            )
            self._n_failures = 0
            self._trouble = None
            self._say("ready", probed=backend.probed)
            await self._watch(backend)
        finally:
            self._client = None
            await backend.stop()

    async def _watch(self, backend: RemoteBackend) -> None:
        """Return when it has another model.

        Raises:
            EngineUnavailable: it is away.
        """
        while True:
            check_requested = await self._pause(self._policy.look)
            if check_requested and (await backend.probe()).model != backend.probed.model:
                return
            if not await backend.health():
                await asyncio.sleep(self._policy.first)  # once may be chance
                if not await backend.health():
                    raise EngineUnavailable("the engine does not answer any more")

    # Status.

    def _running(self, change: int) -> None:
        self._n_running += change
        if self._client is not None:
            self._set(replace(self._status, state="generating" if self._n_running else "ready"))

    def _note(self, error: EngineError | None) -> None:
        """Tell of a server that is there and takes too long, until a request goes well."""
        self._trouble = error if isinstance(error, EngineSilent | EngineTooSlow) else None
        if self._client is not None and self._probed is not None:
            self._set(replace(self._at_work(self._probed), state=self._status.state))

    def _at_work(self, probed: Probed) -> EngineStatus:
        """The status of a server that can be used."""
        model = probed.model
        message = f"{model.name}, {model.layouts[0]}, {model.context_tokens} tokens of context"
        message += f"; {probed.note}" if probed.note else ""
        return EngineStatus(
            state="ready",
            model=model.name,
            engine=f"{probed.info.software} ({probed.dialect.name})",
            message=self._trouble.message if self._trouble else message,
            hint=EngineTooSlow.hint if self._trouble else None,
        )

    def _say(
        self,
        state: State,
        *,
        error: DevstralError | None = None,
        message: str | None = None,
        probed: Probed | None = None,
    ) -> None:
        self._error = error
        self._probed = probed
        if probed is not None:
            self._set(self._at_work(probed))
            return
        self._set(
            EngineStatus(
                state=state,
                model=self._options.remote_model,
                message=error.message if error else message,
                hint=error.hint if error else None,
            )
        )

    def _is_settled(self, status: EngineStatus) -> bool:
        # It may be away for days: what waits for it is answered now.
        return super()._is_settled(status) or status.state == "lost"
