"""The definitions of a whole file as values: names, signatures, first lines of descriptions, places."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice, takewhile

import tree_sitter

from devstral_ls.code_context import Definition, Kind
from devstral_ls.languages.grammars import loaded
from devstral_ls.languages.language import Language
from devstral_ls.languages.scopes.definitions import Definition as Found
from devstral_ls.languages.scopes.definitions import everywhere, imports
from devstral_ls.languages.syntax.parsing import parse

MAX_NODES = 30_000
"""Nodes looked at in one file: about 10,000 lines of ordinary code, at some 2 microseconds a node."""

MAX_DEFINITIONS = 2_000
"""Of one file."""

MAX_SIGNATURE = 300
"""Characters; what is longer is cut."""

MAX_IMPORT = 4_000
"""Characters of one import statement; what is longer is cut."""

MAX_CLASS = 1_200
"""Characters of a class with what it holds."""

_WHOLE = 400
"""A class up to so many characters without functions, such as a record or an enum, is shown as it is."""

_DECORATORS = 200
"""Characters of decorators that are shown with a definition."""

_VALUES: Mapping[str, Mapping[str, str]] = {
    "python": {"assignment": "left"},
    "javascript": {"variable_declarator": "name"},
    "typescript": {
        "variable_declarator": "name",
        "type_alias_declaration": "name",
        "function_signature": "name",
        "method_signature": "name",
        "abstract_method_signature": "name",
        "property_signature": "name",
        "public_field_definition": "name",
    },
    "go": {"type_spec": "name", "type_alias": "name", "const_spec": "name", "var_spec": "name"},
    "rust": {
        "type_item": "name",
        "const_item": "name",
        "static_item": "name",
        "function_signature_item": "name",
        "macro_definition": "name",
    },
    "java": {"variable_declarator": "name"},
    "c": {"preproc_def": "name", "preproc_function_def": "name", "type_definition": "declarator"},
    "cpp": {"preproc_def": "name", "preproc_function_def": "name", "type_definition": "declarator"},
    "csharp": {"property_declaration": "name"},
    "ruby": {"assignment": "left"},
    "php": {"const_element": "name"},
}
"""By the folder of the queries: the node types that name something which is no function and no class, and the field
that has the name."""

_NAME = re.compile(rb"[^\W\d][\w$]*\Z")


@dataclass(frozen=True, slots=True)
class Outline:
    """A file as others see it."""

    definitions: tuple[Definition, ...] = ()
    """In the order of the text; what is inside functions is left out."""
    imports: tuple[str, ...] = ()
    """The import statements, whole."""


@dataclass(frozen=True, slots=True)
class _One:
    name: str
    kind: Kind
    start: int
    end: int
    header: tuple[int, int]


def outline(language: Language, data: bytes, path: str, seconds: float) -> Outline:
    """What ``data``, UTF-8 text of the file at ``path``, defines and imports.

    Empty without a grammar, and where parsing takes longer than ``seconds``. Never raises.
    """
    grammar = loaded(language)
    tree = parse(grammar.language, data, None, seconds) if grammar else None
    if grammar is None or tree is None:
        return Outline()
    values = _VALUES.get(language.queries, {})
    found = everywhere(tree, grammar, values, MAX_NODES)
    ones = [one for definition in found.definitions if (one := _definition(definition, data))]
    known = {one.start for one in ones}
    ones += [one for node in found.values if (one := _value(node, values[node.type], data)) and one.start not in known]
    ones.sort(key=lambda one: (one.start, -one.end))
    calls = [call.encode() for call in language.import_calls]
    statements = sorted((node.start_byte, node.end_byte) for node in imports(tree, grammar, data, calls))
    texts = (_text(data, start, min(end, start + MAX_IMPORT)) for start, end in statements)
    return Outline(_with_containers(ones[:MAX_DEFINITIONS], language, data, path), tuple(texts))


def _definition(found: Found, data: bytes) -> _One | None:
    if found.name is None:
        return None
    inner, outer = found.inner.start_byte, found.outer.start_byte
    start = _line_start(data, outer if inner - outer <= _DECORATORS else inner)
    name = data[found.name.start_byte : found.name.end_byte].decode("utf-8", "replace")
    return _One(name, found.kind, start, found.outer.end_byte, (start, found.header_end(data)))


def _value(node: tree_sitter.Node, field: str, data: bytes) -> _One | None:
    name = node.child_by_field_name(field)
    if name is None or name.end_byte - name.start_byte > 100:
        return None
    text = data[name.start_byte : name.end_byte]
    if not _NAME.match(text):
        return None
    start = _line_start(data, node.start_byte)
    line_end = data.find(b"\n", node.start_byte, node.end_byte)
    end = node.end_byte if line_end < 0 else line_end
    return _One(text.decode("utf-8", "replace"), "value", start, node.end_byte, (start, end))


def _with_containers(ones: list[_One], language: Language, data: bytes, path: str) -> tuple[Definition, ...]:
    made: list[Definition] = []
    open_ones: list[_One] = []
    row, counted = 0, 0
    for number, one in enumerate(ones):
        while open_ones and open_ones[-1].end <= one.start:
            open_ones.pop()
        row, counted = row + data.count(b"\n", counted, one.start), max(one.start, counted)
        inside = open_ones[-1] if open_ones else None
        held = takewhile(lambda other, end=one.end: other.start < end, islice(ones, number + 1, None))  # type: ignore[misc]
        signature = _signature(one, list(held) if one.kind == "class" else [], data)
        container = inside.name if inside and inside.kind == "class" else ""
        n_lines = data.count(b"\n", one.start, one.end) + 1
        made.append(Definition(one.name, one.kind, signature, _doc(one, language, data), path, row, container, n_lines))
        if one.kind == "class":
            open_ones.append(one)
    return tuple(made)


def _signature(one: _One, held: list[_One], data: bytes) -> str:
    header = _text(data, *one.header)[:MAX_SIGNATURE]
    if one.kind != "class":
        return header if one.kind == "value" else _elided(header)
    if one.end - one.start <= _WHOLE and not any(o.kind == "function" for o in held):
        return _text(data, one.start, one.end)
    lines = [header]
    room = MAX_CLASS - len(header)
    for inner in held:
        text = "    " + " ".join(_text(data, *inner.header)[:MAX_SIGNATURE].split())
        text = text if inner.kind == "value" else _elided(text)
        room -= len(text) + 1
        if room < 0:
            break
        lines.append(text)
    return "\n".join(lines)


def _elided(header: str) -> str:
    """A header with a sign that the body is left out."""
    return f"{header} ... }}" if header.endswith("{") else f"{header} ..." if header.endswith(":") else header


def _doc(one: _One, language: Language, data: bytes) -> str:
    """The first line of the description: in the body for Python, else in the comment above."""
    if language.offside and one.kind != "value":
        body = data[one.header[1] : one.header[1] + 400].lstrip()
        match = re.match(rb'[rRuU]?("""|\'\'\'|")\s*([^\n"\']{1,160})', body)
        return match[2].decode("utf-8", "replace").strip() if match else ""
    above = data[max(0, one.start - 1_000) : one.start].decode("utf-8", "replace").rstrip().split("\n")
    block: list[str] = []
    marks = tuple(mark for mark in (*language.doc_comments, language.line_comment, "*", "@", "#[") if mark)
    for line in reversed(above):
        if not line.strip().startswith(marks):
            break
        block.append(line.strip())
    words = [line.strip("/*#!- \t") for line in reversed(block) if not line.startswith(("@", "#["))]
    return next((line for line in words if line), "")[:160]


def _line_start(data: bytes, at: int) -> int:
    """The first word of the line, so that ``export`` and ``pub`` are told; ``at`` where other code stands before."""
    start = data.rfind(b"\n", max(0, at - 200), at) + 1
    before = data[start:at]
    if start == 0 and at > 200:
        return at
    if re.search(rb"[^\w\s@():,*&<>]", before):
        return at
    return start + len(before) - len(before.lstrip())


def _text(data: bytes, start: int, end: int) -> str:
    return data[start:end].decode("utf-8", "replace").rstrip()
