"""No document's text in another's answer: the short run of ``benchmarks/canary.py``, and that it would notice."""

from __future__ import annotations

from pathlib import Path

from benchmarks import canary


async def test_no_slot_leaks_into_another(tmp_path: Path) -> None:
    found = await canary.watch(tmp_path, 200)
    assert not found.problems
    assert found.asked == 200
    assert found.left > 20
    assert found.resumed > 20
    assert found.cached > 300
    assert found.letters > 400


async def test_a_leak_would_be_noticed(tmp_path: Path) -> None:
    found = await canary.watch(tmp_path, 60, leak=6)
    assert len(found.problems) >= found.leaks_made // 2 > 0
