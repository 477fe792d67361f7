"""Which host module runs an engine: the user's wish, or llama.cpp wherever it can be had and can run the file."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from devstral_ls.engine.spec import EngineSpec
from devstral_ls.errors import ModelError
from devstral_ls.models.gguf.header import read_header
from devstral_ls.models.runners import CTRANSFORMERS, LLAMA_CPP, RUNNERS

AUTO = "auto"

HOSTS = {LLAMA_CPP: "devstral_ls.engine.host", CTRANSFORMERS: "devstral_ls.engine.ctransformers_host"}
"""Backend to the module of its process."""


def is_installed(backend: str) -> bool:
    """Is the library there? It is not imported."""
    return importlib.util.find_spec(RUNNERS[backend].module) is not None


def backend_of(spec: EngineSpec, is_there: Callable[[str], bool] = is_installed) -> str:
    """The backend for ``spec``. Where none can run the file it is llama.cpp, whose host then says why."""
    if spec.backend != AUTO:
        return spec.backend
    try:
        header = read_header(Path(spec.model_path))
    except ModelError:
        return LLAMA_CPP
    able = [name for name, runner in RUNNERS.items() if is_there(name) and runner.objection(header) is None]
    return able[0] if able else LLAMA_CPP
