"""How the result of an action reaches the client: as an edit, written as it comes or at once, as findings, or as text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from devstral_ls.actions.outputs.streamed_edit import StreamedEdit
from devstral_ls.actions.query import ActionCallbacks, ActionQuery, ActionRefused, ReportProgress, Result
from devstral_ls.actions.table import ACTIONS, OutputKind
from devstral_ls.errors import EditConflict
from devstral_ls.retrieval.project import ProjectFiles
from devstral_ls.server.actions.applied_fixes import AppliedFixes
from devstral_ls.server.actions.edit_stream import EditStream, apply_in_client
from devstral_ls.server.actions.explanation import Explanations
from devstral_ls.server.actions.review_findings import ReviewFindings
from devstral_ls.server.actions.workspace_edit import edit_of, edit_of_files
from devstral_ls.server.client_port import Client
from devstral_ls.server.documents.store import Documents
from devstral_ls.server.reporting import Reporter
from devstral_ls.settings.tree import Settings
from devstral_ls.text import Edit, Snapshot

if TYPE_CHECKING:
    from devstral_ls.actions.runner import ActionRunner


@dataclass(frozen=True, slots=True)
class Delivery:
    """Runs an action and brings its result to the client.

    ``folders`` has the URIs of the workspace's folders, ``clock`` the seconds.
    """

    client: Client
    documents: Documents
    settings: Callable[[], Settings]
    reporter: Reporter
    findings: ReviewFindings
    fixes: AppliedFixes
    explanations: Explanations
    folders: Callable[[], tuple[str, ...]]
    clock: Callable[[], float]

    async def resolve(self, runner: ActionRunner, query: ActionQuery, report: ReportProgress) -> types.WorkspaceEdit:
        """The edit of an action, which the client itself applies.

        Raises:
            DevstralError: there is none.
        """
        project = self._project(query)
        result = await runner.run(query, ActionCallbacks(report=report), project)
        self._note_fix(query, result)
        edit = result.whole_edit(query.snapshot)
        if edit is None:
            title = f"Devstral: {result.title}"
            return edit_of_files(self.documents, result.files, _uris(project), self.client.abilities, title)
        snapshot, edit = self._rebased(query.snapshot, edit)
        return edit_of(self.documents, snapshot, edit, self.client.abilities)

    async def perform(self, runner: ActionRunner, query: ActionQuery, report: ReportProgress) -> dict[str, Any]:
        """Do the action and have the client show its result; the answer to ``devstral.runAction``.

        Raises:
            DevstralError: it could not be done; nothing was changed.
        """
        project, action = self._project(query), ACTIONS[query.action]
        abilities = self.client.abilities
        if action.edits and not abilities.applies_edits:
            raise ActionRefused("this editor does not take edits from a server", hint="Use `devstral-ls act`.")
        title = action.title.format(what="code")
        stream = EditStream(self.client, self.documents, query.snapshot, title, self.clock)
        live = self.settings().actions.apply == "live" and abilities.versioned_edits and abilities.applies_edits
        draft = stream.draft if live and action.output is OutputKind.REPLACEMENT else None
        result = None
        try:
            result = await runner.run(query, ActionCallbacks(draft, report), project)
        except asyncio.CancelledError:
            n_kept = await stream.keep()
            stream.leave()
            message = f"cancelled; {n_kept} new lines were kept, undo takes them back" if n_kept else "cancelled"
            return {"applied": bool(n_kept), "cancelled": True, "message": message}
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
        whole = result.whole_edit(query.snapshot)
        if whole is not None:
            await stream.finish(whole)
            self._note_fix(query, result)
        elif result.files:
            title = f"Devstral: {result.title}"
            edit = edit_of_files(self.documents, result.files, _uris(project), self.client.abilities, title)
            await apply_in_client(self.client, edit, result.title)
        elif result.markdown:
            await self.explanations.show(result.title, result.markdown)
        elif result.reviewed is not None:
            self.findings.show(query.snapshot, result.reviewed, result.findings)
        said = [result.outcome, *result.notes] if result.outcome else list(result.notes)
        message = "; ".join(said) or _outcome(result)
        if said or result.reviewed is not None:
            self.reporter.tell(message, None, types.MessageType.Info)
        return {
            "applied": bool(result.edit or result.files),
            "message": message,
            "notes": list(result.notes),
            "markdown": result.markdown or None,
            "findings": len(result.findings) if result.reviewed is not None else None,
        }

    def _note_fix(self, query: ActionQuery, result: Result) -> None:
        if query.diagnostics and result.edit is not None:
            self.fixes.add(query.snapshot, query.diagnostics, result.edit.text)

    def _rebased(self, snapshot: Snapshot, edit: Edit) -> tuple[Snapshot, Edit]:
        """``edit`` for the document as it is now.

        Raises:
            EditConflict: the code it changes was changed.
        """
        now = self.documents.snapshot(snapshot.uri)
        if now is None:
            raise EditConflict("the document was closed")
        stream = StreamedEdit.begin(snapshot.text, edit.span).rebased(now.text)
        return now, Edit(stream.span, edit.text)

    def _project(self, query: ActionQuery) -> ProjectFiles | None:
        creates_files = self.client.abilities.creates_files
        return ProjectFiles.of(query.snapshot.uri, self.folders(), self._open_text, creates_files=creates_files)

    def _open_text(self, uri: str) -> str | None:
        snapshot = self.documents.snapshot(uri)
        return None if snapshot is None else snapshot.text


def _uris(project: ProjectFiles | None) -> Callable[[str], str]:
    if project is None:
        raise ActionRefused("this document is no file, so there is no place beside it")
    return project.uri


def _outcome(result: Result) -> str:
    if result.reviewed is not None:
        n = len(result.findings)
        return "nothing found" if not n else f"{n} finding{'s' if n > 1 else ''}"
    return "done"
