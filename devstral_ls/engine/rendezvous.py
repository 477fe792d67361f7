"""Find the engine of a model or start it: one process, however many servers race.

Who gets the life lock starts the host and hands the lock to it; the kernel gives it back when the host dies. The others
wait for what the state file says. A server's own lease tells the engine that somebody is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import signal
import site
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import devstral_ls
from devstral_ls.directories import Directories
from devstral_ls.engine import locks
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.place import Place, places
from devstral_ls.engine.spec import EngineSpec
from devstral_ls.engine.state import EngineState, read_state, write_private, write_state
from devstral_ls.errors import EngineError, EngineUnavailable, ModelLoadFailed

_LOOK_SECONDS = 0.05
"""Between two looks at the state file while an engine starts."""

_LOAD_SECONDS = 900.0
"""The longest start: tens of gigabytes from a slow disk."""

_MAX_STARTS = 3
"""How often one ``join`` starts an engine that is stopped or dies as soon as it is ready."""

_SMALL_TALK = re.compile(r"^\d+\.[\d.]+ [DIW] |send_error|launch slot|ready: EngineState")

_TERM_SECONDS = 3.0
_KILL_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Joined:
    """A running engine that knows we are here, until ``close``."""

    endpoint: Endpoint
    state: EngineState
    place: Place
    lease: locks.Lock

    @property
    def alive(self) -> bool:
        """Is it still that process?"""
        state = read_state(self.place.state)
        return state is not None and state.nonce == self.state.nonce and locks.is_held(self.place.lock)

    def close(self) -> None:
        """Say that we are gone. Again does nothing."""
        self.lease.close()


async def join(
    spec: EngineSpec,
    directories: Directories,
    on_state: Callable[[EngineState], None] = lambda state: None,
    timeout: float = _LOAD_SECONDS,
) -> Joined:
    """The engine of ``spec``, started if need be, once it is ready. ``on_state`` hears of every state on the way.

    Raises:
        ModelError: the engine cannot load the model; the message says why.
        EngineUnavailable: no engine could be started, or none was ready after ``timeout`` seconds.
    """
    place = Place(directories.runtime, spec.key)
    place.prepare()
    deadline = time.monotonic() + timeout
    lease = await _lease(place, deadline)
    try:
        state = await _ready(spec, place, on_state, deadline)
        endpoint = Endpoint(state.address or f"unix:{place.socket}", place.api_key.read_text().strip())
    except FileNotFoundError as error:
        lease.close()
        raise EngineUnavailable(f"the engine of {spec.model_name} left at this moment") from error
    except BaseException:
        lease.close()
        raise
    return Joined(endpoint, state, place, lease)


def engines(directories: Directories) -> list[EngineState]:
    """The engines of this user that run now, loading ones included."""
    states = [read_state(place.state) for place in places(directories.runtime) if locks.is_held(place.lock)]
    return [state for state in states if state is not None]


def stop(directories: Directories, key: str | None = None) -> int:
    """Stop all engines of this user, or the one with ``key``; how many there were. Blocks for some seconds at most."""
    chosen = [place for place in places(directories.runtime) if key in (None, place.key)]
    return sum(_stop(place) for place in chosen if locks.is_held(place.lock))


def stop_unused(directories: Directories, key: str) -> bool:
    """Stop the engine with ``key`` if no server is connected to it. Blocks for some seconds at most."""
    place = Place(directories.runtime, key)
    if not place.clients.exists() or not locks.is_held(place.lock):
        return False
    alone = locks.try_exclusive(place.clients)
    if alone is None:
        return False
    with alone:
        return _stop(place)


def log_tail(directories: Directories, n_lines: int = 50, key: str | None = None) -> str:
    """The last lines the newest engine printed, or the one with ``key``; empty if there are none."""
    logs = [place.log for place in places(directories.runtime) if key in (None, place.key) and place.log.exists()]
    if not logs:
        return ""
    newest = max(logs, key=lambda path: path.stat().st_mtime)
    return "\n".join(newest.read_text(encoding="utf-8", errors="replace").splitlines()[-n_lines:])


async def _lease(place: Place, deadline: float) -> locks.Lock:
    """Our share of the clients' lock; an engine that is leaving has it alone for the moment that takes."""
    while time.monotonic() < deadline:
        lease = locks.try_shared(place.clients)
        if lease is not None:
            return lease
        await asyncio.sleep(_LOOK_SECONDS)
    raise EngineUnavailable("the engine that is leaving does not leave", hint="Try `devstral-ls engine stop`.")


