"""What ``doctor`` says of engines, GPUs, fit, rates, folders and disk: each as one or a few findings."""

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

from devstral_ls.engine import sizing
from devstral_ls.engine.backends import backend_of, is_installed
from devstral_ls.engine.choice import passed_over, wanted
from devstral_ls.engine.devices import Device
from devstral_ls.engine.place import private_folder
from devstral_ls.engine.rates import Rates
from devstral_ls.engine.spec import EngineOptions
from devstral_ls.errors import EngineUnavailable, ModelError
from devstral_ls.models.catalog import MODELS
from devstral_ls.models.gguf.header import GgufHeader, read_header
from devstral_ls.models.memory import available_memory
from devstral_ls.models.runners import CTRANSFORMERS, LLAMA_CPP, RUNNERS, check_runner
from devstral_ls.models.units import gigabytes
from devstral_ls.platform.paths import Directories
from devstral_ls.settings.tree import Settings

Verdict = Literal["ok", "warning", "error"]

_LITTLE_DISK = 2_000_000_000
"""Bytes below which not even a small model can be fetched with room to spare."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line."""

    check: str
    verdict: Verdict
    message: str
    hint: str = ""


def backends(settings: Settings) -> Finding:
    """Which libraries are there that can run a model."""
    there = [name for name in RUNNERS if is_installed(name)]
    said = ", ".join(
        f"{name} ({RUNNERS[name].module} {version(RUNNERS[name].module)})"
        if name in there
        else f"{name}: not installed"
        for name in RUNNERS
    )
    chosen = settings.engine.backend
    lacking = LLAMA_CPP if chosen == "auto" else chosen
    if lacking in there:
        return Finding("backends", "ok", f"{said}; engine.backend is {chosen}")
    return Finding("backends", "error" if chosen != "auto" or not there else "warning", said, RUNNERS[lacking].install)


def gpus(found: Sequence[Device] | None, root: Path = Path("/")) -> Finding:
    """What llama.cpp sees, and which of its wheels this machine could use. ``root`` is where ``dev`` and ``proc`` are."""
    if found is None:
        return Finding("devices", "error", "llama.cpp cannot be asked for its devices", "See the line on backends.")
    shown = ", ".join(f"{device.description} ({device.kind}, {gigabytes(device.total)})" for device in found)
    wheel = usable_wheel(root)
    if wheel and not any(device.is_gpu for device in found):
        hint = f"A GPU is here that this wheel of xllamacpp cannot use: install its {wheel} wheel (see xllamacpp's README)."
        return Finding("devices", "warning", shown, hint)
    return Finding("devices", "ok", shown or "none")


def usable_wheel(root: Path = Path("/")) -> str:
    """The kind of xllamacpp wheel that would use a GPU of this machine; empty if there is none, or none is needed."""
    if platform.system() == "Darwin":
        return ""  # the usual wheel has Metal
    if (root / "proc/driver/nvidia/version").exists() or (root / "dev/nvidiactl").exists():
        return "CUDA"
    if (root / "dev/kfd").exists():
        return "ROCm"
    if any((root / "dev/dri").glob("renderD*")):
        return "Vulkan"
    return ""


def fit(settings: Settings, folders: Directories, found: Sequence[Device] | None) -> Iterator[Finding]:
    """The model that would be loaded, in numbers, and the rates measured of it."""
    options = EngineOptions.of(settings)
    try:
        spec = wanted(options, folders)
        header = read_header(Path(spec.model_path))
    except ModelError:
        return  # the line on the model says it
    machine = _machine(found)
    rates = Rates(folders.data / "rates.json")
    try:
        if backend_of(spec) == CTRANSFORMERS:
            check_runner(CTRANSFORMERS, header)
            plan = sizing.plan(replace(spec, slots=1, gpu_layers=0), header, machine, None, kv_types=("f16",))
        else:
            plan = sizing.plan(spec, header, machine, None)
    except ModelError as error:
        yield Finding("fit", "error", error.message, error.hint)
        return
    yield Finding("fit", "ok", _plan_in_words(spec.model_name, header, plan, machine))
    if passed := passed_over(spec, options, folders):
        yield Finding("fit", "warning", f"{spec.model_name} was chosen{passed}", "Set model.name to have another.")
    rate = rates.of_file(spec.file_key)
    if rate is None:
        yield Finding("rates", "ok", f"nothing measured of {spec.model_name} yet on the processor alone")
        return
    decode = f"{rate.decode:.1f}" if rate.decode else "?"
    yield Finding("rates", "ok", f"{rate.prefill:.0f} tokens a second of prompt, {decode} of answer (measured here)")


def _machine(found: Sequence[Device] | None) -> sizing.Machine:
    gpu_free = sum(device.free for device in found or () if device.is_gpu)
    available = 0 if gpu_free and platform.system() == "Darwin" else available_memory()
    return sizing.Machine(sizing.physical_cores(), available, gpu_free)


def _plan_in_words(name: str, header: GgufHeader, plan: sizing.Plan, machine: sizing.Machine) -> str:
    have = "unknown" if machine.available is None else gigabytes(machine.available)
    vram = f" and {gigabytes(machine.gpu_free)} of GPU memory" if machine.gpu_free else ""
    layers = header.n_layers if plan.gpu_layers < 0 else plan.gpu_layers
    return (
        f"{name} needs {gigabytes(plan.fit.total)} (weights {gigabytes(plan.fit.weights)}, KV cache in {plan.kv_type} "
        f"{gigabytes(plan.fit.kv)}, buffers {gigabytes(plan.fit.compute)}) of {have}{vram}: {plan.slots} slots of "
        f"{plan.context_tokens} tokens, {layers} of {header.n_layers} layers on the GPU, {plan.threads} threads"
    )


def runtime_folder(folders: Directories) -> Finding:
    """Can engines keep their sockets there, seen by nobody else?"""
    try:
        private_folder(folders.runtime)
    except EngineUnavailable as error:
        return Finding("runtime", "error", error.message, error.hint)
    mode = stat.S_IMODE(os.lstat(folders.runtime).st_mode)
    return Finding("runtime", "ok", f"{folders.runtime} (mode {mode:04o})")


def disk(folders: Directories) -> Finding:
    """Room for a model."""
    folder = folders.models
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    said = f"{gigabytes(free)} free for {folders.models}"
    if not os.access(folder, os.W_OK):
        return Finding("disk", "error", f"{folder} cannot be written", "Choose another with DEVSTRAL_LS_DATA_DIR.")
    if free < _LITTLE_DISK:
        return Finding("disk", "warning", said, "Free some space, or choose another folder with DEVSTRAL_LS_DATA_DIR.")
    largest = max((row for row in MODELS.values() if row.size < free), key=lambda row: row.size)
    return Finding("disk", "ok", f"{said}: room for {largest.name} ({gigabytes(largest.size)})")
