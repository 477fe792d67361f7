"""Random sessions over real stdio: every request is answered, every document is what it must be, nothing ends or grows.

``make fuzz`` runs as many as ``DEVSTRAL_LS_FUZZ`` says; what is found is kept as an ``example``.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from devstral_ls.testing import lsp_client
from devstral_ls.testing.fuzz.editor import Editor
from devstral_ls.testing.fuzz.sessions import ENCODINGS, URIS, sessions
from devstral_ls.testing.lsp_client import LspClient, soon, until
from devstral_ls.testing.process_usage import peak

N_SESSIONS = int(os.environ.get("DEVSTRAL_LS_FUZZ", "6"))
MOST_MEMORY = 250 << 20
FAR = (10**6, 0)


class Heard:
    """What the editor of a session is answered, over the asynchronous client."""

    def __init__(self, client: LspClient, encoding: str) -> None:
        self.client = client
        self.last: asyncio.Future[Any]
        self.editor = Editor(self.write, encoding, self.expect)

    def write(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.client.write(piece)

    def expect(self, msg_id: Any) -> None:
        self.last = self.client.expect(msg_id)

    async def answered(self) -> None:
        """Wait for every answer: by its id, or by an error without one."""

        def is_settled() -> bool:
            answers = Counter(message["id"] for message in self.client.received if "method" not in message)
            n_unsure = sum(answers[msg_id] for msg_id in self.editor.unsure)
            # One id may be used twice: it is owed as many answers.
            owed = {msg_id: n for msg_id, n in self.editor.owed.items() if msg_id not in self.editor.unsure}
            nulls = self.editor.nulls + len(self.editor.unsure) - n_unsure
            return answers[None] == nulls and all(answers[msg_id] == n for msg_id, n in owed.items())

        await until(is_settled)

    async def shows_ghost_text(self) -> None:
        """Have it on: what the session has toggled wins over any setting."""
        toggle = {"command": "devstral.toggleInline", "arguments": []}
        if not await self.client.request("workspace/executeCommand", toggle):
            assert await self.client.request("workspace/executeCommand", toggle)

    async def held(self, uri: str) -> str:
        """The server's text of a document: what the engine is asked with at its end."""
        self.editor.inline(URIS.index(uri), FAR, kind=1)
        await soon(self.last)
        return str((await self.client.script())["asked"][-1])


async def play(session: list[Any], encoding: str, folder: Path) -> None:
    client = await lsp_client.start(folder)
    try:
        await client.initialize({"general": {"positionEncodings": [encoding]}})
        heard = Heard(client, encoding)
        editor = heard.editor
        for name, *values in session:
            editor.step(name, *values)
        await heard.answered()
        editor.configure({"inline": {"enable": True}})
        await heard.shows_ghost_text()
        for uri, text in editor.texts.items():
            assert await heard.held(uri) == text
        assert client.process is not None
        assert peak(client.process.pid) < MOST_MEMORY
        assert await client.leave() == 0
    finally:
        await lsp_client.stop(client)


@example([("open", 0, "a😀b\r\nc"), ("change", 0, [((0, 2), (0, 3), "漢")])], "utf-16")
@example([("open", 0, "x"), ("garbage", "{"), ("garbage", "[]"), ("garbage", "\xff"), ("inline", 0, (0, 1))], "utf-8")
@example([("execute", "devstral.why", []), ("again",)], "utf-8")
@example([("open", 0, "x"), ("execute", "devstral.toggleInline", [])], "utf-8")
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
            heard = Heard(client, "utf-16")  # counts in other units than the server
            heard.editor.open(0, "é😀b")
            heard.editor.change(0, [((0, 3), (0, 4), "")])
            assert await heard.held(URIS[0]) == heard.editor.texts[URIS[0]]
        finally:
            await lsp_client.stop(client)

    with pytest.raises(AssertionError):
        asyncio.run(lose_a_change())
