"""Fixes with and without n-gram speculation: ``python -m benchmarks.studies.speculation MODEL.gguf [--cases N] [--draft N]``.

The questions are those of the fix cases, answered greedily by llama.cpp with one thread, in one process after the other.
Measured in CPU time for a token and batches for an answer: on a shared machine the clock says nothing. The batch is large
enough for the drafts of all slots, which that of an engine sized on a slow machine is not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.actions import in_turns, problems_of, show_anything, snapshot_of
from benchmarks.items import ActionCase, action_cases
from devstral_ls.actions.query import ActionQuery
from devstral_ls.actions.runner import ActionRunner
from devstral_ls.generation import GenerationRequest, ModelInfo, Special
from devstral_ls.models.families.table import bos_token, family_of, layouts_of
from devstral_ls.models.gguf.header import read_header
from devstral_ls.text import Span

BATCH, SLOTS, CONTEXT = 128, 4, 4096


@dataclass(frozen=True, slots=True)
class Run:
    """One answer."""

    case: str
    draft: int
    """Tokens drafted at once; 0: no speculation."""
    tokens: int
    batches: int
    cpu_s: float
    drafted: int
    accepted: int
    text: str


class _Noted(Exception):
    """Raised to stop an action once its question is recorded."""


class _Listener:
    """An engine that records the question of an action."""

    def __init__(self, model: ModelInfo) -> None:
        self.model = model
        self.request: GenerationRequest | None = None

    @asynccontextmanager
    async def generate(self, request: GenerationRequest) -> Any:
        self.request = request
        raise _Noted
        yield


async def question(case: ActionCase, model: ModelInfo) -> GenerationRequest:
    """The first question of the fix action in ``case``."""
    snapshot, listener = snapshot_of(case), _Listener(model)
    at = snapshot.line_span(case.target_line).end
    with suppress(_Noted):
        await ActionRunner(listener, show_anything).run(
            ActionQuery("fix", snapshot, Span(at, at), diagnostics=problems_of(case))
        )
    assert listener.request is not None
    return listener.request


def model_of(path: Path) -> ModelInfo:
    """The model info of a file, as an engine gives it."""
    header = read_header(path)
    return ModelInfo(path.stem, family_of(header).id, layouts_of(header), CONTEXT, 1024, bos_token(header))


def answers(path: Path, draft: int, n_cases: int) -> Iterator[Run]:
    """Every answer of a server in this process."""
    import xllamacpp

    from devstral_ls.engine.daemon.backends.llama_cpp import _NGRAM

    given = xllamacpp.CommonParams()
    given.model.path, given.hostnames, given.port = str(path), ["127.0.0.1"], 0
    given.n_ctx, given.n_parallel, given.kv_unified, given.cache_ram_mib = CONTEXT * SLOTS, SLOTS, False, 0
    given.n_batch = given.n_ubatch = BATCH
    given.fit_params, given.verbosity, given.ui, given.endpoint_metrics = False, 1, False, True
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = 1
    if draft:
        given.speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
        given.speculative.ngram_simple.size_n, given.speculative.ngram_simple.size_m = _NGRAM, draft
    server, model = xllamacpp.Server(given), model_of(path)
    with httpx.Client(base_url=server.listening_address, timeout=900) as client:
        for case in in_turns([case for case in action_cases() if case.action == "fix"])[:n_cases]:
            yield _answer(client, case.id, draft, asyncio.run(question(case, model)), model)


def _answer(client: httpx.Client, case: str, draft: int, request: GenerationRequest, model: ModelInfo) -> Run:
    ids = _tokens(client, model.bos, specials=True) if model.bos else []
    for part in request.prompt:
        ids += _tokens(
            client, part.token if isinstance(part, Special) else part.text, specials=isinstance(part, Special)
        )
    body = {"prompt": ids, "id_slot": 0, "cache_prompt": True, "temperature": 0, "samplers": ["top_k"], "top_k": 1}
    client.post("/completion", json=body | {"n_predict": 0})  # reading the prompt is the same either way
    before, began = _batches(client), time.process_time()
    said = client.post("/completion", json=body | {"n_predict": request.max_tokens, "stop": list(request.stop)}).json()
    spent, told = time.process_time() - began, said["timings"]
    drafted, accepted = told.get("draft_n") or 0, told.get("draft_n_accepted") or 0
    n_batches = _batches(client) - before
    return Run(case, draft, told["predicted_n"], n_batches, round(spent, 3), drafted, accepted, said["content"])


def _tokens(client: httpx.Client, text: str, *, specials: bool) -> list[int]:
    body = {"content": text, "add_special": False, "parse_special": specials}
    return list(client.post("/tokenize", json=body).json()["tokens"])


def _batches(client: httpx.Client) -> int:
    found = re.search(r"^llamacpp:n_decode_total (\S+)$", client.get("/metrics").text, re.MULTILINE)
    return int(float(found[1])) if found else 0


def table(runs: list[Run]) -> str:
    """The table, a line with and one without speculation, over the cases answered in both."""
    shared = set.intersection(*({run.case for run in runs if run.draft == draft} for draft in {r.draft for r in runs}))
    lines = []
    for draft in sorted({run.draft for run in runs}):
        of = [run for run in runs if run.draft == draft and run.case in shared]
        n_tokens, cpu_s = sum(run.tokens for run in of), sum(run.cpu_s for run in of)
        drafts = (
            f", {sum(run.accepted for run in of)} of {sum(run.drafted for run in of)} drafted taken" if draft else ""
        )
        lines.append(
            f"draft {draft:2}: {len(of)} cases, {n_tokens} tokens in {sum(run.batches for run in of)} batches{drafts}, "
            f"{n_tokens / max(cpu_s, 1e-9):.1f} tokens a second of one processor"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--draft", type=int, default=16, help="tokens tried at once")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        for run in answers(options.model, options.one, options.cases):
            print(json.dumps(asdict(run)), flush=True)
        return
    runs = []
    for draft in (options.draft, 0):
        command = [
            sys.executable,
            "-m",
            "benchmarks.studies.speculation",
            str(options.model),
            "--cases",
            str(options.cases),
        ]
        done = subprocess.run([*command, "--one", str(draft)], stdout=subprocess.PIPE, text=True, check=True)
        runs += [Run(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]
    print(table(runs))


if __name__ == "__main__":
    main()
