"""Excerpts around a cursor: from the workspace to the prompt, the same from key to key."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.code_context import SOURCES, Definition, Diagnostic
from devstral_ls.generation import Text
from devstral_ls.retrieval.document_context import MAX_FOUND
from devstral_ls.retrieval.index.workspace_index import IndexAnswer, WorkspaceIndex
from devstral_ls.retrieval.retriever import ContextRetriever
from devstral_ls.settings.tree import InlineSettings, PrivacySettings, Settings
from devstral_ls.suggest.pipeline import Suggester
from devstral_ls.suggest.trace import InlineQuery, Reason
from devstral_ls.testing.scripted_engine import ScriptedEngine
from devstral_ls.text import DocumentChange, Snapshot, Span, single_edit
from tests.retrieval.secret_formats import SECRETS
from tests.retrieval.tree import write

KEY = SECRETS["github"][1]
FILES = {
    "shapes.py": "def area(width: float, height: float) -> float:\n    return width * height\n",
    "lines.py": "def length(start: float, end: float) -> float:\n    return end - start\n",
    "keys.py": f"def connect(key: str = '{KEY}') -> None:\n    pass\n",
    ".gitignore": "private.py\n",
}


async def no_pause(_seconds: float) -> None:
    return


class Desk:
    """Documents of one workspace, and what the engine is asked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.engine = ScriptedEngine("1")
        self.use(ContextRetriever(WorkspaceIndex(answer_s=20.0), wait_s=20.0))
        self.settings = Settings()
        self.reason = Reason.SHOWN
        self._documents: dict[str, Snapshot] = {}

    def use(self, related: ContextRetriever) -> ContextRetriever:
        self.related = related
        self.suggester = Suggester(self.engine, related, sleep=no_pause)
        return related

    def write(self, files: Mapping[str, str], settings: Settings | None = None) -> Desk:
        write(self.root, files)
        self.settings = settings or Settings()
        self.related.begin([self.root.as_uri()], self.settings)
        return self

    def types(self, code: str, name: str = "a.py") -> Snapshot:
        """The document now reads as ``code`` does: the pipeline is told of the change, as by an editor."""
        uri, text = (self.root / name).as_uri(), code.replace("▮", "")
        before = self._documents.get(uri)
        if before is None:
            after = Snapshot(uri, 1, "python", text)
        else:
            edit = single_edit(before.text, text)
            after = before.edited(edit, before.version + 1)
            self.suggester.changed(DocumentChange(before, after, (edit,)))
        self._documents[uri] = after
        return after

    async def prompt(self, code: str, name: str = "a.py") -> str:
        """All text of the prompt for the cursor in ``code``; empty where nothing was asked."""
        snapshot = self.types(code, name)
        n_asked = len(self.engine.requests)
        outcome = await self.suggester.inline(InlineQuery(snapshot, code.index("▮"), invoked=True), self.settings)
        self.reason = outcome.trace.reason
        asked = self.engine.requests[n_asked:]
        return "".join(part.text for part in asked[0].prompt if isinstance(part, Text)) if asked else ""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    yield made
    await made.related.aclose()


AREA = "shapes.py\ndef area(width: float, height: float) -> float: ..."


async def test_the_signature_of_an_imported_function_is_shown(desk: Desk) -> None:
    assert AREA in await desk.write(FILES).prompt("from shapes import area\n\nx = area(▮)\n")


@pytest.mark.parametrize(
    "settings", [Settings(inline=InlineSettings(context=())), Settings(privacy=PrivacySettings(exclude=("shapes*",)))]
)
async def test_not_where_the_settings_say_no(settings: Settings, desk: Desk) -> None:
    shown = await desk.write(FILES, settings).prompt("from shapes import area\n\nx = area(▮)\n")
    assert shown.endswith("x = area(")
    assert "width" not in shown


async def test_typing_leaves_the_excerpts_as_they_are(desk: Desk) -> None:
    code = "from shapes import area\nfrom lines import length\n\ndef f():\n    x = ▮\n"
    heads = set()
    typed = "area(3, 4) + "
    desk.write(FILES)
    for n in range(len(typed)):
        shown = await desk.prompt(code.replace("▮", typed[:n] + "▮"))
        if shown:
            heads.add(shown.split("from shapes")[0])
    assert len(heads) == 1
    assert "def area(" in heads.pop()


