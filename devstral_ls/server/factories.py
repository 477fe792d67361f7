"""The real engine and pipeline.

They are imported after ``initialize`` was answered: HTTP, tree-sitter and the model store take longer to import than an
editor should wait.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from devstral_ls.platform.import_collection import importing
from devstral_ls.server.protocols import Background, Factories, OnStatus, Pipeline, ServedEngine

if TYPE_CHECKING:
    from devstral_ls.engine.spec import Options
    from devstral_ls.generation import Engine
    from devstral_ls.platform.paths import Directories
    from devstral_ls.retrieval.retriever import ContextRetriever
    from devstral_ls.retrieval.visibility_check import VisibilityCheck

_MODULES = (
    "devstral_ls.engine.switch",
    "devstral_ls.suggest.pipeline",
    "devstral_ls.actions.offer",
    "devstral_ls.languages.syntax.tree",
    "devstral_ls.calibration.background",
)


def _preload() -> None:
    with importing():
        for module in _MODULES:
            importlib.import_module(module)


def _engine(options: Options, directories: Directories, on_status: OnStatus) -> ServedEngine:
    from devstral_ls.engine.switch import ConfiguredEngine

    return ConfiguredEngine(options, directories, on_status)


def _pipeline(engine: Engine, retriever: ContextRetriever | None) -> Pipeline:
    from devstral_ls.suggest.pipeline import Suggester

    return Suggester(engine, retriever)


def _background(engine: ServedEngine, enabled: Callable[[], bool]) -> Background | None:
    from devstral_ls.calibration import background
    from devstral_ls.engine.switch import ConfiguredEngine

    return background.IdleCalibration(engine, enabled=enabled) if isinstance(engine, ConfiguredEngine) else None


def _retriever(visibility: VisibilityCheck) -> ContextRetriever | None:
    from devstral_ls.retrieval.index.workspace_index import WorkspaceIndex
    from devstral_ls.retrieval.retriever import ContextRetriever

    return ContextRetriever(WorkspaceIndex(), visibility=visibility)


FACTORIES = Factories(_engine, _pipeline, _background, _retriever, _preload)
