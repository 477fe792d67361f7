"""One reason code for every request, shown or not, with what each stage took.

"Nothing shows and there is no telling why" is the second most frequent complaint in this field; this is the answer to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from devstral_ls.generation import Usage
from devstral_ls.text import DocumentChange, Snapshot, Span


class Reason(Enum):
    """Why a request ended as it did."""

    RUNNING = "running"
    """It is not answered yet."""
    SHOWN = "shown"
    """The model wrote something worth showing."""
    CACHED = "cached"
    """The answer for the same place is in the cache."""
    TYPED_THROUGH = "typed-through"
    """The user typed what was suggested; the rest of it is shown."""
    JOINED = "joined"
    """Shown from a generation that was started for an earlier key."""
    DISABLED = "disabled"
    """Ghost text is switched off."""
    LANGUAGE_DISABLED = "language-disabled"
    """Switched off for this language."""
    IN_COMMENT = "in-comment"
    """Inside a comment, where ``inline.inComments`` says no."""
    IN_STRING = "in-string"
    """Inside a string, where ``inline.inStrings`` says no."""
    IN_DATA = "in-data"
    """Behind rows of numbers or encoded bytes, which cannot be predicted."""
    MID_WORD = "mid-word"
    """The cursor is inside a word."""
    TEXT_AFTER_CURSOR = "text-after-cursor"
    """Code follows on the line that a suggestion would push aside."""
    JUST_DELETED = "just-deleted"
    """The last key deleted text: what comes next is not known before another key."""
    JUST_REJECTED = "just-rejected"
    """The user dismissed the suggestion at this very place."""
    TOO_LONG_LINE = "too-long-line"
    """The cursor's line is too long to be code that is written by hand."""
    EXCLUDED = "excluded"
    """The file's name is on the ``privacy.exclude`` list: it never reaches a prompt."""
    IGNORED = "ignored"
    """An ignore file names the document: it never reaches a prompt."""
    UNDECIDED = "undecided"
    """It cannot be told, or not yet, whether the document may be shown to a model."""
    SECRET = "secret"  # noqa: S105 - a reason
    """The cursor is in a key or a password, or one is being typed."""
    NOT_READY = "not-ready"
    """No model, or it is still loading."""
    TOO_SLOW = "too-slow"
    """The model is too slow on this machine for automatic suggestions."""
    SUPERSEDED = "superseded"
    """A newer request of the same document took over."""
    CANCELLED = "cancelled"
    """The editor took the request back."""
    EMPTY = "empty"
    """The model ended without writing anything."""
    BLANK = "blank"
    """The model wrote white space only."""
    REPEATS_SUFFIX = "repeats-suffix"
    """The answer only repeats what follows the cursor."""
    REPETITION = "repetition"
    """The answer repeats itself, or the lines above."""
    UNDOES_EDIT = "undoes-edit"
    """The answer only puts back what was just deleted."""
    PROSE = "prose"
    """The model talks about the code instead of writing it."""
    COMMENT = "comment"
    """Only a comment behind a finished statement."""
    UNSURE = "unsure"
    """The model was less sure than ``inline.minConfidence``."""
    BREAKS_SYNTAX = "breaks-syntax"
    """With any part of the answer the file would parse worse than without."""
    DOCUMENT_MOVED = "document-moved"
    """The document changed while the model was writing."""
    UNKNOWN_DOCUMENT = "unknown-document"
    """The editor never opened this document."""
    ENGINE_ERROR = "engine-error"
    """The engine failed; its error says how."""


class NothingToShow(Exception):
    """There is no suggestion for a request."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Something to show: put ``text`` in the place of ``replaces``."""

    id: str
    """Names it in ``devstral.accepted`` and ``devstral.rejected``."""
    text: str
    replaces: Span
    """In code points of the query's snapshot; from the cursor on, and past it over an auto-closed tail."""


@dataclass(frozen=True, slots=True)
class InlineQuery:
    """A request for ghost text, decoded."""

    snapshot: Snapshot
    offset: int
    """The cursor, in code points."""
    invoked: bool = False
    """The user asked for it by a key: a manual request; nothing is held back then."""
    change: DocumentChange | None = None
    """What leads from the document to ``snapshot``, where that is a text which the document does not have yet."""


@dataclass(slots=True)
class Trace:
    """The record of one request; filled in as it goes through the stages. Nothing is decided by it."""

    reason: Reason = Reason.RUNNING
    asked_model: bool = False
    """True when the model was run for this request, or for an earlier key whose generation goes on here."""
    layout: str | None = None
    """The prompt layout used, where the model was asked."""
    model: str | None = None
    multiline: bool = False
    usage: Usage | None = None
    confidence: float | None = None
    """How sure the model was of the first line, 0 to 1, where it was asked."""
    min_confidence: float = 0.0
    """What it had to be: the setting, moved by what the user took and dismissed in this language."""
    excerpts: dict[str, int] = field(default_factory=dict)
    """How many pieces of other places the model was shown, by their source; see ``code_context.SOURCES``."""
    decisions: list[str] = field(default_factory=list)
    """What was done to the answer, in order: ``went-on-with-running``, ``cut-where-unsure``, the steps that changed it."""
    stages: dict[str, float] = field(default_factory=dict)
    """Milliseconds a stage took, by its name, in the order they ran."""

    @property
    def cached(self) -> bool:
        """True when it was answered without the model."""
        return self.reason in (Reason.CACHED, Reason.TYPED_THROUGH)

    def take_over(self, of: Trace) -> None:
        """Record what ``of``, the trace of the generation that was joined, has recorded."""
        self.layout, self.model, self.usage, self.multiline = of.layout, of.model, of.usage, of.multiline
        self.confidence, self.min_confidence = of.confidence, of.min_confidence
        self.excerpts = of.excerpts
        self.decisions += of.decisions

    @contextmanager
    def stage(self, name: str, clock: Callable[[], float]) -> Iterator[None]:
        """Time the block as the stage ``name``; ``clock`` counts seconds."""
        start = clock()
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + (clock() - start) * 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to an ``InlineQuery``: suggestions, most likely first, and how they came about."""

    suggestions: tuple[Suggestion, ...]
    trace: Trace

    @property
    def asked_model(self) -> bool:
        """True when the model was run for it."""
        return self.trace.asked_model
