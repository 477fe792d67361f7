"""What the user is told about the engine, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from devstral_ls.errors import displayable

State = Literal["absent", "starting", "loading", "calibrating", "ready", "generating", "slow", "lost", "failed"]


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """The body of ``devstral/status``, without latencies."""

    state: State
    model: str | None = None
    """The model's short name, as soon as one is chosen."""
    engine: str | None = None
    """What runs it, for people: ``llama.cpp (xllamacpp 1.2.3), pid 4711``."""
    message: str | None = None
    """What is going on or went wrong, as one line."""
    hint: str | None = None
    """What the user can do about it."""
    progress: float | None = None
    """0 to 1, where it is known."""

    def __post_init__(self) -> None:
        for name in ("model", "engine", "message", "hint"):
            text = getattr(self, name)
            if text is not None:  # models are named by their servers and files
                object.__setattr__(self, name, displayable(text))

    @property
    def settled(self) -> bool:
        """True when there is nothing to wait for, unless something outside changes."""
        return self.state in ("absent", "calibrating", "ready", "generating", "slow", "failed")
