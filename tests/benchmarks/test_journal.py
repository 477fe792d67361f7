"""What was paid for is found again, and only by what it depends on."""

from __future__ import annotations

from pathlib import Path

from benchmarks.journal import Journal, code_digest, digest


def test_rows_are_found_by_a_later_run_but_for_one_that_was_cut_in_two(tmp_path: Path) -> None:
    journal = Journal("ours", {"model": "a"}, tmp_path)
    journal.add("one", {"text": "ä"})
    with journal.path.open("a", encoding="utf-8") as file:
        file.write('{"key": "two", "te')
    later = Journal("ours", {"model": "a"}, tmp_path)
    assert later.get("one") == {"key": "one", "text": "ä"}
    assert "two" not in later
    assert "one" not in Journal("ours", {"model": "b"}, tmp_path)


def test_a_digest_changes_with_the_code(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\n")
    before = code_digest(tmp_path)
    assert code_digest(tmp_path) == before
    file.write_text("x = 2\n")
    assert code_digest(tmp_path) != before
    assert digest("a", "b") != digest("ab")
