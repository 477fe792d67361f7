"""The import graph: no circle in it, and pygls used as it is published."""

from __future__ import annotations

import ast
import graphlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstral_ls.server.app import HANDLERS
from devstral_ls.server.features.commands import COMMANDS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "devstral_ls"


def modules() -> dict[str, ast.Module]:
    """Every module of the product by its dotted name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(tree: ast.Module, names: set[str]) -> Iterator[str]:
    """The modules that ``tree`` imports, anywhere in it: at run time, in functions, for types only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in names else node.module


def circle(graph: dict[str, set[str]]) -> list[str]:
    """One circle of the graph; empty without one."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_no_modules_import_each_other() -> None:
    trees = modules()
    graph = {name: set(imports(tree, set(trees))) & set(trees) - {name} for name, tree in trees.items()}
    assert circle(graph) == []


def test_a_circle_is_found_where_there_is_one() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": set()})


def test_pygls_is_used_as_it_is_published() -> None:
    """No class of it is extended, and no private name of it is imported."""
    for name, tree in modules().items():
        theirs = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pygls":
                assert not any(part.startswith("_") for part in (node.module or "").split(".")), name
                assert not any(alias.name.startswith("_") for alias in node.names), name
                theirs |= {alias.asname or alias.name for alias in node.names}
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                assert not theirs & {ast.unparse(base) for base in node.bases}, f"{name}: {node.name}"


@pytest.mark.parametrize("name", [*HANDLERS, *COMMANDS])
def test_a_handler_takes_the_server_as_ls(name: str) -> None:
    """pygls hands the server to a parameter of that name only."""
    handler = HANDLERS.get(name) or COMMANDS[name]
    assert next(iter(inspect.signature(handler).parameters)) == "ls"
