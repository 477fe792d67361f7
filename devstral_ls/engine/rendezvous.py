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
from devstral_ls.engine.runtime_dir import RuntimeFiles, check_folder, runtime_files, unusable
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

_PUZZLED_SECONDS = 8.0
"""A process holds the life lock, and the state file does not say which: it is waited for so long. The daemon mends the
file within a second once it is ready; while it loads it cannot."""

_MAX_STARTS = 3
"""How often one ``join`` starts an engine that is stopped or dies as soon as it is ready."""

_DAMAGED = "`devstral-ls engine stop` ends it; it is started again when needed."

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
    """The engines of this user that run now, loading ones included.

    Raises:
        RuntimeFolderUnusable: another user could have written what is there.
    """
    states = [read_state(files.state) for files in _trusted(directories) if locks.is_held(files.lock)]
    return [state for state in states if state is not None]


@dataclass(frozen=True, slots=True)
class Stop:
    """What became of one engine that was to be stopped."""

    model: str
    pid: int | None
    """None where no process could be found."""
    stopped: bool


def stop_each(directories: Directories) -> list[Stop]:
    """Stop all engines of this user; what became of each that ran. Blocks for some seconds at most. Raises as ``stop``."""
    ends = []
    for files in _trusted(directories):
        if locks.is_held(files.lock):
            state = read_state(files.state)
            pid = _holder(files, state)
            ends.append(Stop(state.model if state is not None else files.key, pid, _stop(files, first=state)))
    return ends


def stop(directories: Directories, key: str | None = None) -> int:
    """Stop all engines of this user, or the one with ``key``; how many there were. Blocks for some seconds at most.

    Raises:
        RuntimeFolderUnusable: another user could have written what is there.
    """
    chosen = [files for files in _trusted(directories) if key in (None, files.key)]
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


def _trusted(directories: Directories) -> list[RuntimeFiles]:
    """The engines of the runtime folder, unless another user could have written there."""
    return runtime_files(directories.runtime) if check_folder(directories.runtime) else []


def _wait_for_end(files: RuntimeFiles) -> None:
    """Until the memory of a daemon that is leaving is free, for some seconds at most."""
    deadline = time.monotonic() + _LEAVE_SECONDS
    while locks.is_held(files.lock) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)


def log_tail(directories: Directories, n_lines: int = 50, key: str | None = None) -> str:
    """The last lines worth reading that the newest engine printed, or the one with ``key``; empty if there are none.

    Raises as ``stop``.
    """
    logs = [files.log for files in _trusted(directories) if key in (None, files.key) and files.log.exists()]
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
    known = time.monotonic()
    while time.monotonic() < deadline:
        claim = _claim(files)
        state = read_state(files.state)
        if claim is not None or _is_sound(state):
            known = time.monotonic()
        elif time.monotonic() - known > _PUZZLED_SECONDS:
            raise EngineUnavailable(
                f"an engine of {spec.model_name} runs, but its state file is damaged", hint=_DAMAGED
            )
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


def _is_sound(state: EngineState | None) -> bool:
    """True when the state is one that a living process has written, or is about to replace."""
    return state is not None and (state.phase == "starting" or processes.lives(state.pid))


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
            _end(files, state, by_force=by_force)
            time.sleep(_LOOK_SECONDS)
    return False


def _end(files: RuntimeFiles, state: EngineState | None, *, by_force: bool) -> None:
    pid = _holder(files, state)
    if pid is None or not processes.lives(pid):
        return
    if state is not None and state.phase != "stopping":
        with contextlib.suppress(OSError):  # only told to those who look
            write_state(files.state, replace(state, phase="stopping"))
    processes.end(pid, by_force=by_force)


def _holder(files: RuntimeFiles, state: EngineState | None) -> int | None:
    """The process that holds the life lock, if it can be told: the one that the state file names, when it has the lock
    file open, else the daemon that was started for these files. A damaged file must not have another process ended.
    """
    if state is not None and state.pid is not None and processes.has_open(state.pid, files.lock):
        return state.pid
    started = [pid for pid in processes.with_argument(str(files.spec)) if processes.has_open(pid, files.lock)]
    return started[0] if started else None
