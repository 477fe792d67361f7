"""A real llama.cpp behind a Generator, in the process of the test: what a daemon has, to be looked into."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from devstral_ls.engine.daemon.backend_engine import BackendEngine, queue_for
from devstral_ls.engine.daemon.backends.llama_cpp import LlamaCpp
from devstral_ls.engine.daemon.queue import Queue
from devstral_ls.engine.runtime_dir import RuntimeFiles
from devstral_ls.engine.spec import EngineOptions, spec_of
from devstral_ls.generation import Chunk, GenerationRequest, Prompt, Text, Usage
from devstral_ls.platform.paths import Directories


@dataclass
class Loaded:
    """A started backend and what stands in front of it."""

    backend: LlamaCpp
    queue: Queue
    generator: BackendEngine
    runs: list[Usage] = field(default_factory=list)
    """What each run of the model cost."""

    async def answer(self, request: GenerationRequest) -> list[Chunk]:
        async with self.generator.generate(request) as chunks:
            return [chunk async for chunk in chunks]

    async def ids(self, prompt: Prompt) -> list[int]:
        return await self.generator.ids(prompt)

    async def tokenize(self, text: str) -> tuple[int, ...]:
        """The ids of ordinary text alone."""
        ids = await self.ids((Text(text),))
        return tuple(ids[self.backend.info.bos is not None :])

    async def n_batches(self) -> int:
        """How many batches were evaluated."""
        return int((await self.backend.progress() or "? 0").split()[1])

    async def detokenize(self, ids: Sequence[int]) -> str:
        body = {"tokens": list(ids)}
        return str(json.loads(await self.backend._connection._fetch("POST", "/detokenize", body))["content"])


@asynccontextmanager
async def loaded(home: Directories, model: Path, **options: object) -> AsyncIterator[Loaded]:
    wishes = EngineOptions(**{"slots": 2, "context_tokens": 512, **options})  # type: ignore[arg-type]
    spec = spec_of(model, model.stem, wishes, home)
    RuntimeFiles(home.runtime, spec.key).prepare()
    backend = LlamaCpp(spec, home.runtime)
    await backend.start()
    runs: list[Usage] = []
    queue = queue_for(backend)
    try:
        yield Loaded(backend, queue, BackendEngine(backend, queue, on_usage=runs.append), runs)
    finally:
        await backend.stop()
