"""One running action: what every kind of answer is made from, and the questions as templates fill them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from devstral_ls.actions.answer import longest_run, opened_with
from devstral_ls.actions.chat_session import ChatSession, Question
from devstral_ls.actions.checks import Checks
from devstral_ls.actions.context import around
from devstral_ls.actions.indentation import Shape, dedent, shape_of
from devstral_ls.actions.privacy import keep_secrets
from devstral_ls.actions.query import ActionCallbacks, ActionQuery, Project, Result
from devstral_ls.actions.table import Action
from devstral_ls.actions.target import Target, language_at
from devstral_ls.actions.templates import filled
from devstral_ls.actions.windows import answer_tokens, piece_chars
from devstral_ls.generation import ModelInfo
from devstral_ls.prompt.chat import continues_answers
from devstral_ls.settings.tree import PrivacySettings
from devstral_ls.text import Snapshot, Span

MIN_REPEATS = 6
"""A line may come so often in a row in an answer, and more often where the code itself has it so."""


@dataclass(frozen=True, slots=True)
class ActionContext:
    """What is needed to do one action."""

    action: Action
    query: ActionQuery
    target: Target
    checks: Checks
    asker: ChatSession
    model: ModelInfo
    heard: ActionCallbacks
    project: Project
    signatures: Mapping[str, str]
    """Of what the target uses and other files define, by name."""
    privacy: PrivacySettings
    allows: Callable[[Snapshot], Awaitable[bool]]
    """May a document be shown to a model, as far as ignore files say?"""
    secrets: tuple[Span, ...] = ()
    """What ``x`` stands for in the document as we see it."""

    @property
    def snapshot(self) -> Snapshot:
        """The document."""
        return self.query.snapshot

    @property
    def fence(self) -> str:
        """The language as it stands behind a fence."""
        return language_at(self.snapshot).id

    @property
    def title(self) -> str:
        """What is done, for people."""
        return self.action.title.format(what=self.target.words)

    def shape(self, span: Span) -> Shape:
        """How the code at ``span`` stands in the document."""
        return shape_of(self.snapshot.of(span), self.snapshot.text)

    def keep_secrets(self, span: Span) -> None:
        """See to it that the code at ``span`` may be written anew.

        Raises:
            ActionRefused: there is a secret in it.
        """
        keep_secrets(self.snapshot, span, self.secrets, self.target.words)

    def beginning(self) -> Target:
        """The target, or as much of its beginning as the model takes, where it need not be rewritten."""
        span, room = self.target.span, piece_chars(self.model, rewrites=False)
        if len(span) <= room:
            return self.target
        self.asker.stage = "reading its beginning"
        end = self.snapshot.line_span(max(self.snapshot.line_at(span.start + room) - 1, 0)).end
        return replace(self.target, span=Span(span.start, max(end, span.start + 1)))

    def in_part(self, shown: Target) -> tuple[str, ...]:
        """What to say where only ``shown`` of the target was read."""
        if len(shown.span) == len(self.target.span):
            return ()
        n_lines = self.snapshot.of(shown.span).count("\n") + 1
        return (f"only the first {n_lines} lines of {self.target.words} were read: it is long for {self.model.name}",)

    def result(self, **what: object) -> Result:
        """What came of it."""
        return Result(self.action.id, self.title, usage=self.asker.usage, **what)  # type: ignore[arg-type]

    def question(self, target: Target, begun: str | None, **values: str) -> Question:
        """The row's template about ``target``; the answer is begun with ``begun`` between fences (``None``: with nothing)."""
        text = dedent(self.snapshot.of(target.span), self.shape(target.span))
        language = language_at(self.snapshot)
        known = {
            "language": language.name,
            "fence": self.fence,
            "target": text,
            "where": target.words,
            "context": around(self.query, target, self.checks.syntax, self.signatures),
            "path": self.project.path(self.snapshot.uri) or self.snapshot.uri.rpartition("/")[2],
        }
        system, user = filled(self.action.template, known | values)
        opens = begun is not None and continues_answers(self.model)
        return Question(
            system,
            user,
            answer_tokens(text, self.model),
            opened=opened_with(self.fence, begun or "") if opens else "",
            stop=("\n```",) if opens else (),
            repeats=max(MIN_REPEATS, longest_run(text) + 2),
        )
