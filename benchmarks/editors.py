"""The sources of suggestions for typed files: our server, or a plain client of the same engine."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks import llama_vim_baseline
from benchmarks.rig import LONG_S, why
from devstral_ls.generation import Engine
from devstral_ls.testing.lsp_client import LspClient, Refused, edit


@dataclass(frozen=True, slots=True)
class Offer:
    """The suggestion shown at the cursor."""

    text: str
    n_replaced: int
    ms: float
    asked_model: bool
    reason: str = ""
    usage: dict[str, Any] | None = None
    late: bool = False
    """True when the next key came before the answer."""


class Editor(Protocol):
    """An editor with one open document."""

    async def open(self, before: str, after: str) -> None:
        """Open the document with the cursor between the two."""

    async def put(self, text: str, n_back: int = 0, n_forward: int = 0) -> None:
        """Write ``text`` at the cursor, replacing so many characters before and after it."""

    async def offer(self, within_ms: float | None) -> Offer:
        """The suggestion at the cursor; cancelled after ``within_ms``."""

    async def took_all(self) -> None:
        """Record that the last suggestion was accepted whole; its text is written already."""

    async def close(self) -> None:
        """Close the document."""


class OurEditor:
    """Sends automatic requests to the real server."""

    def __init__(self, client: LspClient, uri: str, language: str) -> None:
        self._client = client
        self._uri = uri
        self._language = language
        self._before = self._after = ""
        self._command: dict[str, Any] | None = None

    async def open(self, before: str, after: str) -> None:
        """Open the document."""
        self._before, self._after = before, after
        self._client.open(before + after, self._uri, self._language)

    async def put(self, text: str, n_back: int = 0, n_forward: int = 0) -> None:
        """Write at the cursor."""
        start, end = _position(self._before[: len(self._before) - n_back]), self._cursor
        end = (end[0], end[1] + utf16_length(self._after[:n_forward]))
        self._client.change(self._uri, edit(start, end, text))
        self._before = self._before[: len(self._before) - n_back] + text
        self._after = self._after[n_forward:]

    async def offer(self, within_ms: float | None) -> Offer:
        """The suggestion at the cursor."""
        begun = time.perf_counter()
        line, character = self._cursor
        asked = self._client.ask_inline(self._uri, line, character)
        number = self._client.last_id
        items: list[Any] = []
        late = False
        try:
            limit = LONG_S if within_ms is None else within_ms / 1000
            found = await asyncio.wait_for(asyncio.shield(asked), limit)
            items = found["items"] if found else []
        except TimeoutError:
            late = True
            self._client.notify("$/cancelRequest", {"id": number})
            await asyncio.wait([asked], timeout=LONG_S)
        except Refused:
            pass  # an error shows nothing, and `why` has its reason
        ms = (time.perf_counter() - begun) * 1000
        told = await why(self._client, self._uri)
        usage = told.get("usage")
        text, n_replaced = "", 0
        if items:
            text = items[0]["insertText"]
            self._command = items[0].get("command")
            span = items[0].get("range")
            units = span["end"]["character"] - character if span else 0
            n_replaced = len(self._after.encode("utf-16-le")[: 2 * units].decode("utf-16-le"))
        return Offer(text, n_replaced, ms, usage is not None, str(told.get("reason", "")), usage, late)

    async def took_all(self) -> None:
        """Execute the command that came with the suggestion."""
        if self._command is not None:
            asked = {"command": self._command["command"], "arguments": self._command["arguments"]}
            await asyncio.wait_for(self._client.ask("workspace/executeCommand", asked), LONG_S)

    async def dismissed(self) -> None:
        """Tell the server that the last suggestion was dismissed."""
        if self._command is not None:
            asked = {"command": "devstral.rejected", "arguments": self._command["arguments"]}
            await asyncio.wait_for(self._client.ask("workspace/executeCommand", asked), LONG_S)

    async def close(self) -> None:
        """Forget the document."""
        self._client.notify("textDocument/didClose", {"textDocument": {"uri": self._uri}})

    @property
    def _cursor(self) -> tuple[int, int]:
        return _position(self._before)


class RivalEditor:
    """Prefix, suffix, middle at every key, the first line shown; the last 250 answers are cached and reused while they
    are typed, as llama.vim does.
    """

    N_KEPT, N_BACK = 250, 128

    def __init__(self, engine: Engine, uri: str) -> None:
        self._engine = engine
        self._uri = uri
        self._before = self._after = ""
        self._kept: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def open(self, before: str, after: str) -> None:
        """Open the document."""
        self._before, self._after = before, after

    async def put(self, text: str, n_back: int = 0, n_forward: int = 0) -> None:
        """Write at the cursor."""
        self._before = self._before[: len(self._before) - n_back] + text
        self._after = self._after[n_forward:]

    async def offer(self, within_ms: float | None) -> Offer:
        """The suggestion at the cursor."""
        begun = time.perf_counter()
        text = self._found()
        if text is not None:
            return Offer(text, 0, (time.perf_counter() - begun) * 1000, asked_model=False, reason="cached")
        model = self._engine.model
        assert model is not None
        window = llama_vim_baseline.window_of("llama.vim", self._before, self._after, model.context_tokens)
        try:
            async with asyncio.timeout(None if within_ms is None else within_ms / 1000):
                said = await llama_vim_baseline.say(self._engine, window, self._uri, one_line=True)
        except TimeoutError:
            return Offer("", 0, (time.perf_counter() - begun) * 1000, asked_model=True, reason="late", late=True)
        text = llama_vim_baseline.kept("llama.vim", said.text, self._after, one_line=True)
        text = text if text.strip() else ""
        self._kept[self._before, self._after] = text
        while len(self._kept) > self.N_KEPT:
            self._kept.popitem(last=False)
        return Offer(text, 0, said.ms, asked_model=True, reason="asked", usage=said.usage)

    async def took_all(self) -> None:
        """Does nothing: a plain client reports nothing."""

    async def close(self) -> None:
        """Forget the document."""
        self._kept.clear()

    def _found(self) -> str | None:
        for n in range(min(self.N_BACK, len(self._before)) + 1):
            typed = self._before[len(self._before) - n :]
            text = self._kept.get((self._before[: len(self._before) - n], self._after))
            if text is not None and text.startswith(typed) and (n == 0 or len(text) > n):
                return text[n:]
        return None


def _position(before: str) -> tuple[int, int]:
    line = before.rsplit("\n", 1)[-1]
    return before.count("\n"), utf16_length(line)


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2
