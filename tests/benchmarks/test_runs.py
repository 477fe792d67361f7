"""Whole runs over a real server and engine with a tiny random model: nothing it writes is good, all of it is counted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from benchmarks import holes, items, journal, replay
from benchmarks.rig import Bench
from benchmarks.variants import ARMS
from devstral_ls.testing.gguf_files import write_devstral_shaped
from devstral_ls.testing.interruptible import run_interruptible


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(journal, "RESULTS", tmp_path / "results")
    return Bench(str(write_devstral_shaped(tmp_path / "devstral.gguf")), slots=2)


def n_rows(folder: Path) -> int:
    return sum(path.read_text().count("\n") for path in (folder / "results" / "rows").glob("*.jsonl"))


async def test_holes_are_asked_once_and_what_is_kept_is_not_asked_again(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [*holes.chosen(["line", "span"], ["python"], 1), *holes.chosen(["quiet"], [], 1)]
    arms = [ARMS["ours"], ARMS["without healing"], ARMS["layout fim-spm-in-psm"]]
    result = await holes.run(bench, arms, asked)
    assert set(result["items"]) == {"ours", "without healing", "raw", "raw, cut", "llama.vim"}
    assert "layout fim-spm-in-psm: not a layout of" in capsys.readouterr().err
    assert result["groups"]["line"]["ours"]["pass"]["n"] == 1
    assert result["quiet"]["ours"]["n"] == 1
    header = result["header"]
    assert (header["batch"], header["context"], header["threads"], len(header["sha256"])) == (64, 4096, 1, 64)
    assert header["items"]["holes"] == items.digest(items.holes())
    kept = n_rows(tmp_path)
    again = await holes.run(bench, arms, asked)
    assert n_rows(tmp_path) == kept >= 3 + 3 + 2
    assert again["items"] == result["items"]
    assert json.loads((tmp_path / "results" / "holes.json").read_text())["items"] == result["items"]


async def test_a_file_is_typed_by_both_editors(bench: Bench, tmp_path: Path) -> None:
    result = await replay.run(bench, [ARMS["ours"]], items.replays()[:1], 12)
    assert set(result["arms"]) == {"ours", "llama.vim"}
    ours = result["arms"]["ours"]
    assert ours["keys_alone"] > 12
    assert sum(ours["reasons"].values()) >= ours["keys_alone"]
    assert "characters saved" in "\n".join(replay.table(result))
    assert n_rows(tmp_path) == 2


def test_a_signal_ends_a_run_and_its_end_is_tidy() -> None:
    tidy = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(30)
        finally:
            tidy.append(True)

    with pytest.raises(KeyboardInterrupt):
        run_interruptible(work())
    assert tidy
