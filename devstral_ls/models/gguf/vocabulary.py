"""Finds the few tokens of a vocabulary that are not ordinary text, without keeping the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from devstral_ls.errors import ModelCorrupt
from devstral_ls.models.gguf.keys import Keys
from devstral_ls.models.gguf.reader import Array, string_at, string_index, string_offsets

MAX_CONTROL_TOKENS = 1 << 14
"""The most control tokens kept; Tekken has 1,000, Gemma 6,500."""

MAX_CONTROL_BYTES = 256
"""Longer texts of control tokens are cut."""

_CONTROL_TYPES = re.compile(b"[\x03\x04]")
"""``CONTROL`` and ``USER_DEFINED`` of ``tokenizer.ggml.token_type``."""

_NUMBER_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 10: 8, 11: 8}
"""The bytes of GGUF's integer types."""

_FIM_KEYS: Mapping[str, tuple[str, ...]] = {
    "prefix": ("fim_pre_token_id", "prefix_token_id"),
    "suffix": ("fim_suf_token_id", "suffix_token_id"),
    "middle": ("fim_mid_token_id", "middle_token_id"),
    "pad": ("fim_pad_token_id",),
    "repository": ("fim_rep_token_id",),
    "separator": ("fim_sep_token_id",),
}
"""For each FIM role the ``tokenizer.ggml.`` keys that may hold the id of its token, the newer first."""

_UNMARKED = ("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>")
"""Code Llama's FIM tokens, which its converters left as normal tokens of the SentencePiece vocabulary."""

_SENTENCEPIECE_IDS = (("bos_token_id", 1), ("eos_token_id", 2))
"""llama.cpp's defaults for SentencePiece."""

_BOS_BY_DEFAULT = frozenset(
    {"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "tekken"}
)
"""BPE pre-tokenizers for which llama.cpp adds BOS by default."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The facts about the tokenizer; the fields are those of ``GgufHeader``."""

    model: str
    pre: str
    n_vocab: int
    bos_id: int | None
    eos_id: int | None
    add_bos: bool
    add_space_prefix: bool
    fim_ids: Mapping[str, int]
    control_tokens: Mapping[str, int]


def read_tokens(keys: Keys, architecture: str) -> Tokens:
    """Read the tokenizer's keys.

    Raises:
        ModelCorrupt: a key has the wrong type, or an id is not in the vocabulary.
    """
    model = keys.text("tokenizer.ggml.model") or "none"
    pre = keys.text("tokenizer.ggml.pre") or ""
    vocabulary = keys.array("tokenizer.ggml.tokens")
    n_vocab = vocabulary.count if vocabulary else keys.number(f"{architecture}.vocab_size") or 0
    is_sentencepiece = model == "llama"
    bos_id, eos_id = (
        _token_id(keys, name, n_vocab, default if is_sentencepiece and n_vocab > default else None)
        for name, default in _SENTENCEPIECE_IDS
    )
    fim_ids = {
        role: token_id for role, names in _FIM_KEYS.items() if (token_id := _first_id(keys, names, n_vocab)) is not None
    }
    named = [token_id for token_id in (bos_id, eos_id, *fim_ids.values()) if token_id is not None]
    return Tokens(
        model=model,
        pre=pre,
        n_vocab=n_vocab,
        bos_id=bos_id,
        eos_id=eos_id,
        add_bos=keys.flag("tokenizer.ggml.add_bos_token", is_sentencepiece or pre in _BOS_BY_DEFAULT),
        add_space_prefix=keys.flag("tokenizer.ggml.add_space_prefix", is_sentencepiece),
        fim_ids=fim_ids,
        control_tokens=_control_tokens(keys, vocabulary, named, _UNMARKED if is_sentencepiece else ()),
    )


def _first_id(keys: Keys, names: Iterable[str], n_vocab: int) -> int | None:
    ids = (_token_id(keys, name, n_vocab) for name in names)
    return next((token_id for token_id in ids if token_id is not None), None)


def _token_id(keys: Keys, name: str, n_vocab: int, default: int | None = None) -> int | None:
    """The id under ``name``, or ``default``; ``None`` for -1 (u32 or i32), which means no such token."""
    if keys.raw.keys.get(f"tokenizer.ggml.{name}") in (-1, 0xFFFFFFFF):
        return None
    token_id = keys.number(f"tokenizer.ggml.{name}")
    token_id = default if token_id is None else token_id
    if token_id is not None and token_id >= n_vocab:
        raise ModelCorrupt(f"key 'tokenizer.ggml.{name}' is {token_id}, but there are only {n_vocab} tokens")
    return token_id


def _control_tokens(
    keys: Keys, vocabulary: Array | None, named: list[int], unmarked: tuple[str, ...]
) -> Mapping[str, int]:
    """Text and id of the tokens marked as control, of the ids in ``named``, and of the texts in ``unmarked``."""
    if vocabulary is None:
        return {}
    if not vocabulary.is_strings:
        raise ModelCorrupt("key 'tokenizer.ggml.tokens' is not an array of strings")
    window = keys.raw.window
    ids = [*_marked(keys, vocabulary.count), *sorted(named)]
    ids_by_text: dict[str, int] = {}
    for token_id, at in zip(ids, string_offsets(window, vocabulary, ids), strict=True):
        ids_by_text.setdefault(string_at(window, at, MAX_CONTROL_BYTES), token_id)
    for text in unmarked:
        if (unmarked_id := _id_of(window, vocabulary, text)) is not None:
            ids_by_text.setdefault(text, unmarked_id)
    return ids_by_text


def _marked(keys: Keys, n_vocab: int) -> Iterator[int]:
    """The ids whose type is control or user-defined, from the low bytes of the type array."""
    types = keys.array("tokenizer.ggml.token_type")
    if types is None:
        return
    if types.type not in _NUMBER_BYTES or types.count != n_vocab:
        raise ModelCorrupt(f"key 'tokenizer.ggml.token_type' does not fit {n_vocab} tokens")
    low_bytes = keys.raw.window[types.at : types.end : _NUMBER_BYTES[types.type]]
    for n_marked, match in enumerate(_CONTROL_TYPES.finditer(low_bytes)):
        if n_marked == MAX_CONTROL_TOKENS:
            return
        yield match.start()


def _id_of(window: bytes, vocabulary: Array, text: str) -> int | None:
    """The id of the token with this text, found by searching the array for its length and bytes."""
    raw = text.encode()
    needle = len(raw).to_bytes(8, "little") + raw
    at = window.find(needle, vocabulary.at, vocabulary.end)
    while at >= 0:
        if (token_id := string_index(window, vocabulary, at)) is not None:
            return token_id
        at = window.find(needle, at + 1, vocabulary.end)
    return None
