"""llama.cpp in the daemon's process (xllamacpp): its own server behind a socket that only the daemon knows.

Its server also takes requests as calls in the process. That was measured, and saves 1 to 2 ms a request; but it has no
call for the tokenizer, a thread for each request, and another shape of events. The socket is the API that any
``llama-server`` has. See ``docs/decisions/0006-the-daemon.md``.
"""

from __future__ import annotations

import re
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from devstral_ls import __version__
from devstral_ls.engine.daemon.backends.backend import (
    BackendInfo,
    BackendRequest,
    Capabilities,
    Event,
)
from devstral_ls.engine.daemon.backends.llama_library import load_xllamacpp
from devstral_ls.engine.daemon.backends.llama_server_client import LlamaServerClient
from devstral_ls.engine.endpoint import Endpoint
from devstral_ls.engine.model_info import reserved_tokens
from devstral_ls.engine.runtime_dir import LOOPBACK, RuntimeFiles, uses_tcp
from devstral_ls.engine.spec import EngineSpec
from devstral_ls.engine.tuning import sizing
from devstral_ls.engine.tuning.calibration import calibration_file, read_calibrated
from devstral_ls.engine.tuning.rates import Rates
from devstral_ls.errors import (
    EngineUnavailable,
    ModelCorrupt,
    ModelError,
    ModelLoadFailed,
    ModelTooBig,
    ModelUnsupported,
)
from devstral_ls.models.families.table import bos_token
from devstral_ls.models.gguf.header import GgufHeader, read_header
from devstral_ls.models.memory import available_memory

_HTTP_THREADS = 16
"""Every open connection holds one of llama-server's threads: a stream for each slot, those that were left and end with
the batch, a tokenizer, and room."""

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


class LlamaCpp:
    """The ``Backend`` for GGUF files on this machine."""

    def __init__(self, spec: EngineSpec, folder: Path) -> None:
        """``folder`` is the runtime folder, where llama.cpp's socket and log are."""
        self._spec = spec
        self._files = RuntimeFiles(folder, spec.key)
        self._capabilities = Capabilities(has_slots=True, resumable=True, logprobs=True, is_shared_processor=True)
        self._info: BackendInfo | None = None
        self._server: Any = None
        self._client: LlamaServerClient | None = None

    @property
    def capabilities(self) -> Capabilities:
        """See ``Backend``."""
        return self._capabilities

    @property
    def info(self) -> BackendInfo:
        """See ``Backend``."""
        if self._info is None:
            raise RuntimeError("not started")
        return self._info

    async def start(self) -> None:
        """Load the model. The library holds Python's lock meanwhile.

        Raises:
            ModelError: it cannot be loaded.
        """
        header = read_header(Path(self._spec.model_path))
        xllamacpp = load_xllamacpp()
        self._info = info = _plan(xllamacpp, self._spec, header)
        self._capabilities = replace(self._capabilities, is_shared_processor=info.gpu_layers != -1)
        key = secrets.token_urlsafe(32)
        socket = self._files.backend_socket
        socket.unlink(missing_ok=True)
        try:
            self._server = xllamacpp.Server(_parameters(xllamacpp, self._spec, info, socket, key))
        except RuntimeError as error:
            raise _load_error(self._spec, self._files) from error
        if not uses_tcp():
            socket.chmod(0o600)
        address = self._server.listening_address if uses_tcp() else f"unix:{socket}"
        self._client = LlamaServerClient(Endpoint(address, key))

    async def stop(self) -> None:
        """Close the connections. The model's threads end with the process: they may be in a long batch."""
        if self._client is not None:
            await self._client.aclose()

    async def tokenize(self, text: str, *, parse_special: bool = False) -> list[int]:
        """See ``Backend``."""
        return await self._connection.tokenize(text, parse_special=parse_special)

    def stream(self, request: BackendRequest) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """See ``Backend``."""
        return self._connection.stream(request)

    async def progress(self) -> str | None:
        """See ``Backend``."""
        return await self._connection.progress()

    @property
    def _connection(self) -> LlamaServerClient:
        if self._client is None:
            raise EngineUnavailable("llama.cpp is not started")
        return self._client


def _plan(xllamacpp: Any, spec: EngineSpec, header: GgufHeader) -> BackendInfo:
    """The numbers to run with, and what the header says of the vocabulary.

    Raises:
        ModelTooBig: it does not fit.
    """
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
    return BackendInfo(
        software=f"llama.cpp (xllamacpp {xllamacpp.__version__})",
        context_tokens=plan.context_tokens,
        slots=plan.slots,
        bos=bos_token(header),
        specials=header.control_tokens,
        reserved=reserved_tokens(header),
        space_prefix=header.add_space_prefix,
        batch=plan.batch,
        threads=plan.threads,
        gpu_layers=plan.gpu_layers,
        prefill_rate=plan.prefill_rate,
        rate_key=rate_key,
        kv_type=plan.kv_type,
        bytes_needed=plan.fit.total,
        versions={"devstral-ls": __version__, "xllamacpp": xllamacpp.__version__},
    )


def _parameters(xllamacpp: Any, spec: EngineSpec, info: BackendInfo, socket: Path, api_key: str) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = spec.model_path
    parameters.hostnames = [LOOPBACK if uses_tcp() else str(socket)]
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
    parameters.n_parallel = info.slots
    parameters.n_ctx = info.context_tokens * info.slots
    kv_type = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{info.kv_type.upper()}")
    parameters.cache_type_k = parameters.cache_type_v = kv_type
    parameters.fit_params = False
    parameters.n_gpu_layers = info.gpu_layers
    parameters.n_batch = parameters.n_ubatch = info.batch
    if n_draft := draft_tokens(info.batch, info.slots):
        parameters.speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
        parameters.speculative.ngram_simple.size_n = _NGRAM
        parameters.speculative.ngram_simple.size_m = n_draft
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = info.threads
    return parameters


def draft_tokens(batch: int, slots: int) -> int:
    """Tokens to try at once; 0: speculation is off.

    llama.cpp ends the process when the drafts of all slots, with a token each, do not fit into one batch.
    """
    n_draft = min(_DRAFT, batch // max(slots, 1) - 1)
    return n_draft if n_draft >= _MIN_DRAFT else 0


def _load_error(spec: EngineSpec, files: RuntimeFiles) -> ModelError:
    """What llama.cpp printed, as the error it means."""
    time.sleep(0.1)  # its log has a thread of its own
    text = files.log.read_text(encoding="utf-8", errors="replace") if files.log.exists() else ""
    said = next((match[1].strip() for reason in _REASONS if (match := reason.search(text))), "it does not say why")
    kind = next((kind for words, kind in _SAYS if words in said), ModelLoadFailed)
    return kind(f"llama.cpp cannot load {spec.model_path!r}: {said}")
