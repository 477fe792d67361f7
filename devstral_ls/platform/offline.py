"""The switch that forbids outside connections."""

from __future__ import annotations

import os
from collections.abc import Mapping

OFFLINE = "DEVSTRAL_LS_OFFLINE"


def is_offline(environ: Mapping[str, str] = os.environ) -> bool:
    """True when the user forbids outside connections."""
    return environ.get(OFFLINE, "") not in ("", "0")
