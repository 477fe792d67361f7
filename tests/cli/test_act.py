"""``devstral-ls act``, over an engine that says what the test tells it to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devstral_ls.cli import act, main
from devstral_ls.platform.paths import Directories
from devstral_ls.retrieval.index.workspace_index import WorkspaceIndex
from devstral_ls.retrieval.retriever import ContextRetriever
from devstral_ls.testing.scripted_engine import QWEN, ScriptedEngine, plain

CODE = "def first(a):\n    b = a\n    return b\n"
Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command on ``a.py`` in a project of its own, with the model saying ``says``."""
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_x.py").write_text("")
    (tmp_path / "a.py").write_text(CODE)
    folders = Directories(data=tmp_path / "data", runtime=tmp_path / "run", config_file=tmp_path / "settings.toml")
    monkeypatch.setattr(act, "directories", lambda: folders)

    def command(*arguments: str, says: str = "    return a\n```", parameters: int | None = None) -> int:
        @asynccontextmanager
        async def open_session(settings: Any, *, quiet: bool, file: Path) -> AsyncIterator[Any]:
            index = WorkspaceIndex()
            retriever = ContextRetriever(index)
            retriever.begin([tmp_path.as_uri()], settings)
            model = replace(QWEN, parameters=parameters)
            command.engine = ScriptedEngine(says, model=model)  # type: ignore[attr-defined]
            try:
                yield SimpleNamespace(engine=command.engine, index=index, visibility=retriever.visibility)  # type: ignore[attr-defined]
            finally:
                await retriever.aclose()

        monkeypatch.setattr(act, "open_session", open_session)
        return main(["act", *(argument.replace("@", str(tmp_path / "a.py")) for argument in arguments)])

    return command


def test_an_edit_is_printed_as_a_diff(run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("simplify", "@:2") == 0
    assert capsys.readouterr().out == (
        "--- a/a.py\n+++ b/a.py\n@@ -1,3 +1,2 @@\n def first(a):\n-    b = a\n-    return b\n+    return a\n"
    )
    assert (tmp_path / "a.py").read_text() == CODE


def test_write_changes_the_file(run: Run, tmp_path: Path) -> None:
    assert run("simplify", "@:2", "--write") == 0
    assert (tmp_path / "a.py").read_text() == "def first(a):\n    return a\n"


def test_write_makes_a_test_file(run: Run, tmp_path: Path) -> None:
    assert run("tests", "@:2", "--write", says="first():\n    assert first(1) == 1\n```") == 0
    made = (tmp_path / "tests/test_a.py").read_text()
    assert made == "import pytest\n\nfrom a import first\n\n\ndef test_first():\n    assert first(1) == 1\n"


def test_json_says_everything(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rewrite", "@:1-3", "--json", "--instruction", "shorter", says="def first(a):\n    return a\n```") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["files"] == [{"path": "a.py", "text": "def first(a):\n    return a\n"}]
    assert said["diff"].startswith("--- a/a.py\n")
    assert said["tokens"]["prompt"] == 10
    assert set(said["timings"]) == {"total", "prefill", "decode"}


def test_signatures_of_imported_names_are_shown(run: Run, tmp_path: Path) -> None:
    (tmp_path / "money.py").write_text("def rounded(amount: float, digits: int = 2) -> float:\n    return amount\n")
    (tmp_path / "a.py").write_text("from money import rounded\n\n\ndef first(a):\n    b = rounded(a)\n    return b\n")
    assert run("simplify", "@:5", says="    return rounded(a)\n```") == 0
    (request,) = run.engine.requests  # type: ignore[attr-defined]
    assert "It uses:\n```python\ndef rounded(amount: float, digits: int = 2) -> float: ...\n```" in plain(request)


@pytest.mark.parametrize(
    ("name", "ignored", "says"),
    [
        ("aws_credentials.py", "", "this file is excluded by privacy.exclude"),
        ("a.py", "a.py\n", "an ignore file names this file"),
    ],
)
def test_what_no_model_may_see_is_refused(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, ignored: str, says: str
) -> None:
    (tmp_path / name).write_text(CODE)
    (tmp_path / ".gitignore").write_text(ignored)
    assert run("simplify", f"{tmp_path / name}:2", "--write") == 1
    assert says in capsys.readouterr().err
    assert run.engine.requests == []  # type: ignore[attr-defined]
    assert (tmp_path / name).read_text() == CODE


def test_findings_have_a_line_each(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("review", "@:2", says="    b = a\n    return b + 1\n```") == 0
    assert capsys.readouterr().out.startswith("a.py:3: warning: ")
    assert run("review", "@:2", says="    b = a\n    return b\n```") == 1
    assert capsys.readouterr().err == "nothing found\n"


def test_a_review_by_a_small_model_is_refused_until_it_is_switched_on(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    says = "    b = a\n    return b + 1\n```"
    assert run("review", "@:2", says=says, parameters=494_000_000) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert error == (
        "devstral-ls: reviews are experimental and off for models under 7B, as their findings are mostly wrong"
        ' (scripted is one) — Set actions.review = "on" to switch them on.\n'
    )
    assert run.engine.requests == []  # type: ignore[attr-defined]
    (tmp_path / "settings.toml").write_text('[actions]\nreview = "on"\n')
    assert run("review", "@:2", says=says, parameters=494_000_000) == 0
    assert capsys.readouterr().out.startswith("a.py:3: warning: ")


def test_an_explanation_is_markdown(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", "@:2", says="It gives back what it gets.") == 0
    assert capsys.readouterr().out == "It gives back what it gets.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("fly", "@:1"), 2, "no action 'fly'"),
        (("fix", "@"), 2, "no line given"),
        (("fix", "@:1-x"), 2, "no line given"),
        (("fix", "@:9"), 5, "line 9 of 4"),
        (("fix", "@:3-1"), 5, "lines 3-1 of 4"),
        (("fix", "nowhere.py:1"), 5, "No such file"),
        (("rewrite", "@:2"), 1, "say what to change"),
        (("extract", "@:2"), 1, "select the lines to extract"),
        (("document", "@:4"), 1, "the cursor is in no function"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, says: str
) -> None:
    assert run(*arguments) == code
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
