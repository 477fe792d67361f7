"""Redacts secrets in text for prompts: replaces keys, tokens and passwords by ``x``.

The replacement has the secret's length and keeps its line ends, so offsets stay what they were, the code keeps its shape
and a sticky window stays the same from key to key. Text is redacted before it is cut: half a token looks like a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from devstral_ls.retrieval.secrets.across_lines import PEM_BEGIN, in_blocks
from devstral_ls.retrieval.secrets.assignments import assigned
from devstral_ls.retrieval.secrets.command_lines import commanded
from devstral_ls.retrieval.secrets.key_formats import UNFINISHED, keys
from devstral_ls.text import Edit, Snapshot, Span

_MARKS = (
    "pass", "pw", "secret", "token", "key", "auth", "cred", "basic ", "bearer", "login", "://", "phrase", "mnemonic", "psk",
    "kennwort", "connection", "curl", " -u", "identified by", "fernet(", ".connect(", "mongo ", "redis-cli", "sqlcmd", "mysql",
    "mariadb", "@tcp(", "thin:", "sig=", ":*:", ":5432:",
)  # fmt: skip
"""Lower-case substrings of which every line with a secret of another kind than a published format has one."""

_REACH = 200, 5_000
"""Characters around a mark that are searched on lines longer than ``_MAX_LINE``."""

_MAX_LINE = 1_000

MARGIN = 1_000
"""Characters around a piece of a text that are searched with it, more to the ends of their lines: a secret may begin above."""

_MAX_MARGIN = 16_000
"""The longest private key in use has 13,000 characters."""


def secrets(text: str) -> list[tuple[int, int]]:
    """The (start, end) of each secret in code points, in order and without overlap."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(_found(text)):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def redacted(text: str) -> str:
    """``text`` with ``x`` for every character of a secret except its line ends."""
    return masked(text, secrets(text))


def masked(text: str, spans: list[tuple[int, int]]) -> str:
    """``text`` with ``x`` for every character in ``spans``, given in order, except line ends."""
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += text[at:start], re.sub(r"[^\r\n]", "x", text[start:end])
        at = end
    return "".join(parts) + text[at:] if parts else text


def secrets_near(text: str, spans: Iterable[Span]) -> list[tuple[int, int]]:
    """The (start, end) of each secret in ``spans`` of ``text`` and near them, in order and without overlap.

    The text around is searched as well, so that a secret across the ends of a span is found as a whole, at a cost that
    does not grow with the length of ``text``.
    """
    found: list[tuple[int, int]] = []
    for above, below in _merged([_surroundings(text, span.start, span.end) for span in spans]):
        found += [(start + above, end + above) for start, end in _secrets_again(text[above:below])]
    return found


def redacted_part(text: str, span: Span) -> str:
    """The text at ``span``, redacted before it is cut out: a token across its ends leaves no half."""
    near = [(max(start, span.start), min(end, span.end)) for start, end in secrets_near(text, [span])]
    inside = [(start - span.start, end - span.start) for start, end in near if start < end]
    return masked(text[span.start : span.end], inside)


def redacted_document(snapshot: Snapshot, spans: Iterable[Span], offset: int) -> Snapshot | None:
    """``snapshot`` redacted in ``spans`` and near them, every offset as it was; ``None`` when ``offset`` is in a secret."""
    near = secrets_near(snapshot.text, spans)
    if is_in_secret(snapshot.text, offset, near):
        return None
    if not near:
        return snapshot
    start, end = near[0][0], near[-1][1]
    shown = masked(snapshot.text[start:end], [(first - start, last - start) for first, last in near])
    return snapshot.edited(Edit(Span(start, end), shown), snapshot.version)


def is_in_secret(text: str, offset: int, spans: list[tuple[int, int]]) -> bool:
    """True when ``offset`` is in one of ``spans``, secrets in ``text``, at the end of one or behind an unfinished one."""
    if any(start < offset <= end for start, end in spans):
        return True
    return UNFINISHED.search(text, max(0, offset - 200), offset) is not None


def redacted_around(before: str, after: str) -> tuple[str, str] | None:
    """The redacted text before and after a cursor; ``None`` when the cursor is in a secret or behind an unfinished one."""
    spans = secrets(before + after)
    if is_in_secret(before, len(before), spans):
        return None
    whole = masked(before + after, spans)
    return whole[: len(before)], whole[len(before) :]


_secrets_again = lru_cache(32)(secrets)
"""Imports, headers and places in other documents are the same from key to key."""


def _surroundings(text: str, start: int, end: int) -> tuple[int, int]:
    above = text.rfind("\n", max(0, start - _MAX_MARGIN), max(0, start - MARGIN)) + 1 or max(0, start - _MAX_MARGIN)
    begin = text.rfind(PEM_BEGIN, max(0, start - _MAX_MARGIN), start)
    below = text.find("\n", end + MARGIN, end + _MAX_MARGIN)
    return min(above, begin) if begin >= 0 else above, below if below >= 0 else min(len(text), end + _MAX_MARGIN)


def _found(text: str) -> Iterator[tuple[int, int]]:
    yield from keys(text)
    yield from in_blocks(text)
    for start, line in _suspicious_lines(text):
        found = _on_line(line) if len(line) <= _MAX_LINE else _search_line(line)
        for first, last in found:
            yield start + first, start + last


def _search_line(line: str) -> tuple[tuple[int, int], ...]:
    return (*assigned(line), *commanded(line, line.lower()))


_on_line = lru_cache(2048)(_search_line)
"""The lines of a window are the same from key to key, but for one."""


def _suspicious_lines(text: str) -> Iterator[tuple[int, str]]:
    """Where each line with a mark begins, and the line; of very long ones the parts around the marks."""
    lowered = _lowered(text)
    ends: dict[int, int] = {}
    long: list[tuple[int, int]] = []
    for mark in _MARKS:
        at = lowered.find(mark)
        while at >= 0:
            start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
            end = len(text) if end < 0 else end
            if end - start > _MAX_LINE:
                long.append((max(start, at - _REACH[0]), min(end, at + _REACH[1])))
                end = at + 1
            else:
                ends[start] = end
            at = lowered.find(mark, end)
    for start, end in ends.items():
        yield start, text[start:end]
    yield from ((start, text[start:end]) for start, end in _merged(long))


def _merged(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    start = end = -1
    for first, last in sorted(spans):
        if first > end:
            if end >= 0:
                yield start, end
            start, end = first, last
        end = max(end, last)
    if end >= 0:
        yield start, end


def _lowered(text: str) -> str:
    """``text`` in lower case with every character where it was."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(char if len(char.lower()) > 1 else char.lower() for char in text)
