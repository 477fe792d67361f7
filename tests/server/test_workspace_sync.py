"""Other files of the workspace, as a client sees it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.generation import Text
from devstral_ls.testing.lsp_client import LspClient, edit
from tests.retrieval.tree import write
from tests.server.conftest import Here

LONG_S = 30.0
FILES = {
    "shapes.py": "def area(width: float) -> float:\n    return width\n",
    "a.py": "from shapes import area\n\nx = area(",
}


async def prompt(client: Here, uri: str, line: int, character: int) -> str:
    """The text of the prompt that a request makes."""
    async with asyncio.timeout(LONG_S):
        while client.rig.engine is None or client.server.session.pipeline is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        engine = client.rig.engine
        n_asked = len(engine.requests)
        await client.ask_inline(uri, line, character, kind=1)
    asked = engine.requests[n_asked:]
    return "".join(part.text for part in asked[0].prompt if isinstance(part, Text)) if asked else ""


async def test_what_another_file_defines_reaches_the_prompt(here: Callable[..., Here], tmp_path: Path) -> None:
    write(tmp_path, FILES)
    client = here(real_pipeline=True, index=True)
    await client.initialize(folder=tmp_path, options={"inline": {"prefetch": False}})
    a = client.open(FILES["a.py"], uri=(tmp_path / "a.py").as_uri())
    assert "def area(width: float) -> float: ..." in await prompt(client, a, 2, 9)
    # What is typed into the other file counts before it is saved.
    other = client.open(FILES["shapes.py"], uri=(tmp_path / "shapes.py").as_uri())
    client.change(other, edit((0, 9), (0, 14), "side"))
    client.notify("textDocument/didSave", {"textDocument": {"uri": other}})
    client.change(a, edit((1, 0), (1, 0), "def f():\n    y = area(\n"))
    assert "def area(side: float) -> float: ..." in await prompt(client, a, 2, 13)
    index: Any = client.server.workspace.index
    pid = index.pid
    await client.end()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_an_ignore_file_that_is_saved_counts_at_once(here: Callable[..., Here], tmp_path: Path) -> None:
    write(tmp_path, FILES)
    client = here(real_pipeline=True, index=True)
    await client.initialize(folder=tmp_path, options={"inline": {"prefetch": False}})
    a = client.open(FILES["a.py"], uri=(tmp_path / "a.py").as_uri())
    assert "x = area(" in await prompt(client, a, 2, 9)
    ignore = client.open("a.py\n", uri=(tmp_path / ".gitignore").as_uri(), language="ignore")
    write(tmp_path, {".gitignore": "a.py\n"})
    client.notify("textDocument/didSave", {"textDocument": {"uri": ignore}})
    client.change(a, edit((1, 0), (1, 0), "y = 1\n"))
    assert await prompt(client, a, 3, 9) == ""
    await client.end()


async def test_without_a_workspace_there_is_no_second_process(here: Callable[..., Here], tmp_path: Path) -> None:
    client = here(real_pipeline=True, index=True)
    await client.initialize()
    uri = client.open(FILES["a.py"], uri=(tmp_path / "a.py").as_uri())
    assert "width" not in await prompt(client, uri, 2, 9)
    assert client.server.workspace.index.pid is None  # type: ignore[union-attr]


async def test_a_client_that_watches_files_is_asked_to(here: Callable[..., Here]) -> None:
    client = here()
    await client.initialize({"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}})
    registered = await asyncio.wait_for(client.next("client/registerCapability"), LONG_S)
    methods = {one["method"] for one in registered["registrations"]}
    assert methods == {"workspace/didChangeWatchedFiles"}


def complaint(line: int, message: str, **more: Any) -> dict[str, Any]:
    ends = {"start": {"line": line, "character": 4}, "end": {"line": line, "character": 9}}
    return {"range": ends, "severity": 1, "source": "checker", "message": message, **more}


async def test_what_the_client_says_of_other_tools_reaches_the_prompt(
    spawn: Callable[..., Awaitable[LspClient]], tmp_path: Path
) -> None:
    client = await spawn("--real-pipeline", "--index")
    await client.initialize(folder=tmp_path, options={"inline": {"prefetch": False}})
    code = "def f(a):\n    b = nothing\n    \n"
    uri = client.open(code, uri=(tmp_path / "a.py").as_uri())
    said = [complaint(1, "what is nothing?\nand more"), complaint(1, "own", source="Devstral"),
            complaint(1, "a matter of style", severity=4)]  # fmt: skip
    client.notify("devstral/diagnostics", {"uri": uri, "version": 1, "diagnostics": said})
    await client.ask_inline(uri, 2, 4, kind=1)
    (asked,) = (await client.script())["asked"]
    assert "    # error: what is nothing?\n    b = nothing\n" in asked
    assert asked.count("# ") == 1
    why = await client.request("workspace/executeCommand", {"command": "devstral.why", "arguments": [uri]})
    assert why["excerpts"] == {"diagnostics": 1}
    client.change(uri, edit((1, 8), (1, 15), "a"))
    await client.ask_inline(uri, 2, 4, kind=1)
    assert "# error" not in (await client.script())["asked"][-1]
    # Of a version that is no more, or not of this form: nothing.
    for body in ({"uri": uri, "version": 1, "diagnostics": said}, {"uri": uri, "diagnostics": "none"}, [], None,
                 {"uri": uri, "diagnostics": [1, {}, {"message": "x", "range": 1}, complaint(1, "x", severity=[])]}):  # fmt: skip
        client.notify("devstral/diagnostics", body)
    client.change(uri, edit((2, 4), (2, 4), "c = "))
    await client.ask_inline(uri, 2, 8, kind=1)
    assert "# error" not in (await client.script())["asked"][-1]
    assert not client.all("window/showMessage")


async def fixes(client: LspClient, uri: str, line: int, **context: Any) -> list[dict[str, Any]]:
    """What is offered as a quick fix where the cursor is at the beginning of ``line``; the request has no diagnostics."""
    place = {"line": line, "character": 0}
    params = {
        "textDocument": {"uri": uri},
        "range": {"start": place, "end": place},
        "context": {"diagnostics": [], "only": ["quickfix"], **context},
    }
    return await client.request("textDocument/codeAction", params) or []


ACTIONS = {
    "textDocument": {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}},
    "workspace": {"applyEdit": True},
}


async def test_a_fix_is_offered_for_what_the_client_passes_on(spawn: Callable[..., Awaitable[LspClient]]) -> None:
    client = await spawn("--real-pipeline")
    await client.initialize(ACTIONS)
    uri = client.open("def f(a):\n    b = nothing\n    return b\n")
    await client.script(says="    b = 0\n    return b\n```")
    body = {"uri": uri, "version": 1, "diagnostics": [complaint(1, "what is nothing?", code="F821")]}
    client.notify("devstral/diagnostics", body)
    for trigger in ({}, {"triggerKind": 1}, {"triggerKind": 2}):
        assert [fix["title"] for fix in await fixes(client, uri, 1, **trigger)] == ["Devstral: Fix: what is nothing?"]
    assert await fixes(client, uri, 2) == []
    (fix,) = await fixes(client, uri, 1)
    client.answers["workspace/applyEdit"] = {"applied": True}
    await client.request("workspace/executeCommand", fix["command"])
    assert "what is nothing? (F821), on the line `b = nothing`" in (await client.script())["asked"][-1]


@pytest.mark.parametrize(
    ("code", "line", "title"),
    [
        ("def f(a):\n    b = (a\n    return b\n", 2, "Fix: line "),
        ("def f(a):\n\ng = 1\n", 0, "Fix: line 3: expected an indented block"),
        ("a = 1\n" + "\n" * 20 + "b = )\n", 21, "Fix: line 22: syntax error"),
        ("a = 1\n" + "\n" * 20 + "b = )\n", 0, None),
        ("a = 1\n", 0, None),
    ],
)
async def test_a_fix_is_offered_for_a_syntax_error_nearby(
    spawn: Callable[..., Awaitable[LspClient]], code: str, line: int, title: str | None
) -> None:
    client = await spawn("--real-pipeline")
    await client.initialize(ACTIONS)
    uri = client.open(code)
    found = [fix["title"].removeprefix("Devstral: ") for fix in await fixes(client, uri, line)]
    assert len(found) == (title is not None)
    assert all(one.startswith(title or "") for one in found)
    assert await fixes(client, uri, line, triggerKind=2) == []


async def test_the_index_says_when_it_has_seen_everything(here: Callable[..., Here], tmp_path: Path) -> None:
    write(tmp_path, FILES)
    client = here(real_pipeline=True, index=True)
    command = {"command": "devstral.index"}
    await client.initialize(folder=tmp_path)
    async with asyncio.timeout(LONG_S):
        while not (state := await client.request("workspace/executeCommand", command))["done"]:
            assert set(state) == {"files", "names", "done"}
    assert state["files"] == 2


def stat(pid: int) -> str:
    """What the kernel says of a process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
async def test_a_server_that_is_killed_takes_the_index_with_it(
    spawn: Callable[..., Awaitable[LspClient]], tmp_path: Path
) -> None:
    write(tmp_path, FILES)
    client = await spawn("--real-pipeline", "--index")
    await client.initialize(folder=tmp_path, options={"inline": {"prefetch": False}})
    uri = client.open(FILES["a.py"], uri=(tmp_path / "a.py").as_uri())
    await client.ask_inline(uri, 2, 9, kind=1)
    pid = client.process.pid
    (index,) = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())  # noqa: ASYNC240
    client.process.kill()
    async with asyncio.timeout(LONG_S):
        while stat(index) and " Z " not in stat(index):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
