"""Code actions of one server: which engine does them, what runs, and how what comes of it reaches the client."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from devstral_ls.actions.query import ActionCallbacks, ActionQuery, ActionRefused, Problem, Result
from devstral_ls.actions.stream import StreamedEdit
from devstral_ls.actions.table import ACTIONS, OutputKind
from devstral_ls.engine.spec import EngineOptions, options_of
from devstral_ls.errors import DevstralError, EditConflict, EngineUnavailable
from devstral_ls.retrieval.project import ProjectFiles
from devstral_ls.server import explanation
from devstral_ls.server.abilities import Abilities
from devstral_ls.server.action_progress import ActionProgress
from devstral_ls.server.diagnostics import Reviews
from devstral_ls.server.edit_stream import EditStream, apply
from devstral_ls.server.workspace_edit import edit_of, edit_of_files
from devstral_ls.text import Edit, Snapshot

if TYPE_CHECKING:
    from devstral_ls.actions.runner import ActionRunner
    from devstral_ls.generation import Engine
    from devstral_ls.languages.syntax.tree import SyntaxTrees
    from devstral_ls.retrieval.index.signatures import IndexSignatures
    from devstral_ls.server.app import DevstralServer
    from devstral_ls.server.ports import ServedEngine


@dataclass(frozen=True, slots=True)
class Fixed:
    """A fix that was applied: whether it helped is seen when the client sends diagnostics again."""

    version: int
    problems: frozenset[tuple[str, str]]
    """Code and message of what was to be fixed."""
    text: str


class Actions:
    """What the server knows of code actions."""

    def __init__(self, ls: DevstralServer) -> None:
        self._ls = ls
        self.abilities = Abilities()
        """What the client can do. Set at ``initialize``."""
        self.reviews = Reviews(ls.documents, ls.text_document_publish_diagnostics)
        self._running: dict[str, tuple[str, asyncio.Task[Any]]] = {}
        """Titles and tasks, by the token of their progress."""
        self._busy: set[str] = set()
        """Documents that an action is being written into."""
        self._fixed: dict[str, Fixed] = {}
        self.explanations: set[Path] = set()
        """Files that explanations were shown in."""
        self._trees: SyntaxTrees | None = None
        self._own: tuple[EngineOptions, ServedEngine] | None = None

    def initialize(self, client: types.ClientCapabilities) -> None:
        """Take note of what the client can do."""
        self.abilities = Abilities.of(client)
        self.reviews.related = self.abilities.related

    @property
    def trees(self) -> SyntaxTrees:
        """The syntax trees that offers are made from."""
        if self._trees is None:
            from devstral_ls.languages.syntax.tree import SyntaxTrees

            self._trees = SyntaxTrees()
        return self._trees

    def forget(self, uri: str) -> None:
        """The client has closed a document."""
        self._fixed.pop(uri, None)
        if self._trees is not None:
            self._trees.forget(uri)

    async def engine(self) -> Engine | None:
        """The engine that does actions: ``actions.model``'s own, or the usual one.

        Raises:
            DevstralError: it cannot be made.
        """
        await self._ls.pipeline()
        settings = self._ls.settings
        options = options_of(settings.answering("actions"))
        if not isinstance(options, EngineOptions) or options == options_of(settings.answering("inline")):
            return self._ls.parts.engine
        if self._own is None or self._own[0] != options:
            await self._let_go()
            own = self._ls.parts.other(options)
            own.start()
            self._own = (options, own)
        return self._own[1]

    async def aclose(self) -> None:
        """Let go of an engine of our own, and stop what runs."""
        for _, task in self._running.values():
            task.cancel()
        explanation.forget(self._ls)
        await self._let_go()

    async def _let_go(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            await own[1].aclose()

    def cancel(self, token: object) -> None:
        """The user does not want to wait for the action of that progress."""
        _, task = self._running.get(str(token), ("", None))
        if task is not None:
            task.cancel()

    def still_reported(self, snapshot: Snapshot, problems: tuple[Problem, ...]) -> str:
        """The text of a fix that was applied to these problems before, and did not help; empty without one."""
        fixed = self._fixed.get(snapshot.uri)
        if fixed is None or snapshot.version <= fixed.version:
            return ""
        return fixed.text if {(one.code, one.message) for one in problems} & fixed.problems else ""

    async def run(self, query: ActionQuery, *, edits: bool = False) -> Any:
        """Do an action with progress. With ``edits`` the edit is the answer, else it is applied.

        Raises:
            DevstralError: it could not be done; nothing was changed.
            asyncio.CancelledError: the client took the request back.
        """
        actor = await self._actor()
        action = ACTIONS[query.action]
        if query.snapshot.uri in self._busy and action.edits:
            raise ActionRefused("another action is at work in this document", hint="Wait for it, or cancel it.")
        progress = ActionProgress(self._ls, action.title.format(what="code"))
        progress.begin([title for title, _ in self._running.values()])
        work = self._resolve(actor, query, progress) if edits else self._perform(actor, query, progress)
        task = self._ls.background(_guarded(work))
        self._running[progress.token] = progress.title, task
        if action.edits:
            self._busy.add(query.snapshot.uri)  # until it has cleaned up, too
            task.add_done_callback(lambda _: self._busy.discard(query.snapshot.uri))
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
            self._running.pop(progress.token, None)
            progress.end(message)
        return outcome

    async def _actor(self) -> ActionRunner:
        from devstral_ls.actions.runner import ActionRunner

        engine = await self.engine()
        if self._own is not None and engine is self._own[1] and engine.model is None:
            raise EngineUnavailable("the model of actions.model is not ready", hint="Try again in a moment.")
        if engine is None or engine.model is None:
            status = self._ls.status.engine
            why = status.message if status is not None and status.message else "the model is not ready"
            hint = status.hint if status is not None and status.hint else "Try again when the status says that it is."
            raise EngineUnavailable(why, hint=hint)
        return ActionRunner(engine, self.elsewhere(), self._ls.clock, self._ls.settings.privacy)

    def elsewhere(self, tries: int = 4) -> IndexSignatures:
        """What other files say, as far as the settings let it be said; ``tries`` is how long a slow index is waited for."""
        from devstral_ls.retrieval.index.signatures import IndexSignatures

        return IndexSignatures(self._ls.others.index, self._ls.settings.privacy, tries)

    async def _resolve(self, actor: ActionRunner, query: ActionQuery, progress: ActionProgress) -> types.WorkspaceEdit:
        """The edit of an action, to be applied by the client."""
        project = self._project(query)
        result = await actor.run(query, ActionCallbacks(report=progress.report), project)
        self._note(query, result)
        if result.edit is None:
            return edit_of_files(
                self._ls.documents, result.files, _uris(project), self.abilities, f"Devstral: {result.title}"
            )
        snapshot, edit = self._rebased(query.snapshot, result.edit)
        return edit_of(self._ls.documents, snapshot, edit, self.abilities)

    async def _perform(self, actor: ActionRunner, query: ActionQuery, progress: ActionProgress) -> dict[str, Any]:
        """Do the action and have the client show what comes of it."""
        project, action = self._project(query), ACTIONS[query.action]
        if action.edits and not self.abilities.applies:
            raise ActionRefused("this editor does not take edits from a server", hint="Use `devstral-ls act`.")
        stream = EditStream(self._ls, query.snapshot, action.title.format(what="code"))
        live = self._ls.settings.actions.apply == "live" and self.abilities.versioned and self.abilities.applies
        live = live and action.gives is OutputKind.REPLACEMENT
        result = None
        try:
            result = await actor.run(query, ActionCallbacks(stream.draft if live else None, progress.report), project)
        except asyncio.CancelledError:
            n_kept = await stream.keep()
            stream.leave()
            kept = f"cancelled; {n_kept} new lines were kept, undo takes them back" if n_kept else "cancelled"
            return {"applied": bool(n_kept), "cancelled": True, "message": kept}
        except EditConflict:
            stream.leave()
            raise
        finally:
            if result is None:
                await stream.roll_back()
        return await self._deliver(query, result, stream, project)

    async def _deliver(
        self, query: ActionQuery, result: Result, stream: EditStream, project: ProjectFiles | None
    ) -> dict[str, Any]:
        if result.edit is not None:
            await stream.finish(result.edit)
            self._note(query, result)
        elif result.files:
            title = f"Devstral: {result.title}"
            edit = edit_of_files(self._ls.documents, result.files, _uris(project), self.abilities, title)
            await apply(self._ls, edit, result.title)
        elif result.markdown:
            await explanation.show(self._ls, result)
        elif result.reviewed is not None:
            self.reviews.show(query.snapshot, result.reviewed, result.findings)
        message = "; ".join(result.notes) or _outcome(result)
        if result.notes or result.reviewed is not None:
            self._ls.reporter.tell(message, None, types.MessageType.Info)
        return {
            "applied": bool(result.edit or result.files),
            "message": message,
            "notes": list(result.notes),
            "markdown": result.markdown or None,
            "findings": len(result.findings) if result.reviewed is not None else None,
        }

    def _note(self, query: ActionQuery, result: Result) -> None:
        if query.problems and result.edit is not None:
            problems = frozenset((problem.code, problem.message) for problem in query.problems)
            self._fixed[query.snapshot.uri] = Fixed(query.snapshot.version, problems, result.edit.text)

    def _rebased(self, snapshot: Snapshot, edit: Edit) -> tuple[Snapshot, Edit]:
        """``edit`` for the document as it is now.

        Raises:
            EditConflict: the code it changes was changed.
        """
        now = self._ls.documents.snapshot(snapshot.uri)
        if now is None:
            raise EditConflict("the document was closed")
        stream = StreamedEdit.begin(snapshot.text, edit.span).rebased(now.text)
        return now, Edit(stream.span, edit.text)

    def _project(self, query: ActionQuery) -> ProjectFiles | None:
        folders = [folder.uri for folder in self._ls.protocol.workspace.folders.values()]
        return ProjectFiles.of(query.snapshot.uri, folders, self._opened)

    def _opened(self, uri: str) -> str | None:
        snapshot = self._ls.documents.snapshot(uri)
        return None if snapshot is None else snapshot.text


def _uris(project: ProjectFiles | None) -> Any:
    if project is None:
        raise ActionRefused("this document is no file, so there is no place beside it")
    return project.uri


def _outcome(result: Result) -> str:
    if result.reviewed is not None:
        n = len(result.findings)
        return "nothing found" if not n else f"{n} finding{'s' if n > 1 else ''}"
    return "done"


async def _guarded(work: Any) -> tuple[Any, DevstralError | None]:
    """What ``work`` gives, or the failure that has a name: a task's own exceptions are bugs."""
    try:
        return await work, None
    except DevstralError as error:
        return None, error
