"""With no model installed: one offer to fetch one, and the fetch with its progress. Nobody is ever kept waiting."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol

from devstral_ls.errors import ModelError
from devstral_ls.server.ports import Fetching
from devstral_ls.settings.tree import Settings

if TYPE_CHECKING:
    from devstral_ls.engine.devices import Memory
    from devstral_ls.engine.status import EngineStatus
    from devstral_ls.models.download.progress import Progress

_log = logging.getLogger(__name__)

DEVSTRAL = "devstral-small-2507"
STARTER = "starter"
_FILE = "Choose a file…"
_NOT_NOW = "Not now"
_QUESTION = "Devstral: no model is installed. Fetch one?"
_SLOW = "slow without a GPU"
_HOW_TO_CHOOSE = (
    "Set model.name to the path of a GGUF file in your settings, or run `devstral-ls model import PATH`: "
    "suggestions begin by themselves then."
)

Tell = Callable[[str, str | None], None]


class Cancelled(Exception):
    """The user does not want the model any more."""


class ModelOffer:
    """One for each session.

    Args:
        protocol: to the client.
        background: runs a coroutine beside everything else.
        tell: shows a message, and what can be done.
        models: the folder of the store.
        fetching: how a model is fetched, and what this machine has.
        poke: makes the engine look for a model now.
        environ: the environment.
    """

    def __init__(
        self,
        protocol: LanguageServerProtocol,
        background: Callable[[Coroutine[Any, Any, None]], object],
        tell: Tell,
        models: Path,
        fetching: Fetching,
        poke: Callable[[], None],
        environ: Mapping[str, str],
    ) -> None:
        self._protocol = protocol
        self._background = background
        self._tell = tell
        self._models = models
        self._fetching = fetching
        self._poke = poke
        self._environ = environ
        self._made = False
        self._token: str | None = None
        self._cancelled = threading.Event()
        self.can_ask = False
        """Does the client show questions? Set at ``initialize``."""
        self.can_show_progress = False
        """Does it show progress? Set at ``initialize``."""

    def update(self, status: EngineStatus, settings: Settings) -> None:
        """The engine says how it is: the first time that no model is there, something is offered."""
        from devstral_ls.platform.offline import is_offline

        if self._made or status.state != "absent" or settings.model.name != "auto" or is_offline(self._environ):
            return
        if settings.model.allow_download or self.can_ask:
            self._made = True
            self._background(self._offer(settings.model.allow_download))

    def shows(self, token: object) -> bool:
        """Is ``token`` that of the fetch that runs now?"""
        return token is not None and token == self._token

    def cancel(self) -> None:
        """Stop fetching; what has come is kept for the next time."""
        self._cancelled.set()

    async def _offer(self, is_allowed: bool) -> None:
        choices = choices_for(await asyncio.to_thread(self._fetching.memory))
        name = next(iter(choices.values())) if is_allowed else await self._ask(choices)
        if name is not None:
            await self._fetch(name)

    async def _ask(self, choices: Mapping[str, str]) -> str | None:
        actions = [types.MessageActionItem(title=title) for title in (*choices, _FILE, _NOT_NOW)]
        params = types.ShowMessageRequestParams(type=types.MessageType.Info, message=_QUESTION, actions=actions)
        try:
            answer = await self._protocol.send_request_async(types.WINDOW_SHOW_MESSAGE_REQUEST, params)
        except JsonRpcException as error:
            _log.info("the client does not show the offer: %s", error.message)
            return None
        title = getattr(answer, "title", None)
        if title == _FILE:
            self._tell("no model is installed", _HOW_TO_CHOOSE)
        return choices.get(title) if isinstance(title, str) else None

    async def _fetch(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        await self._begin(name)
        shown: list[int] = []

        def report(progress: Progress) -> None:
            """In the thread that fetches."""
            if self._cancelled.is_set():
                raise Cancelled
            percentage = int(100 * progress.done / progress.total) if progress.total else 0
            if shown != [percentage]:
                shown[:] = [percentage]
                loop.call_soon_threadsafe(self._report, progress, percentage)

        try:
            await asyncio.to_thread(self._fetching.pull, self._models, name, report)
        except Cancelled:
            self._end(f"fetching {name} was cancelled")
        except ModelError as error:
            self._end(f"{name} could not be fetched")
            self._tell(error.message, error.hint)
        except asyncio.CancelledError:
            self._cancelled.set()  # the thread ends at its next report
            raise
        else:
            self._end(f"{name} is installed")
            self._poke()

    async def _begin(self, name: str) -> None:
        if not self.can_show_progress:
            return
        token = f"devstral-ls/fetching/{name}"
        try:
            await self._protocol.send_request_async(
                types.WINDOW_WORK_DONE_PROGRESS_CREATE, types.WorkDoneProgressCreateParams(token=token)
            )
        except JsonRpcException:
            return
        self._token = token
        self._notify(types.WorkDoneProgressBegin(title=f"Fetching {name}", cancellable=True, percentage=0))

    def _report(self, progress: Progress, percentage: int) -> None:
        source = f" from {progress.source}" if progress.source else ""
        self._notify(
            types.WorkDoneProgressReport(message=f"{progress.phase.value}{source}", percentage=min(percentage, 100))
        )

    def _end(self, message: str) -> None:
        _log.info("%s", message)
        self._notify(types.WorkDoneProgressEnd(message=message))
        self._token = None

    def _notify(self, value: object) -> None:
        if self._token is not None:
            self._protocol.notify(types.PROGRESS, types.ProgressParams(token=self._token, value=value))


def choices_for(memory: Memory) -> dict[str, str]:
    """What to offer on a machine with that memory: titles to catalog names, the best for it first."""
    from devstral_ls.models.catalog import MODELS
    from devstral_ls.models.smaller import needed_for
    from devstral_ls.models.units import gigabytes

    devstral, starter = MODELS[DEVSTRAL], MODELS[STARTER]
    need = needed_for(devstral.size)
    small = {f"Starter: {starter.title}, {gigabytes(starter.size)}": STARTER}
    big = f"{devstral.title}, {gigabytes(devstral.size)}"
    if memory.gpu >= need:
        return {big: DEVSTRAL, **small}
    if memory.ram is None or memory.ram >= need:
        return {**small, f"{big}, {_SLOW}": DEVSTRAL}
    return small
