"""``devstral-ls engine status|stop|logs``: the running engines of this user."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from typing import Any

from devstral_ls.cli import DONE, NOTHING
from devstral_ls.directories import directories
from devstral_ls.engine.rendezvous import engines, log_tail, stop
from devstral_ls.engine.state import EngineState


def run(options: argparse.Namespace) -> int:
    """Do the action asked for."""
    folders = directories()
    if options.action == "stop":
        n_stopped = stop(folders)
        print(f"{n_stopped} engine{'s' if n_stopped != 1 else ''} stopped.")
        return DONE
    if options.action == "logs":
        words = log_tail(folders)
        print(words or "No engine has left a log.")
        return DONE if words else NOTHING
    states = engines(folders)
    if options.json:
        print(json.dumps([_as_json(state) for state in states]))
    else:
        print("\n".join(_line(state) for state in states) or "No engine runs.")
    return DONE if states else NOTHING


def _as_json(state: EngineState) -> dict[str, Any]:
    return {name: value for name, value in asdict(state).items() if name not in ("nonce", "rate_key")}


def _where(state: EngineState) -> str:
    if not state.gpu_layers:
        return f"{state.threads} threads"
    return "all layers on the GPU" if state.gpu_layers < 0 else f"{state.gpu_layers} layers on the GPU"


def _line(state: EngineState) -> str:
    minutes = max(0.0, time.time() - state.started) / 60
    return (
        f"{state.model}: {state.phase}, pid {state.pid}, {minutes:.0f} min, {state.slots} slots of "
        f"{state.context_tokens} tokens, KV cache in {state.kv_type}, {_where(state)}, batch {state.batch}, "
        f"{state.bytes_needed / 1e9:.1f} GB"
    )
