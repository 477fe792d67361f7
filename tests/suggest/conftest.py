"""Tests of the pipeline count the turns of the event loop, and a thread takes as many as it likes."""

from __future__ import annotations

import pytest

from devstral_ls.retrieval import retriever
from devstral_ls.testing.visibility import VisibilityAtOnce


@pytest.fixture(autouse=True)
def visibility_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retriever, "VisibilityCheck", VisibilityAtOnce)
