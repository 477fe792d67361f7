"""The index's work between questions, without its process: who asks never waits for what has changed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.languages.symbols import Outline
from devstral_ls.retrieval.index.index_process import CHANGED_S, WORK_S, IndexProcess
from tests.retrieval.tree import write

N = 1000
STEP_S = 0.002
"""What reading a file takes, for the host's clock."""


class Reading:
    """A host whose clock goes on by ``STEP_S`` with each file that is read."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.n_read = 0
        self.host = IndexProcess(lambda: self.n_read * STEP_S)
        self.root = root
        self.host.take({"do": "begin", "folders": [str(root)], "exclude": (), "respect": True})
        self.finish()
        outline: Callable[[str], Outline] = self.host.library.outline

        def counted(path: str) -> Outline:
            self.n_read += 1
            return outline(path)

        monkeypatch.setattr(self.host.library, "outline", counted)

    def finish(self) -> int:
        """Work until nothing is left; in how many pieces."""
        for n in itertools.count():
            if self.host.is_done:
                return n
            self.host.work()
        raise AssertionError

    def change(self, *names: str) -> None:
        self.host.take({"do": "changed", "paths": [str(self.root / name) for name in names]})

    def find(self, name: str) -> list[Any]:
        question = {"do": "find", "path": str(self.root / "a.py"), "names": [name], "imports": [], "language": ""}
        answer = self.host.take({**question, "counterpart": False})
        assert answer is not None
        return list(answer["found"])


@pytest.fixture
def reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reading:
    write(tmp_path, {"a.py": ""})
    return Reading(tmp_path, monkeypatch)


def test_a_thousand_changed_files_are_read_in_pieces_between_questions(reading: Reading) -> None:
    names = [f"m{n}.py" for n in range(N)]
    write(reading.root, {name: f"def f{n}(): pass\n" for n, name in enumerate(names)})
    reading.change(*names)
    assert reading.n_read == 0
    assert len(reading.find(f"f{N - 1}")) == 1
    a_question = reading.n_read
    assert a_question <= CHANGED_S / STEP_S + 1 + 1  # one more for the answer itself
    reading.host.work()
    assert reading.n_read - a_question <= WORK_S / STEP_S + 1
    assert reading.finish() >= (N * STEP_S / WORK_S) / 2
    assert [len(reading.find(f"f{n}")) for n in (0, N // 2)] == [1, 1]


def test_the_last_change_is_known_to_the_next_question_however_slow_reading_is(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devstral_ls.retrieval.index.index_process.CHANGED_S", 0.0)
    write(reading.root, {"b.py": "def g(): pass\n", "c.py": "def h(): pass\n"})
    reading.change("b.py", "c.py", "b.py")
    assert len(reading.find("g")) == 1
    assert not reading.host.is_done
    assert len(reading.find("h")) == 1
    assert reading.host.is_done


def test_opened_documents_are_looked_into_between_questions_too(reading: Reading) -> None:
    for n in range(500):
        reading.host.take({"do": "open", "path": str(reading.root / f"n{n}.py"), "text": f"def o{n}(): pass\n"})
    assert reading.n_read == 0
    assert not reading.host.is_done
    reading.finish()
    assert len(reading.find("o0")) == 1


def test_a_file_that_may_not_be_read_is_not_in_the_table(reading: Reading) -> None:
    write(reading.root, {".gitignore": "secret.py\n", "secret.py": "def s(): pass\n"})
    reading.change(".gitignore", "secret.py")
    n_files = reading.host.names.n_files
    assert reading.find("s") == []
    assert (reading.host.names.n_files, reading.n_read) == (n_files, 0)


def test_another_scope_forgets_what_was_to_be_read(reading: Reading, tmp_path: Path) -> None:
    reading.change("a.py")
    reading.host.take({"do": "begin", "folders": [str(tmp_path / "none")], "exclude": (), "respect": True})
    reading.finish()
    assert reading.n_read == 0
