"""The numbers an engine runs with: threads, slots, context, GPU layers and the prompt batch, for a model and machine."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from devstral_ls.engine.spec import EngineSpec
from devstral_ls.engine.tuning.calibration import Calibrated
from devstral_ls.engine.tuning.rates import Rate
from devstral_ls.errors import ModelTooBig
from devstral_ls.models.alternatives import smaller_model
from devstral_ls.models.gguf.header import GgufHeader
from devstral_ls.models.memory import MemoryNeed, check_fit, memory_needed

BATCH_SECONDS = 0.15
"""A prefill is only interrupted between batches, so a batch is what the next request waits for. Shorter ones cost
rate: measured on one EPYC core, 4 tokens a batch evaluate 42 tokens a second, 8 50, 16 61, 64 79."""

_BATCH_STEP = 4
"""The kernels work on rows in fours: a batch between two multiples costs as much as the larger one."""

_BATCH = (4, 512)
"""Fewest and most tokens of a batch. Below 4 the rate falls apart, above 512 nothing is gained."""

_BUDGET = (256, 2048)
"""Fewest and most prompt tokens of a suggestion."""

_BUDGET_SECONDS = 6.0
"""What a cold prompt may cost; typing costs a fraction, what is in front of the cursor being cached."""

_FLOPS_PER_THREAD = 80e9
"""A guess for the time before the first measurement: 75 to 85 GFLOP/s on an AMD EPYC core with AVX2."""

_CONTEXT_CPU = 4096
_CONTEXT_GPU = 8192
_CONTEXT_LEAST = 2048
_SLOTS = (4, 2, 1)
_KV_SHARE = 0.25
"""Of the free memory: above it, four slots are too many."""

KV_TYPES = ("f16", "q8_0")
"""Best first. Half the memory for 3 % of the rate (measured on a CPU: 118.7 and 114.7 tokens a second of prefill);
llama.cpp turns flash attention on for q8_0 values by itself."""

_KV_BLOCK = 32
"""Elements of one q8_0 block: a head whose size is no multiple of it stays in f16."""

_GPU_SHARE = 0.9
"""Of the free GPU memory that is used: the screen needs some too."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the host has. Memory in bytes."""

    cores: int
    """Physical ones this process may use."""
    available: int | None
    """None where the system does not say: then everything fits."""
    gpu_free: int = 0
    """Over all GPUs; 0 without any, or with an engine that cannot use them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the engine is started with."""

    context_tokens: int
    """Per slot."""
    slots: int
    threads: int
    batch: int
    gpu_layers: int
    """-1 for all."""
    prefill_rate: float
    """Tokens a second that ``batch`` was chosen for."""
    fit: MemoryNeed
    kv_type: str = "f16"
    """Of keys and values in the cache."""


def plan(
    spec: EngineSpec,
    header: GgufHeader,
    machine: Machine,
    rate: Rate | None,
    calibrated: Calibrated | None = None,
    kv_types: Sequence[str] = KV_TYPES,
) -> Plan:
    """The numbers for ``spec``: what it says, and what fits where it says ``auto``, the most generous first. What was
    ``calibrated`` goes before the ``rate`` seen in passing, and that before an estimate.

    A smaller one of ``kv_types`` comes before fewer slots or less context: the same memory holds twice as many of them.

    Raises:
        ModelTooBig: even the least does not fit.
    """
    if spec.gpu_layers == 0:
        machine = replace(machine, gpu_free=0)
    threads = threads_for(spec, machine.cores)
    prefill = rate.prefill if rate else estimated_rate(header.n_params, threads)
    on_cpu = calibrated.batch_within(BATCH_SECONDS * 1000) if calibrated else batch_for(prefill)
    batch = _BATCH[1] if machine.gpu_free else on_cpu
    context_tokens, slots, kv_type, fit = _fitting(spec, header, machine, batch, kv_types)
    gpu_layers = _gpu_layers(spec, header, machine, fit)
    return Plan(
        context_tokens=context_tokens,
        slots=slots,
        threads=threads,
        batch=max(batch if gpu_layers == -1 else on_cpu, slots),
        gpu_layers=gpu_layers,
        prefill_rate=calibrated.prefill_rate(batch) if calibrated else prefill,
        fit=fit,
        kv_type=kv_type,
    )


