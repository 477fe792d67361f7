"""The input and output of an action as values, and the ports through which it reads the project and reports progress."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from devstral_ls.code_context import Diagnostic, Severity
from devstral_ls.errors import EngineError
from devstral_ls.generation import Usage
from devstral_ls.retrieval.visibility import Visibility
from devstral_ls.text import Edit, Snapshot, Span


class ActionRefused(EngineError):
    """The action cannot be done here, or the model's answer failed its checks; nothing was changed."""

    code = "action-refused"
    hint = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class ActionQuery:
    """One request."""

    action: str
    """A key of ``table.ACTIONS``."""
    snapshot: Snapshot
    span: Span
    """The selection; empty: the cursor."""
    instruction: str = ""
    """What to change, in the user's words."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """Those to fix."""
    failed_attempt: str = ""
    """An earlier answer that was applied and did not help; the model is asked for another one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A bug that a review reports."""

    line: int
    """From 0."""
    severity: Severity
    code: str
    """A key of ``outputs.review.CODES``."""
    message: str
    fix: str | None = None
    """The line as it should be; None where the repair is not a change of one line."""
    related: Span | None = None
    """The definition that contains the line."""


@dataclass(frozen=True, slots=True)
class FileEdit:
    """Another file that an action creates or adds to."""

    path: str
    """Relative to the project's root, with slashes."""
    text: str
    """The text to insert."""
    at: int | None
    """Where, in code points of ``before``; None: the file is new."""
    before: str = ""
    """The current text of the file."""


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of an action."""

    action: str
    title: str
    edit: Edit | None = None
    """Against the query's snapshot."""
    imports: Edit | None = None
    """Inserts the imports that ``edit`` needs, in front of it."""
    files: tuple[FileEdit, ...] = ()
    findings: tuple[Finding, ...] = ()
    markdown: str = ""
    outcome: str = ""
    """What is done once the result is written, for people, where the edit alone does not show it."""
    notes: tuple[str, ...] = ()
    """Messages for the user: a public name that is gone, text that was left out."""
    usage: Usage | None = None
    """Of all requests together; None where the engine does not report it."""
    reviewed: Span | None = None
    """The code that a review has read; None for other actions."""

    def whole_edit(self, snapshot: Snapshot) -> Edit | None:
        """``edit`` and ``imports`` as one edit of ``snapshot``, the query's with its secrets; None where there is none."""
        if self.edit is None or self.imports is None:
            return self.edit
        at = min(self.imports.span.start, self.edit.span.start)
        between = snapshot.text[at : self.edit.span.start]
        return Edit(Span(at, self.edit.span.end), self.imports.text + between + self.edit.text)


@dataclass(frozen=True, slots=True)
class Progressed:
    """The progress of a running action."""

    n_tokens: int
    tokens_per_second: float
    stage: str
    """What the action does now, for people."""


OnDraft = Callable[[Edit], Awaitable[None]]
"""Called with the unfinished edit after each whole line: always all of it. May raise to stop the action."""

ReportProgress = Callable[[Progressed], None]


def _ignore(_progressed: Progressed) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class ActionCallbacks:
    """The callbacks of a running action."""

    draft: OnDraft | None = None
    report: ReportProgress = _ignore


MayShow = Callable[[str], Awaitable[Visibility]]
"""Whether a model may be shown the document with a URI; asked before anything of it is put into a prompt."""


class Signatures(Protocol):
    """The workspace index, as far as actions read it."""

    async def signatures(self, names: Sequence[str], snapshot: Snapshot, imports: Sequence[str]) -> Mapping[str, str]:
        """The signatures of ``names`` that other files define, by name, secrets taken out; ``a.b`` is ``b`` of ``a``.

        ``imports`` are the import statements of ``snapshot``.
        """
        ...


class NoSignatures:
    """Used where no workspace is open."""

    async def signatures(self, names: Sequence[str], snapshot: Snapshot, imports: Sequence[str]) -> Mapping[str, str]:
        """Always empty."""
        return {}


class Project(Protocol):
    """The files around a document, as far as they may be read."""

    @property
    def creates_files(self) -> bool:
        """True when a result may be a new file."""
        ...

    def path(self, uri: str) -> str | None:
        """The document's path in the project, with slashes; None if it is not in one."""
        ...

    def uri(self, path: str) -> str:
        """The URI of a path in the project."""
        ...

    def read(self, path: str) -> str | None:
        """The text of a file; None if it does not exist or may not be read."""
        ...

    def names(self, folder: str) -> Sequence[str]:
        """The names of the files in a folder."""
        ...


class NoProject:
    """Used for a document that is in no project."""

    creates_files = False

    def path(self, uri: str) -> str | None:
        """None always."""
        return None

    def uri(self, path: str) -> str:
        """The path itself."""
        return path

    def read(self, path: str) -> str | None:
        """None always."""
        return None

    def names(self, folder: str) -> Sequence[str]:
        """Always empty."""
        return ()
