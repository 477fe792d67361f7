"""Ask for a hole in a workspace: files on disk in the client's workspace folder, documents opened and edited as by a user.

The request waits until the index has read every file (``devstral.index``): the value of the files is measured, and not
the speed of the index.
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
    """The other files, in their final state."""
    return {**dict(hole.files), **{one.path: one.after for one in hole.opened}}


@asynccontextmanager
async def workspace(client: LspClient, hole: CrossHole) -> AsyncIterator[str]:
    """The URI of the file with the hole, open in a workspace that the server knows; removed at the end."""
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
    """Wait until the index has read so many files. Each question waits for the index's process, so this does not spin."""
    while True:
        state = await client.ask("workspace/executeCommand", {"command": "devstral.index"})
        if state["done"] and state["files"] >= n_files:
            return


def _open(client: LspClient, folder: Path, one: Opened) -> str:
    return client.open(one.before, (folder / one.path).as_uri(), language_of("", one.path).id)


async def _work_in(client: LspClient, uri: str, one: Opened) -> None:
    """Replay the edit of the document, or view it: an editor requests a suggestion where the cursor is put."""
    if one.before != one.after:
        lines, now = one.before.split("\n"), one.after.split("\n")
        for number, (line, other) in enumerate(zip(lines, now, strict=True)):
            if line != other:
                client.change(uri, edit((number, 0), (number, len(line)), other))
        return
    number = (
        one.before.count("\n") // 2
    )  # invoked, at a line's end: elsewhere the request is declined and the view not recorded
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
