"""Small files that are read back: settings, calibrations, rates, an engine's state, a model's record."""

from __future__ import annotations

import json
import random
from functools import partial
from pathlib import Path
from typing import Any

from devstral_ls.calibration import record
from devstral_ls.engine.state import read_state
from devstral_ls.engine.tuning.calibration import read_calibrated
from devstral_ls.engine.tuning.rates import Rates
from devstral_ls.generation import Usage
from devstral_ls.models import store
from devstral_ls.settings.sources import read_user_file
from devstral_ls.settings.tree import Problem, Settings, read
from devstral_ls.testing.fuzz.chance import Chance
from devstral_ls.testing.fuzz.files.kind import Read, damaged

_TOML = b"""\
[model]
name = "starter"
contextTokens = 4096
calibrate = "never"
[engine]
kind = "remote"
baseUrl = "http://127.0.0.1:8080"
threads = 4
idleMinutes = 30.5
[inline]
enable = true
debounceMs = "auto"
disabledLanguages = ["markdown", 'plaintext']
minConfidence = 0.1
[completion]
timeoutMs = 50
[actions]
apply = "atEnd"
[privacy]
exclude = [".env*", "*.pem"]
[log]
level = "debug"
"""
_TREE = {
    "model": {"name": "x", "contextTokens": 4096, "allowDownload": False},
    "engine": {"kind": "managed", "threads": "auto", "idleMinutes": 1.5, "slots": 2, "baseUrl": None},
    "inline": {"enable": True, "debounceMs": 20, "disabledLanguages": ["x"], "minConfidence": 0.5, "context": []},
    "privacy": {"exclude": ["*.x"]}, "log": {"level": "info", "contents": False},
}  # fmt: skip
_RESULT = {
    "layouts": ["fim-psm", "chat-prefill"], "batch_ms": 9.5, "token_ms": 1.25, "decode_ms": 30.0, "first_line_tokens": 9.0,
    "overhead_tokens": 3.0,
}  # fmt: skip
_ANSWERED = {"exact": True, "similarity": 0.9, "n_tokens": 9, "n_prompt": 100, "n_window": 90}
_CALIBRATION = {
    "version": 1, "model": "x", "threads": 4, "build": "b", "finished": True, "spent_s": 12.5, "result": _RESULT,
    "samples": [{"n_tokens": 100, "batch": 64, "prefill_ms": 100.0, "n_decoded": 9, "decode_ms": 90.0}],
    "answers": {"fim-psm": {"a": _ANSWERED}},
}  # fmt: skip
_RATES = {"f:4:0:e": {"prefill": 100.0, "decode": 9.0}, "g:4:0:e": {"prefill": 1.0, "decode": None}}
_STATE = {
    "nonce": "a", "key": "b", "phase": "ready", "model": "x", "path": "/x.gguf", "pid": 5, "address": "unix:/x", "code": "engine-busy",
    "context_tokens": 4096, "slots": 2, "bytes_needed": 5, "started": 1.5, "versions": {"x": "1"},
}  # fmt: skip
_MODEL = {"file": "x.gguf", "size": 4, "source": "path", "licence": "x", "sha256": "0" * 64}


def _changed(tree: Any, chance: random.Random) -> bytes:
    """``tree`` with random changes of values or bytes."""
    if chance.random() < 0.01:
        return chance.choice((b"[" * 100_000, b'{"a":' * 50_000, b"", b"\xff\xfe{}", b"9" * 10_000))
    made = json.loads(json.dumps(tree))
    changes = Chance(chance.random())
    for _ in range(chance.choice((1, 1, 2, 4))):
        changes.damage(made)
    data = json.dumps(made).encode()
    return damaged(data, chance) if chance.random() < 0.3 else data


make_calibration = partial(_changed, _CALIBRATION)
make_rates = partial(_changed, _RATES)
make_state = partial(_changed, _STATE)
make_model = partial(_changed, _MODEL)


def make_settings(chance: random.Random) -> bytes:
    """TOML, or, after a zero byte, a tree as editors send it."""
    if chance.random() < 0.4:
        return b"\0" + _changed(_TREE, chance)
    if chance.random() < 0.02:
        return chance.choice(
            (
                b"a = " + b"[" * 50_000,
                b"a = " + b"9" * 9_000,
                b"a." * 20_000 + b"a = 1",
                b"[" * 9_000,
                b"a={b=" * 20_000,
            )
        )
    return damaged(_TOML, chance, 6)


def settings_reader(folder: Path) -> Read:
    """Reads it as the user's file, or as an editor's tree; each problem must be one short line."""
    path = folder / "settings.toml"

    def of(data: bytes) -> list[Problem]:
        if not data.startswith(b"\0"):
            path.write_bytes(data)
            return read_user_file(path)[1]
        try:
            tree = json.loads(data[1:])
        except (ValueError, RecursionError):  # refused on the wire
            return []
        return read(tree, Settings(), user=len(data) % 2 == 0)[1]

    def settings(data: bytes) -> str:
        problems = of(data)
        for problem in problems:
            assert len(str(problem)) < 2_000, f"{len(str(problem))} characters are said of one setting"
        return f"{min(len(problems), 3)} problems"

    return settings


def calibration_reader(folder: Path) -> Read:
    """Reads it as calibration and engine do, and computes with its numbers."""
    path = folder / "calibration.json"

    def calibration(data: bytes) -> str:
        path.write_bytes(data)
        record.load(path)
        found = read_calibrated(path)
        if found is None:
            return "none"
        for batch in (4, 512):
            assert found.prefill_rate(batch) > 0
            assert 4 <= found.batch_within(batch) <= 512
        assert found.line_ms > 0
        assert found.decode_rate > 0
        return "read"

    return calibration


def rates_reader(folder: Path) -> Read:
    """Reads and writes it."""
    path = folder / "rates.json"

    def rates(data: bytes) -> str:
        path.write_bytes(data)
        known = Rates(path)
        known.observe("f:4:0:e", Usage(100, 10, 20, 50.0, 100.0))
        known.of_file("g")
        found = known.get("g:4:0:e")
        known.save()
        json.loads(path.read_bytes())
        return "none" if found is None else "read"

    return rates


def state_reader(folder: Path) -> Read:
    """Reads the state of an engine."""
    path = folder / "state.json"

    def state(data: bytes) -> str:
        path.write_bytes(data)
        found = read_state(path)
        if found is not None:
            _ = found.error
        return "none" if found is None else "read"

    return state


def model_reader(folder: Path) -> Read:
    """Reads the record of a model in the store."""
    place = folder / "models" / "x"
    place.mkdir(parents=True, exist_ok=True)
    (place / "x.gguf").write_bytes(b"GGUF")

    def model(data: bytes) -> str:
        (place / "model.json").write_bytes(data)
        found = store.installed(folder / "models")
        for one in found:
            assert one.path.parent == place, one.path
        return f"{len(found)} models"

    return model
