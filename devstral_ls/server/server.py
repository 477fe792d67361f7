"""One editor's server: the parts, made once and in order, and the session from start to end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.feature_manager import FeatureManager

from devstral_ls.platform.paths import Directories
from devstral_ls.retrieval.visibility_check import VisibilityCheck
from devstral_ls.server import logs
from devstral_ls.server.actions.action_engine import ActionEngine
from devstral_ls.server.actions.applied_fixes import AppliedFixes
from devstral_ls.server.actions.controller import ActionController
from devstral_ls.server.actions.delivery import Delivery
from devstral_ls.server.actions.explanation import Explanations
from devstral_ls.server.actions.review_findings import ReviewFindings
from devstral_ls.server.client_port import ConnectedClient
from devstral_ls.server.configuration import Configuration
from devstral_ls.server.documents.store import Documents
from devstral_ls.server.engine_session import EngineSession
from devstral_ls.server.features.registration import Registration
from devstral_ls.server.model_install import ModelInstall
from devstral_ls.server.protocols import Factories, Pipeline
from devstral_ls.server.reporting import BackgroundTasks, Reporter
from devstral_ls.server.rpc.json_rpc import Handler, JsonRpcConnection
from devstral_ls.server.rpc.params import strict_converter, uri_of
from devstral_ls.server.rpc.parent import Parent
from devstral_ls.server.statistics_recorder import StatisticsRecorder
from devstral_ls.server.status_reporter import METHOD as STATUS
from devstral_ls.server.status_reporter import LoadingProgress, StatusReporter
from devstral_ls.server.workspace_sync import WorkspaceSync
from devstral_ls.settings.tree import LogSettings, Problem, Settings

if TYPE_CHECKING:
    from devstral_ls.engine.status import EngineStatus
    from devstral_ls.text import Snapshot

_log = logging.getLogger(__name__)

_MAX_PROBLEMS = 5
"""Problems listed in one message."""


class DevstralServer:
    """One editor's server. Knows LSP, holds no model.

    Args:
        factories: make the engine and the pipeline.
        directories: the user's folders.
        environ: the environment.
        client_process_id: a process to leave with, besides the one that ``initialize`` names.
        clock: seconds.
    """

    def __init__(
        self,
        factories: Factories,
        directories: Directories,
        environ: Mapping[str, str],
        client_process_id: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock
        self._client_process_id = client_process_id
        converter = strict_converter()
        self.features = FeatureManager(self, converter)  # type: ignore[no-untyped-call]
        self.connection = JsonRpcConnection(self, converter)
        self.client = ConnectedClient(self.connection)
        self.configuration = Configuration(directories.config_file, environ)
        self.registration = Registration()
        self.reporter = Reporter(self.client.show, lambda: self.settings.log.contents, clock)
        self.tasks = BackgroundTasks(self.reporter)
        self.documents = Documents()
        self.visibility = VisibilityCheck(tell=lambda message: self.reporter.tell(message, None))
        self.workspace = WorkspaceSync(self.documents.all, lambda: self.settings)
        self.statistics = StatisticsRecorder(
            directories.data, lambda: self.settings.privacy.statistics, self.documents.snapshot, self.tasks, clock
        )
        self.status = StatusReporter(lambda body: self.client.notify(STATUS, body), clock)
        self.loading = LoadingProgress(self.client, self.tasks)
        self.session = EngineSession(
            factories, directories, self._on_status, [self.status], self.workspace.attach, self.visibility
        )
        self.model_install = ModelInstall(
            self.client,
            self.tasks,
            self.reporter,
            self.status,
            directories.models,
            factories.fetching,
            self.session.check_now,
            environ,
        )
        self.actions = self._actions(directories)
        self.documents.subscribe(
            self.session, self.workspace, self.statistics, self.actions.findings, self.actions.fixes
        )
        self.exit_code: int | None = None
        self.leaving = asyncio.Event()
        self._problems: list[Problem] = []
        self._started = False
        self._log_settings: LogSettings | None = None

    def _actions(self, directories: Directories) -> ActionController:
        delivery = Delivery(
            self.client,
            self.documents,
            lambda: self.settings,
            self.reporter,
            ReviewFindings(self.documents, self.client),
            AppliedFixes(),
            Explanations(self.client, directories.runtime),
            lambda: self.workspace.folders,
            self.clock,
        )
        engine = ActionEngine(self.session, lambda: self.settings, lambda: self.status.engine)
        return ActionController(delivery, engine, lambda: self.workspace.index, self.tasks, self.visibility)

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.configuration.settings

    # --- the session ---

    def begin(self) -> None:
        """The event loop runs: watch the process that was named on the command line."""
        if self._client_process_id is not None:
            self.watch_parent(self._client_process_id)

    def start(self) -> None:
        """Start the engine, and show what was wrong with the settings; once, after ``initialize`` was answered."""
        if not self._started:
            self._started = True
            self.show_problems(())
            self.tasks.start(self.session.get(self.settings))

    def watch_parent(self, pid: int) -> None:
        """Leave when the process ``pid`` is gone."""
        parent = Parent.find(pid)
        if parent is None:
            _log.info("process %d cannot be seen from here; only the end of the stream is watched", pid)
            return
        self.tasks.start(self._leave_after(parent))

    def leave(self, code: int) -> None:
        """End the process with ``code``; the first call decides."""
        if self.exit_code is None:
            self.exit_code = code
        self.leaving.set()

    async def close(self) -> None:
        """Let go of everything, in bounded time."""
        self.loading.end()
        self.model_install.cancel()
        self.status.close()
        await self.actions.aclose()
        await self.workspace.aclose()
        self.visibility.close()
        await asyncio.gather(self.session.aclose(), self.statistics.aclose())
        self.tasks.cancel()

    async def _leave_after(self, parent: Parent) -> None:
        await parent.gone()
        _log.warning("the editor's process %d is gone", parent.pid)
        self.leave(1)

    # --- for the connection ---

    def handler(self, method: str) -> Handler | None:
        """The handler of ``method``; ``None`` without one."""
        handler: Handler | None = self.features.features.get(method)
        return handler

    def on_unreadable(self, method: str, message: dict[str, Any]) -> None:
        """Forget a document whose change cannot be read: none is better than one that differs from the client's."""
        if method == types.TEXT_DOCUMENT_DID_CHANGE and (uri := uri_of(message)) is not None:
            self.documents.close(uri)

    def log_message(self, direction: str, body: bytes) -> None:
        """Log that a message came or went; its text only where contents may be logged."""
        if _log.isEnabledFor(logging.DEBUG):
            text = body.decode(errors="replace") if self.settings.log.contents else ""
            _log.debug("%s %d bytes %s", direction, len(body), text)

    # --- for handlers ---

    async def pipeline(self) -> Pipeline | None:
        """The pipeline as soon as it is made; ``None`` where it cannot be made."""
        self.start()
        return await self.session.get(self.settings)

    def on_cursor_idle(self, snapshot: Snapshot, offset: int) -> None:
        """The cursor is taken to be there: the pipeline may prefetch."""
        if self.session.pipeline is not None:
            self.session.pipeline.on_cursor_idle(snapshot, offset, self.settings)

    def apply_log(self) -> None:
        """Log as the settings say."""
        if self._log_settings != self.settings.log:
            self._log_settings = self.settings.log
            problem = logs.configure_logging(self._log_settings)
            self.show_problems([] if problem is None else [problem])

    def tell_state(self) -> None:
        """Tell a user who asked for a suggestion why there is no model."""
        engine = self.status.engine
        if engine is not None:
            self.reporter.tell(engine.message or f"the engine is {engine.state}", engine.hint)

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Show what is wrong with the settings, in one message; held back until messages may be sent."""
        for problem in problems:
            _log.warning("%s", problem)
            self._problems.append(problem)
        if self._problems and self._started:
            shown, self._problems = self._problems, []
            more = f"; and {len(shown) - _MAX_PROBLEMS} more" if len(shown) > _MAX_PROBLEMS else ""
            self.reporter.tell("; ".join(map(str, shown[:_MAX_PROBLEMS])) + more, None)

    def _on_status(self, engine: EngineStatus) -> None:
        self.status.update(engine)
        if engine.state == "ready" and self.session.pipeline is not None:
            self.session.pipeline.model_ready()
        self.loading.update(engine)
        self.model_install.update(engine, self.settings)
