"""Real servers over stdio, real engine processes, a real model: what an editor sees."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from devstral_ls.engine import rendezvous
from devstral_ls.platform.paths import Directories
from devstral_ls.testing import lsp_client
from devstral_ls.testing.gguf_files import truncated, write_devstral_shaped
from devstral_ls.testing.lsp_client import LspClient, edit

Connect = Callable[..., Awaitable[LspClient]]

CODE = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    \n"
LONG_S = 120
"""Loading a model on a busy machine."""


@pytest.fixture
def home(tmp_path: Path) -> Directories:
    return Directories(tmp_path / "data", tmp_path / "run", tmp_path / "settings.toml")


@pytest.fixture
async def connect(tmp_path: Path, home: Directories) -> AsyncIterator[Connect]:
    """Starts servers whose folders are the test's own; ends them and their engines."""
    clients: list[LspClient] = []
    home.config_file.write_text("[inline]\ndebounceMs = 0\n")

    async def start(model: Path | None = None) -> LspClient:
        variables = {"DEVSTRAL_LS_MODEL": str(model)} if model else {}
        client = await lsp_client.start(tmp_path, module="devstral_ls", **variables)
        clients.append(client)
        await client.initialize()
        return client

    yield start
    for client in clients:
        await lsp_client.stop(client)
    await asyncio.to_thread(rendezvous.stop, home)


async def state(client: LspClient, *states: str) -> dict[str, object]:
    """The first status from now on that is one of ``states``."""
    while True:
        status = await asyncio.wait_for(client.next("devstral/status"), LONG_S)
        if status["state"] in states:
            return status


async def ghost_text(client: LspClient, uri: str, line: int, character: int) -> str:
    answer = await asyncio.wait_for(client.ask_inline(uri, line, character, kind=1), LONG_S)
    return answer["items"][0]["insertText"] if answer["items"] else ""


async def test_a_model_writes_into_the_open_file_and_typing_it_asks_nobody(connect: Connect, tiny_model: Path) -> None:
    client = await connect(tiny_model)
    uri = client.open(CODE)
    await state(client, "ready")
    text = await ghost_text(client, uri, 5, 4)
    assert text.strip()
    client.change(uri, edit((5, 4), (5, 4), text[:2]))
    assert await ghost_text(client, uri, 5, 6) == text[2:]
    why = await client.request("workspace/executeCommand", {"command": "devstral.why", "arguments": [uri]})
    assert why["reason"] == "typed-through"
    other = client.open('import os\n\nprint("the answer is ', uri="file:///w/b.py")
    assert await ghost_text(client, other, 2, 21) not in ("", text)  # not canned: another cursor, another text
    assert await client.leave() == 0


async def test_a_model_of_devstrals_shape_answers(connect: Connect, tmp_path: Path) -> None:
    client = await connect(write_devstral_shaped(tmp_path / "devstral.gguf"))
    uri = client.open(CODE)
    await state(client, "ready")
    await ghost_text(client, uri, 5, 4)
    why = await client.request("workspace/executeCommand", {"command": "devstral.why", "arguments": [uri]})
    assert why["layout"] == "chat-prefill"
    assert why["reason"] not in ("engine-error", "not-ready")


async def test_eight_servers_share_one_engine(connect: Connect, home: Directories, tiny_model: Path) -> None:
    clients = await asyncio.gather(*(connect(tiny_model) for _ in range(8)))
    uris = [client.open(f"# window {n}\n{CODE}") for n, client in enumerate(clients)]
    await asyncio.gather(*(state(client, "ready") for client in clients))
    answers = await asyncio.gather(*(ghost_text(c, uri, 6, 4) for c, uri in zip(clients, uris, strict=True)))
    assert all(answers)
    assert len(rendezvous.engines(home)) == 1


async def test_an_engine_that_is_killed_comes_back(connect: Connect, home: Directories, tiny_model: Path) -> None:
    client = await connect(tiny_model)
    uri = client.open(CODE)
    await state(client, "ready")
    (engine,) = rendezvous.engines(home)
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    await asyncio.wait_for(client.ask_inline(uri, 5, 4), LONG_S)  # answered, whatever with
    await state(client, "lost")
    await state(client, "ready")
    assert await ghost_text(client, uri, 5, 4)


async def test_an_engine_that_is_killed_in_the_middle_of_an_answer_is_back_for_the_next(
    connect: Connect, home: Directories, tiny_model: Path
) -> None:
    client = await connect(tiny_model)
    uri = client.open("# The numbers from one to a thousand, each on a line of its own\nNUMBERS = [\n    \n")
    await state(client, "ready")
    (engine,) = rendezvous.engines(home)
    assert engine.pid is not None
    asked = client.ask_inline(uri, 2, 4, kind=1)
    await state(client, "generating")
    os.kill(engine.pid, signal.SIGKILL)
    assert (await asyncio.wait_for(asked, LONG_S))["items"] == []
    await state(client, "ready")
    assert rendezvous.engines(home)[0].pid != engine.pid
    assert await ghost_text(client, uri, 2, 4)


async def test_a_server_that_is_killed_leaves_the_others_their_engine(
    connect: Connect, home: Directories, tiny_model: Path
) -> None:
    one, other = await connect(tiny_model), await connect(tiny_model)
    uri = other.open(CODE)
    await asyncio.gather(state(one, "ready"), state(other, "ready"))
    assert one.process is not None
    one.process.kill()
    await one.process.wait()
    assert await ghost_text(other, uri, 5, 4)
    assert len(rendezvous.engines(home)) == 1


async def test_without_a_model_it_says_so_and_works_as_soon_as_there_is_one(
    connect: Connect, home: Directories, tiny_model: Path
) -> None:
    client = await connect()
    uri = client.open(CODE)
    status = await state(client, "absent")
    assert "model import PATH" in str(status["hint"])
    assert await client.inline(uri, 5, 4) == []
    folder = home.models / "tiny"
    folder.mkdir(parents=True)
    for path in tiny_model.parent.iterdir():
        shutil.copy(path, folder)
    await state(client, "ready")
    assert await ghost_text(client, uri, 5, 4)


@pytest.mark.parametrize(
    ("content", "says"),
    [("no gguf at all\n", "text file"), ("", "empty"), (None, "no model file"), ("truncated", "shorter")],
)
async def test_a_model_that_cannot_be_used_is_a_status_with_a_hint(
    connect: Connect, tmp_path: Path, content: str | None, says: str
) -> None:
    path = tmp_path / "broken.gguf"
    if content == "truncated":
        whole = write_devstral_shaped(tmp_path / "whole.gguf")
        shutil.copy(truncated(whole, whole.stat().st_size // 2), path)
    elif content is not None:
        path.write_text(content)
    client = await connect(path)
    uri = client.open(CODE)
    status = await state(client, "absent", "failed")
    assert says in str(status["message"])
    assert status["hint"]
    assert await client.inline(uri, 5, 4) == []
    assert not client.all("window/showMessage")  # nothing pops up by itself
    assert await client.inline(uri, 5, 4, kind=1) == []
    shown = await client.next("window/showMessage")
    assert says in shown["message"]
    assert await client.leave() == 0
