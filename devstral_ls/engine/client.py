"""``EngineClient``: the Engine protocol over HTTP, streamed, cancelled by leaving."""

from __future__ import annotations

import asyncio
import json
import time
from array import array
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from devstral_ls.engine.dialects import DIALECTS, Dialect, Event, Piece, Sent
from devstral_ls.engine.encoding import as_messages, as_text, names_pattern
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.http import CONNECT_SECONDS, Http, lines
from devstral_ls.engine.running import Run
from devstral_ls.engine.schedule import Schedule
from devstral_ls.engine.segments import Written
from devstral_ls.engine.silence import patiently
from devstral_ls.engine.tokens import PromptTokens
from devstral_ls.engine.turns import Rank, until
from devstral_ls.errors import EngineError, GenerationFailed, PromptTooLong
from devstral_ls.generation import Chunk, GenerationRequest, ModelInfo, Prompt, Text, Usage

if TYPE_CHECKING:
    import httpx

_STREAM_BYTES = 1 << 20
_TOKEN_BYTES = 4096
"""A stream may be ``_STREAM_BYTES`` long, and this much more for each token asked for: ten times what is usual."""
_EVENT_BYTES = 256
"""Of those, for each event: 4096 events and 16 for each token. One costs us 0.05 ms, however short it is."""

_AT_ONCE = 4
"""Requests of ours that an engine runs whose slots nobody told us of."""

_PULSE_SECONDS = 2.0
"""For an engine that says nothing to us to tell whether it works."""

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
        schedule: Schedule | None = None,
        on_usage: Callable[[Usage], None] = lambda usage: None,
        dialect: Dialect = DIALECTS["llama-server"],
        remote_model: str | None = None,
        http: Http | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``specials``, ``reserved`` and ``space_prefix`` are as in ``PromptTokens``; ``schedule`` says when a request runs,
        and in which slot; ``on_usage`` hears what each segment of a generation cost, also of those that were left;
        ``remote_model`` is the model's name at an engine that has several.
        """
        self.model = model
        """The model that answers."""
        self._dialect = dialect
        self._remote_model = remote_model
        self.on_usage = on_usage
        """Hears what each segment cost."""
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
        self._schedule = schedule or Schedule(_AT_ONCE)
        self._connection = http or Http(endpoint)

    async def aclose(self) -> None:
        """Close all connections; generations still running fail."""
        self._schedule.close()
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
        rank = self._schedule.rank(prompt, request)
        async with self._schedule.turns.wanting(rank):
            if rank is Rank.HOT:
                async with (
                    self._segment(prompt, n_tokens, request, rank) as (events, run),
                    aclosing(run.chunks(events)) as chunks,
                ):
                    yield chunks
            else:  # a rank of its own has only who shares an engine that takes ids
                async with aclosing(self._segmented(cast("list[int]", prompt), request, rank)) as chunks:
                    yield chunks

    async def _segmented(
        self, ids: Sequence[int], request: GenerationRequest, rank: Rank
    ) -> AsyncGenerator[Chunk, None]:
        """The answer in segments: it pauses while somebody goes first, and goes on from the KV cache."""
        turns = self._schedule.turns
        written = Written(request, self.tokenize)
        while True:
            not_before = await turns.mine(rank)
            so_far = written.prompt(ids)
            async with self._segment(so_far, len(so_far), written.rest, rank) as (events, run):

                def can_pause(run: Run = run) -> bool:
                    return not written.complete and not (rank is Rank.COLD and run.answers)

                async with aclosing(until(events, turns.wanted(rank, not_before), can_pause)) as seen:
                    async for event in seen:
                        chunk = run.take(event)
                        if isinstance(event, Piece) and rank is not Rank.COLD:
                            await written.take(event)
                        if chunk is not None:
                            yield written.total(chunk)
                        if chunk is not None and chunk.finish is not None:
                            return
                written.pause(run.usage)

    @asynccontextmanager
    async def _segment(
        self, prompt: Sent, n_tokens: int, request: GenerationRequest, rank: Rank
    ) -> AsyncIterator[tuple[AsyncGenerator[Event, None], Run]]:
        """The events of one request to the engine, at its turn, in a slot that is ours until the engine is done."""
        run = Run(request, n_tokens, self._clock, self._dialect.lead(request.begins_with))
        limit = _STREAM_BYTES + _TOKEN_BYTES * request.max_tokens
        async with self._schedule.slot(prompt, request, rank, run, self._is_busy) as slot:
            body = self._dialect.body(prompt, request, self._remote_model)
            body |= {} if slot is None else {"id_slot": slot}
            async with self._running(body) as response, aclosing(self._events(response, limit)) as events:
                try:
                    yield events, run
                finally:
                    self.on_usage(run.usage)

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
        response = await patiently(
            self._connection.send("POST", self._dialect.completion, body, patient=True),
            self._connection.silence,
            self._n_batches,
            abandon=lambda response: response.aclose(),
        )
        try:
            if response.status_code != 200:
                raise self._dialect.error(response.status_code, await self._connection.read(response))
            yield response
        finally:
            await response.aclose()

    async def _events(self, response: httpx.Response, limit: int) -> AsyncGenerator[Event, None]:
        """What the engine says, to the end."""
        import httpx

        try:
            async with aclosing(lines(response, limit)) as stream:
                for _ in range(limit // _EVENT_BYTES):
                    event = await patiently(
                        self._next(stream), self._connection.silence, self._n_batches, abandon=_nothing
                    )
                    if event is None:
                        raise GenerationFailed("the engine broke off in the middle of an answer")
                    self._schedule.turns.beat()
                    yield event
        except (httpx.TransportError, httpx.StreamError) as error:
            raise GenerationFailed(f"the engine broke off: {error!r:.200}") from error
        raise GenerationFailed("the engine answers without an end")

    async def _next(self, stream: AsyncIterator[bytes]) -> Event | None:
        """The next event, None at the end; lines without a meaning (comments) do not count as news."""
        async for line in stream:
            event = self._dialect.event(line)
            if event is not None:
                return event
        return None

    async def _n_batches(self) -> str | None:
        """How many batches the engine has evaluated, in its own words; None if it does not say so soon."""
        path, start = self._dialect.progress
        if not path:
            return None
        try:
            async with asyncio.timeout(_PULSE_SECONDS):
                _, content = await self._connection.fetch("GET", path)
        except (EngineError, TimeoutError):
            return None
        return next((line for line in content.decode("utf-8", "replace").splitlines() if line.startswith(start)), "")

    async def _is_busy(self, number: int) -> bool:
        """Does slot ``number`` still run something? No, if the engine does not say."""
        status, slots = await self._connection.get_json(self._dialect.slots)
        return status == 200 and any(slot["id"] == number and slot["is_processing"] for slot in slots)

    async def _tokenize(self, text: str, specials: bool) -> list[int]:
        body = self._dialect.tokenize_body(text, specials, self._remote_model)
        status, content = await self._connection.fetch("POST", self._dialect.tokenize, body)
        if status != 200:
            raise self._dialect.error(status, content)
        return tokens_in(content)


def tokens_in(content: bytes) -> list[int]:
    """The ids in the answer of a tokenizer, of 32 bits as engines have them.

    Raises:
        GenerationFailed: there are none.
    """
    try:
        return list(array("i", map(int, json.loads(content)["tokens"])))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise GenerationFailed(f"the engine's tokenizer answered what nobody understands: {error!r:.200}") from error


async def _nothing(event: object) -> None:
    """An event that came as we left needs no end."""


def _estimate(n_characters: int) -> int:
    return int(n_characters / _CHARS_PER_TOKEN)
