"""The front part of a GGUF file as typed values: keys, arrays and tensor entries, each checked before it is believed.

Nothing here knows what a key means. Every count and length is compared with what is left of the file before anything
is allocated for it, so a lying file costs no more than reading it.
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
"""Bytes read at the front of a file, one after the other until the header fits; those of today's models are 2-15 MB."""

MAX_ENTRIES = 1 << 17
"""The most keys, and the most tensors; real files have some hundreds, mixtures of experts some thousands."""

MAX_KEPT_NUMBERS = 1 << 16
"""Arrays of numbers are only read on demand, and never above this length."""

MARK_EVERY = 256

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
"""GGUF's value types by number, but for 8 (string) and 9 (array)."""

_LENGTH = struct.Struct("<Q")
_NUMBER = struct.Struct("<I")
_MAX_DIMENSIONS = 4


class WindowTooSmall(Exception):
    """The header goes on past the bytes at hand, and the file too."""


@dataclass(frozen=True, slots=True)
class Array:
    """Where an array lies in the window; its elements stay there until somebody asks."""

    type: int
    count: int
    at: int
    end: int
    marks: tuple[int, ...] = field(default=(), repr=False)
    """Of strings: where every ``MARK_EVERY``-th one begins, so that any can be found without walking from the front."""

    @property
    def is_strings(self) -> bool:
        """Are the elements strings?"""
        return self.type == _STRING


Value = int | float | bool | str | Array


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One row of the tensor table; sizes in bytes, the offset counted from where the tensor data begin."""

    name: str
    type: TensorType
    n_elements: int
    n_bytes: int
    offset: int


@dataclass(frozen=True, slots=True)
class Front:
    """Everything before the tensor data."""

    version: int
    file_size: int
    window: bytes
    keys: Mapping[str, Value]
    tensors: tuple[TensorEntry, ...]
    end: int
    """Where the tensor table ends; the data begin at the next multiple of ``general.alignment``."""

    def numbers(self, array: Array) -> tuple[int | float, ...]:
        """The elements of an array of numbers; empty for strings and for absurd lengths."""
        if array.is_strings or array.count > MAX_KEPT_NUMBERS:
            return ()
        return tuple(value for (value,) in _SCALARS[array.type].iter_unpack(self.window[array.at : array.end]))


def read_front(path: Path) -> Front:
    """Read what stands before the tensors.

    Raises:
        OSError: the file cannot be opened or read.
        ModelCorrupt: not GGUF, cut off inside the header, or with lengths that cannot be true.
        ModelUnsupported: GGUF of another byte order or version, or with tensor types we do not know.
    """
    with path.open("rb") as file:
        file_size = file.seek(0, 2)
        for n_bytes in WINDOWS:
            try:
                return _Reader(_window(file, n_bytes), file_size).front()
            except WindowTooSmall:
                continue
    raise ModelCorrupt(f"its header is larger than {WINDOWS[-1] >> 20} MB")


def _window(file: BinaryIO, n_bytes: int) -> bytes:
    file.seek(0)
    return file.read(n_bytes)


def string_offsets(window: bytes, array: Array, indices: Iterable[int]) -> Iterator[int]:
    """Where the strings at ``indices`` begin, at their length fields; fast if the indices ascend."""
    unpack, last, at = _LENGTH.unpack_from, -1, 0
    for index in indices:
        if not last <= index < last + MARK_EVERY or last < 0:
            last = index - index % MARK_EVERY
            at = array.marks[index // MARK_EVERY]
        for _ in range(index - last):
            at += 8 + unpack(window, at)[0]
        last = index
        yield at


def string_index(window: bytes, array: Array, offset: int) -> int | None:
    """The index of the string that begins at ``offset``; ``None`` if none begins there."""
    block = bisect_right(array.marks, offset) - 1
    first = block * MARK_EVERY
    indices = range(first, min(first + MARK_EVERY, array.count))
    return next(
        (i for i, at in zip(indices, string_offsets(window, array, indices), strict=True) if at == offset), None
    )


def string_at(window: bytes, offset: int, most: int | None = None) -> str:
    """The string whose length field is at ``offset``, cut at ``most`` bytes."""
    (length,) = _LENGTH.unpack_from(window, offset)
    length = length if most is None else min(length, most)
    return window[offset + 8 : offset + 8 + length].decode("utf-8", "replace")


class _Reader:
    """A cursor over the window that knows how long the file is."""

    def __init__(self, window: bytes, file_size: int) -> None:
        self.window = window
        self.file_size = file_size
        self.at = 0

    def front(self) -> Front:
        version = self._version()
        n_tensors = self._count("tensors", 24)
        n_keys = self._count("keys", 13)
        keys = dict(self._key() for _ in range(n_keys))
        tensors = tuple(self._tensor() for _ in range(n_tensors))
        return Front(version, self.file_size, self.window, keys, tensors, self.at)

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

    def _key(self) -> tuple[str, Value]:
        name = self._string()
        kind = int(self._scalar(_NUMBER))
        return name, self._array(name) if kind == _ARRAY else self._value(name, kind)

    def _value(self, name: str, kind: int) -> Value:
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
        marks = self._walk(count) if kind == _STRING else ()
        if kind != _STRING:
            self._advance(count * least)
        return Array(kind, count, start, self.at, marks)

    def _walk(self, count: int) -> tuple[int, ...]:
        """Go past ``count`` strings; where each ``MARK_EVERY``-th begins. The loop over hundreds of thousands."""
        window, at, unpack, marks = self.window, self.at, _LENGTH.unpack_from, []
        try:
            for first in range(0, count, MARK_EVERY):
                marks.append(at)
                for _ in range(min(MARK_EVERY, count - first)):
                    at += 8 + unpack(window, at)[0]
        except (struct.error, OverflowError):
            at = max(at, len(window)) + 1
        self._advance(at - self.at)
        return tuple(marks)

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
        """Go on by ``n_bytes`` that must be in the window: past the file is corruption, past the window is not."""
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
"""What people hand over by mistake, by its first bytes."""


def _not_gguf(window: bytes) -> ModelCorrupt:
    if not window:
        return ModelCorrupt("the file is empty")
    for start, what in _OTHER_FILES:
        if window.startswith(start):
            return ModelCorrupt(what)
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in window[:64]):
        return ModelCorrupt("it is a text file, not GGUF")
    return ModelCorrupt("it is not a GGUF file")
