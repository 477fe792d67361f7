"""Another user of the machine gets at nothing, and makes us neither read, write nor end anything of theirs or ours."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import psutil
import pytest

from devstral_ls.engine import rendezvous
from devstral_ls.engine.client import EngineClient, session_for, status
from devstral_ls.engine.daemon.app import App
from devstral_ls.engine.daemon.backends.remote.http import Http
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.rendezvous import join
from devstral_ls.engine.runtime_dir import private_folder
from devstral_ls.engine.spec import EngineOptions, spec_of
from devstral_ls.errors import EngineUnavailable, RuntimeFolderUnusable
from devstral_ls.platform import users
from devstral_ls.platform.paths import Directories
from devstral_ls.testing.gguf_files import write_devstral_shaped
from devstral_ls.testing.lsp_client import ROOT, environment

STRANGER = 65534
needs_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="files and processes of another user need root"
)

LISTENER = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
listener.listen()
print("listens", flush=True)
while True:
    connection, _ = listener.accept()
    connection.settimeout(1)
    try:
        print("got", len(connection.recv(9999)), flush=True)
    except OSError:
        print("got 0", flush=True)
    connection.close()
"""

VISITOR = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall(f"GET /engine/v2/status HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer {sys.argv[2]}\\r\\n\\r\\n".encode())
print(connection.recv(999).decode().split("\\r\\n")[0])
"""

AS_A_USER = """
import importlib, os, sys
from devstral_ls.cli import main
importlib.import_module("devstral_ls.cli.engine")  # now: the user may not be able to read this Python
os.setgid(65533)
os.setuid(65533)
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may enter, as pytest's are not."""
    path = Path(mkdtemp(prefix="other-users-"))
    path.chmod(0o755)
    yield path
    rmtree(path)


def anothers(path: Path, mode: int = 0o755) -> Path:
    """A folder of another user."""
    path.mkdir()
    os.chown(path, STRANGER, STRANGER)
    path.chmod(mode)
    return path


# --- the runtime folder ---


