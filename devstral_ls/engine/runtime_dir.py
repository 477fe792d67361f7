"""The files of an engine in the runtime folder: socket, state, key, lock and log, and the folder only its user can enter.

Where there are no Unix sockets (Windows, or ``DEVSTRAL_LS_TRANSPORT=tcp``) the daemon listens on a free port of loopback,
and the key alone keeps others out.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from devstral_ls.errors import RuntimeFolderUnusable
from devstral_ls.platform.users import weak_spot

PROTOCOL = 2
"""Raised when the files here or the private API change. It is part of all names, so that old and new versions do not meet."""

TRANSPORT = "DEVSTRAL_LS_TRANSPORT"

LOOPBACK = "127.0.0.1"

_ROOM_BYTES = 1 << 16
"""What the files of an engine take, and some lines of its log."""

_MAX_SOCKET_PATH = 100
"""Bytes. ``sun_path`` holds 108 on Linux and 104 on macOS, the final zero included."""


def uses_tcp(environ: Mapping[str, str] = os.environ) -> bool:
    """True when a new daemon listens on loopback instead of a Unix socket."""
    return sys.platform == "win32" or environ.get(TRANSPORT) == "tcp"


@dataclass(frozen=True, slots=True)
class RuntimeFiles:
    """The files of one engine."""

    folder: Path
    key: str
    """``EngineSpec.key``."""

    @property
    def state(self) -> Path:
        """``EngineState`` as JSON."""
        return self._file("json")

    @property
    def spec(self) -> Path:
        """``EngineSpec`` as JSON, for the daemon."""
        return self._file("spec")

    @property
    def api_key(self) -> Path:
        """The random key a request must carry."""
        return self._file("key")

    @property
    def lock(self) -> Path:
        """Held exclusively by the engine for life: at most one process has it."""
        return self._file("lock")

    @property
    def starting(self) -> Path:
        """Held by the process that starts the engine, where the life lock cannot be handed over."""
        return self._file("starting")

    @property
    def log(self) -> Path:
        """What the engine's process and llama.cpp print, of the last run."""
        return self._file("log")

    @property
    def socket(self) -> Path:
        """Where the daemon listens."""
        return self._short(self._file("sock"))

    @property
    def backend_socket(self) -> Path:
        """Where llama.cpp's own server listens, for the daemon around it alone."""
        return self._short(self.folder / f"llama-v{PROTOCOL}-{self.key}.sock")

    def prepare(self) -> None:
        """Make the folders, or make sure that they are ours alone.

        Raises:
            RuntimeFolderUnusable: a folder belongs to another user, or cannot be made private.
        """
        private_folder(self.folder)
        if self.socket.parent != self.folder:
            private_folder(self.socket.parent)

    def make_room(self) -> None:
        """Make sure that an engine can be started here; one that runs can be joined all the same.

        Raises:
            RuntimeFolderUnusable: nothing can be written, or there is no space for what an engine writes.
        """
        probe = self._file(f"{os.getpid()}.probe")
        try:
            try:
                probe.write_bytes(bytes(_ROOM_BYTES))
            finally:
                probe.unlink(missing_ok=True)
        except OSError as error:
            raise unusable(self.folder, error) from error

    def clear(self) -> None:
        """Remove what only a running engine should have. For the holder of the lock."""
        for path in (self.socket, self.backend_socket, self.state, self.api_key, self.spec):
            path.unlink(missing_ok=True)

    def _short(self, socket: Path) -> Path:
        """``socket``, or one of this name in a short folder if that path is too long for a socket."""
        if (
            len(os.fsencode(self._file("sock"))) <= _MAX_SOCKET_PATH or uses_tcp()
        ):  # the longest: both are in one folder
            return socket
        digest = blake2b(os.fsencode(self.folder), digest_size=6).hexdigest()
        return Path(f"/tmp/devstral-ls-{os.getuid()}-{digest}") / socket.name  # noqa: S108  `prepare` checks the owner

    def _file(self, suffix: str) -> Path:
        return self.folder / f"engine-v{PROTOCOL}-{self.key}.{suffix}"


def runtime_files(folder: Path) -> list[RuntimeFiles]:
    """Every engine that has or had a life lock in ``folder``, of this protocol."""
    start = f"engine-v{PROTOCOL}-"
    return [RuntimeFiles(folder, path.stem.removeprefix(start)) for path in sorted(folder.glob(f"{start}*.lock"))]


_HINT = "Set DEVSTRAL_LS_RUNTIME_DIR to a folder of your own in which no other user can write, or remove this one."


def unusable(folder: Path, error: OSError) -> RuntimeFolderUnusable:
    """What to raise where ``error`` came of working in the runtime folder."""
    return RuntimeFolderUnusable(f"the runtime folder {folder} cannot be used: {error.strerror or error}")


def check_folder(folder: Path) -> bool:
    """Make sure that what stands in ``folder`` can be believed; False where there is no such folder.

    Raises:
        RuntimeFolderUnusable: another user could have written it.
    """
    check_parents(folder)
    try:
        if not folder.exists():
            return False
        weak = weak_spot(folder)
    except OSError as error:
        raise unusable(folder, error) from error
    if weak is not None:
        raise RuntimeFolderUnusable(f"the runtime folder {folder} {weak[1]}", hint=_HINT)
    return True


def check_parents(folder: Path) -> None:
    """Make sure that no other user can put another folder in the place of ``folder``.

    Raises:
        RuntimeFolderUnusable: one could, or the folders above cannot be looked into.
    """
    try:
        weak = weak_spot(folder.parent)
    except OSError as error:
        raise unusable(folder, error) from error
    if weak is not None:
        raise RuntimeFolderUnusable(f"the runtime folder {folder} is not safe: {weak[0]} {weak[1]}", hint=_HINT)


def private_folder(folder: Path) -> None:
    """Make ``folder`` with mode 0700, and what is missing above it; or give it that mode.

    Raises:
        RuntimeFolderUnusable: it is not a folder, is another user's, cannot be made private, or another user could put
            another in its place.
    """
    check_parents(folder)
    hint = _HINT
    try:
        for missing in reversed([parent for parent in folder.parents if not parent.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        found = os.lstat(folder)
        weak = weak_spot(folder) if stat.S_ISDIR(found.st_mode) else None
        if sys.platform == "win32":
            return  # the user's own folders are closed to others by their access lists
        if not stat.S_ISDIR(found.st_mode):
            raise RuntimeFolderUnusable(f"the runtime folder {folder} is not a folder (or a link to one)", hint=hint)
        if found.st_uid != os.geteuid():
            raise RuntimeFolderUnusable(f"the runtime folder {folder} belongs to another user", hint=hint)
        if weak is not None:  # what stands in it may be another user's
            raise RuntimeFolderUnusable(f"the runtime folder {folder} {weak[1]}", hint=hint)
        if stat.S_IMODE(found.st_mode) != 0o700:
            folder.chmod(0o700)
    except OSError as error:
        raise unusable(folder, error) from error
    if stat.S_IMODE(os.lstat(folder).st_mode) & 0o077:
        raise RuntimeFolderUnusable(f"others can enter the runtime folder {folder}", hint=hint)
