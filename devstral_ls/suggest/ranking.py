"""What may be shown of other places, each piece with its rank: from what is known of a document to excerpts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from devstral_ls.code_context import Definition, EnclosingDefinition, Excerpt
from devstral_ls.languages.lexing import qualified_names
from devstral_ls.languages.scopes.cursor import CursorScope
from devstral_ls.languages.table import language_of
from devstral_ls.prompt.window import CHARACTERS_PER_TOKEN
from devstral_ls.retrieval.redact import redacted
from devstral_ls.settings.tree import PrivacySettings
from devstral_ls.text import Snapshot, Span
from devstral_ls.uris import path_of

NEAR = 2_500
"""Characters before the cursor in which names are looked for, and a fifth of it behind."""

AT_CURSOR, NEARBY, IMPORTED, SUBJECT, EXAMPLE, SIBLING, EDITED, VIEWED = 3.0, 2.0, 1.0, 1.5, 1.6, 0.7, 0.8, 0.5
"""Ranks. A sibling is an ``EXAMPLE`` to whoever begins a method, and little more than other code to the rest."""

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

MAX_FOUND = 512
"""Names of a document that are known beside those around the cursor: every key in a name makes another one."""

_MAX_OCCURRENCES = 300
"""Of a name in its own document; one that is used more often is asked about rarely."""


@dataclass(slots=True)
class DocumentContext:
    """What was found out for a document."""

    imports: tuple[str, ...]
    near: Mapping[str, None] = field(default_factory=dict)
    """The names around the cursor, the nearest before it first ..."""
    place: tuple[int, int] | None = None
    """... and of which version and at which offset they are that."""
    found: dict[str, tuple[str, Definition] | None] = field(default_factory=dict)
    other: tuple[Definition, ...] = ()
    siblings: tuple[tuple[str, str], ...] = ()
    """Path and text of definitions in other files like the one around the cursor ..."""
    like: EnclosingDefinition | None = None
    """... which is this one."""
    root: str = ""
    allowed: bool = True
    answered: bool = False
    """Has the index said anything of the document since its imports changed?"""
    told: bool = False
    """Is it known whether it is allowed?"""
    finding: asyncio.Task[None] | None = None
    key: object = None
    chosen: tuple[Excerpt, ...] = ()

    def come_to(self, snapshot: Snapshot, offset: int) -> None:
        """The cursor is there now."""
        if self.place != (snapshot.version, offset):
            self.near, self.place = names_near(snapshot, offset), (snapshot.version, offset)

    def forget_but(self, names: Collection[str]) -> None:
        """Where too many names are known, keep ``names``; of the others, those that were found, if they are not too
        many either.
        """
        if len(self.found) > MAX_FOUND:
            for name in [name for name, one in self.found.items() if one is None and name not in names]:
                del self.found[name]
        if len(self.found) > MAX_FOUND:
            for name in [name for name in self.found if name not in names]:
                del self.found[name]


def known_candidates(
    snapshot: Snapshot, offset: int, known: DocumentContext, privacy: PrivacySettings
) -> Iterator[Excerpt]:
    """Signatures of what the code around ``offset`` uses, and of the test's subject."""
    line = snapshot.text[max(snapshot.line_starts[snapshot.line_at(offset)], offset - NEAR) : offset]
    here = set(qualified_names(line))
    words = _words(known.imports)
    for name, found in known.found.items():
        if found is None:
            continue
        source, one = found
        if source == "names" and (name in words or name not in known.near or _is_own(name, snapshot.text)):
            continue
        rank = AT_CURSOR if name in here else NEARBY if name in known.near else IMPORTED
        yield _signature(source, one, known.root, rank, privacy)
    for number, one in enumerate(known.other[:12]):
        yield _signature("test", one, known.root, SUBJECT - number / 100, privacy)


def sibling_candidates(
    snapshot: Snapshot,
    offset: int,
    scope: CursorScope,
    known: DocumentContext,
    budget: int,
    siblings: Sequence[Span],
    privacy: PrivacySettings,
) -> Iterator[Excerpt]:
    """Functions beside the cursor's that no window of ``budget`` tokens can reach, and their like in other files."""
    rank = EXAMPLE if _is_empty(snapshot, scope) else SIBLING
    n = int(budget * CHARACTERS_PER_TOKEN)
    above, below = snapshot.line_starts[snapshot.line_at(offset)] - n, offset + n
    outside = [span for span in siblings if span.end <= above or span.start >= below]
    own = relative(path_of(snapshot.uri) or snapshot.uri, known.root)
    found = [(own, snapshot.of(span)) for span in outside[:MAX_SIBLINGS]]
    found += [(relative(path, known.root), text) for path, text in known.siblings]
    for number, (path, text) in enumerate(found):
        text = text if len(text) <= MAX_SIBLING else text[: text.rfind("\n", 0, MAX_SIBLING) + 1].rstrip()
        shown = redacted_again(text) if privacy.redact_secrets else text
        if shown:
            yield Excerpt("sibling", path, shown, rank - number / 100)


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
    """Is the cursor where a method begins: between methods, or in one of two lines at most?"""
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


def shown_anyway(snapshot: Snapshot, offset: int, budget: int) -> str:
    """About what the window will show."""
    n = int(budget * CHARACTERS_PER_TOKEN * 0.7)
    return snapshot.text[max(0, offset - n) : offset + n // 2]


def _is_own(name: str, text: str) -> bool:
    """Does the document itself define ``name``? Looks only where the name stands: the text may be long."""
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
"""Signatures and regions are the same from key to key."""


def _signature(source: str, one: Definition, root: str, rank: float, privacy: PrivacySettings) -> Excerpt:
    text = one.signature
    if one.doc and one.kind != "class" and "\n" not in one.doc:
        mark = language_of("", one.path).line_comment
        text = f"{text}  {mark} {one.doc}" if mark else text
    return Excerpt(source, relative(one.path, root), redacted_again(text) if privacy.redact_secrets else text, rank)


def relative(path: str, root: str) -> str:
    """``path`` as a model sees it: below the workspace's folder ``root``, or its name."""
    inside = path[len(root) :] if root and path.startswith(root) else path.rpartition("/")[2]
    return inside.replace("\\", "/").lstrip("/")
