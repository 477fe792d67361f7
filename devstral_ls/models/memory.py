"""Will it fit: the memory a model needs while it runs, and the memory this machine has for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from devstral_ls.errors import ModelTooBig
from devstral_ls.models.gguf.header import GgufHeader
from devstral_ls.models.units import gigabytes

BATCH_TOKENS = 512
"""llama.cpp's default for the tokens it computes at a time."""

_OVERHEAD_BYTES = 64_000_000
"""Server, libraries and small buffers; measured: 39 MB with a model of 2 MB."""

_VOCABULARY_BYTES = 600
"""The tokenizer's tables for one token; measured: about 500 with Qwen's 151,936 tokens."""

_ACTIVATIONS = 24
"""Rows of width ``n_embd`` in f32 that the computation of one token holds, the feed-forward counted in.

Measured with flash attention: 41 MiB of buffer for 512 tokens of width 896, which is 23 rows.
"""

_FLOAT_BYTES = 4
_KV_BYTES = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q5_1": 24 / 32, "q5_0": 22 / 32, "q4_0": 18 / 32}
"""Bytes of one element of the KV cache by its type."""

_SMALLEST_CONTEXT = 1024
"""Contexts below this are not worth proposing, in tokens."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The memory a model takes, in bytes."""

    weights: int
    kv: int
    """The KV cache of all slots."""
    compute: int
    """Buffers of the computation, an estimate on the safe side."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv + self.compute


def memory_for(
    header: GgufHeader, context_tokens: int, n_slots: int = 1, kv_type: str = "f16", batch_tokens: int = BATCH_TOKENS
) -> Fit:
    """What ``header``'s model takes with ``context_tokens`` for each of ``n_slots`` slots."""
    kv_per_token = header.kv_bytes_per_token / _KV_BYTES["f16"] * _KV_BYTES[kv_type]
    activations = batch_tokens * header.n_embd * _ACTIVATIONS * _FLOAT_BYTES
    mask = batch_tokens * context_tokens * n_slots * _FLOAT_BYTES
    return Fit(
        weights=header.weights_bytes,
        kv=int(kv_per_token * context_tokens * n_slots),
        compute=_OVERHEAD_BYTES + header.n_vocab * _VOCABULARY_BYTES + activations + mask,
    )


def check_fit(
    header: GgufHeader,
    context_tokens: int,
    n_slots: int = 1,
    available_bytes: int | None = None,
    kv_type: str = "f16",
    batch_tokens: int = BATCH_TOKENS,
) -> Fit:
    """``memory_for``, compared with ``available_bytes`` (by default this machine's; if unknown, everything fits).

    Raises:
        ModelTooBig: it does not fit; the hint says what would.
    """
    fit = memory_for(header, context_tokens, n_slots, kv_type, batch_tokens)
    available = available_memory() if available_bytes is None else available_bytes
    if available is None or fit.total <= available:
        return fit
    raise ModelTooBig(
        f"the model needs {gigabytes(fit.total)} (weights {gigabytes(fit.weights)}, {context_tokens} tokens of context "
        f"in {kv_type} for {n_slots} slot{'s' * (n_slots != 1)} {gigabytes(fit.kv)}, buffers {gigabytes(fit.compute)}), "
        f"but {gigabytes(available)} is available",
        hint=_what_would(fit, context_tokens, available),
    )


def _what_would(fit: Fit, context_tokens: int, available: int) -> str:
    left = available - fit.weights - fit.compute
    fitting = int(context_tokens * left / fit.kv) // 256 * 256 if fit.kv and left > 0 else 0
    if fitting >= _SMALLEST_CONTEXT:
        return f"Set model.contextTokens to {fitting} or less, or free some memory."
    room = available - fit.compute
    if room > 0:
        return f"Use a model file below {gigabytes(int(room * 0.9))}, or free some memory."
    return "Free some memory; hardly any model fits now."


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes a new process can take without swapping: the least of the system's and the control group's; or ``None``.

    ``root`` is where ``proc`` and ``sys`` are.
    """
    answers = [_system_memory(root), *_cgroup_memory(root)]
    return min((answer for answer in answers if answer is not None), default=None)


def total_memory(root: Path = Path("/")) -> int | None:
    """Bytes this machine has, or what the control group allows of them; or ``None``."""
    limits = [
        int(limit) for group in _cgroups(root) if (limit := "".join(_lines(group / "memory.max")[:1]).strip()).isdigit()
    ]
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemTotal:"):
            return min([int(line.split()[1]) * 1024, *limits])
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _system_memory(root: Path) -> int | None:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    try:  # not Linux: all there is, less a fifth for the others
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 4 // 5
    except (AttributeError, OSError, ValueError):
        return None


def _cgroup_memory(root: Path) -> list[int]:
    """What is left in each control group around this process that has a limit."""
    return [left for group in _cgroups(root) if (left := _left_in(group)) is not None]


def _cgroups(root: Path) -> list[Path]:
    """The folders of the control groups (version 2) around this process."""
    own = next((line[3:] for line in _lines(root / "proc/self/cgroup") if line.startswith("0::")), None)
    if own is None:
        return []
    top = root / "sys/fs/cgroup"
    folder = top / own.strip("/")
    return [folder, *(parent for parent in folder.parents if parent.is_relative_to(top))]


def _left_in(group: Path) -> int | None:
    """The limit of ``group`` less what it uses; files in the page cache that nobody uses count as free."""
    limit = "".join(_lines(group / "memory.max")[:1])
    used = "".join(_lines(group / "memory.current")[:1])
    if not limit.isdigit() or not used.isdigit():
        return None
    statistics = dict(line.split(maxsplit=1) for line in _lines(group / "memory.stat") if " " in line)
    return max(int(limit) - int(used) + int(statistics.get("inactive_file", "0")), 0)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
