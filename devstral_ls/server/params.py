"""JSON from the wire as lsprotocol's types: which field is wrong, and what known clients get wrong put right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cattrs import Converter
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    IterableValidationError,
    IterableValidationNote,
)
from pygls.protocol import default_converter

_MAX_PRUNED = 32
"""Members taken out of one message before giving up on it."""

_MAX_UINTEGER = 2**31 - 1
"""LSP's ``uinteger`` ends here."""

Path = tuple[str | int, ...]


class InvalidParams(Exception):
    """A message that does not say what its method needs; the text names the field."""


def strict_converter() -> Converter:
    """Lsprotocol's converter, but only ``true`` is true: as it comes, it takes ``"no"`` for an edit that was applied."""
    converter: Converter = default_converter()  # type: ignore[no-untyped-call]
    converter.register_structure_hook(bool, _boolean)
    return converter


def _boolean(value: object, _kind: type[bool]) -> bool:
    if not isinstance(value, bool):
        raise TypeError("expected true or false")
    return value


def structured(converter: Converter, message: dict[str, Any], kind: type[Any]) -> Any:
    """``message`` as ``kind``.

    Raises:
        InvalidParams: a field is missing or wrong.
    """
    try:
        return converter.structure(message, kind)
    except (ClassValidationError, RecursionError) as error:
        raise InvalidParams(_says(error)) from error


def forgiving(converter: Converter, message: dict[str, Any], kind: type[Any]) -> Any:
    """``structured``, but what cannot be read is left out as long as that helps.

    For ``initialize``: a capability newer than we are must not cost the whole session.

    Raises:
        InvalidParams: what cannot be read cannot be left out, either.
    """
    for _ in range(_MAX_PRUNED):
        try:
            return converter.structure(message, kind)
        except ClassValidationError as error:
            removed = [_pruned(message, path) for path, _ in _wrong(error)]
            if not any(removed):
                raise InvalidParams(_says(error)) from error
        except RecursionError as error:
            raise InvalidParams(_says(error)) from error
    return structured(converter, message, kind)


def _says(error: BaseException) -> str:
    """One line naming the first field that is wrong. Values are not repeated: they may be document text."""
    path, cause = next(_wrong(error), ((), error))
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "message"
    if isinstance(cause, RecursionError):
        return "the message is nested too deeply"
    return f"{name}: {'missing' if isinstance(cause, KeyError) else 'not a valid value'}"


def _wrong(error: BaseException, path: Path = ()) -> Iterator[tuple[Path, BaseException]]:
    """Every field that is wrong, as its path in the JSON and the error about it."""
    if not isinstance(error, ClassValidationError | IterableValidationError):
        yield path, error
        return
    noted, unnoted = error.group_exceptions()
    for cause, note in noted:
        yield from _wrong(cause, (*path, _name(note)))
    for cause in unnoted:
        yield path, cause


def _name(note: AttributeValidationNote | IterableValidationNote) -> str | int:
    """What a member is called in JSON."""
    if isinstance(note, IterableValidationNote):
        return note.index if isinstance(note.index, int) else str(note.index)
    return re.sub(r"_(\w)", lambda found: found[1].upper(), note.name.rstrip("_"))


def _pruned(message: dict[str, Any], path: Path) -> bool:
    """Take the deepest member on ``path`` that is there out of ``message``; is there one below ``params``?"""
    owner: Any = message
    found: tuple[Any, str | int] | None = None
    for depth, part in enumerate(path):
        if not _holds(owner, part):
            break
        if depth:
            found = (owner, part)
        owner = owner[part]
    if found is None:
        return False
    del found[0][found[1]]
    return True


def _holds(owner: Any, part: str | int) -> bool:
    if isinstance(owner, dict):
        return part in owner
    return isinstance(owner, list) and isinstance(part, int) and part < len(owner)


def uri_of(message: dict[str, Any]) -> str | None:
    """``params.textDocument.uri``, if it is there."""
    found: Any = message
    for key in ("params", "textDocument", "uri"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else None


def heal_changes(message: dict[str, Any]) -> None:
    """Put right what clients get wrong in ``didChange``, in place: a change that is dropped costs the whole document.

    Some say ``range: null`` for the whole text, and some say ``4294967295`` for the end of a line.
    """
    params = message.get("params")
    changes = params.get("contentChanges") if isinstance(params, dict) else None
    for change in changes if isinstance(changes, list) else ():
        if not isinstance(change, dict):
            continue
        if change.get("range", ...) is None:
            del change["range"]
        range_ = change.get("range")
        for end in range_.values() if isinstance(range_, dict) else ():
            if isinstance(end, dict):
                end.update({key: min(value, _MAX_UINTEGER) for key, value in end.items() if type(value) is int})


class TriggerKinds:
    """Trigger kinds of inline completion, told apart for clients that send VS Code's own numbers.

    LSP says invoked 1, automatic 2; VS Code's API says invoke 0, automatic 1, and vscode-languageclient 9 sends these
    unchanged. A 0 cannot be LSP's, so a client that sent one means VS Code's automatic by 1; before that, 1 is
    read as LSP has it.
    """

    def __init__(self) -> None:
        self._vs_code = False

    def heal(self, message: dict[str, Any]) -> None:
        """Put ``params.context.triggerKind`` right, in place."""
        params = message.get("params")
        context = params.get("context") if isinstance(params, dict) else None
        if not isinstance(context, dict):
            return
        kind = context.get("triggerKind")
        if type(kind) is not int or kind not in (0, 1, 2):
            return
        if kind != 1:
            self._vs_code = kind == 0
        if self._vs_code:
            context["triggerKind"] = kind + 1
