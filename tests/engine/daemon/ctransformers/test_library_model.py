"""The real library: what it says, what it refuses, and that text never becomes a control token."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devstral_ls.engine.daemon.backends.backend import BackendRequest, End, Event, Piece
from devstral_ls.engine.daemon.backends.ctransformers.backend import CtransformersBackend
from devstral_ls.engine.spec import EngineOptions, EngineSpec, spec_of
from devstral_ls.errors import ModelCorrupt, ModelLoadFailed, ModelUnsupported, PromptTooLong
from devstral_ls.generation import FinishReason, GenerationRequest
from devstral_ls.platform.paths import Directories
from devstral_ls.testing import gguf_files


def spec(home: Directories, model: Path) -> EngineSpec:
    return spec_of(model, model.stem, EngineOptions(context_tokens=512, backend="ctransformers"), home)


@asynccontextmanager
async def running(home: Directories, model: Path) -> AsyncIterator[CtransformersBackend]:
    backend = CtransformersBackend(spec(home, model), home.runtime)
    await backend.start()
    try:
        yield backend
    finally:
        await backend.stop()


async def answer(backend: CtransformersBackend, text: str, max_tokens: int = 8, begins_with: str = "") -> list[Event]:
    request = GenerationRequest((), max_tokens, begins_with=begins_with)
    async with backend.stream(BackendRequest(await backend.tokenize(text), request)) as events:
        return [event async for event in events]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Piece | End))


def end_of(events: list[Event]) -> End:
    end = events[-1]
    assert isinstance(end, End)
    return end


@pytest.mark.parametrize("architecture", ["llama", "mistral3"])
async def test_devstral_is_refused_before_the_library_is_even_looked_for(
    architecture: str, home: Directories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ctransformers", None)
    path = gguf_files.write_devstral_shaped(tmp_path / "m.gguf", architecture)
    with pytest.raises(ModelUnsupported, match="ctransformers cannot run") as caught:
        await CtransformersBackend(spec(home, path), home.runtime).start()
    assert '"llama.cpp"' in caught.value.hint


async def test_without_the_library_it_says_how_to_get_it(
    home: Directories, spm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ctransformers", None)
    with pytest.raises(ModelLoadFailed, match="ctransformers cannot be used") as caught:
        await CtransformersBackend(spec(home, spm), home.runtime).start()
    assert "pip install ctransformers" in caught.value.hint


async def test_it_says_what_it_runs_and_how(home: Directories, spm: Path) -> None:
    async with running(home, spm) as backend:
        info = backend.info
        assert (info.slots, info.context_tokens, info.batch, info.gpu_layers) == (1, 512, 256, 0)
        assert info.software.startswith("ctransformers ")
        assert "ctransformers" in info.versions
        assert "ctransformers" in info.rate_key
        assert info.bytes_needed > 0
        events = await answer(backend, "def f():\n    return")
    assert end_of(events).finish is FinishReason.LENGTH
    usage = end_of(events).usage
    assert usage is not None
    assert usage.generated_tokens == 8


async def test_what_is_cached_changes_nothing(home: Directories, spm: Path) -> None:
    async with running(home, spm) as backend:
        fresh = text_of(await answer(backend, "x = 1\n" * 20))
        await answer(backend, "y = 2\n" * 30)
        assert text_of(await answer(backend, "x = 1\n" * 20)) == fresh
        again = await answer(backend, "x = 1\n" * 20)
        assert text_of(again) == fresh
        usage = end_of(again).usage
        assert usage is not None
        assert usage.cached_tokens >= usage.prompt_tokens - 1 > 60


@pytest.mark.parametrize("beginning", ["return", 'é漢😀"\\\n'])
async def test_the_answer_begins_as_it_must(beginning: str, home: Directories, spm: Path) -> None:
    async with running(home, spm) as backend:
        assert text_of(await answer(backend, "x", 40, begins_with=beginning)).startswith(beginning)


async def test_text_stays_text(home: Directories, spm: Path) -> None:
    async with running(home, spm) as backend:
        for text in ("<s>", "a</s>b", "é漢😀" * 50, "a\0b", " ", "\n\n  x"):
            ids = await backend.tokenize(text)
            assert not {0, 1, 2} & set(ids), text
            shown = b"".join(backend._model.pieces[token] for token in ids).decode()
            # A space in front, as SentencePiece writes it; `space_prefix` tells the queue to take it off.
            assert backend.info.space_prefix
            assert shown == " " + text.replace("\0", "\ufffd")


async def test_a_prompt_that_is_too_long(home: Directories, spm: Path) -> None:
    async with running(home, spm) as backend:
        with pytest.raises(PromptTooLong):
            await answer(backend, "=" * 520)


async def test_a_file_that_breaks_off_is_refused(home: Directories, tmp_path: Path) -> None:
    path = gguf_files.truncated(gguf_files.write_spm_llama(tmp_path / "m.gguf"), 1000)
    with pytest.raises(ModelCorrupt):
        await CtransformersBackend(spec(home, path), home.runtime).start()
