"""Which documents may never reach a prompt: by the globs of ``privacy.exclude``."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from devstral_ls.settings import PrivacySettings
from devstral_ls.workspace import ignore


def is_excluded(uri: str, settings: PrivacySettings) -> bool:
    """Is the document one that may never reach a prompt?"""
    return ignore.is_excluded(PurePosixPath(unquote(urlsplit(uri).path)), settings.exclude)
