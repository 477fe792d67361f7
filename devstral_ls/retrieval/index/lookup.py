"""From a name in a file to its definition in another: through imports, through the package, through the table."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from devstral_ls.code_context import Definition
from devstral_ls.languages.language import Language
from devstral_ls.languages.table import language_of
from devstral_ls.retrieval.index.imports import Import, imports_of
from devstral_ls.retrieval.index.library import Library
from devstral_ls.retrieval.index.names import Names

MAX_NAMES = 64
"""Asked for at once."""

MAX_HOPS = 3
"""Files that only pass a name on, followed."""

MAX_ALIKE = 6
"""Files that define the same name: with more of them it says nothing which is meant."""

MAX_FILES = 200
"""Looked for or into, for one question."""


class Lookup:
    """One question of one file. The work is bounded by ``MAX_FILES``."""

    def __init__(self, library: Library, names: Names, path: str, language: Language) -> None:
        """``path`` is the importing file, without symbolic links."""
        self._library = library
        self._names = names
        self._path = path
        self._language = language
        self._left = MAX_FILES

    def find(self, names: Sequence[str], statements: Sequence[str]) -> Iterator[tuple[str, str, Definition]]:
        """Source (``imports`` or ``names``), name as asked for, definition. ``a.b`` asks for ``b`` of what ``a`` is."""
        imports = self._imports(self._path, self._language, statements)
        for name in names[:MAX_NAMES]:
            head, _, member = name.partition(".")
            found = self._imported(head, member, imports, MAX_HOPS)
            if found is not None:
                yield "imports", name, found
            elif not member and (found := self._by_name(name)) is not None:
                yield "names", name, found

    def _imports(self, path: str, language: Language, statements: Sequence[str]) -> tuple[Import, ...]:
        importer = self._library.importer(path, language)
        return imports_of(language.queries, tuple(statements), importer) if importer else ()

    def _imported(self, name: str, member: str, imports: Sequence[Import], hops: int) -> Definition | None:
        for one in imports:
            if one.name == name:
                wanted, inside = (one.original, member) if one.original else (member, "")
                found = self._in_files(one, wanted, inside, hops) if wanted else None
                if found is not None:
                    return found
        for one in imports:
            if one.name == "":
                found = self._in_files(one, one.original or name, member, hops)
                if found is not None:
                    return found
        return None

    def _in_files(self, one: Import, name: str, member: str, hops: int) -> Definition | None:
        for file in one.files:
            for path in self._library.files_in(file, self._language) if file.endswith("/") else (file,):
                if path == self._path or self._left <= 0 or not os.path.isfile(path):
                    continue
                self._left -= 1
                found = self._in_file(os.path.realpath(path), name, member, hops)
                if found is not None:
                    return found
        return None

    def _in_file(self, path: str, name: str, member: str, hops: int) -> Definition | None:
        outline = self._library.outline(path)
        top = [one for one in outline.definitions if one.name == name and not one.container]
        if top and member:
            return next((d for d in outline.definitions if d.name == member and d.container == name), top[0])
        if top:
            return _fullest(top)
        if hops <= 0 or not outline.imports:
            return None
        # It may only pass the name on: `from .x import name`, `export * from "./x"`.
        passed_on = self._imports(path, language_of("", path), outline.imports)
        return self._imported(name, member, [one for one in passed_on if one.original or not one.name], hops - 1)

    def _by_name(self, name: str) -> Definition | None:
        """Where the table has few files for it, the definition in the nearest."""
        files = self._names.files_with(name, MAX_ALIKE + 1)
        alike = [f for f in files if f != self._path and language_of("", f).queries == self._language.queries]
        if len(files) > MAX_ALIKE:
            return None
        for file in sorted(alike, key=lambda f: (-_nearness(f, self._path), f)):
            found = [one for one in self._library.outline(file).definitions if one.name == name and not one.container]
            if found:
                return _fullest(found)
        return None


def _fullest(found: Sequence[Definition]) -> Definition:
    """Of several with one name (overloads, a struct and its impl) the class with the longest signature, else the first."""
    classes = [one for one in found if one.kind == "class"]
    return max(classes, key=lambda one: len(one.signature)) if classes else found[0]


def _nearness(a: str, b: str) -> int:
    """Folders that two paths have in common."""
    return len(os.path.commonpath([os.path.dirname(a), os.path.dirname(b)]).split(os.sep))


_TEST_MARKS = ("test_", "tests_", "_test", "_tests", "_spec", "test", "tests", "spec")
"""What makes a file's name that of a test, in lower case; the longer ones first."""


def counterpart(library: Library, names: Names, path: str) -> tuple[Definition, ...]:
    """The top-level definitions of the file that the test at ``path`` tests, or of the test of ``path``."""
    stem = os.path.basename(path).split(".")[0].lower()
    dotted = os.path.basename(path).lower().split(".")[1:-1]
    subject = _subject(stem)
    stems = [subject] if subject else [stem] if {"test", "spec"} & set(dotted) else [
        f"test_{stem}", f"{stem}_test", f"{stem}test", f"{stem}tests", f"{stem}_spec", stem,
    ]  # fmt: skip
    language = language_of("", path)
    is_test = is_test_file(path)
    files = {file for one in stems for file in names.files_called(one, 20)} - {path}
    alike = [f for f in files if language_of("", f).queries == language.queries and is_test_file(f) is not is_test]
    for file in sorted(alike, key=lambda f: (-_nearness(f, path), f))[:1]:
        return tuple(one for one in library.outline(file).definitions if not one.container)
    return ()


def _subject(stem: str) -> str:
    for mark in _TEST_MARKS:
        if stem.startswith(mark) and mark.endswith("_") and len(stem) > len(mark):
            return stem.removeprefix(mark)
        if stem.endswith(mark) and not mark.endswith("_") and len(stem) > len(mark):
            return stem.removesuffix(mark)
    return ""


def is_test_file(path: str) -> bool:
    """Does the file's name say that it is a test?"""
    stem, *dotted = os.path.basename(path).lower().split(".")
    return bool(_subject(stem)) or not {"test", "spec"}.isdisjoint(dotted)
