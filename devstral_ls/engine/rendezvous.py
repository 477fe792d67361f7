"""Find the daemon of a model or start it: one process, however many servers race.

The process that gets the life lock starts the daemon and hands the lock to it; the kernel gives it back when the daemon
dies. The others wait for what the state file says.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from devstral_ls.engine.client import leave, session_for
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.last_words import last_words, worth_reading
from devstral_ls.engine.runtime_dir import RuntimeFiles, runtime_files, unusable
from devstral_ls.engine.spec import EngineSpec
from devstral_ls.engine.start import spawn
from devstral_ls.engine.state import EngineState, read_state, write_private, write_state
from devstral_ls.errors import EngineError, EngineUnavailable, ModelLoadFailed, RuntimeFolderUnusable
from devstral_ls.platform import locks, processes
from devstral_ls.platform.paths import Directories

_LOOK_SECONDS = 0.05
"""Between two looks at the state file while an engine starts."""

_LOAD_SECONDS = 900.0
"""The longest start: tens of gigabytes from a slow disk."""

_STOPPED_SECONDS = 5.0
"""An engine that is stopped by a signal for so long while it loads is ended, and loaded anew."""

_MAX_STARTS = 3
"""How often one ``join`` starts an engine that is stopped or dies as soon as it is ready."""

_LEAVE_SECONDS = 3.0
"""For a daemon that said it leaves."""

_NOT_ASKED = ((True, 3.0),)
_ASKED_FIRST = ((False, 3.0), *_NOT_ASKED)
"""How an engine is ended: by force or not, and the seconds each is given."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A running daemon."""

    endpoint: Endpoint
    state: EngineState
    files: RuntimeFiles

    @property
    def alive(self) -> bool:
        """True while it is still that process."""
        state = read_state(self.files.state)
        return state is not None and state.nonce == self.state.nonce and locks.is_held(self.files.lock)


async def join(
    spec: EngineSpec,
    directories: Directories,
    on_state: Callable[[EngineState], None] = lambda state: None,
    timeout: float = _LOAD_SECONDS,
    *,
    lost: str = "",
) -> Joined:
    """The engine of ``spec``, started if need be, once it is ready. ``on_state`` hears of every state on the way.
    ``lost`` is the nonce of an engine that was seen to end: what its file says is not believed any more.

    Raises:
        ModelError: the engine cannot load the model; the message says why.
        RuntimeFolderUnusable: nothing can be written there.
        EngineUnavailable: no engine could be started, or none was ready after ``timeout`` seconds.
    """
    files = RuntimeFiles(directories.runtime, spec.key)
    deadline = time.monotonic() + timeout
    try:
        return await _joined(spec, files, on_state, deadline, lost)
    except OSError as error:
        raise unusable(files.folder, error) from error


async def _joined(
    spec: EngineSpec, files: RuntimeFiles, on_state: Callable[[EngineState], None], deadline: float, lost: str
) -> Joined:
    await asyncio.to_thread(files.prepare)
    state = await _ready(spec, files, on_state, deadline, lost)
    try:
        return Joined(endpoint_of(files, state), state, files)
    except FileNotFoundError as error:
        raise EngineUnavailable(f"the engine of {spec.model_name} left at this moment") from error


def endpoint_of(files: RuntimeFiles, state: EngineState) -> Endpoint:
    """Where the daemon of ``files`` listens. Raises OSError: it has left."""
    return Endpoint(state.address or f"unix:{files.socket}", files.api_key.read_text().strip())


def can_join(directories: Directories, key: str) -> bool:
    """True when the runtime folder can be used for the engine with ``key``."""
    try:
        files = RuntimeFiles(directories.runtime, key)
        files.prepare()
        files.make_room()
    except RuntimeFolderUnusable:
        return False
    return True


def engines(directories: Directories) -> list[EngineState]:
    """The engines of this user that run now, loading ones included."""
    states = [read_state(files.state) for files in runtime_files(directories.runtime) if locks.is_held(files.lock)]
    return [state for state in states if state is not None]


def stop(directories: Directories, key: str | None = None) -> int:
    """Stop all engines of this user, or the one with ``key``; how many there were. Blocks for some seconds at most."""
    chosen = [files for files in runtime_files(directories.runtime) if key in (None, files.key)]
    return sum(_stop(files) for files in chosen if locks.is_held(files.lock))


def kill(joined: Joined) -> None:
    """End an engine that does not answer, unless that process has gone. Blocks for some seconds at most."""
    if joined.alive:
        _stop(joined.files, _NOT_ASKED, joined.state)


async def stop_unused(directories: Directories, key: str | None = None) -> None:
    """Stop the daemon with ``key``, or each one of this user, unless a client is attached to it.

    One that still loads cannot be asked, and is stopped; a server that waits for it starts it again.
    """
    for files in runtime_files(directories.runtime):
        state = read_state(files.state)
        if key not in (None, files.key) or state is None or not locks.is_held(files.lock):
            continue
        if state.phase != "ready":
            await asyncio.to_thread(_stop, files, first=state)
            continue
        with contextlib.suppress(OSError, EngineUnavailable):
            async with session_for(endpoint_of(files, state)) as session:
                if await leave(session):
                    await asyncio.to_thread(_wait_for_end, files)


