"""``CtransformersBackend``: the row of ctransformers. One request at a time, left between two tokens or prompt batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import cast

from devstral_ls.engine.daemon.backends.backend import BackendInfo, BackendRequest, Capabilities, Event
from devstral_ls.engine.daemon.backends.ctransformers.decoder import Decoder, Model
from devstral_ls.engine.daemon.backends.ctransformers.library_model import LibraryModel, import_library
from devstral_ls.engine.model_info import reserved_tokens
from devstral_ls.engine.spec import EngineSpec
from devstral_ls.engine.tuning import sizing
from devstral_ls.engine.tuning.rates import Rates
from devstral_ls.errors import GenerationFailed
from devstral_ls.models.families.table import bos_token
from devstral_ls.models.gguf.header import GgufHeader, read_header
from devstral_ls.models.memory import available_memory
from devstral_ls.models.runners import CTRANSFORMERS, check_runner

MAX_BATCH = 256
"""Prompt tokens evaluated at once: the library's own 8 is slow. A slow machine gets fewer, as with llama.cpp."""

Load = Callable[[EngineSpec], tuple[BackendInfo, Model]]


class CtransformersBackend:
    """A ``Backend`` in this process. The library is not thread-safe and cannot be interrupted: one thread calls it."""

    capabilities = Capabilities(prompt="ids", is_shared_processor=True, resumable=True)

    def __init__(self, spec: EngineSpec, _folder: Path, load: Load | None = None) -> None:
        """The runtime folder is of no use to it: it has no socket and writes no files. ``load`` is for tests."""
        self._spec = spec
        self._load = load or load_model
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ctransformers")
        self._n_steps = 0

    async def start(self) -> None:
        """Load the model; blocks the event loop. Raises as ``load_model``."""
        self.info, self._model = self._load(self._spec)

    async def stop(self) -> None:
        """End after the token or batch that is being evaluated."""
        self._thread.shutdown(wait=False)

    async def tokenize(self, text: str, *, parse_special: bool = False) -> list[int]:
        """The ids of ``text``; with ``parse_special`` the name of one control token is its id."""
        if parse_special and text in self.info.specials:
            return [self.info.specials[text]]
        return await asyncio.to_thread(self._model.tokenize, text)  # beside a generation: it reads the vocabulary only

    @asynccontextmanager
    async def stream(self, request: BackendRequest) -> AsyncIterator[AsyncIterator[Event]]:
        """Run ``request``; see ``Backend.stream``. A stream that was left ends with the step the thread is at; the steps
        of the next one wait behind it in the thread's queue.
        """
        decoder = Decoder(self._model, cast("list[int]", request.prompt), request.sampling)
        async with aclosing(self._steps(decoder.events())) as events:
            yield events

    async def progress(self) -> str:
        """How many batches and tokens were evaluated."""
        return str(self._n_steps)

    async def _steps(self, events: Iterator[Event]) -> AsyncGenerator[Event, None]:
        while (event := await self._in_thread(events)) is not None:
            yield event

    def _in_thread(self, events: Iterator[Event]) -> asyncio.Future[Event | None]:
        try:
            return asyncio.get_running_loop().run_in_executor(self._thread, self._step, events)
        except RuntimeError as error:  # the thread takes no more work
            raise GenerationFailed("the engine was stopped") from error

    def _step(self, events: Iterator[Event]) -> Event | None:
        self._n_steps += 1
        return next(events, None)


def load_model(spec: EngineSpec) -> tuple[BackendInfo, Model]:
    """The model of ``spec``, loaded, with the context, threads and batch for this machine. The header is checked first:
    a file that the library does not know ends the process at best.

    Raises:
        ModelError: the library is missing or cannot run such a file, the file is broken, or the model does not fit.
    """
    header = read_header(Path(spec.model_path))
    check_runner(CTRANSFORMERS, header)
    library = import_library()
    info = _plan(replace(spec, slots=1, gpu_layers=0), header)
    model = LibraryModel(
        library, spec.model_path, n_context=info.context_tokens, batch=info.batch, threads=info.threads
    )
    return info, model


def _plan(spec: EngineSpec, header: GgufHeader) -> BackendInfo:
    """The context, threads and batch for this machine.

    Raises:
        ModelTooBig: it does not fit.
    """
    cores = sizing.physical_cores()
    threads = sizing.threads_for(spec, cores)
    rate_key = f"{spec.file_key}:{threads}:0:{CTRANSFORMERS}-{version(CTRANSFORMERS)}"
    rate = Rates(Path(spec.rates_file)).get(rate_key)
    plan = sizing.plan(spec, header, sizing.Machine(cores, available_memory()), rate, kv_types=("f16",))
    return BackendInfo(
        software=f"{CTRANSFORMERS} {version(CTRANSFORMERS)}",
        context_tokens=plan.context_tokens,
        slots=1,
        bos=bos_token(header),
        specials=dict(header.control_tokens),
        reserved=reserved_tokens(header),
        space_prefix=header.add_space_prefix,
        batch=min(plan.batch, MAX_BATCH),
        threads=threads,
        prefill_rate=plan.prefill_rate,
        rate_key=rate_key,
        bytes_needed=plan.fit.total,
        versions={CTRANSFORMERS: version(CTRANSFORMERS)},
    )
