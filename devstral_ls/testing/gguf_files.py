"""Tiny GGUF files with random weights: models that load and generate nonsense, and headers that do not load.

``write_devstral_shaped``, ``write_spm_llama`` and ``write_qwen_fim`` make models of some hundred kilobytes that
llama.cpp runs; ``write_header`` makes any header around one tensor. With greedy sampling a model never ends by itself and
generates readable ASCII only, since the output weights of all other tokens are zero.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np

NORMAL = gguf.TokenType.NORMAL
CONTROL = gguf.TokenType.CONTROL
USER_DEFINED = gguf.TokenType.USER_DEFINED
BYTE = gguf.TokenType.BYTE
UNKNOWN = gguf.TokenType.UNKNOWN

TEKKEN_CONTROL = {
    0: "<unk>",
    1: "<s>",
    2: "</s>",
    3: "[INST]",
    4: "[/INST]",
    5: "[AVAILABLE_TOOLS]",
    6: "[/AVAILABLE_TOOLS]",
    7: "[TOOL_RESULTS]",
    8: "[/TOOL_RESULTS]",
    9: "[TOOL_CALLS]",
    10: "[IMG]",
    11: "<pad>",
    12: "[IMG_BREAK]",
    13: "[IMG_END]",
    14: "[PREFIX]",
    15: "[MIDDLE]",
    16: "[SUFFIX]",
    17: "[SYSTEM_PROMPT]",
    18: "[/SYSTEM_PROMPT]",
    19: "[TOOL_CONTENT]",
}
"""Tekken's control tokens with their ids."""

QWEN_CONTROL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
    "<tool_call>",
    "</tool_call>",
    "<think>",
    "</think>",
)
CHATML_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

_MERGES = (
    ("Ġ", "Ġ"),
    ("ĠĠ", "ĠĠ"),
    ("r", "e"),
    ("i", "n"),
    ("d", "e"),
    ("de", "f"),
    ("re", "t"),
    ("o", "n"),
    ("Ċ", "Ċ"),
)
"""A few byte-level BPE merges."""

Vocabulary = Sequence[tuple[str, int]]
"""Texts and token types, in the order of the ids."""


def write_devstral_shaped(path: Path, architecture: str = "llama", *, context_length: int = 4096) -> Path:
    """A model with Devstral Small's peculiarities: heads x head_dim is not the width, a Tekken vocabulary.

    ``architecture`` is ``llama`` (1.0, 1.1) or ``mistral3`` (Small 2). 4 heads, 2 of them for keys and values, of 32,
    in a width of 160, as Devstral has 32 of 128 in 5,120.
    """
    control = [(TEKKEN_CONTROL.get(number, f"<SPECIAL_{number}>"), CONTROL) for number in range(24)]
    writer = gguf.GGUFWriter(path, architecture)
    vocabulary = [*control, *_byte_level_tokens()]
    _add_bpe(writer, "tekken", vocabulary)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    _add_model(writer, vocabulary, n_embd=160, head_dim=32, context_length=context_length)
    return _written(writer, path)


def write_qwen_fim(path: Path, *, context_length: int = 4096) -> Path:
    """A model with Qwen's FIM and chat tokens at the end of a byte-level vocabulary, without BOS."""
    ordinary = _byte_level_tokens()
    vocabulary = [*ordinary, *((text, _qwen_type(text)) for text in QWEN_CONTROL)]
    writer = gguf.GGUFWriter(path, "qwen2")
    _add_bpe(writer, "qwen2", vocabulary)
    end_of_text = len(ordinary)
    writer.add_bos_token_id(end_of_text)
    writer.add_eos_token_id(end_of_text + 2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHATML_TEMPLATE)
    _add_model(writer, vocabulary, n_embd=128, head_dim=32, context_length=context_length, has_biases=True)
    return _written(writer, path)


def _qwen_type(text: str) -> int:
    """The type that llama.cpp's converter gives: those that are not "special" become user-defined."""
    return USER_DEFINED if "fim" in text or "|" not in text else CONTROL


def write_spm_llama(path: Path, *, context_length: int = 2048, more_tokens: Vocabulary = ()) -> Path:
    """A model of the Llama 2 class: a SentencePiece vocabulary with byte fallback; ``more_tokens`` are appended."""
    vocabulary: list[tuple[str, int]] = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]
    vocabulary += [(f"<0x{byte:02X}>", BYTE) for byte in range(256)]
    vocabulary += [("▁", NORMAL), ("▁▁", NORMAL), ("re", NORMAL), ("in", NORMAL), ("▁de", NORMAL), ("de", NORMAL)]
    vocabulary += [(chr(character), NORMAL) for character in range(33, 127)]
    vocabulary += list(more_tokens)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in vocabulary])
    writer.add_token_scores([float(-number) for number in range(len(vocabulary))])
    writer.add_token_types([int(kind) for _, kind in vocabulary])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    _add_model(writer, vocabulary, n_embd=128, head_dim=32, context_length=context_length)
    return _written(writer, path)


def write_header(path: Path, keys: Mapping[str, Any], *, vocabulary: Vocabulary = (), n_merges: int = 0) -> Path:
    """A file with ``keys`` around one small tensor: good for reading the header, not for loading.

    Values are strings, bools, ints (u32), floats (f32) or lists of one of these; ``general.architecture`` is ``llama``
    and its shape a small one unless ``keys`` say otherwise; a value of ``None`` leaves the key out.
    """
    shape = {"block_count": 2, "embedding_length": 64, "context_length": 512, "attention.head_count": 4}
    architecture = keys.get("general.architecture", "llama")
    every = {f"{architecture}.{name}": value for name, value in shape.items()} | dict(keys)
    writer = gguf.GGUFWriter(path, architecture or "none")
    if architecture is None:
        writer.kv_data[0].pop("general.architecture")
    for name, value in every.items():
        if value is not None and name != "general.architecture":
            _add_key(writer, name, value)
    if vocabulary:
        writer.add_token_list([text for text, _ in vocabulary])
        writer.add_token_types([int(kind) for _, kind in vocabulary])
    if n_merges:
        writer.add_token_merges([f"Ġt{number} h{number}" for number in range(n_merges)])
    writer.add_tensor("token_embd.weight", np.zeros((4, 64), dtype=np.float32))
    return _written(writer, path)


