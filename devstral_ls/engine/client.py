"""``EngineClient``: the Engine protocol over HTTP, streamed, cancelled by leaving."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

from devstral_ls.engine.dialects import DIALECTS, Dialect, End, Event, Lead, Progress, Sent
from devstral_ls.engine.encoding import as_messages, as_text, names_pattern
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.http import CONNECT_SECONDS, Http, lines
from devstral_ls.engine.tokens import PromptTokens
from devstral_ls.errors import EngineError, GenerationFailed, PromptTooLong
from devstral_ls.generation import Chunk, FinishReason, GenerationRequest, ModelInfo, Prompt, Text, Usage

if TYPE_CHECKING:
    import httpx

_STREAM_BYTES = 1 << 20
_TOKEN_BYTES = 4096
"""A stream may be ``_STREAM_BYTES`` long, and this much more for each token asked for: ten times what is usual."""

_CHARS_PER_TOKEN = 2.0
"""Where nobody counts tokens: code has three and more characters each."""


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
        remote_model: str | None = None,
        http: Http | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``specials``, ``reserved`` and ``space_prefix`` are as in ``PromptTokens``; ``slots`` is how many requests the
        engine runs at once; ``on_usage`` hears what each generation cost, also of those that were left;
        ``remote_model`` is the model's name at an engine that has several.
        """
        self.model = model
        """The model that answers."""
        self._dialect = dialect
        self._remote_model = remote_model
        self._on_usage = on_usage
        self._clock = clock
        self._pattern = names_pattern(reserved)
        self._tokens = PromptTokens(
            self._tokenize,
            specials=specials,
            reserved=reserved,
            space_prefix=space_prefix,
            cut=self._pattern if dialect.parses_specials else None,
        )
        # Who waits here can leave for nothing; llama-server begins even what was left while it waited there.
        self._slots = asyncio.Semaphore(slots)
        self._connection = http or Http(endpoint)

    async def aclose(self) -> None:
        """Close all connections; generations still running fail."""
        await self._connection.aclose()

    async def health(self) -> bool:
        """Does the engine answer, and is it ready?"""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return (await self._connection.fetch("GET", self._dialect.health))[0] == 200
        except (EngineError, TimeoutError):
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
        prompt, n_tokens = await self._sent(request)
        if n_tokens >= self.model.context_tokens:
            raise PromptTooLong(n_tokens, self.model.context_tokens)
        body = self._dialect.body(prompt, request, self._remote_model)
        async with self._slots, self._running(body) as response:
            run = _Run(n_tokens, self._clock, request.time_limit_ms, self._dialect.lead(request.begins_with))
            limit = _STREAM_BYTES + _TOKEN_BYTES * request.max_tokens
            try:
                async with aclosing(self._chunks(response, run, limit)) as chunks:
                    yield chunks
            finally:
                self._on_usage(run.usage)

    async def _sent(self, request: GenerationRequest) -> tuple[Sent, int]:
        """The prompt as it is sent, and how many tokens it has, at least about."""
        prompt = request.prompt
        if self._dialect.continues and request.begins_with:
            last = prompt[-1] if prompt else None
            joined = (*prompt[:-1], Text(last.text + request.begins_with)) if isinstance(last, Text) else None
            prompt = joined or (*prompt, Text(request.begins_with))
        if self._dialect.prompt == "ids":
            ids = await self.prompt_ids(prompt)
            return ids, len(ids)
        if self._dialect.prompt == "messages":
            messages = as_messages(prompt)
            return messages, _estimate(sum(len(message["content"]) for message in messages))
        text = as_text(prompt, self._pattern)
        return text, _estimate(len(text))

    @asynccontextmanager
    async def _running(self, body: dict[str, Any]) -> AsyncIterator[httpx.Response]:
        """The response to ``body``, whose stream is closed on leaving: that is what cancels it."""
        response = await self._connection.send("POST", self._dialect.completion, body)
        try:
            if response.status_code != 200:
                raise self._dialect.error(response.status_code, await self._connection.read(response))
            yield response
        finally:
            await response.aclose()

    async def _chunks(self, response: httpx.Response, run: _Run, limit: int) -> AsyncGenerator[Chunk, None]:
        import httpx

        try:
            async with aclosing(lines(response, limit)) as stream, aclosing(self._events(stream)) as events:
                async for event in events:
                    chunk = run.take(event)
                    if chunk is not None:
                        yield chunk
                    if chunk is not None and chunk.finish is not None:
                        return
        except (httpx.TransportError, httpx.StreamError) as error:
            raise GenerationFailed(f"the engine broke off: {error!r}") from error
        except TimeoutError as error:
            raise GenerationFailed(f"the engine said nothing for {self._connection.silence:g} s") from error
        raise GenerationFailed("the engine broke off in the middle of an answer")

    async def _events(self, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[Event, None]:
        """The events of ``stream``; lines without a meaning (comments) do not count as news."""
        ended = object()
        while True:
            async with asyncio.timeout(self._connection.silence):
                event = None
                while event is None:
                    line = await anext(stream, ended)
                    if not isinstance(line, bytes):
                        return
                    event = self._dialect.event(line)
            yield event

    async def _tokenize(self, text: str, specials: bool) -> list[int]:
        body = self._dialect.tokenize_body(text, specials, self._remote_model)
        status, content = await self._connection.fetch("POST", self._dialect.tokenize, body)
        if status != 200:
            raise self._dialect.error(status, content)
        return tokens_in(content)


def tokens_in(content: bytes) -> list[int]:
    """The ids in the answer of a tokenizer.

    Raises:
        GenerationFailed: there are none.
    """
    try:
        return [int(token) for token in json.loads(content)["tokens"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise GenerationFailed(f"the engine's tokenizer answered what nobody understands: {error!r}") from error


def _estimate(n_characters: int) -> int:
    return int(n_characters / _CHARS_PER_TOKEN)


class _Run:
    """What is known of a running generation: enough to say what it cost when it is left."""

    def __init__(self, prompt_tokens: int, clock: Callable[[], float], time_limit_ms: int | None, lead: Lead) -> None:
        self._clock = clock
        self._limit_ms = time_limit_ms
        self._lead = lead
        self._prompt_tokens = prompt_tokens
        self._progress: Progress | None = None
        self._n_pieces = 0
        self._first = self._last = 0.0
        self._end: Usage | None = None

    def take(self, event: Event) -> Chunk | None:
        """The chunk that ``event`` is, if it is one."""
        if isinstance(event, Progress):
            self._progress = event
            return None
        self._last = self._clock()
        if isinstance(event, End):
            self._end = event.usage
            return Chunk(self._lead.feed(event.text) + self._lead.rest(), event.finish, self.usage)
        self._first = self._first if self._n_pieces else self._last
        self._n_pieces += 1
        text = self._lead.feed(event.text)
        if self._lead.closed:
            return Chunk(text, FinishReason.STOP, self.usage, event.logprobs)
        # llama-server looks at its time limit only once there was a line feed; others do not know one.
        if self._limit_ms is not None and self._decode_ms > self._limit_ms:
            return Chunk(text + self._lead.rest(), FinishReason.LENGTH, self.usage, event.logprobs)
        return Chunk(text, usage=self.usage, logprobs=event.logprobs) if text or event.logprobs else None

    @property
    def usage(self) -> Usage:
        """What it cost up to now."""
        if self._end is not None:
            return self._end
        cached, processed, ms = 0, self._prompt_tokens if self._n_pieces else 0, 0.0
        if self._progress is not None:
            cached, ms = self._progress.cached, self._progress.ms
            processed = self._progress.processed or cached
        return Usage(processed, cached, self._n_pieces, ms, self._decode_ms)

    @property
    def _decode_ms(self) -> float:
        return (self._last - self._first) * 1000 if self._n_pieces else 0.0
