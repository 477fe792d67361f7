"""IMPORTS: how each language imports other files, and where those may be. Nothing is opened here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True, slots=True)
class Import:
    """Something that a file imports from another."""

    name: str
    """Its name in the importing file; empty: everything that the other file defines."""
    original: str
    """Its name where it is defined; empty: the other file itself."""
    files: tuple[str, ...]
    """Absolute paths that may define it, best first; one that ends in ``/`` stands for all files of the language in it."""


@dataclass(frozen=True, slots=True)
class Importer:
    """The file that imports."""

    path: PurePath
    root: PurePath
    """The workspace folder it is in."""
    module: str = ""
    """For Go: the module's name in ``go.mod``, which is in ``root``."""

    def folders_up(self) -> Iterator[PurePath]:
        """The file's folder and those above it up to ``root``, nearest first."""
        folder = self.path.parent
        for _ in range(MAX_FOLDERS):
            yield folder
            if folder in (self.root, folder.parent):
                return
            folder = folder.parent


MAX_FOLDERS = 24
"""Folders visited from a file upwards."""

MAX_NAMES = 500
"""Names read from one statement."""

_NAMED = re.compile(r"(?:type\s+)?([\w$*]+)(?:\s+(?:as|:)\s+|\s*:\s*)?([\w$]+)?")


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """``a, b as c`` as ``(original, name)``."""
    for part in text.split(",")[:MAX_NAMES]:
        match = _NAMED.match(part.strip())
        if match:
            yield match[1], match[2] or match[1]


def _python(text: str, importer: Importer) -> Iterator[Import]:
    text = re.sub(r"#.*|[()\\]", "", text)
    match = re.match(r"\s*from\s+(\.*)\s*([\w.]*)\s+import\s+(.*)", text, re.DOTALL)
    if match:
        dots, module, names = match.groups()
        bases = _python_bases(importer, len(dots))
        parts = [part for part in module.split(".") if part]
        for original, name in _pairs(names):
            within = [base.joinpath(*parts) for base in bases]
            yield Import(name, original, tuple(file for path in within for file in _python_module(path, bool(parts))))
            yield Import(name, "", tuple(file for path in within for file in _python_module(path / original, True)))
        return
    match = re.match(r"\s*import\s+(.*)", text, re.DOTALL)
    for module, name in _dotted(match[1]) if match else ():
        files = (
            f for base in _python_bases(importer, 0) for f in _python_module(base.joinpath(*module.split(".")), True)
        )
        yield Import(name, "", tuple(files))


