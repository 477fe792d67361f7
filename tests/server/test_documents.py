from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types

from devstral_ls.languages.table import language_of
from devstral_ls.server.documents.positions import UTF8, UTF16, UTF32, Encoding, n_code_points, n_units
from devstral_ls.server.documents.store import Documents
from devstral_ls.text import DocumentChange, Edit, Snapshot, Span, apply

URI = "file:///w/a.py"
ENCODINGS = (UTF8, UTF16, UTF32)

text_ = st.text(alphabet="ab \t\n\r\f\u2028\x85é中e\u0301😀👩\u200d\ud83d\ude00", max_size=30)


def opened(text: str, encoding: Encoding = UTF16) -> Documents:
    documents = Documents(encoding)
    documents.open(types.TextDocumentItem(URI, "python", 1, text))
    return documents


def changed(documents: Documents, *changes: types.TextDocumentContentChangeEvent, version: int = 2) -> Snapshot:
    before = now(documents)
    change = documents.change(types.VersionedTextDocumentIdentifier(version, URI), changes)
    assert change is not None
    assert (change.before, change.after) == (before, now(documents))
    assert apply(before.text, change.edit) == change.after.text
    return change.after


def now(documents: Documents) -> Snapshot:
    snapshot = documents.snapshot(URI)
    assert snapshot is not None
    return snapshot


def position(line: int, character: int) -> types.Position:
    return types.Position(line, character)


def edit(start: types.Position, end: types.Position, text: str) -> types.TextDocumentContentChangePartial:
    return types.TextDocumentContentChangePartial(range=types.Range(start, end), text=text)


# --- a reference that is slow and obviously right ---


def units(text: str, encoding: Encoding) -> int:
    width = {UTF8: lambda c: 1 + (c >= "\x80") + (c >= "\u0800") + (c >= "\U00010000"), UTF32: lambda c: 1}
    return sum(width.get(encoding, lambda c: 1 + (c >= "\U00010000"))(character) for character in text)  # type: ignore[call-overload]


def lines(text: str) -> list[str]:
    """The lines with their ends; the last one may be empty."""
    found, line = [], ""
    for at, character in enumerate(text):
        line += character
        if character == "\n" or (character == "\r" and text[at + 1 : at + 2] != "\n"):
            found.append(line)
            line = ""
    return [*found, line]


def reference_offset(text: str, line: int, character: int, encoding: Encoding) -> int:
    all_lines = lines(text)
    if line >= len(all_lines):
        return len(text)
    offset = sum(map(len, all_lines[:line]))
    content = all_lines[line].rstrip("\r\n") if line < len(all_lines) - 1 else all_lines[line]
    best = 0
    while best < len(content) and units(content[: best + 1], encoding) <= character:
        best += 1
    return offset + best


@given(text_, st.integers(0, 8), st.integers(0, 20), st.sampled_from(ENCODINGS))
def test_positions_become_offsets(text: str, line: int, character: int, encoding: Encoding) -> None:
    documents = opened(text, encoding)
    offset = documents.offset(now(documents), position(line, character))
    assert offset == reference_offset(text, line, character, encoding)


@given(text_, st.data(), st.sampled_from(ENCODINGS))
def test_offsets_become_positions_and_come_back(text: str, data: st.DataObject, encoding: Encoding) -> None:
    documents = opened(text, encoding)
    snapshot = now(documents)
    offset = data.draw(st.integers(0, len(text)))
    back = documents.offset(snapshot, documents.position(snapshot, offset))
    between = text[offset - 1 : offset + 1] == "\r\n"
    assert back == (offset - 1 if between else offset)


@given(text_, st.sampled_from(ENCODINGS))
def test_units_are_those_of_the_reference(text: str, encoding: Encoding) -> None:
    assert n_units(text, encoding) == units(text, encoding)
    for character in range(units(text, encoding) + 2):
        assert units(text[: n_code_points(text, character, encoding)], encoding) <= character


edit_ = st.tuples(st.integers(0, 6), st.integers(0, 12), st.integers(0, 6), st.integers(0, 12), text_)


@settings(max_examples=400)
@given(text_, st.lists(st.lists(edit_, max_size=3), max_size=4), st.sampled_from(ENCODINGS))
def test_edits_give_the_text_and_the_lines_of_the_reference(
    text: str, notifications: list[list[tuple[int, int, int, int, str]]], encoding: Encoding
) -> None:
    documents = opened(text, encoding)
    for version, edits in enumerate(notifications, 2):
        changes = [edit(position(a, b), position(c, d), new) for a, b, c, d, new in edits]
        for a, b, c, d, new in edits:
            start, end = sorted((reference_offset(text, a, b, encoding), reference_offset(text, c, d, encoding)))
            text = text[:start] + new + text[end:]
        snapshot = changed(documents, *changes, version=version)
        assert snapshot.text == text
        assert snapshot.version == version
        assert snapshot.line_starts == Snapshot(URI, 1, "", text).line_starts
        assert snapshot.n_lines == len(lines(text))


@pytest.mark.parametrize(
    ("encoding", "character"),
    [(UTF8, 4 + 2 + 3 + 4 + 1), (UTF16, 4 + 1 + 1 + 2 + 1), (UTF32, 4 + 1 + 1 + 1 + 1)],
)
def test_behind_emoji_and_cjk(encoding: Encoding, character: int) -> None:
    documents = opened("first\na = é中😀b", encoding)
    assert documents.offset(now(documents), position(1, character)) == len("first\na = é中😀b")
    assert documents.position(now(documents), len("first\na = é中😀b")) == position(1, character)


