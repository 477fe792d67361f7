"""The index over its process, as the server uses it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstral_ls.retrieval.index.workspace_index import IndexScope, WorkspaceIndex
from devstral_ls.uris import path_of
from tests.retrieval.tree import write

LONG_S = 20.0


@pytest.fixture
async def index() -> AsyncIterator[WorkspaceIndex]:
    made = WorkspaceIndex(answer_s=LONG_S)
    yield made
    await made.aclose()


async def walked(index: WorkspaceIndex) -> int:
    """The number of files in the table after the walk."""
    async with asyncio.timeout(LONG_S):
        while not (state := await index.state()).get("done"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return int(state["files"])


async def signature(index: WorkspaceIndex, name: str, importer: Path, *imports: str) -> str:
    answer = await index.find([name], importer.as_uri(), imports)
    return answer.definitions[0][2].signature if answer.definitions else ""


async def test_a_definition_is_found_through_an_import_and_by_its_name(index: WorkspaceIndex, tmp_path: Path) -> None:
    write(tmp_path, {"b.py": "def f(x: int):\n    '''Does it.'''\n", "a.py": ""})
    index.begin(IndexScope((str(tmp_path),)))
    assert await signature(index, "f", tmp_path / "a.py", "from b import f") == "def f(x: int): ..."
    assert await walked(index) == 2
    assert await signature(index, "f", tmp_path / "a.py") == "def f(x: int): ..."


async def test_unsaved_text_counts_while_it_is_open(index: WorkspaceIndex, tmp_path: Path) -> None:
    write(tmp_path, {"b.py": "def f(old): pass\n", "a.py": ""})
    index.begin(IndexScope((str(tmp_path),)))
    importing = (tmp_path / "a.py", "from b import f")
    index.opened((tmp_path / "b.py").as_uri(), "def f(new): pass\n")
    assert await signature(index, "f", *importing) == "def f(new): ..."
    index.closed((tmp_path / "b.py").as_uri())
    assert await signature(index, "f", *importing) == "def f(old): ..."
    write(tmp_path, {"b.py": "def f(changed, on, disk): pass\n", "c.py": "def g(): pass\n"})
    index.changed_on_disk([(tmp_path / name).as_uri() for name in ("b.py", "c.py")])
    assert await signature(index, "f", *importing) == "def f(changed, on, disk): ..."
    assert await signature(index, "g", tmp_path / "a.py") == "def g(): ..."


async def test_without_a_folder_there_is_no_process_and_no_answer(index: WorkspaceIndex, tmp_path: Path) -> None:
    write(tmp_path, {"b.py": "def f(): pass\n"})
    index.begin(IndexScope(()))
    assert await signature(index, "f", tmp_path / "a.py", "from b import f") == ""
    assert index.pid is None


async def test_other_settings_are_read_from_the_beginning(index: WorkspaceIndex, tmp_path: Path) -> None:
    write(tmp_path, {"secret/b.py": "def f(): pass\n", "a.py": ""})
    index.begin(IndexScope((str(tmp_path),)))
    assert await walked(index) == 2
    index.begin(IndexScope((str(tmp_path),), exclude=("secret",)))
    assert await walked(index) == 1
    assert await signature(index, "f", tmp_path / "a.py", "from secret.b import f") == ""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
async def test_a_process_that_dies_is_replaced_but_not_for_ever(index: WorkspaceIndex, tmp_path: Path) -> None:
    write(tmp_path, {"b.py": "def f(): pass\n", "a.py": ""})
    index.begin(IndexScope((str(tmp_path),)))
    await walked(index)
    killed: set[int] = set()
    async with asyncio.timeout(LONG_S):
        while len(killed) < 3:
            if index.pid is not None and index.pid not in killed and (await index.state()):
                killed.add(index.pid)
                os.kill(index.pid, signal.SIGKILL)
            await asyncio.sleep(0.01)
        while index.pid is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await signature(index, "f", tmp_path / "a.py", "from b import f") == ""


async def test_the_process_leaves_with_us(index: WorkspaceIndex, tmp_path: Path) -> None:
    index.begin(IndexScope((str(tmp_path),)))
    assert await walked(index) == 0
    pid = index.pid
    assert pid is not None
    await index.aclose()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_for_a_file_the_user_ignores_nothing_is_looked_up(index: WorkspaceIndex, tmp_path: Path) -> None:
    code = "def other(): pass\n"
    write(tmp_path, {".gitignore": "private/\n", "private/a.py": "", "b.py": "", "c.py": code})
    index.begin(IndexScope((str(tmp_path),)))
    for name, n_found in (("private/a.py", 0), ("b.py", 1)):
        answer = await index.find(["other"], (tmp_path / name).as_uri(), ["from c import other"], "python")
        assert len(answer.definitions) == n_found


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b%20c.py", "/a/b c.py"),
        ("untitled:Untitled-1", ""),
        ("https://example.org/a.py", ""),
        ("file://host/share/a.py", ""),
        ("file:///a%00b", ""),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="paths of POSIX")
def test_only_files_of_this_machine_have_a_path(uri: str, path: str) -> None:
    assert path_of(uri) == path


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
async def test_who_is_late_is_waited_for_once_until_it_answers_again(index: WorkspaceIndex, tmp_path: Path) -> None:
    write(tmp_path, {"b.py": "def f(): pass\n", "a.py": ""})
    importing = (tmp_path / "a.py", "from b import f")
    index.begin(IndexScope((str(tmp_path),)))
    assert await signature(index, "f", *importing)
    pid = index.pid
    assert pid is not None
    index._answer_s = 0.5
    os.kill(pid, signal.SIGSTOP)
    try:
        assert not (await index.find(["f"], importing[0].as_uri())).answered
        async with asyncio.timeout(0.4):
            assert not (await index.find(["f"], importing[0].as_uri())).answered
    finally:
        os.kill(pid, signal.SIGCONT)
    index._answer_s = LONG_S
    async with asyncio.timeout(LONG_S):
        while not await signature(index, "f", *importing):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_file_that_comes_to_be_ignored_is_not_told_of_any_more(index: WorkspaceIndex, tmp_path: Path) -> None:
    write(tmp_path, {"b.py": "def f(): pass\n", "a.py": ""})
    index.begin(IndexScope((str(tmp_path),)))
    importing = (tmp_path / "a.py", "from b import f")
    assert await signature(index, "f", *importing)
    write(tmp_path, {".gitignore": "b.py\n"})
    index.changed_on_disk([(tmp_path / ".gitignore").as_uri()])
    assert await signature(index, "f", *importing) == ""
