"""The command line: names, output and exit codes of the contract."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstral_ls.cli import main
from devstral_ls.cli.complete import read_position
from devstral_ls.engine import rendezvous
from devstral_ls.platform.paths import directories
from devstral_ls.testing.gguf_files import write_devstral_shaped, write_qwen_fim

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs ``devstral-ls`` with folders of its own; gives exit code, stdout, stderr."""
    for name in ("DATA_DIR", "RUNTIME_DIR", "CONFIG"):
        monkeypatch.setenv(f"DEVSTRAL_LS_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("DEVSTRAL_LS_OFFLINE", "1")
    monkeypatch.delenv("DEVSTRAL_LS_MODEL", raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(arguments)
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    yield call
    rendezvous.stop(directories())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.py"
    path.write_text("def add(a, b):\n    return \n")
    return path


def test_a_suggestion_with_its_facts(run: Run, source: Path, tmp_path: Path) -> None:
    model = write_qwen_fim(tmp_path / "qwen.gguf")
    code, out, err = run("complete", f"{source}:2", "--json", "--model", str(model))
    assert err == ""
    said = json.loads(out)
    assert set(said) == {"text", "range", "reason", "layout", "model", "cached", "timings", "tokens",
        "confidence", "minConfidence", "decisions",
    }  # fmt: skip
    assert (said["model"], said["layout"], said["cached"]) == ("qwen", "fim-spm-in-psm", False)
    assert said["timings"]["total"] >= said["timings"]["engine"] > 0
    assert said["tokens"]["prompt"] > 0
    assert code == (0 if said["text"] else 1)
    if said["text"]:
        assert said["range"]["start"] == {"line": 2, "column": 12}
    status, out, _ = run("engine", "status", "--json")
    assert status == 0
    assert [state["model"] for state in json.loads(out)] == ["qwen"]
    assert run("engine", "stop")[1] == "1 engine stopped.\n"
    assert run("engine", "status")[:2] == (1, "No engine runs.\n")


def test_models_come_and_go(run: Run, tmp_path: Path) -> None:
    path = write_devstral_shaped(tmp_path / "mine.gguf")
    assert "No model is installed." in run("model", "list")[1]
    assert run("model", "import", str(path), "--name", "mine")[0] == 0
    assert [row["name"] for row in json.loads(run("model", "list", "--json")[1])["installed"]] == ["mine"]
    facts = json.loads(run("model", "inspect", "mine", "--json")[1])
    assert (facts["architecture"], facts["family"]) == ("llama", "mistral-tekken")
    assert facts["controlTokens"]["[INST]"] == 3
    assert run("model", "inspect", str(path))[0] == 0
    assert run("model", "remove", "mine")[0] == 0
    assert run("model", "remove", "mine")[0] == 3


@pytest.mark.parametrize("name", ["nosuch", "/nosuch.gguf"])
def test_a_model_that_is_not_there_is_answered_with_those_that_are(
    run: Run, source: Path, tmp_path: Path, name: str
) -> None:
    assert "model pull starter" in run("complete", f"{source}:2", "--model", name)[2]
    write_devstral_shaped(tmp_path / "devstral.gguf")
    assert run("model", "import", str(tmp_path / "devstral.gguf"), "--name", "mine")[0] == 0
    code, _, said = run("complete", f"{source}:2", "--model", name)
    assert code == 3
    assert said.endswith("— Installed: mine. Set model.name to one of them, or to auto.\n")


def test_what_can_be_pulled_is_described_for_a_picker(run: Run) -> None:
    catalog = {row["name"]: row for row in json.loads(run("model", "list", "--json")[1])["catalog"]}
    starter = catalog["starter"]
    assert set(starter) == {
        "name", "title", "size", "description", "licence", "source", "sha256", "fits", "recommended", "hidden",
    }  # fmt: skip
    assert (starter["size"], starter["fits"], starter["hidden"]) == (491_400_064, True, False)
    assert starter["source"].startswith("Hugging Face, Qwen/")
    assert [name for name, row in catalog.items() if row["hidden"]] == ["tiny"]
    assert len([name for name, row in catalog.items() if row["recommended"]]) == 1


def test_the_starters_source_is_explained_where_it_is_shown(run: Run) -> None:
    listed = run("model", "list")[1]
    assert "SHA-256 1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32" in listed
    assert (
        "from Hugging Face, Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF; or else package index (a third party's upload)"
        in listed
    )
    assert "nothing is installed or run" in listed
    assert "SmolLM2" not in listed


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("complete", "{tmp}/none.py:1"), 5, "No such file"),
        (("complete", "{tmp}/a.py"), 2, "no line given"),
        (("complete", "{tmp}/a.py:0"), 2, "no line given"),
        (("complete", "{tmp}/a.py:-1"), 2, "no line given"),
        (("complete", "{tmp}/nul:1"), 5, "not text"),
        (("complete", "{tmp}/a.py:99"), 5, "line 99 of 3"),
        (("complete", "{tmp}/a.py:1:99"), 5, "column 99"),
        (("complete", "{tmp}:1"), 5, "Is a directory"),
        (("complete", "{tmp}/binary:1"), 5, "not UTF-8"),
        (("complete", "{tmp}/a.py:2"), 3, "no model is installed"),
        (("complete", "{tmp}/a.py:2", "--model", "{tmp}/none.gguf"), 3, "no model file"),
        (("complete", "{tmp}/a.py:2", "--model", "{tmp}/text.gguf"), 3, "text file"),
        (("model", "inspect", "{tmp}/text.gguf"), 3, "text file"),
        (("model", "inspect", "nothing"), 3, "nothing"),
        (("model", "pull", "starter"), 3, "offline"),
        (("model", "pull", "startr"), 3, "Did you mean 'starter'"),
        (("model", "import", "{tmp}/none.gguf"), 3, "none.gguf"),
        (("serve", "--tcp", "nowhere"), 2, "HOST:PORT"),
        (("serve", "--tcp", "192.0.2.1:1"), 2, "192.0.2.1:1"),
        (("nonsense",), 2, "invalid choice"),
        (("model",), 2, "required"),
    ],
)
def test_errors_are_one_line_with_a_hint_and_the_right_exit_code(
    run: Run, source: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    (tmp_path / "nul").write_bytes(b"a\0b\n")
    (tmp_path / "binary").write_bytes(b"\x00\xff\xfe")
    (tmp_path / "text.gguf").write_text("not a model\n" * 9)
    got, out, err = run(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert (got, out) == (code, "")
    assert says in err
    assert "Traceback" not in err
    if "usage:" not in err:
        assert err.count("\n") == 1


def test_tracebacks_only_with_debug(run: Run, source: Path) -> None:
    assert "Traceback" in run("--debug", "complete", f"{source}:99")[2]
    assert "Traceback" in run("complete", f"{source}:99", "--debug")[2]


def test_doctor_says_what_is_missing(run: Run) -> None:
    code, out, _ = run("doctor", "--json")
    findings = {finding["check"]: finding for finding in json.loads(out)}
    assert code == 3
    assert findings["model"]["verdict"] == "error"
    assert "model import" in findings["model"]["hint"]  # we are offline here
    assert findings["packages"]["verdict"] == findings["grammars"]["verdict"] == "ok"


def test_doctor_ends_with_a_real_completion(run: Run, tmp_path: Path) -> None:
    assert run("model", "import", str(write_qwen_fim(tmp_path / "m.gguf")), "--name", "m")[0] == 0
    assert run("doctor")[0] == 0
    code, out, _ = run("doctor", "--json")
    last = json.loads(out)[-1]
    assert code == 0
    assert (last["check"], last["verdict"] == "error") == ("completion", False)


def test_settings_can_be_read_by_people_and_editors(run: Run) -> None:
    assert run("settings")[1].startswith("# Settings\n")
    assert json.loads(run("settings", "--schema")[1])["properties"]["inline"]


def test_a_broken_settings_file_is_said_and_the_defaults_serve(run: Run, source: Path) -> None:
    directories().config_file.write_text("[inline\n")
    code, _, err = run("complete", f"{source}:2")
    assert code == 3  # no model: it went on
    assert "is not TOML" in err


@pytest.mark.parametrize(
    ("place", "offset"),
    [("{0}:1", 14), ("{0}:2:1", 15), ("{0}:2:5", 19), ("{0}:2", 26), ("{0}:3", 27)],
)
def test_places_are_counted_from_one(source: Path, place: str, offset: int) -> None:
    assert read_position(place.format(source)).offset == offset


def test_a_byte_order_mark_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "bom.py"
    path.write_bytes("\ufeffx = ".encode())
    query = read_position(f"{path}:1")
    assert (query.snapshot.text, query.offset) == ("x = ", 4)
