"""Find the engine of a model or start it: one process, however many servers race.

Who gets the life lock starts the host and hands the lock to it; the kernel gives it back when the host dies. The others
wait for what the state file says. A server's own lease tells the engine that somebody is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from devstral_ls.engine import locks, processes
from devstral_ls.engine.backends import HOSTS, backend_of
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.place import Place, places, unusable
from devstral_ls.engine.spec import EngineSpec
from devstral_ls.engine.state import EngineState, read_state, write_private, write_state
from devstral_ls.errors import EngineError, EngineUnavailable, ModelLoadFailed, RuntimeFolderUnusable
from devstral_ls.platform.paths import Directories

_LOOK_SECONDS = 0.05
"""Between two looks at the state file while an engine starts."""

_LOAD_SECONDS = 900.0
"""The longest start: tens of gigabytes from a slow disk."""

_STOPPED_SECONDS = 5.0
"""An engine that is stopped by a signal for so long while it loads is ended, and loaded anew."""

_MAX_STARTS = 3
"""How often one ``join`` starts an engine that is stopped or dies as soon as it is ready."""

_SMALL_TALK = re.compile(r"^\d+\.[\d.]+ [DIW] |send_error|launch slot|ready: EngineState")

_NOT_ASKED = ((True, 3.0),)
_ASKED_FIRST = ((False, 3.0), *_NOT_ASKED)
"""How an engine is ended: by force or not, and the seconds each is given."""


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
    place = Place(directories.runtime, spec.key)
    deadline = time.monotonic() + timeout
    try:
        return await _joined(spec, place, on_state, deadline, lost)
    except OSError as error:
        raise unusable(place.folder, error) from error


async def _joined(
    spec: EngineSpec, place: Place, on_state: Callable[[EngineState], None], deadline: float, lost: str
) -> Joined:
    await asyncio.to_thread(place.prepare)
    lease = await _lease(place, deadline)
    try:
        state = await _ready(spec, place, on_state, deadline, lost)
        endpoint = Endpoint(state.address or f"unix:{place.socket}", place.api_key.read_text().strip())
    except FileNotFoundError as error:
        lease.close()
        raise EngineUnavailable(f"the engine of {spec.model_name} left at this moment") from error
    except BaseException:
        lease.close()
        raise
    return Joined(endpoint, state, place, lease)


def can_join(directories: Directories, key: str) -> bool:
    """Can the runtime folder be used, for the engine with ``key``?"""
    try:
        place = Place(directories.runtime, key)
        place.prepare()
        place.make_room()
    except RuntimeFolderUnusable:
        return False
    return True


def engines(directories: Directories) -> list[EngineState]:
    """The engines of this user that run now, loading ones included."""
    states = [read_state(place.state) for place in places(directories.runtime) if locks.is_held(place.lock)]
    return [state for state in states if state is not None]


def stop(directories: Directories, key: str | None = None) -> int:
    """Stop all engines of this user, or the one with ``key``; how many there were. Blocks for some seconds at most."""
    chosen = [place for place in places(directories.runtime) if key in (None, place.key)]
    return sum(_stop(place) for place in chosen if locks.is_held(place.lock))


def kill(joined: Joined) -> None:
    """End an engine that does not answer, unless that process has gone. Blocks for some seconds at most."""
    if joined.alive:
        _stop(joined.place, _NOT_ASKED, joined.state)


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
    spec: EngineSpec, place: Place, on_state: Callable[[EngineState], None], deadline: float, lost: str
) -> EngineState:
    seen: dict[str, EngineState] = {}
    n_starts = 0
    stopped = processes.Stopped()
    while time.monotonic() < deadline:
        claim = _claim(place)
        state = read_state(place.state)
        if claim is None:
            if state is not None and seen.get(state.nonce) != state:
                seen[state.nonce] = state
                on_state(state)
            if state is not None and state.phase == "ready" and state.nonce != lost and processes.lives(state.pid):
                return state
            if state is not None and state.phase == "loading" and stopped.seconds(state.pid) > _STOPPED_SECONDS:
                await asyncio.to_thread(_stop, place, _NOT_ASKED, state)
                raise EngineUnavailable(f"the engine of {spec.model_name} was stopped while it loaded, and was ended")
        else:
            try:
                place.make_room()  # first: without room, that is what one died of
                error = _death(place, state, seen)
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
            await asyncio.to_thread(_start, place, spec, state, claim)
        await asyncio.sleep(_LOOK_SECONDS)
    raise EngineUnavailable(f"the engine of {spec.model_name} was not ready in time")


@dataclass(frozen=True, slots=True)
class _Claim:
    """The right to start an engine."""

    life: locks.Lock
    """To be handed to the host."""
    starting: locks.Lock | None
    """Where that is impossible: keeps others from claiming while the host takes the life lock itself."""

    def close(self) -> None:
        self.life.close()
        if self.starting is not None:
            self.starting.close()


def _claim(place: Place) -> _Claim | None:
    """The right to start the engine, or None: it runs, or somebody starts it."""
    starting = None if locks.WAY.inherited else locks.try_exclusive(place.starting)
    if starting is None and not locks.WAY.inherited:
        return None
    life = locks.try_exclusive(place.lock)
    if life is None:
        if starting is not None:
            starting.close()
        return None
    return _Claim(life, starting)


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


def _start(place: Place, spec: EngineSpec, state: EngineState, claim: _Claim) -> None:
    """Start the host and hand it the life lock. It leaves our session and family at once, so this returns soon.

    Raises:
        EngineUnavailable: the host could not be started.
    """
    with contextlib.closing(claim):
        place.clear()
        write_private(place.spec, spec.to_json())
        write_state(place.state, state)
        if processes.spawn(place, state.nonce, claim.life, HOSTS[backend_of(spec)]):
            raise EngineUnavailable(f"the engine could not be started: {last_words(place.log)}")


def _stop(place: Place, means: Sequence[tuple[bool, float]] = _ASKED_FIRST, first: EngineState | None = None) -> bool:
    """End the process that holds the life lock now, or that of ``first``; one that a server starts in its place is left alone."""
    first = first or read_state(place.state)
    for by_force, seconds in means:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            lock = locks.try_exclusive(place.lock)
            if lock is not None:
                with lock, contextlib.suppress(OSError):  # where nothing can be written, they stay
                    place.clear()
                return True
            state = read_state(place.state)
            first = first or state
            if first is not None and state is not None and state.nonce != first.nonce:
                return True
            if state is not None:
                _end(place, state, by_force=by_force)
            time.sleep(_LOOK_SECONDS)
    return False


def _end(place: Place, state: EngineState, *, by_force: bool) -> None:
    if state.pid is None or not processes.lives(state.pid):
        return
    if state.phase != "stopping":
        with contextlib.suppress(OSError):  # only said to those who look
            write_state(place.state, replace(state, phase="stopping"))
    processes.end(state.pid, by_force=by_force)
