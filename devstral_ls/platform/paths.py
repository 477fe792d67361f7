"""The folders of this user on this machine: data, runtime files and the settings file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

_APP = "devstral-ls"

NOWHERE = Path("/nonexistent/devstral-ls")
"""The folder of users without a home; never one below the working folder, which may belong to another user."""


@dataclass(frozen=True, slots=True)
class Directories:
    """The folders of one user. They need not exist yet."""

    data: Path
    """Models, calibration, statistics."""
    runtime: Path
    """Sockets, locks, keys, logs of running engines; created with mode 0700."""
    config_file: Path
    """The user's ``settings.toml``."""

    @property
    def models(self) -> Path:
        """The model store."""
        return self.data / "models"


def directories(environ: Mapping[str, str] = os.environ) -> Directories:
    """The folders in use: ``DEVSTRAL_LS_DATA_DIR``, ``_RUNTIME_DIR`` and ``_CONFIG``, else the platform's own."""

    def chosen(variable: str, default: Callable[[], str]) -> Path:
        if wish := environ.get(variable):
            path = os.path.expanduser(wish)
            return NOWHERE if path.startswith("~") else Path(os.path.abspath(path))
        try:
            usual = Path(default())
        except RuntimeError:  # an unknown user without HOME; older versions of platformdirs return a "~"
            return NOWHERE
        return usual if usual.is_absolute() else NOWHERE

    return Directories(
        data=chosen("DEVSTRAL_LS_DATA_DIR", lambda: platformdirs.user_data_dir(_APP, appauthor=False)),
        runtime=chosen("DEVSTRAL_LS_RUNTIME_DIR", _runtime_dir),
        config_file=chosen(
            "DEVSTRAL_LS_CONFIG",
            lambda: os.path.join(platformdirs.user_config_dir(_APP, appauthor=False), "settings.toml"),
        ),
    )


def _runtime_dir() -> str:
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR (containers, plain ssh) it warns and returns a folder of the user below the temporary one.
        warnings.simplefilter("ignore")
        try:
            return platformdirs.user_runtime_dir(_APP, appauthor=False)
        except PermissionError:  # another user made it first; who uses the folder checks it, and says so in a line
            import tempfile

            return os.path.join(tempfile.gettempdir(), f"runtime-{os.getuid()}", _APP)
