"""The patterns of one ignore file, matched as git matches them: an entry of a folder at a time, the last pattern decides.

``pathspec`` translates a pattern; what it reads in another way than git is first rewritten to a pattern that ignores more.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

MAX_BYTES, MAX_PATTERNS, MAX_PATTERN = 1024 * 1024, 10_000, 4_096
"""Of one ignore file: bytes, patterns, characters of a pattern. Beyond one of them, everything below its folder is ignored.
The longest hand-written ones have some 400 lines; git itself stops at 100 MB."""

MAX_STARS = 2
"""Of one part of a pattern: the time of the regular expression grows with a power of them (six take minutes for a single
name). Anything beyond counts as one star, which ignores more: reading a private file would be worse."""

MAX_DOUBLE_STARS = 3
"""Of one pattern; it is cut behind them."""

_TOKEN = re.compile(r"\\.|\*+|\[[!^]?\]?(?:\\.|\[:[^\]]*:\]|[^\]\\])*\]|.", re.DOTALL)
"""An escaped character, stars, a bracket expression, or another character."""

_PLAIN_BRACKET = re.compile(r"\[[!^]?\]?[^\]\\\[/*]*\]")
"""A bracket expression that pathspec reads as git does: no escapes, no classes such as ``[:alpha:]``, no slash."""

_TRAILING_SPACES = re.compile(r"(?<!\\)((?:\\\\)*) +\Z")


@dataclass(frozen=True, slots=True)
class _Pattern:
    ignores: bool
    """False for one that begins with ``!``."""
    of_folders: bool
    """True for one that ends with a slash."""
    of_names: bool
    """True for one without a slash inside: it is matched against the name, else against the path."""
    regex: re.Pattern[str]
    any_case: re.Pattern[str]
    """``regex`` for a file system where ``A`` and ``a`` are the same name."""


@dataclass(frozen=True, slots=True, eq=False)
class IgnoreRules:
    """The patterns of one ignore file, the last first."""

    patterns: tuple[_Pattern, ...] = ()
    exceeds: str = field(default="", kw_only=True)
    """The limit that the file exceeds, in words: everything below its folder is ignored then."""

    def decides(self, path: str, *, is_folder: bool, any_case: bool = False) -> bool | None:
        """True when the entry at ``path``, relative to the file's folder, is ignored, False when it is not; else ``None``.

        An entry of an ignored folder is ignored as well: that is for the caller to find out.
        """
        if self.exceeds:
            return True
        if any_case:
            path = unicodedata.normalize("NFC", path)
        name = path.rpartition("/")[2]
        for pattern in self.patterns:
            if pattern.of_folders and not is_folder:
                continue
            regex = pattern.any_case if any_case else pattern.regex
            match = regex.search(name if pattern.of_names else path)
            if match is not None and match.lastindex is None:  # the group is set where only a folder above matches
                return pattern.ignores
        return None


NO_RULES = IgnoreRules()


def ignore_rules(data: bytes) -> IgnoreRules:
    """The patterns in the content of an ignore file. Never raises."""
    if len(data) > MAX_BYTES:
        return IgnoreRules(exceeds=f"has more than {MAX_BYTES // 1024} KB")
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").split("\n")
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    if len(lines) > MAX_PATTERNS:
        return IgnoreRules(exceeds=f"has more than {MAX_PATTERNS:,} patterns")
    if any(len(line) > MAX_PATTERN for line in lines):
        return IgnoreRules(exceeds=f"has a pattern of more than {MAX_PATTERN:,} characters")
    return IgnoreRules(tuple(pattern for line in reversed(lines) for pattern in _patterns(line.removesuffix("\r"))))


def _patterns(line: str) -> Iterator[_Pattern]:
    """The pattern that ``line`` means; none where git discards it."""
    line = _TRAILING_SPACES.sub(r"\1", line)
    is_negated = line.startswith("!")
    text = line.removeprefix("!")
    of_folders = text.endswith("/")
    text = text.removesuffix("/")
    of_names = "/" not in text
    bounded = _rewritten(text)
    if bounded is None or (is_negated and bounded != text.replace("\\/", "/")):
        return  # a rewritten pattern matches more, and would show more here
    try:
        regex, any_case = _regex(bounded), _regex(unicodedata.normalize("NFC", bounded), re.IGNORECASE)
    except (ValueError, re.error):  # malformed: git never matches it
        return
    if regex is not None and any_case is not None:
        yield _Pattern(not is_negated, of_folders, of_names, regex, any_case)


def _rewritten(text: str) -> str | None:
    """``text``, or a pattern that matches more, for what pathspec reads differently and what would take long to match.

    ``None``: it never matches: a bracket is not closed, or it begins with an escaped slash.
    """
    if text.startswith("\\/"):
        return None
    parts: list[str] = [""]
    stars: list[int] = []
    for token in _TOKEN.findall(text):
        if token in ("/", "\\/"):
            if parts[-1] == "**" and parts.count("**") > MAX_DOUBLE_STARS:
                return "/".join(parts)
            parts.append("")
            stars = []
        elif token == "[":  # noqa: S105 - a bracket
            return None
        elif len(stars) > MAX_STARS:
            continue  # the part was cut
        elif token.startswith("*"):
            stars.append(len(parts[-1]))
            is_whole = len(token) > 1 and parts[-1] == ""  # if nothing follows it in its part
            parts[-1] = (
                parts[-1][: stars[MAX_STARS - 1]] + "*"
                if len(stars) > MAX_STARS
                else ("**" if is_whole else _one_star(parts[-1]) + "*")
            )
        else:
            parts[-1] = _one_star(parts[-1]) + _exact(token, text)
    return "/".join(parts)


def _one_star(part: str) -> str:
    """The beginning of a part that goes on: ``**`` means more than ``*`` only where it is all of a part."""
    return "*" if part == "**" else part


def _exact(token: str, text: str) -> str:
    """``token`` of the pattern ``text``, or one that matches more, where pathspec reads it differently."""
    if token.startswith("["):
        return token if _PLAIN_BRACKET.fullmatch(token) and not _may_be_slash(token, text) else "?"
    if token[-1].isspace() and token[-1] != " ":  # stripped at the end of a pattern
        return f"[{token[-1]}]"
    return token


def _may_be_slash(bracket: str, text: str) -> bool:
    """True for ``[!a]`` in a pattern with slashes: unlike git's, the regular expression would match a slash."""
    return bracket[1] in "!^" and "/" in text


def _regex(text: str, flags: int = 0) -> re.Pattern[str] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about regular expressions made from unusual brackets
        # A pattern that begins with one of these would be a comment or negated.
        regex, _ = GitIgnoreSpecPattern.pattern_to_regex(f"\\{text}" if text[:1] in ("!", "#") else text)
        return None if regex is None else re.compile(regex, flags)
