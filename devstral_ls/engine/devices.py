"""The devices that llama.cpp sees, asked in a process of its own: a driver may hang or end the process that asks."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from devstral_ls.models.memory import total_memory

_SECONDS = 20.0
"""The first look at a GPU may load its driver."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device. Memory in bytes."""

    name: str
    description: str
    kind: str
    """``CPU``, ``GPU``, ``IGPU`` or ``ACCEL``."""
    free: int
    total: int

    @property
    def is_gpu(self) -> bool:
        """Can layers be put on it?"""
        return self.kind in ("GPU", "IGPU")


@dataclass(frozen=True, slots=True)
class Memory:
    """What a machine has in all, in bytes."""

    ram: int | None
    """``None`` where the system does not say."""
    gpu: int
    """Over all GPUs with memory of their own; on a Mac it is the machine's. Others are hardly faster than the
    processor."""


def devices(seconds: float = _SECONDS) -> list[Device] | None:
    """What llama.cpp sees; ``None`` if it cannot be asked. Blocks."""
    root = str(Path(__file__).resolve().parents[2])
    program = f"import sys; sys.path.append({root!r}); from devstral_ls.engine.daemon.backends.llama_cpp import print_devices; print_devices()"
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", program],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=True,
        )
        return [Device(**values) for values in json.loads(done.stdout.splitlines()[-1])]
    except (OSError, subprocess.SubprocessError, ValueError, TypeError, IndexError):
        return None


def whole_memory() -> Memory:
    """All of this machine's memory. Blocks for as long as ``devices`` does."""
    return Memory(total_memory(), sum(device.total for device in devices() or () if device.kind == "GPU"))
