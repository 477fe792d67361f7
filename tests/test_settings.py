"""The settings tree: what is read, what is refused, and the pages made from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.code_context import SOURCES
from devstral_ls.server.configuration import Configuration
from devstral_ls.settings.schema import markdown, schema, vscode_configuration
from devstral_ls.settings.sources import over_environment, read_user_file
from devstral_ls.settings.tree import USER_ONLY, InlineSettings, Settings, read

ROOT = Path(__file__).parent.parent


def test_camel_case_on_the_wire() -> None:
    tree = {"inline": {"debounceMs": 20, "multiline": "never", "disabledLanguages": ["python"]}, "model": {"name": "x"}}
    settings, problems = read(tree)
    assert not problems
    assert settings.inline == InlineSettings(debounce_ms=20, multiline="never", disabled_languages=("python",))
    assert settings.model.name == "x"


@pytest.mark.parametrize(
    ("tree", "key"),
    [
        ({"inline": {"debounceMs": "soon"}}, "inline.debounceMs"),
        ({"inline": {"debounceMs": -1}}, "inline.debounceMs"),
        ({"inline": {"debounceMs": 1.5}}, "inline.debounceMs"),
        ({"inline": {"debounceMs": True}}, "inline.debounceMs"),
        ({"inline": {"enable": "yes"}}, "inline.enable"),
        ({"inline": {"minConfidence": 2}}, "inline.minConfidence"),
        ({"inline": {"minConfidence": float("nan")}}, "inline.minConfidence"),
        ({"inline": {"disabledLanguages": ["a", 1]}}, "inline.disabledLanguages"),
        ({"inline": {"disabledLanguages": "python"}}, "inline.disabledLanguages"),
        ({"inline": {"nothing": 1}}, "inline.nothing"),
        ({"inline": {"debounce_ms": 1}}, "inline.debounce_ms"),
        ({"inline": []}, "inline"),
        ({"nothing": {}}, "nothing"),
        (["inline"], "settings"),
        ({"engine": {"kind": "magic"}}, "engine.kind"),
    ],
)
def test_a_bad_value_costs_itself_and_one_message(tree: Any, key: str) -> None:
    settings, problems = read(tree)
    assert settings == Settings()
    assert [problem.key for problem in problems] == [key]


def test_names_that_no_source_has_are_said_and_the_others_used() -> None:
    settings, (problem,) = read({"inline": {"context": ["imports", "clipboard", "test", "imports", "tests"]}})
    assert settings.inline.context == ("imports", "test")
    assert problem.key == "inline.context"
    assert '"clipboard", "tests"' in problem.message
    assert all(source in problem.message for source in SOURCES)
    assert read({"inline": {"context": []}}) == (Settings(inline=InlineSettings(context=())), [])


OLD = {"inline": {"ahead": False, "excerpts": ["imports"]}, "completion": {"waitMs": 300}}
NEW = {"inline": {"prefetch": False, "context": ["imports"]}, "completion": {"timeoutMs": 300}}
WARNINGS = {
    "inline.ahead": "inline.prefetch", "inline.excerpts": "inline.context", "completion.waitMs": "completion.timeoutMs",
}  # fmt: skip


@pytest.mark.parametrize("user", [True, False])
def test_an_old_name_works_and_its_warning_names_the_new_one(user: bool) -> None:
    settings, problems = read(OLD, user=user)
    assert (settings, []) == read(NEW)
    assert {problem.key: problem.message for problem in problems} == {
        old: f"is now {new}; this release still takes both" for old, new in WARNINGS.items()
    }


@pytest.mark.parametrize("section", [{"ahead": True, "prefetch": False}, {"prefetch": False, "ahead": True}])
def test_the_new_name_wins_over_the_old_one(section: dict[str, bool]) -> None:
    settings, problems = read({"inline": section})
    assert settings.inline.prefetch is False
    assert [problem.key for problem in problems] == ["inline.ahead"]


def test_a_bad_value_under_an_old_name_is_refused_under_the_new_one() -> None:
    settings, problems = read({"completion": {"waitMs": -1}})
    assert settings == Settings()
    assert [problem.key for problem in problems] == ["completion.waitMs", "completion.timeoutMs"]


def test_old_names_work_in_every_source_and_each_is_warned_of_once(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[inline]\nahead = false\nexcerpts = ["imports"]\n[completion]\nwaitMs = 300\n')
    from_file = Configuration(file, {})
    assert {problem.key for problem in from_file.refresh()} == set(WARNINGS)
    assert from_file.initialize(OLD) == []
    assert from_file.workspace(OLD) == []
    from_options, from_workspace = Configuration(tmp_path / "none", {}), Configuration(tmp_path / "none", {})
    assert len(from_options.initialize(OLD)) == len(from_workspace.workspace(OLD)) == 3
    expected, _ = read(NEW)
    assert from_file.settings == from_options.settings == from_workspace.settings == expected


def test_editors_are_told_that_an_old_name_is_deprecated() -> None:
    assert schema()["properties"]["inline"]["properties"]["ahead"]["deprecated"] is True
    (page,) = (page for page in vscode_configuration() if page["title"] == "Completion")
    assert page["properties"]["devstral.completion.waitMs"]["markdownDeprecationMessage"] == "Renamed to `timeoutMs`."
    assert "waitMs" not in markdown()


def test_the_clipboard_is_no_source() -> None:
    assert not [source for source in SOURCES if "clip" in source or "paste" in source]


def test_the_rest_of_the_section_is_kept() -> None:
    settings, problems = read({"inline": {"debounceMs": "x", "enable": False}})
    assert settings.inline.enable is False
    assert len(problems) == 1


@pytest.mark.parametrize("section", ["model", "engine", "privacy", "log"])
def test_a_workspace_has_no_say_in_what_is_run_read_or_contacted(section: str) -> None:
    tree = {
        section: {"name": "evil", "baseUrl": "http://evil", "exclude": [], "file": "/x"},
        "inline": {"enable": False},
    }
    settings, problems = read(tree, user=False)
    assert settings == Settings(inline=InlineSettings(enable=False))
    assert [problem.key for problem in problems] == [section]


@pytest.mark.parametrize("section", ["inline", "actions"])
def test_a_workspace_does_not_choose_a_model_either(section: str) -> None:
    settings, problems = read({section: {"model": "/tmp/evil.gguf"}}, user=False)
    assert settings == Settings()
    assert [problem.key for problem in problems] == [f"{section}.model"]
    assert read({section: {"model": "mine"}})[0] != Settings()


def test_nothing_and_null_are_the_defaults() -> None:
    assert read(None) == (Settings(), [])
    assert read({"inline": None}) == (Settings(), [])


def test_the_users_file_is_toml(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    assert read_user_file(path) == (Settings(), [])
    path.write_text('[model]\nname = "starter"\n[inline]\nmaxTokens = "many"\n')
    settings, problems = read_user_file(path)
    assert settings.model.name == "starter"
    assert [problem.key for problem in problems] == ["inline.maxTokens"]


@pytest.mark.parametrize("content", [b"[model\nname", b"\xff\xfe\x00"])
def test_a_file_that_is_no_toml_is_one_problem(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    settings, problems = read_user_file(path)
    assert settings == Settings()
    assert len(problems) == 1


def test_the_environment_is_over_the_file() -> None:
    settings, _ = read({"model": {"name": "starter"}})
    assert over_environment(settings, {"DEVSTRAL_LS_MODEL": "tiny"}).model.name == "tiny"
    assert over_environment(settings, {}).model.name == "starter"


def test_the_pages_are_fresh() -> None:
    stale = "run `make docs`"
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == markdown(), stale
    assert json.loads((ROOT / "docs/settings.schema.json").read_text(encoding="utf-8")) == schema(), stale


def test_the_vscode_extension_has_every_setting() -> None:
    manifest = json.loads((ROOT / "editors/vscode/package.json").read_text(encoding="utf-8"))
    own, *pages = manifest["contributes"]["configuration"]
    assert pages == vscode_configuration(), "run `make docs`"
    properties = {name: entry for page in (own, *pages) for name, entry in page["properties"].items()}
    users = {name for name, entry in properties.items() if entry["scope"] == "machine"}
    assert {name.split(".")[1] for name in users} == {"client", *USER_ONLY, "inline", "actions"}
    assert not users & {"devstral.inline.enable", "devstral.actions.apply"}
    restricted = manifest["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    assert set(restricted) == users, "run `make docs`"
