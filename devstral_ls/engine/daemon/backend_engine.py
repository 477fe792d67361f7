"""``BackendEngine``: the Engine protocol over any backend. Every request passes the queue; lower ranks pause and resume."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import cast

from devstral_ls.engine.daemon.backends.backend import (
    Backend,
    BackendInfo,
    BackendRequest,
    Event,
    Piece,
    PreparedPrompt,
)
from devstral_ls.engine.daemon.generation_tracker import GenerationTracker
from devstral_ls.engine.daemon.prompt_text import ControlNames, as_messages, as_text
from devstral_ls.engine.daemon.queue import Paused, Queue, Rank, Ticket
from devstral_ls.engine.daemon.resume import ResumableAnswer
from devstral_ls.engine.daemon.slots import Slots
from devstral_ls.engine.daemon.tokens import PromptTokens
from devstral_ls.engine.daemon.watchdog import Watchdog
from devstral_ls.errors import EngineTooSlow, GenerationFailed, PromptTooLong
from devstral_ls.generation import Chunk, GenerationRequest, ModelInfo, Priority, Prompt, Text, Usage

_HOT_BATCHES = 4
"""An inline request whose prompt has more new tokens than that many batches makes room for those with fewer."""

_CHARS_PER_TOKEN = 2.0
"""Where the backend takes no ids: code has three and more characters a token."""

_RANKS = {
    Priority.INLINE: Rank.INLINE_CACHED,
    Priority.NEXT_EDIT: Rank.NEXT_EDIT,
    Priority.ACTION: Rank.ACTION,
    Priority.AGENT: Rank.AGENT,
    Priority.BACKGROUND: Rank.BACKGROUND,
}

SILENCE_SECONDS = 20.0
"""A backend that works says something after each batch; so long without a word, and the watchdog looks at it."""

_SILENT_BATCHES = 30
"""So many batches, at the rate the backend was started with, may pass without a word: other programs slow it down."""


def queue_for(backend: Backend) -> Queue:
    """The queue in front of a started ``backend``."""
    capabilities = backend.capabilities
    return Queue(
        Slots(backend.info.slots, are_chosen=capabilities.has_slots),
        pauses=capabilities.resumable,
        one_inline_at_a_time=capabilities.is_shared_processor,
    )


def silence_of(info: BackendInfo) -> float:
    """After how many seconds without an event a backend is looked at."""
    return max(SILENCE_SECONDS, _SILENT_BATCHES * info.batch / info.prefill_rate if info.prefill_rate > 0 else 0.0)


class BackendEngine:
    """Runs requests in a started backend."""

    def __init__(
        self,
        backend: Backend,
        queue: Queue | None = None,
        *,
        model: ModelInfo | None = None,
        silence: float = SILENCE_SECONDS,
        tokenizing: float | None = None,
        on_usage: Callable[[Usage], None] = lambda usage: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``model`` is what ``generation.Engine`` tells its callers; the daemon needs none. ``silence`` is in seconds;
        so is ``tokenizing``, what all ids of a prompt may take together. ``on_usage`` hears what each run of the backend
        cost, also of those that were left.
        """
        info, capabilities = backend.info, backend.capabilities
        self._model = model
        self._backend = backend
        self._queue = queue or queue_for(backend)
        self._tokenizing = tokenizing
        self._on_usage = on_usage
        self._clock = clock
        self._hot_tokens = _HOT_BATCHES * info.batch
        self._names = ControlNames(info.reserved)
        self._tokens = PromptTokens(
            backend.tokenize,
            specials=info.specials,
            reserved=info.reserved,
            space_prefix=info.space_prefix,
            cuts_always=capabilities.parses_specials,
        )
        self._watchdog = Watchdog(silence, backend.progress)

    @property
    def model(self) -> ModelInfo | None:
        """See ``generation.Engine``."""
        return self._model

    async def ids(self, prompt: Prompt) -> list[int]:
        """The ids that are evaluated for ``prompt``. Only where the backend takes ids."""
        return await self._tokens.ids(prompt, self._backend.info.bos)

    @asynccontextmanager
    async def generate(self, request: GenerationRequest) -> AsyncIterator[AsyncIterator[Chunk]]:
        """Run ``request``; see ``generation.Engine``."""
        try:
            async with asyncio.timeout(self._tokenizing):
                prompt, n_tokens = await self._prepare(request)
        except TimeoutError as error:
            raise EngineTooSlow(f"the engine did not tokenize the prompt within {self._tokenizing:g} s") from error
        if n_tokens >= self._backend.info.context_tokens:
            raise PromptTooLong(n_tokens, self._backend.info.context_tokens)
        rank = self._rank(prompt, request)
        with self._queue.enter(rank, request.conversation) as ticket:
            async with aclosing(self._chunks(prompt, n_tokens, request, ticket)) as chunks:
                yield chunks

    async def _chunks(
        self, prompt: PreparedPrompt, n_tokens: int, request: GenerationRequest, ticket: Ticket
    ) -> AsyncGenerator[Chunk, None]:
        """The answer, from as many runs of the backend as higher ranks make necessary."""
        answer = ResumableAnswer(request, self._tokens.text)
        while True:
            slot = await ticket.turn()
            so_far = answer.prompt(cast("list[int]", prompt)) if self._backend.capabilities.resumable else prompt
            run = BackendRequest(
                so_far,
                answer.rest,
                slot.number if self._backend.capabilities.has_slots else None,
                resumable=self._backend.capabilities.resumable and ticket.rank > Rank.INLINE_COLD,
            )
            n_so_far = len(so_far) if isinstance(so_far, list) else n_tokens
            prefix = self._backend.capabilities.answer_prefix(answer.rest.begins_with)
            tracker = GenerationTracker(run.sampling, n_so_far, self._clock, prefix)
            try:
                async with aclosing(self._events(run, ticket, tracker, answer)) as events:
                    async for event in events:
                        chunk = tracker.take(event)
                        if isinstance(event, Piece) and run.resumable:
                            await answer.take(event)
                        if chunk is not None:
                            yield answer.total(chunk)
                            if chunk.finish is not None:
                                return
                raise GenerationFailed("the engine broke off in the middle of an answer")
            except Paused:
                answer.pause(tracker.usage)
            finally:
                self._on_usage(tracker.usage)
                n_evaluated = tracker.usage.prompt_tokens
                ticket.release(so_far[:n_evaluated] if n_evaluated and isinstance(so_far, list) else None)

    async def _events(
        self, run: BackendRequest, ticket: Ticket, tracker: GenerationTracker, answer: ResumableAnswer
    ) -> AsyncGenerator[Event, None]:
        """What the backend says. Raises Paused in the middle of a wait, where the run can be resumed."""

        def pausable() -> bool:
            if not self._backend.capabilities.resumable or ticket.rank is Rank.INLINE_CACHED:
                return False
            return not answer.complete and not (ticket.rank is Rank.INLINE_COLD and tracker.has_begun)

        async with AsyncExitStack() as stack:
            note_event = stack.enter_context(self._watchdog.watching(ticket.fail))
            opening = stack.enter_async_context(self._backend.stream(run))
            events = await ticket.wait(opening, pausable=pausable())
            while True:
                event = await ticket.wait(_next(events), pausable=pausable())
                if event is None:
                    return
                note_event()
                yield event

    async def _prepare(self, request: GenerationRequest) -> tuple[PreparedPrompt, int]:
        """The prompt in the form the backend takes, and its number of tokens, at least about."""
        capabilities = self._backend.capabilities
        prompt = request.prompt
        if capabilities.prefix_in_prompt and request.begins_with:
            last = prompt[-1] if prompt else None
            if isinstance(last, Text):
                prompt = (*prompt[:-1], Text(last.text + request.begins_with))
            else:
                prompt = (*prompt, Text(request.begins_with))
        if capabilities.prompt == "ids":
            ids = await self.ids(prompt)
            return ids, len(ids)
        if capabilities.prompt == "messages":
            messages = as_messages(prompt, self._names)
            return messages, _estimate(sum(len(message["content"]) for message in messages))
        text = as_text(prompt, self._names)
        return text, _estimate(len(text))

    def _rank(self, prompt: PreparedPrompt, request: GenerationRequest) -> Rank:
        """Inline requests are ranked by how much of their prompt is new to the conversation's slot."""
        rank = _RANKS[request.priority]
        if rank is not Rank.INLINE_CACHED or not self._backend.capabilities.resumable:
            return rank
        n_known = _n_common(self._queue.slots.evaluated(request.conversation), prompt)
        return rank if len(prompt) - n_known <= self._hot_tokens else Rank.INLINE_COLD


async def _next(events: AsyncIterator[Event]) -> Event | None:
    return await anext(events, None)


def _n_common(before: Sequence[object], prompt: Sequence[object]) -> int:
    """The length of the common beginning."""
    return next((n for n, (a, b) in enumerate(zip(before, prompt, strict=False)) if a != b), len(before))


def _estimate(n_characters: int) -> int:
    return int(n_characters / _CHARS_PER_TOKEN)