def _wait_for_end(files: RuntimeFiles) -> None:
    """Until the memory of a daemon that is leaving is free, for some seconds at most."""
    deadline = time.monotonic() + _LEAVE_SECONDS
    while locks.is_held(files.lock) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)


def log_tail(directories: Directories, n_lines: int = 50, key: str | None = None) -> str:
    """The last lines worth reading that the newest engine printed, or the one with ``key``; empty if there are none."""
    logs = [
        files.log for files in runtime_files(directories.runtime) if key in (None, files.key) and files.log.exists()
    ]
    if not logs:
        return ""
    newest = max(logs, key=lambda path: path.stat().st_mtime)
    lines = newest.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(worth_reading(lines)[-n_lines:])


async def _ready(
    spec: EngineSpec, files: RuntimeFiles, on_state: Callable[[EngineState], None], deadline: float, lost: str
) -> EngineState:
    seen: dict[str, EngineState] = {}
    n_starts = 0
    stopped = processes.StoppedClock()
    while time.monotonic() < deadline:
        claim = _claim(files)
        state = read_state(files.state)
        if claim is None:
            if state is not None and seen.get(state.nonce) != state:
                seen[state.nonce] = state
                on_state(state)
            if state is not None and state.phase == "ready" and state.nonce != lost and processes.lives(state.pid):
                return state
            if state is not None and state.phase == "loading" and stopped.seconds(state.pid) > _STOPPED_SECONDS:
                await asyncio.to_thread(_stop, files, _NOT_ASKED, state)
                raise EngineUnavailable(f"the engine of {spec.model_name} was stopped while it loaded, and was ended")
        else:
            try:
                files.make_room()  # first: without room, that is what one died of
                error = _death(files, state, seen)
                if error is None and n_starts == _MAX_STARTS:
                    error = EngineUnavailable(f"the engine of {spec.model_name} ended {_MAX_STARTS} times in a row")
                if error is not None:
                    raise error
            except EngineError:
                claim.close()
                raise
            n_starts += 1
            state = EngineState(secrets.token_hex(8), spec.key, "starting", spec.model_name, spec.model_path)
            seen[state.nonce] = state
            on_state(state)
            await asyncio.to_thread(_start, files, spec, state, claim)
        await asyncio.sleep(_LOOK_SECONDS)
    raise EngineUnavailable(f"the engine of {spec.model_name} was not ready in time")


@dataclass(frozen=True, slots=True)
class _Claim:
    """The right to start an engine."""

    life: locks.LifeLock
    """To be handed to the daemon."""
    starting: locks.LifeLock | None
    """Where that is impossible: keeps others from claiming while the daemon takes the life lock itself."""

    def close(self) -> None:
        self.life.close()
        if self.starting is not None:
            self.starting.close()


def _claim(files: RuntimeFiles) -> _Claim | None:
    """The right to start the engine, or None: it runs, or another process starts it."""
    starting = None if locks.CAN_HAND_OVER else locks.try_life_lock(files.starting)
    if starting is None and not locks.CAN_HAND_OVER:
        return None
    life = locks.try_life_lock(files.lock)
    if life is None:
        if starting is not None:
            starting.close()
        return None
    return _Claim(life, starting)


def _death(files: RuntimeFiles, state: EngineState | None, seen: dict[str, EngineState]) -> EngineError | None:
    """The lock is free: the error of the engine we were waiting for, if it failed or died over its model."""
    if state is None or state.nonce not in seen:
        return None
    if state.phase == "failed":
        return state.error
    if state.phase in ("starting", "loading"):
        words = last_words(files.log)
        return ModelLoadFailed(f"the engine died while it loaded {state.model}" + (f": {words}" if words else ""))
    return None


def _start(files: RuntimeFiles, spec: EngineSpec, state: EngineState, claim: _Claim) -> None:
    """Start the daemon and hand it the life lock. It leaves our session and family at once, so this returns soon.

    Raises:
        EngineUnavailable: it could not be started.
    """
    with contextlib.closing(claim):
        files.clear()
        write_private(files.spec, spec.to_json())
        write_state(files.state, state)
        if spawn(files, state.nonce, claim.life):
            raise EngineUnavailable(f"the engine could not be started: {last_words(files.log)}")


def _stop(
    files: RuntimeFiles, means: Sequence[tuple[bool, float]] = _ASKED_FIRST, first: EngineState | None = None
) -> bool:
    """End the process that holds the life lock now, or that of ``first``; one that a server starts in its place is left alone."""
    first = first or read_state(files.state)
    for by_force, seconds in means:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            lock = locks.try_life_lock(files.lock)
            if lock is not None:
                with lock, contextlib.suppress(OSError):  # where nothing can be written, they stay
                    files.clear()
                return True
            state = read_state(files.state)
            first = first or state
            if first is not None and state is not None and state.nonce != first.nonce:
                return True
            if state is not None:
                _end(files, state, by_force=by_force)
            time.sleep(_LOOK_SECONDS)
    return False


def _end(files: RuntimeFiles, state: EngineState, *, by_force: bool) -> None:
    if state.pid is None or not processes.lives(state.pid):
        return
    if state.phase != "stopping":
        with contextlib.suppress(OSError):  # only told to those who look
            write_state(files.state, replace(state, phase="stopping"))
    processes.end(state.pid, by_force=by_force)
