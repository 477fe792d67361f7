"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "devstral_ls"
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" and PACKAGE / "testing" not in path.parents
)


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_says_what_it_owns_and_keeps_its_size(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "no docstring"
    # Tables are as long as they have rows.
    assert text.count("\n") < 400 or path.name == "table.py", "two files in one"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_module_is_named_for_not_saying_what_it_owns(path: Path) -> None:
    assert path.stem not in {"utils", "util", "common", "core", "helpers", "manager", "service", "misc"}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_exceptions_are_caught_by_name(path: Path) -> None:
    """``except Exception`` stands at the boundaries only, a bare ``except`` nowhere."""
    boundaries = {"server/reporting.py", "server/rpc/json_rpc.py"}
    for node in nodes(path):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: bare except"
            if isinstance(node.type, ast.Name) and node.type.id == "Exception":
                assert name(path) in boundaries, f"line {node.lineno}: except Exception"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_the_middle_does_no_io_and_no_logging(path: Path) -> None:
    if name(path).split("/")[0] not in {"prompt", "suggest", "actions", "text.py", "generation.py"}:
        return
    forbidden = {"logging", "socket", "threading", "subprocess", "aiohttp", "os", "io"}
    for node in nodes(path):
        imported = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        assert not forbidden.intersection(module.split(".")[0] for module in imported)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "server").rglob("*.py")), ids=name)
def test_the_server_starves_no_thread_pool_and_prints_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ".thread(" not in text, "@server.thread() shares one pool with stdin"
    assert not any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        for node in nodes(path)
    ), "stdout is the protocol"


def test_a_model_library_is_imported_in_its_one_backend_file() -> None:
    backends = "engine/daemon/backends"
    for path in MODULES:
        if name(path) not in (f"{backends}/llama_library.py", f"{backends}/ctransformers/library_model.py"):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"^\s*(import|from) (xllamacpp|ctransformers)", text, re.MULTILINE), name(path)


def test_no_advice_installs_a_name_that_is_not_published() -> None:
    """An index may have anything under our name; we are installed from a checkout."""
    advice = re.compile(r"\binstall(?: +-\S+)* +['\"]?devstral[-_]ls\b")
    shipped = [
        path
        for folder in ("devstral_ls", "docs", "editors")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".ts", ".lua", ".el", ".txt", ".json"} and "node_modules" not in path.parts
    ]
    found = [
        path.relative_to(ROOT)
        for path in (*shipped, *ROOT.glob("*.md"), ROOT / "Makefile")
        if advice.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []
