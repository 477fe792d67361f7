"""Definitions like the one around a cursor, in other files of its package: the same method of another class, or a class
that names what its own class names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from devstral_ls.code_context import Definition, Surroundings
from devstral_ls.languages.table import language_of
from devstral_ls.retrieval.index.library import Library
from devstral_ls.retrieval.index.lookup import MAX_ALIKE, is_test_file
from devstral_ls.retrieval.index.names import Names

MAX_FILES = 24
"""Looked into for one question; each may have to be parsed."""

MAX_FOUND = 2
"""One is an example; the second says what differs."""

MAX_LINES, MAX_CHARACTERS = 24, 700
"""Of one: a longer method is no example but another topic."""

_WORD = re.compile(r"[^\W\d]\w*")

_KEYWORDS = frozenset(
    [
        "abstract",
        "class",
        "data",
        "enum",
        "export",
        "extends",
        "final",
        "fn",
        "for",
        "fun",
        "impl",
        "implements",
        "interface",
        "internal",
        "object",
        "open",
        "private",
        "protected",
        "pub",
        "public",
        "sealed",
        "static",
        "struct",
        "template",
        "trait",
        "type",
        "typename",
        "where",
        "default",
        "metaclass",
        "str",
        "int",
    ]
)
"""Words of headers that are not names of anything that siblings share."""


def siblings(library: Library, names: Names, path: str, like: Surroundings) -> Iterator[tuple[str, str]]:
    """Path and text of each, the nearest by name first.

    A method's siblings are methods of the same name, of classes that share a name of the header where ``like`` has any;
    a class without the method yet has classes that share one, as their signatures.
    """
    shared = _names(like.header) - {like.container}
    files = _files(library, names, path, like.name)
    if not shared and len(files) > MAX_ALIKE:
        return
    n_found = 0
    for file in files:
        found = _in_file(library, file, like, shared)
        if found:
            yield file, found
            n_found += 1
        if n_found == MAX_FOUND:
            return


def _files(library: Library, names: Names, path: str, name: str) -> list[str]:
    """The files of the cursor's folder that define ``name``, or all of its language there."""
    folder, language = os.path.dirname(path), language_of("", path)
    if name:
        candidates = [one for one in names.files_with(name, 200) if os.path.dirname(one) == folder]
    else:
        candidates = list(library.files_in(folder, language))
    alike = [
        one
        for one in set(candidates) - {path}
        if language_of("", one).queries == language.queries and is_test_file(one) == is_test_file(path)
    ]
    return sorted(alike, key=lambda one: (-_alike(one, path), one))[:MAX_FILES]


def _in_file(library: Library, file: str, like: Surroundings, shared: set[str]) -> str:
    definitions = library.outline(file).definitions
    classes = {
        one.name: one
        for one in definitions
        if one.kind == "class" and (not shared or shared & (_names(_header(one)) - {one.name}))
    }
    if not like.name:
        return next((one.signature for one in classes.values() if shared), "")
    for one in definitions:
        if one.name == like.name and one.kind == "function" and one.container in classes:
            return _text(library, one, _header(classes[one.container]))
    return ""


def _text(library: Library, one: Definition, header: str) -> str:
    text = library.lines(one.path, one.line, min(one.n_lines, MAX_LINES))
    if len(text) > MAX_CHARACTERS:
        text = text[: text.rfind("\n", 0, MAX_CHARACTERS) + 1].rstrip()
    return text and f"{header}\n{text}"


def _header(one: Definition) -> str:
    """The line that names the class: there may be decorators above it."""
    lines = one.signature.split("\n")
    return next((line for line in lines if re.search(rf"\b{re.escape(one.name)}\b", line)), lines[0]).removesuffix(
        " ..."
    )


def _names(header: str) -> set[str]:
    return set(_WORD.findall(header)) - _KEYWORDS


def _alike(one: str, other: str) -> int:
    """Words that two file names have in common."""
    first, second = (set(re.findall(r"[a-z]+", os.path.basename(path).lower())) for path in (one, other))
    return len(first & second)
