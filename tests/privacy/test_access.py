"""Who can get at an engine: its user, and nobody else; no port is open."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import pytest

from devstral_ls.engine import rendezvous
from devstral_ls.platform.paths import Directories
from devstral_ls.testing import lsp_client
from devstral_ls.testing.gguf_files import write_devstral_shaped
from tests.privacy.day import may

AS_SOMEBODY_ELSE = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs")

TRIES = """
import os, socket, sys
folder, sock, key, state = sys.argv[1:]
def attempt(name, work):
    try:
        work()
    except OSError as error:
        print(name, type(error).__name__)
    else:
        print(name, "done")
attempt("list", lambda: os.listdir(folder))
attempt("connect", lambda: socket.socket(socket.AF_UNIX).connect(sock))
attempt("key", lambda: open(key).read())
attempt("state", lambda: open(state).read())
attempt("remove", lambda: os.unlink(sock))
attempt("plant", lambda: open(folder + "/planted", "w"))
"""


@dataclass
class Running:
    """A server with a ready engine."""

    home: Directories
    engine: int
    server: int

    def file(self, suffix: str, whose: str = "engine") -> Path:
        """The daemon's file, or that of llama.cpp's own server behind it (``llama``)."""
        (path,) = self.home.runtime.glob(f"{whose}-*.{suffix}")
        return path


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, as pytest's are not."""
    path = Path(mkdtemp(prefix="privacy-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def running(open_folder: Path) -> AsyncIterator[Running]:
    home = Directories(open_folder / "data", open_folder / "run", open_folder / "settings.toml")
    home.config_file.write_text('[model]\ncalibrate = "never"\n')
    model = write_devstral_shaped(open_folder / "m.gguf")
    client = await lsp_client.start(open_folder, module="devstral_ls", DEVSTRAL_LS_MODEL=str(model))
    try:
        await client.initialize()
        await client.status("ready")
        (engine,) = rendezvous.engines(home)
        assert client.process is not None
        assert engine.pid is not None
        yield Running(home, engine.pid, client.process.pid)
    finally:
        await lsp_client.stop(client)
        rendezvous.stop(home)


async def as_somebody_else(command: list[str]) -> str:
    run = subprocess.run
    done = await asyncio.to_thread(run, [*AS_SOMEBODY_ELSE, *command], capture_output=True, text=True, check=True)
    return str(done.stdout)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_runtime_folder_is_the_users_own(running: Running) -> None:
    assert mode(running.home.runtime) == 0o700
    assert mode(running.file("key")) == 0o600
    assert mode(running.file("sock")) == 0o600
    assert mode(running.file("sock", "llama")) == 0o600


@pytest.mark.skipif(not may(*AS_SOMEBODY_ELSE, sys.executable, "-c", ""), reason="a second user needs root on Linux")
@pytest.mark.parametrize("whose", ["engine", "llama"])
async def test_another_user_gets_at_nothing(whose: str, running: Running) -> None:
    files = [str(running.file("sock", whose)), *(str(running.file(suffix)) for suffix in ("key", "json"))]
    tries = [sys.executable, "-c", TRIES, str(running.home.runtime), *files]
    told = await as_somebody_else(tries)
    assert told.splitlines() == [
        f"{name} PermissionError" for name in ("list", "connect", "key", "state", "remove", "plant")
    ]
    running.home.runtime.chmod(0o755)
    opened = await as_somebody_else(tries)
    assert "list done" in opened  # the refusals above are the folder's
    assert "key PermissionError" in opened  # and the files keep others out without it, too
    assert "connect PermissionError" in opened


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="needs Linux's /proc")
async def test_no_process_of_ours_has_a_port(running: Running) -> None:
    assert open_ports(running.server) == []
    assert open_ports(running.engine) == []
    assert open_ports(os.getpid()) == []
    with socket.create_server(("127.0.0.1", 0)):
        assert len(open_ports(os.getpid())) == 1  # it would be seen


def open_ports(pid: int) -> list[str]:
    """Sockets of a process that belong to an address of the Internet's kind, by inode."""
    owned = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            owned.add(str(link.readlink()))
        except OSError:  # closed since
            continue
    tables = [Path(f"/proc/{pid}/net/{kind}") for kind in ("tcp", "tcp6", "udp", "udp6")]
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return [row[9] for row in rows if f"socket:[{row[9]}]" in owned]
