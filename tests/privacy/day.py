"""A day of use over real stdio: a real server, engine and index, whose every folder is below one of the test's own."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devstral_ls.engine import rendezvous
from devstral_ls.platform.paths import Directories
from devstral_ls.testing import lsp_client
from devstral_ls.testing.lsp_client import LspClient, edit
from tests.retrieval.tree import write

LONG_S = 120.0
"""Seconds for anything a model does, on a busy machine."""

SHORT_ANSWER = 10
"""Characters. A shorter line of the model may stand in a file by chance: ``return a``."""

FOLDERS = {"HOME": "home", "TMPDIR": "tmp", "XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config"}
FOLDERS |= {"XDG_DATA_HOME": "share", "XDG_STATE_HOME": "state"}


def canary() -> str:
    """A word that nobody else writes."""
    return f"canary_{secrets.token_hex(8)}"


@dataclass
class Day:
    """What the user wrote and what the model answered: what must be found nowhere afterwards."""

    folder: Path
    document: str = field(default_factory=canary)
    other_file: str = field(default_factory=canary)
    instruction: str = field(default_factory=canary)
    answers: list[str] = field(default_factory=list)
    interfaces: list[str] = field(default_factory=list)
    """Of the network, as the server's process sees them."""
    n_shown: int = 0

    @property
    def home(self) -> Directories:
        return Directories(self.folder / "data", self.folder / "run", self.folder / "settings.toml")

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    def secrets(self) -> list[str]:
        """Everything that nobody may keep: the canaries, and each line of an answer that is not said by chance."""
        lines = {line.strip() for answer in self.answers for line in answer.splitlines()}
        told = [line for line in lines if len(line) >= SHORT_ANSWER]
        return [self.document, self.other_file, self.instruction, *told]

    def kept(self) -> list[str]:
        """Each secret that stands in a file outside the workspace, with the file."""
        files = {path: path.read_bytes() for path in self.files()}
        return [
            f"{secret!r} in {path.relative_to(self.folder)}"
            for secret in self.secrets()
            for path, content in files.items()
            for written in (secret.encode(), secret.encode("utf-16-le"), secret.encode().hex().encode())
            if written in content
        ]

    def files(self) -> Iterator[Path]:
        """Every file below the folder that the user did not write."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and self.workspace not in path.parents:
                yield path

    async def use(
        self,
        model: Path,
        *,
        settings: str = "",
        under: Sequence[str] = (),
        actions: Sequence[str] = ("rewrite",),
        **variables: str,
    ) -> None:
        """Initialize, a suggestion, typing, another one, feedback, actions and the index; then leave."""
        for name in FOLDERS.values():
            (self.folder / name).mkdir(exist_ok=True)
        self.home.config_file.write_text(f'[inline]\ndebounceMs = 0\n[model]\ncalibrate = "never"\n{settings}')
        write(self.workspace, {"shapes.py": f"def area(width):\n    '''{self.other_file}'''\n    return width\n"})
        variables |= {name: str(self.folder / below) for name, below in FOLDERS.items()}
        variables["DEVSTRAL_LS_MODEL"] = str(model)
        client = await lsp_client.start(self.folder, module="devstral_ls", under=under, **variables)
        try:
            await self._work(client, actions)
            await asyncio.wait_for(client.request("shutdown"), LONG_S)
            client.notify("exit")
            await asyncio.to_thread(rendezvous.stop, self.home)  # a tracer leaves with the last of those it traces
            assert await client.exit_code() == 0
        finally:
            await asyncio.to_thread(rendezvous.stop, self.home)
            await lsp_client.stop(client)

    async def _work(self, client: LspClient, actions: Sequence[str]) -> None:
        client.answers["window/showDocument"] = {"success": True}
        await client.initialize({"window": {"showDocument": {"support": True}}}, folder=self.workspace)
        code = f"from shapes import area\n\n# {self.document}\ndef twice(a, b):\n    return area(\n"
        uri = client.open(code, uri=(self.workspace / "a.py").as_uri())
        async with asyncio.timeout(LONG_S):
            while (await client.next("devstral/status"))["state"] != "ready":
                pass
        self.interfaces = _interfaces(client)
        await self._ask(client, uri, 4, 16)
        client.change(uri, edit((4, 16), (4, 16), f"a, {self.document}_b)\n\n\ndef half(a):\n    "))
        shown = await self._ask(client, uri, 8, 4)
        if shown:
            await client.request("workspace/executeCommand", {"command": "devstral.accepted", "arguments": [shown]})
        for action in actions:
            span = {"start": {"line": 3, "character": 0}, "end": {"line": 4, "character": 20}}
            asked = {"action": action, "uri": uri, "range": span, "instruction": f"call it {self.instruction}"}
            command = {"command": "devstral.runAction", "arguments": [asked]}
            answer = await asyncio.wait_for(client.ask("workspace/executeCommand", command), LONG_S)
            self.answers.append(answer.get("markdown") or "")
        self.answers += [str(shown["message"]) for shown in client.all("window/showMessage")]

    async def _ask(self, client: LspClient, uri: str, line: int, character: int) -> str:
        """The id of the suggestion, whose text is noted."""
        items = (await asyncio.wait_for(client.ask_inline(uri, line, character, kind=1), LONG_S))["items"]
        self.n_shown += len(items)
        self.answers += [item["insertText"] for item in items]
        return items[0]["command"]["arguments"][0] if items else ""


def _interfaces(client: LspClient) -> list[str]:
    assert client.process is not None
    table = Path(f"/proc/{client.process.pid}/net/dev")
    return [line.split(":")[0].strip() for line in table.read_text().splitlines()[2:]] if table.exists() else []


def may(*command: str) -> bool:
    """Can such a command be run here?"""
    try:
        return subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
