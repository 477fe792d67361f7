"""The user's own word: the settings file, and the environment over it. The only place that reads them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from devstral_ls.settings import Problem, Settings, read


def read_user_file(path: Path, base: Settings | None = None) -> tuple[Settings, list[Problem]]:
    """``base`` with what the TOML file at ``path`` says; a missing file says nothing. Never raises."""
    settings = base or Settings()
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return settings, []
    except OSError as error:
        return settings, [Problem(str(path), f"cannot be read: {error.strerror}")]
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return settings, [Problem(str(path), f"is not TOML, and none of it is used: {error}")]
    return read(tree, settings)


def over_environment(settings: Settings, environ: Mapping[str, str] = os.environ) -> Settings:
    """``settings`` with ``DEVSTRAL_LS_MODEL`` in the place of ``model.name``."""
    name = environ.get("DEVSTRAL_LS_MODEL")
    return replace(settings, model=replace(settings.model, name=name)) if name else settings
