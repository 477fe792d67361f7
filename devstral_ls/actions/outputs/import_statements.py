"""The imports that a model writes in front of its code: which of them are new, and where these go in the document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from devstral_ls.languages.language import Language
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.text import Edit, Span

_BRACKETS = re.compile(r"[({](.*?)[)}]", re.DOTALL)
_PYTHON_FROM = re.compile(r"(from\s+\S+\s+import)\s+(.*)", re.DOTALL)
_PLAIN = re.compile(r"(import)\s+(?!.*\bfrom\b)(.*)", re.DOTALL)
_NAME = re.compile(r"[^\W\d]\w*")
_KEYWORDS = frozenset({"import", "from", "as", "const", "let", "var", "require", "static", "type", "package"})
_BY_NAME = frozenset({"python", "javascript", "typescript", "java", "go"})
"""Queries folders of languages where code names what it uses of an import; elsewhere an import may work unseen."""

_HEAD_NODES = frozenset({"hash_bang_line", "php_tag", "inner_attribute_item"})
"""Nodes at the beginning of a file, beside comments, in front of which no import can stand."""


def leading_imports(syntax: Syntax | None) -> tuple[tuple[Span, ...], int]:
    """The import statements in front of all other code, and where the lines behind them begin."""
    if syntax is None:
        return (), 0
    text = syntax.snapshot.text
    found: list[Span] = []
    end = 0
    for span in syntax.imports:
        if _has_code(syntax, text[end : span.start]):
            break
        found.append(span)
        end = text.find("\n", span.end) + 1 or len(text)
    return tuple(found), end


def missing_imports(statements: Sequence[str], syntax: Syntax | None) -> tuple[str, ...]:
    """Those of ``statements`` that import a name which the document of ``syntax`` does not import."""
    if syntax is None:
        return tuple(statements)
    present: dict[str, set[str]] = {}
    for span in syntax.imports:
        head, names = _parts(syntax.snapshot.of(span))
        present.setdefault(head, set()).update(names)
    missing = []
    for statement in statements:
        head, names = _parts(statement)
        if not statement.startswith("package ") and (head not in present or not names <= present[head]):
            missing.append(statement)
    return tuple(dict.fromkeys(missing))


def used_imports(statements: Sequence[str], code: str, language: Language) -> tuple[str, ...]:
    """Those of ``statements`` with a name that ``code`` uses; all in languages where an import may work unseen."""
    if language.queries not in _BY_NAME:
        return tuple(statements)
    words = set(_NAME.findall(code)) - _KEYWORDS
    return tuple(one for one in statements if "*" in one or words & set(_NAME.findall(one)))


def imports_edit(statements: Sequence[str], syntax: Syntax, before: int) -> Edit:
    """The edit that puts ``statements`` where the document has its imports, or its first code; never behind ``before``."""
    text = syntax.snapshot.text
    line_end = "\r\n" if "\r\n" in text else "\n"
    written = line_end.join(statements)
    own = [span for span in _first_group(syntax) if span.end <= before]
    if own:
        gap = line_end if not text.startswith("package", own[-1].start) else line_end * 2
        return Edit(Span(own[-1].end, own[-1].end), gap + written)
    at = min(_end_of_head(syntax), before)
    if text[:at].strip():
        return Edit(Span(at, at), line_end * 2 + written)
    gap = line_end * (3 if syntax.language.queries == "python" else 2)
    return Edit(Span(at, at), written + gap)


def _parts(statement: str) -> tuple[str, set[str]]:
    """What is imported from, and the names: ``from a import b, c`` and ``import {b, c} from "a"`` have two of them."""
    text = statement.strip().rstrip(";")
    for pattern in (_PYTHON_FROM, _PLAIN):
        if match := pattern.fullmatch(text):
            names = match[2].strip("() \n")
            return " ".join(match[1].split()), {" ".join(name.split()) for name in re.split(r"[,\n;]", names)} - {""}
    names = {" ".join(name.split()) for match in _BRACKETS.finditer(text) for name in match[1].split(",")} - {""}
    return " ".join(_BRACKETS.sub("{}", text).split()), names


def _first_group(syntax: Syntax) -> Iterator[Span]:
    """The imports at the beginning of lines, up to the first code after one of them."""
    text = syntax.snapshot.text
    end: int | None = None
    for span in syntax.imports:
        if span.start != text.rfind("\n", 0, span.start) + 1:
            continue
        if end is not None and _has_code(syntax, text[end : span.start]):
            return
        yield span
        end = span.end


def _end_of_head(syntax: Syntax) -> int:
    """The end of a file's head: comments with a blank line below, a docstring, a directive. Code begins behind it."""
    text, end = syntax.snapshot.text, 0
    for node in syntax.tree.root_node.children:
        span = syntax.span(node.start_byte, node.end_byte)
        is_string = node.type == "expression_statement" and node.child_count > 0 and node.children[0].type == "string"
        is_apart = text[span.end :].startswith(("\n\n", "\r\n\r\n")) or text.startswith("#!", span.start)
        if not (is_string or node.type in _HEAD_NODES or ("comment" in node.type and is_apart)):
            break
        end = span.start + len(text[span.start : span.end].rstrip())
    return end


def _has_code(syntax: Syntax, text: str) -> bool:
    """True when ``text``, whole lines between two statements, has more than blank lines and comments."""
    lines = (line.strip() for line in text.split("\n"))
    markers = (syntax.language.line_comment or "//", "/*", "*")
    return any(line and not line.startswith(markers) for line in lines)
