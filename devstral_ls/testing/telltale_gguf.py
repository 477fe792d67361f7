"""A hand-made model whose answer shows the contents of its KV cache.

One layer whose attention weighs all tokens alike, since its keys are zero: the logits are the counts of each letter. With
greedy sampling it repeats the most frequent letter of the whole cache. Other characters count for nothing.
"""

from __future__ import annotations

import string
from pathlib import Path

import gguf
import numpy as np

from devstral_ls.testing.gguf_files import _byte_characters

LETTERS = string.ascii_letters
_HALF = 64
"""Width for the letters of a token, and again for those of all: at least ``len(LETTERS)``."""


def write_telltale(path: Path, *, context_length: int = 4096) -> Path:
    """The model as a GGUF file. Every byte is one token, without BOS."""
    tokens = [*_byte_characters(), "ĊĊ", "<|endoftext|>"]
    width = 2 * _HALF
    embedding = np.zeros((len(tokens), width))
    output = np.zeros((len(tokens), width))
    for number, letter in enumerate(LETTERS):
        embedding[tokens.index(letter), number] = 1.0
        output[tokens.index(letter), _HALF + number] = 1.0
    first, second = np.eye(_HALF, width), np.eye(_HALF, width, k=_HALF)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([int(gguf.TokenType.NORMAL)] * (len(tokens) - 1) + [int(gguf.TokenType.CONTROL)])
    writer.add_token_merges(["Ċ Ċ"])
    writer.add_eos_token_id(len(tokens) - 1)
    writer.add_add_bos_token(False)
    writer.add_name("telltale")
    writer.add_context_length(context_length)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(width)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_key_length(_HALF)
    writer.add_value_length(_HALF)
    writer.add_rope_dimension_count(_HALF)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    nothing = np.zeros((width, width))
    tensors = {
        "token_embd": embedding,
        "output": output,
        "output_norm": np.ones(width),
        "blk.0.attn_norm": np.ones(width),
        "blk.0.ffn_norm": np.ones(width),
        "blk.0.attn_q": nothing,
        "blk.0.attn_k": np.zeros((_HALF, width)),
        "blk.0.attn_v": first,
        # Both heads share the one value head; the first writes it where the output looks.
        "blk.0.attn_output": second.T @ np.eye(_HALF, width),
        "blk.0.ffn_gate": nothing,
        "blk.0.ffn_up": nothing,
        "blk.0.ffn_down": nothing,
    }
    for name, values in tensors.items():
        writer.add_tensor(f"{name}.weight", values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
