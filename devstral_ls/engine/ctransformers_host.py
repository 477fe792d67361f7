"""The engine's process with ctransformers: models of the Llama 2 kind, one request at a time, on the processor.

Life and end are in ``life``. The header is checked before the library sees the file: ctransformers 0.2.27 is llama.cpp
of September 2023, and what it does not know ends the process at best. In this process that costs nobody anything.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Sequence
from ctypes import c_int
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from devstral_ls import __version__
from devstral_ls.engine import life
from devstral_ls.engine.ctransformers_http import DialectServer
from devstral_ls.engine.place import Place
from devstral_ls.engine.spec import EngineSpec
from devstral_ls.engine.state import EngineState, write_private, write_state
from devstral_ls.errors import GenerationFailed, ModelLoadFailed
from devstral_ls.models.gguf.header import GgufHeader, read_header
from devstral_ls.models.runners import CTRANSFORMERS, RUNNERS, check_runner

MAX_BATCH = 256
"""Prompt tokens at once: the library's own 8 is slow. A slow machine gets fewer, as with llama.cpp."""

_TOP_K, _TOP_P = 40, 0.95


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the engine; the exit status is that of ``life.main``."""
    return life.main(_load, arguments)


def _load(spec: EngineSpec, place: Place, state: EngineState) -> tuple[DialectServer, EngineState]:
    """The running server, and what is to be said of it.

    Raises:
        ModelError: the model cannot be loaded, or is none for this library.
    """
    from devstral_ls.engine import sizing
    from devstral_ls.engine.rates import Rates
    from devstral_ls.models.memory import available_memory

    header = read_header(Path(spec.model_path))
    check_runner(CTRANSFORMERS, header)
    library = _library()
    spec = replace(spec, slots=1, gpu_layers=0)
    cores = sizing.physical_cores()
    threads = sizing.threads_for(spec, cores)
    rate_key = f"{spec.file_key}:{threads}:0:{CTRANSFORMERS}-{version(CTRANSFORMERS)}"
    machine = sizing.Machine(cores, available_memory())
    plan = sizing.plan(spec, header, machine, Rates(Path(spec.rates_file)).get(rate_key), kv_types=("f16",))
    state = replace(
        state,
        context_tokens=plan.context_tokens,
        slots=1,
        threads=threads,
        batch=min(plan.batch, MAX_BATCH),
        gpu_layers=0,
        prefill_rate=plan.prefill_rate,
        rate_key=rate_key,
        bytes_needed=plan.fit.total,
        versions={"devstral-ls": __version__, CTRANSFORMERS: version(CTRANSFORMERS)},
    )
    write_state(place.state, state)
    model = _Model(library, spec, state)
    api_key = secrets.token_urlsafe(32)
    write_private(place.api_key, api_key + "\n")
    place.socket.unlink(missing_ok=True)
    server = DialectServer(place.socket, api_key, model, _specials(header))
    place.socket.chmod(0o600)
    server.start()
    return server, replace(state, phase="ready", address=f"unix:{place.socket}")


def _library() -> Any:
    os.environ["HF_HUB_OFFLINE"] = "1"  # it imports the hub's client, which we do not need
    try:
        from ctransformers import llm
    except (ImportError, OSError) as error:
        raise ModelLoadFailed(
            f"ctransformers cannot be used: {error}", hint=f"Install it: `{RUNNERS[CTRANSFORMERS].install}`."
        ) from error
    return llm


def _specials(header: GgufHeader) -> dict[str, int]:
    return dict(header.control_tokens)


class _Model:
    """``ctransformers_run.Model`` over the library's own object."""

    def __init__(self, library: Any, spec: EngineSpec, state: EngineState) -> None:
        config = library.Config(
            context_length=state.context_tokens,
            batch_size=state.batch,
            threads=state.threads,
            repetition_penalty=1.0,
            gpu_layers=0,
        )
        try:
            self._llm = library.LLM(spec.model_path, model_type="gguf", config=config)
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelLoadFailed(f"ctransformers cannot load {spec.model_path!r}: {error}") from error
        self.n_context = state.context_tokens
        self.batch = state.batch
        # Once: what the library gives is its own buffer, which the next call overwrites.
        self.pieces: Sequence[bytes] = [
            self._llm.detokenize([token], decode=False) for token in range(self._llm.vocab_size)
        ]

    def tokenize(self, text: str) -> list[int]:
        """The ids of ordinary text; it knows no special ones."""
        data = text.replace("\0", "\ufffd").encode("utf-8", "replace")  # a C string
        # Not `LLM.tokenize`: it has room for a token per character, and writes more: a space may take three, an emoji four.
        tokens = (c_int * (3 * len(data) + 8))()
        n_tokens = self._llm.ctransformers_llm_tokenize(data, False, tokens)
        return list(tokens[: max(n_tokens, 0)])

    def reuse(self, prompt: Sequence[int]) -> int:
        """What is in the cache already; see ``Model``."""
        return len(prompt) - len(self._llm.prepare_inputs_for_generation(list(prompt), reset=True))

    def evaluate(self, tokens: Sequence[int]) -> None:
        """Evaluate what comes next."""
        try:
            self._llm.eval(tokens)
        except RuntimeError as error:
            raise GenerationFailed("ctransformers could not evaluate the tokens") from error

    def sample(self, temperature: float) -> int:
        """The next token."""
        if temperature <= 0:  # a temperature of 0 is a division by it
            return int(self._llm.sample(top_k=1, top_p=1.0, temperature=1.0))
        return int(self._llm.sample(top_k=_TOP_K, top_p=_TOP_P, temperature=temperature))

    def likeliest(self, among: Sequence[int]) -> int:
        """The likeliest of these."""
        logits = self._llm.logits
        return max(among, key=lambda token: logits[token])

    def ends(self, token: int) -> bool:
        """Does it end an answer?"""
        return bool(self._llm.is_eos_token(token))


if __name__ == "__main__":
    sys.exit(main())
