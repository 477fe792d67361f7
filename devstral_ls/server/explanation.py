"""Explanations in the editor: a Markdown document where the client opens one for us, else a message.

The document is a file, which quotes code: it is removed when the server leaves, or by a later one if it could not.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from devstral_ls.actions.query import Result

if TYPE_CHECKING:
    from devstral_ls.server.app import DevstralServer

_MAX_MESSAGE = 1_500
"""Characters of a message; more does not fit on a screen."""

OLD_S = 24 * 3600.0
"""Seconds after which the file of a server that was killed is removed by the next one."""


def forget(ls: DevstralServer) -> None:
    """Remove what was written."""
    for path in ls.actions.explanations:
        with contextlib.suppress(OSError):
            path.unlink()
    ls.actions.explanations.clear()


async def show(ls: DevstralServer, result: Result) -> None:
    """Show the Markdown of ``result``."""
    if ls.actions.abilities.shows and await _opened(ls, result):
        return
    text = result.markdown.strip()
    shown = text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE].rstrip()} …"
    ls.window_show_message(types.ShowMessageParams(type=types.MessageType.Info, message=shown))


async def _opened(ls: DevstralServer, result: Result) -> bool:
    name = re.sub(r"\W+", "-", result.title.lower()).strip("-")[:60] or "explanation"
    try:
        path = await asyncio.to_thread(_written, ls.directories.runtime, name, f"# {result.title}\n\n{result.markdown}")
        ls.actions.explanations.add(path)
        answer = await ls.protocol.send_request_async(
            types.WINDOW_SHOW_DOCUMENT, types.ShowDocumentParams(uri=path.as_uri(), take_focus=False)
        )
    except (OSError, JsonRpcException):
        return False
    return answer is not None and answer.success


def _written(runtime: Path, name: str, text: str) -> Path:
    """The file, in a folder that is the user's alone: it quotes code."""
    folder = runtime / "explanations"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.glob("*.md"):
        if left.stat().st_mtime < time.time() - OLD_S:
            left.unlink(missing_ok=True)
    path = folder / f"{name}.md"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path
