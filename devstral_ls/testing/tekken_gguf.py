"""A tiny model with Devstral's real vocabulary: Tekken, as `mistral-common` ships it.

The weights are random and narrow; the 131,072 tokens with their ids, the merges and the control tokens are the real
ones, so that the tokens of a prompt can be compared with those of Mistral's own tokenizer.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path

import gguf

from devstral_ls.testing.gguf_files import CONTROL, NORMAL, TEKKEN_CONTROL, _add_model, _byte_characters, _written


def tekken_file() -> Path:
    """The path of the vocabulary of Mistral's models since 2024-09 in `mistral-common`.

    Raises:
        ImportError: it is not installed.
    """
    import mistral_common

    return Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"


def write_tekken(path: Path) -> Path:
    """A Devstral-shaped model (heads x head_dim is not the width) with the whole Tekken vocabulary, 35 MB."""
    tekken = json.loads(tekken_file().read_text())
    n_control = tekken["config"]["default_num_special_tokens"]
    n_ordinary = tekken["config"]["default_vocab_size"] - n_control
    ranked = [base64.b64decode(entry["token_bytes"]) for entry in tekken["vocab"][:n_ordinary]]
    control = [(TEKKEN_CONTROL.get(number, f"<SPECIAL_{number}>"), CONTROL) for number in range(n_control)]
    letters = _byte_characters()
    vocabulary = [*control, *(("".join(letters[byte] for byte in token), NORMAL) for token in ranked)]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("tekken")
    writer.add_token_list([text for text, _ in vocabulary])
    writer.add_token_types([int(kind) for _, kind in vocabulary])
    writer.add_token_merges(_merges(ranked, letters))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    _add_model(writer, vocabulary, n_embd=32, head_dim=16, context_length=4096)
    return _written(writer, path)


def _merges(ranked: Sequence[bytes], letters: Sequence[str]) -> list[str]:
    """Every pair of tokens that together are a token, in the order of the rank of the whole."""
    ranks = {token: rank for rank, token in enumerate(ranked)}
    merges = []
    for token in ranked:
        halves = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        pairs = [(ranks[left], ranks[right]) for left, right in halves if left in ranks and right in ranks]
        merges += [(ranked[left], ranked[right]) for left, right in sorted(pairs)]
    return [" ".join("".join(letters[byte] for byte in half) for half in pair) for pair in merges]
