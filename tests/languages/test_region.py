"""Of long documents a region is parsed: what is said of a cursor is what the whole tree says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstral_ls.languages.scopes.tree import scope_at
from devstral_ls.languages.syntax.document_tree import MAX_PARSED_CHARS, DocumentTree
from devstral_ls.languages.syntax.incremental import with_edits
from devstral_ls.languages.syntax.region import AFTER, BEFORE, WHOLE_CHARS, region_around
from devstral_ls.languages.syntax.tree import Syntax, n_errors
from devstral_ls.languages.table import language_of
from devstral_ls.text import DocumentChange, Edit, Snapshot, Span

PYTHON = '''\
@dataclass
class Größe{n}(Base):
    """One of many, with "quotes"."""

    def area(self, width: float) -> float:
        # the area
        for n in range(3):
            width += {{"a": n}}["a"]
        return width * {n}


def free_{n}(one, two):
    return f"{{one}} {{two}}"


'''
TYPESCRIPT = """\
export class Shape{n} extends Base {{
  /** One of many. */
  area(width: number): number {{
    const all = [1, 2, 3].map((one) => {{
      return one * width;
    }});
    return all.length;
  }}
}}

function free{n}(one: string): string {{
  return `${{one}} of {n}`;
}}

"""
HEADS = {
    "python": "import os\nfrom a import (\n    b,\n    c,\n)\n\n\n",
    "typescript": 'import { a } from "./a";\n\n',
}


def long_text(language: str, n: int = 120) -> str:
    shape = PYTHON if language == "python" else TYPESCRIPT
    return HEADS[language] + "".join(shape.format(n=number) for number in range(n))


def tree(document: DocumentTree, snapshot: Snapshot, offset: int | None = None) -> Syntax:
    syntax = document.of(snapshot, offset)
    assert syntax is not None
    return syntax


def edited(document: DocumentTree, before: Snapshot, *edits: Edit) -> Snapshot:
    """The document after a change that it is told of."""
    after = before
    for edit in edits:
        after = after.edited(edit, before.version + 1)
    document.changed(DocumentChange(before, after, edits))
    return after


def snapshot_of(text: str, language: str = "python", version: int = 1) -> Snapshot:
    return Snapshot("file:///a", version, language, text)


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_the_part_says_of_each_cursor_what_the_whole_tree_says(language: str) -> None:
    snapshot = snapshot_of(long_text(language), language)
    whole, parts = tree(DocumentTree(), snapshot), DocumentTree()
    assert len(snapshot.text) > 2 * WHOLE_CHARS
    for offset in range(0, len(snapshot.text), 97):
        region = tree(parts, snapshot, offset)
        assert region.region is not None
        assert scope_at(region, snapshot, offset) == scope_at(whole, snapshot, offset)


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_a_part_is_small_and_has_what_is_near_the_cursor(language: str) -> None:
    text = long_text(language)
    for offset in range(0, len(text), 997):
        region = region_around(text, offset, language_of(language, ""))
        assert region is not None
        assert region.start <= max(0, offset - BEFORE)
        assert region.end >= min(len(text), offset + AFTER) - 20  # a decorator that goes with what is behind
        assert len(region) < BEFORE + AFTER + 2_000
        assert text.startswith(("import", "@dataclass", "def free", "export class", "function"), region.start)


@pytest.mark.parametrize("text", [long_text("python", 10), "x = 1\n" * 20_000, "x" * 200_000])
def test_a_short_text_and_one_without_definitions_have_no_part(text: str) -> None:
    assert region_around(text, len(text) // 2, language_of("python", "")) is None


def test_typing_gives_the_tree_that_a_fresh_parse_gives() -> None:
    document = DocumentTree()
    snapshot = snapshot_of(long_text("python"))
    offset = snapshot.text.index("        return width * 60")
    tree(document, snapshot, offset)
    for c in '        if é(width, [1, {"a": """x\n':
        snapshot = edited(document, snapshot, Edit(Span(offset, offset), c))
        offset += 1
        syntax = tree(document, snapshot, offset)
        assert syntax.text == snapshot.of(syntax.region or Span(0, 0))
        fresh = tree(DocumentTree(), snapshot_of(syntax.text))
        assert str(syntax.tree.root_node) == str(fresh.tree.root_node)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_edits_anywhere_and_the_cursor_anywhere_give_the_tree_of_a_fresh_parse(data: st.DataObject) -> None:
    document = DocumentTree()
    snapshot = snapshot_of(long_text("python", 80))
    for _ in range(data.draw(st.integers(1, 5))):
        edits, n = [], len(snapshot.text)
        for _ in range(data.draw(st.integers(0, 3))):
            start = data.draw(st.integers(0, n))
            end = data.draw(st.integers(start, min(n, start + data.draw(st.sampled_from([0, 1, 40, 9_000])))))
            text = data.draw(st.sampled_from(["", "x", "é = 1\n", "class A:\n    pass\n", "# ü\n" * 900]))
            edits.append(Edit(Span(start, end), text))
            n += len(text) - (end - start)
        snapshot = edited(document, snapshot, *edits)
        for offset in (data.draw(st.integers(0, n)), None):
            syntax, fresh = tree(document, snapshot, offset), tree(DocumentTree(), snapshot, offset)
            assert (syntax.region, syntax.data) == (fresh.region, fresh.data)
            assert syntax.tree.root_node.has_error == fresh.tree.root_node.has_error
            if not fresh.tree.root_node.has_error:  # how an error is recovered from may depend on what was reused
                assert str(syntax.tree.root_node) == str(fresh.tree.root_node)
                assert syntax.imports == fresh.imports


