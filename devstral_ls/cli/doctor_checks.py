"""The checks of ``doctor`` on backends, GPUs, memory, rates, folders and disk."""

from __future__ import annotations

import os
import platform
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from devstral_ls.engine.daemon.backends.table import backend_of, is_installed
from devstral_ls.engine.devices import Device
from devstral_ls.engine.model_selection import passed_over, wanted
from devstral_ls.engine.runtime_dir import private_folder
from devstral_ls.engine.spec import EngineOptions
from devstral_ls.engine.tuning import sizing
from devstral_ls.engine.tuning.rates import Rates
from devstral_ls.errors import EngineUnavailable, ModelError
from devstral_ls.models.catalog import MODELS
from devstral_ls.models.gguf.header import GgufHeader, read_header
from devstral_ls.models.memory import available_memory, gigabytes
from devstral_ls.models.runners import CTRANSFORMERS, LLAMA_CPP, RUNNERS, check_runner
from devstral_ls.platform.paths import Directories
from devstral_ls.settings.tree import Settings

Verdict = Literal["ok", "warning", "error"]

_LITTLE_DISK = 2_000_000_000
"""Bytes of free space below which a small model barely fits."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the report."""

    check: str
    verdict: Verdict
    message: str
    hint: str = ""


def backends(settings: Settings) -> CheckResult:
    """The installed libraries that can run a model."""
    installed = [name for name in RUNNERS if is_installed(name)]
    versions = ", ".join(
        f"{name} ({RUNNERS[name].module} {version(RUNNERS[name].module)})"
        if name in installed
        else f"{name}: not installed"
        for name in RUNNERS
    )
    chosen = settings.engine.backend
    needed = LLAMA_CPP if chosen == "auto" else chosen
    if needed in installed:
        return CheckResult("backends", "ok", f"{versions}; engine.backend is {chosen}")
    return CheckResult(
        "backends", "error" if chosen != "auto" or not installed else "warning", versions, RUNNERS[needed].install
    )


def gpus(devices: Sequence[Device] | None, root: Path = Path("/")) -> CheckResult:
    """The devices that llama.cpp sees, and the wheel that this machine could use. ``root`` contains ``dev`` and ``proc``."""
    if devices is None:
        return CheckResult("devices", "error", "llama.cpp cannot list its devices", "See the line on backends.")
    shown = ", ".join(f"{device.description} ({device.kind}, {gigabytes(device.total)})" for device in devices)
    wheel = usable_wheel(root)
    if wheel and not any(device.is_gpu for device in devices):
        hint = f"This wheel of xllamacpp cannot use the GPU of this machine: install its {wheel} wheel (see xllamacpp's README)."
        return CheckResult("devices", "warning", shown, hint)
    return CheckResult("devices", "ok", shown or "none")


def usable_wheel(root: Path = Path("/")) -> str:
    """The kind of xllamacpp wheel for the GPU of this machine; empty if there is no GPU, or the default wheel has it."""
    if platform.system() == "Darwin":
        return ""  # the default wheel has Metal
    if (root / "proc/driver/nvidia/version").exists() or (root / "dev/nvidiactl").exists():
        return "CUDA"
    if (root / "dev/kfd").exists():
        return "ROCm"
    if any((root / "dev/dri").glob("renderD*")):
        return "Vulkan"
    return ""


def fit(settings: Settings, folders: Directories, devices: Sequence[Device] | None) -> Iterator[CheckResult]:
    """The memory plan of the model that would be loaded, and its measured rates."""
    options = EngineOptions.of(settings)
    try:
        spec = wanted(options, folders)
        header = read_header(Path(spec.model_path))
    except ModelError:
        return  # reported by the check of the model
    machine = _machine(devices)
    rates = Rates(folders.data / "rates.json")
    try:
        if backend_of(spec) == CTRANSFORMERS:
            check_runner(CTRANSFORMERS, header)
            plan = sizing.plan(replace(spec, slots=1, gpu_layers=0), header, machine, None, kv_types=("f16",))
        else:
            plan = sizing.plan(spec, header, machine, None)
    except ModelError as error:
        yield CheckResult("fit", "error", error.message, error.hint)
        return
    yield CheckResult("fit", "ok", _plan_in_words(spec.model_name, header, plan, machine))
    if passed := passed_over(spec, options, folders):
        yield CheckResult("fit", "warning", f"{spec.model_name} was chosen{passed}", "Set model.name to have another.")
    rate = rates.of_file(spec.file_key)
    if rate is None:
        yield CheckResult("rates", "ok", f"nothing measured yet for {spec.model_name} on the CPU")
        return
    decode = f"{rate.decode:.1f}" if rate.decode else "?"
    yield CheckResult(
        "rates", "ok", f"{rate.prefill:.0f} tokens a second of prompt, {decode} of answer (measured here)"
    )


def _machine(devices: Sequence[Device] | None) -> sizing.Machine:
    gpu_free = sum(device.free for device in devices or () if device.is_gpu)
    available = 0 if gpu_free and platform.system() == "Darwin" else available_memory()
    return sizing.Machine(sizing.physical_cores(), available, gpu_free)


def _plan_in_words(name: str, header: GgufHeader, plan: sizing.Plan, machine: sizing.Machine) -> str:
    available = "unknown" if machine.available is None else gigabytes(machine.available)
    vram = f" and {gigabytes(machine.gpu_free)} of GPU memory" if machine.gpu_free else ""
    layers = header.n_layers if plan.gpu_layers < 0 else plan.gpu_layers
    return (
        f"{name} needs {gigabytes(plan.fit.total)} (weights {gigabytes(plan.fit.weights)}, KV cache in {plan.kv_type} "
        f"{gigabytes(plan.fit.kv)}, buffers {gigabytes(plan.fit.compute)}) of {available}{vram}: {plan.slots} slots of "
        f"{plan.context_tokens} tokens, {layers} of {header.n_layers} layers on the GPU, {plan.threads} threads"
    )


def runtime_folder(folders: Directories) -> CheckResult:
    """Whether engines can keep their sockets there, accessible to this user only."""
    try:
        private_folder(folders.runtime)
    except EngineUnavailable as error:
        return CheckResult("runtime", "error", error.message, error.hint)
    mode = stat.S_IMODE(os.lstat(folders.runtime).st_mode)
    return CheckResult("runtime", "ok", f"{folders.runtime} (mode {mode:04o})")


def disk(folders: Directories) -> CheckResult:
    """The free space for models."""
    folder = folders.models
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    space = f"{gigabytes(free)} free for {folders.models}"
    if not os.access(folder, os.W_OK):
        return CheckResult(
            "disk", "error", f"{folder} is not writable", "Choose another folder with DEVSTRAL_LS_DATA_DIR."
        )
    if free < _LITTLE_DISK:
        return CheckResult(
            "disk", "warning", space, "Free some space, or choose another folder with DEVSTRAL_LS_DATA_DIR."
        )
    largest = max((row for row in MODELS.values() if row.size < free), key=lambda row: row.size)
    return CheckResult("disk", "ok", f"{space}: room for {largest.name} ({gigabytes(largest.size)})")
