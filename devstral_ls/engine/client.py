"""``EngineClient``: the Engine protocol over HTTP, streamed, cancelled by leaving."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

from devstral_ls.engine.dialects import DIALECTS, Dialect, End, Event, Progress, sendable
from devstral_ls.engine.rendezvous import Endpoint
from devstral_ls.engine.tokens import PromptTokens
from devstral_ls.errors import EngineUnavailable, GenerationFailed, PromptTooLong
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, ModelInfo, Prompt, Usage

if TYPE_CHECKING:
    import httpx

_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 300.0
"""No byte for so long means that the engine hangs; a request that waits for a slot is silent too."""


class EngineClient:
    """One engine, as long as it lives. Made once per connection; ``aclose`` at the end."""

    def __init__(
        self,
        endpoint: Endpoint,
        model: ModelInfo,
        *,
        specials: Mapping[str, int] = {},
        reserved: Collection[str] = (),
        space_prefix: bool = False,
        slots: int = 4,
        on_usage: Callable[[Usage], None] = lambda usage: None,
        dialect: Dialect = DIALECTS["llama-server"],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``specials``, ``reserved`` and ``space_prefix`` are as in ``PromptTokens``; ``slots`` is how many requests the
        engine runs at once; ``on_usage`` hears what each generation cost, also of those that were left.
        """
        self.model = model
        """The model that answers."""
        self._endpoint = endpoint
        self._dialect = dialect
        self._on_usage = on_usage
        self._clock = clock
        self._tokens = PromptTokens(self._tokenize, specials=specials, reserved=reserved, space_prefix=space_prefix)
        # Who waits here can leave for nothing; llama-server begins even what was left while it waited there.
        self._slots = asyncio.Semaphore(slots)
        self._connection: httpx.AsyncClient | None = None

    async def aclose(self) -> None:
        """Close all connections; generations still running fail."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()

    async def health(self) -> bool:
        """Does the engine answer, and is it ready?"""
        import httpx

        try:
            return (await self._http().get(self._dialect.health, timeout=_CONNECT_SECONDS)).status_code == 200
        except httpx.TransportError:
            return False

    async def tokenize(self, text: str) -> tuple[int, ...]:
        """The ids of ordinary text, whatever it contains."""
        return await self._tokens.text(text)

    async def prompt_ids(self, prompt: Prompt) -> list[int]:
        """The ids that are sent for ``prompt``."""
        return await self._tokens.ids(prompt, self.model.bos)

    @asynccontextmanager
    async def generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[Chunk]]:
        """Run ``request``; see ``generation.Engine``."""
        ids = await self.prompt_ids(request.prompt)
        if len(ids) >= self.model.context_tokens:
            raise PromptTooLong(len(ids), self.model.context_tokens)
        async with self._slots, self._running(self._dialect.body(ids, request)) as response:
            run = _Run(len(ids), self._clock, request.time_limit_ms)
            try:
                async with aclosing(self._chunks(response, run)) as chunks:
                    yield chunks
            finally:
                self._on_usage(run.usage)

    @asynccontextmanager
    async def _running(self, body: dict[str, Any]) -> AsyncIterator[httpx.Response]:
        """The response to ``body``, whose stream is closed on leaving: that is what cancels it."""
        response = await self._send("POST", self._dialect.completion, body)
        try:
            if response.status_code != 200:
                raise self._dialect.error(response.status_code, await response.aread())
            yield response
        finally:
            await response.aclose()

    async def _chunks(self, response: httpx.Response, run: _Run) -> AsyncGenerator[Chunk, None]:
        import httpx

        try:
            async with aclosing(_lines(response)) as lines:
                async for line in lines:
                    event = self._dialect.event(line)
                    if event is None:
                        continue
                    chunk = run.take(event)
                    if chunk is not None:
                        yield chunk
                    if chunk is not None and chunk.finish is not None:
                        return
        except (httpx.TransportError, httpx.StreamError) as error:
            raise GenerationFailed(f"the engine broke off: {error!r}") from error
        raise GenerationFailed("the engine broke off in the middle of an answer")

    async def _tokenize(self, text: str, specials: bool) -> list[int]:
        body = {"content": sendable(text), "add_special": False, "parse_special": specials}
        response = await self._send("POST", self._dialect.tokenize, body)
        try:
            content = await response.aread()
        finally:
            await response.aclose()
        if response.status_code != 200:
            raise self._dialect.error(response.status_code, content)
        return [int(token) for token in response.json()["tokens"]]

    async def _send(self, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
        """The response, of which only the head is read.

        Raises:
            EngineUnavailable: nobody answers.
        """
        import httpx

        http = self._http()
        try:
            return await http.send(http.build_request(method, path, json=body), stream=True)
        except httpx.TransportError as error:
            raise EngineUnavailable(f"the engine does not answer: {error!r}") from error

    def _http(self) -> httpx.AsyncClient:
        if self._connection is None:
            self._connection = _connect(self._endpoint)
        return self._connection


class _Run:
    """What is known of a running generation: enough to say what it cost when it is left."""

    def __init__(self, prompt_tokens: int, clock: Callable[[], float], time_limit_ms: int | None) -> None:
        self._clock = clock
        self._limit_ms = time_limit_ms
        self._prompt_tokens = prompt_tokens
        self._progress = Progress(0, 0, 0.0)
        self._n_pieces = 0
        self._first = self._last = 0.0
        self._end: End | None = None

    def take(self, event: Event) -> Chunk | None:
        """The chunk that ``event`` is, if it is one."""
        if isinstance(event, Progress):
            self._progress = event
            return None
        self._last = self._clock()
        if isinstance(event, End):
            self._end = event
            return Chunk(event.text, event.finish, event.usage)
        self._first = self._first if self._n_pieces else self._last
        self._n_pieces += 1
        # llama-server looks at its time limit only once there was a line feed.
        if self._limit_ms is not None and self._decode_ms > self._limit_ms:
            return Chunk(event.text, FinishReason.LENGTH, self.usage)
        return Chunk(event.text, usage=self.usage) if event.text else None

    @property
    def usage(self) -> Usage:
        """What it cost up to now."""
        if self._end is not None:
            return self._end.usage
        cached = self._progress.cached
        evaluated = self._progress.processed or cached
        return Usage(evaluated, cached, self._n_pieces, self._progress.ms, self._decode_ms)

    @property
    def _decode_ms(self) -> float:
        return (self._last - self._first) * 1000 if self._n_pieces else 0.0


async def _lines(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The lines of the body, at line feeds only: JSON may hold U+2028, at which httpx's own lines would break."""
    rest = b""
    async for data in response.aiter_raw():
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest


def _connect(endpoint: Endpoint) -> httpx.AsyncClient:
    import httpx  # 125 ms: not before the server has answered `initialize`

    from devstral_ls.engine.transport import ConnectionPerRequest

    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    socket = endpoint.address.removeprefix("unix:") if endpoint.address.startswith("unix:") else None
    # No certificates are loaded for what is no TLS; that would take 20 ms for each connection.
    return httpx.AsyncClient(
        transport=ConnectionPerRequest(lambda: httpx.AsyncHTTPTransport(verify=False, uds=socket, trust_env=False)),
        base_url="http://engine" if socket else endpoint.address,
        headers={"Authorization": f"Bearer {endpoint.api_key}"},
        timeout=httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS),
        trust_env=False,
    )
