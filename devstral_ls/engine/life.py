"""The life of an engine's process, whatever library it runs: its lock, its state file, how it waits and when it leaves.

A host module says how its model is loaded and calls ``main``. Started by ``rendezvous`` as
``python -m devstral_ls.engine.HOST --spec FILE --nonce N --lock FD``. It belongs to no server: it leaves the family of
who started it, and says how it is in its state file. Its standard error is its log.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from devstral_ls.engine import locks
from devstral_ls.engine.place import Place, uses_tcp
from devstral_ls.engine.processes import TAKE_SECONDS
from devstral_ls.engine.spec import EngineSpec
from devstral_ls.engine.state import EngineState, write_state
from devstral_ls.errors import EngineError

_LOOK_SECONDS = 1.0
_MAX_LOG_BYTES = 1 << 20


class Running(Protocol):
    """A loaded model that answers on its socket."""

    def busy(self) -> bool:
        """Does any request run or wait?"""
        ...


@dataclass(frozen=True, slots=True)
class _Own:
    """Our files, as long as the lock beside them is the one we hold: the folder may be removed, and made anew by others."""

    place: Place
    lock: locks.Lock

    @property
    def ours(self) -> bool:
        return self.lock.is_at(self.place.lock)

    def clear(self) -> None:
        """Leave no file behind, and touch none of another engine's."""
        if self.ours:
            with contextlib.suppress(OSError):
                self.place.clear()


Load = Callable[[EngineSpec, Place, EngineState], tuple[Running, EngineState]]
"""Loads the model and begins to answer: what runs, and the state with phase ``ready``. Raises EngineError."""


def main(load: Load, arguments: Sequence[str] | None = None) -> int:
    """Run the engine whose model ``load`` loads; the exit status: 0 left, 1 could not load the model, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="devstral-ls-engine")
    parser.add_argument("--spec", type=Path, required=True, help="the EngineSpec as JSON, in the runtime folder")
    parser.add_argument("--nonce", default="", help="what the state file is to carry")
    parser.add_argument("--lock", type=int, help="descriptor of the life lock; without it, take it and stay in front")
    options = parser.parse_args(arguments)
    spec = EngineSpec.from_json(options.spec.read_text(encoding="utf-8"))
    place = Place(options.spec.absolute().parent, spec.key)
    if options.lock is not None:
        if os.fork():
            os._exit(0)
        lock: locks.Lock | None = locks.Lock(options.lock)
    else:
        place.prepare()
        lock = _taken(place.lock, TAKE_SECONDS if options.nonce else 0.0)
    if lock is None:
        return 0  # somebody else is the engine
    os.umask(0o077)
    state = EngineState(
        nonce=options.nonce or secrets.token_hex(8),
        key=spec.key,
        phase="loading",
        model=spec.model_name,
        path=spec.model_path,
        pid=os.getpid(),
        started=time.time(),
    )
    return _run(load, spec, _Own(place, lock), state)


def _taken(path: Path, seconds: float) -> locks.Lock | None:
    """The lock, or None if somebody has it for ``seconds``: who only looks whether it is held has it for a moment."""
    deadline = time.monotonic() + seconds
    while (lock := locks.try_exclusive(path)) is None and time.monotonic() < deadline:
        time.sleep(0.005)
    return lock


def _run(load: Load, spec: EngineSpec, own: _Own, state: EngineState) -> int:
    try:
        return _live(load, spec, own, state)
    except OSError as error:
        _log(f"the runtime folder cannot be used: {error}")
        return 1


def _live(load: Load, spec: EngineSpec, own: _Own, state: EngineState) -> int:
    place = own.place
    write_state(place.state, state)
    try:
        running, state = load(spec, place, state)
    except EngineError as error:
        failed = replace(state, phase="failed", message=error.message, hint=error.hint, code=error.code)
        write_state(place.state, failed)
        _log(f"failed: {error.message}")
        return 1
    leave = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: leave.set())
    write_state(place.state, state)
    _log(f"ready: {state}")
    why = _stay(running, own, spec.idle_minutes * 60, leave)
    _log(f"leaving: {why}")
    own.clear()
    os._exit(0)  # the model's threads are not waited for: they may be in the middle of a long batch


def _stay(running: Running, own: _Own, idle_seconds: float, leave: threading.Event) -> str:
    """Until told to leave, our files are gone, or nobody was there for ``idle_seconds``; which of them."""
    alone_since = time.monotonic()
    place = own.place
    mark = place.api_key if uses_tcp() else place.socket
    while not leave.wait(min(_LOOK_SECONDS, max(idle_seconds / 4, 0.05))):
        _trim_log()
        if not (mark.exists() and own.ours):
            return f"{mark.name} or the lock is gone"
        alone = _alone(place)
        if alone is None or running.busy():
            alone_since = time.monotonic()
        elif time.monotonic() - alone_since >= idle_seconds:
            return "nobody is connected"  # `alone` stays locked: who wants to join waits until we are gone
        if alone is not None:
            alone.close()
    return "told to"


def _alone(place: Place) -> locks.Lock | None:
    """The clients' lock, if nobody has it; where the file cannot be opened, nobody can say that we are alone."""
    with contextlib.suppress(OSError):
        return locks.try_exclusive(place.clients)
    return None


def _log(line: str) -> None:
    with contextlib.suppress(OSError):  # a full disk takes the log, not the engine
        sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
        sys.stderr.flush()


def _trim_log() -> None:
    with contextlib.suppress(OSError):
        if os.fstat(2).st_size > _MAX_LOG_BYTES:
            os.ftruncate(2, 0)
