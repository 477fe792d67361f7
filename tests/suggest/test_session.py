"""What is known of a document: one session each, one tree each, gone with the document, and no text compared for a key."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from lsprotocol import types

from devstral_ls import text as text_module
from devstral_ls.retrieval.retriever import ContextRetriever
from devstral_ls.server.documents.store import DocumentObserver, Documents
from devstral_ls.settings.tree import InlineSettings, Settings
from devstral_ls.suggest.pipeline import Suggester
from devstral_ls.suggest.session import MAX_SESSIONS, DocumentSessions
from devstral_ls.suggest.trace import InlineQuery, Reason
from devstral_ls.testing.scripted_engine import ScriptedEngine
from devstral_ls.text import DocumentChange, Edit
from tests.suggest.test_inline import Desk, no_pause, shown


def sessions() -> DocumentSessions:
    return DocumentSessions(ContextRetriever(), lambda: 0.0, no_pause)


def test_of_five_hundred_documents_those_used_last_have_a_session() -> None:
    every = sessions()
    first = every.of("file:///0.py")
    for n in range(1, 500):
        every.of(f"file:///{n}.py")
        assert every.of("file:///0.py") is first
    assert len(list(every)) == MAX_SESSIONS
    assert every.get("file:///1.py") is None
    assert every.get("file:///499.py") is not None


async def test_nothing_is_left_of_a_document_that_was_closed() -> None:
    desk = Desk(ScriptedEngine("1"))
    await desk.ask("x = ▮\n")
    session = weakref.ref(desk.suggester._sessions.of("file:///a.py"))
    desk.suggester.closed("file:///a.py")
    assert desk.suggester.why("file:///a.py") is None
    await asyncio.sleep(0)
    gc.collect()
    assert session() is None


async def test_suggestions_and_offers_have_one_tree() -> None:
    desk = Desk(ScriptedEngine("1"))
    query = desk.query("x = ▮\n")
    offered = desk.suggester.tree(query.snapshot)
    await desk.suggester.inline(query, desk.settings)
    assert desk.suggester.tree(query.snapshot) is offered is not None
    changed = desk.query("x = 1▮\n")
    assert desk.suggester.tree(changed.snapshot) is not offered


async def test_what_was_deleted_is_known_from_the_keys_and_not_from_the_requests() -> None:
    """The first request of a document comes after the key, and several keys may come before one request."""
    desk = Desk(ScriptedEngine("1"))
    desk.query("value = comp▮\n")
    desk.query("value = com▮\n")
    assert (await desk.ask("value = co▮\n")).trace.reason is Reason.JUST_DELETED


async def test_an_edit_counts_where_it_was_made_and_not_where_the_text_reads_the_same() -> None:
    suggester = Suggester(ScriptedEngine("1"), sleep=no_pause)
    settings = Settings(inline=InlineSettings(prefetch=False))
    before = Desk(ScriptedEngine("")).query("a = foo▮\n").snapshot
    edit = Edit(text_module.Span(5, 6), "")  # the first of two that are alike
    after = before.edited(edit, 2)
    suggester.changed(DocumentChange(before, after, (edit,)))
    outcome = await suggester.inline(InlineQuery(after.edited(Edit(text_module.Span(5, 6), ""), 3), 5), settings)
    assert outcome.trace.reason is Reason.JUST_DELETED


class Whole(str):
    """The text of a document, which must not be compared or hashed."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise AssertionError("a whole text is compared")

    def __hash__(self) -> int:
        raise AssertionError("a whole text is hashed")


class Telling(DocumentObserver):
    def __init__(self, suggester: Suggester) -> None:
        self.changed = suggester.changed  # type: ignore[method-assign]
        self.closed = suggester.closed  # type: ignore[method-assign]


@pytest.mark.parametrize("prefetch", [False, True])
async def test_no_key_compares_whole_texts(monkeypatch: pytest.MonkeyPatch, prefetch: bool) -> None:
    apply = text_module.apply
    monkeypatch.setattr(text_module, "apply", lambda text, edit: Whole(apply(text, edit)))
    settings = Settings(inline=InlineSettings(prefetch=prefetch))
    suggester = Suggester(ScriptedEngine("foo(bar) + baz"), sleep=no_pause)
    documents, uri = Documents(), "file:///a.py"
    documents.subscribe(Telling(suggester))
    code = "def f(a):\n    b = a\n    return b\n\n\n" * 9
    documents.open(types.TextDocumentItem(uri, "python", 1, Whole(code + "x = ")))
    line, column, reasons = code.count("\n"), 4, []
    await suggester.inline(InlineQuery(documents.all()[0], len(code) + 4), settings)
    for version, key in enumerate("fooz\b\b(1)\n", 2):
        start = types.Position(line, column - (key == "\b"))
        change = types.TextDocumentContentChangePartial(
            range=types.Range(start, types.Position(line, column)), text=key.replace("\b", "")
        )
        documents.change(types.VersionedTextDocumentIdentifier(version, uri), [change])
        line, column = (line + 1, 0) if key == "\n" else (line, column + (-1 if key == "\b" else 1))
        snapshot = documents.snapshot(uri)
        assert snapshot is not None
        cursor = documents.offset(snapshot, types.Position(line, column))
        outcome = await suggester.inline(InlineQuery(snapshot, cursor), settings)
        assert documents.is_current(snapshot)
        suggester.tree(snapshot)
        reasons.append(outcome.trace.reason)
        for _ in range(30):
            await asyncio.sleep(0)
    assert {Reason.SHOWN, Reason.TYPED_THROUGH}.issubset(reasons)
    suggester.close()


async def test_a_document_is_asked_about_anew_after_it_was_opened_again() -> None:
    desk = Desk(ScriptedEngine("1"))
    assert shown(await desk.ask("x = ▮\n")) == "1"
    desk.suggester.closed("file:///a.py")
    assert not (await desk.ask("x = ▮\n")).trace.cached