def _dotted(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(",")[:MAX_NAMES]:
        match = re.match(r"\s*([\w.]+)(?:\s+as\s+(\w+))?", part)
        if match:
            yield match[1], match[2] or match[1].split(".")[0]


def _python_bases(importer: Importer, n_dots: int) -> list[PurePath]:
    if n_dots:
        folders = list(importer.folders_up())
        return folders[n_dots - 1 : n_dots]
    return [*importer.folders_up(), importer.root / "src", importer.root / "lib"]


def _python_module(path: PurePath, is_named: bool) -> Iterator[str]:
    if is_named:
        yield f"{path}.py"
    yield str(path / "__init__.py")


_JS_ENDINGS = (".ts", ".tsx", ".js", ".jsx", ".d.ts", ".mjs", ".mts", ".cjs", ".vue", ".svelte")


def _javascript(text: str, importer: Importer) -> Iterator[Import]:
    match = re.search(r"""(?:from\s*|require\(\s*|import\s*\(?\s*)["']([^"'\n]{1,300})["']""", text)
    if not match:
        return
    files = tuple(_javascript_files(match[1], importer))
    if not files:
        return
    before = re.sub(r"^\s*(?:import|export|const|let|var)\s+(?:type\s+)?|\s*(?:from|=)\s*$", "", text[: match.start()])
    for braces in re.findall(r"\{([^}]*)\}", before):
        for original, name in _pairs(braces):
            yield Import(name, original, files)
    rest = re.sub(r"\{[^}]*\}", "", before)
    for part in rest.split(","):
        namespace = re.search(r"\*\s*as\s+([\w$]+)", part)
        default = re.fullmatch(r"\s*([\w$]+)\s*", part.replace("=", ""))
        if namespace:
            yield Import(namespace[1], "", files)
        elif default:
            yield Import(default[1], default[1], files)
            yield Import(default[1], "", files)
        elif part.strip().startswith("*"):
            yield Import("", "", files)


def _javascript_files(module: str, importer: Importer) -> Iterator[str]:
    if module.startswith("."):
        bases = [importer.path.parent / module]
    elif module.startswith(("@/", "~/")):
        bases = [folder / "src" / module[2:] for folder in importer.folders_up()] + [importer.root / module[2:]]
    else:
        return
    for base in bases:
        plain = re.sub(r"\.[mc]?jsx?$", "", str(base))
        if str(base).endswith(_JS_ENDINGS):
            yield str(base)
        yield from (plain + ending for ending in _JS_ENDINGS)
        yield from (f"{plain}/index{ending}" for ending in _JS_ENDINGS[:4])


def _go(text: str, importer: Importer) -> Iterator[Import]:
    """The imported packages, and the file's own package, which needs no import."""
    if re.match(r"\s*package\b", text):
        yield Import("", "", (f"{importer.path.parent}/",))
    for name, module in re.findall(r"""(?:([\w.]+)\s+)?["`]([^"`\n]{1,300})["`]""", text)[:MAX_NAMES]:
        if importer.module and (module + "/").startswith(importer.module + "/"):
            folder = importer.root / module[len(importer.module) :].strip("/")
            name = module.rpartition("/")[2] if name in ("", "import") else name
            yield Import("" if name == "." else name, "", (f"{folder}/",))


def _rust(text: str, importer: Importer) -> Iterator[Import]:
    folder, stem = importer.path.parent, importer.path.stem
    own = folder if stem in ("mod", "lib", "main") else folder / stem
    match = re.match(r"\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)\s*;", text)
    if match:
        yield Import(match[1], "", tuple(_rust_module(own / match[1])))
        return
    match = re.match(r"\s*(?:pub(?:\([^)]*\))?\s+)?use\s+(.*)", text.rstrip().rstrip(";"), re.DOTALL)
    for parts, name in _rust_paths(match[1]) if match else ():
        base = _rust_base(parts, importer, own)
        if base is None:
            continue
        start, rest = base
        if rest:
            *modules, original = rest
            within = start.joinpath(*modules)
            yield Import(name, original, tuple(_rust_module(within)))
            yield Import(name, "", tuple(_rust_module(within / original)))


def _rust_base(parts: list[str], importer: Importer, own: PurePath) -> tuple[PurePath, list[str]] | None:
    head, *rest = parts
    if head == "self":
        return own, rest
    if head == "super":
        up = own.parent
        while rest[:1] == ["super"]:
            up, rest = up.parent, rest[1:]
        return up, rest
    source = next((f for f in importer.folders_up() if f.name == "src"), None)
    # In tests and binaries the library crate is imported by name, which means the same as `crate` if it is the only one.
    if source is not None:
        return (source, rest) if head == "crate" else None
    return importer.root / "src", rest


def _rust_paths(text: str) -> Iterator[tuple[list[str], str]]:
    match = re.match(r"\s*([\w:\s]*?)(?:::)?\{([^{}]*)\}", text)
    heads, tails = (match[1].strip(), match[2].split(",")) if match else ("", [text])
    for tail in tails[:MAX_NAMES]:
        path, _, alias = re.sub(r"\s+", " ", tail.strip()).partition(" as ")
        parts = [part.strip() for part in f"{heads}::{path}".split("::") if part.strip()]
        if len(parts) > 1 and all(re.fullmatch(r"\w+", part) for part in parts):
            yield parts, alias or parts[-1]


def _rust_module(path: PurePath) -> Iterator[str]:
    yield f"{path}.rs"
    yield str(path / "mod.rs")
    if path.name == "src":
        yield from (str(path / "lib.rs"), str(path / "main.rs"))


def _java(text: str, importer: Importer) -> Iterator[Import]:
    match = re.match(r"\s*package\s+([\w.]+)", text)
    if match:
        yield Import("", "", (f"{importer.path.parent}/",))
        return
    match = re.match(r"\s*import\s+(static\s+)?([\w.]+)", text)
    if not match:
        return
    parts = match[2].split(".")
    if match[1]:
        *parts, member = parts
        name, original = member, member
    else:
        name = original = parts[-1]
    bases = [*importer.folders_up(), importer.root / "src/main/java", importer.root / "src"]
    ending = importer.path.suffix
    yield Import(name, original, tuple(f"{base.joinpath(*parts)}{ending}" for base in bases))


def _include(text: str, importer: Importer) -> Iterator[Import]:
    match = re.match(r"""\s*#\s*include\s+["<]([^">\n]{1,300})[">]""", text)
    if match:
        bases = [*importer.folders_up(), importer.root / "include", importer.root / "src"]
        yield Import("", "", tuple(str(base / match[1]) for base in bases))


def _ruby(text: str, importer: Importer) -> Iterator[Import]:
    match = re.match(r"""\s*(require|require_relative|load)\b\s*\(?\s*["']([^"'\n]{1,300})["']""", text)
    if match:
        near = [importer.path.parent] if match[1] == "require_relative" else [importer.root / "lib", importer.root]
        yield Import("", "", tuple(f"{base / match[2].removesuffix('.rb')}.rb" for base in near))


IMPORTS: Mapping[str, Callable[[str, Importer], Iterator[Import]]] = {
    "python": _python,
    "javascript": _javascript,
    "typescript": _javascript,
    "go": _go,
    "rust": _rust,
    "java": _java,
    "c": _include,
    "cpp": _include,
    "ruby": _ruby,
}
"""By queries folder: a function that returns what a statement imports."""


def imports_of(queries: str, statements: tuple[str, ...], importer: Importer) -> tuple[Import, ...]:
    """What the import statements of a file import from other files of the workspace. Never raises."""
    rule = IMPORTS.get(queries)
    if rule is None:
        return ()
    imports = (imported for text in statements for imported in rule(text[:8_000], importer))
    return tuple(imported for imported in imports if imported.files)
