"""What fuzzing has found, played and read again: sessions as JSON, files by their kind, see ``found/``."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstral_ls.testing.fuzz import found_sessions
from devstral_ls.testing.fuzz.files.kind import MOST_SECONDS
from devstral_ls.testing.fuzz.files.kinds import KINDS
from tests.fuzz.timing import processor_seconds

SESSIONS = sorted(found_sessions.FOLDER.glob("*.json"))
FILES = sorted(path for path in found_sessions.FOLDER.glob("*/*") if path.is_file())


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_a_session_that_broke_a_promise_keeps_it(path: Path) -> None:
    assert found_sessions.replayed(found_sessions.load(path)) == ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_that_broke_its_reader_is_read(path: Path, tmp_path: Path) -> None:
    read = KINDS[path.parent.name].reader(tmp_path)
    with processor_seconds() as spent:
        assert read(path.read_bytes())
    assert spent() < MOST_SECONDS


def test_there_is_something_of_each_sort() -> None:
    assert SESSIONS
    assert FILES
    assert {path.parent.name for path in FILES} <= set(KINDS)
