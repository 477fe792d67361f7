"""The header of a GGUF file as facts about its model: shape, tokens, chat template, sizes. Read without the weights.

Keys are those of the GGUF specification (ggml/docs/gguf.md); defaults follow llama.cpp.
"""

from __future__ import annotations

import re
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from devstral_ls.errors import ModelCorrupt, ModelError, ModelNotFound, ModelUnsupported, displayable
from devstral_ls.models.gguf.keys import Keys
from devstral_ls.models.gguf.reader import RawHeader, read_raw_header
from devstral_ls.models.gguf.tensor_types import FILE_TYPES
from devstral_ls.models.gguf.vocabulary import read_tokens

_F16_BYTES = 2
_GUESSED = 1 << 10
"""The bit of ``general.file_type`` that marks it as guessed by the writer."""

_ALIGNMENT = 32
"""The default of ``general.alignment``, in bytes."""

_PART = re.compile(r"^(?P<stem>.*)-(?P<no>\d{5})-of-(?P<count>\d{5})(?P<ending>\.gguf)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """One model as its file describes it. Sizes are in bytes, of all parts if the model is split."""

    path: Path
    version: int
    file_size: int
    n_tensors: int
    architecture: str
    name: str | None
    n_params: int
    quantisation: str
    """The usual name, such as "Q4_K_M"; the type of most of the weights where the file does not name one."""
    context_length: int
    """Tokens of context the model was trained for; 0 where the file does not name them."""
    n_layers: int
    n_embd: int
    n_heads: int
    n_kv_heads: int
    """In the layer with the most; see ``kv_heads_total``."""
    kv_heads_total: int
    """The sum over all layers; a layer without attention counts 0."""
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
    """True when a prompt begins with BOS."""
    add_space_prefix: bool
    """True when the tokenizer puts a space in front of each text (SentencePiece)."""
    chat_template: str | None
    fim_ids: Mapping[str, int]
    """The ids that the file names for prefix, suffix, middle, pad, repository and separator."""
    control_tokens: Mapping[str, int]
    """Text and id of every token that is not ordinary text, including BOS, EOS and those of ``fim_ids``."""
    weights_bytes: int
    tensor_types: frozenset[str] = frozenset()
    """Names of the ggml types in use, such as "F32" and "Q4_K"."""

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes of the KV cache for one token, with keys and values in f16."""
        return self.kv_heads_total * (self.head_dim + self.head_dim_v) * _F16_BYTES


def read_header(path: Path) -> GgufHeader:
    """Read the header of the model at ``path``; of a split model, whose first part ``path`` is, all headers.

    Raises:
        ModelNotFound: there is no such file.
        ModelCorrupt: it is not a GGUF file, it is cut off or damaged, or parts are missing.
        ModelUnsupported: it is a GGUF file, but not of a model that can be run.
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
    """The files of the model whose first part is ``path``, by its name; only ``path`` if it is not split."""
    match = _PART.match(path.name)
    if match is None:
        return (path,)
    count = int(match["count"])
    return tuple(
        path.with_name(f"{match['stem']}-{number:05}-of-{count:05}{match['ending']}") for number in range(1, count + 1)
    )


def _read(path: Path) -> GgufHeader:
    raw = _checked_header(path)
    keys = Keys(raw)
    n_parts = keys.number("split.count") or 1
    if n_parts > 1 and keys.number("split.no"):
        raise ModelUnsupported(f"it is a later part of a split model; name the first of its {n_parts} files")
    header = _header(path, keys)
    return header if n_parts == 1 else _joined(header, split_parts(path), n_parts)


def _joined(header: GgufHeader, parts: tuple[Path, ...], n_parts: int) -> GgufHeader:
    """``header`` with the tensors of the other parts included."""
    if len(parts) != n_parts:
        raise ModelCorrupt(f"it is one of {n_parts} files, but its name does not end in -00001-of-{n_parts:05}.gguf")
    for part in parts[1:]:
        if not part.is_file():
            raise ModelCorrupt(f"{part.name!r} is missing: the model is split into {n_parts} files")
        raw = _checked_header(part)
        header = replace(
            header,
            file_size=header.file_size + raw.file_size,
            n_tensors=header.n_tensors + len(raw.tensors),
            n_params=header.n_params + sum(tensor.n_elements for tensor in raw.tensors),
            weights_bytes=header.weights_bytes + sum(tensor.n_bytes for tensor in raw.tensors),
            tensor_types=header.tensor_types | {tensor.type.name for tensor in raw.tensors},
        )
    return header


def _checked_header(path: Path) -> RawHeader:
    """The raw header of a regular file that is as long as its tensor table requires."""
    if stat.S_ISDIR(mode := path.stat().st_mode):
        raise ModelCorrupt("it is a folder, not a GGUF file")
    if not stat.S_ISREG(mode):
        raise ModelCorrupt("it is not a regular file")
    raw = read_raw_header(path)
    alignment = Keys(raw).number("general.alignment") or _ALIGNMENT
    if alignment & (alignment - 1):
        raise ModelCorrupt(f"its alignment {alignment} is not a power of two")
    start = -(-raw.end // alignment) * alignment
    end = max((start + tensor.offset + tensor.n_bytes for tensor in raw.tensors), default=start)
    if raw.tensors and end > raw.file_size:
        raise ModelCorrupt(
            f"the file is shorter than its header says: {raw.file_size:,} of {end:,} bytes",
            hint="The download was probably cut off; fetch it again.",
        )
    return raw


@dataclass(frozen=True, slots=True)
class _Shape:
    n_layers: int
    n_embd: int
    heads: tuple[int, ...]
    kv_heads: tuple[int, ...]
    head_dim: int
    head_dim_v: int


def _header(path: Path, keys: Keys) -> GgufHeader:
    raw = keys.raw
    architecture = _architecture(keys)
    shape = _shape(keys, architecture)
    tokens = read_tokens(keys, architecture)
    return GgufHeader(
        path=path,
        version=raw.version,
        file_size=raw.file_size,
        n_tensors=len(raw.tensors),
        architecture=architecture,
        name=displayable(name) if (name := keys.text("general.name")) is not None else None,
        n_params=sum(tensor.n_elements for tensor in raw.tensors),
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
        weights_bytes=sum(tensor.n_bytes for tensor in raw.tensors),
        tensor_types=frozenset(tensor.type.name for tensor in raw.tensors),
    )


def _architecture(keys: Keys) -> str:
    """The architecture of a language model; adapters, vision projectors and the like are rejected."""
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
    has_weights = keys.raw.tensors or (keys.number("split.count") or 0) > 1
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
    """The name of ``general.file_type``, else of the type that most of the weights have."""
    file_type = (keys.number("general.file_type") or 0) & ~_GUESSED
    if "general.file_type" in keys.raw.keys and file_type in FILE_TYPES:
        return FILE_TYPES[file_type]
    sizes: Counter[str] = Counter()
    for tensor in keys.raw.tensors:
        sizes[tensor.type.name] += tensor.n_bytes
    return sizes.most_common(1)[0][0] if sizes else "?"
