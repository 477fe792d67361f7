"""The benchmark of the server's own time types what it says it types."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import own_time
from benchmarks.source import TYPED, around_a_method


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_the_method_is_typed_inside_a_class_in_the_middle(language: str) -> None:
    text, line = around_a_method(language, 2_000)
    lines = text.split("\n")
    assert abs(len(lines) - 2_000) < 100
    assert lines[line] == ""
    assert abs(line - 1_000) < 100
    above = next(one for one in reversed(lines[:line]) if one)
    assert above.startswith("  ")


async def test_each_key_is_asked_about_and_some_are_answered_from_memory(tmp_path: Path) -> None:
    text, line = around_a_method("python", 500)
    typed = TYPED["python"][:60]
    keys = await own_time.typed(tmp_path, own_time.Case("", "python", text, line, 0, typed))
    assert len(keys) == len(typed)
    assert {"shown", "typed-through"} <= {key.reason for key in keys}
    assert all(0 < key.ms < 60_000 for key in keys)
