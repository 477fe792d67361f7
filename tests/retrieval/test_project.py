"""The files around a document: which project, and nothing outside of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstral_ls.retrieval.project import MAX_BYTES, ProjectFiles


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "p/src").mkdir(parents=True)
    (tmp_path / "p/go.mod").write_text("module p")
    (tmp_path / "p/src/a b.go").write_text("package p")
    (tmp_path / "secret").write_text("s")
    (tmp_path / "p/link").symlink_to(tmp_path / "secret")
    return tmp_path / "p"


def test_the_project_is_found_by_what_stands_in_its_root(root: Path) -> None:
    project = ProjectFiles.of((root / "src/a b.go").as_uri())
    assert project is not None
    assert project.root == root.resolve()
    assert project.path((root / "src/a b.go").as_uri()) == "src/a b.go"
    assert project.uri("src/a b.go") == (root / "src/a b.go").as_uri()
    assert project.names("src") == ["a b.go"]


def test_the_clients_folder_comes_first(root: Path) -> None:
    project = ProjectFiles.of((root / "src/a b.go").as_uri(), [(root / "src").as_uri()])
    assert project is not None
    assert project.root == (root / "src").resolve()


@pytest.mark.parametrize("path", ["../secret", "link", "/etc/hostname", "src", "nothing"])
def test_nothing_outside_is_read(root: Path, path: str) -> None:
    assert ProjectFiles(root).read(path) is None


def test_big_files_and_binaries_are_not_read(root: Path) -> None:
    (root / "big").write_text("x" * (MAX_BYTES + 1))
    (root / "binary").write_bytes(b"\xff\xfe\x00")
    assert ProjectFiles(root).read("big") is None
    assert ProjectFiles(root).read("binary") is None


@pytest.mark.parametrize("uri", ["untitled:Untitled-1", "file://elsewhere/x", "vscode-notebook-cell:/a#1"])
def test_a_document_that_is_no_file_has_no_project(uri: str) -> None:
    assert ProjectFiles.of(uri) is None
