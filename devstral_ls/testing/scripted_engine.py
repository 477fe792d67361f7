"""An engine that answers what the test sets, piece by piece, and records its requests."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, ModelInfo, Priority, Special, Text, Usage

QWEN = ModelInfo(
    name="scripted",
    family="qwen-fim",
    layouts=("fim-spm-in-psm", "chat-prefill"),
    context_tokens=4096,
    prompt_budget=1024,
    bos=None,
)


class ScriptedEngine:
    """Implements the ``Engine`` protocol.

    ``says`` is the answer to every request, or a function from the request to it; the text forced by token healing is put in
    front, as a real engine does. ``sure`` gives the probability of a piece. With ``hold`` set, answers wait for ``let_go()``.
    """

    def __init__(
        self, says: str | Callable[[GenerationRequest], str] = "", *, model: ModelInfo | None = QWEN, hold: bool = False
    ) -> None:
        self.says = says
        self.requests: list[GenerationRequest] = []
        self.n_cancelled = 0
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self.error: Exception | None = None
        self.dies: Exception | None = None
        """Raised at the end of an answer's text."""
        self.finish = FinishReason.STOP
        self.sure: Callable[[str], float] = lambda piece: 1.0
        self.weighs: Callable[[str], float] | None = None
        """The probability of each letter of a text that is only scored; None: no log probabilities."""
        self._model = model
        self._go = asyncio.Event()
        if not hold:
            self._go.set()

    @property
    def model(self) -> ModelInfo | None:
        return self._model

    def let_go(self) -> None:
        self._go.set()

    @asynccontextmanager
    async def generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[Chunk]]:
        self.requests.append(request)
        self.asked.set()
        if self.error is not None:
            raise self.error
        finished = False

        async def chunks() -> AsyncGenerator[Chunk, None]:
            nonlocal finished
            await self._go.wait()
            if request.logprobs and request.priority is Priority.ACTION:  # scored, and nothing is generated
                sure = None if self.weighs is None else math.log(self.weighs(request.begins_with))
                for letter in request.begins_with:
                    yield Chunk(letter, logprobs=() if sure is None else (sure,))
                finished = True
                yield Chunk("", self.finish, Usage(10, 8, len(request.begins_with), 1.0, 1.0))
                return
            said = self.says if isinstance(self.says, str) else self.says(request)
            text = request.begins_with + said
            for piece in (text[i : i + 3] for i in range(0, len(text), 3)):
                told = (math.log(self.sure(piece)),) if request.logprobs else ()
                yield Chunk(piece, logprobs=told)
            if self.dies is not None:
                raise self.dies
            finished = True
            yield Chunk("", self.finish, Usage(10, 8, len(text) // 3, 1.0, 1.0))

        stream = chunks()
        try:
            yield stream
        finally:
            await stream.aclose()
            self.n_cancelled += not finished
            self.left.set()


def plain(request: GenerationRequest) -> str:
    """The prompt as text, with control tokens by name."""
    return "".join(part.token if isinstance(part, Special) else part.text for part in request.prompt)


def texts(request: GenerationRequest) -> list[str]:
    """The ordinary text parts of the prompt."""
    return [part.text for part in request.prompt if isinstance(part, Text)]
