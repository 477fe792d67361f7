"""``devstral-ls engine status|stop|logs``: the running engines of this user."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from typing import Any

from devstral_ls.cli import DONE, ENGINE, NOTHING
from devstral_ls.engine.engine_report import EngineReport, QueuedRequest, engine_report
from devstral_ls.engine.rendezvous import engines, log_tail, stop_each
from devstral_ls.engine.state import EngineState
from devstral_ls.models.memory import gigabytes
from devstral_ls.platform.paths import Directories, directories


def run(options: argparse.Namespace) -> int:
    """Do the action asked for."""
    folders = directories()
    if options.action == "stop":
        return _stop(folders)
    if options.action == "logs":
        words = log_tail(folders)
        print(words or "No engine has left a log.")
        return DONE if words else NOTHING
    reports = asyncio.run(_reports(folders))
    if options.json:
        print(json.dumps([_as_json(found) for found in reports]))
    else:
        print("\n".join(_lines(found) for found in reports) or "No engine runs.")
    return DONE if reports else NOTHING


def _stop(folders: Directories) -> int:
    """Stop all, and say what was stopped and what could not be."""
    ends = stop_each(folders)
    n_stopped = sum(end.stopped for end in ends)
    print(f"{n_stopped} engine{'s' if n_stopped != 1 else ''} stopped.")
    for end in ends:
        if not end.stopped:
            what = "the process that holds its lock cannot be found" if end.pid is None else f"process {end.pid} stays"
            hint = (
                "Restart the machine, or end it by hand." if end.pid is None else f"End it by hand: kill -9 {end.pid}."
            )
            print(f"devstral-ls: the engine of {end.model} could not be stopped: {what} — {hint}", file=sys.stderr)
    return DONE if n_stopped == len(ends) else ENGINE


async def _reports(folders: Directories) -> list[EngineReport]:
    """Of all engines, asked at the same time."""
    return await asyncio.gather(*(engine_report(state, folders) for state in engines(folders)))


def _as_json(found: EngineReport) -> dict[str, Any]:
    """The state's values, and those of the report; what was assumed for the batch is not what was observed."""
    state = {name: value for name, value in asdict(found.state).items() if name not in ("nonce", "rate_key")}
    observed = {name: value for name, value in asdict(found).items() if name != "state"}
    return state | {"assumed_prefill_rate": state["prefill_rate"]} | observed


def _where(state: EngineState) -> str:
    if not state.gpu_layers:
        return f"{state.threads} threads"
    return "all layers on the GPU" if state.gpu_layers < 0 else f"{state.gpu_layers} layers on the GPU"


def _lines(found: EngineReport) -> str:
    state = found.state
    reuse = "-" if found.reuse is None else f"{found.reuse:.0%} of the prompt tokens"
    rss = "-" if found.rss_bytes is None else gigabytes(found.rss_bytes)
    cache = f"{state.context_tokens} tokens each, KV cache in {state.kv_type}"
    return "\n".join(
        (
            f"{state.model}: {state.phase}, pid {state.pid}, up {found.uptime_s / 60:.0f} min",
            f"  clients  {_or_dash(found.clients)}",
            f"  slots    {_or_dash(found.slots_busy)} of {state.slots} busy, {_or_dash(found.waiting)} waiting, {cache}",
            *(f"  queue    {_request(request)}" for request in found.queue),
            f"  memory   {rss}, planned {gigabytes(state.bytes_needed)}",
            f"  rates    prefill {_or_dash(found.prefill_rate)}, decode {_or_dash(found.decode_rate)} tokens/s",
            f"  reuse    {reuse}",
            f"  batch    {state.batch} tokens, {_where(state)}",
        )
    )


def _request(request: QueuedRequest) -> str:
    where = "" if request.slot is None else f" in slot {request.slot}"
    return f"{request.rank.replace('_', ' ')}: {request.state}{where} for {request.seconds:.1f} s"


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
