"""Nothing stays behind when an editor is killed: not its server, not the engine."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from devstral_ls.engine import rendezvous
from devstral_ls.platform.paths import Directories
from devstral_ls.server.rpc.parent import Parent
from devstral_ls.testing.gguf_files import write_devstral_shaped
from devstral_ls.testing.lsp_client import ROOT, environment

EDITOR = """
import json, os, subprocess, sys, time
from devstral_ls.server.rpc.framing import framed
server = subprocess.Popen([sys.executable, "-m", "devstral_ls"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
def send(**message):
    server.stdin.write(framed(json.dumps({"jsonrpc": "2.0", **message}).encode()))
    server.stdin.flush()
send(id=1, method="initialize", params={"processId": os.getpid(), "rootUri": None, "capabilities": {}})
send(method="initialized", params={})
print(server.pid, flush=True)
time.sleep(600)
"""

SECONDS = 60.0


@pytest.mark.parametrize("killed", ["editor", "server"])
async def test_whoever_is_killed_takes_the_engine_along(killed: str, tmp_path: Path) -> None:
    home = Directories(tmp_path / "data", tmp_path / "run", tmp_path / "settings.toml")
    home.config_file.write_text("[engine]\nidleMinutes = 0.005\n")
    model = write_devstral_shaped(tmp_path / "m.gguf")
    editor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", EDITOR, cwd=ROOT, env=environment(tmp_path, DEVSTRAL_LS_MODEL=str(model)),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert editor.stdout is not None
        server = Parent.find(int(await asyncio.wait_for(editor.stdout.readline(), SECONDS)))
        assert server is not None
        async with asyncio.timeout(SECONDS):
            while not any(state.phase == "ready" for state in rendezvous.engines(home)):  # noqa: ASYNC110  other processes
                await asyncio.sleep(0.05)
        engine = Parent.find(rendezvous.engines(home)[0].pid or 0)
        assert engine is not None
        assert server.is_alive()
        if killed == "server":
            os.kill(server.pid, signal.SIGKILL)
        else:
            editor.kill()
            await editor.wait()
        async with asyncio.timeout(SECONDS):
            if killed == "editor":  # the other one stays a zombie until its editor asks for it
                await server.gone(lambda _: asyncio.sleep(0.05))
            await engine.gone(lambda _: asyncio.sleep(0.05))
        assert rendezvous.engines(home) == []
    finally:
        if editor.returncode is None:
            editor.kill()
            await editor.wait()
        await asyncio.to_thread(rendezvous.stop, home)
