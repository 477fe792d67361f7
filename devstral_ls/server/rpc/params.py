"""JSON from the wire as lsprotocol's types: names the field that is wrong, and repairs what known clients get wrong."""

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
from lsprotocol import converters, types

_MAX_PRUNED = 32
"""Members removed from one message before it is given up."""

_MAX_UINTEGER = 2**31 - 1
"""LSP's ``uinteger`` ends here."""

Path = tuple[str | int, ...]


class InvalidParams(Exception):
    """A message that lacks what its method needs; the text names the field."""


def strict_converter() -> Converter:
    """Lsprotocol's converter, but only ``true`` is true: as it comes, it takes ``"no"`` for an edit that was applied."""
    converter = converters.get_converter()
    converter.register_structure_hook(bool, _boolean)
    return converter


class ParamsReader:
    """Reads the parameters of one client's messages."""

    def __init__(self, converter: Converter) -> None:
        self._converter = converter
        self._trigger_kinds = TriggerKinds()

    def read(self, message: dict[str, Any], method: str) -> Any:
        """The parameters as the type that LSP has for ``method``; plain JSON for a method that LSP does not have.

        Raises:
            InvalidParams: they do not fit.
        """
        if method not in types.METHOD_TO_TYPES:
            return message.get("params")
        if method == types.TEXT_DOCUMENT_INLINE_COMPLETION:
            self._trigger_kinds.repair(message)
        elif method == types.TEXT_DOCUMENT_DID_CHANGE:
            repair_changes(message)
            _check_texts(message, "contentChanges")
        elif method == types.TEXT_DOCUMENT_DID_OPEN:
            _check_texts(message, "textDocument")
        read = tolerant if method == types.INITIALIZE else structured
        return read(self._converter, message, types.METHOD_TO_TYPES[method][0]).params


def _check_texts(message: dict[str, Any], member: str) -> None:
    """Refuse what the converter of lsprotocol would make the word ``None`` of: the document would differ from the client's.

    Raises:
        InvalidParams: a ``text`` in ``params``' ``member``, an object or a list of them, is no string.
    """
    params = message.get("params")
    value = params.get(member) if isinstance(params, dict) else None
    holders = enumerate(value) if isinstance(value, list) else [(None, value)]
    for index, holder in holders:
        if isinstance(holder, dict) and not isinstance(holder.get("text", ""), str):
            where = f"{member}[{index}]" if index is not None else member
            raise InvalidParams(f"params.{where}.text: not a valid value")


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
        raise InvalidParams(_text_of(error)) from error


def tolerant(converter: Converter, message: dict[str, Any], kind: type[Any]) -> Any:
    """``structured``, but members that cannot be read are left out as long as that helps.

    For ``initialize``: a capability newer than we are must not cost the whole session.

    Raises:
        InvalidParams: a member that cannot be read cannot be left out, either.
    """
    for _ in range(_MAX_PRUNED):
        try:
            return converter.structure(message, kind)
        except ClassValidationError as error:
            removed = [_pruned(message, path) for path, _ in _wrong(error)]
            if not any(removed):
                raise InvalidParams(_text_of(error)) from error
        except RecursionError as error:
            raise InvalidParams(_text_of(error)) from error
    return structured(converter, message, kind)


def _text_of(error: BaseException) -> str:
    """One line that names the first wrong field. Values are not repeated: they may be document text."""
    path, cause = next(_wrong(error), ((), error))
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "message"
    if isinstance(cause, RecursionError):
        return "the message is nested too deeply"
    return f"{name}: {'missing' if isinstance(cause, KeyError) else 'not a valid value'}"


def _wrong(error: BaseException, path: Path = ()) -> Iterator[tuple[Path, BaseException]]:
    """Every field that is wrong: its path in the JSON, and the error about it."""
    if not isinstance(error, ClassValidationError | IterableValidationError):
        yield path, error
        return
    noted, unnoted = error.group_exceptions()
    for cause, note in noted:
        yield from _wrong(cause, (*path, _name(note)))
    for cause in unnoted:
        yield path, cause


def _name(note: AttributeValidationNote | IterableValidationNote) -> str | int:
    """The name of a member in JSON."""
    if isinstance(note, IterableValidationNote):
        return note.index if isinstance(note.index, int) else str(note.index)
    return re.sub(r"_(\w)", lambda match: match[1].upper(), note.name.rstrip("_"))


def _pruned(message: dict[str, Any], path: Path) -> bool:
    """Remove the deepest member on ``path`` that exists from ``message``. False when none lies below the top level."""
    owner: Any = message
    deepest: tuple[Any, str | int] | None = None
    for depth, part in enumerate(path):
        if not _holds(owner, part):
            break
        if depth:
            deepest = (owner, part)
        owner = owner[part]
    if deepest is None:
        return False
    del deepest[0][deepest[1]]
    return True


def _holds(owner: Any, part: str | int) -> bool:
    if isinstance(owner, dict):
        return part in owner
    return isinstance(owner, list) and isinstance(part, int) and part < len(owner)


def uri_of(message: dict[str, Any]) -> str | None:
    """``params.textDocument.uri``, where it is a string."""
    value: Any = message
    for key in ("params", "textDocument", "uri"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


def repair_changes(message: dict[str, Any]) -> None:
    """Repair in place what clients get wrong in ``didChange``: a change that is dropped costs the whole document.

    Some send ``range: null`` for the whole text, and some send ``4294967295`` for the end of a line.
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
    """Trigger kinds of inline completion, for clients that send VS Code's own numbers, too.

    LSP has invoked 1 and automatic 2; VS Code's API has invoke 0 and automatic 1, and vscode-languageclient 9 sends these
    unchanged. A 0 cannot be LSP's, so a client that has sent one means VS Code's automatic by 1; before that, 1 is
    read as LSP has it.
    """

    def __init__(self) -> None:
        self._vs_code = False

    def repair(self, message: dict[str, Any]) -> None:
        """Repair ``params.context.triggerKind`` in place."""
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
