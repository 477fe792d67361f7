"""Whether connections to the outside are allowed."""

from __future__ import annotations

import os
from collections.abc import Mapping

OFFLINE = "DEVSTRAL_LS_OFFLINE"


def is_offline(environ: Mapping[str, str] = os.environ) -> bool:
    """Does the user forbid connections to the outside?"""
    return environ.get(OFFLINE, "") not in ("", "0")
