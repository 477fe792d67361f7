"""A few holes with a real, tiny model: what is measured makes sense and is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstral_ls.calibration import measurement
from devstral_ls.calibration.cases import holes
from devstral_ls.calibration.check import check
from devstral_ls.engine import rendezvous
from devstral_ls.engine.spec import EngineOptions
from devstral_ls.engine.switch import ConfiguredEngine
from devstral_ls.engine.tuning.calibration import read_calibrated
from devstral_ls.platform.paths import Directories
from devstral_ls.settings.tree import Settings


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Directories]:
    found = Directories(tmp_path / "data", tmp_path / "run", tmp_path / "settings.toml")
    yield found
    rendezvous.stop(found)


async def test_a_real_model_is_measured_and_used(home: Directories, tiny_model: Path) -> None:
    options = EngineOptions(str(tiny_model), slots=1, context_tokens=1024)
    engine = ConfiguredEngine(options, home)
    engine.start()
    try:
        await engine.ready()
        subject = engine.subject
        assert subject is not None
        found = (await measurement.calibrate(engine, subject, cases=holes()[:3])).result
        engine.recalibrated()
        assert found is not None
        assert found == read_calibrated(subject.file)
        assert set(found.layouts) == {"chat-prefill", "left-to-right"}
        assert 0.01 < found.token_ms < 1000
        assert 0.1 < found.decode_ms < 2000
        assert engine.model is not None
        assert engine.model.layouts == found.layouts
        checked = await check(engine, Settings())
        assert checked.n_new > engine.model.prompt_budget / 2
    finally:
        await engine.aclose()
