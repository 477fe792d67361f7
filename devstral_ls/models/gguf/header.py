"""What a GGUF file says about its model: shape, tokens, chat template, sizes. Read in milliseconds, without the weights.

Keys are those of the GGUF specification (ggml/docs/gguf.md); defaults follow llama.cpp.
"""

from __future__ import annotations

import re
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from devstral_ls.errors import ModelCorrupt, ModelError, ModelNotFound, ModelUnsupported
from devstral_ls.models.gguf.keys import Keys
from devstral_ls.models.gguf.reader import Front, read_front
from devstral_ls.models.gguf.tensor_types import FILE_TYPES
from devstral_ls.models.gguf.vocabulary import read_tokens

_F16_BYTES = 2
_GUESSED = 1 << 10
"""The bit of ``general.file_type`` that says the writer guessed it."""

_ALIGNMENT = 32
"""What ``general.alignment`` is when the file does not say."""

_PART = re.compile(r"^(?P<stem>.*)-(?P<no>\d{5})-of-(?P<count>\d{5})(?P<ending>\.gguf)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """One model as its file describes it. Sizes in bytes, of all parts together if the model is split."""

    path: Path
    version: int
    file_size: int
    n_tensors: int
    architecture: str
    name: str | None
    n_params: int
    quantisation: str
    """As people say it: "Q4_K_M"; the type of most of the weights when the file does not say."""
    context_length: int
    """Tokens the model was made for; 0 when the file does not say."""
    n_layers: int
    n_embd: int
    n_heads: int
    n_kv_heads: int
    """Of the layer with the most; see ``kv_heads_total``."""
    kv_heads_total: int
    """Over all layers; a layer without attention counts 0."""
    head_dim: int
    """Of keys and queries. Not always ``n_embd / n_heads``: Devstral's is 128 where that would be 160."""
    head_dim_v: int
    n_vocab: int
    tokenizer_model: str
    """"gpt2" is BPE, "llama" SentencePiece."""
    tokenizer_pre: str
    bos_id: int | None
    eos_id: int | None
    add_bos: bool
    """Should a prompt begin with BOS?"""
    add_space_prefix: bool
    """Does the tokenizer put a space in front of each text (SentencePiece)?"""
    chat_template: str | None
    fim_ids: Mapping[str, int]
    """prefix, suffix, middle, pad, repository, separator to the ids the file names for them."""
    control_tokens: Mapping[str, int]
    """The text of every token that is not ordinary text, and its id; also BOS, EOS and those of ``fim_ids``."""
    weights_bytes: int
    tensor_types: frozenset[str] = frozenset()
    """Names of ggml's types in use: "F32", "Q4_K"."""

    @property
    def kv_bytes_per_token(self) -> int:
        """The KV cache of one token with keys and values in f16."""
        return self.kv_heads_total * (self.head_dim + self.head_dim_v) * _F16_BYTES


def read_header(path: Path) -> GgufHeader:
    """Read the header of the model at ``path``, of a split model all headers; ``path`` names its first part then.

    Raises:
        ModelNotFound: nothing there.
        ModelCorrupt: not a GGUF file, cut off, damaged, or parts are missing.
        ModelUnsupported: a GGUF file, but not of a model we can run.
    """
    try:
        return _read(path)
    except ModelError as error:
        raise type(error)(f"{str(path)!r}: {error.message}", hint=error.hint) from None
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the path
        raise ModelNotFound(f"{str(path)!r}: there is no such file") from None
    except OSError as error:
        reason = error.strerror or error
        raise ModelCorrupt(f"{str(path)!r}: it cannot be read: {reason}", hint="Check its permissions.") from None


def split_parts(path: Path) -> tuple[Path, ...]:
    """The files of the model whose first part is ``path``, by its name; ``path`` alone if it is not split."""
    match = _PART.match(path.name)
    if match is None:
        return (path,)
    count = int(match["count"])
    return tuple(
        path.with_name(f"{match['stem']}-{number:05}-of-{count:05}{match['ending']}") for number in range(1, count + 1)
    )


def _read(path: Path) -> GgufHeader:
    front = _checked_front(path)
    keys = Keys(front)
    n_parts = keys.number("split.count") or 1
    if n_parts > 1 and keys.number("split.no"):
        raise ModelUnsupported(f"it is a later part of a split model; name the first of its {n_parts} files")
    header = _header(path, keys)
    return header if n_parts == 1 else _joined(header, split_parts(path), n_parts)


def _joined(header: GgufHeader, parts: tuple[Path, ...], n_parts: int) -> GgufHeader:
    """``header`` with the tensors of the other parts counted in."""
    if len(parts) != n_parts:
        raise ModelCorrupt(f"it is one of {n_parts} files, but its name does not end in -00001-of-{n_parts:05}.gguf")
    for part in parts[1:]:
        if not part.is_file():
            raise ModelCorrupt(f"{part.name!r} is missing: the model is split into {n_parts} files")
        front = _checked_front(part)
        header = replace(
            header,
            file_size=header.file_size + front.file_size,
            n_tensors=header.n_tensors + len(front.tensors),
            n_params=header.n_params + sum(tensor.n_elements for tensor in front.tensors),
            weights_bytes=header.weights_bytes + sum(tensor.n_bytes for tensor in front.tensors),
            tensor_types=header.tensor_types | {tensor.type.name for tensor in front.tensors},
        )
    return header


def _checked_front(path: Path) -> Front:
    """The front of a regular file that is as long as its tensor table says."""
    if stat.S_ISDIR(mode := path.stat().st_mode):
        raise ModelCorrupt("it is a folder, not a GGUF file")
    if not stat.S_ISREG(mode):
        raise ModelCorrupt("it is not a regular file")
    front = read_front(path)
    alignment = Keys(front).number("general.alignment") or _ALIGNMENT
    if alignment & (alignment - 1):
        raise ModelCorrupt(f"its alignment {alignment} is not a power of two")
    start = -(-front.end // alignment) * alignment
    end = max((start + tensor.offset + tensor.n_bytes for tensor in front.tensors), default=start)
    if front.tensors and end > front.file_size:
        raise ModelCorrupt(
            f"the file is shorter than its header says: {front.file_size:,} of {end:,} bytes",
            hint="The download was probably cut off; fetch it again.",
        )
    return front


@dataclass(frozen=True, slots=True)
class _Shape:
    n_layers: int
    n_embd: int
    heads: tuple[int, ...]
    kv_heads: tuple[int, ...]
    head_dim: int
    head_dim_v: int


def _header(path: Path, keys: Keys) -> GgufHeader:
    front = keys.front
    architecture = _architecture(keys)
    shape = _shape(keys, architecture)
    tokens = read_tokens(keys, architecture)
    return GgufHeader(
        path=path,
        version=front.version,
        file_size=front.file_size,
        n_tensors=len(front.tensors),
        architecture=architecture,
        name=keys.text("general.name"),
        n_params=sum(tensor.n_elements for tensor in front.tensors),
        quantisation=_quantisation(keys),
        context_length=keys.number(f"{architecture}.context_length") or 0,
        n_layers=shape.n_layers,
        n_embd=shape.n_embd,
        n_heads=max(shape.heads),
        n_kv_heads=max(shape.kv_heads),
        kv_heads_total=sum(shape.kv_heads),
        head_dim=shape.head_dim,
        head_dim_v=shape.head_dim_v,
        n_vocab=tokens.n_vocab,
        tokenizer_model=tokens.model,
        tokenizer_pre=tokens.pre,
        bos_id=tokens.bos_id,
        eos_id=tokens.eos_id,
        add_bos=tokens.add_bos,
        add_space_prefix=tokens.add_space_prefix,
        chat_template=keys.text("tokenizer.chat_template"),
        fim_ids=tokens.fim_ids,
        control_tokens=tokens.control_tokens,
        weights_bytes=sum(tensor.n_bytes for tensor in front.tensors),
        tensor_types=frozenset(tensor.type.name for tensor in front.tensors),
    )


def _architecture(keys: Keys) -> str:
    """The architecture of a language model; adapters, vision projectors and the like are refused."""
    architecture = keys.text("general.architecture")
    kind = keys.text("general.type") or "model"
    if kind != "model" or architecture == "clip":
        raise ModelUnsupported(f"it holds no language model: its type is {kind[:40]!r}")
    if not architecture:
        raise ModelCorrupt("its header names no architecture")
    return architecture


def _shape(keys: Keys, architecture: str) -> _Shape:
    n_layers = keys.number(f"{architecture}.block_count")
    n_embd = keys.number(f"{architecture}.embedding_length")
    has_weights = keys.front.tensors or (keys.number("split.count") or 0) > 1
    if not n_layers or not n_embd or not has_weights:
        raise ModelUnsupported("it holds no language model: layers, width or weights are missing")
    heads = keys.per_layer(f"{architecture}.attention.head_count", n_layers, 0)
    most = max(heads)
    head_dim = keys.number(f"{architecture}.attention.key_length") or (n_embd // most if most else 0)
    return _Shape(
        n_layers=n_layers,
        n_embd=n_embd,
        heads=heads,
        kv_heads=keys.per_layer(f"{architecture}.attention.head_count_kv", n_layers, most),
        head_dim=head_dim,
        head_dim_v=keys.number(f"{architecture}.attention.value_length") or head_dim,
    )


def _quantisation(keys: Keys) -> str:
    """The name of ``general.file_type``, else that of the type most of the weights have."""
    file_type = (keys.number("general.file_type") or 0) & ~_GUESSED
    if "general.file_type" in keys.front.keys and file_type in FILE_TYPES:
        return FILE_TYPES[file_type]
    sizes: Counter[str] = Counter()
    for tensor in keys.front.tensors:
        sizes[tensor.type.name] += tensor.n_bytes
    return sizes.most_common(1)[0][0] if sizes else "?"
