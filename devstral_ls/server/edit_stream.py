"""The only caller of ``workspace/applyEdit``: each edit for a version that was looked at, each waited for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from devstral_ls.actions.stream import StreamedEdit
from devstral_ls.errors import EditConflict
from devstral_ls.server.workspace_edit import edit_of
from devstral_ls.text import Edit, Snapshot

if TYPE_CHECKING:
    from devstral_ls.server.app import DevstralServer

SEEN_S = 3.0
"""Seconds a client may take to say that the document has changed, after it has applied our edit."""

MOVED_S = 0.5
"""Seconds a client may take to say that somebody typed, after it has refused an edit for an older version."""

MAX_TRIES = 4
"""How often an edit is sent to somebody who types on elsewhere."""

DRAFT_S = 0.15
"""Seconds between two drafts: each is an edit for the editor to draw."""


async def apply(ls: DevstralServer, edit: types.WorkspaceEdit, label: str) -> None:
    """Have the client apply ``edit``.

    Raises:
        EditConflict: it did not.
    """
    try:
        answer = await ls.protocol.send_request_async(
            types.WORKSPACE_APPLY_EDIT, types.ApplyWorkspaceEditParams(edit=edit, label=f"Devstral: {label}")
        )
    except JsonRpcException as error:
        raise EditConflict(f"the editor refused the edit: {error.message}") from error
    if answer is None or not answer.applied:
        why = f": {answer.failure_reason}" if answer is not None and answer.failure_reason else ""
        raise EditConflict(f"the editor did not apply the edit{why}")


class EditStream:
    """An edit of one document, written as it comes or at once. What others type meanwhile stays."""

    def __init__(self, ls: DevstralServer, snapshot: Snapshot, label: str) -> None:
        self._ls = ls
        self._snapshot = snapshot
        self._label = label
        self._stream: StreamedEdit | None = None
        self._drawn = float("-inf")
        self._step: asyncio.Task[None] | None = None

    async def draft(self, edit: Edit) -> None:
        """Show the edit as far as it is written.

        Raises:
            EditConflict: the document was changed where we write.
        """
        now = self._ls.clock()
        if now - self._drawn < DRAFT_S:
            return
        self._drawn = now
        await self._show(edit.text, self._stream or StreamedEdit.begin(self._snapshot.text, edit.span))

    async def finish(self, edit: Edit) -> None:
        """Put the finished edit in, in a single step back from it to the text as it was.

        Raises:
            EditConflict: the document was changed where we write.
        """
        await self.roll_back()
        base = self._snapshot.text if self._stream is None else self._stream.before
        whole = StreamedEdit.begin(self._snapshot.text, edit.span).rebased(base)
        await self._show(edit.text, whole)

    async def roll_back(self) -> None:
        """Put the old text back, if some of the new one was shown.

        Raises:
            EditConflict: the document was changed where we wrote.
        """
        await self._settled()
        if self._stream is not None:
            await self._show(self._stream.undone().shown, self._stream)

    def leave(self) -> None:
        """The document stays as it is now."""
        self._stream = None

    async def keep(self) -> int:
        """Make one step of what was shown so far; how many lines of it are new?

        Raises:
            EditConflict: the document was changed where we wrote.
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
        """Have ``text`` stand there. Somebody who types elsewhere at that moment makes it take another try.

        Raises:
            EditConflict: somebody changed the code itself, or the client does not want the edit.
        """
        for _ in range(MAX_TRIES - 1):
            before = self._ls.documents.snapshot(self._snapshot.uri)
            try:
                return await self._show_once(text, stream)
            except EditConflict:
                if before is None or self._stream is None or not await self._moves_on(before):
                    raise
                stream = self._stream
        return await self._show_once(text, stream)

    async def _moves_on(self, before: Snapshot) -> bool:
        """Is the document another than ``before``, or does the client say so in a moment?"""
        changed = asyncio.Event()

        def hear(uri: str) -> None:
            if uri == before.uri:
                changed.set()

        self._ls.documents.listeners.append(hear)
        try:
            if self._ls.documents.snapshot(before.uri) is before:
                async with asyncio.timeout(MOVED_S):
                    await changed.wait()
        except TimeoutError:
            return False
        finally:
            self._ls.documents.listeners.remove(hear)
        return True

    async def _show_once(self, text: str, stream: StreamedEdit) -> None:
        now = self._ls.documents.snapshot(self._snapshot.uri)
        if now is None:
            raise EditConflict("the document was closed")
        current = stream.rebased(now.text)
        wanted = current.saying(text)
        edit = current.edit_to(wanted)
        self._stream = current
        if edit is None:
            return
        # A cancel must not leave an edit half sent: whoever cleans up waits for it first.
        self._step = asyncio.create_task(self._applied(now, edit, wanted))
        self._step.add_done_callback(_heard_of)
        await asyncio.shield(self._step)

    async def _settled(self) -> None:
        """Wait for an edit that was being applied when the action was cancelled."""
        if self._step is not None and not self._step.done():
            await asyncio.wait({self._step}, timeout=SEEN_S)

    async def _applied(self, now: Snapshot, edit: Edit, wanted: StreamedEdit) -> None:
        changed = asyncio.Event()

        def hear(uri: str) -> None:
            if uri == now.uri:
                changed.set()

        self._ls.documents.listeners.append(hear)
        try:
            await apply(self._ls, edit_of(self._ls.documents, now, edit, self._ls.actions.abilities), self._label)
            self._stream = wanted
            async with asyncio.timeout(SEEN_S):
                await changed.wait()
        except TimeoutError as error:
            raise EditConflict("the editor did not say that the document has changed") from error
        finally:
            self._ls.documents.listeners.remove(hear)


def _heard_of(step: asyncio.Task[None]) -> None:
    """Nobody waits any longer for a step whose action was cancelled: its failure is not to be told by the event loop."""
    if not step.cancelled():
        step.exception()