def threads_for(spec: EngineSpec, cores: int) -> int:
    """How many threads: by default one core is left to the editor, for threads spin and a shared core stops them all."""
    return max(1, cores - 1) if spec.threads == "auto" else max(1, spec.threads)


def batch_for(prefill_rate: float) -> int:
    """How many prompt tokens to evaluate at once, so that a batch takes about ``BATCH_SECONDS``."""
    n_tokens = round(prefill_rate * BATCH_SECONDS / _BATCH_STEP) * _BATCH_STEP
    return min(max(n_tokens, _BATCH[0]), _BATCH[1])


def prompt_budget(prefill_rate: float, gpu_layers: int, context_tokens: int) -> int:
    """How many prompt tokens a suggestion should spend; at most three quarters of the context."""
    by_rate = _BUDGET[1] if gpu_layers == -1 else round(prefill_rate * _BUDGET_SECONDS)
    return max(1, min(max(by_rate, _BUDGET[0]), _BUDGET[1], context_tokens * 3 // 4))


def estimated_rate(n_params: int, threads: int) -> float:
    """Prefill tokens a second on a CPU that was not measured: two operations a parameter and token."""
    return threads * _FLOPS_PER_THREAD / (2 * max(n_params, 1))


def physical_cores(system: Path = Path("/sys/devices/system/cpu")) -> int:
    """The physical cores this process may use, at least one; the logical ones where the system does not say."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    cores = set()
    for cpu in allowed:
        try:
            cores.add((system / f"cpu{cpu}/topology/thread_siblings_list").read_text().strip())
        except OSError:
            cores.add(f"cpu{cpu}")
    return max(1, len(cores))


def _fitting(
    spec: EngineSpec, header: GgufHeader, machine: Machine, batch: int, kv_types: Sequence[str]
) -> tuple[int, int, str, MemoryNeed]:
    """Context, slots, KV type: all on the GPU if that can be, else over all memory there is."""
    if machine.gpu_free and spec.gpu_layers == "auto":
        with contextlib.suppress(ModelTooBig):
            return _fitting_in(int(_GPU_SHARE * machine.gpu_free), spec, header, machine, batch, kv_types)
    memory = sys.maxsize if machine.available is None else machine.available + machine.gpu_free
    try:
        return _fitting_in(memory, spec, header, machine, batch, kv_types)
    except ModelTooBig as error:
        other = smaller_model(Path(spec.models), spec.file_size, memory) if spec.models else ""
        raise ModelTooBig(error.message, hint=f"{error.hint} {other}".rstrip()) from None


def _fitting_in(
    memory: int, spec: EngineSpec, header: GgufHeader, machine: Machine, batch: int, kv_types: Sequence[str]
) -> tuple[int, int, str, MemoryNeed]:
    error = ModelTooBig("there is no memory")
    for context, slots, kv_type in product(_contexts(spec, header, machine), _slots(spec), kv_types):
        if kv_type != "f16" and (header.head_dim % _KV_BLOCK or header.head_dim_v % _KV_BLOCK):
            continue
        kv_bytes = memory_needed(header, context, slots, kv_type).kv
        if spec.slots == "auto" and slots > _SLOTS[1] and kv_bytes > _KV_SHARE * memory:
            continue
        try:
            return context, slots, kv_type, check_fit(header, context, slots, memory, kv_type, batch)
        except ModelTooBig as too_big:
            error = too_big
    raise error


def _contexts(spec: EngineSpec, header: GgufHeader, machine: Machine) -> list[int]:
    usual = _CONTEXT_GPU if machine.gpu_free else _CONTEXT_CPU
    wished = usual if spec.context_tokens == "auto" else max(spec.context_tokens, 1)
    most = min(wished, header.context_length or wished)
    found = [most]
    while spec.context_tokens == "auto" and found[-1] > _CONTEXT_LEAST:
        found.append(max(found[-1] // 2, _CONTEXT_LEAST))
    return found


def _slots(spec: EngineSpec) -> list[int]:
    return list(_SLOTS) if spec.slots == "auto" else [max(spec.slots, 1)]


def _gpu_layers(spec: EngineSpec, header: GgufHeader, machine: Machine, fit: MemoryNeed) -> int:
    if spec.gpu_layers != "auto":
        return spec.gpu_layers if machine.gpu_free else 0
    room = _GPU_SHARE * machine.gpu_free
    return -1 if room >= fit.total else int(header.n_layers * room / fit.total)
