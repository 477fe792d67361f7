"""The two settings of git that say what is ignored: ``core.excludesFile`` and ``core.ignoreCase``. Git itself is not run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from devstral_ls.retrieval.ignores.observed import ObservedFiles

MAX_BYTES = 256 * 1024
"""Of one file of git's configuration; what is behind is not read."""

MAX_INCLUDES = 10
"""The depth of files that include each other, as in git."""

_SECTION = re.compile(r'\s*\[\s*([\w.-]+)(?:\s+"((?:\\.|[^"\\])*)")?\s*\]')
_SYSTEM_FILES = ("/etc/gitconfig", "/usr/local/etc/gitconfig", "/opt/homebrew/etc/gitconfig")

Entry = tuple[str, str, str]
"""Section and key in lower case, and value; of a subsection, the section is that of ``include`` or ``includeif``."""

_NO_ENTRIES: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class GitIgnoreSettings:
    """The settings for one repository."""

    excludes_files: tuple[str, ...]
    """Absolute paths: the one that counts, and those of conditional includes, which may count."""
    ignores_case: bool


def ignore_settings(
    root: str, configs: Sequence[str], files: ObservedFiles, environ: Mapping[str, str] = os.environ
) -> GitIgnoreSettings:
    """The settings for the repository at ``root``, whose own files of configuration are ``configs``.

    A file of the user's that cannot be read is skipped, as git does.
    """
    home = environ.get("HOME") or os.path.expanduser("~")
    xdg = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    chosen = os.path.join(xdg, "git", "ignore")
    possible: list[str] = []
    ignores_case = sys.platform in ("win32", "darwin")
    for path in (*_users_files(environ, home, xdg), *configs):
        for (section, key, value), is_certain in _entries(path, files, home):
            if (section, key) == ("core", "ignorecase"):
                ignores_case = value.lower() not in ("false", "no", "off", "0")
            elif (section, key) == ("core", "excludesfile"):
                value = os.path.join(root, _expanded(value, home)) if value else ""
                chosen, possible = (value, possible) if is_certain else (chosen, [*possible, value])
    excludes = dict.fromkeys(path for path in (chosen, *possible) if path)
    return GitIgnoreSettings(tuple(excludes), ignores_case)


def _users_files(environ: Mapping[str, str], home: str, xdg: str) -> Iterator[str]:
    if not environ.get("GIT_CONFIG_NOSYSTEM"):
        system = environ.get("GIT_CONFIG_SYSTEM")
        programs = environ.get("ProgramFiles")
        yield from (system,) if system else _SYSTEM_FILES
        if programs and not system:
            yield os.path.join(programs, "Git", "etc", "gitconfig")
    if "GIT_CONFIG_GLOBAL" in environ:
        yield environ["GIT_CONFIG_GLOBAL"]
    else:
        yield os.path.join(xdg, "git", "config")
        yield os.path.join(home, ".gitconfig")


def _entries(
    path: str, files: ObservedFiles, home: str, depth: int = 0, *, is_certain: bool = True
) -> Iterator[tuple[Entry, bool]]:
    """The entries of a file and of those it includes, each with False where a condition decides whether it counts."""
    try:
        entries = files.parsed(path, parse_config, _NO_ENTRIES, max_bytes=MAX_BYTES)
    except (OSError, ValueError):
        return
    for section, key, value in entries:
        if section in ("include", "includeif") and key == "path" and depth < MAX_INCLUDES:
            included = os.path.join(os.path.dirname(path), _expanded(value, home))
            certain = is_certain and section == "include"
            yield from _entries(included, files, home, depth + 1, is_certain=certain)
        else:
            yield (section, key, value), is_certain


def parse_config(data: bytes) -> tuple[Entry, ...]:
    """The entries of a file of git's configuration; what cannot be understood is skipped."""
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    section, entries = "", []
    for line in re.sub(r"\\\n", "", text).split("\n"):
        match = _SECTION.match(line)
        if match is not None:
            section = match[1].lower()
            if match[2] is not None and section != "includeif":
                section += "."
            line = line[match.end() :]
        key, equals, value = line.partition("=")
        if key.strip() and key.strip()[0] not in "#;":
            entries.append((section, key.strip().lower(), _value(value) if equals else "true"))
    return tuple(entries)


def _value(text: str) -> str:
    """The value as git reads it: quotes and escapes resolved, a comment and the white space before it left out."""
    value, is_quoted, n_kept = "", False, 0
    characters = iter(text.strip())
    for character in characters:
        if character == '"':
            is_quoted = not is_quoted
        elif character == "\\":
            escaped = next(characters, "")
            value += {"n": "\n", "t": "\t", "b": "\b"}.get(escaped, escaped)
            n_kept = len(value)
        elif character in "#;" and not is_quoted:
            break
        else:
            value += character
            n_kept = len(value) if is_quoted or not character.isspace() else n_kept
    return value[:n_kept]


def _expanded(path: str, home: str) -> str:
    if path == "~" or path.startswith("~/"):
        return home + path[1:]
    return os.path.expanduser(path)
