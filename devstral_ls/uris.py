"""URIs of documents and folders taken apart. They are the client's own words: asking for a path never fails."""

from __future__ import annotations

from urllib.parse import SplitResult, unquote, urlsplit


def split(uri: str) -> SplitResult:
    """The parts of ``uri``; one that is none (``file://[``) is all path."""
    try:
        return urlsplit(uri)
    except ValueError:
        return SplitResult("", "", uri, "", "")


def path_in(uri: str) -> str:
    """The path in ``uri`` as a person reads it, of whatever scheme; it may be no path of this machine."""
    return unquote(split(uri).path)


def can_be_path(path: str) -> bool:
    """Can a file that we are told of be called so? Not with a NUL, and not with a lone surrogate: the one raises in every
    call of the system, the other wherever it is stored, sent or shown. A name on the disk may be any bytes.
    """
    try:
        return b"\0" not in path.encode()
    except UnicodeEncodeError:
        return False
