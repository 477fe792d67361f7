"""Recognizes the header lines of functions and classes by keywords and brackets, in any language."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from devstral_ls.languages.language import Language
from devstral_ls.languages.lexing import strip_comment
from devstral_ls.languages.scopes.lines import MAX_HEADER_CHARS


class Header(NamedTuple):
    """The kind and name in a header line."""

    kind: Literal["function", "class"]
    name: str


_MODIFIERS = (
    r"\s*(?:(?:export|default|public|private|protected|internal|static|async|final|override|virtual|inline|extern|"
    r"unsafe|const|constexpr|pub(?:\([^)]*\))?|abstract|sealed|open|suspend|local|data|partial|readonly|declare|"
    r"mutating|fileprivate|mutable|typedef|case|companion|\"C\")\s+)*"
)
_FUNCTION = re.compile(
    _MODIFIERS + r"(?:def[pm]?|defmacro|function\s*\*?|fn|func|fun|sub|proc|procedure|macro)\s+"
    r"(?:\([^)]*\)\s*)?(?:<[^>]*>\s*)?(?P<name>[\w$.:]*[?!]?)"
)
_CLASS = re.compile(
    _MODIFIERS
    + r"(?:impl\b[^{]*\bfor|impl\s*<[^>]*>|enum\s+class|enum\s+struct|class|struct|interface|trait|impl|enum|"
    r"module|defmodule|namespace|object|record|union|protocol|extension|mod|type|actor|instance)\b(?!\s*[=.(:,?])"
    r"\s*(?:<[^>]*>\s*)?(?P<name>[\w$][\w$.:\\]*)?"
)
_NAMESPACE = re.compile(r"(?:(?:inline|export)\s+)*(?:namespace|module|mod|extern\s+\"C\")\b")
_ASSIGNED = re.compile(
    _MODIFIERS + r"(?:(?:let|var|my|our|val|auto)\s+)?(?P<name>[\w$.]+)\s*(?::[^=]*)?(?:=|<-|:)\s*(?:async\s+)?"
    r"(?:function\b|fn\b|func\b|\([^()]*\)\s*(?::[^=]*)?=>|\w+\s*=>|\w+\((?:async\s*)?\([^()]*\)\s*=>|\[[^\]]*\]\s*\()"
)
_ANONYMOUS = re.compile(r"(?:[=-]>|\bfunction\b[^{]*|[(,=]\s*\[[^\]]*\]\s*\([^{]*|\bfunc\s*\([^{]*)\s*\{$")
_CALLABLE = re.compile(r"(?P<name>~?[\w$][\w$:.~-]*|operator\s*\W+)\s*\(.*\)[\w\s:<>,&*\[\]|.?-]*\{$")
_CONTROL = re.compile(
    r"\W*(?:if|else|for|foreach|while|switch|catch|try|do|match|loop|unsafe|with|return|using|lock|synchronized|elif|"
    r"elsif|elseif|unless|until|case|when|select|go|defer|throws?|await|yield|finally|guard|repeat|fixed|checked|"
    r"new|assert|except|and|or|not|in|print)\b"
)
_CONTINUATION = re.compile(r"\s*(?:where\b|extends\b|implements\b|throws\b|->|:|noexcept\b|const\b|[)\]])")


def header_of(line: str, language: Language, *, opened: bool) -> Header | None:
    """The header in ``line``; ``opened`` is true when a block begins after it, on this line or a later one."""
    if not opened:
        return None
    code = strip_comment(line[:MAX_HEADER_CHARS], language)
    for kind, pattern in _KEYWORDS:
        if match := pattern.match(code):
            return Header(kind, (match["name"] or "").rstrip(":."))
    return _without_keyword(code, language)


def is_namespace(line: str) -> bool:
    """True when ``line`` begins a namespace, whose contents are often not indented."""
    return _NAMESPACE.match(line) is not None


def continues_header(line: str) -> bool:
    """True when ``line`` can be a later line of a header (``where``, ``extends``, ``) -> T``)."""
    return _CONTINUATION.match(line) is not None


_KEYWORDS: tuple[tuple[Literal["function", "class"], re.Pattern[str]], ...] = (
    ("function", _FUNCTION),
    ("class", _CLASS),
)


def _without_keyword(code: str, language: Language) -> Header | None:
    """A function without a keyword: ``int f(int x) {``, ``g(): void {``, ``const f = (x) => {``."""
    if "{" not in language.block_openers:
        return None
    if match := _ASSIGNED.match(code):
        return Header("function", match["name"])
    code = code if code.endswith("{") else code + " {"
    if _ANONYMOUS.search(code):
        return Header("function", "")
    if _CONTROL.match(code):
        return None
    if match := _CALLABLE.search(code):
        return Header("function", match["name"])
    return None
