"""The engine's process with llama.cpp: its own server on a Unix socket or on loopback. Life and end are in ``life``."""

from __future__ import annotations

import json
import re
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from devstral_ls import __version__
from devstral_ls.engine import life
from devstral_ls.engine.place import LOOPBACK, Place, uses_tcp
from devstral_ls.engine.spec import EngineSpec
from devstral_ls.engine.state import EngineState, write_private, write_state
from devstral_ls.errors import (
    ModelCorrupt,
    ModelError,
    ModelLoadFailed,
    ModelTooBig,
    ModelUnsupported,
)

_HTTP_THREADS = 64
"""Every open connection holds one of llama-server's threads: eight servers with a stream and two idle connections each,
and room."""

_VERBOSITY = 2
"""Warnings and errors. From 4 on llama.cpp prints prompts; at 2 it never prints document text."""

_NGRAM, _DRAFT = 8, 16
"""Where the last ``_NGRAM`` tokens were in the context before, the ``_DRAFT`` tokens behind them are tried at once: a
rewrite repeats most of its input. Each slot looks at its own tokens only; llama.cpp's other way (ngram-mod) keeps one
table for all slots, and so for all documents. A draft that is wrong costs one batch of this size."""

_MIN_DRAFT = 4
"""Fewer tokens gain nothing."""

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


class _Server:
    """llama.cpp's server, running."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def busy(self) -> bool:
        """Does any request run or wait?"""
        metrics = self._server.handle_metrics()
        counts = re.findall(r"^llamacpp:requests_(?:processing|deferred) (\S+)", metrics, re.MULTILINE)
        return any(float(count) > 0 for count in counts)


def _load(spec: EngineSpec, place: Place, state: EngineState) -> tuple[_Server, EngineState]:
    """The running server, and what is to be said of it.

    Raises:
        ModelError: the model cannot be loaded.
    """
    from devstral_ls.engine import sizing
    from devstral_ls.engine.calibrated import calibration_file, read_calibrated
    from devstral_ls.engine.rates import Rates
    from devstral_ls.models.gguf.header import read_header
    from devstral_ls.models.memory import available_memory

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
        read_calibrated(calibration_file(Path(spec.rates_file).parent, rate_key)),
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
        kv_type=plan.kv_type,
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
        return _Server(server), replace(state, phase="ready", address=server.listening_address)
    place.socket.chmod(0o600)
    return _Server(server), replace(state, phase="ready", address=f"unix:{place.socket}")


def print_devices() -> None:
    """Print what llama.cpp sees as JSON, for ``devices``, which calls this in a process of its own."""
    found = [
        {
            "name": str(device["name"]),
            "description": str(device["description"]),
            "kind": device["type"].name.removeprefix("GGML_BACKEND_DEVICE_TYPE_"),
            "free": int(device["memory_free"]),
            "total": int(device["memory_total"]),
        }
        for device in _xllamacpp().get_device_info()
    ]
    sys.stdout.write(json.dumps(found) + "\n")


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
    kv_type = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{state.kv_type.upper()}")
    parameters.cache_type_k = parameters.cache_type_v = kv_type
    parameters.fit_params = False
    parameters.n_gpu_layers = state.gpu_layers
    parameters.n_batch = parameters.n_ubatch = state.batch
    if n_draft := draft_tokens(state.batch, state.slots):
        parameters.speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
        parameters.speculative.ngram_simple.size_n = _NGRAM
        parameters.speculative.ngram_simple.size_m = n_draft
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = state.threads
    return parameters


def draft_tokens(batch: int, slots: int) -> int:
    """Tokens to try at once; 0: speculation is off.

    llama.cpp ends the process when the drafts of all slots, with a token each, do not fit into one batch.
    """
    n_draft = min(_DRAFT, batch // max(slots, 1) - 1)
    return n_draft if n_draft >= _MIN_DRAFT else 0


def _load_error(spec: EngineSpec, place: Place) -> ModelError:
    """What llama.cpp printed, as the error it means."""
    time.sleep(0.1)  # its log has a thread of its own
    text = place.log.read_text(encoding="utf-8", errors="replace") if place.log.exists() else ""
    said = next((match[1].strip() for reason in _REASONS if (match := reason.search(text))), "it does not say why")
    kind = next((kind for words, kind in _SAYS if words in said), ModelLoadFailed)
    return kind(f"llama.cpp cannot load {spec.model_path!r}: {said}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the engine; the exit status is that of ``life.main``."""
    return life.main(_load, arguments)


if __name__ == "__main__":
    sys.exit(main())
