"""Which engine does code actions, and which model offers are made for."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from devstral_ls.server.actions.action_engine import ActionEngine
from devstral_ls.settings.tree import ActionsSettings, Settings
from devstral_ls.testing.scripted_engine import QWEN, ScriptedEngine

SMALL = replace(QWEN, name="small", parameters=494_000_000)
LARGE = replace(QWEN, name="large", parameters=23_600_000_000)


class Second(ScriptedEngine):
    """An engine of ``actions.model``."""

    def start(self) -> None:
        """Nothing to start."""

    async def aclose(self) -> None:
        """Nothing to close."""


def action_engine(settings: Settings) -> ActionEngine:
    async def get(_settings: Settings) -> None:
        """The pipeline, which actions do not use."""

    session: Any = SimpleNamespace(
        engine=ScriptedEngine(model=SMALL), get=get, second_engine=lambda _options: Second(model=LARGE)
    )
    return ActionEngine(session, lambda: settings, lambda: None)


async def test_the_usual_engine_does_actions() -> None:
    engine = action_engine(Settings())
    assert engine.model == SMALL
    assert (await engine.get()).model == SMALL


async def test_another_model_for_actions_is_the_one_that_offers_are_made_for() -> None:
    engine = action_engine(replace(Settings(), actions=ActionsSettings(model="large")))
    assert engine.model is None  # not started yet, and never the small one
    assert (await engine.get()).model == LARGE
    assert engine.model == LARGE
