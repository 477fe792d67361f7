"""Reads the header of a GGUF file into typed values: keys, arrays and tensor entries, whatever the keys mean.

Every count and length is compared with the rest of the file before anything is allocated for it, so a malicious file
costs no more than reading it.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from devstral_ls.errors import ModelCorrupt, ModelUnsupported
from devstral_ls.models.gguf.tensor_types import TENSOR_TYPES, TensorType

WINDOWS = (16 << 20, 64 << 20, 256 << 20)
"""Bytes to read from a file, the next size while the header does not fit; headers of today's models have 2 to 15 MB."""

MAX_ENTRIES = 1 << 17
"""The most keys, and the most tensors: real files have hundreds, mixtures of experts thousands."""

MAX_KEPT_NUMBERS = 1 << 16
"""The most elements of an array of numbers that is read; arrays are read on demand."""

CHECKPOINT_EVERY = 256
"""Strings between two checkpoints of an array."""

_STRING = 8
_ARRAY = 9
_SCALARS: Mapping[int, struct.Struct] = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
"""GGUF's value types by number, except 8 (string) and 9 (array)."""

_LENGTH = struct.Struct("<Q")
_NUMBER = struct.Struct("<I")
_MAX_DIMENSIONS = 4


class WindowTooSmall(Exception):
    """The header continues past the bytes that were read, and so does the file."""


@dataclass(frozen=True, slots=True)
class Array:
    """The position of an array in the window; its elements are read on demand."""

    type: int
    count: int
    at: int
    end: int
    checkpoints: tuple[int, ...] = field(default=(), repr=False)
    """Of strings: the offset of every ``CHECKPOINT_EVERY``-th one, so that finding any string takes a bounded walk."""

    @property
    def is_strings(self) -> bool:
        """True when the elements are strings."""
        return self.type == _STRING