def test_an_open_bracket_is_seen_in_the_part_as_in_the_whole() -> None:
    text = long_text("python")
    offset = text.index("        return width * 60")
    broken = snapshot_of(text[:offset] + "        f(\n" + text[offset:])
    scope = scope_at(tree(DocumentTree(), broken, offset + 10), broken, offset + 10)
    assert [one.name for one in scope.scopes] == ["Größe60", "area"]


def test_what_is_tried_is_tried_in_the_same_part() -> None:
    document = DocumentTree()
    snapshot = snapshot_of(long_text("python", 2_000))
    assert len(snapshot.text) > MAX_PARSED_CHARS
    offset = snapshot.text.index("        return width * 1060")
    known = tree(document, snapshot, offset)
    errors = []
    for said in ("x = 1\n", "x = (1\n", ""):
        edit = Edit(Span(offset, offset), " " * 8 + said)
        tried = document.tried(DocumentChange(snapshot, snapshot.edited(edit, 1), (edit,)), offset)
        again = with_edits(known, [edit], offset)
        assert tried is not None
        assert again is not None
        assert (tried.region, tried.data) == (again.region, again.data)
        assert tried.start == known.start
        errors.append(n_errors(tried, Span(offset - 100, offset + 100)))
    assert errors[0] == 0
    assert errors[1] > 0
    assert with_edits(known, [Edit(Span(offset, offset), "")], offset) is known
    assert document.of(snapshot, offset) is known


def test_what_is_tried_in_a_text_that_has_moved_on_is_tried_all_the_same() -> None:
    document = DocumentTree()
    first = snapshot_of(long_text("python"))
    offset = first.text.index("        return width * 60")
    tree(document, first, offset)
    edited(document, first, Edit(Span(offset, offset), "x"))
    edit = Edit(Span(offset, offset), "        y = 1\n")
    after = first.edited(edit, 1)
    tried = document.tried(DocumentChange(first, after, (edit,)), offset)
    assert tried is not None
    assert tried.text == after.of(tried.region or Span(0, 0))


def test_imports_are_known_far_from_them_and_followed_when_they_change() -> None:
    document = DocumentTree()
    snapshot = snapshot_of(long_text("python"))
    end = len(snapshot.text)
    first = [snapshot.of(span) for span in tree(document, snapshot, end).imports]
    assert first == ["import os", "from a import (\n    b,\n    c,\n)"]
    changed = edited(document, snapshot, Edit(Span(0, 9), "import sys as s"))
    again = tree(document, changed, len(changed.text))
    assert [changed.of(span) for span in again.imports] == ["import sys as s", first[1]]


def test_whoever_asks_without_a_cursor_gets_the_whole_tree_and_both_are_kept() -> None:
    document = DocumentTree()
    snapshot = snapshot_of(long_text("python"))
    region, whole = tree(document, snapshot, 20_000), tree(document, snapshot)
    assert region.region is not None
    assert whole.region is None
    assert whole.tree.root_node.end_byte == len(snapshot.text.encode())
    assert document.of(snapshot, 20_000) is region
    assert document.of(snapshot) is whole


def test_a_text_too_long_for_the_whole_tree_keeps_the_one_around_the_cursor() -> None:
    document = DocumentTree()
    snapshot = snapshot_of(long_text("python", 2_000))
    assert len(snapshot.text) > MAX_PARSED_CHARS
    around = tree(document, snapshot, 20_000)
    assert document.of(snapshot) is None
    assert document.of(snapshot, 20_000) is around


def test_a_whole_tree_that_takes_too_long_costs_the_one_around_the_cursor_nothing() -> None:
    document = DocumentTree(parse_seconds=0)
    snapshot = snapshot_of(long_text("python"))
    assert document.of(snapshot) is None
    document._parse_seconds = 60
    assert document.of(snapshot) is None
    assert document.of(snapshot, 20_000) is not None
