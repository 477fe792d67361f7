"""ActionRunner: do one action, from the query to a checked edit, findings, or text. Top to bottom, one line a stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from devstral_ls.actions.chat_session import ChatSession
from devstral_ls.actions.checks import Checks
from devstral_ls.actions.context import ActionContext
from devstral_ls.actions.outputs.table import OUTPUTS
from devstral_ls.actions.privacy import HIDDEN, NOT_SHOWN, masked_query
from devstral_ls.actions.query import (
    ActionCallbacks,
    ActionQuery,
    ActionRefused,
    MayShow,
    NoProject,
    NoSignatures,
    Project,
    Result,
    Signatures,
)
from devstral_ls.actions.table import ACTIONS, Action, TargetKind, switched_off
from devstral_ls.actions.target.find import Target, language_at, target_of
from devstral_ls.actions.target.instruction import instruction_for
from devstral_ls.actions.target.surroundings import foreign_names
from devstral_ls.code_context import Diagnostic
from devstral_ls.errors import EngineUnavailable, ModelUnsupported, PromptTooLong
from devstral_ls.generation import Engine, ModelInfo
from devstral_ls.languages.syntax.parse_errors import parse_errors
from devstral_ls.languages.syntax.tree import Syntax
from devstral_ls.prompt.chat import chat_format
from devstral_ls.retrieval.visibility import Visibility
from devstral_ls.settings.tree import PrivacySettings, ReviewMode
from devstral_ls.text import Edit, Snapshot, Span

NO_CHAT = "only completes text: it cannot be told what to do"


class ActionRunner:
    """Does code actions with one engine."""

    def __init__(
        self,
        engine: Engine,
        may_show: MayShow,
        signatures: Signatures | None = None,
        clock: Callable[[], float] = time.monotonic,
        privacy: PrivacySettings | None = None,
        review: ReviewMode = "auto",
    ) -> None:
        self.engine = engine
        self._may_show = may_show
        self._privacy = privacy or PrivacySettings()
        self._signatures = signatures or NoSignatures()
        self._clock = clock
        self._review = review

    async def run(
        self, query: ActionQuery, callbacks: ActionCallbacks | None = None, project: Project | None = None
    ) -> Result:
        """Do what ``query`` asks for.

        Raises:
            ActionRefused: there is nothing to do, or no answer of the model passed the checks.
            ModelUnsupported: the model cannot be told what to do.
            EngineError: the engine could not answer; see ``errors``.
            asyncio.CancelledError: the user cancels the action.
        """
        callbacks = callbacks or ActionCallbacks()
        action = _action_of(query)
        model = self._ready_model(action)
        await self._check_visible(query.snapshot)
        query, secrets = masked_query(query, self._privacy)
        checks = Checks(query.snapshot)
        query = _with_syntax_error(query, action, checks.syntax)
        query, comment = _with_instruction(query, action, checks.syntax)
        target = _target(query, action, checks.syntax, comment)
        context = ActionContext(
            action,
            query,
            target,
            checks,
            ChatSession(self.engine, model, f"{query.snapshot.uri}#{action.id}", callbacks.report, self._clock),
            callbacks,
            project or NoProject(),
            await self._foreign_signatures(query.snapshot, target, checks.syntax),
            self._privacy,
            self._may_show,
            secrets,
        )
        try:
            result = await OUTPUTS[action.output].write(context)
        except PromptTooLong as error:
            raise context.too_long() from error
        return _without_comment(result, comment)

    def _ready_model(self, action: Action) -> ModelInfo:
        model = self.engine.model
        if model is None:
            raise EngineUnavailable("the model is not ready", hint="Try again when the status says that it is.")
        if chat_format(model) is None:
            raise ModelUnsupported(
                f"{model.name} {NO_CHAT}",
                hint="Set actions.model to a model that follows instructions, such as Devstral.",
            )
        if why := switched_off(action, self._review, model):
            raise ActionRefused(why, hint='Set actions.review = "on" to switch them on.')
        return model

    async def _check_visible(self, document: Snapshot) -> None:
        """Refuse a document that no model may see.

        Raises:
            ActionRefused: ``privacy.exclude`` or an ignore file matches it, or that cannot be told.
        """
        visibility = await self._may_show(document.uri)
        if visibility is not Visibility.VISIBLE:
            raise ActionRefused(HIDDEN[visibility], hint=NOT_SHOWN)

    async def _foreign_signatures(self, snapshot: Snapshot, target: Target, syntax: Syntax | None) -> Mapping[str, str]:
        names = foreign_names(syntax, snapshot, target.span)
        imports = [snapshot.of(span) for span in target.scope.imports]
        return await self._signatures.signatures(names, snapshot, imports) if names else {}


def _action_of(query: ActionQuery) -> Action:
    action = ACTIONS.get(query.action)
    if action is None:
        raise ActionRefused(f"no action {query.action[:40]!r}", hint=f"There are: {', '.join(ACTIONS)}.")
    return action


def _with_syntax_error(query: ActionQuery, action: Action, syntax: Syntax | None) -> ActionQuery:
    """``query`` with the document's first syntax error as its diagnostic, where a fix was asked for without any."""
    if action.target is not TargetKind.DIAGNOSTIC or query.diagnostics or query.instruction or syntax is None:
        return query
    errors = parse_errors(syntax)
    if not errors.n_errors:
        return query
    line = min(errors.line, query.snapshot.n_lines - 1)
    return replace(query, diagnostics=(Diagnostic(query.snapshot.line_span(line), "error", errors.first),))


def _with_instruction(query: ActionQuery, action: Action, syntax: Syntax | None) -> tuple[ActionQuery, Span | None]:
    """``query`` with the instruction from the comment above the code, and the comment's lines, where it has none.

    Raises:
        ActionRefused: there is no such comment either.
    """
    if not action.needs_instruction or query.instruction.strip():
        return query, None
    target = target_of(action, syntax, query.snapshot, query.span)
    span = None if isinstance(target, str) else target.span
    written = instruction_for(query.snapshot, query.span, span, language_at(query.snapshot))
    if written is None or not written[0]:
        raise ActionRefused("say what to change", hint="Write it above the code as a comment: `devstral: use a loop`.")
    return replace(query, instruction=written[0]), written[1]


def _target(query: ActionQuery, action: Action, syntax: Syntax | None, comment: Span | None) -> Target:
    """The target of ``query``, the ``comment`` with its instruction left out.

    Raises:
        ActionRefused: there is none.
    """
    span = query.span
    if comment is not None and comment.end <= span.end:
        span = Span(max(comment.end + 1, span.start), span.end)
    if comment is not None and span.start >= span.end:
        at = min(comment.end + 1, len(query.snapshot.text))
        span = Span(at, at)
    target = target_of(action, syntax, query.snapshot, span, tuple(item.span for item in query.diagnostics))
    if isinstance(target, str):
        raise ActionRefused(target[0].lower() + target[1:])
    return target


def _without_comment(result: Result, comment: Span | None) -> Result:
    """``result`` with an edit that removes the comment with the instruction, too."""
    if comment is None or result.edit is None:
        return result
    edit = result.edit
    return replace(result, edit=Edit(Span(min(comment.start, edit.span.start), edit.span.end), edit.text))