KeyValue = int | float | bool | str | Array


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One row of the tensor table; sizes in bytes, the offset relative to the start of the tensor data."""

    name: str
    type: TensorType
    n_elements: int
    n_bytes: int
    offset: int


@dataclass(frozen=True, slots=True)
class RawHeader:
    """Everything in a file before the tensor data."""

    version: int
    file_size: int
    window: bytes
    keys: Mapping[str, KeyValue]
    tensors: tuple[TensorEntry, ...]
    end: int
    """The end of the tensor table; the data begin at the next multiple of ``general.alignment``."""

    def numbers(self, array: Array) -> tuple[int | float, ...]:
        """The elements of an array of numbers; empty for strings, and above ``MAX_KEPT_NUMBERS``."""
        if array.is_strings or array.count > MAX_KEPT_NUMBERS:
            return ()
        return tuple(value for (value,) in _SCALARS[array.type].iter_unpack(self.window[array.at : array.end]))


def read_raw_header(path: Path) -> RawHeader:
    """Read everything before the tensor data.

    Raises:
        OSError: the file cannot be opened or read.
        ModelCorrupt: it is not GGUF, it ends inside the header, or a length is impossible.
        ModelUnsupported: it is GGUF of another byte order or version, or with unknown tensor types.
    """
    with path.open("rb") as file:
        file_size = file.seek(0, 2)
        for n_bytes in WINDOWS:
            try:
                return _Reader(_window(file, n_bytes), file_size).header()
            except WindowTooSmall:
                continue
    raise ModelCorrupt(f"its header is larger than {WINDOWS[-1] >> 20} MB")


def _window(file: BinaryIO, n_bytes: int) -> bytes:
    file.seek(0)
    return file.read(n_bytes)


def string_offsets(window: bytes, array: Array, indices: Iterable[int]) -> Iterator[int]:
    """The offsets of the length fields of the strings at ``indices``; fast when the indices ascend."""
    unpack, last, at = _LENGTH.unpack_from, -1, 0
    for index in indices:
        if not last <= index < last + CHECKPOINT_EVERY or last < 0:
            last = index - index % CHECKPOINT_EVERY
            at = array.checkpoints[index // CHECKPOINT_EVERY]
        for _ in range(index - last):
            at += 8 + unpack(window, at)[0]
        last = index
        yield at


def string_index(window: bytes, array: Array, offset: int) -> int | None:
    """The index of the string whose length field is at ``offset``; ``None`` if there is none."""
    block = bisect_right(array.checkpoints, offset) - 1
    first = block * CHECKPOINT_EVERY
    indices = range(first, min(first + CHECKPOINT_EVERY, array.count))
    return next(
        (i for i, at in zip(indices, string_offsets(window, array, indices), strict=True) if at == offset), None
    )


def string_at(window: bytes, offset: int, most: int | None = None) -> str:
    """The string whose length field is at ``offset``, cut to ``most`` bytes."""
    (length,) = _LENGTH.unpack_from(window, offset)
    length = length if most is None else min(length, most)
    return window[offset + 8 : offset + 8 + length].decode("utf-8", "replace")


class _Reader:
    """A cursor over the window, which knows the length of the file."""

    def __init__(self, window: bytes, file_size: int) -> None:
        self.window = window
        self.file_size = file_size
        self.at = 0

    def header(self) -> RawHeader:
        version = self._version()
        n_tensors = self._count("tensors", 24)
        n_keys = self._count("keys", 13)
        keys = dict(self._key() for _ in range(n_keys))
        tensors = tuple(self._tensor() for _ in range(n_tensors))
        return RawHeader(version, self.file_size, self.window, keys, tensors, self.at)

    def _version(self) -> int:
        if self.window[:4] != b"GGUF":
            raise _not_gguf(self.window)
        self.at = 4
        version = int(self._scalar(_NUMBER))
        if version and not version & 0xFFFF:
            raise ModelUnsupported("it is in big-endian byte order", hint="Convert it to little-endian first.")
        if version not in (2, 3):
            raise ModelUnsupported(f"GGUF version {version} is not supported, only 2 and 3")
        return version

    def _count(self, what: str, least_bytes: int) -> int:
        count = int(self._scalar(_LENGTH))
        if count > MAX_ENTRIES or count * least_bytes > self.file_size - self.at:
            raise ModelCorrupt(f"its header claims {count} {what}, more than the file can hold")
        return count

    def _key(self) -> tuple[str, KeyValue]:
        name = self._string()
        kind = int(self._scalar(_NUMBER))
        return name, self._array(name) if kind == _ARRAY else self._value(name, kind)

    def _value(self, name: str, kind: int) -> KeyValue:
        if kind == _STRING:
            return self._string()
        if kind not in _SCALARS:
            raise ModelCorrupt(f"key {name[:80]!r} has the unknown type {kind}")
        return self._scalar(_SCALARS[kind])

    def _array(self, name: str) -> Array:
        kind = int(self._scalar(_NUMBER))
        count = int(self._scalar(_LENGTH))
        least = 8 if kind == _STRING else _SCALARS[kind].size if kind in _SCALARS else 0
        if not least:
            raise ModelCorrupt(f"array {name[:80]!r} has elements of the unknown type {kind}")
        if count * least > self.file_size - self.at:
            raise ModelCorrupt(f"array {name[:80]!r} claims {count} elements, more than the file can hold")
        start = self.at
        checkpoints = self._walk(count) if kind == _STRING else ()
        if kind != _STRING:
            self._advance(count * least)
        return Array(kind, count, start, self.at, checkpoints)

    def _walk(self, count: int) -> tuple[int, ...]:
        """Skip ``count`` strings, hundreds of thousands in a vocabulary, and return the checkpoints among them."""
        window, at, unpack, checkpoints = self.window, self.at, _LENGTH.unpack_from, []
        try:
            for first in range(0, count, CHECKPOINT_EVERY):
                checkpoints.append(at)
                for _ in range(min(CHECKPOINT_EVERY, count - first)):
                    at += 8 + unpack(window, at)[0]
        except (struct.error, OverflowError):
            at = max(at, len(window)) + 1
        self._advance(at - self.at)
        return tuple(checkpoints)

    def _string(self) -> str:
        start = self.at
        self._advance(int(self._scalar(_LENGTH)))
        return string_at(self.window, start)

    def _tensor(self) -> TensorEntry:
        name = self._string()
        n_dimensions = int(self._scalar(_NUMBER))
        if n_dimensions > _MAX_DIMENSIONS:
            raise ModelCorrupt(f"tensor {name[:80]!r} has {n_dimensions} dimensions")
        shape = [int(self._scalar(_LENGTH)) for _ in range(n_dimensions)]
        kind = int(self._scalar(_NUMBER))
        offset = int(self._scalar(_LENGTH))
        if kind not in TENSOR_TYPES:
            raise ModelUnsupported(f"tensor {name[:80]!r} has type {kind}, which this version does not know")
        return _entry(name, TENSOR_TYPES[kind], shape, offset)

    def _scalar(self, layout: struct.Struct) -> int | float | bool:
        start = self.at
        self._advance(layout.size)
        value: int | float | bool = layout.unpack_from(self.window, start)[0]
        return value

    def _advance(self, n_bytes: int) -> None:
        """Move on by ``n_bytes``. Past the end of the file they are corrupt, past the window it is too small."""
        end = self.at + n_bytes
        if end > len(self.window):
            if len(self.window) < self.file_size and end <= self.file_size:
                raise WindowTooSmall
            raise ModelCorrupt("the file ends inside its header, or a length in it is not true")
        self.at = end


def _entry(name: str, kind: TensorType, shape: list[int], offset: int) -> TensorEntry:
    n_elements = 1
    for length in shape:
        n_elements *= length
    if n_elements < 1 or (shape[0] if shape else 1) % kind.block:
        raise ModelCorrupt(f"tensor {name[:80]!r} has the impossible shape {shape} for {kind.name}")
    return TensorEntry(name, kind, n_elements, n_elements // kind.block * kind.size, offset)


_OTHER_FILES: tuple[tuple[bytes, str], ...] = (
    (b"FUGG", "it is in big-endian byte order"),
    (b"lmgg", "it is an old GGML file, from before GGUF"),
    (b"fmgg", "it is an old GGML file, from before GGUF"),
    (b"tjgg", "it is an old GGJT file, from before GGUF"),
    (b"PK\x03\x04", "it is a ZIP archive (or PyTorch weights), not GGUF"),
    (b"version https://git-lfs", "it is a Git LFS pointer, not the model itself"),
    (b"<!DOCTYPE", "it is a web page, not a model"),
    (b"<html", "it is a web page, not a model"),
)
"""Files that users give by mistake, by their first bytes."""


def _not_gguf(window: bytes) -> ModelCorrupt:
    if not window:
        return ModelCorrupt("the file is empty")
    for start, what in _OTHER_FILES:
        if window.startswith(start):
            return ModelCorrupt(what)
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in window[:64]):
        return ModelCorrupt("it is a text file, not GGUF")
    return ModelCorrupt("it is not a GGUF file")
