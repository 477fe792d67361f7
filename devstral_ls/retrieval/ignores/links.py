"""The names of a file: each symbolic link on the way to it makes another one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

MAX_LINKS = 40
"""Symbolic links followed for one path, as Linux does."""


def names_of(path: str, plain: set[str]) -> Iterator[tuple[str, bool]]:
    """``path``, what each symbolic link in it makes of it, and where it leads in the end; each with False.

    ``plain`` has paths that are known to be no links, and gets those that are found here.

    With True, the links themselves: they are folders for the pattern ``link/``, and a repository may lie behind one.

    Raises:
        OSError: it cannot be told, or there are too many links.
    """
    name, is_plain = os.path.normpath(path), os.path.normpath(path) == path
    for _ in range(MAX_LINKS):
        yield name, False
        link = _first_link(name, plain)
        if not link:
            break
        yield link, True
        target = os.path.join(os.path.dirname(link), os.readlink(link))
        name, is_plain = os.path.normpath(target + name[len(link) :]), False
    else:
        raise OSError("too many symbolic links")
    if not is_plain:
        yield os.path.realpath(path), False


def _first_link(path: str, plain: set[str]) -> str:
    """The first symbolic link on the way to ``path``; empty without one, and where the way ends before."""
    unknown: list[str] = []
    for above in upwards(path):
        if above in plain:
            break
        unknown.append(above)
    for above in reversed(unknown):
        try:
            if stat.S_ISLNK(os.lstat(above).st_mode):
                return above
            plain.add(above)
        except (FileNotFoundError, NotADirectoryError):
            return ""
    return ""


def upwards(path: str) -> Iterator[str]:
    """``path`` and every folder above it."""
    yield path
    while (above := os.path.dirname(path)) != path:
        path = above
        yield path


def is_at_or_below(path: str, root: str) -> bool:
    """True when ``path`` is the folder ``root`` or something in it; both are absolute."""
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
