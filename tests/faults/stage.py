"""Where faults are injected: a real server over stdio with an open document, at a real engine, in folders of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devstral_ls.engine import rendezvous
from devstral_ls.engine.runtime_dir import RuntimeFiles
from devstral_ls.engine.state import EngineState
from devstral_ls.platform.paths import Directories
from devstral_ls.testing import lsp_client
from devstral_ls.testing.lsp_client import LspClient, edit
from tests.faults.scripted import Scripted

URI = "file:///w/fault.py"
CODE = "def add(a, b):\n    return a + b\n\n\n"
PATIENCE_S = 90.0
"""Seconds until something that must happen has not happened."""

NOTHING_YET = frozenset({"engine-error", "not-ready", "superseded", "cancelled"})
"""Reasons of an empty answer that say nothing about the model."""


class NotRecoveredError(AssertionError):
    """A promise was not kept; the message says which."""


@dataclass
class Editor:
    """An editor with one document, which knows what is in it."""

    client: LspClient
    text: str = CODE
    n_lines: int = 0
    n_seen: int = 0
    """Statuses that were looked at."""
    n_marked: int = 0
    """Statuses that came before the fault."""

    def open(self) -> None:
        self.client.open(self.text, URI)

    def ask(self, kind: int = 1) -> asyncio.Future[Any]:
        """Write another last line, and ask for ghost text behind it; by key, as who waits for it."""
        self.n_lines += 1
        before, _, last = self.text.rpartition("\n")
        line, at = f"total_{self.n_lines} = add({self.n_lines}, ", self.text.count("\n")
        self.client.change(URI, edit((at, 0), (at, len(last)), line))
        self.text = f"{before}\n{line}"
        return self.client.ask_inline(URI, at, len(line), kind=kind)

    async def text_of(self, asked: asyncio.Future[Any]) -> str:
        """What an answer says; a request without an answer breaks the first promise of all."""
        try:
            answer = await asyncio.wait_for(asked, PATIENCE_S)
        except TimeoutError:
            raise NotRecoveredError("a request was not answered") from None
        return answer["items"][0]["insertText"] if answer["items"] else ""

    async def why(self) -> str:
        asked = self.client.ask("workspace/executeCommand", {"command": "devstral.why", "arguments": [URI]})
        told = await asyncio.wait_for(asked, PATIENCE_S)
        return told["reason"] if told else ""

    async def works(self) -> str:
        """Ask until there is text; between two attempts wait for news of the engine."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self.n_seen = len(self.statuses)
                text = await self.text_of(self.ask())
                if text.strip():
                    return text
                if await self.why() in NOTHING_YET and self.state not in ("ready", "generating", "slow"):
                    await self.status("ready", "slow")

    async def settled(self) -> None:
        """Wait until the status says that nothing is wrong, and nothing under way."""
        if self.state not in ("ready", "slow"):
            self.n_seen = len(self.statuses)
            if self.state not in ("ready", "slow"):
                await self.status("ready", "slow")

    @property
    def statuses(self) -> list[dict[str, Any]]:
        """All that were sent."""
        return self.client.all("devstral/status")

    @property
    def state(self) -> str:
        """The last one's state."""
        return self.statuses[-1]["state"] if self.statuses else ""

    async def status(self, *states: str) -> dict[str, Any]:
        """The first one of these ``states`` from ``n_seen`` on."""

        async def look() -> dict[str, Any]:
            while True:
                for status in self.statuses[self.n_seen :]:
                    if status["state"] in states:
                        return status
                with contextlib.suppress(TimeoutError):  # ours is longer
                    await self.client.next("devstral/status")

        try:
            return await asyncio.wait_for(look(), PATIENCE_S)
        except TimeoutError:
            seen = [(status["state"], status["message"]) for status in self.statuses[self.n_seen :]]
            raise NotRecoveredError(f"it never said {' or '.join(states)}, but {seen}") from None

    async def held(self) -> str:
        """The document as the server has it."""
        return await asyncio.wait_for(self.client.ask("test/text", URI), PATIENCE_S)


@dataclass
class Stage:
    """Folders, and the editors that were started in them."""

    folder: Path
    model: Path
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    scripted: Scripted | None = None
    """The engine that says what it is told to, where there is one."""
    editors: list[Editor] = field(default_factory=list)
    other: Editor | None = None
    """Another editor beside the first one, where a fault needs one and leaves it in good health."""
    struck: float = 0.0
    """When the fault came, or its cause went: from when on the way back is timed."""

    def now(self) -> None:
        """It comes, or goes, at this moment; what took time before was preparation."""
        self.struck = time.monotonic()

    @property
    def home(self) -> Directories:
        return Directories(self.folder / "data", self.folder / "run", self.folder / "settings.toml")

    @property
    def editor(self) -> Editor:
        """The first one."""
        return self.editors[0]

    @property
    def engine(self) -> EngineState:
        """The one that runs."""
        (state,) = rendezvous.engines(self.home)
        assert state.pid is not None
        return state

    @property
    def place(self) -> RuntimeFiles:
        """Its files."""
        return RuntimeFiles(self.home.runtime, self.engine.key)

    def write_settings(self, **sections: Mapping[str, Any]) -> None:
        """The user's file; ``sections`` over what a stage has."""
        tree: dict[str, dict[str, Any]] = {
            "model": {"name": str(self.model), "calibrate": "never", "contextTokens": 512},
            "engine": {"threads": 1, "slots": 1, "idleMinutes": 1},
            "inline": {"debounceMs": 0, "latencyBudgetMs": 20_000, "prefetch": False, "context": []},
        }
        for name, values in (*self.settings.items(), *sections.items()):
            tree.setdefault(name, {}).update(values)
        self.home.config_file.write_text(
            "\n".join(
                f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
                for name, values in tree.items()
            )
        )

    async def enter(self, *arguments: str, ready: bool = True, process_id: int | None = None, **options: Any) -> Editor:
        """Another editor, with its server."""
        client = await lsp_client.start(
            self.folder, *arguments, module="tests.faults.server", **(self.environment | options)
        )
        editor = Editor(client)
        self.editors.append(editor)
        await client.initialize(process_id=process_id)
        editor.open()
        if ready:
            await editor.status("ready", "slow")
        return editor

    async def begin_anew(self) -> None:
        """Have the engine started again on purpose: what it died of before is forgotten."""
        for editor in self.editors:
            await editor.client.ask("workspace/executeCommand", {"command": "devstral.restartEngine"})
        for editor in self.editors:
            await editor.works()
            await editor.settled()

    async def leave(self, editor: Editor) -> None:
        """End it, whatever is left of it."""
        self.editors.remove(editor)
        await lsp_client.stop(editor.client)

    async def close(self) -> None:
        """End everything."""
        for editor in list(self.editors):
            await self.leave(editor)
        await asyncio.to_thread(rendezvous.stop, self.home)


async def until(true: Any, what: str, *, look: float = 0.02) -> None:
    """Wait for something of another process that has no event, with ``look`` seconds between two looks.

    Raises:
        NotRecoveredError: it did not happen.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > deadline:
            raise NotRecoveredError(f"{what} did not happen within {PATIENCE_S:g} s")
        await asyncio.sleep(look)
