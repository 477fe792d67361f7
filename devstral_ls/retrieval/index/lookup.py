"""Finds the definition of a name in other files: by import statements, by the package, by the name table."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from devstral_ls.code_context import Definition
from devstral_ls.languages.language import Language
from devstral_ls.languages.table import language_of
from devstral_ls.retrieval.index.imports import Import, imports_of
from devstral_ls.retrieval.index.library import Library
from devstral_ls.retrieval.index.names import NameTable

MAX_NAMES = 64
"""Names in one query."""

MAX_HOPS = 3
"""Re-exporting files that are followed."""

MAX_ALIKE = 6
"""Files that may define a name; with more of them it is unknown which one is meant."""

MAX_FILES = 200
"""Files searched for or read in one query."""


class Lookup:
    """One query for one file, bounded by ``MAX_FILES``."""

    def __init__(self, library: Library, names: NameTable, path: str, language: Language) -> None:
        """``path`` is the file that uses the names, without symbolic links."""
        self._library = library
        self._names = names
        self._path = path
        self._language = language
        self._left = MAX_FILES

    def find(self, names: Sequence[str], statements: Sequence[str]) -> Iterator[tuple[str, str, Definition]]:
        """Source (``imports`` or ``names``), name as given and definition of each name found.

        ``a.b`` stands for ``b`` of the module or class ``a``; ``statements`` are the file's import statements.
        """
        imports = self._imports(self._path, self._language, statements)
        for name in names[:MAX_NAMES]:
            head, _, member = name.partition(".")
            definition = self._imported(head, member, imports, MAX_HOPS)
            if definition is not None:
                yield "imports", name, definition
            elif not member and (definition := self._by_name(name)) is not None:
                yield "names", name, definition

    def _imports(self, path: str, language: Language, statements: Sequence[str]) -> tuple[Import, ...]:
        importer = self._library.importer(path, language)
        return imports_of(language.queries, tuple(statements), importer) if importer else ()

    def _imported(self, name: str, member: str, imports: Sequence[Import], hops: int) -> Definition | None:
        for imported in imports:
            if imported.name == name:
                wanted, inside = (imported.original, member) if imported.original else (member, "")
                definition = self._in_files(imported, wanted, inside, hops) if wanted else None
                if definition is not None:
                    return definition
        for imported in imports:
            if imported.name == "":
                definition = self._in_files(imported, imported.original or name, member, hops)
                if definition is not None:
                    return definition
        return None

    def _in_files(self, imported: Import, name: str, member: str, hops: int) -> Definition | None:
        for file in imported.files:
            for path in self._library.files_in(file, self._language) if file.endswith("/") else (file,):
                if path == self._path or self._left <= 0 or not os.path.isfile(path):
                    continue
                self._left -= 1
                definition = self._in_file(os.path.realpath(path), name, member, hops)
                if definition is not None:
                    return definition
        return None

    def _in_file(self, path: str, name: str, member: str, hops: int) -> Definition | None:
        outline = self._library.outline(path)
        top = [d for d in outline.definitions if d.name == name and not d.container]
        if top and member:
            return next((d for d in outline.definitions if d.name == member and d.container == name), top[0])
        if top:
            return _fullest(top)
        if hops <= 0 or not outline.imports:
            return None
        # The file may only re-export the name: `from .x import name`, `export * from "./x"`.
        reexports = self._imports(path, language_of("", path), outline.imports)
        return self._imported(name, member, [one for one in reexports if one.original or not one.name], hops - 1)

    def _by_name(self, name: str) -> Definition | None:
        """The definition in the nearest file of the name table; ``None`` where the table has more than ``MAX_ALIKE`` files."""
        files = self._names.files_with(name, MAX_ALIKE + 1)
        candidates = [f for f in files if f != self._path and language_of("", f).queries == self._language.queries]
        if len(files) > MAX_ALIKE:
            return None
        for file in sorted(candidates, key=lambda f: (-_nearness(f, self._path), f)):
            top = [d for d in self._library.outline(file).definitions if d.name == name and not d.container]
            if top:
                return _fullest(top)
        return None


def _fullest(definitions: Sequence[Definition]) -> Definition:
    """Of definitions with one name (overloads, a struct and its impl) the class with the longest signature, else the first."""
    classes = [definition for definition in definitions if definition.kind == "class"]
    return max(classes, key=lambda definition: len(definition.signature)) if classes else definitions[0]


def _nearness(a: str, b: str) -> int:
    """The number of folders that two paths share."""
    return len(os.path.commonpath([os.path.dirname(a), os.path.dirname(b)]).split(os.sep))


_TEST_MARKS = ("test_", "tests_", "_test", "_tests", "_spec", "test", "tests", "spec")
"""Prefixes and suffixes of the names of test files, in lower case; longer ones first."""


def counterpart(library: Library, names: NameTable, path: str) -> tuple[Definition, ...]:
    """The top-level definitions of the subject of the test at ``path``, or of the test whose subject is ``path``."""
    stem = os.path.basename(path).split(".")[0].lower()
    dotted = os.path.basename(path).lower().split(".")[1:-1]
    subject = _subject(stem)
    stems = [subject] if subject else [stem] if {"test", "spec"} & set(dotted) else [
        f"test_{stem}", f"{stem}_test", f"{stem}test", f"{stem}tests", f"{stem}_spec", stem,
    ]  # fmt: skip
    language = language_of("", path)
    is_test = is_test_file(path)
    files = {file for name in stems for file in names.files_called(name, 20)} - {path}
    candidates = [f for f in files if language_of("", f).queries == language.queries and is_test_file(f) is not is_test]
    for file in sorted(candidates, key=lambda f: (-_nearness(f, path), f))[:1]:
        return tuple(definition for definition in library.outline(file).definitions if not definition.container)
    return ()


def _subject(stem: str) -> str:
    for mark in _TEST_MARKS:
        if stem.startswith(mark) and mark.endswith("_") and len(stem) > len(mark):
            return stem.removeprefix(mark)
        if stem.endswith(mark) and not mark.endswith("_") and len(stem) > len(mark):
            return stem.removesuffix(mark)
    return ""


def is_test_file(path: str) -> bool:
    """True when the file has the name of a test."""
    stem, *dotted = os.path.basename(path).lower().split(".")
    return bool(_subject(stem)) or not {"test", "spec"}.isdisjoint(dotted)
