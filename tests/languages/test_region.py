"""Long documents are parsed in part: what is said of a cursor is what the whole tree says."""

from __future__ import annotations

import pytest

from devstral_ls.languages.scopes.tree import scope_at
from devstral_ls.languages.syntax.region import AFTER, BEFORE, WHOLE_CHARS, region_around
from devstral_ls.languages.syntax.tree import MAX_PARSED_CHARS, Syntax, SyntaxTrees, n_errors
from devstral_ls.languages.table import language_of
from devstral_ls.text import Edit, Snapshot, Span

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


def tree(trees: SyntaxTrees, snapshot: Snapshot, offset: int | None = None) -> Syntax:
    found = trees.tree(snapshot, offset)
    assert found is not None
    return found


def snapshot_of(text: str, language: str = "python", version: int = 1) -> Snapshot:
    return Snapshot("file:///a", version, language, text)


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_the_part_says_of_each_cursor_what_the_whole_tree_says(language: str) -> None:
    snapshot = snapshot_of(long_text(language), language)
    whole, parts = tree(SyntaxTrees(), snapshot), SyntaxTrees()
    assert len(snapshot.text) > 2 * WHOLE_CHARS
    for offset in range(0, len(snapshot.text), 97):
        part = tree(parts, snapshot, offset)
        assert part.part is not None
        assert scope_at(part, snapshot, offset) == scope_at(whole, snapshot, offset)


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_a_part_is_small_and_has_what_is_near_the_cursor(language: str) -> None:
    text = long_text(language)
    for offset in range(0, len(text), 997):
        part = region_around(text, offset, language_of(language, ""))
        assert part is not None
        assert part.start <= max(0, offset - BEFORE)
        assert part.end >= min(len(text), offset + AFTER) - 20  # a decorator that goes with what is behind
        assert len(part) < BEFORE + AFTER + 2_000
        assert text.startswith(("import", "@dataclass", "def free", "export class", "function"), part.start)


@pytest.mark.parametrize("text", [long_text("python", 10), "x = 1\n" * 20_000, "x" * 200_000])
def test_a_short_text_and_one_without_definitions_have_no_part(text: str) -> None:
    assert region_around(text, len(text) // 2, language_of("python", "")) is None


def test_typing_gives_the_tree_that_a_fresh_parse_gives() -> None:
    trees = SyntaxTrees()
    snapshot = snapshot_of(long_text("python"))
    offset = snapshot.text.index("        return width * 60")
    for version, c in enumerate('        if é(width, [1, {"a": """x\n', 2):
        snapshot = snapshot.edited(Edit(Span(offset, offset), c), version)
        offset += 1
        found = tree(trees, snapshot, offset)
        assert found.text == snapshot.of(found.part or Span(0, 0))
        fresh = tree(SyntaxTrees(), snapshot_of(found.text))
        assert str(found.tree.root_node) == str(fresh.tree.root_node)


def test_an_open_bracket_is_seen_in_the_part_as_in_the_whole() -> None:
    text = long_text("python")
    offset = text.index("        return width * 60")
    broken = snapshot_of(text[:offset] + "        f(\n" + text[offset:])
    scope = scope_at(tree(SyntaxTrees(), broken, offset + 10), broken, offset + 10)
    assert [one.name for one in scope.scopes] == ["Größe60", "area"]


def test_what_is_tried_is_tried_in_the_same_part() -> None:
    trees = SyntaxTrees()
    snapshot = snapshot_of(long_text("python", 2_000))
    assert len(snapshot.text) > MAX_PARSED_CHARS
    offset = snapshot.text.index("        return width * 1060")
    known = tree(trees, snapshot, offset)
    errors = []
    for said in ("x = 1\n", "x = (1\n", ""):
        found = trees.tried(snapshot.edited(Edit(Span(offset, offset), " " * 8 + said), 1), offset)
        assert found is not None
        assert found.start == known.start
        errors.append(n_errors(found, Span(offset - 100, offset + 100)))
    assert errors[0] == 0
    assert errors[1] > 0
    assert trees.tried(snapshot, offset) is known


def test_imports_are_known_far_from_them_and_followed_when_they_change() -> None:
    trees = SyntaxTrees()
    snapshot = snapshot_of(long_text("python"))
    end = len(snapshot.text)
    first = [snapshot.of(span) for span in tree(trees, snapshot, end).imports]
    assert first == ["import os", "from a import (\n    b,\n    c,\n)"]
    changed = snapshot.edited(Edit(Span(0, 9), "import sys as s"), 2)
    again = tree(trees, changed, end)
    assert [changed.of(span) for span in again.imports] == ["import sys as s", first[1]]


def test_whoever_asks_without_a_cursor_gets_the_whole_tree() -> None:
    trees = SyntaxTrees()
    snapshot = snapshot_of(long_text("python"))
    assert tree(trees, snapshot, 20_000).part is not None
    assert tree(trees, snapshot).part is None
    assert tree(trees, snapshot).tree.root_node.end_byte == len(snapshot.text.encode())
