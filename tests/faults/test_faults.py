"""Every fault of the table, once: a real server, a real engine, and what the user sees. ``tests.faults.measure`` has the times."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from devstral_ls.testing import gguf_files
from tests.faults.fault import Fault, suffer
from tests.faults.setting import Stages
from tests.faults.stage import PATIENCE_S
from tests.faults.table import FAULTS

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stages(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stages]:
    folder = tmp_path_factory.mktemp("faults")
    made = Stages(folder, gguf_files.write_qwen_fim(folder / "model.gguf"))
    yield made
    await made.aclose()


def in_order() -> list[Fault]:
    """Those together that can have a stage together."""
    return sorted(FAULTS, key=lambda fault: fault.setting.name)


@pytest.mark.parametrize("fault", in_order(), ids=lambda fault: fault.name)
async def test_it_is_as_promised_and_works_again(fault: Fault, stages: Stages) -> None:
    if why_not := fault.needs():
        pytest.skip(why_not)
    assert await suffer(fault, await stages.stage(fault)) < PATIENCE_S
