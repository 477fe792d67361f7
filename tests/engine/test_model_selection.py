"""Which model ``auto`` takes, and what is said of those it passed over; what to use where one does not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devstral_ls.engine.model_selection import passed_over, wanted
from devstral_ls.engine.spec import EngineOptions, spec_of
from devstral_ls.engine.tuning.sizing import Machine, plan
from devstral_ls.errors import ModelNotFound, ModelTooBig
from devstral_ls.models import store
from devstral_ls.models.alternatives import smaller_model
from devstral_ls.models.gguf.header import read_header
from devstral_ls.platform.paths import Directories
from devstral_ls.testing import gguf_files

DEVSTRAL, STARTER, TINY = "devstral-small-2507", "starter", "tiny"


@pytest.fixture
def stocked(tmp_path: Path) -> Directories:
    """Three small files under the names of Devstral, the starter and the tiny model."""
    home = Directories(tmp_path / "data", tmp_path / "run", tmp_path / "settings.toml")
    for name in (DEVSTRAL, STARTER, TINY):
        path = gguf_files.write_header(tmp_path / f"{name}.gguf", {"general.name": name})
        store.import_file(home.models, path, name)
    return home


def measured(home: Directories, gpu_layers: int = 0, **rates: float) -> None:
    """Write the decode rates, by model name with underscores."""
    keys = {}
    for name, decode in rates.items():
        model = store.choose(home.models, name.replace("_", "-"))
        key = spec_of(model.path, model.name, EngineOptions(), home).file_key
        keys[f"{key}:1:{gpu_layers}:x"] = {"prefill": 50.0, "decode": decode}
    (home.data / "rates.json").write_text(json.dumps(keys))


def chosen(home: Directories, unfit: tuple[str, ...] = (), **options: object) -> tuple[str, str]:
    wishes = EngineOptions(**options)  # type: ignore[arg-type]
    keys = {
        spec_of(model.path, model.name, wishes, home).file_key
        for model in store.installed(home.models)
        if model.name in unfit
    }
    spec = wanted(wishes, home, keys)
    return spec.model_name, passed_over(spec, wishes, home, keys)


def test_devstral_is_the_best(stocked: Directories) -> None:
    assert chosen(stocked) == (DEVSTRAL, "")


def test_one_that_is_too_slow_here_is_passed_over(stocked: Directories) -> None:
    measured(stocked, devstral_small_2507=2.7, starter=28.0)
    assert chosen(stocked) == (STARTER, f" ({DEVSTRAL} takes 4.4 s for a line)")
    assert chosen(stocked, latency_budget_ms=1200) == (DEVSTRAL, "")
    assert chosen(stocked, model=DEVSTRAL) == (DEVSTRAL, "")


def test_a_rate_on_the_gpu_says_nothing_of_the_processor(stocked: Directories) -> None:
    measured(stocked, gpu_layers=-1, devstral_small_2507=2.7)
    assert chosen(stocked) == (DEVSTRAL, "")


def test_the_tiny_model_is_no_way_out(stocked: Directories) -> None:
    measured(stocked, devstral_small_2507=2.7, starter=1.0)
    assert chosen(stocked) == (DEVSTRAL, "")


def test_what_does_not_fit_is_passed_over(stocked: Directories) -> None:
    assert chosen(stocked, (DEVSTRAL,)) == (STARTER, f" ({DEVSTRAL} does not fit)")
    assert chosen(stocked, (DEVSTRAL, STARTER))[0] == TINY
    assert chosen(stocked, (DEVSTRAL, STARTER, TINY))[0] == DEVSTRAL


def test_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        wanted(EngineOptions(), Directories(tmp_path / "d", tmp_path / "r", tmp_path / "c"))


@pytest.mark.parametrize(
    ("available", "names"),
    [
        (None, "codestral-22b"),
        (16_000_000_000, "codestral-22b"),
        (8_000_000_000, "qwen2.5-coder-7b"),
        (2_000_000_000, "qwen2.5-coder-1.5b"),
        (1_000_000_000, "starter"),
        (100_000_000, None),
    ],
)
def test_the_catalogs_next_smaller_one(tmp_path: Path, available: int | None, names: str | None) -> None:
    said = smaller_model(tmp_path, 14_333_915_904, available)
    assert (f"model pull {names}" in said) if names else said == ""


def test_an_installed_one_comes_first(stocked: Directories) -> None:
    assert "Use 'devstral-small-2507', which is installed" in smaller_model(stocked.models, 10**9, None)


def test_a_refusal_names_the_next_smaller_one(stocked: Directories, devstral_shaped: Path) -> None:
    spec = spec_of(devstral_shaped, "m", EngineOptions(), stocked)
    with pytest.raises(ModelTooBig) as caught:
        plan(spec, read_header(devstral_shaped), Machine(2, 50_000_000), None)
    assert "needs" in caught.value.message
    assert caught.value.hint.startswith("Free some memory")
