"""A daemon that is joined and spoken to, from the moment it is ready to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from devstral_ls.engine.client import SILENCE_SECONDS, Attachment, EngineClient
from devstral_ls.engine.last_words import last_words
from devstral_ls.engine.model_info import model_info
from devstral_ls.engine.rendezvous import Joined, join, kill
from devstral_ls.engine.spec import EngineSpec
from devstral_ls.engine.state import EngineState
from devstral_ls.engine.tuning.budget import LATENCY_MS
from devstral_ls.engine.tuning.calibration import Subject, calibration_file, read_calibrated
from devstral_ls.engine.tuning.rates import Rate
from devstral_ls.errors import EngineUnavailable
from devstral_ls.generation import ModelInfo
from devstral_ls.models.families.table import layouts_of
from devstral_ls.models.gguf.header import GgufHeader, read_header
from devstral_ls.platform.paths import Directories
from devstral_ls.platform.processes import activity, is_stopped

_SECOND_SECONDS = 3.0
"""For an engine that did not let us attach within ``client.PULSE_SECONDS``."""

_SILENT = "It is tried again by itself; `devstral-ls engine stop` ends it, if it does not come back."

_ATTEMPTS = 3
"""To attach to a daemon, each of which may leave at that moment."""

_SMALL = 1 / 3
"""A change of the prompt budget by less than this part of it is not worth what it costs."""


class Connection:
    """Made by ``connect``; to be closed."""

    def __init__(
        self,
        joined: Joined,
        spec: EngineSpec,
        header: GgufHeader,
        calibrations: Path,
        latency_ms: int = LATENCY_MS,
        silence: float = SILENCE_SECONDS,
    ) -> None:
        self.state = joined.state
        """What the daemon said when it was ready."""
        self._joined = joined
        self._spec = spec
        self._header = header
        self._latency_ms = latency_ms
        self._rate: Rate | None = None
        self._calibration = calibration_file(calibrations, joined.state.rate_key)
        self._calibrated = read_calibrated(self._calibration)
        self.client = EngineClient(joined.endpoint, self._model(), salt=joined.state.nonce, silence=silence)
        """Speaks to it."""
        self._attachment: Attachment | None = None
        self._tasks = set[asyncio.Task[None]]()

    async def open(self, on_end: Callable[[], None]) -> None:
        """Attach to the daemon, which stays from now on; ``on_end`` is called when it ends.

        Raises:
            EngineUnavailable: it has left, or is silent. One that does nothing at all meanwhile is ended; one that is
                busy, or is not what listens, is left alone.
        """
        pid = self.state.pid
        before = activity(pid)
        try:
            self._attachment = await self.client.attach(self._note_rate)
        except EngineUnavailable as error:
            if not isinstance(error.__cause__, TimeoutError) or await self.has_pulse(_SECOND_SECONDS):
                raise
            name = self._spec.model_name
            if before is not None and activity(pid) == before:
                await self.kill()
                raise EngineUnavailable(f"the engine of {name} did not answer, and was ended") from error
            raise EngineUnavailable(f"the engine of {name} does not answer", hint=_SILENT) from error
        self._attachment.on_end(on_end)

    @property
    def alive(self) -> bool:
        """True until the daemon ends, in whatever way."""
        return self._attachment is not None and self._attachment.is_open and self._joined.alive

    @property
    def last_words(self) -> str:
        """What the process printed last, if it was anything for people."""
        return last_words(self._joined.files.log)

    async def has_pulse(self, seconds: float) -> bool:
        """True when it answers within ``seconds``."""
        return await self.client.health(seconds)

    @property
    def is_stopped(self) -> bool:
        """True when the process was stopped by a signal: it holds its lock and its socket then, and answers nothing."""
        return is_stopped(self.state.pid)

    async def kill(self) -> None:
        """End the process, which does not answer."""
        await asyncio.to_thread(kill, self._joined)

    def keep_within(self, latency_ms: int) -> None:
        """Have suggestions keep to another latency budget."""
        self._latency_ms = latency_ms
        self.client.use_model(self._model())

    @property
    def subject(self) -> Subject:
        """What a calibration of this engine needs to know."""
        return Subject(
            file=self._calibration,
            model=self.client.model,
            candidates=layouts_of(self._header),
            batch=self.state.batch,
            threads=self.state.threads,
            build=self.state.versions.get("xllamacpp", ""),
            latency_ms=self._latency_ms,
            observed=self._rate,
        )

    def recalibrated(self) -> None:
        """A calibration was written: go on with its numbers, here and in the daemon."""
        found = read_calibrated(self._calibration)
        if found is not None and found != self._calibrated and self._attachment is not None:
            self._rate = Rate(found.prefill_rate(self.state.batch), found.decode_rate)
            task = asyncio.create_task(self._attachment.recalibrated())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._calibrated = found
        self.client.use_model(self._model())

    async def aclose(self) -> None:
        """Let go of the daemon."""
        if self._attachment is not None:
            await self._attachment.close()
        await self.client.aclose()

    def _note_rate(self, prefill: float, decode: float | None) -> None:
        """The daemon measured: let the prompt budget follow."""
        self._rate = Rate(prefill, decode)
        model, now = self._model(), self.client.model
        if abs(model.prompt_budget - now.prompt_budget) < now.prompt_budget * _SMALL:
            # Another budget moves the window, and all of it is evaluated again.
            model = replace(model, prompt_budget=now.prompt_budget)
        self.client.use_model(model)

    def _model(self) -> ModelInfo:
        return model_info(
            self._spec.model_name, self._header, self.state, self._rate, self._calibrated, self._latency_ms
        )


async def connect(
    spec: EngineSpec,
    directories: Directories,
    on_state: Callable[[EngineState], None] = lambda state: None,
    *,
    on_end: Callable[[], None] = lambda: None,
    latency_ms: int = LATENCY_MS,
    silence: float = SILENCE_SECONDS,
    lost: str = "",
) -> Connection:
    """Join the daemon of ``spec``, started if need be; ``on_state`` hears of the states on the way, ``on_end`` of its
    end. ``latency_ms`` is what suggestions are to keep to; after ``silence`` seconds without a word the daemon is asked
    whether it is there. ``lost`` is as in ``rendezvous.join``.

    Raises:
        ModelError: the model cannot be used.
        EngineUnavailable: no daemon could be started.
    """
    header = await asyncio.to_thread(read_header, Path(spec.model_path))
    for attempt in range(_ATTEMPTS):
        joined = await join(spec, directories, on_state, lost=lost)
        connection = Connection(joined, spec, header, directories.data, latency_ms, silence)
        try:
            await connection.open(on_end)
            return connection
        except EngineUnavailable:
            await connection.aclose()
            if attempt + 1 == _ATTEMPTS or joined.alive:
                raise
            lost = joined.state.nonce  # it left between its last look for clients and our coming
        except BaseException:
            await connection.aclose()
            raise
    raise AssertionError  # the last attempt returned or raised
