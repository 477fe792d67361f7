"""Folders for real engines, which are all stopped at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstral_ls.engine import rendezvous
from devstral_ls.platform.paths import Directories
from devstral_ls.testing import gguf_files


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Directories]:
    """Folders of a user of their own; no engine in them outlives the test."""
    found = Directories(tmp_path / "data", tmp_path / "run", tmp_path / "settings.toml")
    yield found
    rendezvous.stop(found)
    assert not rendezvous.engines(found)


@pytest.fixture(scope="session")
def devstral_shaped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights with Devstral's shape and vocabulary; loads in a moment and never ends by itself."""
    return gguf_files.write_devstral_shaped(tmp_path_factory.mktemp("models") / "devstral-shaped.gguf")
