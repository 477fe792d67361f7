"""The user's own settings: the settings file and the environment. The only module that reads them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from devstral_ls.settings.tree import Problem, Settings, read

_MAX_BYTES = 256 * 1024
"""Of a settings file; all settings with a comment each take 5 kB."""

_MAX_DOTS = 1_000
"""In a line of it: ``tomllib`` takes time quadratic in the parts of a dotted name, 3 s for 20,000."""


def read_user_file(path: Path, base: Settings | None = None) -> tuple[Settings, list[Problem]]:
    """``base`` with the values of the TOML file at ``path``; a missing file has none. Never raises."""
    settings = base or Settings()
    try:
        tree = tomllib.loads(_text_of(path))
    except FileNotFoundError:
        return settings, []
    except OSError as error:
        return settings, [Problem(str(path), f"cannot be read: {error.strerror}")]
    except RecursionError:
        return settings, [Problem(str(path), "is nested too deeply, and none of it is used")]
    except ValueError as error:  # no UTF-8, no TOML, or a number of thousands of digits
        return settings, [Problem(str(path), f"is not TOML, and none of it is used: {error!s:.200}")]
    return read(tree, settings)


def _text_of(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ValueError(f"it is longer than {_MAX_BYTES >> 10} kB")
    if any(line.count(b".") > _MAX_DOTS for line in data.split(b"\n")):
        raise ValueError(f"one of its lines has more than {_MAX_DOTS} dots")
    return data.decode("utf-8")


def over_environment(settings: Settings, environ: Mapping[str, str] = os.environ) -> Settings:
    """``settings`` with ``DEVSTRAL_LS_MODEL``, when it is set, as ``model.name``."""
    name = environ.get("DEVSTRAL_LS_MODEL")
    return replace(settings, model=replace(settings.model, name=name)) if name else settings
