"""The store: what is in it, what a name means, putting in and taking out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from devstral_ls.errors import ModelCorrupt, ModelError, ModelNotFound
from devstral_ls.models import store
from devstral_ls.models.catalog import MODELS
from devstral_ls.models.download.pull_progress import Phase, PullProgress
from devstral_ls.platform.paths import NOWHERE
from devstral_ls.testing import gguf_files


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """An empty store."""
    return tmp_path / "models"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A model file outside the store."""
    return gguf_files.write_header(tmp_path / "My Model (v2).Q4_K_M.gguf", {})


def test_an_imported_model_is_a_hard_link_where_that_can_be(models: Path, file: Path) -> None:
    model = store.import_file(models, file)
    assert model.name == "My-Model-v2-.Q4_K_M"
    assert model.path.samefile(file)
    assert model.size == file.stat().st_size
    assert store.installed(models) == [model]
    assert store.find(models, model.name) == model.path


def test_an_imported_model_is_a_copy_elsewhere(models: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(store.os, "link", refuse)
    told: list[PullProgress] = []
    model = store.import_file(models, file, "mine", told.append)
    assert not model.path.samefile(file)
    assert model.path.read_bytes() == file.read_bytes()
    assert [(progress.phase, progress.done) for progress in told] == [(Phase.COPYING, model.size)]


def test_the_file_behind_a_symbolic_link_is_imported(models: Path, file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.gguf"
    link.symlink_to(file)
    model = store.import_file(models, link)
    assert model.name == "link"
    assert not model.path.is_symlink()
    file.unlink()
    assert model.path.exists()


def test_all_parts_of_a_split_model_are_imported(models: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        path = tmp_path / f"big-{number:05}-of-00002.gguf"
        gguf_files.write_header(path, {"split.no": number - 1, "split.count": 2})
    model = store.import_file(models, tmp_path / "big-00001-of-00002.gguf")
    assert model.name == "big"
    assert store.installed(models) == [model]
    (models / "big" / "big-00002-of-00002.gguf").unlink()
    assert store.installed(models) == []


def test_a_file_that_is_no_model_is_not_imported(models: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.gguf"
    text.write_text("not a model")
    with pytest.raises(ModelCorrupt, match="it is a text file"):
        store.import_file(models, text)
    with pytest.raises(ModelNotFound, match="there is no such file"):
        store.import_file(models, tmp_path / "none.gguf")
    assert not models.exists()


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a\\b", ".hidden", "auto", "x" * 200, "a\nb", "-rf"])
def test_names_that_could_mean_something_else_are_refused(models: Path, file: Path, name: str) -> None:
    with pytest.raises(ModelError, match="a model cannot be named"):
        store.import_file(models, file, name)


def test_a_name_is_given_once(models: Path, file: Path) -> None:
    store.import_file(models, file, "mine")
    with pytest.raises(ModelError, match="there is already a model named 'mine'") as caught:
        store.import_file(models, file, "mine")
    assert "model remove mine" in caught.value.hint


def test_a_broken_folder_is_passed_over_and_can_be_replaced(models: Path, file: Path) -> None:
    path = store.import_file(models, file, "mine").path
    path.unlink()
    path.write_bytes(b"GGUF, but shorter")
    assert store.installed(models) == []
    assert store.import_file(models, file, "mine").path.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("record", ["", "[]", "{}", "null", '{"file": 3, "size": 1, "source": ""}', "\udcff"])
def test_a_record_that_cannot_be_read_is_passed_over(models: Path, file: Path, record: str) -> None:
    store.import_file(models, file, "good")
    store.import_file(models, file, "bad")
    (models / "bad" / "model.json").write_bytes(record.encode("utf-8", "surrogateescape"))
    assert [model.name for model in store.installed(models)] == ["good"]


def test_a_record_cannot_point_out_of_its_folder(models: Path, file: Path) -> None:
    model = store.import_file(models, file, "mine")
    record = json.loads((models / "mine" / "model.json").read_text())
    (models / "mine" / "model.json").write_text(json.dumps(record | {"file": str(file)}))
    assert store.installed(models) == [model]  # the file of that name in the folder, not the one outside


def test_other_files_in_the_store_do_no_harm(models: Path, file: Path) -> None:
    store.import_file(models, file, "mine")
    (models / "README").write_text("hello")
    (models / "empty").mkdir()
    assert [model.name for model in store.installed(models)] == ["mine"]


def test_an_absent_store_is_empty(models: Path) -> None:
    assert store.installed(models) == []
    with pytest.raises(ModelNotFound, match="no model is installed") as caught:
        store.choose(models, "auto")
    assert "model pull starter" in caught.value.hint


def test_auto_takes_devstral_first_then_the_catalogs_order_and_models_for_tests_last(models: Path, file: Path) -> None:
    for name in ("tiny", "a-model", "starter", "qwen2.5-coder-7b", "devstral-small-2505", "devstral-mine"):
        store.import_file(models, file, name)
    assert [model.name for model in store.installed(models)] == [
        "devstral-small-2505",
        "devstral-mine",
        "qwen2.5-coder-7b",
        "starter",
        "a-model",
        "tiny",
    ]
    assert store.choose(models, "auto").name == "devstral-small-2505"


def test_a_path_is_a_model_too(models: Path, file: Path) -> None:
    model = store.choose(models, str(file))
    assert (model.path, model.source) == (file, "path")
    with pytest.raises(ModelNotFound, match=r"there is no model file at 'none.gguf'"):
        store.choose(models, "none.gguf")


def test_a_file_in_the_working_directory_is_not_taken_for_a_name(
    models: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(file, tmp_path / "starter")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNotFound, match="the model 'starter' is not installed"):
        store.choose(models, "starter")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("starter", "Run `devstral-ls model pull starter`."),
        ("devstral-small-2508", "Did you mean 'devstral-small-2507'?"),
        ("min", "Did you mean 'mine'?"),
        ("zzz", "Installed: mine. "),
    ],
)
def test_a_name_that_is_not_there_gets_a_hint(models: Path, file: Path, name: str, hint: str) -> None:
    store.import_file(models, file, "mine")
    with pytest.raises(ModelNotFound) as caught:
        store.find(models, name)
    assert caught.value.hint.startswith(hint)


def test_a_removed_model_is_gone_and_its_original_stays(models: Path, file: Path) -> None:
    store.import_file(models, file, "mine")
    store.remove(models, "mine")
    assert store.installed(models) == []
    assert file.exists()
    for name in ("mine", "..", ".partial", str(file)):
        with pytest.raises(ModelNotFound):
            store.remove(models, name)


def test_every_row_of_the_catalog_is_whole() -> None:
    for name, model in MODELS.items():
        assert store.checked_name(name) == model.name
        assert model.file.endswith(".gguf")
        assert model.file == Path(model.file).name
        assert model.size > 0
        assert model.sha256 is None or len(model.sha256) == 64
        assert model.sources


@pytest.mark.parametrize("name", ["auto", "starter", "unknown"])
def test_without_a_home_folder_it_says_what_to_set(name: str) -> None:
    with pytest.raises(ModelNotFound, match="no home folder") as raised:
        store.choose(NOWHERE / "models", name)
    assert "DEVSTRAL_LS_DATA_DIR" in raised.value.hint
