"""Activity between two lines of typing: other documents, settings, files saved, the cursor elsewhere."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import items
from benchmarks.rig import ask
from devstral_ls.testing.lsp_client import LspClient, edit

CAPABLE = {"workspace": {"configuration": True}, "window": {"workDoneProgress": True}}
"""The client's capabilities."""

N_OPEN = 8
"""The most other documents open at a time."""

SETTINGS: tuple[Mapping[str, Any], ...] = (
    {"inline": {"multiline": "never"}},
    {"inline": {"context": []}, "completion": {"enable": True}},
    {"inline": {"disabledLanguages": ["rust"]}},
    {"inline": {"prefetch": False, "maxTokens": 16}},
    {"actions": {"enable": False}},
    {},
)
"""Settings of the workspace, used in turn."""


class SessionNoise:
    """The other documents of one client."""

    def __init__(self, client: LspClient, workspace: Path, dice: Random, did: Counter[str]) -> None:
        self.workspace = workspace
        self._client = client
        self._dice = dice
        self._did = did
        self._open: deque[str] = deque()
        self._n = 0
        self._settings = cycle(SETTINGS)
        self._doings: tuple[tuple[float, str, Callable[[], Awaitable[None]]], ...] = (
            (0.15, "looked at", self._look),
            (0.05, "put away", self._put_away),
            (0.10, "saved", self._save),
            (0.08, "elsewhere", self._ask_elsewhere),
            (0.06, "configured", self._configure),
        )

    async def something(self) -> None:
        """Do one of the activities, or, mostly, nothing."""
        chosen = self._dice.random()
        for share, name, do in self._doings:
            chosen -= share
            if chosen < 0:
                self._did[name] += 1
                return await do()
        return None

    async def _look(self) -> None:
        """Open a new document, and type a word into it."""
        file = self._dice.choice(items.replays())
        self._n += 1
        uri = (self.workspace / "seen" / f"{self._n}_{file.name}").as_uri()
        self._client.open(file.text, uri, file.language)
        self._client.change(uri, edit((0, 0), (0, 0), f"{self._n} "))
        self._open.append(uri)
        if len(self._open) > N_OPEN:
            await self._put_away()

    async def _put_away(self) -> None:
        if self._open:
            self._client.notify("textDocument/didClose", {"textDocument": {"uri": self._open.popleft()}})

    async def _save(self) -> None:
        """Write a file of the workspace, with new names in it."""
        file = self._dice.choice(items.replays())
        self._n += 1
        path = self.workspace / f"saved_{self._n % 40}_{file.name}"
        path.write_text(file.text.replace("total", f"total_{self._n}"), encoding="utf-8")
        self._client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": path.as_uri(), "type": 2}]})

    async def _ask_elsewhere(self) -> None:
        """Invoke a suggestion in a document that was not edited."""
        if self._open:
            await ask(self._client, self._dice.choice(self._open), self._dice.randrange(40), 0, invoked=True)

    async def _configure(self) -> None:
        """Change the client's settings; the server asks for them."""
        self._client.answers["workspace/configuration"] = [next(self._settings)]
        self._client.notify("workspace/didChangeConfiguration", {"settings": None})