@pytest.mark.parametrize(("character", "column"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (9, 2)])
def test_inside_a_surrogate_pair_rounds_down_and_past_the_end_clamps(character: int, column: int) -> None:
    documents = opened("😀😀\n")
    assert documents.offset(now(documents), position(0, character)) == column


@pytest.mark.parametrize("text", ["a\fb", "a\u2028b", "a\x85b", "a\x0bb", "a\x1cb"])
def test_what_is_no_line_end_for_editors_is_none_here(text: str) -> None:
    documents = opened(text)
    assert now(documents).n_lines == 1
    assert documents.offset(now(documents), position(0, 3)) == 3


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_column_past_the_end_does_not_reach_into_the_line_end(end: str) -> None:
    documents = opened(f"ab{end}cd")
    assert documents.offset(now(documents), position(0, 99)) == 2
    assert documents.offset(now(documents), position(1, 1)) == 2 + len(end) + 1
    assert documents.offset(now(documents), position(7, 0)) == 2 + len(end) + 2


def test_a_range_that_ends_before_it_starts_is_taken_the_other_way_round() -> None:
    documents = opened("abcdef")
    assert changed(documents, edit(position(0, 4), position(0, 2), "-")).text == "ab-ef"


def test_several_changes_and_a_whole_text() -> None:
    documents = opened("one")
    whole = types.TextDocumentContentChangeWholeDocument(text="a\nb\n")
    snapshot = changed(
        documents, edit(position(0, 0), position(0, 3), "x"), whole, edit(position(1, 1), position(1, 1), "c")
    )
    assert snapshot.text == "a\nbc\n"
    assert snapshot.line_starts == [0, 2, 5]


def test_a_snapshot_stays_as_it_was() -> None:
    documents = opened("a\nb")
    before = now(documents)
    starts = list(before.line_starts)
    changed(documents, edit(position(0, 0), position(0, 0), "x\n"))
    assert before.text == "a\nb"
    assert before.line_starts == starts


def test_current_is_what_still_reads_the_same() -> None:
    documents = opened("a")
    before = now(documents)
    assert documents.is_current(before)
    changed(documents)
    assert documents.is_current(before)
    changed(documents, edit(position(0, 1), position(0, 1), "b"))
    assert not documents.is_current(before)
    documents.close(URI)
    assert not documents.is_current(before)


def test_a_document_that_is_not_open() -> None:
    documents = Documents()
    params: Any = SimpleNamespace(text_document=SimpleNamespace(uri=URI), position=position(0, 0))
    assert documents.at(params) is None
    assert documents.change(types.VersionedTextDocumentIdentifier(2, URI), []) is None
    documents.close(URI)


class Told:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def opened(self, snapshot: Snapshot) -> None:
        self.events.append(snapshot.text)

    def changed(self, change: DocumentChange) -> None:
        self.events.append(change.edits)

    def closed(self, uri: str) -> None:
        self.events.append(uri)


def test_each_change_is_published_once_with_its_edits_as_the_client_said_them() -> None:
    documents, told = Documents(), Told()
    documents.subscribe(told)
    documents.open(types.TextDocumentItem(URI, "python", 1, "a = 1\nb\n"))
    insert = edit(position(1, 1), position(1, 1), " = 2")
    changed(documents, insert, edit(position(0, 5), position(0, 4), "é"))
    changed(documents, types.TextDocumentContentChangeWholeDocument(text="a = é\nb = 23\n"), version=3)
    changed(documents, version=4)
    documents.close(URI)
    assert told.events == [
        "a = 1\nb\n",
        (Edit(Span(7, 7), " = 2"), Edit(Span(4, 5), "é")),
        (Edit(Span(11, 11), "3"),),
        (),
        URI,
    ]


async def test_one_who_waits_for_a_change_is_woken_by_it_and_by_the_close() -> None:
    documents = opened("a")
    first = now(documents)
    waits = asyncio.create_task(documents.moved_on(first))
    await asyncio.sleep(0)
    assert not waits.done()
    second = changed(documents, edit(position(0, 1), position(0, 1), "b"))
    await asyncio.wait_for(waits, 5)
    await asyncio.wait_for(documents.moved_on(first), 5)
    waits = asyncio.create_task(documents.moved_on(second))
    await asyncio.sleep(0)
    documents.close(URI)
    await asyncio.wait_for(waits, 5)


def test_a_span_becomes_a_range() -> None:
    documents = opened("😀a\nbc")
    assert documents.range(now(documents), Span(1, 4)) == types.Range(position(0, 2), position(1, 1))


def test_a_language_known_to_lsprotocol_is_a_plain_string() -> None:
    documents = Documents()
    documents.open(types.TextDocumentItem(URI, types.LanguageKind.Python, 1, ""))
    assert type(now(documents).language) is str
    assert now(documents).language == "python"


@pytest.mark.parametrize("named", [None, 5, True])
def test_a_language_that_is_no_name_is_none(named: Any) -> None:
    documents = Documents()
    documents.open(types.TextDocumentItem(URI, named, 1, "x"))
    assert now(documents).language == ""
    assert language_of(now(documents).language, URI).id == "python"
