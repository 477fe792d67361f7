"""Fetching with the real ``huggingface_hub``, from a hub on loopback that breaks off and lies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devstral_ls.errors import ModelCorrupt, ModelError
from devstral_ls.models import store
from devstral_ls.models.catalog import CatalogModel, HubSource
from devstral_ls.models.download.pull import fetch
from devstral_ls.models.download.pull_progress import ignore_progress
from devstral_ls.testing import gguf_files
from tests.models.local_hub import LocalHub

pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")

SIZE = 24 << 20
"""The library writes pieces of 10 MB: less would leave nothing to go on with."""
BREAK = 15 << 20


@pytest.fixture
def local_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    header = gguf_files.write_header(tmp_path / "original.gguf", {}).read_bytes()
    content = header + bytes(range(256)) * ((SIZE - len(header)) // 256)
    with LocalHub("somebody/some-model/some.gguf", content) as found:
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield found


@pytest.fixture
def model(local_hub: LocalHub) -> CatalogModel:
    return CatalogModel(
        name="some",
        title="Some",
        file="some.gguf",
        size=len(local_hub.content),
        sha256=hashlib.sha256(local_hub.content).hexdigest(),
        licence="MIT",
        description="",
        sources=(HubSource("somebody/some-model", "some.gguf"),),
    )


def test_an_interrupted_download_is_gone_on_with(tmp_path: Path, local_hub: LocalHub, model: CatalogModel) -> None:
    models = tmp_path / "models"
    local_hub.breaks_at = BREAK
    with pytest.raises(ModelError):
        fetch(models, model, ignore_progress)
    assert store.installed(models) == []  # nothing half-written is ever a model
    local_hub.breaks_at = None
    local_hub.begun_at.clear()
    found = fetch(models, model, ignore_progress)
    assert found.path.read_bytes() == local_hub.content
    assert min(local_hub.begun_at) > 0  # what was there was not asked for again


def test_damaged_content_is_refused_and_thrown_away(tmp_path: Path, local_hub: LocalHub, model: CatalogModel) -> None:
    models = tmp_path / "models"
    whole = local_hub.content
    local_hub.content = whole[:-1] + b"!"
    with pytest.raises(ModelCorrupt, match="does not have the sum it should have"):
        fetch(models, model, ignore_progress)
    assert store.installed(models) == []
    local_hub.content = whole
    assert fetch(models, model, ignore_progress).path.read_bytes() == whole


def test_content_that_is_not_what_the_hub_itself_says_is_refused(
    tmp_path: Path, local_hub: LocalHub, model: CatalogModel
) -> None:
    local_hub.content = local_hub.content[:-1] + b"!"
    unpinned = replace(model, sources=(HubSource("somebody/some-model", "some.gguf", is_pinned=False),))
    with pytest.raises(ModelCorrupt):
        fetch(tmp_path / "models", unpinned, ignore_progress)


def test_a_file_the_hub_does_not_have_is_one_clear_line(
    tmp_path: Path, local_hub: LocalHub, model: CatalogModel
) -> None:
    missing = replace(model, sources=(HubSource("somebody/some-model", "other.gguf"),))
    with pytest.raises(ModelError, match=r"the hub does not give it: .*404"):
        fetch(tmp_path / "models", missing, ignore_progress)
