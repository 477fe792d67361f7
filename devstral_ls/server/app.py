"""The server: what it keeps, and all registration in one place."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from lsprotocol import types
from pygls.lsp.server import LanguageServer

import devstral_ls
from devstral_ls.platform.paths import Directories
from devstral_ls.platform.paths import directories as default_directories
from devstral_ls.server import (
    code_action,
    commands,
    completion,
    inline_completion,
    lifecycle,
    logs,
    others,
    reported,
    status,
)
from devstral_ls.server.actions import Actions
from devstral_ls.server.configuration import Configuration
from devstral_ls.server.documents import Documents
from devstral_ls.server.model_offer import ModelOffer
from devstral_ls.server.params import strict_converter
from devstral_ls.server.parts import Parts
from devstral_ls.server.ports import Factories, Pipeline
from devstral_ls.server.progress import LoadingProgress
from devstral_ls.server.protocol import DevstralProtocol
from devstral_ls.server.real import FACTORIES
from devstral_ls.server.registration import Registration
from devstral_ls.server.reporting import Reporter
from devstral_ls.server.serve import serve_stdio, serve_tcp
from devstral_ls.server.statistics import Statistics
from devstral_ls.settings.tree import LogSettings, Problem, Settings

if TYPE_CHECKING:
    from devstral_ls.engine.status import EngineStatus
    from devstral_ls.suggest.retriever import ContextRetriever
    from devstral_ls.text import Snapshot

__all__ = ["DevstralServer", "create_server", "serve_stdio", "serve_tcp"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_MAX_PROBLEMS = 5
"""Problems listed in one message."""


class DevstralServer(LanguageServer):
    """One editor's server. Knows LSP, holds no model."""

    protocol: DevstralProtocol

    def __init__(self, factories: Factories, directories: Directories, environ: Mapping[str, str]) -> None:
        super().__init__(
            "devstral-ls",
            devstral_ls.__version__,
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            notebook_document_sync=types.NotebookDocumentSyncOptions(
                notebook_selector=[types.NotebookDocumentFilterWithNotebook(notebook="*")]
            ),
            protocol_cls=DevstralProtocol,
            converter_factory=strict_converter,
        )
        self.client_process_id: int | None = None
        """A process to leave with, besides the one that ``initialize`` names."""
        self.clock = time.monotonic
        self.documents = Documents()
        self.configuration = Configuration(directories.config_file, environ)
        self.registration = Registration()
        self.reporter = Reporter(self._show, lambda: self.settings.log.contents, self.clock)
        self.status = status.StatusReporter(lambda body: self.protocol.notify(status.METHOD, body), self.clock)
        self.loading = LoadingProgress(self.protocol, self.background)
        self.directories = directories
        self.actions = Actions(self)
        self.others = others.Others()
        self.statistics = Statistics(directories.data, lambda: self.settings.privacy.statistics, lambda: self.clock())
        self.parts = Parts(
            factories, directories, self.status, self._on_status, self._on_related, self.statistics.strictness
        )
        self.offer = ModelOffer(
            self.protocol,
            self.background,
            self.reporter.tell,
            directories.models,
            factories.fetching,
            self.parts.poke,
            environ,
        )
        self.exit_code: int | None = None
        self.leaving = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._problems: list[Problem] = []
        self._started = False
        self._log_settings: LogSettings | None = None

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.configuration.settings

    # --- the session ---

    def start(self) -> None:
        """Get the engine going and say what was wrong with the settings; once, after ``initialize`` was answered."""
        if not self._started:
            self._started = True
            self.show_problems(())
            self.background(self.parts.get(self.settings))
            self.statistics.start(self.documents.snapshot, self.background)

    def leave(self, code: int) -> None:
        """End the process with ``code``; the first caller says with which."""
        if self.exit_code is None:
            self.exit_code = code
        self.leaving.set()

    async def close(self) -> None:
        """Let go of everything, in bounded time."""
        self.loading.end()
        self.offer.cancel()
        self.status.close()
        await self.actions.aclose()
        await self.others.aclose()
        await asyncio.gather(self.parts.aclose(), self.statistics.aclose())
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()

    def background(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Run ``work`` beside everything else; a bug in it is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._background_done)
        return task

    def _background_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.reporter.bug("background work", error)

    # --- what handlers ask for ---

    async def pipeline(self) -> Pipeline | None:
        """The pipeline as soon as it is there; ``None`` if there will be none."""
        self.start()
        return await self.parts.get(self.settings)

    def on_cursor_idle(self, snapshot: Snapshot, offset: int) -> None:
        """The cursor is there, as far as we know: the pipeline may get ready for it."""
        if self.parts.pipeline is not None:
            self.parts.pipeline.on_cursor_idle(snapshot, offset, self.settings)

    def forget(self, uri: str) -> None:
        """The client has closed a document."""
        self.documents.close(uri)
        self.actions.forget(uri)
        self.others.closed(uri)
        self.statistics.forget(uri)
        if self.parts.pipeline is not None:
            self.parts.pipeline.forget(uri)

    def apply_log(self) -> None:
        """Log as the settings say."""
        if self._log_settings != self.settings.log:
            self._log_settings = self.settings.log
            problem = logs.apply(self._log_settings)
            self.show_problems([] if problem is None else [problem])

    async def apply_settings(self) -> None:
        """Hand changed settings on."""
        self.apply_log()
        self.others.begin(others.folders(self), self.settings)
        await lifecycle.register(self)
        with self.reporter.reporting(asked_for=True):
            await self.parts.apply(self.settings)

    def tell_state(self) -> None:
        """Tell a user who asked for a suggestion why there is no model."""
        engine = self.status.engine
        if engine is not None:
            self.reporter.tell(engine.message or f"the engine is {engine.state}", engine.hint)

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Say what was wrong with settings, in one message; kept back until messages may be sent."""
        for problem in problems:
            _log.warning("%s", problem)
            self._problems.append(problem)
        if self._problems and self._started:
            shown, self._problems = self._problems, []
            more = f"; and {len(shown) - _MAX_PROBLEMS} more" if len(shown) > _MAX_PROBLEMS else ""
            self.reporter.tell("; ".join(map(str, shown[:_MAX_PROBLEMS])) + more, None)

    def log_message(self, direction: str, body: bytes) -> None:
        """Log that a message came or went; what it says only where contents may be logged."""
        if _log.isEnabledFor(logging.DEBUG):
            text = body.decode(errors="replace") if self.settings.log.contents else ""
            _log.debug("%s %d bytes %s", direction, len(body), text)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log only: pygls would show a message."""
        self.reporter.bug(getattr(source, "__name__", "pygls"), error)

    def _on_status(self, engine: EngineStatus) -> None:
        self.status.update(engine)
        if engine.state == "ready" and self.parts.pipeline is not None:
            self.parts.pipeline.ready()
        self.loading.update(engine)
        self.offer.update(engine, self.settings)

    def _on_related(self, related: ContextRetriever) -> None:
        self.others.attach(related, others.folders(self), self.documents.all(), self.settings)

    def _show(self, message: str, kind: types.MessageType) -> None:
        self.window_show_message(types.ShowMessageParams(type=kind, message=message))


