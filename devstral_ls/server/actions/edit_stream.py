"""The only caller of ``workspace/applyEdit``: each edit is for the version that was looked at, and awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from devstral_ls.actions.outputs.streamed_edit import StreamedEdit
from devstral_ls.errors import EditConflict
from devstral_ls.server.actions.workspace_edit import edit_of
from devstral_ls.server.client_port import Client
from devstral_ls.server.documents.store import Documents
from devstral_ls.text import Edit, Snapshot

SEEN_S = 3.0
"""Seconds a client may take to report the change of the document, after it has applied an edit."""

MOVED_S = 0.5
"""Seconds a client may take to report a change by the user, after it has refused an edit for an older version."""

MAX_TRIES = 4
"""How often an edit is sent while the user types elsewhere in the document."""

DRAFT_S = 0.15
"""Seconds between two drafts: each is an edit for the editor to draw."""


async def apply_in_client(client: Client, edit: types.WorkspaceEdit, label: str) -> None:
    """Have the client apply ``edit``.

    Raises:
        EditConflict: it did not.
    """
    params = types.ApplyWorkspaceEditParams(edit=edit, label=f"Devstral: {label}")
    try:
        answer = await client.request(types.WORKSPACE_APPLY_EDIT, params)
    except JsonRpcException as error:
        raise EditConflict(f"the editor refused the edit: {error.message}") from error
    if answer is None or not answer.applied:
        why = f": {answer.failure_reason}" if answer is not None and answer.failure_reason else ""
        raise EditConflict(f"the editor did not apply the edit{why}")


class EditStream:
    """An edit of one document, written as it comes or at once. What the user types meanwhile stays.

    Args:
        client: the editor.
        documents: the open documents.
        snapshot: the document that the edit is for.
        label: names the edit, for undo.
        clock: seconds.
    """

    def __init__(
        self, client: Client, documents: Documents, snapshot: Snapshot, label: str, clock: Callable[[], float]
    ) -> None:
        self._client = client
        self._documents = documents
        self._snapshot = snapshot
        self._label = label
        self._clock = clock
        self._stream: StreamedEdit | None = None
        self._last_draft = float("-inf")
        self._step: asyncio.Task[None] | None = None

    async def draft(self, edit: Edit) -> None:
        """Show the edit as far as it is written.

        Raises:
            EditConflict: the document was changed inside the edit.
        """
        now = self._clock()
        if now - self._last_draft < DRAFT_S:
            return
        self._last_draft = now
        await self._show(edit.text, self._stream or StreamedEdit.begin(self._snapshot.text, edit.span))

    async def finish(self, edit: Edit) -> None:
        """Put the finished edit in, so that one undo takes it back.

        Raises:
            EditConflict: the document was changed inside the edit.
        """
        await self.roll_back()
        base = self._snapshot.text if self._stream is None else self._stream.before
        whole = StreamedEdit.begin(self._snapshot.text, edit.span).rebased(base)
        await self._show(edit.text, whole)

    async def roll_back(self) -> None:
        """Put the old text back where drafts were shown.

        Raises:
            EditConflict: the document was changed inside the edit.
        """
        await self._settled()
        if self._stream is not None:
            await self._show(self._stream.undone().shown, self._stream)

    def leave(self) -> None:
        """Leave the document as it is now."""
        self._stream = None

    async def keep(self) -> int:
        """Make the draft shown last one edit, so that one undo takes it back; returns how many of its lines are new.

        Raises:
            EditConflict: the document was changed inside the edit.
        """
        await self._settled()
        stream = self._stream
        if stream is None or stream.shown == stream.undone().shown:
            return 0
        old = set(stream.undone().shown.split("\n"))
        n_new = sum(line not in old for line in stream.shown.split("\n"))
        shown = stream.shown
        await self.roll_back()
        if self._stream is not None:
            await self._show(shown, self._stream)
        return n_new

    async def _show(self, text: str, stream: StreamedEdit) -> None:
        """Have ``text`` stand there. Where the user types elsewhere at that moment, it is tried again.

        Raises:
            EditConflict: the user changed the code itself, or the client does not want the edit.
        """
        for _ in range(MAX_TRIES - 1):
            before = self._documents.snapshot(self._snapshot.uri)
            try:
                return await self._show_once(text, stream)
            except EditConflict:
                if before is None or self._stream is None or not await self._moves_on(before):
                    raise
                stream = self._stream
        return await self._show_once(text, stream)

    async def _moves_on(self, before: Snapshot) -> bool:
        """True when the document differs from ``before``, now or within ``MOVED_S``."""
        try:
            async with asyncio.timeout(MOVED_S):
                await self._documents.moved_on(before)
        except TimeoutError:
            return False
        return True

    async def _show_once(self, text: str, stream: StreamedEdit) -> None:
        now = self._documents.snapshot(self._snapshot.uri)
        if now is None:
            raise EditConflict("the document was closed")
        current = stream.rebased(now.text)
        wanted = current.saying(text)
        edit = current.edit_to(wanted)
        self._stream = current
        if edit is None:
            return
        # A cancel must not leave an edit half sent: the cleaning up waits for it first.
        self._step = asyncio.create_task(self._applied(now, edit, wanted))
        self._step.add_done_callback(_ignore_failure)
        await asyncio.shield(self._step)

    async def _settled(self) -> None:
        """Wait for an edit that was being applied when the action was cancelled."""
        if self._step is not None and not self._step.done():
            await asyncio.wait({self._step}, timeout=SEEN_S)

    async def _applied(self, now: Snapshot, edit: Edit, wanted: StreamedEdit) -> None:
        await apply_in_client(self._client, edit_of(self._documents, now, edit, self._client.abilities), self._label)
        self._stream = wanted
        try:
            async with asyncio.timeout(SEEN_S):
                await self._documents.moved_on(now)
        except TimeoutError as error:
            raise EditConflict("the editor did not say that the document has changed") from error


def _ignore_failure(step: asyncio.Task[None]) -> None:
    """A step whose action was cancelled is not awaited: its failure is not one for the event loop to log."""
    if not step.cancelled():
        step.exception()
