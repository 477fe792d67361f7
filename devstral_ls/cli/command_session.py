"""An engine and a suggestion pipeline for a single command: what the editor's server has, without an editor."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from devstral_ls.cli.terminal import clear_status, show_status
from devstral_ls.engine.status import EngineStatus
from devstral_ls.engine.switch import ConfiguredEngine, engine_of
from devstral_ls.platform.paths import Directories, directories
from devstral_ls.retrieval.index.workspace_index import WorkspaceIndex
from devstral_ls.retrieval.retriever import ContextRetriever
from devstral_ls.retrieval.visibility_check import VisibilityCheck
from devstral_ls.settings.sources import over_environment, read_user_file
from devstral_ls.settings.tree import Settings, Use
from devstral_ls.suggest.pipeline import Suggester

_REPOSITORY_MARKS = (".git", ".hg", ".svn", ".jj")


def user_settings(folders: Directories, model: str | None = None, use: Use = "inline") -> Settings:
    """The user's settings; ``model.name`` is ``model``, or the one they set for ``use``. Problems go to stderr."""
    settings, problems = read_user_file(folders.config_file)
    for problem in problems:
        print(f"devstral-ls: {problem}", file=sys.stderr)
    settings = over_environment(settings)
    return replace(settings, model=replace(settings.model, name=model)) if model else settings.answering(use)


@dataclass(frozen=True, slots=True)
class CommandSession:
    """A ready engine, the pipeline over it, the index of the file's project, and what of it may be shown."""

    engine: ConfiguredEngine
    suggester: Suggester
    index: WorkspaceIndex
    visibility: VisibilityCheck
    settings: Settings


@asynccontextmanager
async def open_session(
    settings: Settings, *, quiet: bool = False, file: Path | None = None
) -> AsyncIterator[CommandSession]:
    """A session with a ready engine; the engine keeps running for the next command when the block ends.

    The index covers the project of ``file``; without one it is empty. With ``quiet`` nothing is printed.

    Raises:
        EngineError: no engine can be had; see ``errors``.
    """

    def on_status(status: EngineStatus) -> None:
        if not quiet and status.message:
            show_status(f"{status.state}: {status.message}")

    engine = engine_of(settings, directories(), on_status)
    engine.start()
    index = WorkspaceIndex()
    retriever = ContextRetriever(index)
    if file is not None:
        retriever.begin([project_root(file).as_uri()], settings)
    try:
        await engine.ready()
        if not quiet:
            clear_status()
        if engine.error is not None:
            raise engine.error
        suggester = Suggester(engine, retriever)
        no_prefetch = replace(settings, inline=replace(settings.inline, prefetch=False))  # the command ends first
        try:
            yield CommandSession(engine, suggester, index, retriever.visibility, no_prefetch)
        finally:
            suggester.close()
    finally:
        await retriever.aclose()
        await engine.aclose()


def project_root(file: Path) -> Path:
    """The root of the repository that contains ``file``; its own folder where there is none."""
    folders = file.resolve().parents
    roots = (folder for folder in folders if any((folder / mark).exists() for mark in _REPOSITORY_MARKS))
    return next(roots, folders[0])
