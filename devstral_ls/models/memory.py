"""The memory that a model needs while it runs, and the memory that this machine has left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

from devstral_ls.errors import ModelTooBig
from devstral_ls.models.gguf.header import GgufHeader

BATCH_TOKENS = 512
"""Tokens computed at a time; llama.cpp's default."""

_OVERHEAD_BYTES = 64_000_000
"""Server, libraries and small buffers; measured: 39 MB with a 2 MB model."""

_VOCABULARY_BYTES = 600
"""Bytes of the tokenizer's tables for one token; measured: about 500 with Qwen's 151,936 tokens."""

_ACTIVATIONS = 24
"""Rows of width ``n_embd`` in f32 that the computation of one token holds, including the feed-forward layer.

Measured with flash attention: 41 MiB of buffer for 512 tokens of width 896, which is 23 rows.
"""

_FLOAT_BYTES = 4
_KV_BYTES = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q5_1": 24 / 32, "q5_0": 22 / 32, "q4_0": 18 / 32}
"""Bytes of one element of the KV cache, by its type."""

_SMALLEST_CONTEXT = 1024
"""In tokens; smaller contexts are not proposed."""

_ABOVE_WEIGHTS = 1.15
_BESIDE_BYTES = 300_000_000
"""What a model takes beside its weights with the least context, on the safe side: the cache grows with the model
(Devstral: 0.34 GB for 2,048 tokens), tables and buffers do not."""


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """The memory a model takes, in bytes."""

    weights: int
    kv: int
    """The KV cache of all slots."""
    compute: int
    """Buffers of the computation, estimated on the safe side."""

    @property
    def total(self) -> int:
        """The sum of the three."""
        return self.weights + self.kv + self.compute


def memory_needed(
    header: GgufHeader, context_tokens: int, n_slots: int = 1, kv_type: str = "f16", batch_tokens: int = BATCH_TOKENS
) -> MemoryNeed:
    """The memory of ``header``'s model with ``context_tokens`` for each of ``n_slots`` slots."""
    kv_per_token = header.kv_bytes_per_token / _KV_BYTES["f16"] * _KV_BYTES[kv_type]
    activations = batch_tokens * header.n_embd * _ACTIVATIONS * _FLOAT_BYTES
    mask = batch_tokens * context_tokens * n_slots * _FLOAT_BYTES
    return MemoryNeed(
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
) -> MemoryNeed:
    """``memory_needed``, compared with ``available_bytes``, by default what this machine has left.

    Raises:
        ModelTooBig: it does not fit; the hint says what would.
    """
    need = memory_needed(header, context_tokens, n_slots, kv_type, batch_tokens)
    available = available_memory() if available_bytes is None else available_bytes
    if need.total <= available:
        return need
    raise ModelTooBig(
        f"the model needs {gigabytes(need.total)} (weights {gigabytes(need.weights)}, {context_tokens} tokens of context "
        f"in {kv_type} for {n_slots} slot{'s' * (n_slots != 1)} {gigabytes(need.kv)}, buffers {gigabytes(need.compute)}), "
        f"but {gigabytes(available)} is available",
        hint=_what_would_fit(need, context_tokens, available),
    )


def _what_would_fit(need: MemoryNeed, context_tokens: int, available: int) -> str:
    left = available - need.weights - need.compute
    fitting = int(context_tokens * left / need.kv) // 256 * 256 if need.kv and left > 0 else 0
    if fitting >= _SMALLEST_CONTEXT:
        return f"Set model.contextTokens to {fitting} or less, or free some memory."
    room = available - need.compute
    if room > 0:
        return f"Use a model file below {gigabytes(int(room * 0.9))}, or free some memory."
    return "Free some memory; hardly any model fits now."


def memory_needed_by_size(file_size: int) -> int:
    """About the bytes that a model of ``file_size`` bytes takes while it runs, where its header is not known."""
    return int(file_size * _ABOVE_WEIGHTS) + _BESIDE_BYTES


def gigabytes(n_bytes: int) -> str:
    """``n_bytes`` in GB (10**9 bytes), below a tenth of one in MB, for messages."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 100_000_000 else f"{n_bytes / 1e6:.1f} MB"


def available_memory(root: Path = Path("/")) -> int:
    """Bytes a new process can take without swapping: the least of what the system and the control groups have left.

    ``root`` is where ``proc`` and ``sys`` of the control groups are.
    """
    return min([psutil.virtual_memory().available, *_left_in_cgroups(root)])


def total_memory(root: Path = Path("/")) -> int:
    """Bytes of memory that this machine has, or that the control groups allow."""
    limits = [limit for group in _cgroups(root) if (limit := _number(group / "memory.max")) is not None]
    return min([psutil.virtual_memory().total, *limits])


def _left_in_cgroups(root: Path) -> list[int]:
    """What is left in each control group around this process that has a limit; psutil does not know control groups."""
    return [left for group in _cgroups(root) if (left := _left_in(group)) is not None]


def _cgroups(root: Path) -> list[Path]:
    """The folders of the control groups (version 2) around this process, innermost first."""
    own = next((line[3:] for line in _lines(root / "proc/self/cgroup") if line.startswith("0::")), None)
    if own is None:
        return []
    top = root / "sys/fs/cgroup"
    folder = top / own.strip("/")
    return [folder, *(parent for parent in folder.parents if parent.is_relative_to(top))]


def _left_in(group: Path) -> int | None:
    """The limit of ``group`` less what it uses; unused files in its page cache count as free."""
    limit, used = _number(group / "memory.max"), _number(group / "memory.current")
    if limit is None or used is None:
        return None
    statistics = dict(line.split(maxsplit=1) for line in _lines(group / "memory.stat") if " " in line)
    return max(limit - used + int(statistics.get("inactive_file", "0")), 0)


def _number(path: Path) -> int | None:
    """The number in the first line of a file; ``None`` for ``max`` and without the file."""
    text = "".join(_lines(path)[:1]).strip()
    return int(text) if text.isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