@needs_root
@pytest.mark.parametrize("depth", ["the folder itself", "its parent", "the folder above"])
def test_a_folder_below_one_of_another_user_is_refused(depth: str, place: Path) -> None:
    own = anothers(place / "theirs") / ("" if depth == "the folder itself" else "a" if depth == "its parent" else "a/b")
    with pytest.raises(RuntimeFolderUnusable, match="another user") as caught:
        private_folder(own)
    assert "DEVSTRAL_LS_RUNTIME_DIR" in caught.value.hint
    assert list((place / "theirs").iterdir()) == [], "nothing is written where another user could change it"


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_a_parent_that_everybody_can_write_is_refused_unless_it_is_sticky_and_roots(mode: int, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(mode)
    if mode & stat.S_ISVTX and os.geteuid() == 0:
        private_folder(tmp_path / "open/run")
        return
    with pytest.raises(RuntimeFolderUnusable, match="writable by everybody"):
        private_folder(tmp_path / "open/run")


def test_a_folder_that_everybody_could_write_until_now_is_refused(tmp_path: Path) -> None:
    """What stands in it may be another user's."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    with pytest.raises(RuntimeFolderUnusable, match="writable by everybody"):
        private_folder(tmp_path / "run")


@needs_root
def test_a_link_of_another_user_on_the_way_is_refused(place: Path) -> None:
    (place / "real").mkdir(mode=0o700)
    (place / "link").symlink_to(place / "real")
    private_folder(place / "link/run")
    os.lchown(place / "link", STRANGER, STRANGER)
    with pytest.raises(RuntimeFolderUnusable, match="another user"):
        private_folder(place / "link/run")


def test_a_link_to_where_another_user_can_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open/real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("open/real")
    with pytest.raises(RuntimeFolderUnusable, match="writable by everybody"):
        private_folder(tmp_path / "link/run")


def test_what_is_missing_above_is_made_for_the_user_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        private_folder(tmp_path / "a/b/run")
    finally:
        os.umask(old)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/run")] == [0o700] * 3


@needs_root
@pytest.mark.parametrize("mode", [0o700, 0o777])
@pytest.mark.parametrize("command", ["status", "stop", "logs"])
def test_a_fallback_folder_that_another_user_made_first_costs_one_line(command: str, mode: int, place: Path) -> None:
    """``runtime-UID`` in the temporary folder, for a user of uid 65533."""
    temporary = place / "tmp"
    temporary.mkdir()
    temporary.chmod(0o1777)
    anothers(temporary / "runtime-65533", mode)
    (place / "home").mkdir()
    os.chown(place / "home", 65533, 65533)
    model = write_devstral_shaped(place / "m.gguf")
    variables = environment(
        place / "home", DEVSTRAL_LS_MODEL=str(model), TMPDIR=str(temporary), HOME=str(place / "home")
    )
    del variables["DEVSTRAL_LS_RUNTIME_DIR"]
    variables.pop("XDG_RUNTIME_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", AS_A_USER, "engine", command],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "runtime-65533" in done.stderr
    assert "DEVSTRAL_LS_RUNTIME_DIR" in done.stderr


# --- sockets ---


@asynccontextmanager
async def listener_of_another_user(path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Ends with the block; ``path`` is in a folder that is opened for it."""
    path.parent.chmod(0o777)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LISTENER, str(path), stdout=subprocess.PIPE, cwd="/"
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"listens\n"
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


@needs_root
async def test_no_key_goes_to_another_users_process_on_our_socket(place: Path) -> None:
    async with listener_of_another_user(place / "sock") as listener:
        async with session_for(Endpoint(f"unix:{place}/sock", "secret")) as session:
            with pytest.raises(EngineUnavailable, match="another user"):
                await status(session)
        client = EngineClient(Endpoint(f"unix:{place}/sock", "secret"), None)  # type: ignore[arg-type]  not asked for
        with pytest.raises(EngineUnavailable, match="another user"):
            await client.attach(lambda prefill, decode: None)
        await client.aclose()
        assert listener.stdout is not None
        assert [await listener.stdout.readline() for _ in range(2)] == [b"got 0\n"] * 2


@needs_root
async def test_a_remote_engine_on_another_users_socket_is_used_only_by_the_users_word(place: Path) -> None:
    async with listener_of_another_user(place / "sock") as listener:
        assert listener.stdout is not None
        for allowed in (False, True):
            http = Http(Endpoint(f"unix:{place}/sock", "secret", any_user=allowed), None)
            with pytest.raises(
                EngineUnavailable, match="Disconnected|broke off" if allowed else "another user"
            ) as caught:
                await http.fetch("GET", "/v1/models")
            assert allowed or "engine.allowRemote" in caught.value.hint
            await http.aclose()
            assert (await listener.stdout.readline() == b"got 0\n") is not allowed


@needs_root
async def test_the_daemon_answers_no_other_user_who_has_the_key(place: Path) -> None:
    app = App(None, None, _NoNeighbours(), "secret", lambda: None)  # type: ignore[arg-type]  not asked
    await app.listen(place / "sock")
    (place / "sock").chmod(0o777)
    try:
        done = await asyncio.create_subprocess_exec(
            sys.executable, "-c", VISITOR, str(place / "sock"), "secret", stdout=subprocess.PIPE, cwd="/"
        )
        assert (await done.communicate())[0] == b"HTTP/1.1 401 Unauthorized\n"
    finally:
        await app.close()


class _NoNeighbours:
    n = 0


async def test_the_kernel_says_which_user_is_at_the_other_end(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has loopback and the key")
    one, other = socket.socketpair()
    with one, other:
        assert users.peer_uid(one) == os.geteuid()
        assert users.stranger_at(one) is None
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as tcp:
        assert users.peer_uid(tcp) is None


def test_the_credentials_of_macos_are_read_as_its_header_says(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mac:
        family = socket.AF_UNIX

        def getsockopt(self, level: int, option: int, n_bytes: int) -> bytes:
            assert (level, option) == (0, 1)  # SOL_LOCAL, LOCAL_PEERCRED
            return (0).to_bytes(4, sys.byteorder) + (501).to_bytes(4, sys.byteorder) + bytes(n_bytes - 8)

    monkeypatch.delattr(socket, "SO_PEERCRED", raising=False)
    assert users.peer_uid(Mac()) == 501


# --- the process list ---


@pytest.mark.skipif(sys.platform == "win32", reason="reads the processes of POSIX")
async def test_no_command_line_and_no_environment_has_the_key(tmp_path: Path) -> None:
    home = Directories(tmp_path / "data", tmp_path / "run", tmp_path / "settings.toml")
    model = write_devstral_shaped(tmp_path / "m.gguf")
    spec = spec_of(model, "m", EngineOptions(slots=1, context_tokens=512), home)
    engine = await join(spec, home)
    try:
        for process in psutil.process_iter():
            try:
                words = " ".join([*process.cmdline(), *process.environ().values()])
            except psutil.Error:
                continue
            assert engine.endpoint.api_key not in words
    finally:
        await asyncio.to_thread(rendezvous.stop, home)
