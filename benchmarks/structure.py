"""Figures of the code itself, for a table of before and after: ``python -m benchmarks.structure [--root DIR]``.

``DIR`` is a checkout, this one by default. Most figures are read from the syntax trees of ``devstral_ls/``; the way of a
request is traced in a real server and engine with a model of random weights. What is heuristic, and how it errs:

- *modules on the way*: those with a function called between an invoked cold request and its answer, in every process.
  Only main threads and threads that begin meanwhile are seen.
- *calls*: in the same trace; tasks created by the event loop, file locks taken or tried, whole texts compared.
- *generate() wrappers*: classes whose ``generate`` calls another object's ``generate``, protocols not counted.
- *maps by URI*: attributes of ``self`` indexed, asked or popped with an expression that ends in ``uri``. A map passed around
  under another name is missed.
- *names for two things*: public classes and modules (but ``__init__``) of one name; rows of one kind are not told apart.
- *import circles*: strongly connected modules, imports in functions and under TYPE_CHECKING included.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import io
import json
import os
import signal
import sys
import tempfile
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstral_ls.testing import gguf_files
from devstral_ls.testing.lsp_client import ROOT, start, stop

PACKAGE = "devstral_ls"
DEVELOPMENT = "devstral_ls.testing"
"""Not part of the product."""

TRACE = Path(__file__).parent / "structure_trace"
CODE = "import math\n\n\ndef area(radius):\n    return math.pi * radius ** 2\n\n\ndef volume(radius, height):\n    "
SETTINGS = """[model]
name = {model}
calibrate = "never"
contextTokens = 1024
[engine]
idleMinutes = 0.02
[inline]
debounceMs = 0
minConfidence = 0
latencyBudgetMs = 60000
"""
_NO_CODE = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
)


@dataclass(frozen=True, slots=True)
class Module:
    """One source file."""

    name: str
    source: str
    tree: ast.Module
    is_package: bool


def modules(root: Path) -> dict[str, Module]:
    """The modules of the product below ``root``, by dotted name."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not f"{name}.".startswith(f"{DEVELOPMENT}."):
            source = path.read_text(encoding="utf-8")
            found[name] = Module(name, source, ast.parse(source), parts[-1] == "__init__")
    return found


def code_lines(module: Module) -> int:
    """Lines with code: no docstring, no further line of a string, no comment, not blank."""
    strings: set[int] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            strings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.update(range(node.lineno + 1, (node.end_lineno or node.lineno) + 1))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(module.source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - strings)


def imports(module: Module, known: Mapping[str, Module]) -> set[str]:
    """The modules of the product that ``module`` imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.name.split(".")[: None if module.is_package and node.level == 1 else -node.level]
                base = ".".join(filter(None, [*package, base]))
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                found.add(whole if whole in known else base)
    return (found & known.keys()) - {module.name}


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of more than one module that import each other, the largest first (Tarjan)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in order:
                visit(other)
            if other in stack:
                low[name] = min(low[name], low[other])
        if low[name] == order[name]:
            at = stack.index(name)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for name in graph:
        if name not in order:
            visit(name)
    return sorted(found, key=len, reverse=True)


def twice(names: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Names that stand in more than one module."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for name, place in names:
        places[name].append(place)
    return {name: found for name, found in sorted(places.items()) if len(found) > 1}


def classes(known: Mapping[str, Module]) -> Iterator[tuple[str, str]]:
    """Public classes at the top level of their modules."""
    for module in known.values():
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, module.name


def uri_maps(known: Mapping[str, Module]) -> list[str]:
    """Attributes that are used as maps by URI, as ``module.Class.attribute``."""
    found: set[str] = set()
    for module in known.values():
        for owner in (node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)):
            found.update(f"{module.name}.{owner.name}.{name}" for node in ast.walk(owner) for name in _map_by_uri(node))
    return sorted(found)


def _map_by_uri(node: ast.AST) -> Iterator[str]:
    pairs: list[tuple[ast.expr, ast.expr]] = []
    if isinstance(node, ast.Subscript):
        pairs = [(node.value, node.slice)]
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        pairs = [(node.comparators[0], node.left)]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        pairs = [(node.func.value, node.args[0])] if node.func.attr in ("get", "pop", "setdefault") else []
    for owner, key in pairs:
        is_own = isinstance(owner, ast.Attribute) and isinstance(owner.value, ast.Name) and owner.value.id == "self"
        name = key.attr if isinstance(key, ast.Attribute) else key.id if isinstance(key, ast.Name) else ""
        if is_own and name.lower().endswith("uri"):
            yield owner.attr  # type: ignore[attr-defined]


def generate_wrappers(known: Mapping[str, Module]) -> list[str]:
    """Classes whose ``generate`` passes the request on to another object's, as ``module.Class``."""
    return [
        f"{module.name}.{owner.name}"
        for module in known.values()
        for owner in ast.walk(module.tree)
        if isinstance(owner, ast.ClassDef) and _passes_on(owner)
    ]


