"""One setting: its declaration, the check of its value, and the message about a bad one.

Knows no setting by name; those are in ``settings/tree.py``.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

_T = TypeVar("_T")


def setting(
    default: _T,
    about: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    formerly: str = "",
) -> _T:
    """A field with its sentence.

    Args:
        default: the value when no source sets one.
        about: one sentence for the settings page and for editors.
        low: the least number allowed.
        high: the greatest number allowed.
        choices: the items allowed in a list; empty: any.
        formerly: the key's name in the release before, as it is written; it still works, with a warning.
    """
    metadata = {"about": about, "low": low, "high": high, "choices": tuple(choices), "formerly": formerly}
    made: _T = field(default=default, metadata=metadata)
    return made


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to tell the user about a settings source: a value that was not used, or an old name."""

    key: str
    """Dotted, as the user wrote it: ``inline.debounceMs``."""
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}"


def value_of(hint: Any, value: object, bounds: Mapping[str, Any]) -> object:
    """``value`` as the type ``hint`` wants it.

    Raises:
        ValueError: it is not of that type, or out of bounds; the message says what is expected.
    """
    for kind in alternatives(hint):
        if typing.get_origin(kind) is Literal and value in typing.get_args(kind):
            return value
        if kind is types.NoneType and value is None:
            return None
        if kind in (bool, str) and type(value) is kind:
            return value
        if kind in (int, float) and isinstance(value, int | float) and not isinstance(value, bool):
            if kind is int and isinstance(value, float) and not value.is_integer():  # nor is an infinite one
                continue
            return kind(_in_bounds(value, bounds))
        is_list = typing.get_origin(kind) is tuple and isinstance(value, list | tuple)
        if is_list and all(isinstance(item, str) for item in typing.cast("list[object]", value)):
            return tuple(typing.cast("list[str]", value))
    raise ValueError(f"expected {expected(hint, bounds)}, got {shown(value)}")


def unknown(value: object, metadata: Mapping[str, Any]) -> tuple[object, str]:
    """``value`` without the list items that are not allowed, and a message about them; empty when all are allowed."""
    choices: tuple[str, ...] = metadata["choices"]
    if not choices or not isinstance(value, tuple):
        return value, ""
    known = tuple(one for one in dict.fromkeys(value) if one in choices)
    others = [one for one in dict.fromkeys(value) if one not in choices]
    if not others:
        return known, ""
    said = ", ".join(f'"{one[:40]}"' for one in others[:5])
    return known, f"unknown names {said} were left out; known names are {', '.join(choices)}"


def _in_bounds(value: float, bounds: Mapping[str, Any]) -> float:
    low, high = bounds.get("low"), bounds.get("high")
    if (low is not None and value < low) or (high is not None and value > high) or value != value:
        raise ValueError(f"expected a number from {low} to {high}, got {shown(value)}")
    return value


def shown(value: object) -> str:
    """``value`` as it was written, shortened to fit into a message."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, lists within lists
        return kind_of(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def named(key: object) -> str:
    """An unknown key, shortened to fit into a message."""
    text = str(key)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


_MAX_SHOWN = 80
"""Characters."""


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The members of a union type; any other type by itself."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return typing.get_args(hint)
    return (hint,)


def expected(hint: Any, bounds: Mapping[str, Any]) -> str:
    """A description of the values that ``hint`` allows, for messages and pages."""
    words = []
    for kind in alternatives(hint):
        if typing.get_origin(kind) is Literal:
            words += [f'"{choice}"' for choice in typing.get_args(kind)]
        elif typing.get_origin(kind) is tuple:
            choices = " ".join(f"`{one}`" for one in bounds.get("choices", ()))
            words.append(f"a list of {choices}" if choices else "a list of strings")
        else:
            words.append(_KINDS[kind])
    return " or ".join(words)


_KINDS: Mapping[Any, str] = {
    bool: "true or false",
    str: "a string",
    int: "a whole number",
    float: "a number",
    types.NoneType: "null",
}


def kind_of(value: object) -> str:
    """A description of the type of ``value``, for messages."""
    return _KINDS.get(type(value), "a list" if isinstance(value, list) else type(value).__name__)


def camel(name: str) -> str:
    """``debounce_ms`` as it is written in JSON and TOML: ``debounceMs``."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)
