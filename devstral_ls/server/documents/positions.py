"""Columns of a line in the three position encodings of LSP, against code points."""

from __future__ import annotations

from lsprotocol import types

Encoding = types.PositionEncodingKind | str

UTF8 = types.PositionEncodingKind.Utf8
UTF16 = types.PositionEncodingKind.Utf16
UTF32 = types.PositionEncodingKind.Utf32


def n_units(text: str, encoding: Encoding) -> int:
    """How many code units ``text`` has; a lone surrogate counts as the one (UTF-16) or three (UTF-8) it takes."""
    if encoding == UTF32 or text.isascii():
        return len(text)
    if encoding == UTF8:
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def n_code_points(line: str, units: int, encoding: Encoding) -> int:
    """How many code points of ``line`` lie before the column ``units``.

    Past the end is the end; inside a character is its beginning.
    """
    head = line[:units]  # a code point has at least one unit, so the answer lies in here
    if encoding == UTF32 or head.isascii():
        return len(head)
    if encoding != UTF8 and max(head) < "\U00010000":
        return len(head)
    width = _utf8_width if encoding == UTF8 else _utf16_width
    left = units
    for at, character in enumerate(head):
        left -= width(character)
        if left < 0:
            return at
    return len(head)


def _utf16_width(character: str) -> int:
    return 1 if character < "\U00010000" else 2


def _utf8_width(character: str) -> int:
    if character < "\x80":
        return 1
    if character < "\u0800":
        return 2
    return 3 if character < "\U00010000" else 4
