"""Excerpts around a cursor: from the workspace to the prompt, the same from key to key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from devstral_ls.generation import Text
from devstral_ls.languages.syntax import SyntaxTrees
from devstral_ls.settings import InlineSettings, PrivacySettings, Settings
from devstral_ls.suggest.inline import Suggester
from devstral_ls.suggest.related import Related
from devstral_ls.suggest.trace import InlineQuery, Reason
from devstral_ls.text import Snapshot
from devstral_ls.workspace.index import WorkspaceIndex
from tests.scripted_engine import ScriptedEngine
from tests.workspace.secret_formats import SECRETS
from tests.workspace.tree import write

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
        self.related = Related(WorkspaceIndex(answer_s=20.0))
        self.suggester = Suggester(self.engine, SyntaxTrees(), sleep=no_pause, related=self.related)
        self.reason = Reason.SHOWN
        self._version = 0

    def write(self, files: Mapping[str, str], settings: Settings | None = None) -> Desk:
        write(self.root, files)
        self.settings = settings or Settings()
        self.related.begin([self.root.as_uri()], self.settings)
        return self

    async def prompt(self, code: str, name: str = "a.py") -> str:
        """All text of the prompt for the cursor in ``code``; empty where nothing was asked."""
        self._version += 1
        uri = (self.root / name).as_uri()
        snapshot = Snapshot(uri, self._version, "python", code.replace("▮", ""))
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
    "settings", [Settings(inline=InlineSettings(excerpts=())), Settings(privacy=PrivacySettings(exclude=("shapes*",)))]
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
    desk.suggester.forget((desk.root / "private.py").as_uri())
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
