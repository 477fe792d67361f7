"""The life of the daemon's process: its lock, its state file, how it loads the model, how long it stays and when it leaves.

It belongs to no language server: it leaves the family of the process that started it, and says how it is in its state
file, for nothing listens while a model loads. Its standard error is its log.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import secrets
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from devstral_ls.engine.daemon.app import App
from devstral_ls.engine.daemon.backend_engine import BackendEngine, queue_for, silence_of
from devstral_ls.engine.daemon.backends.backend import Backend, BackendInfo
from devstral_ls.engine.daemon.backends.table import backend_for
from devstral_ls.engine.daemon.metrics import Metrics
from devstral_ls.engine.daemon.neighbours import Neighbours
from devstral_ls.engine.runtime_dir import RuntimeFiles, uses_tcp
from devstral_ls.engine.spec import EngineSpec
from devstral_ls.engine.start import TAKE_SECONDS
from devstral_ls.engine.state import EngineState, read_state, write_private, write_state
from devstral_ls.engine.tuning.calibration import calibration_file
from devstral_ls.engine.tuning.rates import Rates
from devstral_ls.errors import EngineError
from devstral_ls.platform import locks

_LOOK_SECONDS = 1.0
"""Between two looks whether the files are still there, and whether any client is."""

_MAX_LOG_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """The daemon's files, as long as the lock beside them is the one it holds: the folder may be removed, and made anew
    by others.
    """

    files: RuntimeFiles
    lock: locks.LifeLock

    @property
    def are_ours(self) -> bool:
        """True while the lock file has not been replaced."""
        return self.lock.is_at(self.files.lock)

    def marks(self) -> dict[Path, tuple[int, int] | None]:
        """What tells each file from another of the same name."""
        names = (self.files.api_key, self.files.socket, self.files.backend_socket)
        return {path: _mark(path) for path in names if path.exists()}

    def clear(self) -> None:
        """Leave no file behind, and touch none of another daemon's."""
        if self.are_ours:
            with contextlib.suppress(OSError):
                self.files.clear()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the daemon; the exit status: 0 left, 1 could not load the model, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="devstral-ls-engine")
    parser.add_argument("--spec", type=Path, required=True, help="the EngineSpec as JSON, in the runtime folder")
    parser.add_argument("--nonce", default="", help="what the state file is to carry")
    parser.add_argument("--lock", type=int, help="descriptor of the life lock; without it, take it and stay in front")
    options = parser.parse_args(arguments)
    spec = EngineSpec.from_json(options.spec.read_text(encoding="utf-8"))
    files = RuntimeFiles(options.spec.absolute().parent, spec.key)
    if options.lock is not None:
        if os.fork():
            os._exit(0)
        lock: locks.LifeLock | None = locks.LifeLock(options.lock)
    else:
        files.prepare()
        lock = _take(files.lock, TAKE_SECONDS if options.nonce else 0.0)
    if lock is None:
        return 0  # another process is the daemon
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
    try:
        return asyncio.run(_live(spec, OwnFiles(files, lock), state))
    except OSError as error:
        _log(f"the runtime folder cannot be used: {error}")
        return 1


def _take(path: Path, seconds: float) -> locks.LifeLock | None:
    """The life lock, or None if it is not free for ``seconds``: a process that looks whether it is held has it for a moment."""
    deadline = time.monotonic() + seconds
    while (lock := locks.try_life_lock(path)) is None and time.monotonic() < deadline:
        time.sleep(0.005)
    return lock


