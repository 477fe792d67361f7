"""The engine's process: llama.cpp's own server on a Unix socket (or on loopback), held until nobody needs it any more.

Started by ``rendezvous`` as ``python -m devstral_ls.engine.host --spec FILE --nonce N [--lock FD]``. It belongs to no
server: it leaves the family of who started it, and says how it is in its state file. Its standard error is its log.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import secrets
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from devstral_ls import __version__
from devstral_ls.engine import locks
from devstral_ls.engine.place import LOOPBACK, Place, uses_tcp
from devstral_ls.engine.processes import TAKE_SECONDS
from devstral_ls.engine.spec import EngineSpec
from devstral_ls.engine.state import EngineState, write_private, write_state
from devstral_ls.errors import (
    EngineError,
    ModelCorrupt,
    ModelError,
    ModelLoadFailed,
    ModelTooBig,
    ModelUnsupported,
)

_LOOK_SECONDS = 1.0
_MAX_LOG_BYTES = 1 << 20

_HTTP_THREADS = 64
"""Every open connection holds one of llama-server's threads: eight servers with a stream and two idle connections each,
and room."""

_VERBOSITY = 2
"""Warnings and errors. From 4 on llama.cpp prints prompts; at 2 it never prints document text."""

_SAYS: tuple[tuple[str, type[ModelError]], ...] = (
    ("not within the file bounds", ModelCorrupt),
    ("corrupt", ModelCorrupt),
    ("failed to open GGUF", ModelCorrupt),
    ("invalid magic", ModelCorrupt),
    ("failed to allocate", ModelTooBig),
    ("unable to allocate", ModelTooBig),
    ("out of memory", ModelTooBig),
    ("unknown model architecture", ModelUnsupported),
    ("unknown pre-tokenizer", ModelUnsupported),
)
"""What llama.cpp's words mean for us; anything else is ``ModelLoadFailed``."""

