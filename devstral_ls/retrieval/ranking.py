"""Candidates for a prompt from other places, each with its rank: from what the index has found to excerpts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from devstral_ls.code_context import Definition, EnclosingDefinition, Excerpt
from devstral_ls.languages.lexing import qualified_names
from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.languages.table import language_of
from devstral_ls.retrieval.document_context import IndexResults
from devstral_ls.retrieval.redact import redacted, redacted_part
from devstral_ls.settings.tree import PrivacySettings
from devstral_ls.text import Snapshot, Span
from devstral_ls.uris import path_of

NEAR = 2_500
"""Characters before the cursor in which names are looked for, and a fifth of it behind."""

AT_CURSOR, NEARBY, IMPORTED, SUBJECT, EXAMPLE, SIBLING, EDITED, VIEWED = 3.0, 2.0, 1.0, 1.5, 1.6, 0.7, 0.8, 0.5
"""Ranks. A sibling is an ``EXAMPLE`` where a method begins, and little more than other code elsewhere."""

MAX_SIBLINGS, MAX_SIBLING = 3, 700
"""Functions of the cursor's own class, and characters of each: a longer one is cut at a line's end."""

_KEYWORD = re.compile(
    r"\b(?:def|class|func|fn|function|struct|interface|enum|trait|type|let|const|var|val|record)\s+\Z"
)
"""What a name that is defined stands behind, or ..."""

_GIVEN = re.compile(r"(?!\w)\s*:?=[^=]")
"""... in front of."""

_MAX_HEADER = 300
"""Characters of a class's header that are looked at."""

_BEGINNING = 2
"""Lines of code in a method that has only begun."""

_MAX_OCCURRENCES = 300
"""Of a name in its own document; one that is used more often is asked about rarely."""


def definition_candidates(
    snapshot: Snapshot, offset: int, results: IndexResults, privacy: PrivacySettings
) -> Iterator[Excerpt]:
    """Signatures of what the code around ``offset`` uses, and of the test's subject."""
    line = snapshot.text[max(snapshot.line_starts[snapshot.line_at(offset)], offset - NEAR) : offset]
    here = set(qualified_names(line))
    words = _words(results.imports)
    for name, match in results.found.items():
        if match is None:
            continue
        source, definition = match
        if source == "names" and (name in words or name not in results.near or _is_own(name, snapshot.text)):
            continue
        rank = AT_CURSOR if name in here else NEARBY if name in results.near else IMPORTED
        yield _signature(source, definition, results.root, rank, privacy)
    for number, definition in enumerate(results.counterpart[:12]):
        yield _signature("test", definition, results.root, SUBJECT - number / 100, privacy)


def sibling_candidates(
    snapshot: Snapshot,
    offset: int,
    scope: CursorScope,
    results: IndexResults,
    reach: int,
    siblings: Sequence[Span],
    privacy: PrivacySettings,
) -> Iterator[Excerpt]:
    """Functions beside the cursor's, further away than ``reach`` characters, and their like in other files."""
    rank = EXAMPLE if _is_empty(snapshot, scope) else SIBLING
    above, below = snapshot.line_starts[snapshot.line_at(offset)] - reach, offset + reach
    outside = [span for span in siblings if span.end <= above or span.start >= below]
    own = relative(path_of(snapshot.uri) or snapshot.uri, results.root)
    redacts = privacy.redact_secrets
    near = outside[:MAX_SIBLINGS]
    examples = [(own, redacted_part(snapshot.text, one) if redacts else snapshot.of(one), snapshot.uri) for one in near]
    examples += [
        (relative(path, results.root), redacted_again(text) if redacts else text, path)
        for path, text in results.siblings
    ]
    for number, (path, text, file) in enumerate(examples):
        shown = text if len(text) <= MAX_SIBLING else text[: text.rfind("\n", 0, MAX_SIBLING) + 1].rstrip()
        if shown:
            yield Excerpt("sibling", path, shown, rank - number / 100, file)


def surroundings(snapshot: Snapshot, offset: int, scope: CursorScope) -> EnclosingDefinition | None:
    """The class around ``offset``, and its method; ``None`` outside of classes."""
    classes = [one for one in scope.scopes if one.kind == "class"]
    if not classes or not classes[-1].name or offset < classes[-1].header.end:
        return None
    inner = scope.scopes[-1]
    inside = inner.kind == "function" and offset >= inner.header.end
    header = snapshot.of(classes[-1].header)
    return EnclosingDefinition(inner.name if inside else "", classes[-1].name, header[:_MAX_HEADER])


def _is_empty(snapshot: Snapshot, scope: CursorScope) -> bool:
    """True where a method begins: between methods, or in one of two lines at most."""
    inner = scope.scopes[-1] if scope.scopes else None
    if inner is None or inner.kind == "class":
        return True
    return sum(bool(line.strip()) for line in snapshot.of(inner.body).split("\n")) <= _BEGINNING


def names_near(snapshot: Snapshot, offset: int) -> dict[str, None]:
    """The names used around the cursor, the nearest before it first, as keys."""
    before = list(qualified_names(snapshot.text[max(0, offset - NEAR) : offset]))
    behind = qualified_names(snapshot.text[offset : offset + NEAR // 5])
    return dict.fromkeys((*reversed(before), *behind))


@lru_cache(64)
def imported_names(imports: tuple[str, ...]) -> tuple[str, ...]:
    """The names that import statements may bring."""
    statements = (statement.rpartition("import")[2][:2_000] for statement in imports)
    return tuple(name for one in statements for name in re.findall(r"[A-Za-z_$][\w$]+", one))


@lru_cache(64)
def _words(imports: tuple[str, ...]) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", " ".join(imports)))


def _is_own(name: str, text: str) -> bool:
    """True when the document itself defines ``name``. Looks only where the name stands: the text may be long."""
    at = -1
    for _ in range(_MAX_OCCURRENCES):
        at = text.find(name, at + 1)
        if at < 0:
            return False
        end = at + len(name)
        if text[at - 1 : at].isidentifier() or text[at - 1 : at].isdigit():
            continue
        is_whole = not (text[end : end + 1].isidentifier() or text[end : end + 1].isdigit())
        if _GIVEN.match(text, end) or (is_whole and _KEYWORD.search(text[max(0, at - 40) : at])):
            return True
    return False


redacted_again = lru_cache(512)(redacted)
"""Signatures are the same from key to key."""


def _signature(source: str, definition: Definition, root: str, rank: float, privacy: PrivacySettings) -> Excerpt:
    text = definition.signature
    if definition.doc and definition.kind != "class" and "\n" not in definition.doc:
        mark = language_of("", definition.path).line_comment
        text = f"{text}  {mark} {definition.doc}" if mark else text
    shown = redacted_again(text) if privacy.redact_secrets else text
    return Excerpt(source, relative(definition.path, root), shown, rank, definition.path)


def relative(path: str, root: str) -> str:
    """``path`` as a model sees it: below the workspace's folder ``root``, or its name."""
    inside = path[len(root) :] if root and path.startswith(root) else path.rpartition("/")[2]
    return inside.replace("\\", "/").lstrip("/")
