"""What an engine process says of itself, in a file beside its socket: nothing listens while a model loads."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Literal

from devstral_ls.errors import (
    EngineError,
    ModelCorrupt,
    ModelError,
    ModelLoadFailed,
    ModelNotFound,
    ModelTooBig,
    ModelUnsupported,
)

_ERRORS: dict[str, type[EngineError]] = {
    cls.code: cls
    for cls in (ModelCorrupt, ModelError, ModelLoadFailed, ModelNotFound, ModelTooBig, ModelUnsupported, EngineError)
}


_REPLACE_ATTEMPTS = 10
_REPLACE_SECONDS = 0.02
"""Windows does not replace a file that another process reads at this moment."""


@dataclass(frozen=True, slots=True)
class EngineState:
    """One engine process. ``phase`` is all that is sure to be meaningful before it is ``ready``."""

    nonce: str
    """Random, one for each start: a state with another nonce is another process."""
    key: str
    """``EngineSpec.key``."""
    phase: Literal["starting", "loading", "ready", "failed", "stopping"]
    model: str
    path: str
    pid: int | None = None
    address: str | None = None
    """``unix:PATH`` or ``http://HOST:PORT``."""
    message: str | None = None
    """Of a failure, as one line."""
    hint: str | None = None
    code: str | None = None
    """``code`` of the error a failure is to be raised as."""
    started: float = 0.0
    """Seconds since the epoch."""
    context_tokens: int = 0
    """Per slot."""
    slots: int = 0
    threads: int = 0
    batch: int = 0
    """Prompt tokens evaluated between two points at which a request can be left."""
    gpu_layers: int = 0
    """-1 for all."""
    prefill_rate: float = 0.0
    """Tokens a second the batch was chosen for: measured, or an estimate before the first measurement."""
    rate_key: str = ""
    """Under which name this engine's rates are kept."""
    kv_type: str = "f16"
    """Of the KV cache, keys and values."""
    bytes_needed: int = 0
    """Memory, from the fit check."""
    on_processor: bool = False
    """True when the model computes on the CPU, which it shares with the engines of other models."""
    software: str = ""
    """What runs the model, for people."""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def error(self) -> EngineError:
        """The failure, to raise."""
        cls = _ERRORS.get(str(self.code), EngineError)
        return cls(self.message or "the engine failed", hint=self.hint)


def read_state(path: Path) -> EngineState | None:
    """The state in the file, or None where there is none that can be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name for field in fields(EngineState)}
        state = EngineState(**{name: value for name, value in values.items() if name in known})
        return state if _makes_sense(state) else None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def _makes_sense(state: EngineState) -> bool:
    """True when what others rely on has the type it should have; the file may be damaged."""
    texts = (
        state.nonce,
        state.key,
        state.model,
        state.path,
        state.message or "",
        state.hint or "",
        state.address or "",
    )
    numbers = (state.context_tokens, state.slots, state.threads, state.batch, state.gpu_layers, state.bytes_needed)
    return (
        all(isinstance(text, str) for text in texts)
        and state.phase in ("starting", "loading", "ready", "failed", "stopping")
        and (state.pid is None or (type(state.pid) is int and state.pid > 0))
        and all(type(number) is int for number in numbers)
        and isinstance(state.started, int | float)
        and isinstance(state.prefill_rate, int | float)
        and isinstance(state.versions, dict)
    )


def write_state(path: Path, state: EngineState) -> None:
    """Put ``state`` in the place of the file, so that a reader sees the old or the new one, never a part."""
    write_private(path, json.dumps(asdict(state), indent=1) + "\n")


def write_private(path: Path, text: str) -> None:
    """Replace the file at ``path`` by one with mode 0600 that holds ``text``, in one step.

    Raises:
        OSError: that cannot be; the file is as it was.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        _put(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)  # a full disk needs the room
        raise


def _put(draft: Path, path: Path) -> None:
    for _ in range(_REPLACE_ATTEMPTS):
        with contextlib.suppress(PermissionError):
            draft.replace(path)
            return
        time.sleep(_REPLACE_SECONDS)
    draft.replace(path)
