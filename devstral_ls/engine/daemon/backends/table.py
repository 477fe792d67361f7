"""BACKENDS: the libraries that run a model on this machine, by the names of ``engine.backend``.

The place of a ``llama-server`` binary that the daemon runs as a child is here too: another row, which speaks the API that
``llama_server_api`` has for llama.cpp in process.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from devstral_ls.engine.daemon.backends.backend import Backend
from devstral_ls.engine.spec import EngineSpec
from devstral_ls.errors import ModelError
from devstral_ls.models.gguf.header import read_header
from devstral_ls.models.runners import CTRANSFORMERS, LLAMA_CPP, RUNNERS

AUTO = "auto"

BACKENDS: Mapping[str, tuple[str, str]] = {
    LLAMA_CPP: ("devstral_ls.engine.daemon.backends.llama_cpp", "LlamaCpp"),
    CTRANSFORMERS: ("devstral_ls.engine.daemon.backends.ctransformers.backend", "CtransformersBackend"),
}
"""Module and class, which is made with the spec and the runtime folder. The module is imported in the daemon only."""


def backend_for(spec: EngineSpec, folder: Path) -> Backend:
    """The backend that runs ``spec``, not started yet."""
    module, name = BACKENDS[backend_of(spec)]
    make = cast("Callable[[EngineSpec, Path], Backend]", getattr(importlib.import_module(module), name))
    return make(spec, folder)


def is_installed(backend: str) -> bool:
    """True when the library is there. It is not imported."""
    return importlib.util.find_spec(RUNNERS[backend].module) is not None


def backend_of(spec: EngineSpec, is_there: Callable[[str], bool] = is_installed) -> str:
    """The name of the backend for ``spec``. Where none can run the file it is llama.cpp, which then says why."""
    if spec.backend != AUTO:
        return spec.backend
    try:
        header = read_header(Path(spec.model_path))
    except ModelError:
        return LLAMA_CPP
    able = [name for name, runner in RUNNERS.items() if is_there(name) and runner.objection(header) is None]
    return able[0] if able else LLAMA_CPP
