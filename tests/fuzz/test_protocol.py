"""Random sessions over real stdio: every request is answered, every document is what it must be, nothing ends or grows.

``make fuzz`` runs as many as ``DEVSTRAL_LS_FUZZ`` says; what is found is kept as an ``example``.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from devstral_ls.server.wire import framed
from tests.fuzz.sessions import ENCODINGS, URIS, changed, place, range_of, sessions
from tests.server import lsp_client
from tests.server.lsp_client import LspClient, Refused, soon

N_SESSIONS = int(os.environ.get("DEVSTRAL_LS_FUZZ", "6"))
MOST_MEMORY_KIB = 250 * 1024
FAR = (10**6, 0)

ANSWERED_BY = "textDocument/inlineCompletion"


class Editor:
    """Sends the steps of a session, and keeps the documents as they must be."""

    def __init__(self, client: LspClient, encoding: str) -> None:
        self.client, self.encoding = client, encoding
        self.texts: dict[str, str] = {}
        self.asked: list[asyncio.Future[Any]] = []
        self.ids: list[Any] = []

    def ask(self, method: str, params: Any) -> None:
        self.asked.append(self.client.ask(method, params))
        self.ids.append(self.client.last_id)

    def step(self, name: str, *values: Any) -> None:
        getattr(self, name)(*values)

    def open(self, number: int, text: str) -> None:
        uri = URIS[number]
        if uri in self.texts:
            self.close(number)
        self.texts[uri] = text
        self.client.open(text, uri=uri)

    def close(self, number: int) -> None:
        if self.texts.pop(URIS[number], None) is not None:
            self.client.notify("textDocument/didClose", {"textDocument": {"uri": URIS[number]}})

    def change(self, number: int, edits: list[Any]) -> None:
        uri = URIS[number]
        if uri not in self.texts:
            return
        sent = []
        for one, other, text in edits:
            start, end = min(one, other), max(one, other)
            self.texts[uri] = changed(self.texts[uri], start, end, text, self.encoding)
            sent.append({"range": range_of(start, end), "text": text})
        self.client.change(uri, *sent)

    def replace(self, number: int, text: str) -> None:
        if URIS[number] in self.texts:
            self.texts[URIS[number]] = text
            self.client.change(URIS[number], {"text": text})

    def inline(self, number: int, position: tuple[int, int], kind: int = 2) -> None:
        context = {"triggerKind": kind}
        document = {"uri": URIS[number]}
        self.ask(ANSWERED_BY, {"textDocument": document, "position": place(position), "context": context})

    def actions(self, number: int, start: tuple[int, int], end: tuple[int, int]) -> None:
        params = {"textDocument": {"uri": URIS[number]}, "range": range_of(start, end), "context": {"diagnostics": []}}
        self.ask("textDocument/codeAction", params)

    def cancel(self, number: int) -> None:
        self.client.notify("$/cancelRequest", {"id": self.ids[number % len(self.ids)] if self.ids else number})

    def notify(self, method: str, params: Any) -> None:
        self.client.notify(method, params)

    def configure(self, tree: Any) -> None:
        self.client.notify("workspace/didChangeConfiguration", {"settings": {"devstral": tree}})

    def garbage(self, data: bytes) -> None:
        self.client.write(framed(data))

    async def answered(self) -> None:
        """Wait for every answer."""
        done = await soon(asyncio.gather(*self.asked, return_exceptions=True))
        for answer in done:
            assert not isinstance(answer, BaseException) or isinstance(answer, Refused), answer

    async def held(self, uri: str) -> str:
        """The server's text of a document: what the engine is asked with at its end."""
        self.inline(URIS.index(uri), FAR, kind=1)
        await soon(self.asked[-1])
        return str((await self.client.script())["asked"][-1])


async def play(session: list[Any], encoding: str, folder: Path) -> None:
    client = await lsp_client.start(folder)
    try:
        await client.initialize({"general": {"positionEncodings": [encoding]}})
        editor = Editor(client, encoding)
        for name, *values in session:
            editor.step(name, *values)
        await editor.answered()
        editor.configure({"inline": {"enable": True}})
        for uri, text in editor.texts.items():
            assert await editor.held(uri) == text
        assert client.process is not None
        assert memory(client.process.pid) < MOST_MEMORY_KIB
        assert await client.leave() == 0
    finally:
        await lsp_client.stop(client)


def memory(pid: int) -> int:
    """KiB that a process has had at most; 0 where nobody can tell."""
    status = Path(f"/proc/{pid}/status")
    rows = dict(line.split(":", 1) for line in status.read_text().splitlines()) if status.exists() else {}
    return int(rows.get("VmHWM", "0 kB").split()[0])


@example([("open", 0, "a😀b\r\nc"), ("change", 0, [((0, 2), (0, 3), "漢")])], "utf-16")
@example(
    [("open", 0, "x"), ("garbage", b"{"), ("garbage", b"[]"), ("garbage", b"\xff"), ("inline", 0, (0, 1))], "utf-8"
)
@example([("ask", "initialize", None), ("ask", "codeAction/resolve", {"": None}), ("cancel", 0)], "utf-32")
@given(sessions, st.sampled_from(ENCODINGS))
@settings(max_examples=N_SESSIONS, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_session_ends_well_whatever_the_editor_says(session: list[Any], encoding: str) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(play(session, encoding, Path(folder)))


def test_a_wrong_document_would_be_noticed(tmp_path: Path) -> None:
    async def lose_a_change() -> None:
        client = await lsp_client.start(tmp_path)
        try:
            await client.initialize({"general": {"positionEncodings": ["utf-8"]}})
            editor = Editor(client, "utf-16")  # counts in other units than the server
            editor.open(0, "é😀b")
            editor.change(0, [((0, 3), (0, 4), "")])
            assert await editor.held(URIS[0]) == editor.texts[URIS[0]]
        finally:
            await lsp_client.stop(client)

    with pytest.raises(AssertionError):
        asyncio.run(lose_a_change())
