"""ActionContext: one running action, with the steps that all kinds of output share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from devstral_ls.actions.answer import fence_prefix, longest_run
from devstral_ls.actions.chat_session import ChatRequest, ChatSession
from devstral_ls.actions.checks import Checks
from devstral_ls.actions.query import ActionCallbacks, ActionQuery, ActionRefused, MayShow, Project, Result
from devstral_ls.actions.table import Action
from devstral_ls.actions.target.find import Target, language_at
from devstral_ls.actions.target.line_style import LineStyle, dedent, line_style_of
from devstral_ls.actions.target.pieces import answer_tokens, piece_chars
from devstral_ls.actions.target.surroundings import describe_diagnostics, describe_surroundings
from devstral_ls.actions.templates import fill_template
from devstral_ls.generation import ModelInfo
from devstral_ls.languages.language import Language
from devstral_ls.prompt.chat import continues_answers
from devstral_ls.settings.tree import PrivacySettings
from devstral_ls.text import Edit, Snapshot, Span

MIN_REPEATS = 6
"""An answer may repeat a line this often in a row, and more often where the code itself does."""


@dataclass(frozen=True, slots=True)
class ActionContext:
    """What is needed to do one action."""

    action: Action
    query: ActionQuery
    """Secrets masked."""
    target: Target
    checks: Checks
    chat: ChatSession
    callbacks: ActionCallbacks
    project: Project
    signatures: Mapping[str, str]
    """Of what the target uses and other files define, by name."""
    privacy: PrivacySettings
    may_show: MayShow
    secrets: tuple[Span, ...] = ()
    """The masked spans of the document."""

    @property
    def snapshot(self) -> Snapshot:
        """The document, secrets masked."""
        return self.query.snapshot

    @property
    def model(self) -> ModelInfo:
        """The model that answers."""
        return self.chat.model

    @property
    def language(self) -> Language:
        """The row of the document's language."""
        return language_at(self.snapshot)

    @property
    def title(self) -> str:
        """The action in words, for people."""
        return self.action.title.format(what=self.target.words)

    def line_style(self, span: Span) -> LineStyle:
        """The indentation and line ends of the code at ``span``."""
        return line_style_of(self.snapshot.of(span), self.snapshot.text)

    def refuse_secrets(self, span: Span) -> None:
        """Refuse to rewrite code that contains a secret.

        Raises:
            ActionRefused: there is one in ``span``.
        """
        for secret in self.secrets:
            if secret.start < span.end and span.start < secret.end:
                line = self.snapshot.line_at(secret.start) + 1
                raise ActionRefused(
                    f"{self.target.words} has what looks like a secret on line {line}, and no model is shown that",
                    hint="Move it out of the code, select less, or switch privacy.redactSecrets off.",
                )

    def too_long(self) -> ActionRefused:
        """The error for a target that does not fit the model's context."""
        return ActionRefused(
            f"{self.target.words} is too long for {self.model.name}",
            hint="Select a smaller piece, or raise model.contextTokens.",
        )

    def readable_beginning(self) -> Target:
        """The target, or as much of its beginning as fits a request that does not rewrite it."""
        span, room = self.target.span, piece_chars(self.model, rewrites=False)
        if len(span) <= room:
            return self.target
        self.chat.enter("reading its beginning")
        end = self.snapshot.line_span(max(self.snapshot.line_at(span.start + room) - 1, 0)).end
        return replace(self.target, span=Span(span.start, max(end, span.start + 1)))

    def note_on_beginning(self, shown: Target) -> tuple[str, ...]:
        """The note for the user when only ``shown`` of the target was read; empty when all of it was."""
        if len(shown.span) == len(self.target.span):
            return ()
        n_lines = self.snapshot.of(shown.span).count("\n") + 1
        return (f"only the first {n_lines} lines of {self.target.words} were read: it is long for {self.model.name}",)

    async def draft(self, edit: Edit) -> None:
        """Show an unfinished edit, where the client wants drafts."""
        if self.callbacks.draft is not None:
            await self.callbacks.draft(edit)

    def result(self, **outcome: Any) -> Result:
        """The result of the action; ``outcome`` are fields of ``Result``."""
        return Result(self.action.id, self.title, usage=self.chat.usage, **outcome)

    def request(self, target: Target, first_lines: str | None, **values: str) -> ChatRequest:
        """The action's template about ``target``, filled with its usual variables and ``values``.

        ``first_lines`` start the code of the answer, where the model can continue one; None: the answer is no code.
        """
        code = dedent(self.snapshot.of(target.span), self.line_style(target.span))
        system, user = fill_template(self.action.template, self._variables(target, code) | values)
        has_prefix = first_lines is not None and continues_answers(self.model)
        return ChatRequest(
            system,
            user,
            answer_tokens(code, self.model),
            prefix=fence_prefix(self.language.id, first_lines or "") if has_prefix else "",
            stop=("\n```",) if has_prefix else (),
            max_repeats=max(MIN_REPEATS, longest_run(code) + 2),
        )

    def _variables(self, target: Target, code: str) -> dict[str, str]:
        query, fence, selection = self.query, self.language.id, self.target.selection
        failed = f"This was tried, and the problem stayed:\n```{fence}\n{query.failed_attempt}\n```\n"
        return {
            "language": self.language.name,
            "fence": fence,
            "target": code,
            "name": target.words,
            "context": describe_surroundings(self.snapshot, target, self.checks.syntax, self.signatures),
            "path": self.project.path(self.snapshot.uri) or self.snapshot.uri.rpartition("/")[2],
            "instruction": query.instruction,
            "problems": describe_diagnostics(self.snapshot, query.diagnostics),
            "tried": failed if query.failed_attempt else "",
            "selection": "" if selection is None else dedent(self.snapshot.of(selection), self.line_style(selection)),
        }
