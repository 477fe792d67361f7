"""Which files may never reach a prompt: by the globs of ``privacy.exclude``, and by ignore files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from devstral_ls.settings import PrivacySettings
from devstral_ls.workspace import ignore


def is_excluded(uri: str, settings: PrivacySettings) -> bool:
    """Is the document one that may never reach a prompt?"""
    return ignore.is_excluded(PurePosixPath(unquote(urlsplit(uri).path)), settings.exclude)


def shown_by(settings: PrivacySettings) -> Callable[[Path, Path], bool]:
    """Of a project's root and a path below it: may a model be shown the file?"""

    def shows(root: Path, path: Path) -> bool:
        readable = ignore.Readable(str(root), settings.exclude, respect_ignore_files=settings.respect_ignore_files)
        return readable.allows(str(path))

    return shows
