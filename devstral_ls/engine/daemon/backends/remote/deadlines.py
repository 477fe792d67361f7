"""How long a remote engine may take for each kind of request, whatever it sends meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from devstral_ls.errors import EngineTooSlow
from devstral_ls.generation import GenerationRequest


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds, from the sending of a request on."""

    request: float = 60.0
    """For an answer that is read as a whole, such as the ids of a text; and for all ids of one prompt."""
    probe: float = 90.0
    """For all that is asked to find out what a server is. Tokens are generated among that, and the model may have to be
    loaded for them."""
    first_text: float = 60.0
    """Of a generation, before its first text: a server may load its model, or have other clients."""
    prompt_token: float = 0.01
    """Added to that for each token of the prompt: the slowest servers read 100 in a second."""
    token: float = 0.5
    """Added to that for each token that may be generated: the slowest write two in a second."""

    def until_first_text(self, n_prompt: int) -> float:
        """Seconds until the first text of an answer to a prompt of ``n_prompt`` tokens."""
        return self.first_text + self.prompt_token * n_prompt

    def until_end(self, n_prompt: int, request: GenerationRequest) -> float:
        """Seconds until the whole answer is there. Where decoding has a time limit of its own, that counts."""
        decoding = self.token * max(request.max_tokens, 1)
        if request.time_limit_ms is not None:
            decoding = min(decoding, request.time_limit_ms / 1000)
        return self.until_first_text(n_prompt) + decoding


DEADLINES = Deadlines()


class Deadline:
    """The end of one request's time. Made within a running event loop, when the request is sent."""

    def __init__(self, seconds: float, failure: str) -> None:
        """``failure`` says what did not happen in time: ``the engine began no answer``."""
        self._start = asyncio.get_running_loop().time()
        self.move(seconds, failure)

    def move(self, seconds: float, failure: str) -> None:
        """Have it end ``seconds`` after the request was sent."""
        self._seconds = seconds
        self._failure = failure

    @asynccontextmanager
    async def bounding(self) -> AsyncIterator[None]:
        """Await something until the deadline at most.

        Raises:
            EngineTooSlow: it has passed. What never waits is not stopped within the block, but at the next one.
        """
        at = self._start + self._seconds
        if asyncio.get_running_loop().time() >= at:
            raise self._error()
        try:
            async with asyncio.timeout_at(at) as timeout:
                yield
        except TimeoutError as error:
            if timeout.expired():
                raise self._error() from error
            raise

    def _error(self) -> EngineTooSlow:
        return EngineTooSlow(f"{self._failure} within {self._seconds:.3g} s")