def create_server(
    factories: Factories | None = None,
    *,
    directories: Directories | None = None,
    environ: Mapping[str, str] = os.environ,
    client_process_id: int | None = None,
) -> DevstralServer:
    """A server with everything registered, that serves nobody yet.

    Args:
        factories: how engine and pipeline are made; the real ones by default.
        directories: the user's folders; from ``environ`` by default.
        environ: the environment.
        client_process_id: leave when this process is gone.
    """
    server = DevstralServer(factories or FACTORIES, directories or default_directories(environ), environ)
    server.client_process_id = client_process_id
    feature = server.feature
    feature(types.INITIALIZE)(lifecycle.initialize)
    feature(types.INITIALIZED)(lifecycle.initialized)
    feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(lifecycle.did_change_configuration)
    feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)(lifecycle.progress_cancelled)
    feature(types.TEXT_DOCUMENT_DID_SAVE)(others.did_save)
    feature(reported.METHOD)(reported.did_report)
    feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(others.did_change_watched_files)
    feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(others.did_change_workspace_folders)
    feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())(inline_completion.inline_completion)
    feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())(completion.completion)
    feature(types.TEXT_DOCUMENT_CODE_ACTION, code_action.OPTIONS)(code_action.code_action)
    feature(types.CODE_ACTION_RESOLVE)(code_action.resolve)
    for name, command in commands.COMMANDS.items():
        server.command(name)(command)
    return server
