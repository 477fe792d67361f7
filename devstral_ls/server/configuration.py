"""The settings in force, read from every source."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from devstral_ls.settings.sources import over_environment, read_user_file
from devstral_ls.settings.tree import USER_ONLY, USER_ONLY_KEYS, Problem, Settings, read

_log = logging.getLogger(__name__)


class Configuration:
    """Reads the sources in their order; later ones win: user file, ``initializationOptions``, workspace, environment."""

    def __init__(self, user_file: Path, environ: Mapping[str, str]) -> None:
        self._user_file = user_file
        self._environ = environ
        self._options: Any = None
        self._workspace: Any = None
        self._inline: bool | None = None
        self._shown: set[str] = set()
        self.settings = Settings()

    def initialize(self, options: object) -> list[Problem]:
        """Take ``initializationOptions``, which are the settings tree itself; returns the problems not shown before."""
        self._options = options
        return self.refresh()

    def workspace(self, tree: object) -> list[Problem]:
        """Take the section ``devstral`` of the client's configuration; returns the problems not shown before."""
        self._workspace = tree
        return self.refresh()

    def toggle_inline(self) -> bool:
        """Switch ghost text on or off for this session. True when it is on now."""
        return self.set_inline(not self.settings.inline.enable)

    def set_inline(self, enable: bool) -> bool:
        """Switch ghost text on, or off, for this session. True when it is on now."""
        self._inline = enable
        self.refresh()
        return enable

    def refresh(self) -> list[Problem]:
        """Read all sources again; returns the problems not shown before."""
        settings, problems = read_user_file(self._user_file)
        settings, found = read(self._options, settings)
        problems += found
        settings, found = read(self._workspace, settings, user=False)
        # Editors send whole sections, also those that a workspace may not set: that is logged, and not shown.
        ignored = [problem for problem in found if problem.key in USER_ONLY | USER_ONLY_KEYS]
        for problem in self._news(ignored):
            _log.info("%s", problem)
        problems += [problem for problem in found if problem not in ignored]
        settings = over_environment(settings, self._environ)
        if self._inline is not None:
            settings = replace(settings, inline=replace(settings.inline, enable=self._inline))
        self.settings = settings
        return self._news(problems)

    def _news(self, problems: list[Problem]) -> list[Problem]:
        news = [problem for problem in problems if str(problem) not in self._shown]
        self._shown.update(str(problem) for problem in news)
        return news