async def test_a_symbol_that_comes_into_use_comes_into_the_prompt(desk: Desk) -> None:
    desk.write({**FILES, "many.py": "".join(f"def other_{n}(argument_{n}): pass\n" for n in range(200))})
    imports = "from shapes import area\nfrom many import " + ", ".join(f"other_{n}" for n in range(200)) + "\n\n"
    first = await desk.prompt(imports + "x = ▮\n")
    assert "argument_150" not in first
    assert "other_150(argument_150)" in await desk.prompt(imports + "x = other_150(▮)\n")


async def test_a_secret_in_another_file_stays_there(desk: Desk) -> None:
    shown = await desk.write(FILES).prompt("from keys import connect\n\nconnect(▮)\n")
    assert "def connect(key: str = 'xxxx" in shown
    assert KEY not in shown


async def test_a_secret_in_the_document_stays_there(desk: Desk) -> None:
    shown = await desk.write(FILES).prompt(f"KEY = '{KEY}'\nclient = ▮\n")
    assert KEY not in shown
    assert f"KEY = '{'x' * len(KEY)}'" in shown


async def test_nothing_is_asked_where_a_secret_is_typed(desk: Desk) -> None:
    assert await desk.write(FILES).prompt(f"KEY = '{KEY}▮\n") == ""
    assert desk.reason is Reason.SECRET


async def test_a_user_may_want_secrets_shown(desk: Desk) -> None:
    desk.write(FILES, Settings(privacy=PrivacySettings(redact_secrets=False)))
    assert KEY in await desk.prompt(f"KEY = '{KEY}'\nclient = ▮\n")


async def test_nothing_is_asked_in_an_ignored_file(desk: Desk) -> None:
    assert await desk.write(FILES).prompt("x = ▮\n", "private.py") == ""
    assert desk.reason is Reason.IGNORED
    desk.write(FILES, Settings(privacy=PrivacySettings(respect_ignore_files=False)))
    desk.suggester.closed((desk.root / "private.py").as_uri())
    assert await desk.prompt("x = ▮\n", "private.py")


async def test_the_subject_of_a_test_is_shown(desk: Desk) -> None:
    desk.write({**FILES, "test_shapes.py": ""})
    while not (await desk.related.index.state()).get("done"):  # type: ignore[union-attr]
        pass
    assert AREA in await desk.prompt("def test_area():\n    assert ▮\n", "test_shapes.py")


async def test_where_one_was_just_now_is_shown_but_not_of_ignored_files(desk: Desk) -> None:
    desk.write(FILES)
    await desk.prompt("colour = 'mauve'\nx = ▮\n", "b.py")
    await desk.prompt("colour = 'taupe'\nx = ▮\n", "private.py")
    shown = await desk.prompt("y = ▮\n")
    assert "b.py\ncolour = 'mauve'" in shown
    assert "taupe" not in shown


