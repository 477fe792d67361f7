"""The environment of the Python processes that are started here."""

from __future__ import annotations

import os
import site
from collections.abc import Mapping
from pathlib import Path

import devstral_ls


def child_environment(
    overrides: Mapping[str, str] | None = None, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """``environ`` with ``overrides``, and with this package importable.

    Children run with ``-P``, so that nothing in a workspace or their working directory is ever imported. A checkout or
    an editable install is then found through ``PYTHONPATH`` only; an installed package needs no entry there.
    """
    root = str(Path(devstral_ls.__file__).resolve().parent.parent)
    environment = {**environ, **(overrides or {})}
    if root not in (*site.getsitepackages(), site.getusersitepackages()):
        paths = [root, *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment
