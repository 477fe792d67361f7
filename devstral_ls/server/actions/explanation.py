"""Explanations in the editor: a Markdown document where the client opens one for us, else a message.

The document is a file, which quotes code: it is removed when the server leaves, or by a later one if it could not.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from pathlib import Path

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from devstral_ls.server.client_port import Client

_MAX_MESSAGE = 1_500
"""Characters of a message; more does not fit on a screen."""

OLD_S = 24 * 3600.0
"""Seconds after which the file of a server that was killed is removed by the next one."""


class Explanations:
    """The explanations shown in one session.

    Args:
        client: the editor.
        runtime: the folder for files that live as long as a process.
    """

    def __init__(self, client: Client, runtime: Path) -> None:
        self._client = client
        self._runtime = runtime
        self._files: set[Path] = set()

    async def show(self, title: str, markdown: str) -> None:
        """Show an explanation."""
        if self._client.abilities.shows_documents and await self._open(title, markdown):
            return
        text = markdown.strip()
        shown = text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE].rstrip()} …"
        self._client.show(shown, types.MessageType.Info)

    def close(self) -> None:
        """Remove the files."""
        for path in self._files:
            with contextlib.suppress(OSError):
                path.unlink()
        self._files.clear()

    async def _open(self, title: str, markdown: str) -> bool:
        """Have the client open a document. False when it did not."""
        name = re.sub(r"\W+", "-", title.lower()).strip("-")[:60] or "explanation"
        try:
            path = await asyncio.to_thread(_write, self._runtime, name, f"# {title}\n\n{markdown}")
            self._files.add(path)
            params = types.ShowDocumentParams(uri=path.as_uri(), take_focus=False)
            answer = await self._client.request(types.WINDOW_SHOW_DOCUMENT, params)
        except (OSError, JsonRpcException):
            return False
        return answer is not None and answer.success


def _write(runtime: Path, name: str, text: str) -> Path:
    """Write the file, in a folder that is the user's alone."""
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