def _passes_on(owner: ast.ClassDef) -> bool:
    methods = {node.name: node for node in owner.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return "generate" in methods and any(
        isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "generate"
        and not (isinstance(call.func.value, ast.Name) and call.func.value.id == "self")
        for name in ("generate", "_generate") if name in methods
        for call in ast.walk(methods[name])
    )  # fmt: skip


async def traced(root: Path) -> tuple[dict[str, dict[str, Any]], str]:
    """The trace of each process of ``root`` for one cold request, by command line, and the request's reason and tokens."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        model = gguf_files.write_qwen_fim(folder / "model.gguf")
        (folder / "settings.toml").write_text(SETTINGS.format(model=json.dumps(str(model))), encoding="utf-8")
        paths = os.pathsep.join((str(TRACE), str(root)))
        pids: dict[int, str] = {}
        client = await start(folder, module=PACKAGE, cwd=root, PYTHONPATH=paths, DEVSTRAL_LS_TRACE=str(folder))
        try:
            await client.initialize()
            await client.status("ready")
            uri = client.open(CODE)
            await client.inline("file:///elsewhere.py", 0, 0)  # the lazy imports of a first request
            pids = _started(folder)
            _signal(pids, signal.SIGUSR1)
            await asyncio.sleep(0.5)
            await client.inline(uri, CODE.count("\n"), 4, kind=1)
            _signal(pids, signal.SIGUSR2)
            why = await client.request("workspace/executeCommand", {"command": "devstral.why", "arguments": [uri]})
            await asyncio.sleep(1.0)
            told = {text: json.loads((folder / f"{pid}.json").read_text()) for pid, text in pids.items()
                    if (folder / f"{pid}.json").exists()}  # fmt: skip
            await client.leave()
        finally:
            await stop(client)
            _signal(pids, signal.SIGTERM)
        return told, f"{why['reason']}, {why.get('tokens') or why.get('usage')}"


def _started(folder: Path) -> dict[int, str]:
    """The processes with the trace in them, and their command lines."""
    return {int(path.stem): path.read_text(encoding="utf-8") for path in folder.glob("*.started")}


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:  # a short-lived helper
            continue


def static_figures(root: Path) -> dict[str, Any]:
    """The figures from the syntax trees, by row of the table: a count, and the counted names."""
    known = modules(root)
    found = circles({name: imports(module, known) for name, module in known.items()})
    same_class = twice(classes(known))
    same_module = twice((name.rpartition(".")[2], name) for name, module in known.items() if not module.is_package)
    maps = uri_maps(known)
    wrappers = generate_wrappers(known)
    return {
        "modules": (len(known), []),
        "code lines": (sum(map(code_lines, known.values())), []),
        "generate() wrappers": (len(wrappers), wrappers),
        "maps by URI": (len(maps), maps),
        "import circles": (len(found), [f"{len(each)}: {' '.join(each)}" for each in found]),
        "classes of one name": (len(same_class), [f"{name}: {' '.join(at)}" for name, at in same_class.items()]),
        "modules of one name": (len(same_module), [f"{name}: {' '.join(at)}" for name, at in same_module.items()]),
    }


def traced_figures(root: Path) -> dict[str, Any]:
    """The figures from the trace of a request, by row of the table."""
    processes, reason = asyncio.run(traced(root))
    every = {name for process in processes.values() for name in process["modules"]}
    rows: dict[str, Any] = {"modules on the way of a cold ghost text": (len(every), [f"the request: {reason}"])}
    for command, process in processes.items():
        role = command.partition(" -m ")[2].split(" ")[0] or command
        names = sorted(str(Path(name).relative_to(root / PACKAGE)) for name in process["modules"])
        rows[f"... in {role}"] = (len(names), [" ".join(names)])
        rows[f"... calls in {role}"] = (dict(process["calls"]), [])
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, default=ROOT, help="a checkout; this one by default")
    parser.add_argument("--static", action="store_true", help="without the trace, which starts a server and an engine")
    parser.add_argument("--details", action="store_true", help="also list what was counted")
    options = parser.parse_args()
    root = options.root.resolve()
    rows = static_figures(root) | ({} if options.static else traced_figures(root))
    for name, (figure, details) in rows.items():
        print(f"{name:42} {figure}")
        for line in details if options.details else ():
            print(f"    {line}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
