"""The engine's own parameters."""

from __future__ import annotations

import pytest

from devstral_ls.engine.daemon.backends.llama_cpp import draft_tokens


@pytest.mark.parametrize(
    ("batch", "slots", "n_draft"),
    [(512, 4, 16), (68, 4, 16), (64, 4, 15), (32, 4, 7), (16, 4, 0), (8, 1, 7), (4, 1, 0)],
)
def test_the_drafts_of_all_slots_fit_into_one_batch(batch: int, slots: int, n_draft: int) -> None:
    assert draft_tokens(batch, slots) == n_draft
    assert slots * (1 + n_draft) <= batch
