"""Brackets that are open or closed beyond a piece of code, without a grammar: works on half a line as well."""

from __future__ import annotations

OPENERS = {"(": ")", "[": "]", "{": "}"}
CLOSERS = frozenset(OPENERS.values())
QUOTES = "\"'`"

CLOSING = frozenset(")]}>\"'`;:,")
"""What an editor puts behind the cursor by itself, or a statement ends with."""


def unmatched(code: str) -> tuple[list[int], str]:
    """Offsets of the closers in ``code`` that close nothing in it, and the closers still due at its end.

    Quoted strings that end on their line are skipped; brackets of other kinds in between are tolerated.
    """
    closing: list[int] = []
    due: list[str] = []
    i = 0
    while i < len(code):
        c = code[i]
        if c in QUOTES:
            i = _string_end(code, i)
        elif c in OPENERS:
            due.append(OPENERS[c])
        elif c in CLOSERS:
            if c in due:
                while due.pop() != c:
                    pass
            else:
                closing.append(i)
        i += 1
    return closing, "".join(reversed(due))


def _string_end(code: str, start: int) -> int:
    """Where the string that begins at ``start`` ends, or ``start`` where it does not end on its line."""
    quote = code[start]
    i = start + 1
    while i < len(code) and code[i] != "\n":
        if code[i] == "\\":
            i += 1
        elif code[i] == quote:
            return i
        i += 1
    return start


def only_closing(text: str) -> bool:
    """Is there nothing in ``text`` but closers, quotes, line-end punctuation and white space."""
    return all(c in CLOSING or c.isspace() for c in text)
