"""Whether a model fits, and what is said if it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from devstral_ls.errors import ModelTooBig
from devstral_ls.models.gguf.header import GgufHeader, read_header
from devstral_ls.models.memory import available_memory, check_fit, memory_needed, total_memory
from devstral_ls.testing import gguf_files


@pytest.fixture
def devstral(tmp_path: Path) -> GgufHeader:
    """A header with the numbers of Devstral Small in Q4_K_M."""
    small = read_header(gguf_files.write_devstral_shaped(tmp_path / "m.gguf"))
    return replace(
        small,
        weights_bytes=14_326_000_000,
        kv_heads_total=320,
        head_dim=128,
        head_dim_v=128,
        n_embd=5120,
        n_vocab=131072,
    )


def test_weights_cache_and_buffers_are_counted(devstral: GgufHeader) -> None:
    fit = memory_needed(devstral, 4096, n_slots=2)
    assert fit.weights == 14_326_000_000
    assert fit.kv == 163_840 * 4096 * 2
    assert 100_000_000 < fit.compute < 1_000_000_000
    assert fit.total == fit.weights + fit.kv + fit.compute


def test_a_quantised_cache_takes_less(devstral: GgufHeader) -> None:
    assert memory_needed(devstral, 4096, kv_type="q8_0").kv == 163_840 * 4096 * 34 // 64


def test_what_fits_is_said_in_numbers(devstral: GgufHeader) -> None:
    assert check_fit(devstral, 8192, available_bytes=24_000_000_000).total < 24_000_000_000


def test_devstral_does_not_fit_eight_gigabytes(devstral: GgufHeader) -> None:
    with pytest.raises(ModelTooBig) as caught:
        check_fit(devstral, 8192, available_bytes=8_000_000_000)
    assert caught.value.message.startswith("the model needs 16.")
    assert "weights 14.3 GB" in caught.value.message
    assert "but 8.0 GB is available" in caught.value.message
    assert caught.value.hint == "Use a model file below 6.8 GB, or free some memory."


def test_a_shorter_context_is_proposed_where_that_helps(devstral: GgufHeader) -> None:
    with pytest.raises(ModelTooBig) as caught:
        check_fit(devstral, 32768, available_bytes=18_000_000_000)
    proposed = int(caught.value.hint.split("model.contextTokens to ")[1].split()[0])
    assert 1024 <= proposed < 32768
    check_fit(devstral, proposed, available_bytes=18_000_000_000)


def test_hardly_any_memory(devstral: GgufHeader) -> None:
    with pytest.raises(ModelTooBig) as caught:
        check_fit(devstral, 1024, available_bytes=50_000_000)
    assert caught.value.hint.startswith("Free some memory")


def _machine(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.fixture(autouse=True)
def system(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = SimpleNamespace(total=32_768_000_000, available=16_384_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)


def test_available_memory_is_the_systems(tmp_path: Path) -> None:
    assert available_memory(tmp_path) == 16_384_000_000
    assert total_memory(tmp_path) == 32_768_000_000


def test_the_tightest_control_group_around_us_counts(tmp_path: Path) -> None:
    groups = {
        "proc/self/cgroup": "0::/user/box\n",
        "sys/fs/cgroup/user/box/memory.max": "max\n",
        "sys/fs/cgroup/user/box/memory.current": "5\n",
        "sys/fs/cgroup/user/memory.max": "4000000000\n",
        "sys/fs/cgroup/user/memory.current": "3000000000\n",
        "sys/fs/cgroup/user/memory.stat": "anon 1\ninactive_file 500000000\n",
        "sys/fs/cgroup/memory.max": "8000000000\n",
        "sys/fs/cgroup/memory.current": "1000000000\n",
    }
    machine = _machine(tmp_path, groups)
    assert available_memory(machine) == 1_500_000_000
    assert total_memory(machine) == 4_000_000_000


def test_this_machine_has_some_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert 1_000_000 < available_memory() <= total_memory()
