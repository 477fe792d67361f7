"""URIs of documents and folders, as clients send them; no function here raises on a malformed one."""

from __future__ import annotations

import os
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


def _split(uri: str) -> SplitResult:
    """The components of ``uri``; a string that is no URI (``file://[``) is all path."""
    try:
        return urlsplit(uri)
    except ValueError:
        return SplitResult("", "", uri, "", "")
