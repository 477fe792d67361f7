"""A model as the ctransformers library has it: the only file that imports the library."""

from __future__ import annotations

import os
from collections.abc import Sequence
from ctypes import c_int
from typing import Any

from devstral_ls.errors import GenerationFailed, ModelLoadFailed
from devstral_ls.models.runners import CTRANSFORMERS, RUNNERS

_TOP_K, _TOP_P = 40, 0.95


class LibraryModel:
    """``decoder.Model`` over the library's own object."""

    def __init__(self, library: Any, path: str, *, n_context: int, batch: int, threads: int) -> None:
        """Load the GGUF file at ``path``, whose header must have passed ``check_runner``.

        Raises:
            ModelLoadFailed: the library cannot load the file.
        """
        config = library.Config(
            context_length=n_context, batch_size=batch, threads=threads, repetition_penalty=1.0, gpu_layers=0
        )
        try:
            self._llm = library.LLM(path, model_type="gguf", config=config)
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelLoadFailed(f"ctransformers cannot load {path!r}: {error}") from error
        self.n_context = n_context
        self.batch = batch
        # Read once: the library returns its own buffer, which the next call overwrites.
        self.pieces: Sequence[bytes] = [
            self._llm.detokenize([token], decode=False) for token in range(self._llm.vocab_size)
        ]

    def tokenize(self, text: str) -> list[int]:
        """The ids of ordinary text; the library knows no control tokens by name."""
        data = text.replace("\0", "\ufffd").encode("utf-8", "replace")  # it takes a C string
        # Not `LLM.tokenize`, which has room for one token per character: a space may take three, an emoji four.
        tokens = (c_int * (3 * len(data) + 8))()
        n_tokens = self._llm.ctransformers_llm_tokenize(data, False, tokens)
        return list(tokens[: max(n_tokens, 0)])

    def reuse(self, prompt: Sequence[int]) -> int:
        """The length of the common prefix with the KV cache; the rest of the cache is dropped."""
        return len(prompt) - len(self._llm.prepare_inputs_for_generation(list(prompt), reset=True))

    def evaluate(self, tokens: Sequence[int]) -> None:
        """Evaluate ``tokens`` behind what is in the cache; raises GenerationFailed."""
        try:
            self._llm.eval(tokens)
        except RuntimeError as error:
            raise GenerationFailed("ctransformers could not evaluate the tokens") from error

    def sample(self, temperature: float) -> int:
        """The next token; with 0 the likeliest one."""
        if temperature <= 0:  # the library divides by it
            return int(self._llm.sample(top_k=1, top_p=1.0, temperature=1.0))
        return int(self._llm.sample(top_k=_TOP_K, top_p=_TOP_P, temperature=temperature))

    def likeliest(self, among: Sequence[int]) -> int:
        """The likeliest of these tokens."""
        logits = self._llm.logits
        return max(among, key=lambda token: logits[token])

    def ends(self, token: int) -> bool:
        """True when ``token`` ends an answer."""
        return bool(self._llm.is_eos_token(token))


def import_library() -> Any:
    """The library's module.

    Raises:
        ModelLoadFailed: it is not installed, or does not run here.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"  # it imports the client of the model hub, which must not look there
    try:
        from ctransformers import llm
    except (ImportError, OSError) as error:
        raise ModelLoadFailed(
            f"ctransformers cannot be used: {error}", hint=f"Install it: `{RUNNERS[CTRANSFORMERS].install}`."
        ) from error
    return llm
