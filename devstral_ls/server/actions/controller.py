"""The code actions that run in one server: begin one, show its progress, cancel it; one edit at a time in a document."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devstral_ls.actions.query import ActionQuery, ActionRefused, Progressed
from devstral_ls.actions.table import ACTIONS
from devstral_ls.errors import DevstralError
from devstral_ls.server.actions.action_engine import ActionEngine
from devstral_ls.server.actions.delivery import Delivery
from devstral_ls.server.reporting import BackgroundTasks
from devstral_ls.server.rpc.work_done_progress import WorkDoneProgress

if TYPE_CHECKING:
    from devstral_ls.actions.runner import ActionRunner
    from devstral_ls.generation import ModelInfo
    from devstral_ls.retrieval.index.signatures import IndexSignatures
    from devstral_ls.retrieval.index.workspace_index import WorkspaceIndex
    from devstral_ls.retrieval.visibility import Visibility
    from devstral_ls.retrieval.visibility_check import VisibilityCheck


@dataclass(frozen=True, slots=True)
class _Running:
    """An action that runs, or cleans up after it was cancelled."""

    title: str
    edits: str | None
    """The URI of the document that it edits."""
    task: asyncio.Task[Any]


class ActionController:
    """Runs the code actions of one server.

    Args:
        delivery: brings results to the client.
        engine: chooses the engine.
        index: the workspace index, or ``None`` while there is none.
        tasks: runs the actions.
        visibility: decides what may be shown to a model.
    """

    def __init__(
        self,
        delivery: Delivery,
        engine: ActionEngine,
        index: Callable[[], WorkspaceIndex | None],
        tasks: BackgroundTasks,
        visibility: VisibilityCheck,
    ) -> None:
        self._delivery = delivery
        self._engine = engine
        self._index = index
        self._tasks = tasks
        self._visibility = visibility
        self._numbers = itertools.count(1)
        self._running: dict[str, _Running] = {}
        """By the token of the progress."""
        self.findings = delivery.findings
        self.fixes = delivery.fixes

    @property
    def model(self) -> ModelInfo | None:
        """The model that would do an action now; None while none is ready."""
        return self._engine.model

    async def aclose(self) -> None:
        """Stop what runs, and let go of the engine and of files."""
        for running in self._running.values():
            running.task.cancel()
        self._delivery.explanations.close()
        await self._engine.aclose()

    def cancel(self, token: object) -> None:
        """Cancel the action of that progress."""
        if isinstance(token, str) and (running := self._running.get(token)) is not None:
            running.task.cancel()

    async def may_show(self, uri: str) -> Visibility:
        """Whether a model may be shown the document."""
        return await self._visibility.may_show(uri, self._delivery.settings().privacy)

    def _signatures(self) -> IndexSignatures:
        """What other files define, as far as the settings allow."""
        from devstral_ls.retrieval.index.signatures import IndexSignatures

        return IndexSignatures(self._index(), self._delivery.settings().privacy, self._visibility)

    async def resolve(self, query: ActionQuery) -> Any:
        """The edit of an action, for ``codeAction/resolve``.

        Raises:
            DevstralError: there is none.
            asyncio.CancelledError: the client took the request back.
        """
        return await self._run(query, self._delivery.resolve)

    async def perform(self, query: ActionQuery) -> dict[str, Any]:
        """Do an action, for ``devstral.runAction``, which is answered with the result.

        Raises:
            DevstralError: it could not be done; nothing was changed.
            asyncio.CancelledError: the client took the request back.
        """
        outcome: dict[str, Any] = await self._run(query, self._delivery.perform)
        return outcome

    async def _run(self, query: ActionQuery, do: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
        runner = await self._runner()
        action, uri = ACTIONS[query.action], query.snapshot.uri
        if action.edits and any(running.edits == uri for running in self._running.values()):
            raise ActionRefused("another action is at work in this document", hint="Wait for it, or cancel it.")
        title = action.title.format(what="code")
        token = f"devstral-ls/action/{next(self._numbers)}"
        progress = WorkDoneProgress(self._delivery.client, token, f"Devstral: {title}")
        others = ", ".join(running.title for running in self._running.values())
        self._tasks.start(progress.begin(f"waiting for: {others}" if others else "reading the code"))

        def report(progressed: Progressed) -> None:
            rate = f"{progressed.n_tokens} tokens, {progressed.tokens_per_second:.0f} a second"
            progress.report(f"{progressed.stage}: {rate}")

        task = self._tasks.start(_guarded(do(runner, query, report)))
        self._running[token] = _Running(title, uri if action.edits else None, task)
        task.add_done_callback(lambda _: self._running.pop(token))  # also after a cancel, when it has cleaned up
        message = "done"
        try:
            outcome, error = await asyncio.shield(task)
            if error is not None:
                message = error.message
                raise error
            message = outcome.get("message") or message if isinstance(outcome, Mapping) else message
        except asyncio.CancelledError:
            message = "cancelled"
            task.cancel()
            raise
        finally:
            progress.end(message)
        return outcome

    async def _runner(self) -> ActionRunner:
        from devstral_ls.actions.runner import ActionRunner

        engine = await self._engine.get()
        settings = self._delivery.settings()
        return ActionRunner(
            engine, self.may_show, self._signatures(), self._delivery.clock, settings.privacy, settings.actions.review
        )


async def _guarded(work: Coroutine[Any, Any, Any]) -> tuple[Any, DevstralError | None]:
    """The result of ``work``, or its failure: an exception of a background task would be logged as a bug."""
    try:
        return await work, None
    except DevstralError as error:
        return None, error
