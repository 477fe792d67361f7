"""Explanations in the editor: a Markdown document where the client opens one for us, else a message.

The document is a file, which quotes code, in a folder of this server's own: each window has its documents. They are
removed when the server leaves, or by a later one if it could not.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from devstral_ls.engine.runtime_dir import private_folder
from devstral_ls.errors import RuntimeFolderUnusable
from devstral_ls.server.client_port import Client

_MAX_MESSAGE = 1_500
"""Characters of a message; more does not fit on a screen."""

OLD_S = 24 * 3600.0
"""Seconds after which what a server that was killed left is removed by the next one."""


class Explanations:
    """The explanations shown in one session.

    Args:
        client: the editor.
        runtime: the folder for files that live as long as a process.
    """

    def __init__(self, client: Client, runtime: Path) -> None:
        self._client = client
        self._runtime = runtime
        self._folder: Path | None = None

    async def show(self, title: str, markdown: str) -> None:
        """Show an explanation."""
        if self._client.abilities.shows_documents and await self._open(title, markdown):
            return
        text = markdown.strip()
        shown = text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE].rstrip()} …"
        self._client.show(shown, types.MessageType.Info)

    def close(self) -> None:
        """Remove this server's documents, and no other's."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)  # does not follow links
            self._folder = None

    async def _open(self, title: str, markdown: str) -> bool:
        """Have the client open a document. False when it did not."""
        name = re.sub(r"\W+", "-", title.lower()).strip("-")[:60] or "explanation"
        try:
            if self._folder is None:
                self._folder = await asyncio.to_thread(_new_folder, self._runtime)
            path = await asyncio.to_thread(_write, self._folder, name, f"# {title}\n\n{markdown}")
            params = types.ShowDocumentParams(uri=path.as_uri(), take_focus=False)
            answer = await self._client.request(types.WINDOW_SHOW_DOCUMENT, params)
        except (OSError, JsonRpcException, RuntimeFolderUnusable):
            return False
        return answer is not None and answer.success


def _new_folder(runtime: Path) -> Path:
    """A folder of this server's own, after what servers that were killed left behind was removed.

    Raises:
        OSError: it cannot be made.
        RuntimeFolderUnusable: another user could put another one in its place.
    """
    private_folder(runtime)
    folder = runtime / "explanations"
    private_folder(folder)
    for left in os.scandir(folder):
        if left.stat(follow_symlinks=False).st_mtime < time.time() - OLD_S:
            with contextlib.suppress(OSError):  # another server removes it at the same time
                _remove(left)
    return Path(tempfile.mkdtemp(dir=folder))


def _remove(left: os.DirEntry[str]) -> None:
    """Remove a file, a link, or a folder with all it holds; where a link leads, nothing is touched."""
    if left.is_dir(follow_symlinks=False):
        shutil.rmtree(left.path)
    else:
        Path(left.path).unlink()


def _write(folder: Path, name: str, text: str) -> Path:
    """Write the document, in place of an earlier one of this name."""
    path = folder / f"{name}.md"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.utime(folder)  # in use: not one that was left
    return path
