"""Where things are kept: of a user with a home, and of one without."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstral_ls.platform import paths as module
from devstral_ls.platform.paths import NOWHERE, directories


@pytest.mark.parametrize(
    ("usual", "found"),
    [
        ("/home/me/.local/share/devstral-ls", Path("/home/me/.local/share/devstral-ls")),
        ("~/.local/share/devstral-ls", NOWHERE),  # neither HOME nor the system knows one
        ("share/devstral-ls", NOWHERE),  # a relative XDG_DATA_HOME counts as none
    ],
)
def test_data_is_never_below_the_working_folder(usual: str, found: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.platformdirs, "user_data_dir", lambda *_, **__: usual)
    assert directories({}).data == found
    assert directories({"DEVSTRAL_LS_DATA_DIR": "/d"}).data == Path("/d")


def test_settings_of_nobody_are_not_read_from_the_working_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository with a folder named `~` must not have the user's word."""

    def unknown(*_: object, **__: object) -> str:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(module.platformdirs, "user_config_dir", unknown)
    assert directories({}).config_file == NOWHERE
