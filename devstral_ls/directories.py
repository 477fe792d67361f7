"""Where things are kept on this machine: data, runtime files and the user's settings file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

_APP = "devstral-ls"


@dataclass(frozen=True, slots=True)
class Directories:
    """The folders of one user. None of them need exist yet."""

    data: Path
    """Models, calibration, statistics."""
    runtime: Path
    """Sockets, locks, keys, logs of running engines; made with mode 0700."""
    config_file: Path
    """The user's ``settings.toml``."""

    @property
    def models(self) -> Path:
        """The model store."""
        return self.data / "models"


def directories(environ: Mapping[str, str] = os.environ) -> Directories:
    """The folders in use: ``DEVSTRAL_LS_DATA_DIR``, ``_RUNTIME_DIR`` and ``_CONFIG``, else the platform's own."""

    def chosen(variable: str, default: str) -> Path:
        return Path(os.path.abspath(os.path.expanduser(environ.get(variable) or default)))

    return Directories(
        data=chosen("DEVSTRAL_LS_DATA_DIR", platformdirs.user_data_dir(_APP, appauthor=False)),
        runtime=chosen("DEVSTRAL_LS_RUNTIME_DIR", platformdirs.user_runtime_dir(_APP, appauthor=False)),
        config_file=chosen(
            "DEVSTRAL_LS_CONFIG",
            os.path.join(platformdirs.user_config_dir(_APP, appauthor=False), "settings.toml"),
        ),
    )
