"""``ManagedEngine``: a daemon of our own, as a language server sees it: started, watched, and started again when it dies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from devstral_ls.engine import rendezvous
from devstral_ls.engine.connection import Connection, connect
from devstral_ls.engine.model_info import description, engine_name, slowness
from devstral_ls.engine.model_selection import passed_over, wanted
from devstral_ls.engine.restart_policy import Deaths, RestartPolicy
from devstral_ls.engine.runtime_dir import unusable
from devstral_ls.engine.spec import EngineOptions, EngineSpec
from devstral_ls.engine.state import EngineState
from devstral_ls.engine.status import EngineStatus, State
from devstral_ls.engine.supervisor import Supervisor
from devstral_ls.engine.tuning.calibration import Subject
from devstral_ls.errors import (
    DevstralError,
    EngineError,
    EngineSilent,
    EngineUnavailable,
    ModelError,
    ModelNotFound,
    ModelTooBig,
    RuntimeFolderUnusable,
)
from devstral_ls.platform.paths import Directories

__all__ = ["EngineOptions", "ManagedEngine", "RestartPolicy"]

_log = logging.getLogger(__name__)

_GIVEN_UP = "See `devstral-ls engine logs`; the command devstral.restartEngine starts it again."
_LOAD_AGAIN = "The command devstral.restartEngine loads it again."


class ManagedEngine(Supervisor):
    """Supervises the daemon of the model that is wanted."""

    def __init__(
        self,
        options: EngineOptions,
        directories: Directories,
        on_status: Callable[[EngineStatus], None],
        *,
        policy: RestartPolicy | None = None,
    ) -> None:
        """``on_status`` hears of every change, in the event loop."""
        super().__init__(on_status)
        self._options = options
        self._directories = directories
        self._policy = policy or RestartPolicy()
        self._connection: Connection | None = None
        self._calibrating = False
        self._spec: EngineSpec | None = None
        self._unfit = set[str]()  # files that did not fit, while "auto" may choose another
        self._deaths = Deaths(self._policy)
        self._lost = ""  # nonce of the engine that was here last
        self._n_silent = 0  # requests in a row that the engine held without a word
        self._restart = False

    def reconfigure(self, options: EngineOptions) -> None:
        """Use ``options`` from now on; the engine changes if they ask for another one."""
        before, self._options = self._options, options
        if replace(options, latency_budget_ms=before.latency_budget_ms) != before:
            self._changed.set()
        elif self._connection is not None:
            self._connection.keep_within(options.latency_budget_ms)
            self._running(0)

    def restart(self) -> None:
        """Stop the engine, for all clients, and start it again."""
        self._restart = True
        self._changed.set()

    @property
    def subject(self) -> Subject | None:
        """What there is to calibrate; None while there is no engine."""
        return self._connection.subject if self._connection is not None else None

    def calibrating(self, begins: bool) -> None:
        """A calibration begins or ends; it shows in the status instead of what runs."""
        self._calibrating = begins
        self._running(0)

    def recalibrated(self) -> None:
        """A calibration was written: go on with its numbers."""
        if self._connection is not None:
            self._connection.recalibrated()
            self._running(0)

    def _note(self, error: EngineError | None) -> None:
        if isinstance(error, EngineSilent):
            self._n_silent += 1
        elif error is None:
            self._n_silent = 0

    # In the background.

    async def _clear_the_way(self) -> None:
        """Settings changed, or a restart is wanted: the engine we had must not keep the memory of the next one."""
        self._say("starting")
        restart, self._restart = self._restart, False
        self._halted = self._halted and not restart
        self._deaths.forget()
        self._unfit.clear()
        if self._spec is None:
            return
        if restart:
            await asyncio.to_thread(rendezvous.stop, self._directories, self._spec.key)
        elif self._halted or not _same(await asyncio.to_thread(self._wanted), self._spec):
            await rendezvous.stop_unused(self._directories, self._spec.key)

    async def _attempt(self) -> None:
        """One engine from its start to its end, and what is to be waited for then."""
        try:
            await self._attempt_it()
        except OSError as error:  # a disk that fills between two looks of our own, or while we wait for room
            self._say("failed", error=unusable(self._directories.runtime, error))
            await self._pause(self._policy.look)

    async def _attempt_it(self) -> None:
        self._spec = None
        if self._halted:
            self._halted = False
            self._say("failed", error=EngineError("loading was cancelled", hint=_LOAD_AGAIN))
            await self._until_other(await asyncio.to_thread(self._wanted))
            return
        try:
            await self._serve()
        except ModelNotFound as error:
            self._say("absent", error=error)
            await self._until_other(None)
        except ModelError as error:
            spec = self._spec
            if isinstance(error, ModelTooBig) and spec is not None and self._try_smaller(spec):
                return
            self._say("failed", error=error)
            await self._until_other(spec)
        except RuntimeFolderUnusable as error:
            self._say("failed", error=error)
            await self._until_usable(self._spec)
        except EngineError as error:
            await self._back_off(error)

    def _try_smaller(self, spec: EngineSpec) -> bool:
        """``spec`` does not fit; True when another model may be tried."""
        if self._options.model != "auto" or spec.file_key in self._unfit:
            return False
        self._unfit.add(spec.file_key)
        return True

    async def _serve(self) -> None:
        """Find or start the engine and keep it; returns when another one is wanted.

        Raises:
            ModelError: the model cannot be used.
            EngineUnavailable: the engine is lost.
        """
        self._say("starting")
        spec = await asyncio.to_thread(wanted, self._options, self._directories, self._unfit)
        passed = await asyncio.to_thread(passed_over, spec, self._options, self._directories, self._unfit)
        self._spec = spec
        self._say("starting")
        latency_ms, silence = self._options.latency_budget_ms, self._policy.silence
        connection = await connect(
            spec,
            self._directories,
            self._on_state,
            on_end=self.check_now,
            latency_ms=latency_ms,
            silence=silence,
            lost=self._lost,
        )
        self._n_silent = 0
        try:
            self._client, self._connection = connection.client, connection
            self._say("ready", message=description(connection.state) + passed, engine=engine_name(connection.state))
            self._running(0)
            await self._watch(connection, spec)
        finally:
            self._client = self._connection = None
            await connection.aclose()
        await rendezvous.stop_unused(self._directories, spec.key)

    async def _watch(self, connection: Connection, spec: EngineSpec) -> None:
        while connection.alive:
            check_requested = await self._pause(self._policy.look)
            if check_requested and connection.alive and not _same(await asyncio.to_thread(self._wanted), spec):
                return
            stopped = self._n_running > 0 and connection.is_stopped
            if self._n_silent or stopped:
                await self._feel_pulse(connection, spec, self._policy.stopped if stopped else self._policy.pulse)
        self._lost = connection.state.nonce  # its lock may be looked at, and its process may take its time to end
        words = connection.last_words
        raise EngineUnavailable(f"the engine of {spec.model_name} ended" + (f": {words}" if words else ""))

    async def _feel_pulse(self, connection: Connection, spec: EngineSpec, seconds: float) -> None:
        """It was silent: end it unless it answers within ``seconds`` and has not been silent too often.

        Raises:
            EngineUnavailable: it hung, and is ended.
        """
        if await connection.has_pulse(seconds) and self._n_silent < self._policy.silences:
            return
        error = EngineUnavailable(f"the engine of {spec.model_name} did not answer any more and was ended")
        self._client = None
        self._say("lost", error=error)
        await connection.kill()
        raise error

    async def _back_off(self, error: EngineError) -> None:
        """Wait before the next attempt, longer each time; after too many deaths, until something else is wanted."""
        seconds = self._deaths.add()
        if seconds is None:
            n, within = self._policy.deaths, self._policy.within
            hint = _GIVEN_UP if error.hint == type(error).hint else error.hint
            self._say("failed", error=EngineUnavailable(f"{error.message} ({n} times in {within:.0f} s)", hint=hint))
            await self._until_other(self._spec)
            self._deaths.forget()
        else:
            self._say("lost", error=error)
            await asyncio.sleep(seconds)

    async def _until_usable(self, spec: EngineSpec | None) -> None:
        """Until something can be written to the runtime folder, or another model is wanted."""
        while spec is not None and not await asyncio.to_thread(rendezvous.can_join, self._directories, spec.key):
            await self._pause(self._policy.look)
            if not _same(await asyncio.to_thread(self._wanted), spec):
                return

    async def _until_other(self, spec: EngineSpec | None) -> None:
        """Until another model, or the same file changed, would be used than ``spec``."""
        while _same(await asyncio.to_thread(self._wanted), spec):
            await self._pause(self._policy.look)

    def _wanted(self) -> EngineSpec | None:
        """What would be started now, if there is a model."""
        try:
            return wanted(self._options, self._directories, self._unfit)
        except ModelError:
            return None

    # Status.

    def _on_state(self, state: EngineState) -> None:
        """The daemon's state changed while it starts."""
        if state.phase in ("starting", "loading"):
            self._say(state.phase, message=f"loading {state.model}" if state.phase == "loading" else None)

    def _running(self, change: int) -> None:
        self._n_running += change
        if self._connection is not None and self._client is not None:  # one that is being ended stays lost
            self._set(self._at_work(self._connection))

    def _at_work(self, connection: Connection) -> EngineStatus:
        """The status of a ready engine."""
        status = replace(self._status, state="ready", message=description(connection.state), hint=None)
        if self._calibrating:  # what runs now is its own
            return replace(status, state="calibrating")
        if connection.client.model.slow:
            message, hint = slowness(connection.client.model.name)
            status = replace(status, state="slow", message=message, hint=hint)
        return replace(status, state="generating") if self._n_running else status

    def _say(
        self, state: State, *, error: DevstralError | None = None, message: str | None = None, engine: str | None = None
    ) -> None:
        self._error = error
        self._set(
            EngineStatus(
                state=state,
                model=self._spec.model_name if self._spec else None,
                engine=engine,
                message=error.message if error else message,
                hint=error.hint if error else None,
            )
        )


def _same(one: EngineSpec | None, other: EngineSpec | None) -> bool:
    """True when both ask for the same process."""
    return (one and one.key) == (other and other.key)
