"""Values behind the names of secrets on one line: assignments, calls, options, elements and attributes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from devstral_ls.retrieval.secrets.secret_names import NameKind, name_kind
from devstral_ls.retrieval.secrets.secret_values import is_any_password, is_phrase, is_random, is_secret

_NAME = re.compile(r"[A-Za-z_$][\w$\-]*")

_QUOTED = r"(?P<q>\\?[\"'`])(?P<quoted>(?:(?!(?P=q))(?:\\.|[^\n])){1,4000})"
_WRAPPED = (
    r"(?:(?:Some|Ok|String::from|SecretStr|Secret|SecretString|new\s[\w.]{1,30}|b64decode|base64\.b64decode|bytes|str|Bytes|"
    r"Buffer\.from|std::string)\(\s?)?(?:[bBrRuULfF@$&]|u8){0,2}"
)
"""What may stand before a quote: letters of literals, and calls that leave the text what it is."""

_TYPE = r"(?:(?::\s?|\s)[&*\w'<>\[\]?|.: ]{1,40}?\s{0,3}|\s?\{[^{}\"\n]{0,30}\}\s?)?"
_CLOSED = r"(?:\\?[\"'`])?(?:\s?\[[\w+]{0,20}\])?[\])]{0,2}"

_BEHIND = re.compile(
    rf"""(?:{_CLOSED}\s{{0,24}}{_TYPE}(?:=>|:=|={{1,3}}|!==?|\?\?=?|\|\|=?|:|\bor\b|\bby\s\w{{1,10}}\s?\{{)\s{{0,16}}  # assigned, compared
    |(?P<call>\s?[({{]\s?)
    |(?P<method>\)?\.\w{{2,20}}\(\s?)
    |(?P<next>\\?["'],?\s{{0,4}}\\?["']?value\\?["']?\s?[=:]\s?)                           # XML and JSON: name="..." value="..."
    |(?P<comma>\\?["']\s?,\s?)                                                             # name and value as arguments
    |(?P<space>[ \t]{{1,8}})
    ){_WRAPPED}{_QUOTED}""",
    re.VERBOSE | re.IGNORECASE,
)
"""A quoted value behind a name."""

_BARE = re.compile(
    r"(?P<close>\\?[\"'])?\s{0,8}(?:=(?!=)|:(?!:))[ \t]{0,8}(?:!!?\w{1,10}[ ])?(?P<bare>[^\s\"'`<>]{5,4000})"
)
_OPTION = re.compile(r"(?:=|[ \t]{1,4})(?P<bare>[^\s\"'`<>$|\-][^\s\"'`<>|]{4,4000})")
_PARAMETER = re.compile(r"\s?=\s?(?P<bare>[^\s;&\"'`<>]{4,4000})")
_FALLBACK = re.compile(r":[-=]?(?P<bare>[^\s{}\"'`$]{4,400})\}")
_ELEMENT = re.compile(r"(?:[\"'][^<>\"'\n]{0,60})?>(?P<bare>[^<>\n]{4,4000})<")
_PHRASE = re.compile(r"\s{0,8}[:=][ \t]{1,8}(?P<bare>[a-z]{3,}(?: [a-z]{3,}){3,11})\s*\Z")
_SPACED = re.compile(r"[ \t]{1,8}(?P<bare>(?![*&])[^\s\"'`<>$=({\[]{5,400})")

_COMPARED = re.compile(r"(?P<q>[\"'])(?P<bare>[^\"'\n]{5,90})(?P=q)\s{0,4}[!=]==?\s{0,4}(?:\w{1,30}\.){0,3}\Z")
"""A value in front of the name it is compared with."""

_FALLBACK_LEAD = re.compile(r"\$\{[\w.\-]{0,60}\Z")
_PROPERTY_LEAD = re.compile(r"(?:^|[\s\"'])-D[\w.]{0,80}\Z")
_SPACE_LEADS = re.compile(r"(?:\b(?:ENV|ARG|login\s\S{1,80}|account\s\S{1,80})\s{1,4}|^\s{1,16})\Z")
"""Before a name whose value follows after a space: Dockerfiles and netrc files."""


def assigned(line: str) -> Iterator[tuple[int, int]]:
    """The (start, end) of each secret behind a name on ``line``."""
    for name in _NAME.finditer(line):
        kind = name_kind(name[0])
        if kind is not None:
            yield from _behind(line, name, kind)


def _behind(line: str, name: re.Match[str], kind: NameKind) -> Iterator[tuple[int, int]]:
    start, end = name.span()
    quoted = _BEHIND.match(line, end)
    if quoted is not None:
        if _is_secret_argument(quoted, kind):
            yield quoted.span("quoted")
        return
    before = line[max(0, start - 100) : start]
    compared = _COMPARED.search(before)
    if compared is not None and is_secret(compared["bare"], kind):
        yield start - len(before) + compared.start("bare"), start - len(before) + compared.end("bare")
        return
    for found, literal in _bare(line, end, before, name[0]):
        value = found["bare"] if literal else found["bare"].rstrip(",;)]}")
        in_string = literal and found.re is _PARAMETER and kind is NameKind.PASSWORD
        if is_secret(value, kind, literal=literal) or (in_string and is_any_password(value)):
            yield found.start("bare"), found.start("bare") + len(value)
            return
    phrase = _PHRASE.match(line, end) if kind is NameKind.PASSWORD else None
    if phrase is not None and is_phrase(phrase["bare"]):
        yield phrase.span("bare")


def _bare(line: str, end: int, before: str, name: str) -> Iterator[tuple[re.Match[str], bool]]:
    """Matches of values without quotes behind a name, and whether they cannot be a name of the program's."""
    last, next_ = before.rstrip(" ")[-1:], line[end : end + 1]
    pattern, literal = _BARE, "-" in name.strip("-") and next_ not in ("'", '"')
    if (last and last in ";&?") or (last and last in "\"'" and ";" in line[end : end + 200]):
        pattern, literal = _PARAMETER, True
    elif _FALLBACK_LEAD.search(before):
        pattern, literal = _FALLBACK, False
    elif before.endswith("--") or _PROPERTY_LEAD.search(before):
        pattern, literal = _OPTION, False
    elif next_ in (">", '"', "'") and (element := _ELEMENT.match(line, end)):
        yield element, False
        return
    if found := pattern.match(line, end):
        yield found, literal
    elif (spaced := _SPACED.match(line, end)) and (_SPACE_LEADS.search(before) or _is_strong(spaced["bare"])):
        yield spaced, False


def _is_strong(value: str) -> bool:
    """True for a value that is no word of prose and no name."""
    return len(value) >= 10 and any(char.isdigit() for char in value) and is_random(value)


def _is_secret_argument(quoted: re.Match[str], kind: NameKind) -> bool:
    value = quoted["quoted"]
    if quoted["space"] and quoted["q"] == "`":
        return False  # prose
    if quoted["comma"] or quoted["space"] or quoted["method"]:  # also lists of names, and prose
        return is_secret(value, kind, literal=False)
    return is_secret(value, kind)
