"""Do one action: from a query to an edit that was checked, findings, or text. Top to bottom, one line a stage."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from devstral_ls.actions.chat_session import ChatSession
from devstral_ls.actions.checks import Checks
from devstral_ls.actions.context import unknown
from devstral_ls.actions.document import documentation
from devstral_ls.actions.explain import explanation
from devstral_ls.actions.header import typed
from devstral_ls.actions.instruction import instruction_for
from devstral_ls.actions.job import ActionContext
from devstral_ls.actions.privacy import EXCLUDED, IGNORED, NOT_SHOWN, shown
from devstral_ls.actions.query import (
    ActionCallbacks,
    ActionQuery,
    ActionRefused,
    NoProject,
    NoSignatures,
    Problem,
    Project,
    Result,
    Signatures,
)
from devstral_ls.actions.repair import replacement
from devstral_ls.actions.review import review
from devstral_ls.actions.table import ACTIONS, Action, OutputKind, TargetKind
from devstral_ls.actions.target import Target, language_at, target_of
from devstral_ls.actions.tests_writer import tests
from devstral_ls.errors import EngineUnavailable, ModelUnsupported
from devstral_ls.generation import Engine
from devstral_ls.languages.syntax.errors import parse_errors
from devstral_ls.prompt.chat import chat_format
from devstral_ls.retrieval.visibility import is_excluded_document
from devstral_ls.settings.tree import PrivacySettings
from devstral_ls.text import Edit, Span

NO_CHAT = "only completes text: it cannot be told what to do"

_WAYS: Mapping[OutputKind, Callable[[ActionContext], Awaitable[Result]]] = {
    OutputKind.REPLACEMENT: replacement,
    OutputKind.DOC: documentation,
    OutputKind.HEADER: typed,
    OutputKind.TESTS: tests,
    OutputKind.FINDINGS: review,
    OutputKind.MARKDOWN: explanation,
}


class ActionRunner:
    """Does code actions with one engine. Made once and passed down."""

    def __init__(
        self,
        engine: Engine,
        signatures: Signatures | None = None,
        clock: Callable[[], float] = time.monotonic,
        privacy: PrivacySettings | None = None,
    ) -> None:
        self.engine = engine
        self._privacy = privacy or PrivacySettings()
        self._signatures = signatures or NoSignatures()
        self._clock = clock

    async def run(
        self, query: ActionQuery, heard: ActionCallbacks | None = None, project: Project | None = None
    ) -> Result:
        """Do what ``query`` asks.

        Raises:
            ActionRefused: there is nothing to do, or the model's answer is none to offer.
            ModelUnsupported: the model cannot be told what to do.
            EngineError: the engine could not answer; see ``errors``.
            asyncio.CancelledError: the user takes it back.
        """
        action = ACTIONS.get(query.action)
        if action is None:
            raise ActionRefused(f"no action {query.action[:40]!r}", hint=f"There are: {', '.join(ACTIONS)}.")
        heard = heard or ActionCallbacks()
        model = self.engine.model
        if model is None:
            raise EngineUnavailable("the model is not ready", hint="Try again when the status says that it is.")
        if chat_format(model) is None:
            raise ModelUnsupported(f"{model.name} {NO_CHAT}", hint="Use a model with a chat format, as Devstral is.")
        query, secrets = await self._seen(query)
        checks = Checks(query.snapshot)
        query = _with_syntax_error(query, action, checks)
        query, lead = _with_instruction(query, action, checks)
        target = _target(query, action, checks, lead)
        conversation = f"{query.snapshot.uri}#{action.id}"
        asker = ChatSession(self.engine, model, conversation, heard.report, self._clock)
        names = unknown(checks.syntax, query.snapshot, target.span)
        imports = [query.snapshot.of(span) for span in target.scope.imports]
        signatures = await self._signatures.signatures(names, query.snapshot, imports) if names else {}
        job = ActionContext(
            action,
            query,
            target,
            checks,
            asker,
            model,
            heard,
            project or NoProject(),
            signatures,
            self._privacy,
            self._signatures.allows,
            secrets,
        )
        return _with_lead(await _WAYS[action.gives](job), lead)

    async def _seen(self, query: ActionQuery) -> tuple[ActionQuery, tuple[Span, ...]]:
        """The query as a model may see it, and where its document has secrets.

        Raises:
            ActionRefused: no model may see the document.
        """
        if is_excluded_document(query.snapshot.uri, self._privacy.exclude):
            raise ActionRefused(EXCLUDED, hint=NOT_SHOWN)
        if not await self._signatures.allows(query.snapshot):
            raise ActionRefused(IGNORED, hint=NOT_SHOWN)
        return shown(query, self._privacy)


def _target(query: ActionQuery, action: Action, checks: Checks, lead: Span | None) -> Target:
    problems = tuple(problem.span for problem in query.problems)
    span = (
        query.span
        if lead is None or lead.end > query.span.end
        else Span(max(lead.end + 1, query.span.start), query.span.end)
    )
    if lead is not None and span.start >= span.end:
        at = min(lead.end + 1, len(query.snapshot.text))
        span = Span(at, at)
    target = target_of(action, checks.syntax, query.snapshot, span, problems)
    if isinstance(target, str):
        raise ActionRefused(target[0].lower() + target[1:])
    return target


def _with_syntax_error(query: ActionQuery, action: Action, checks: Checks) -> ActionQuery:
    """A fix without diagnostics is one of the syntax error that the tree shows, if it shows one."""
    if action.where is not TargetKind.PROBLEM or query.problems or query.instruction or checks.syntax is None:
        return query
    found = parse_errors(checks.syntax)
    if not found.n_errors:
        return query
    line = min(found.line, query.snapshot.n_lines - 1)
    return replace(query, problems=(Problem(query.snapshot.line_span(line), found.first),))


def _with_instruction(query: ActionQuery, action: Action, checks: Checks) -> tuple[ActionQuery, Span | None]:
    """The instruction that is written above the code, and the lines it takes there, where none was given."""
    if not action.needs_instruction:
        return query, None
    if query.instruction.strip():
        return query, None
    around = target_of(action, checks.syntax, query.snapshot, query.span)
    at = None if isinstance(around, str) else around.span
    written = instruction_for(query.snapshot, query.span, at, language_at(query.snapshot))
    if written is None or not written[0]:
        raise ActionRefused("say what to change", hint="Write it above the code as a comment: `devstral: use a loop`.")
    return replace(query, instruction=written[0]), written[1]


def _with_lead(result: Result, lead: Span | None) -> Result:
    """The comment with the instruction goes when it was followed."""
    if lead is None or result.edit is None:
        return result
    edit = result.edit
    return replace(result, edit=Edit(Span(min(lead.start, edit.span.start), edit.span.end), edit.text))
