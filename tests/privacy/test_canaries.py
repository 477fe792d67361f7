"""No document text, prompt or suggestion in any file, whatever is logged, unless the user asks for it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from devstral_ls.engine import rendezvous
from devstral_ls.statistics.store import Store
from tests.privacy.day import Day

DEBUG = '[log]\nlevel = "debug"\nfile = "{}"\n'


async def test_a_days_texts_are_in_no_file(tmp_path: Path, tiny_model: Path) -> None:
    day = Day(tmp_path)
    await day.use(tiny_model, settings=DEBUG.format(tmp_path / "server.log"), actions=("explain", "rewrite"))
    assert "DEBUG devstral_ls.server.server: received" in (tmp_path / "server.log").read_text()
    assert any(path.suffix == ".log" and day.home.runtime in path.parents for path in day.files())
    assert Store(day.home.data).read(), "statistics were kept"
    assert day.n_shown
    assert len(day.secrets()) > 3
    assert day.kept() == []


async def test_where_the_user_asks_for_contents_they_are_found(tmp_path: Path, tiny_model: Path) -> None:
    """That the search would find them, too."""
    day = Day(tmp_path)
    await day.use(tiny_model, settings=DEBUG.format(tmp_path / "server.log") + "contents = true\n")
    assert {f"{secret!r} in server.log" for secret in (day.document, day.instruction)} <= set(day.kept())


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
async def test_an_engine_that_crashes_leaves_no_text_behind(tmp_path: Path, tiny_model: Path) -> None:
    day = Day(tmp_path)
    crashed: list[int] = []

    async def crash() -> None:
        while not crashed:  # the first engine that is ready is given a moment to be asked
            crashed.extend(state.pid for state in rendezvous.engines(day.home) if state.phase == "ready" and state.pid)
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        os.kill(crashed[0], signal.SIGABRT)

    crashing = asyncio.create_task(crash())
    await day.use(tiny_model, settings=DEBUG.format(tmp_path / "server.log"))
    await crashing
    assert day.kept() == []
