"""The boundary around handlers."""

from __future__ import annotations

import pytest

from devstral_ls.errors import EngineUnavailable, SettingsError
from devstral_ls.server.reporting import Reporter
from tests.server.clock import Clock


def test_a_failure_is_logged_once_a_minute_for_each_code(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    shown: list[str] = []
    boundary = Reporter(lambda text, _kind: shown.append(text), lambda: False, clock)

    def fail(error: Exception, *, asked_for: bool = False) -> None:
        with boundary.reporting(asked_for=asked_for):
            raise error

    boundary_log = caplog.records
    fail(EngineUnavailable("gone"))
    fail(EngineUnavailable("gone"))
    fail(SettingsError("other"))
    fail(ZeroDivisionError())
    fail(ZeroDivisionError())
    assert len(boundary_log) == 3
    clock.now += 61
    fail(EngineUnavailable("gone"), asked_for=True)
    assert len(boundary_log) == 4
    assert shown == [f"Devstral: gone. {EngineUnavailable.hint}"]
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError(), asked_for=True)
