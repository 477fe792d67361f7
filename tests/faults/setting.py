"""Stages as the faults need them: made, handed out again while they can bear it, taken down."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.engine.fake_remote import serving
from tests.faults import disk_faults as disk
from tests.faults import other_faults as other
from tests.faults.fault import Fault, Setting
from tests.faults.scripted import scripted
from tests.faults.stage import Stage

N_DEATHS = 4
"""In one stage: an engine that dies five times within two minutes is given up, as it should be."""

_SMALL = (Setting.SMALL_DISK, Setting.SMALL_FOLDER)


class Stages:
    """Stages below one folder; ``aclose`` it."""

    def __init__(self, folder: Path, model: Path) -> None:
        self._folder = folder
        self._model = model
        self._names = itertools.count(1)
        self._setting: Setting | None = None
        self._left = 0
        self._open = AsyncExitStack()
        self._stage: Stage | None = None

    async def stage(self, fault: Fault) -> Stage:
        """One that ``fault`` can strike."""
        if self._stage is not None and fault.setting is self._setting and self._left == 0:
            await self._stage.begin_anew()
            self._left = N_DEATHS
        if self._stage is None or fault.setting is not self._setting:
            await self.aclose()
            folder = self._folder / str(next(self._names))
            folder.mkdir()
            self._stage = await self._open.enter_async_context(_made(fault.setting, folder, self._model))
            self._setting, self._left = fault.setting, N_DEATHS
        self._left -= fault.state != ""
        return self._stage

    async def aclose(self) -> None:
        """Take down what stands."""
        stage, self._stage = self._stage, None
        if stage is not None:
            await self._open.aclose()
            self._open = AsyncExitStack()


@asynccontextmanager
async def _made(setting: Setting, folder: Path, model: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as below:
        if setting in _SMALL:
            below.enter_context(disk.mounted(folder))
        stage = Stage(folder, model)
        below.push_async_callback(stage.close)
        if setting is Setting.REMOTE:
            stage.scripted = scripted()
            address = await below.enter_async_context(serving(stage.scripted))
            stage.settings["engine"] = {"kind": "remote", "baseUrl": address}
            stage.settings["inline"] = {"latencyBudgetMs": 600}
        if setting is Setting.CLOCK:
            stage.environment |= other.clock_environment(folder)
        if setting is Setting.SMALL_DISK:
            stage.settings["log"] = {"file": str(disk.log_of(folder)), "level": "debug"}
        if setting not in (Setting.FOLDER, Setting.SMALL_FOLDER):
            stage.write_settings()
            await stage.enter()
        yield stage
