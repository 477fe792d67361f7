"""Without a model: offers once to download one, and downloads it with progress. No request waits for any of it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from devstral_ls.errors import ModelError
from devstral_ls.server.client_port import Client
from devstral_ls.server.protocols import Fetching
from devstral_ls.server.reporting import BackgroundTasks, Reporter
from devstral_ls.server.rpc.work_done_progress import WorkDoneProgress
from devstral_ls.server.status_reporter import StatusReporter
from devstral_ls.settings.tree import Settings

if TYPE_CHECKING:
    from devstral_ls.engine.devices import Memory
    from devstral_ls.engine.status import EngineStatus
    from devstral_ls.models.download.pull_progress import PullProgress

_log = logging.getLogger(__name__)

_FILE = "Choose a file…"
_NOT_NOW = "Not now"
_QUESTION = "Devstral: no model is installed. Fetch one?"
_SLOW = "slow without a GPU"
_HOW_TO_CHOOSE = (
    "Set model.name to the path of a GGUF file in your settings, or run `devstral-ls model import PATH`: "
    "suggestions begin by themselves then."
)


class DownloadCancelled(Exception):
    """The user has cancelled the download."""


class ModelInstall:
    """The offer and the download of one session.

    Args:
        client: the editor.
        tasks: runs the offer.
        reporter: shows what went wrong.
        status: shows that a model is being downloaded.
        models: the folder of the store.
        fetching: how a model is downloaded, and what memory this machine has.
        check_now: makes the engine look for a model now.
        environ: the environment.
    """

    def __init__(
        self,
        client: Client,
        tasks: BackgroundTasks,
        reporter: Reporter,
        status: StatusReporter,
        models: Path,
        fetching: Fetching,
        check_now: Callable[[], None],
        environ: Mapping[str, str],
    ) -> None:
        self._client = client
        self._tasks = tasks
        self._reporter = reporter
        self._status = status
        self._models = models
        self._fetching = fetching
        self._check_now = check_now
        self._environ = environ
        self._was_offered = False
        self._progress: WorkDoneProgress | None = None
        self._cancelled = threading.Event()

    def update(self, status: EngineStatus, settings: Settings) -> None:
        """Offer a model the first time that the engine's status is ``absent``."""
        from devstral_ls.platform.offline import is_offline

        if self._was_offered or status.state != "absent" or settings.model.name != "auto" or is_offline(self._environ):
            return
        if settings.model.allow_download or self._client.abilities.shows_questions:
            self._was_offered = True
            self._tasks.start(self._offer(settings.model.allow_download))

    def shows(self, token: object) -> bool:
        """True when ``token`` is that of the running download's progress."""
        return self._progress is not None and self._progress.is_shown and self._progress.token == token

    def cancel(self) -> None:
        """Stop the download; the part that has come is used the next time."""
        self._cancelled.set()

    async def _offer(self, is_allowed: bool) -> None:
        choices = choices_for(await asyncio.to_thread(self._fetching.memory))
        name = next(iter(choices.values())) if is_allowed else await self._ask(choices)
        if name is not None:
            await self._download(name)

    async def _ask(self, choices: Mapping[str, str]) -> str | None:
        """The model that the user chooses; ``None`` for none."""
        actions = [types.MessageActionItem(title=title) for title in (*choices, _FILE, _NOT_NOW)]
        params = types.ShowMessageRequestParams(type=types.MessageType.Info, message=_QUESTION, actions=actions)
        try:
            answer = await self._client.request(types.WINDOW_SHOW_MESSAGE_REQUEST, params)
        except JsonRpcException as error:
            _log.info("the client does not show the offer: %s", error.message)
            return None
        title = getattr(answer, "title", None)
        if title == _FILE:
            self._reporter.tell("no model is installed", _HOW_TO_CHOOSE)
        return choices.get(title) if isinstance(title, str) else None

    async def _download(self, name: str) -> None:
        progress = self._progress = WorkDoneProgress(self._client, f"devstral-ls/fetching/{name}", f"Fetching {name}")
        self._status.downloading(name, 0.0)
        await progress.begin(percentage=0)
        try:
            await asyncio.to_thread(self._fetching.pull, self._models, name, self._in_thread(progress, name))
        except DownloadCancelled:
            self._end(progress, f"fetching {name} was cancelled")
        except ModelError as error:
            self._end(progress, f"{name} could not be fetched")
            self._reporter.tell(error.message, error.hint)
        except asyncio.CancelledError:
            self._cancelled.set()  # the thread ends at its next report
            raise
        else:
            self._end(progress, f"{name} is installed")
            self._check_now()
        finally:
            self._status.downloaded()

    def _in_thread(self, shown: WorkDoneProgress, name: str) -> Callable[[PullProgress], None]:
        """What the downloading thread reports to: raises ``DownloadCancelled`` once the user has cancelled."""
        loop = asyncio.get_running_loop()

        def report(progress: PullProgress) -> None:
            if self._cancelled.is_set():
                raise DownloadCancelled
            percentage = min(int(100 * progress.done / progress.total), 100) if progress.total else 0
            source = f" from {progress.source}" if progress.source else ""
            if percentage != last[0]:
                last[0] = percentage
                message = f"{progress.phase.value}{source}"
                loop.call_soon_threadsafe(shown.report, message, percentage)
                loop.call_soon_threadsafe(self._status.downloading, name, percentage / 100)

        last = [-1]
        return report

    def _end(self, progress: WorkDoneProgress, message: str) -> None:
        _log.info("%s", message)
        progress.end(message)


def choices_for(memory: Memory) -> dict[str, str]:
    """What to offer on a machine with that memory: titles to catalog names, the best for it first."""
    from devstral_ls.engine.fit import DEVSTRAL, STARTER, fits, recommended
    from devstral_ls.models.catalog import MODELS
    from devstral_ls.models.memory import gigabytes

    devstral, starter = MODELS[DEVSTRAL], MODELS[STARTER]
    small = {f"Starter: {starter.title}, {gigabytes(starter.size)}": STARTER}
    big = f"{devstral.title}, {gigabytes(devstral.size)}"
    if recommended(memory) == DEVSTRAL:
        return {big: DEVSTRAL, **small}
    if fits(devstral, memory) is not False:
        return {**small, f"{big}, {_SLOW}": DEVSTRAL}
    return small
