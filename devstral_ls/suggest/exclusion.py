"""Which files may never reach a prompt: by the globs of ``privacy.exclude``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from devstral_ls.settings import PrivacySettings


def is_excluded(uri: str, settings: PrivacySettings) -> bool:
    """Is the file one that may never reach a prompt?"""
    path = PurePosixPath(unquote(urlsplit(uri).path).casefold())
    return any(_excludes(pattern.casefold(), path) for pattern in settings.exclude)


def _excludes(pattern: str, path: PurePosixPath) -> bool:
    """Does the glob match the file's name, or its path where the glob has a slash? ``*`` matches slashes as well."""
    if "/" in pattern:
        return fnmatchcase(str(path), f"*/{pattern.lstrip('/')}") or fnmatchcase(str(path), pattern)
    return fnmatchcase(path.name, pattern)
