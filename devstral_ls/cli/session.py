"""An engine and a pipeline for a single command: what the editor's server has, without an editor."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from devstral_ls.directories import Directories, directories
from devstral_ls.engine.make import ConfiguredEngine, engine_of
from devstral_ls.engine.status import EngineStatus
from devstral_ls.languages.syntax import SyntaxTrees
from devstral_ls.settings import Settings, Use
from devstral_ls.suggest.inline import Suggester
from devstral_ls.user_settings import over_environment, read_user_file


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
async def session(settings: Settings, *, quiet: bool = False) -> AsyncIterator[Session]:
    """A session with a ready engine; it is left running for the next command when the block ends.

    Raises:
        EngineError: there is no engine to be had; see ``errors``.
    """

    def say(status: EngineStatus) -> None:
        if not quiet and status.message and sys.stderr.isatty():
            print(f"\r\033[K{status.state}: {status.message}", end="", file=sys.stderr, flush=True)

    engine = engine_of(settings, directories(), say)
    engine.start()
    try:
        await engine.ready()
        if not quiet and sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        if engine.error is not None:
            raise engine.error
        yield Session(engine, Suggester(engine, SyntaxTrees()), settings)
    finally:
        await engine.aclose()
