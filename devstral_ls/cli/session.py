"""An engine and a pipeline for a single command: what the editor's server has, without an editor."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from devstral_ls.engine.make import ConfiguredEngine, engine_of
from devstral_ls.engine.status import EngineStatus
from devstral_ls.languages.syntax.tree import SyntaxTrees
from devstral_ls.platform.paths import Directories, directories
from devstral_ls.retrieval.index.client import WorkspaceIndex
from devstral_ls.settings.sources import over_environment, read_user_file
from devstral_ls.settings.tree import Settings, Use
from devstral_ls.suggest.pipeline import Suggester
from devstral_ls.suggest.retriever import ContextRetriever

_ROOTS = (".git", ".hg", ".svn", ".jj")


def user_settings(folders: Directories, model: str | None = None, use: Use = "inline") -> Settings:
    """The user's settings; ``model.name`` is ``model``, or what they name for ``use``. Problems go to stderr."""
    settings, problems = read_user_file(folders.config_file)
    for problem in problems:
        print(f"devstral-ls: {problem}", file=sys.stderr)
    settings = over_environment(settings)
    return replace(settings, model=replace(settings.model, name=model)) if model else settings.answering(use)


@dataclass(frozen=True, slots=True)
class Session:
    """A ready engine, and the pipeline over it."""

    engine: ConfiguredEngine
    suggester: Suggester
    settings: Settings


@asynccontextmanager
async def session(settings: Settings, *, quiet: bool = False, file: Path | None = None) -> AsyncIterator[Session]:
    """A session with a ready engine; it is left running for the next command when the block ends.

    With a ``file`` what other files of its project say is told, too.

    Raises:
        EngineError: there is no engine to be had; see ``errors``.
    """

    def say(status: EngineStatus) -> None:
        if not quiet and status.message and sys.stderr.isatty():
            print(f"\r\033[K{status.state}: {status.message}", end="", file=sys.stderr, flush=True)

    engine = engine_of(settings, directories(), say)
    engine.start()
    related = ContextRetriever(WorkspaceIndex())
    if file is not None:
        related.begin([project_of(file).as_uri()], settings)
    try:
        await engine.ready()
        if not quiet and sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        if engine.error is not None:
            raise engine.error
        suggester = Suggester(engine, SyntaxTrees(), related=related)
        try:
            # Nobody is there for what comes after.
            yield Session(engine, suggester, replace(settings, inline=replace(settings.inline, ahead=False)))
        finally:
            suggester.close()
    finally:
        await related.aclose()
        await engine.aclose()


def project_of(file: Path) -> Path:
    """The folder of the repository that ``file`` is in; its own folder where it is in none."""
    folders = file.resolve().parents
    return next((folder for folder in folders if any((folder / mark).exists() for mark in _ROOTS)), folders[0])
