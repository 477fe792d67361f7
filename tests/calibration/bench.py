"""A scripted engine on the bench: which answers it gives to holes, in which layout, and what its tokens cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from devstral_ls.calibration.cases import Hole, holes
from devstral_ls.engine.tuning.calibration import Subject
from devstral_ls.engine.tuning.rates import Rate
from devstral_ls.generation import Chunk, FinishReason, GenerationObserver, GenerationRequest, ModelInfo, Usage
from devstral_ls.testing.scripted_engine import QWEN, plain

BATCH = 8
BATCH_MS, TOKEN_MS, DECODE_MS = 40.0, 12.0, 30.0
CANDIDATES = ("fim-spm-in-psm", "fim-psm", "left-to-right")
MODEL = replace(QWEN, layouts=CANDIDATES, context_tokens=1024)
CASES = holes()[:6]


def layout_of(request: GenerationRequest) -> str:
    """By which sentinels are in it, and where."""
    prompt = plain(request)
    if "<|fim_prefix|>" not in prompt:
        return "left-to-right"
    return "fim-spm-in-psm" if "<|fim_prefix|><|fim_suffix|>" in prompt else "fim-psm"


def hole_of(request: GenerationRequest) -> Hole | None:
    """The hole whose cursor the request is about; None for a sample."""
    prompt = plain(request)
    for hole in CASES:
        before = hole.snapshot.text[: hole.offset]
        if before.removesuffix(request.begins_with) in prompt and len(prompt) > 40:
            return hole
    return None


class BenchEngine:
    """Implements ``Calibratable``. The layouts in ``good`` answer every hole as expected, the others with ``x``.

    ``before`` is awaited before each answer, with its number.
    """

    def __init__(self, file: Path, good: tuple[str, ...] = ("fim-psm",), **subject: object) -> None:
        self.good = good
        self.file = file
        self.asked: list[str] = []
        self.requests: list[GenerationRequest] = []
        self.calibrating_said: list[bool] = []
        self.n_recalibrated = 0
        self.n_left = 0
        self.observed: Rate | None = None
        self.error: Exception | None = None
        self.before: Callable[[int], object] = lambda n: None
        self.hold: asyncio.Event | None = None
        self.news = asyncio.Event()
        self.candidates = CANDIDATES
        self.speed = 1.0
        self.slow = False
        self.observers: list[GenerationObserver] = []

    @property
    def model(self) -> ModelInfo | None:
        return MODEL

    @property
    def subject(self) -> Subject | None:
        return Subject(self.file, replace(MODEL, slow=self.slow), self.candidates, BATCH, 1, "1.0", 600, self.observed)

    def calibrating(self, begins: bool) -> None:
        self.calibrating_said.append(begins)
        self.news.set()

    def recalibrated(self) -> None:
        self.n_recalibrated += 1
        self.observed = None
        self.news.set()

    def observe(self, observer: GenerationObserver) -> None:
        self.observers.append(observer)

    @asynccontextmanager
    async def generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[Chunk]]:
        for observer in self.observers:
            observer.started(request)
        try:
            async with self._generate(request) as chunks:
                yield chunks
        finally:
            for observer in self.observers:
                observer.finished(request)

    @asynccontextmanager
    async def _generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[Chunk]]:
        hole = hole_of(request)
        layout = layout_of(request)
        self.requests.append(request)
        self.asked.append(f"{hole.id} {layout}" if hole else "sample")
        self.before(len(self.asked))
        self.news.set()
        if self.error is not None:
            raise self.error
        n_prompt = sum(len(part.text) for part in request.prompt if hasattr(part, "text")) // 2
        says = (hole.expected if layout in self.good else "x") if hole else " 11, 12"
        done = False

        async def chunks() -> AsyncIterator[Chunk]:
            nonlocal done
            if self.hold is not None:
                await self.hold.wait()
            n = 1 if request.max_tokens == 1 else 24
            prefill = (-(-n_prompt // BATCH) * BATCH_MS + n_prompt * TOKEN_MS) / self.speed
            done = True
            usage = Usage(n_prompt, 0, n, prefill, n * DECODE_MS / self.speed)
            yield Chunk(request.begins_with + says, FinishReason.STOP, usage)

        stream = chunks()
        try:
            yield stream
        finally:
            await stream.aclose()
            self.n_left += not done
