"""The devices that llama.cpp sees, asked in a process of its own: a driver may hang or end the process that asks."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from devstral_ls.errors import displayable
from devstral_ls.models.memory import total_memory
from devstral_ls.platform.child_environment import child_environment
from devstral_ls.platform.processes import child_command

_SECONDS = 20.0
"""The first look at a GPU may load its driver."""

MAX_NAME = 120
"""Characters of a device's name that are shown."""


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
        """True when layers of a model can be put on it."""
        return self.kind in ("GPU", "IGPU")


@dataclass(frozen=True, slots=True)
class Memory:
    """All memory of a machine, in bytes."""

    ram: int | None
    """``None`` where the system does not say."""
    gpu: int
    """Over all GPUs with memory of their own; on a Mac it is the machine's. Others are hardly faster than the
    processor."""


def devices(seconds: float = _SECONDS) -> list[Device] | None:
    """What llama.cpp sees; ``None`` if it cannot be asked. Blocks."""
    try:
        done = subprocess.run(
            child_command("devstral_ls.engine.daemon.backends.llama_library"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            env=child_environment(),
            check=True,
        )
        return [_device(values) for values in json.loads(done.stdout.splitlines()[-1])]
    except (OSError, subprocess.SubprocessError, ValueError, TypeError, KeyError, IndexError):
        return None


def _device(values: dict[str, Any]) -> Device:
    """A device as it was printed; its names come from the driver."""
    named = {key: displayable(values[key], MAX_NAME) for key in ("name", "description")}
    return Device(**(values | named))


def whole_memory() -> Memory:
    """All of this machine's memory. Blocks for as long as ``devices`` does."""
    return Memory(total_memory(), sum(device.total for device in devices() or () if device.kind == "GPU"))
