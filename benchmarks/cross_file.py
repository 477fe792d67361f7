"""Ask for a hole in a workspace: its files on disk, its folder the client's, documents opened and edited as by a user.

The server is asked when its index has seen every file (``devstral.index``): the question is what the files are worth,
and not how soon they are read.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.item_kinds import CrossHole, Diagnostic, Opened
from benchmarks.rig import LONG_S
from devstral_ls.languages.table import language_of
from devstral_ls.testing.lsp_client import LspClient, edit


def others(hole: CrossHole) -> Mapping[str, str]:
    """The files beside the asked one, as they are in the end."""
    return {**dict(hole.files), **{one.path: one.after for one in hole.opened}}


@asynccontextmanager
async def workspace(client: LspClient, hole: CrossHole) -> AsyncIterator[str]:
    """The URI of the asked file, open in a workspace that the server knows; all is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="cross") as name:
        folder = Path(name).resolve()  # noqa: ASYNC240 - the tests' own disk
        files = {**dict(hole.files), **{one.path: one.before for one in hole.opened}}
        for path, text in {**files, hole.name: hole.before + hole.after}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        _tell_folders(client, added=folder)
        opened = [_open(client, folder, one) for one in hole.opened]
        await asyncio.wait_for(_seen(client, len(opened) + _n_sources([hole.name, *dict(hole.files)])), LONG_S)
        for uri, one in zip(opened, hole.opened, strict=True):
            await _work_in(client, uri, one)
        uri = client.open(hole.before + hole.after, (folder / hole.name).as_uri(), hole.language)
        opened.append(uri)
        if hole.said:
            said = [_diagnostic(one) for one in hole.said]
            client.notify("devstral/diagnostics", {"uri": uri, "version": 1, "diagnostics": said})
        yield uri
        for one in opened:
            client.notify("textDocument/didClose", {"textDocument": {"uri": one}})
        _tell_folders(client, removed=folder)


def _tell_folders(client: LspClient, added: Path | None = None, removed: Path | None = None) -> None:
    event = {
        name: [{"uri": folder.as_uri(), "name": folder.name}] if folder else []
        for name, folder in (("added", added), ("removed", removed))
    }
    client.notify("workspace/didChangeWorkspaceFolders", {"event": event})


def _n_sources(paths: list[str]) -> int:
    return sum(language_of("", path).grammar is not None for path in paths)


async def _seen(client: LspClient, n_files: int) -> None:
    """Until the index has seen so many files. Each question waits for the index's own process, so this is no spinning."""
    while True:
        state = await client.ask("workspace/executeCommand", {"command": "devstral.index"})
        if state["done"] and state["files"] >= n_files:
            return


def _open(client: LspClient, folder: Path, one: Opened) -> str:
    return client.open(one.before, (folder / one.path).as_uri(), language_of("", one.path).id)


async def _work_in(client: LspClient, uri: str, one: Opened) -> None:
    """Change the document as it was changed, or look at it: an editor asks where the cursor is put down."""
    if one.before != one.after:
        lines, now = one.before.split("\n"), one.after.split("\n")
        for number, (line, other) in enumerate(zip(lines, now, strict=True)):
            if line != other:
                client.change(uri, edit((number, 0), (number, len(line)), other))
        return
    number = (
        one.before.count("\n") // 2
    )  # by key, at a line's end: elsewhere nobody is asked, and nothing was looked at
    end = len(one.before.split("\n")[number])
    await asyncio.wait_for(client.ask_inline(uri, number, end, kind=1), LONG_S)


def _diagnostic(one: Diagnostic) -> dict[str, Any]:
    told = asdict(one)
    return {
        "range": {
            "start": {"line": one.line, "character": one.column},
            "end": {"line": one.end_line, "character": one.end_column},
        },
        "severity": 1 if one.severity == "error" else 2,
        **{name: told[name] for name in ("source", "code", "message")},
    }
