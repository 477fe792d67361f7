"""Real editors for tests: where they lie, and what is said where one is not to be had.

``editors/rigs/get.sh`` fetches an editor into ``RIGS/NAME`` and leaves an executable ``RIGS/NAME/run``; why it could not
stands in ``RIGS/NAME.missing``. A test takes the fixture ``rig`` and asks it for a name.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from devstral_ls.models import store
from devstral_ls.platform.paths import directories

RIGS = Path(os.environ.get("DEVSTRAL_LS_EDITOR_RIGS") or "~/.cache/devstral-ls-rigs").expanduser()

DUMPS = Path(__file__).parents[2] / "build" / "editors"
"""Where tests leave what a user would see: screen dumps and screenshots. Build output, never committed."""

_missing: dict[str, str] = {}
"""Why an editor's tests were skipped, by the editor's name; for the closing lines."""

_measured: list[str] = []
"""What tests measured, a line each; for the closing lines."""

Rig = Callable[..., Path]


def find_rig(name: str, *, needs: tuple[str, ...] = ()) -> Path:
    """The program of the editor ``name``; skips the test, with the reason, where it is not here.

    Args:
        name: as in ``editors/rigs/get_NAME.sh``.
        needs: Python modules that drive it.
    """
    program = RIGS / name / "run"
    reason = None
    if not os.access(program, os.X_OK):
        said = RIGS / f"{name}.missing"
        why = said.read_text(encoding="utf-8").strip() if said.exists() else ""
        reason = f"cannot be had here: {why}" if why else "not fetched: run `make test-editors`"
    else:
        absent = [module for module in needs if importlib.util.find_spec(module) is None]
        if absent:
            reason = f"Python has no {', '.join(absent)}: run `make test-editors`"
    if reason is not None:
        _missing[name] = reason
        pytest.skip(f"{name}: {reason}")
    return program


@pytest.fixture(scope="session")
def rig() -> Rig:
    """``find_rig``: the program of an editor, or a skipped test with the reason."""
    return find_rig


@pytest.fixture(scope="session")
def dumps() -> Path:
    """The folder for screen dumps and screenshots."""
    DUMPS.mkdir(parents=True, exist_ok=True)
    return DUMPS


@pytest.fixture(scope="session")
def starter_model(request: pytest.FixtureRequest) -> Path:
    """A model that writes sensibly: `starter` where it is installed, else the one that tests fetch."""
    found = store.installed_as(directories().models, "starter")
    return found.path if found is not None else request.getfixturevalue("tiny_model")


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes a line of numbers for the closing lines."""
    return lambda line: _measured.append(f"{request.node.name}: {line}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was measured, and each editor that was not tested, with the reason."""
    for line in _measured:
        terminalreporter.write_line(line)
    for name, reason in sorted(_missing.items()):
        terminalreporter.write_line(f"editor not tested: {name}: {reason}")
