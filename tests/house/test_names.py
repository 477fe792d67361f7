"""One name for one thing, in the field's words."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "devstral_ls"
TREES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py" and PACKAGE / "testing" not in path.parents
}

FUNCTIONS_OF_ONE_KIND = {
    "main": "the entry point of a process",
    "run": "a command of the command line: cli/*",
    "as_json": "a command's result as JSON: cli/*",
    "probe": "asks one kind of remote server what it is: probing/*",
}
"""Public classes and functions that may stand in several modules: rows of one kind."""

MODULES_OF_ONE_KIND = {
    "__main__": "python -m",
    "app": "the wiring of a process: the server's, the daemon's",
    "backend": "the protocol, and a row of it in its package",
    "table": "the rows of a package",
    "tree": "the trees: syntax, scopes, settings",
    "store": "what is kept: models, documents, statistics",
    "llama_server": "a remote server: its dialect, its probing",
    "ollama": "a remote server: its dialect, its probing",
    "openai": "a remote server: its dialect, its probing",
}

BANNED = frozenset(
    [
        "anybody",
        "heard",
        "hear",
        "hears",
        "mend",
        "mended",
        "nobody",
        "poke",
        "poked",
        "rests",
        "somebody",
        "spare",
        "told",
        "whoever",
        "whom",
        "whose",
    ]
)
"""Words of no field: not in any identifier."""

WITHOUT_ANTECEDENT = re.compile(
    r"\b(anybody|nobody|somebody|everybody|whoever|poke|for who|who asks|who takes)\b", re.IGNORECASE
)


def words(identifier: str) -> Iterator[str]:
    return (word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier))


def identifiers(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def docstrings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value  # of an attribute or a constant


def test_a_class_or_function_name_stands_for_one_thing() -> None:
    places = defaultdict(list)
    for path, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
                places[node.name].append(path)
    twice = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert twice.keys() <= FUNCTIONS_OF_ONE_KIND.keys(), {n: twice[n] for n in twice.keys() - FUNCTIONS_OF_ONE_KIND}
    assert twice.keys() == FUNCTIONS_OF_ONE_KIND.keys(), "a name on the list stands once: take it off"


def test_a_module_name_stands_for_one_thing() -> None:
    places = defaultdict(list)
    for path in TREES:
        places[Path(path).stem].append(path)
    twice = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert twice.keys() <= MODULES_OF_ONE_KIND.keys(), {n: twice[n] for n in twice.keys() - MODULES_OF_ONE_KIND}
    assert twice.keys() == MODULES_OF_ONE_KIND.keys(), "a name on the list stands once: take it off"


@pytest.mark.parametrize("path", TREES)
def test_identifiers_have_no_banned_words(path: str) -> None:
    names = {*identifiers(TREES[path]), *Path(path).parts}
    assert not {name for name in names if BANNED.intersection(words(name))}


@pytest.mark.parametrize("path", TREES)
def test_docstrings_are_statements_with_a_subject(path: str) -> None:
    for text in docstrings(TREES[path]):
        assert not text.partition("\n")[0].rstrip().endswith("?"), text
        assert not WITHOUT_ANTECEDENT.search(text), text
