"""RUNNERS: the libraries that can run model files, and which files each one accepts, judged from the header alone.

The header is judged before the library is loaded: a file that an old library does not know must never reach its C code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from devstral_ls.errors import ModelUnsupported
from devstral_ls.models.gguf.header import GgufHeader

LLAMA_CPP = "llama.cpp"
CTRANSFORMERS = "ctransformers"

LLAMA_CPP_ARCHITECTURES = frozenset(
    """
    afmoe apertus arcee arctic arwkv7 baichuan bailingmoe bailingmoe2 bitnet bloom chameleon chatglm codeshell cogvlm
    cohere2 command-r dbrx deci deepseek deepseek2 dots1 dream ernie4_5 ernie4_5-moe exaone exaone-moe exaone4 falcon
    falcon-h1 gemma gemma2 gemma3 gemma3n gemma4 glm-dsa glm4 glm4moe gpt-oss gpt2 gptj gptneox granite granitehybrid
    granitemoe grok grovemoe hunyuan-dense hunyuan-moe hunyuan_vl internlm2 jais jais2 jamba kimi-linear lfm2 lfm2moe
    llada llada-moe llama llama4 maincoder mamba mamba2 mimo2 minicpm minicpm3 minimax-m2 mistral3 mistral4 mpt nemotron
    nemotron_h nemotron_h_moe olmo olmo2 olmoe openelm orion paddleocr pangu-embedded phi2 phi3 phimoe plamo plamo2
    plamo3 plm qwen qwen2 qwen2moe qwen2vl qwen3 qwen35 qwen35moe qwen3moe qwen3next qwen3vl qwen3vlmoe refact rnd1
    rwkv6 rwkv6qwen2 rwkv7 seed_oss smallthinker smollm3 stablelm starcoder starcoder2 step35 xverse
    """.split()  # noqa: SIM905  a list of literals would fill a page
)
"""Text generators among the names in xllamacpp 2026.10.11549, as the ``gguf`` package 0.19 lists them.

llama.cpp itself decides whether a file runs; this list is only for messages beforehand."""

_CTRANSFORMERS_TYPES = frozenset(
    {
        "F32", "F16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q8_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_K",
        "I8", "I16", "I32",
    }
)  # fmt: skip
"""ggml's types in September 2023, the version in ctransformers 0.2.27; with others it crashes or reads noise."""

_CTRANSFORMERS_VERSION = 3
"""The newest GGUF version that it reads: on little-endian machines version 3 is laid out as 2."""


@dataclass(frozen=True, slots=True)
class Runner:
    """A library that runs models."""

    name: str
    """Its value of the ``engine.backend`` setting."""
    module: str
    """The module that must be importable."""
    install: str
    """The command that installs it, as shown to the user."""
    objection: Callable[[GgufHeader], str | None]
    """Returns the reason why it cannot run a model; ``None`` if it can."""


def _llama_cpp(header: GgufHeader) -> str | None:
    if header.architecture not in LLAMA_CPP_ARCHITECTURES:
        return f"it does not know the architecture {header.architecture[:40]!r}"
    if not header.n_vocab:
        return "the file has no vocabulary"
    return None


def _ctransformers(header: GgufHeader) -> str | None:
    if header.architecture != "llama":
        return f"of GGUF files it runs the architecture 'llama' only, not {header.architecture[:40]!r}"
    if header.version > _CTRANSFORMERS_VERSION:
        return f"it reads GGUF up to version {_CTRANSFORMERS_VERSION}, not {header.version}"
    if header.n_heads * header.head_dim != header.n_embd or header.head_dim_v != header.head_dim:
        return (
            f"it takes a head's size to be width / heads = {header.n_embd} / {header.n_heads}, "
            f"but here it is {header.head_dim}"
        )
    if header.tokenizer_model != "llama":
        return f"it reads SentencePiece vocabularies ('llama') only, not {header.tokenizer_model[:40]!r}"
    if unknown := sorted(header.tensor_types - _CTRANSFORMERS_TYPES):
        return f"it does not know the tensor type{'s' * (len(unknown) > 1)} {', '.join(unknown)}"
    return None


_ROWS = (
    Runner(LLAMA_CPP, "xllamacpp", "pip install xllamacpp", _llama_cpp),
    Runner(CTRANSFORMERS, "ctransformers", "pip install ctransformers", _ctransformers),
)

RUNNERS: Mapping[str, Runner] = {runner.name: runner for runner in _ROWS}
"""By name, in the order of preference."""


def check_runner(name: str, header: GgufHeader) -> None:
    """Raise unless the library ``name`` can run the model.

    Raises:
        ModelUnsupported: it cannot; the hint names a library that can.
    """
    objection = RUNNERS[name].objection(header)
    if objection is None:
        return
    able = [runner.name for runner in RUNNERS.values() if runner.objection(header) is None]
    hint = f'Set engine.backend to "{able[0]}" or "auto": it can run this file.' if able else "Use another model file."
    raise ModelUnsupported(f"{name} cannot run {str(header.path)!r}: {objection}", hint=hint)
