"""``devstral/status``: each change once, and no flood while keys are typed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from devstral_ls.engine.status import EngineStatus
from devstral_ls.generation import GenerationRequest
from devstral_ls.server import status_reporter
from devstral_ls.server.status_reporter import StatusReporter, percentiles
from devstral_ls.testing.lsp_client import until
from tests.server.clock import Clock

READY = EngineStatus("ready", model="m", engine="e", message="ready")


def reporter() -> tuple[StatusReporter, list[dict[str, Any]], Clock]:
    sent: list[dict[str, Any]] = []
    clock = Clock()
    return StatusReporter(sent.append, clock), sent, clock


@contextmanager
def generating(reported: StatusReporter) -> Iterator[None]:
    """The engine's client runs a generation in the block."""
    request = GenerationRequest((), 1)
    reported.started(request)
    yield
    reported.finished(request)


def states(sent: list[dict[str, Any]]) -> list[str]:
    return [body["state"] for body in sent]


async def test_a_status_is_sent_once() -> None:
    reported, sent, _ = reporter()
    for state in ("starting", "starting", "loading", "ready", "ready"):
        reported.update(EngineStatus(state))  # type: ignore[arg-type]
    assert states(sent) == ["starting", "loading", "ready"]


async def test_generating_does_not_flood_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_reporter, "MIN_INTERVAL_S", 0.02)
    reported, sent, clock = reporter()
    reported.update(READY)
    for _ in range(50):
        with generating(reported):
            reported.answered(5)
    assert states(sent) == ["ready"]
    clock.now += 1
    await until(lambda: len(sent) == 2)
    assert sent[-1]["state"] == "ready"
    assert sent[-1]["latencyMs"] == {"p50": 5, "p90": 5}


async def test_generating_shows_at_once_after_a_pause_and_a_real_change_always() -> None:
    reported, sent, clock = reporter()
    reported.update(READY)
    clock.now += 1
    with generating(reported):
        assert states(sent) == ["ready", "generating"]
        reported.update(EngineStatus("lost"))
    assert states(sent) == ["ready", "generating", "lost"]
    reported.close()


async def test_a_slow_engine_stays_slow_after_it_has_written() -> None:
    reported, sent, clock = reporter()
    slow = replace(READY, state="slow")
    reported.update(slow)
    clock.now += 1
    with generating(reported):
        reported.update(replace(slow, state="generating"))
    clock.now += 1
    reported.update(slow)
    reported.close()
    assert sent[0]["state"] == "slow"
    assert reported.body() is None
    assert "ready" not in states(sent)


async def test_generating_of_the_engine_itself_is_not_said_twice() -> None:
    reported, sent, _ = reporter()
    reported.update(READY)
    reported.update(EngineStatus("generating", model="m", engine="e", message="ready"))
    reported.update(READY)
    assert states(sent) == ["ready"]


@pytest.mark.parametrize(
    ("latencies", "p50", "p90"), [([7.4], 7, 7), ([1, 3], 2, 3), (list(range(1, 12)), 6, 10), ([5] * 50, 5, 5)]
)
def test_percentiles(latencies: list[float], p50: float, p90: float) -> None:
    assert percentiles(latencies) == {"p50": p50, "p90": p90}
