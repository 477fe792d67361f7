"""The row of ctransformers over a scripted model: one thread, left between two steps, errors as the protocol has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from devstral_ls.engine.daemon.backends.backend import (
    BackendInfo,
    BackendRequest,
    Capabilities,
    End,
    Event,
    Piece,
    Progress,
)
from devstral_ls.engine.daemon.backends.ctransformers.backend import CtransformersBackend
from devstral_ls.errors import GenerationFailed, PromptTooLong
from devstral_ls.generation import GenerationRequest
from tests.engine.daemon.ctransformers.byte_model import ByteModel

PATIENCE = 10.0


@asynccontextmanager
async def started(model: ByteModel) -> AsyncIterator[CtransformersBackend]:
    info = BackendInfo("scripted", model.n_context, slots=1, specials={"<s>": 1})
    backend = CtransformersBackend(cast("Any", None), Path(), load=lambda spec: (info, model))
    await backend.start()
    try:
        yield backend
    finally:
        model.go_on.set()
        await backend.stop()


def asking(model: ByteModel, text: str = "abc", max_tokens: int = 20, **more: Any) -> BackendRequest:
    return BackendRequest(model.tokenize(text), GenerationRequest((), max_tokens, **more))


async def events_of(backend: CtransformersBackend, request: BackendRequest) -> list[Event]:
    async with backend.stream(request) as events, asyncio.timeout(PATIENCE):
        return [event async for event in events]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Piece | End))


def test_its_columns() -> None:
    assert CtransformersBackend.capabilities == Capabilities(
        prompt="ids", has_slots=False, is_shared_processor=True, resumable=True, logprobs=False
    )


async def test_an_answer_is_progress_then_pieces_then_the_end() -> None:
    model = ByteModel("hi")
    async with started(model) as backend:
        for n_cached in (0, 2):  # the second answer begins from the cache
            events = await events_of(backend, asking(model))
            assert [type(event) for event in events] == [Progress, Piece, Piece, End]
            assert text_of(events) == "hi"
            end = events[-1]
            assert isinstance(end, End)
            assert end.usage is not None
            assert (end.usage.cached_tokens, end.usage.generated_tokens) == (n_cached, 2)


async def test_texts_and_control_tokens_to_ids() -> None:
    async with started(ByteModel()) as backend:
        assert await backend.tokenize("é") == [3 + 0xC3, 3 + 0xA9]
        assert await backend.tokenize("<s>", parse_special=True) == [1]
        assert len(await backend.tokenize("<s>")) == 3


async def test_errors_are_those_of_the_protocol() -> None:
    model = ByteModel()
    async with started(model) as backend:
        with pytest.raises(PromptTooLong):
            await events_of(backend, asking(model, "x" * 64))
        model.fails = True
        with pytest.raises(GenerationFailed, match="it failed"):
            await events_of(backend, asking(model))
        model.fails = False
        assert text_of(await events_of(backend, asking(model))) == "hello"


async def test_leaving_does_not_wait_for_the_model_and_the_next_one_does_not_overlap() -> None:
    model = ByteModel("y" * 10_000, n_context=20_000)
    async with started(model) as backend:
        async with backend.stream(asking(model, max_tokens=9_999)) as events:
            while not isinstance(await anext(events), Piece):
                pass
            model.go_on.clear()  # the next token takes long
            waits = asyncio.ensure_future(anext(events))  # type: ignore[arg-type]
            await asyncio.sleep(0)
            waits.cancel()
            await asyncio.gather(waits, return_exceptions=True)
        n_evaluated = len(model.calls)
        following = asyncio.create_task(events_of(backend, asking(model, max_tokens=20)))
        await asyncio.sleep(0)
        assert len(model.calls) == n_evaluated, "the block was left while the model still worked"
        model.go_on.set()
        assert text_of(await following) == "y" * 20
        assert not model.overlapped


async def test_one_that_waits_for_the_last_step_of_another_can_be_left_for_nothing() -> None:
    model = ByteModel("y" * 100, n_context=200)
    async with started(model) as backend:
        async with backend.stream(asking(model)) as events:
            while not isinstance(await anext(events), Piece):
                pass
            model.go_on.clear()
            step = asyncio.ensure_future(anext(events))  # type: ignore[arg-type]
            await asyncio.sleep(0)
            step.cancel()
            await asyncio.gather(step, return_exceptions=True)
        waits = asyncio.create_task(events_of(backend, asking(model, "zzz")))
        await asyncio.sleep(0)
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
        model.go_on.set()
        end = (await events_of(backend, asking(model)))[-1]
        assert isinstance(end, End)
        assert end.usage is not None
        assert end.usage.cached_tokens == 2, "what was left while it waited has touched the cache"


async def _rest(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


async def test_progress_changes_with_each_step() -> None:
    model = ByteModel()
    async with started(model) as backend:
        before = await backend.progress()
        await events_of(backend, asking(model))
        assert await backend.progress() != before


async def test_a_stream_of_a_stopped_backend_fails() -> None:
    model = ByteModel()
    async with started(model) as backend, backend.stream(asking(model)) as events:
        await anext(events)
        await backend.stop()
        await backend.stop()
        with pytest.raises(GenerationFailed, match="stopped"):
            await _rest(events)
