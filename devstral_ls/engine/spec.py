"""What an engine is asked to be: the model file, and the parameters that make two engines different."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from devstral_ls.engine.daemon.backends.remote.options import RemoteOptions
from devstral_ls.errors import ModelNotFound
from devstral_ls.platform.paths import Directories
from devstral_ls.settings.tree import Settings

Auto = int | Literal["auto"]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The user's wishes, from the ``model`` and ``engine`` settings."""

    model: str = "auto"
    """A catalog name, a path, or ``auto``: the best installed one."""
    context_tokens: Auto = "auto"
    """Per slot: what one request may have."""
    threads: Auto = "auto"
    gpu_layers: Auto = "auto"
    slots: Auto = "auto"
    idle_minutes: float = 30.0
    """How long the engine stays when no server is connected."""
    backend: str = "auto"
    """``llama.cpp``, ``ctransformers``, or ``auto``: see ``daemon.backends.table``."""
    latency_budget_ms: int = 600
    """How soon a suggestion should be there: sets how much of the code a model is shown, and which one ``auto`` takes."""

    @staticmethod
    def of(settings: Settings) -> EngineOptions:
        """What ``settings`` say."""
        model, engine = settings.model, settings.engine
        return EngineOptions(
            model=model.name,
            context_tokens=model.context_tokens,
            threads=engine.threads,
            gpu_layers=engine.gpu_layers,
            slots=engine.slots,
            idle_minutes=engine.idle_minutes,
            backend=engine.backend,
            latency_budget_ms=settings.inline.latency_budget_ms,
        )


Options = EngineOptions | RemoteOptions
"""Of a daemon of our own, or of a remote engine."""


def options_of(settings: Settings) -> Options:
    """What ``settings`` say of the engine that is to be used: the one place that decides which kind it is."""
    return RemoteOptions.of(settings) if settings.engine.kind == "remote" else EngineOptions.of(settings)


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """Everything the daemon needs to know; ``auto`` stays ``auto`` until the daemon resolves it.

    That is why racing servers agree on the key: what they would resolve ``auto`` to depends on the memory that is free
    at the moment, what they ask for does not.
    """

    model_path: str
    """The real path of the GGUF file (the first one, if it is split)."""
    model_name: str
    file_size: int
    file_mtime_ns: int
    context_tokens: Auto
    threads: Auto
    gpu_layers: Auto
    slots: Auto
    idle_minutes: float
    rates_file: str
    """Where the rates measured on this machine are kept."""
    backend: str = "auto"
    models: str = ""
    """The folder of the model store, to name another model where this one does not fit."""

    @property
    def file_key(self) -> str:
        """The identity of the model file: 16 hex digits."""
        return _digest(self.model_path, self.file_size, self.file_mtime_ns)

    @property
    def key(self) -> str:
        """The identity of the engine: 16 hex digits. Same key, same process."""
        return _digest(self.file_key, self.context_tokens, self.threads, self.gpu_layers, self.slots, self.backend)

    def to_json(self) -> str:
        """The spec as the daemon reads it."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> EngineSpec:
        """The spec back.

        Raises:
            ValueError, TypeError: it was not written by ``to_json``.
        """
        return EngineSpec(**json.loads(text))


def spec_of(path: Path, name: str, options: EngineOptions, directories: Directories) -> EngineSpec:
    """The spec of the engine that runs the file at ``path`` as ``options`` wish.

    Raises:
        ModelNotFound: there is no such file.
    """
    real = Path(os.path.realpath(path))
    try:
        found = real.stat()
    except OSError as error:
        raise ModelNotFound(f"no model file at {path}: {error.strerror}") from error
    return EngineSpec(
        model_path=str(real),
        model_name=name,
        file_size=found.st_size,
        file_mtime_ns=found.st_mtime_ns,
        context_tokens=options.context_tokens,
        threads=options.threads,
        gpu_layers=options.gpu_layers,
        slots=options.slots,
        idle_minutes=options.idle_minutes,
        rates_file=str(directories.data / "rates.json"),
        backend=options.backend,
        models=str(directories.models),
    )


def _digest(*values: object) -> str:
    return blake2b(json.dumps(values).encode(), digest_size=8).hexdigest()
