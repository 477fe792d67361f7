"""The one model that both libraries can run."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstral_ls.testing import gguf_files


@pytest.fixture(scope="session")
def spm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of random weights with a SentencePiece vocabulary."""
    return gguf_files.write_spm_llama(tmp_path_factory.mktemp("models") / "spm.gguf")


@pytest.fixture(autouse=True)
def _hub_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading the library switches the model hub off in the environment of its process, which here is that of all tests."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