async def test_without_a_workspace_nothing_is_read(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    write(tmp_path, FILES)
    desk.settings = Settings()
    desk.related.begin([], desk.settings)
    shown = await desk.prompt("from shapes import area\n\nx = area(▮)\n")
    assert shown == "\nfrom shapes import area\n\nx = area(" or "width" not in shown
    assert desk.related.index is not None
    assert desk.related.index.pid is None


async def test_what_settings_or_ignore_files_forbid_later_leaves_the_prompt(desk: Desk) -> None:
    code = "from shapes import area\nfrom lines import length\n\nx = area(length(▮\n"
    shown = await desk.write(FILES).prompt(code)
    assert "width: float" in shown
    assert "start: float" in shown
    desk.write({}, Settings(privacy=PrivacySettings(exclude=("shapes*",))))
    shown = await desk.prompt(code.replace("▮", "1, ▮"))
    assert "width: float" not in shown
    assert "start: float" in shown
    desk.write({".gitignore": "lines.py\n"}, desk.settings)
    desk.related.changed_on_disk([(desk.root / ".gitignore").as_uri()])
    assert "start: float" not in await desk.prompt(code.replace("▮", "1, 2▮"))


async def test_an_ignored_file_stays_ignored_when_the_index_is_gone(desk: Desk) -> None:
    assert await desk.write(FILES).prompt("x = ▮\n", "private.py") == ""
    assert desk.related.index is not None
    await desk.related.index.aclose()
    assert await desk.prompt("import os\n\nxyz = xyw ▮\n", "private.py") == ""
    assert desk.reason is Reason.IGNORED


class SlowIndex(WorkspaceIndex):
    """Says at once what may be shown, and the names later."""

    def __init__(self) -> None:
        super().__init__()
        self.n_asked = 0
        self.go = asyncio.Event()

    async def find(self, names: Sequence[str], *_rest: Any, **_options: Any) -> IndexAnswer:
        self.n_asked += 1
        if self.n_asked == 1:
            return IndexAnswer()
        await self.go.wait()
        area = Definition("area", "function", "def area(width): ...", "", "/w/shapes.py", 0)
        return IndexAnswer(tuple(("imports", name, area) for name in names if name == "area"))


async def test_a_suggestion_does_not_wait_for_names_that_come_late(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    index = SlowIndex()
    related = desk.use(ContextRetriever(index, wait_s=0.0))
    assert await desk.prompt("x = ▮\n")
    asked = await desk.prompt("x = area(▮)\n")
    assert asked.endswith("x = area(")
    assert "width" not in asked
    index.go.set()
    await asyncio.gather(*related.asking)
    assert "def area(width)" in await desk.prompt("x = area(1, ▮)\n")
    assert index.n_asked == 2
    await related.aclose()


class EmptyIndex(WorkspaceIndex):
    """Knows no name but one."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def find(self, names: Sequence[str], *_rest: Any, **_options: Any) -> IndexAnswer:
        self.asked += names
        area = Definition("area", "function", "def area(width): ...", "", "/w/shapes.py", 0)
        return IndexAnswer(tuple(("names", name, area) for name in names if name == "area"))


async def test_names_that_were_typed_are_forgotten_in_the_end_but_not_those_around_the_cursor(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    index = EmptyIndex()
    related = desk.use(ContextRetriever(index, wait_s=20.0))
    n_names = 40
    for n in range(2 * MAX_FOUND // n_names):
        names = ", ".join(f"name_{n}_{i}" for i in range(n_names))
        assert "def area(width)" in await desk.prompt(f"x = area({names}▮)\n")
        results = [one.results for one in related._contexts if one.results is not None]
        assert [len(one.found) <= MAX_FOUND + n_names for one in results] == [True]
    assert len(index.asked) == len(set(index.asked)) > 1.9 * MAX_FOUND
    await related.aclose()


BASE = "class Painter:\n    def stroke(self, kind, size):\n        pass\n"
CIRCLE = """from base import Painter


class Circle(Painter):
    def paint(self, size):
        self.stroke("lift", 0)
        return self.stroke("circle", size)
"""
SQUARE = "from base import Painter\n\n\nclass Square(Painter):\n    def paint(self, size):\n        ▮\n"
PAINTERS = {"pad/base.py": BASE, "pad/circle.py": CIRCLE, "pad/square.py": SQUARE.replace("▮", ""),
            "other/oval.py": CIRCLE.replace("Circle", "Oval").replace("circle", "oval"),
            "pad/file.py": "class File:\n    def paint(self):\n        return 'not one of them'\n"}  # fmt: skip


async def seen(desk: Desk) -> None:
    """The index has seen all files."""
    assert desk.related.index is not None
    while not (await desk.related.index.state()).get("done"):
        pass


async def test_the_same_method_of_a_sibling_class_is_shown_whole(desk: Desk) -> None:
    await seen(desk.write(PAINTERS))
    shown = await desk.prompt(SQUARE, "pad/square.py")
    assert 'class Circle(Painter):\n    def paint(self, size):\n        self.stroke("lift", 0)\n' in shown
    assert "oval" not in shown, "another package"
    assert "not one of them" not in shown, "another kind of class"


async def test_a_class_without_methods_is_shown_those_of_its_siblings(desk: Desk) -> None:
    await seen(desk.write(PAINTERS))
    shown = await desk.prompt("from base import Painter\n\n\nclass Square(Painter):\n    ▮\n", "pad/square.py")
    assert "class Circle(Painter):\n    def paint(self, size): ..." in shown


async def test_siblings_can_be_switched_off(desk: Desk) -> None:
    others = tuple(source for source in SOURCES if source != "sibling")
    await seen(desk.write(PAINTERS, Settings(inline=InlineSettings(context=others))))
    assert "lift" not in await desk.prompt(SQUARE, "pad/square.py")


def long_class(n_methods: int) -> str:
    methods = "".join(
        f"    def method_{n}(self):\n        return self.part_{n} + {n}\n\n" + 20 * f"    part_{n} = {n}\n" + "\n"
        for n in range(n_methods)
    )
    return f"class Long:\n{methods}    def last(self):\n        ▮\n"


async def test_methods_of_the_class_that_the_window_does_not_reach_are_shown_and_no_others(desk: Desk) -> None:
    desk.write(FILES)
    code = long_class(60)
    shown = await desk.prompt(code)
    excerpt, window = shown.split("class Long:", 1)
    assert 1 <= excerpt.count("def method_") <= 3
    for number in re.findall(r"def method_(\d+)", excerpt):
        assert shown.count(f"def method_{number}(") == 1, "once, and not in the window again"
    assert "def method_59(" in window
    few = await desk.prompt(long_class(2), "few.py")
    assert few.count("def method_1(") == 1


async def test_a_secret_in_a_sibling_stays_there(desk: Desk) -> None:
    await seen(desk.write({**PAINTERS, "pad/circle.py": CIRCLE.replace("circle", KEY)}))
    shown = await desk.prompt(SQUARE, "pad/square.py")
    assert "class Circle(Painter):" in shown
    assert KEY not in shown


async def test_where_one_has_typed_without_asking_is_shown_but_not_of_ignored_or_closed_files(desk: Desk) -> None:
    desk.write(FILES)
    for name, colour in (("b.py", "mauve"), ("private.py", "taupe"), ("closed.py", "ochre")):
        desk.types("x = 1\n", name)
        desk.types(f"colour = '{colour}'\n", name)
    desk.suggester.closed((desk.root / "closed.py").as_uri())
    shown = await desk.prompt("y = ▮\n")
    assert "b.py\ncolour = 'mauve'" in shown
    assert "taupe" not in shown
    assert "ochre" not in shown


def said(desk: Desk, code: str, *words: str, name: str = "a.py") -> None:
    """A checker complains about each of the words."""
    snapshot = desk.types(code, name)
    at = [(snapshot.text.index(word), word) for word in words]
    desk.suggester.diagnosed(
        snapshot, [Diagnostic(Span(start, start + len(word)), "error", f"what is {word}?") for start, word in at]
    )


BROKEN = "def f(a):\n    b = nothing\n    ▮\n\n\ndef g():\n    return nowhere\n"


async def test_what_a_checker_says_of_the_cursors_function_stands_above_the_line_it_is_about(desk: Desk) -> None:
    desk.write(FILES)
    said(desk, BROKEN, "nothing", "nowhere")
    shown = await desk.prompt(BROKEN)
    assert "def f(a):\n    # error: what is nothing?\n    b = nothing\n" in shown
    assert "nowhere?" not in shown
    desk.settings = Settings(inline=InlineSettings(context=("imports",)))
    assert "# error" not in await desk.prompt(BROKEN.replace("(a)", "(a, b)"))


@pytest.mark.parametrize(
    ("now", "still"),
    [
        ("def f(a):\n    b = nothing\n    c = ▮\n", True),  # typing elsewhere
        ("import os\n\ndef f(a):\n    b = nothing\n    ▮\n", True),  # a line above: it moves
        ("def f(a):\n    b = nothing + 1\n    ▮\n", False),  # it may have been repaired
        ("def f(a):\n    ▮\n", False),
    ],
)
async def test_what_was_said_of_a_line_goes_when_the_line_changes(desk: Desk, now: str, still: bool) -> None:
    desk.write(FILES)
    said(desk, "def f(a):\n    b = nothing\n    ▮\n", "nothing")
    shown = await desk.prompt(now)
    assert ("    # error: what is nothing?\n    b = nothing\n" in shown) is still
    assert ("what is nothing?" in shown) is still


async def test_a_secret_in_what_a_checker_says_stays_there(desk: Desk) -> None:
    desk.write(FILES)
    code = f"def f():\n    log('{KEY}')\n    ▮\n"
    said(desk, code, KEY)
    shown = await desk.prompt(code)
    assert "# error: what is xxxx" in shown
    assert KEY not in shown