def write_big_vocabulary(path: Path, n_tokens: int = 131_072, n_merges: int = 269_443) -> Path:
    """A header of Devstral's real size: as many tokens and merges, 1,000 of them control tokens."""
    control = [(TEKKEN_CONTROL.get(number, f"<SPECIAL_{number}>"), CONTROL) for number in range(1000)]
    ordinary = [(f"Ġtok{number}", NORMAL) for number in range(1000, n_tokens)]
    keys = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "tekken", "tokenizer.ggml.bos_token_id": 1}
    return write_header(path, keys, vocabulary=[*control, *ordinary], n_merges=n_merges)


def with_version(path: Path, version: int) -> Path:
    """Change the version number of the file at ``path``; version 2 has the same layout as 3."""
    data = bytearray(path.read_bytes())
    data[4:8] = struct.pack("<I", version)
    path.write_bytes(data)
    return path


def truncated(path: Path, n_bytes: int) -> Path:
    """Cut ``n_bytes`` off the end of the file at ``path``."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - n_bytes])
    return path


def _byte_level_tokens() -> list[tuple[str, int]]:
    """The 256 bytes as byte-level BPE writes them, and the merged tokens."""
    return [(text, NORMAL) for text in (*_byte_characters(), *("".join(pair) for pair in _MERGES))]


def _byte_characters() -> list[str]:
    """GPT-2's printable stand-in for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


def _add_bpe(writer: gguf.GGUFWriter, pre: str, vocabulary: Vocabulary) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list([text for text, _ in vocabulary])
    writer.add_token_types([int(kind) for _, kind in vocabulary])
    writer.add_token_merges([" ".join(pair) for pair in _MERGES])


def _add_model(
    writer: gguf.GGUFWriter,
    vocabulary: Vocabulary,
    n_embd: int,
    head_dim: int,
    context_length: int,
    n_heads: int = 4,
    n_kv_heads: int = 2,
    n_layers: int = 2,
    has_biases: bool = False,
) -> None:
    """The shape keys and random tensors of a llama-like model, in f32."""
    n_ff = 2 * n_embd
    writer.add_name("tiny random model")
    writer.add_context_length(context_length)
    writer.add_embedding_length(n_embd)
    writer.add_block_count(n_layers)
    writer.add_feed_forward_length(n_ff)
    writer.add_head_count(n_heads)
    writer.add_head_count_kv(n_kv_heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(vocabulary))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    random = np.random.default_rng(7)
    _add_ends(writer, random, vocabulary, n_embd)
    for layer in range(n_layers):
        _add_layer(writer, random, f"blk.{layer}", n_embd, n_ff, n_heads * head_dim, n_kv_heads * head_dim, has_biases)


def _add_ends(writer: gguf.GGUFWriter, random: np.random.Generator, vocabulary: Vocabulary, n_embd: int) -> None:
    """Embeddings and output; the output weights of unreadable tokens are zero."""
    shape = (len(vocabulary), n_embd)
    output = random.standard_normal(shape) * 0.05
    output[[not _is_readable(text, kind) for text, kind in vocabulary]] = 0.0
    writer.add_tensor("token_embd.weight", (random.standard_normal(shape) * 0.05).astype(np.float32))
    writer.add_tensor("output.weight", output.astype(np.float32))
    writer.add_tensor("output_norm.weight", np.ones(n_embd, dtype=np.float32))


def _add_layer(
    writer: gguf.GGUFWriter,
    random: np.random.Generator,
    block: str,
    n_embd: int,
    n_ff: int,
    n_queries: int,
    n_keys: int,
    has_biases: bool,
) -> None:
    shapes: dict[str, tuple[int, ...]] = {
        "attn_q.weight": (n_queries, n_embd),
        "attn_k.weight": (n_keys, n_embd),
        "attn_v.weight": (n_keys, n_embd),
        "attn_output.weight": (n_embd, n_queries),
        "ffn_gate.weight": (n_ff, n_embd),
        "ffn_up.weight": (n_ff, n_embd),
        "ffn_down.weight": (n_embd, n_ff),
    }
    if has_biases:
        shapes |= {"attn_q.bias": (n_queries,), "attn_k.bias": (n_keys,), "attn_v.bias": (n_keys,)}
    for name in ("attn_norm.weight", "ffn_norm.weight"):
        writer.add_tensor(f"{block}.{name}", np.ones(n_embd, dtype=np.float32))
    for name, shape in shapes.items():
        writer.add_tensor(f"{block}.{name}", (random.standard_normal(shape) * 0.05).astype(np.float32))


def _is_readable(text: str, kind: int) -> bool:
    return kind == NORMAL and all("!" <= character <= "~" or character in "ĠĊ▁" for character in text)


def _add_key(writer: gguf.GGUFWriter, name: str, value: Any) -> None:
    if isinstance(value, list):
        writer.add_array(name, value)
    elif isinstance(value, bool):
        writer.add_bool(name, value)
    elif isinstance(value, int):
        writer.add_uint32(name, value)
    elif isinstance(value, float):
        writer.add_float32(name, value)
    else:
        writer.add_string(name, value)


def _written(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