_REASONS = (
    re.compile(r" E .*error loading model: (.*)"),
    re.compile(r" E .*failed to initialize the context: (.*)"),
    re.compile(r" E \S+\s*(?:\S+: )?(.*)"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the engine; the exit status: 0 left, 1 could not load the model, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="devstral-ls-engine")
    parser.add_argument("--spec", type=Path, required=True, help="the EngineSpec as JSON, in the runtime folder")
    parser.add_argument("--nonce", default="", help="what the state file is to carry")
    parser.add_argument("--lock", type=int, help="descriptor of the life lock; without it, take it")
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
    return _run(spec, place, state)


def _taken(path: Path, seconds: float) -> locks.Lock | None:
    """The lock, or None if somebody has it for ``seconds``: who only looks whether it is held has it for a moment."""
    deadline = time.monotonic() + seconds
    while (lock := locks.try_exclusive(path)) is None and time.monotonic() < deadline:
        time.sleep(0.005)
    return lock


def _run(spec: EngineSpec, place: Place, state: EngineState) -> int:
    write_state(place.state, state)
    try:
        server, state = _load(spec, place, state)
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
    why = _stay(server, place, spec.idle_minutes * 60, leave)
    _log(f"leaving: {why}")
    place.clear()
    os._exit(0)  # llama.cpp's threads are not waited for: they may be in the middle of a long batch


def _load(spec: EngineSpec, place: Place, state: EngineState) -> tuple[Any, EngineState]:
    """The running server, and what is to be said of it.

    Raises:
        ModelError: the model cannot be loaded.
    """
    from devstral_ls.engine import sizing
    from devstral_ls.engine.rates import Rates
    from devstral_ls.models.fit import available_memory
    from devstral_ls.models.gguf import read_header

    header = read_header(Path(spec.model_path))
    xllamacpp = _xllamacpp()
    gpu_free = sum(int(device["memory_free"]) for device in xllamacpp.get_device_info() if "GPU" in device["type"].name)
    cores = sizing.physical_cores()
    threads = sizing.threads_for(spec, cores)
    rate_key = f"{spec.file_key}:{threads}:{spec.gpu_layers if gpu_free else 0}:{xllamacpp.__version__}"
    plan = sizing.plan(
        spec,
        header,
        # A Mac's GPU uses the machine's own memory: it is not to be counted twice.
        sizing.Machine(cores, 0 if gpu_free and sys.platform == "darwin" else available_memory(), gpu_free),
        Rates(Path(spec.rates_file)).get(rate_key),
    )
    state = replace(
        state,
        context_tokens=plan.context_tokens,
        slots=plan.slots,
        threads=plan.threads,
        batch=plan.batch,
        gpu_layers=plan.gpu_layers,
        prefill_rate=plan.prefill_rate,
        rate_key=rate_key,
        bytes_needed=plan.fit.total,
        versions={"devstral-ls": __version__, "xllamacpp": xllamacpp.__version__},
    )
    write_state(place.state, state)
    api_key = secrets.token_urlsafe(32)
    write_private(place.api_key, api_key + "\n")
    place.socket.unlink(missing_ok=True)
    try:
        server = xllamacpp.Server(_parameters(xllamacpp, spec, state, place, api_key))
    except RuntimeError as error:
        raise _load_error(spec, place) from error
    if uses_tcp():
        return server, replace(state, phase="ready", address=server.listening_address)
    place.socket.chmod(0o600)
    return server, replace(state, phase="ready", address=f"unix:{place.socket}")


def _xllamacpp() -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise ModelLoadFailed(
            f"llama.cpp cannot be used: {error}", hint="Install it: `pip install xllamacpp`; see `devstral-ls doctor`."
        ) from error
    return xllamacpp


def _parameters(xllamacpp: Any, spec: EngineSpec, state: EngineState, place: Place, api_key: str) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = spec.model_path
    parameters.hostnames = [LOOPBACK if uses_tcp() else str(place.socket)]
    parameters.port = 0  # any that is free
    parameters.api_keys = [api_key]
    parameters.cors_origins = ""
    parameters.ui = False
    parameters.offline = True
    parameters.endpoint_metrics = True
    parameters.n_threads_http = _HTTP_THREADS
    parameters.verbosity = _VERBOSITY
    # One document's code must never surface in another's suggestion: no cache but the slots' own.
    parameters.cache_ram_mib = 0
    parameters.cache_idle_slots = False
    parameters.kv_unified = False
    parameters.n_parallel = state.slots
    parameters.n_ctx = state.context_tokens * state.slots
    parameters.fit_params = False
    parameters.n_gpu_layers = state.gpu_layers
    parameters.n_batch = parameters.n_ubatch = state.batch
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = state.threads
    return parameters


def _load_error(spec: EngineSpec, place: Place) -> ModelError:
    """What llama.cpp printed, as the error it means."""
    time.sleep(0.1)  # its log has a thread of its own
    text = place.log.read_text(encoding="utf-8", errors="replace") if place.log.exists() else ""
    said = next((match[1].strip() for reason in _REASONS if (match := reason.search(text))), "it does not say why")
    kind = next((kind for words, kind in _SAYS if words in said), ModelLoadFailed)
    return kind(f"llama.cpp cannot load {spec.model_path!r}: {said}")


def _stay(server: Any, place: Place, idle_seconds: float, leave: threading.Event) -> str:
    """Until told to leave, our files are gone, or nobody was there for ``idle_seconds``; which of them."""
    alone_since = time.monotonic()
    mark = place.api_key if uses_tcp() else place.socket
    while not leave.wait(min(_LOOK_SECONDS, max(idle_seconds / 4, 0.05))):
        _trim_log()
        if not (mark.exists() and place.lock.exists()):
            return f"{mark.name} or the lock is gone"
        alone = locks.try_exclusive(place.clients)
        if alone is None or _busy(server):
            alone_since = time.monotonic()
        elif time.monotonic() - alone_since >= idle_seconds:
            return "nobody is connected"  # `alone` stays locked: who wants to join waits until we are gone
        if alone is not None:
            alone.close()
    return "told to"


def _busy(server: Any) -> bool:
    """Does any request run or wait?"""
    counts = re.findall(r"^llamacpp:requests_(?:processing|deferred) (\S+)", server.handle_metrics(), re.MULTILINE)
    return any(float(count) > 0 for count in counts)


def _log(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
    sys.stderr.flush()


def _trim_log() -> None:
    with contextlib.suppress(OSError):
        if os.fstat(2).st_size > _MAX_LOG_BYTES:
            os.ftruncate(2, 0)


if __name__ == "__main__":
    sys.exit(main())
