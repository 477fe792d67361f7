"""URIs of documents and folders, as clients send them; no function here raises on a malformed one."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import url2pathname


def path_of(uri: str) -> str:
    """The absolute path on this machine that a ``file:`` URI names; empty for any other URI."""
    parts = _split(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return ""
    path = url2pathname(parts.path) if os.name == "nt" else unquote(parts.path)
    return path if can_be_path(path) and Path(path).is_absolute() else ""


@lru_cache(1_024)
def paths_named_by(uri: str) -> tuple[str, ...]:
    """Every absolute path on this machine that a URI of any scheme names, or that a string which is a path is.

    ``vscode-notebook-cell:/w/a.ipynb#W0``, ``git:/w/a.py?{"path": "/w/a.py"}``, ``untitled:/w/a.py`` and
    ``jar:file:///w/a.jar!/b`` do, ``untitled:Untitled-1`` does not. They need not exist.

    Raises:
        ValueError: it cannot be told: the URI is malformed, its path is not UTF-8, or no file can have it.
    """
    if Path(uri).is_absolute():
        return (_checked(uri),)
    if any(character < " " for character in uri) or uri[:1] == " ":
        raise ValueError("urlsplit would drop that")
    parts = urlsplit(uri)
    paths = [_local(parts.path)]
    if parts.scheme == "file" and (parts.query or parts.fragment):  # a client that did not encode ``?`` or ``#``
        paths.append(_local(uri[uri.find(parts.path) :]))
    query = unquote(parts.query, errors="strict")
    if query.startswith("{") and isinstance(path := json.loads(query).get("path"), str):
        paths.append(path)
    if parts.path.startswith("file:"):
        paths += [*paths_named_by(parts.path), *paths_named_by(parts.path.partition("!/")[0])]
    named = dict.fromkeys(_checked(path) for path in paths if Path(path).is_absolute())
    if not named and parts.scheme in ("", "file"):
        raise ValueError("a relative path: of what, is not known")
    return tuple(named)


def displayed_path(uri: str) -> str:
    """The decoded path component of a URI of any scheme, for people, models and globs; it need not exist here."""
    return unquote(_split(uri).path)


def can_be_path(path: str) -> bool:
    r"""True when a file can have this path: it has no NUL, at which system calls raise, and no lone surrogate, at which
    storing, sending or showing it raises. (A name on disk may be any bytes, which Python decodes with surrogates.)
    """
    try:
        return b"\0" not in path.encode()
    except UnicodeEncodeError:
        return False


def _local(path: str) -> str:
    return url2pathname(path) if os.name == "nt" else unquote(path, errors="strict")


def _checked(path: str) -> str:
    """``path``. Raises ``ValueError``: no file can have it."""
    if not can_be_path(path) or "\n" in path:
        raise ValueError("no path of a file")
    return path


def _split(uri: str) -> SplitResult:
    """The components of ``uri``; a string that is no URI (``file://[``) is all path."""
    try:
        return urlsplit(uri)
    except ValueError:
        return SplitResult("", "", uri, "", "")
