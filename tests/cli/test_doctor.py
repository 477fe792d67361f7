"""What ``doctor`` finds: each check on its own, and the whole up to a real completion."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from devstral_ls.cli import doctor, doctor_checks, main
from devstral_ls.engine import rendezvous
from devstral_ls.engine.devices import Device
from devstral_ls.models import store
from devstral_ls.platform.paths import Directories
from devstral_ls.settings.tree import EngineSettings, ModelSettings, Settings
from devstral_ls.testing import gguf_files

GB = 10**9
CPU = Device("CPU", "a processor", "CPU", 8 * GB, 8 * GB)
GPU = Device("CUDA0", "a GPU", "GPU", 24 * GB, 24 * GB)


@pytest.fixture
def home(tmp_path: Path) -> Directories:
    return Directories(tmp_path / "data", tmp_path / "run", tmp_path / "settings.toml")


def test_a_missing_package_is_installed_by_its_own_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def version(name: str) -> str:
        if name == "aiohttp":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "version", version)
    for name in ("DATA_DIR", "RUNTIME_DIR", "CONFIG"):
        monkeypatch.setenv(f"DEVSTRAL_LS_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("DEVSTRAL_LS_OFFLINE", "1")
    main(["doctor", "--json"])
    found = [one for one in json.loads(capsys.readouterr().out) if one["check"] == "packages"]
    assert found[0]["hint"] == f"{sys.executable} -m pip install aiohttp"


@pytest.mark.parametrize(
    ("there", "backend", "verdict", "hint"),
    [
        (("llama.cpp", "ctransformers"), "auto", "ok", ""),
        (("llama.cpp",), "auto", "ok", ""),
        (("llama.cpp",), "ctransformers", "error", "pip install ctransformers"),
        (("ctransformers",), "auto", "warning", "pip install xllamacpp"),
        ((), "auto", "error", "pip install xllamacpp"),
    ],
)
def test_backends(
    there: tuple[str, ...], backend: str, verdict: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_checks, "is_installed", lambda name: name in there)
    monkeypatch.setattr(doctor_checks, "version", lambda name: "1.0")
    found = doctor_checks.backends(replace(Settings(), engine=EngineSettings(backend=backend)))  # type: ignore[arg-type]
    assert found.verdict == verdict
    assert hint in found.hint
    assert all(("1.0" in part) == (name in there) for name, part in zip(("llama.cpp", "ctransformers"), found.message.split(", "), strict=True))  # fmt: skip


@pytest.mark.parametrize(
    ("devices", "files", "verdict", "hint"),
    [
        (None, (), "error", "backends"),
        ([CPU], (), "ok", ""),
        ([CPU], ("proc/driver/nvidia/version",), "warning", "CUDA"),
        ([CPU], ("dev/kfd", "dev/dri/renderD128"), "warning", "ROCm"),
        ([CPU], ("dev/dri/renderD128",), "warning", "Vulkan"),
        ([CPU, GPU], ("proc/driver/nvidia/version",), "ok", ""),
    ],
)
def test_devices(
    devices: Sequence[Device] | None,
    files: tuple[str, ...],
    verdict: str,
    hint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor_checks.platform, "system", lambda: "Linux")
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = doctor_checks.gpus(devices, tmp_path)
    assert found.verdict == verdict
    assert hint in found.hint


def test_fit_and_rates(home: Directories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(doctor_checks.fit(Settings(), home, [CPU])) == []
    store.import_file(home.models, gguf_files.write_devstral_shaped(tmp_path / "m.gguf"), "mine")
    fit, rates = doctor_checks.fit(Settings(), home, [CPU, GPU])
    assert fit.verdict == "ok"
    assert "mine needs" in fit.message
    assert "24.0 GB of GPU memory" in fit.message
    assert "2 of 2 layers on the GPU" in fit.message
    assert "nothing measured" in rates.message
    monkeypatch.setattr(doctor_checks, "available_memory", lambda: 1_000_000)
    (refused,) = doctor_checks.fit(Settings(), home, [CPU])
    assert refused.verdict == "error"
    assert "0" in refused.message


def test_a_backend_that_cannot_run_the_model(home: Directories, tmp_path: Path) -> None:
    old = replace(Settings(), engine=EngineSettings(backend="ctransformers"))
    store.import_file(home.models, gguf_files.write_devstral_shaped(tmp_path / "m.gguf"), "mine")
    (refused,) = doctor_checks.fit(old, home, [CPU])
    assert "ctransformers cannot run" in refused.message
    store.remove(home.models, "mine")
    store.import_file(home.models, gguf_files.write_spm_llama(tmp_path / "spm.gguf"), "old")
    fit, _ = doctor_checks.fit(old, home, [CPU, GPU])
    assert "1 slots of 2048 tokens, 0 of 2 layers" in fit.message


def test_folders_and_disk(home: Directories, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor_checks.runtime_folder(home).message.endswith("(mode 0700)")
    monkeypatch.setattr(doctor_checks.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 10**9))
    assert doctor_checks.disk(home).verdict == "warning"
    monkeypatch.setattr(doctor_checks.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 6 * 10**9))
    assert "room for qwen2.5-coder-7b" in doctor_checks.disk(home).message
    home.runtime.rmdir()
    home.runtime.write_text("a file")
    assert doctor_checks.runtime_folder(home).verdict == "error"


@pytest.mark.parametrize("model", [None, "mine"])
def test_the_whole(
    model: str | None,
    home: Directories,
    devstral_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DEVSTRAL_LS_DATA_DIR", str(home.data))
    monkeypatch.setenv("DEVSTRAL_LS_RUNTIME_DIR", str(home.runtime))
    monkeypatch.setenv("DEVSTRAL_LS_CONFIG", str(home.config_file))
    if model:
        store.import_file(home.models, devstral_file, model)
    try:
        code = main(["doctor", "--json"])
    finally:
        rendezvous.stop(home)
    found = json.loads(capsys.readouterr().out)
    assert code == (0 if model else 3)
    assert found[-1]["check"] == ("completion" if model else "engine")
    broken = [finding["check"] for finding in found if finding["verdict"] == "error"]
    assert broken == ([] if model else ["model"])
    assert {"backends", "devices", "disk", "runtime", "memory"} <= {finding["check"] for finding in found}


@pytest.fixture
def devstral_file(tmp_path: Path) -> Path:
    return gguf_files.write_devstral_shaped(tmp_path / "devstral.gguf")


def test_the_inspection_is_json_and_text(devstral_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "inspect", str(devstral_file)]) == 0
    shown = capsys.readouterr().out
    assert "llama.cpp = can, ctransformers = cannot (it takes a head's size to be width / heads" in shown
    assert "prefix = [PREFIX] (14), suffix = [SUFFIX] (16)" in shown
    assert main(["model", "inspect", str(devstral_file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["engines"]["llama.cpp"]["can"] is True


def test_what_a_file_says_of_itself_does_nothing_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\u202eevil\x1b]0;title\x07\r\nline"
    keys = {"general.name": evil, "general.architecture": evil, "tokenizer.ggml.model": evil}
    vocabulary = [("<s>", gguf_files.CONTROL), (evil, gguf_files.CONTROL)]
    path = gguf_files.write_header(tmp_path / "m.gguf", keys, vocabulary=vocabulary)
    assert main(["model", "inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("evil") > 2
    assert all(line.isprintable() for line in shown.split("\n"))


def test_a_chosen_model_that_is_not_there(home: Directories) -> None:
    settings = replace(Settings(), model=ModelSettings(name="nowhere"))
    assert list(doctor_checks.fit(settings, home, [CPU])) == []
