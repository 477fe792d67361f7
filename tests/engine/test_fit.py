"""Which models of the catalog fit a machine, and which one is recommended."""

from __future__ import annotations

import pytest

from devstral_ls.engine.devices import Memory
from devstral_ls.engine.fit import fits, recommended
from devstral_ls.models.catalog import MODELS

GB = 10**9


@pytest.mark.parametrize(
    ("ram", "gpu", "expected", "name"),
    [
        (8 * GB, 0, False, "starter"),
        (24 * GB, 0, True, "starter"),
        (8 * GB, 24 * GB, True, "devstral-small-2507"),
        (None, 8 * GB, None, "starter"),
    ],
)
def test_a_model_fits_by_memory_and_is_recommended_for_the_gpu(
    ram: int | None, gpu: int, expected: bool | None, name: str
) -> None:
    memory = Memory(ram, gpu)
    assert fits(MODELS["devstral-small-2507"], memory) is expected
    assert recommended(memory) == name
