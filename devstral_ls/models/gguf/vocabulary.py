"""The few tokens of a vocabulary that are not ordinary text, found without keeping the others."""

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
"""A control token's text is cut here."""

_CONTROL_TYPES = re.compile(b"[\x03\x04]")
"""``CONTROL`` and ``USER_DEFINED`` of ``tokenizer.ggml.token_type``."""

_NUMBER_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 10: 8, 11: 8}
"""GGUF's whole number types to their bytes."""

_FIM_KEYS: Mapping[str, tuple[str, ...]] = {
    "prefix": ("fim_pre_token_id", "prefix_token_id"),
    "suffix": ("fim_suf_token_id", "suffix_token_id"),
    "middle": ("fim_mid_token_id", "middle_token_id"),
    "pad": ("fim_pad_token_id",),
    "repository": ("fim_rep_token_id",),
    "separator": ("fim_sep_token_id",),
}
"""Our word for a sentinel to the ``tokenizer.ggml.`` keys that may hold its id, the newer one first."""

_UNMARKED = ("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>")
"""Code Llama's sentinels, which its converters left as normal tokens of the SentencePiece vocabulary."""

_SENTENCEPIECE_IDS = (("bos_token_id", 1), ("eos_token_id", 2))
"""What llama.cpp takes for SentencePiece when the file does not say."""

_BOS_BY_DEFAULT = frozenset(
    {"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "tekken"}
)
"""BPE pre-tokenizers for which llama.cpp adds BOS when the file does not say."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a header says of its tokenizer; the fields are those of ``GgufHeader``."""

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
        word: found for word, names in _FIM_KEYS.items() if (found := _first_id(keys, names, n_vocab)) is not None
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
    return next((found for name in names if (found := _token_id(keys, name, n_vocab)) is not None), None)


def _token_id(keys: Keys, name: str, n_vocab: int, default: int | None = None) -> int | None:
    """The id under ``name``, or ``default``; ids of -1 (u32 or i32) mean that there is none."""
    if keys.front.keys.get(f"tokenizer.ggml.{name}") in (-1, 0xFFFFFFFF):
        return None
    found = keys.number(f"tokenizer.ggml.{name}")
    found = default if found is None else found
    if found is not None and found >= n_vocab:
        raise ModelCorrupt(f"key 'tokenizer.ggml.{name}' is {found}, but there are only {n_vocab} tokens")
    return found


def _control_tokens(
    keys: Keys, vocabulary: Array | None, named: list[int], unmarked: tuple[str, ...]
) -> Mapping[str, int]:
    """Text to id of the tokens marked as control, of those in ``named``, and of those that read as in ``unmarked``."""
    if vocabulary is None:
        return {}
    if not vocabulary.is_strings:
        raise ModelCorrupt("key 'tokenizer.ggml.tokens' is not an array of strings")
    window = keys.front.window
    ids = [*_marked(keys, vocabulary.count), *sorted(named)]
    found: dict[str, int] = {}
    for token_id, at in zip(ids, string_offsets(window, vocabulary, ids), strict=True):
        found.setdefault(string_at(window, at, MAX_CONTROL_BYTES), token_id)
    for text in unmarked:
        if (place := _place(window, vocabulary, text)) is not None:
            found.setdefault(text, place)
    return found


def _marked(keys: Keys, n_vocab: int) -> Iterator[int]:
    """Ids whose type is control or user-defined, by the low bytes of the type array."""
    types = keys.array("tokenizer.ggml.token_type")
    if types is None:
        return
    if types.type not in _NUMBER_BYTES or types.count != n_vocab:
        raise ModelCorrupt(f"key 'tokenizer.ggml.token_type' does not fit {n_vocab} tokens")
    low_bytes = keys.front.window[types.at : types.end : _NUMBER_BYTES[types.type]]
    for n_found, match in enumerate(_CONTROL_TYPES.finditer(low_bytes)):
        if n_found == MAX_CONTROL_TOKENS:
            return
        yield match.start()


def _place(window: bytes, vocabulary: Array, text: str) -> int | None:
    """The id of the token that reads ``text``, looked for as its length and bytes in the whole array."""
    raw = text.encode()
    needle = len(raw).to_bytes(8, "little") + raw
    at = window.find(needle, vocabulary.at, vocabulary.end)
    while at >= 0:
        if (token_id := string_index(window, vocabulary, at)) is not None:
            return token_id
        at = window.find(needle, at + 1, vocabulary.end)
    return None
