"""Secrets on other lines than their names: private keys, and values in YAML, Terraform, property lists and netrc files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from devstral_ls.retrieval.secrets.secret_names import NameKind, name_kind
from devstral_ls.retrieval.secrets.secret_values import is_secret

PEM_BEGIN = "-----BEGIN "
_PEM_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_PEM_RUN = re.compile(r"[A-Za-z0-9+/=]{24,}")
"""What stands between the frames of a real key; in code that reads keys other code does."""

_MAX_PEM = 16_000
_PEM_END = re.compile(r"^.*?-----END (?:[A-Z0-9]+ )*PRIVATE KEY", re.MULTILINE)
_PEM_LINE = re.compile(r"""[\s"'`+#/*]*[A-Za-z0-9+/=]{4,}[\s"'`+,;\\rn]*""")
"""A line of a private key, in a comment or a string of any language."""

_PEM_HEADER = re.compile(r"\s*(?:[A-Z][A-Za-z\-]+: .*)?")
"""A line above them that says how the key is encrypted, or an empty one."""

_NAME = r"[\"']?(?P<name>[\w.\-]{3,80})[\"']?"
_VALUE = r"(?P<q>[\"']?)(?P<secret>[^\s\"'<>][^\"'<>\n]{3,4000}?)(?P=q)"

_PAIRS = (
    # substrings of which every text with a match has one; the pattern: the value belongs to the name on a line above it
    (("value:",), re.compile(rf"name:[ \t]{{0,4}}{_NAME}[ \t]*\r?\n[ \t-]{{0,40}}value:[ \t]{{0,4}}{_VALUE}[ \t]*\r?$", re.MULTILINE)),
    (('variable "',), re.compile(rf'variable "(?P<name>[\w.\-]{{3,80}})"[ ]?\{{[^{{}}]{{0,400}}?default[ ]{{0,20}}=[ ]{{0,20}}{_VALUE}'
                                 r"[ \t]*\r?$", re.MULTILINE)),
    (("<key>",), re.compile(r"<key>(?P<name>[\w.\-]{3,80})</key>\s{0,40}<string>(?P<secret>[^<>\n]{4,4000})</string>")),
    ((": |", ": >"), re.compile(rf"^[ \t-]{{0,40}}{_NAME}:[ \t][|>][+-]?[ \t]*\r?\n[ \t]{{1,40}}(?P<secret>\S{{4,4000}})[ \t]*\r?$",
                                re.MULTILINE)),
    (("machine ",), re.compile(r"^[ \t]{0,16}(?P<name>password)[ \t]{1,8}(?P<secret>\S{4,200})", re.MULTILINE)),
)  # fmt: skip


def in_blocks(text: str) -> Iterator[tuple[int, int]]:
    """The (start, end) of each secret whose name or frame stands on other lines of ``text``."""
    if "-----" in text:
        yield from _private_keys(text)
        yield from _cut_keys(text)
    for marks, pattern in _PAIRS:
        if not any(mark in text for mark in marks):
            continue
        for match in pattern.finditer(text):
            kind = name_kind(match["name"])
            if kind is not None and is_secret(match["secret"], kind, literal=kind is not NameKind.KEY):
                yield match.span("secret")


def _private_keys(text: str) -> Iterator[tuple[int, int]]:
    """What stands between the frames of private keys, or the lines that look like a key where the end is not in the text."""
    for match in _PEM_BEGIN.finditer(text):
        start = match.end()
        end = text.find("-----", start, start + _MAX_PEM)
        if end < 0:
            end = _end_of_lines(text, start)
        if _PEM_RUN.search(text, start, end):
            yield start, end


def _end_of_lines(text: str, start: int) -> int:
    """Where the lines of a private key that begins at ``start`` end."""
    end = text.find("\n", start)
    while 0 <= end < start + _MAX_PEM:
        below = text.find("\n", end + 1)
        below = len(text) if below < 0 else below
        if not (_PEM_LINE.fullmatch(text, end + 1, below) or _PEM_HEADER.fullmatch(text, end + 1, below)):
            return end
        end = below
        if end == len(text):
            return end
    return len(text) if end < 0 else end


def _cut_keys(text: str) -> Iterator[tuple[int, int]]:
    """The key lines above each end of a private key."""
    for match in _PEM_END.finditer(text):
        start = match.start()
        while start:
            above = text.rfind("\n", 0, start - 1) + 1
            if not _PEM_LINE.fullmatch(text, above, start):
                break
            start = above
        if start < match.start():
            yield start, match.start()
