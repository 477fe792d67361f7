"""An engine that is joined and spoken to, from the moment it is ready to its end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from devstral_ls.engine.budget import LATENCY_MS
from devstral_ls.engine.calibrated import Subject, calibration_file, read_calibrated
from devstral_ls.engine.client import EngineClient
from devstral_ls.engine.facts import model_info, reserved_tokens
from devstral_ls.engine.http import Http
from devstral_ls.engine.place import Place
from devstral_ls.engine.processes import is_stopped
from devstral_ls.engine.rates import Rate, Rates
from devstral_ls.engine.rendezvous import Joined, join, kill, last_words
from devstral_ls.engine.schedule import Schedule
from devstral_ls.engine.slots import SharedSlots
from devstral_ls.engine.spec import EngineSpec
from devstral_ls.engine.state import EngineState
from devstral_ls.engine.turns import Turns
from devstral_ls.generation import ModelInfo
from devstral_ls.models.families.table import layouts_of
from devstral_ls.models.gguf.header import GgufHeader, read_header
from devstral_ls.platform.paths import Directories

_SAVE_SECONDS = 30.0
"""Between two writes of the measured rates, at least."""

_SMALL = 1 / 3
"""A change of the prompt budget by less than this part of it is not worth what it costs."""

LEAST_SILENCE = 20.0
"""Seconds. An engine that works says something after each batch, and our requests never wait inside it."""

_HOT_BATCHES = 4
"""An inline request with more new tokens than that makes room for those with fewer."""

_SILENT_BATCHES = 30
"""So many batches, at the rate the engine was started with, may pass without a word: other programs slow it down."""


class Connection:
    """Made by ``connect``; to be closed."""

    def __init__(
        self,
        joined: Joined,
        spec: EngineSpec,
        header: GgufHeader,
        rates: Rates,
        calibrations: Path,
        latency_ms: int,
        least_silence: float = LEAST_SILENCE,
    ) -> None:
        self.state = joined.state
        """What the engine said when it was ready."""
        self._joined = joined
        self._spec = spec
        self._header = header
        self._rates = rates
        self._latency_ms = latency_ms
        self._calibration = calibration_file(calibrations, joined.state.rate_key)
        self._calibrated = read_calibrated(self._calibration)
        self._saved = time.monotonic()
        self.client = EngineClient(
            joined.endpoint,
            self._model(),
            specials=header.control_tokens,
            reserved=reserved_tokens(header),
            space_prefix=header.add_space_prefix,
            schedule=_schedule(joined),
            http=Http(joined.endpoint, silence=_silence(joined.state, least_silence)),
            on_usage=lambda usage: rates.observe(joined.state.rate_key, usage),
        )
        """Speaks to it."""

    @property
    def alive(self) -> bool:
        """Is it still the same process?"""
        return self._joined.alive

    @property
    def last_words(self) -> str:
        """What the process said last, if it was anything for people."""
        return last_words(self._joined.place.log)

    async def has_pulse(self, seconds: float) -> bool:
        """Does it answer within ``seconds``?"""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self.client.health()
        return False

    @property
    def stopped(self) -> bool:
        """Has somebody stopped the process? It holds its lock and its socket then, and answers nothing."""
        return is_stopped(self.state.pid)

    async def kill(self) -> None:
        """End the process, which does not answer."""
        await asyncio.to_thread(kill, self._joined)

    async def remember(self) -> None:
        """Now and then, write down the rates seen, and let the prompt budget follow them."""
        if self._rates.unsaved and time.monotonic() - self._saved > _SAVE_SECONDS:
            self._saved = time.monotonic()
            await asyncio.to_thread(self._rates.save)
            model, now = self._model(), self.client.model
            if abs(model.prompt_budget - now.prompt_budget) < now.prompt_budget * _SMALL:
                # Another budget moves the window, and all of it is read again.
                model = replace(model, prompt_budget=now.prompt_budget)
            self.client.model = model

    def keep_within(self, latency_ms: int) -> None:
        """Have suggestions keep to another latency budget."""
        self._latency_ms = latency_ms
        self.client.model = self._model()

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
            observed=self._rates.get(self.state.rate_key),
        )

    def recalibrated(self) -> None:
        """A calibration was written: go on with its numbers."""
        found = read_calibrated(self._calibration)
        if found is not None and found != self._calibrated:
            self._rates.put(self.state.rate_key, Rate(found.prefill_rate(self.state.batch), found.decode_rate))
        self._calibrated = found
        self.client.model = self._model()

    async def aclose(self) -> None:
        """Leave the engine."""
        self._joined.close()
        await self.client.aclose()
        self._rates.save()

    def _model(self) -> ModelInfo:
        rate = self._rates.get(self.state.rate_key)
        return model_info(self._spec.model_name, self._header, self.state, rate, self._calibrated, self._latency_ms)


async def connect(
    spec: EngineSpec,
    directories: Directories,
    rates: Rates,
    on_state: Callable[[EngineState], None],
    latency_ms: int = LATENCY_MS,
    least_silence: float = LEAST_SILENCE,
    lost: str = "",
) -> Connection:
    """Join the engine of ``spec``, started if need be; ``on_state`` hears of the states on the way. ``latency_ms`` is
    what suggestions are to keep to. A request fails after ``least_silence`` seconds without an event, or later if a
    batch takes long. ``lost`` is as in ``rendezvous.join``.

    Raises:
        ModelError: the model cannot be used.
        EngineUnavailable: no engine could be started.
    """
    header = await asyncio.to_thread(read_header, Path(spec.model_path))
    joined = await join(spec, directories, on_state, lost=lost)
    return Connection(joined, spec, header, rates, directories.data, latency_ms, least_silence)


def _schedule(joined: Joined) -> Schedule:
    """When and where our requests run, beside those of the engine's other clients."""
    place, state = joined.place, joined.state
    on_gpu = state.gpu_layers == -1
    return Schedule(
        SharedSlots(place, state.nonce, state.slots),
        # Engines of two models share the processor: an action of the large one would stop the small one's suggestions.
        Turns(place if on_gpu else Place(place.folder, "processor"), one_at_a_time=not on_gpu),
        hot_tokens=_HOT_BATCHES * state.batch,
    )


def _silence(state: EngineState, least: float) -> float:
    """After how many seconds without an event an engine hangs."""
    return max(least, _SILENT_BATCHES * state.batch / state.prefill_rate if state.prefill_rate > 0 else 0.0)
