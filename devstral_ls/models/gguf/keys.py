"""The keys of a GGUF header, read with the type and the range that each must have."""

from __future__ import annotations

from collections.abc import Mapping

from devstral_ls.errors import ModelCorrupt
from devstral_ls.models.gguf.reader import Array, KeyValue, RawHeader

_MAX_NUMBER = 1 << 31
_MAX_LAYERS = 1 << 14


class Keys:
    """Reads keys by type: an absent key gives ``None`` or the default, one of another type raises ``ModelCorrupt``."""

    def __init__(self, raw: RawHeader) -> None:
        self.raw = raw
        self._values: Mapping[str, KeyValue] = raw.keys

    def number(self, name: str) -> int | None:
        """A whole number, 0 or greater."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or not 0 <= value < _MAX_NUMBER:
            raise _wrong(name, value, "a number")
        return int(value)

    def text(self, name: str) -> str | None:
        """A string."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, str):
            raise _wrong(name, value, "a string")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """A boolean."""
        value = self._values.get(name, default)
        if not isinstance(value, bool | int):
            raise _wrong(name, value, "true or false")
        return bool(value)

    def array(self, name: str) -> Array | None:
        """An array."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, Array):
            raise _wrong(name, value, "an array")
        return value

    def per_layer(self, name: str, n_layers: int, default: int) -> tuple[int, ...]:
        """A number for each of ``n_layers`` layers; the file gives an array, or one number for all of them."""
        if n_layers > _MAX_LAYERS:
            raise ModelCorrupt(f"its header claims {n_layers} layers")
        if not isinstance(value := self._values.get(name), Array):
            return ((self.number(name) if value is not None else default) or 0,) * n_layers
        numbers = tuple(int(number) for number in self.raw.numbers(value))
        if len(numbers) < n_layers or not all(0 <= number < _MAX_NUMBER for number in numbers):
            raise _wrong(name, value, f"a number for each of {n_layers} layers")
        return numbers[:n_layers]


def _wrong(name: str, value: KeyValue, wanted: str) -> ModelCorrupt:
    shown = "an array" if isinstance(value, Array) else repr(value)[:40]
    return ModelCorrupt(f"key {name[:80]!r} is {shown}, not {wanted}")