async def _live(spec: EngineSpec, own: OwnFiles, state: EngineState) -> int:
    """Load the model, answer, and leave."""
    files = own.files
    write_state(files.state, state)
    backend = backend_for(spec, files.folder)
    try:
        await backend.start()
    except EngineError as error:
        write_state(
            files.state, replace(state, phase="failed", message=error.message, hint=error.hint, code=error.code)
        )
        _log(f"failed: {error.message}")
        return 1
    state = _with_info(state, backend.info, on_processor=backend.capabilities.is_shared_processor)
    leave = asyncio.Event()
    # Not before now: llama.cpp sets handlers of its own.
    for sign in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows ends processes without a word
            asyncio.get_running_loop().add_signal_handler(sign, leave.set)
    metrics, app, neighbours = _parts(spec, backend, files, state, leave)
    address = await app.listen(None if uses_tcp() else files.socket)
    marks = own.marks()  # before a client may know of them
    state = replace(state, phase="ready", address=address)
    write_state(files.state, state)
    _log(f"ready: {state.model}, {state.slots} slots of {state.context_tokens} tokens, process {state.pid}")
    neighbours.meet(files)
    why = await _stay(app, own, marks, state, metrics, spec.idle_minutes * 60, leave)
    _log(f"leaving: {why}")
    metrics.remember(at_once=True)
    own.clear()
    os._exit(0)  # the model's threads are not waited for: they may be in the middle of a long batch


def _parts(
    spec: EngineSpec, backend: Backend, files: RuntimeFiles, state: EngineState, leave: asyncio.Event
) -> tuple[Metrics, App, Neighbours]:
    """What stands between the socket and the started ``backend``."""
    api_key = secrets.token_urlsafe(32)
    write_private(files.api_key, api_key + "\n")
    rates_file = Path(spec.rates_file)
    queue = queue_for(backend)
    info = backend.info
    calibration = calibration_file(rates_file.parent, info.rate_key) if info.rate_key else None
    metrics = Metrics(info, queue, Rates(rates_file), calibration)
    generator = BackendEngine(backend, queue, silence=silence_of(info), on_usage=metrics.add)
    neighbours = Neighbours(queue, on_processor=state.on_processor)
    return metrics, App(generator, metrics, neighbours, api_key, leave.set), neighbours


def _with_info(state: EngineState, info: BackendInfo, *, on_processor: bool) -> EngineState:
    """``state`` with what the backend says of itself."""
    return replace(
        state,
        context_tokens=info.context_tokens,
        slots=info.slots,
        threads=info.threads,
        batch=info.batch,
        gpu_layers=info.gpu_layers,
        prefill_rate=info.prefill_rate,
        rate_key=info.rate_key,
        kv_type=info.kv_type,
        bytes_needed=info.bytes_needed,
        versions=dict(info.versions),
        on_processor=on_processor,
        software=info.software,
    )


async def _stay(
    app: App,
    own: OwnFiles,
    marks: Mapping[Path, tuple[int, int] | None],
    state: EngineState,
    metrics: Metrics,
    idle_seconds: float,
    leave: asyncio.Event,
) -> str:
    """Until told to leave, a file is gone or replaced, or no client was attached for ``idle_seconds``; which of them."""
    used = time.monotonic()
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(_LOOK_SECONDS, max(idle_seconds / 4, 0.05))):
                await leave.wait()
                return "told to"
        _trim_log()
        metrics.remember()
        if not (own.are_ours and all(_mark(path) == mark for path, mark in marks.items())):
            return "a file of ours is gone, or another is in its place"
        _rewrite_state(own, state)
        if app.n_attached or metrics.is_busy:
            used = time.monotonic()
        elif time.monotonic() - used >= idle_seconds:
            return "no client is connected"


def _mark(path: Path) -> tuple[int, int] | None:
    """What tells a file from another of the same name; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _rewrite_state(own: OwnFiles, state: EngineState) -> None:
    """Write the state file anew where it cannot be read: no one could join, or tell this process by it."""
    if read_state(own.files.state) is None:
        with contextlib.suppress(OSError):
            write_state(own.files.state, state)
            _log("the state file was damaged, and is written anew")


def _log(line: str) -> None:
    with contextlib.suppress(OSError):  # a full disk takes the log, not the engine
        sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
        sys.stderr.flush()


def _trim_log() -> None:
    with contextlib.suppress(OSError):
        if os.fstat(2).st_size > _MAX_LOG_BYTES:
            os.ftruncate(2, 0)