async def _ready(
    spec: EngineSpec, place: Place, on_state: Callable[[EngineState], None], deadline: float
) -> EngineState:
    seen: dict[str, EngineState] = {}
    n_starts = 0
    while time.monotonic() < deadline:
        lock = locks.try_exclusive(place.lock)
        state = read_state(place.state)
        if lock is None:
            if state is not None and seen.get(state.nonce) != state:
                seen[state.nonce] = state
                on_state(state)
            if state is not None and state.phase == "ready" and _lives(state.pid):
                return state
        else:
            error = _death(place, state, seen)
            if error is None and n_starts == _MAX_STARTS:
                error = EngineUnavailable(f"the engine of {spec.model_name} ended {_MAX_STARTS} times in a row")
            if error is not None:
                lock.close()
                raise error
            n_starts += 1
            state = EngineState(secrets.token_hex(8), spec.key, "starting", spec.model_name, spec.model_path)
            seen[state.nonce] = state
            on_state(state)
            await asyncio.to_thread(_start, place, spec, state, lock)
        await asyncio.sleep(_LOOK_SECONDS)
    raise EngineUnavailable(f"the engine of {spec.model_name} was not ready in time")


def _lives(pid: int | None) -> bool:
    """Is there such a process? A state may be that of a dead engine whose lock somebody has just taken."""
    try:
        os.kill(pid or 0, 0)
    except OSError:
        return False
    return pid is not None


def _death(place: Place, state: EngineState | None, seen: dict[str, EngineState]) -> EngineError | None:
    """Nobody holds the lock: was it an engine we were waiting for that failed, or died over its model?"""
    if state is None or state.nonce not in seen:
        return None
    if state.phase == "failed":
        return state.error
    if state.phase in ("starting", "loading"):
        words = last_words(place.log)
        return ModelLoadFailed(f"the engine died while it loaded {state.model}" + (f": {words}" if words else ""))
    return None


def last_words(log: Path) -> str:
    """What the log says last that is worth telling a person, or nothing: llama.cpp's small talk is not."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace")[-10_000:].splitlines()
    except OSError:
        return ""
    told = (line.strip() for line in reversed(lines) if not _SMALL_TALK.search(line))
    return next((line[-200:] for line in told if line), "")


def _start(place: Place, spec: EngineSpec, state: EngineState, lock: locks.Lock) -> None:
    """Start the host and hand it ``lock``. It leaves our session and family at once, so this returns soon.

    Raises:
        EngineUnavailable: the host could not be started.
    """
    with lock:
        place.clear()
        write_private(place.spec, spec.to_json())
        write_state(place.state, state)
        _spawn(place, state.nonce, lock.descriptor)


def _spawn(place: Place, nonce: str, lock: int) -> None:
    command = [sys.executable, "-P", "-m", "devstral_ls.engine.host", "--spec", str(place.spec)]
    command += ["--nonce", nonce, "--lock", str(lock)]
    log = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=place.folder,
            env=_environment(),
            pass_fds=(lock,),
            start_new_session=True,
            check=False,
        )
    except OSError as error:
        raise EngineUnavailable(f"the engine could not be started: {error.strerror}") from error
    finally:
        os.close(log)
    if done.returncode:
        raise EngineUnavailable(f"the engine could not be started: {last_words(place.log)}")


def _environment() -> dict[str, str]:
    """Ours, with the folder of this package in the path where Python would not find it by itself.

    The host runs with ``-P`` in the runtime folder: nothing from a workspace is ever imported.
    """
    root = str(Path(devstral_ls.__file__).resolve().parent.parent)
    if root in (*site.getsitepackages(), site.getusersitepackages()):
        return dict(os.environ)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _stop(place: Place) -> bool:
    """End the process that holds the life lock now; one that a server starts in its place is left alone."""
    first = read_state(place.state)
    for sign, seconds in ((signal.SIGTERM, _TERM_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            lock = locks.try_exclusive(place.lock)
            if lock is not None:
                with lock:
                    place.clear()
                return True
            state = read_state(place.state)
            first = first or state
            if first is not None and state is not None and state.nonce != first.nonce:
                return True
            if state is not None:
                _signal(place, state, sign)
            time.sleep(_LOOK_SECONDS)
    return False


def _signal(place: Place, state: EngineState, sign: signal.Signals) -> None:
    if state.pid is None or not _lives(state.pid):
        return
    if state.phase != "stopping":
        write_state(place.state, replace(state, phase="stopping"))
    with contextlib.suppress(ProcessLookupError):
        os.kill(state.pid, sign)
