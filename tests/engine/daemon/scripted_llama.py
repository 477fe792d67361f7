"""A Generator over a scripted llama-server: what is in the daemon, with the model left out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from devstral_ls.engine.daemon.backend_engine import BackendEngine
from devstral_ls.engine.daemon.backends.backend import BackendInfo, BackendRequest, Capabilities, Event
from devstral_ls.engine.daemon.backends.llama_server_client import LlamaServerClient
from devstral_ls.engine.endpoint import Endpoint
from tests.engine.fake_llama import FakeLlama, listening


class LlamaBackend:
    """``LlamaCpp`` without llama.cpp."""

    def __init__(self, address: str, info: BackendInfo) -> None:
        self.capabilities = Capabilities(has_slots=True, resumable=True, logprobs=True, is_shared_processor=True)
        self.info = info
        self._client = LlamaServerClient(Endpoint(address, "secret"))

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        await self._client.aclose()

    async def tokenize(self, text: str, *, parse_special: bool = False) -> list[int]:
        return await self._client.tokenize(text, parse_special=parse_special)

    def stream(self, request: BackendRequest) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        return self._client.stream(request)

    async def progress(self) -> str | None:
        return await self._client.progress()


@asynccontextmanager
async def talking(
    fake: FakeLlama,
    folder: Path,
    *,
    slots: int = 4,
    bos: str | None = None,
    specials: Mapping[str, int] | None = None,
    space_prefix: bool = False,
    batch: int = 100,
    **more: Any,
) -> AsyncIterator[BackendEngine]:
    info = BackendInfo(
        "fake",
        context_tokens=200,
        slots=slots,
        bos=bos,
        specials=specials or {},
        reserved=frozenset(specials or ()),
        space_prefix=space_prefix,
        batch=batch,
    )
    async with listening(fake, folder / "s") as address:
        backend = LlamaBackend(address, info)
        try:
            yield BackendEngine(backend, **more)
        finally:
            await backend.stop()
