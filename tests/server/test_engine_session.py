"""The engine and the pipeline: an engine that cannot be made, and the order in which all ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from devstral_ls.engine.status import EngineStatus
from devstral_ls.errors import SettingsError
from devstral_ls.server.engine_session import EngineSession
from devstral_ls.server.protocols import Factories
from devstral_ls.settings.tree import Settings
from devstral_ls.testing.lsp_client import until


def states(statuses: list[EngineStatus]) -> list[str]:
    return [status.state for status in statuses]


def broken(error: Exception) -> Callable[..., Any]:
    def make(*_: Any) -> Any:
        raise error

    return make


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SettingsError("no such dialect", hint="Choose another."), "no such dialect"),
        (ImportError("x", name="httpx"), "cannot import httpx"),
    ],
)
async def test_an_engine_that_cannot_be_made_says_so_and_is_tried_again(error: Exception, message: str) -> None:
    sent: list[EngineStatus] = []
    attempts: list[int] = []

    def make(*_: Any) -> Any:
        attempts.append(1)
        raise error

    directories: Any = None
    parts = EngineSession(Factories(make, broken(error)), directories, sent.append)
    assert await parts.get(Settings()) is None
    assert await parts.get(Settings()) is None
    assert len(attempts) == 1
    assert sent[-1].state == "failed"
    assert sent[-1].message == message
    assert sent[-1].hint
    await parts.restart(Settings())
    assert len(attempts) == 2
    await parts.aclose()


async def test_a_bug_in_making_the_engine_shows_as_failed() -> None:
    sent: list[EngineStatus] = []
    directories: Any = None
    parts = EngineSession(Factories(broken(ZeroDivisionError()), broken(ValueError())), directories, sent.append)
    with pytest.raises(ZeroDivisionError):
        await parts.get(Settings())
    await until(lambda: states(sent) == ["starting", "failed"])


async def test_background_work_begins_after_the_engine_and_ends_before_it() -> None:
    directories: Any = None
    done: list[str] = []

    class Noted:
        def __init__(self, name: str) -> None:
            self.name = name

        def start(self) -> None:
            done.append(f"{self.name} starts")

        def close(self) -> None:
            done.append(f"{self.name} ends")

        async def aclose(self) -> None:
            done.append(f"{self.name} ends")

    def pipeline(engine: Any, retriever: Any) -> Any:
        return Noted("pipeline")

    factories = Factories(
        lambda *_: Noted("engine"),  # type: ignore[arg-type, return-value]
        pipeline,
        lambda *_: Noted("background"),  # type: ignore[arg-type, return-value]
    )
    parts = EngineSession(factories, directories, lambda status: None)
    await parts.get(Settings())
    await parts.aclose()
    assert done == [
        "engine starts",
        "background starts",
        "pipeline ends",
        "background ends",
        "engine ends",
    ]
