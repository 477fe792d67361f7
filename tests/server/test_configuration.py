"""The user's settings file, read by a server."""

from __future__ import annotations

from pathlib import Path


def test_the_file_is_read_again_and_a_problem_is_said_once(tmp_path: Path) -> None:
    from devstral_ls.server.configuration import Configuration

    file = tmp_path / "settings.toml"
    configuration = Configuration(file, {})
    assert configuration.initialize(None) == []
    file.write_text("[inline]\nmaxTokens = 5\ndebounceMs = 'x'\n")
    (problem,) = configuration.refresh()
    assert problem.key == "inline.debounceMs"
    assert configuration.settings.inline.max_tokens == 5
    assert configuration.refresh() == []
    assert configuration.workspace({"model": {"name": "x"}, "inline": {"maxTokens": 6}}) == []
    assert configuration.settings.inline.max_tokens == 6
