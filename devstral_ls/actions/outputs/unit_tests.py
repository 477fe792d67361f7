"""Tests: a new test file, or more tests at the end of one, in the project's framework and folder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from devstral_ls.actions.answer import code_in, is_closed
from devstral_ls.actions.chat_session import ChatAnswer, ChatRequest
from devstral_ls.actions.checks import Checks
from devstral_ls.actions.context import ActionContext
from devstral_ls.actions.outputs.frameworks import frameworks_of
from devstral_ls.actions.outputs.tests_location import TestsLocation, tests_location
from devstral_ls.actions.privacy import masked_file
from devstral_ls.actions.query import ActionRefused, FileEdit, Result
from devstral_ls.actions.target.find import Target, language_at
from devstral_ls.actions.target.pieces import piece_chars
from devstral_ls.languages.syntax.parse_errors import parse_errors
from devstral_ls.retrieval.visibility import Visibility
from devstral_ls.text import Edit, Snapshot, Span

MAX_TOKENS = 400
MAX_SHOWN = 1_200
"""Characters of existing tests that the model is shown."""


def tests_hindrance(snapshot: Snapshot, _target: Target) -> str:
    """Why no tests can be written here; empty if they can."""
    language = language_at(snapshot)
    if not frameworks_of(language.id):
        return f"no test framework is known for {language.name}"
    if not snapshot.uri.startswith("file:"):
        return "this document is no file, so there is no place beside it for tests"
    return ""


async def write_tests(context: ActionContext) -> Result:
    """Write tests of the target.

    Raises:
        ActionRefused: no place for them is known, their file cannot be created, or what the model wrote does not parse.
    """
    target, language = context.target, context.language
    location = tests_location(language.id, context.snapshot, target.name, context.project)
    if location is None:
        raise ActionRefused(f"no place for tests is known for {language.name} here")
    if len(target.span) > piece_chars(context.model):
        raise context.too_long()
    if context.project.path(context.snapshot.uri) is None:
        raise ActionRefused("this document is no file of a project, so there is no place beside it for tests")
    if location.before is None and not context.project.creates_files:
        raise ActionRefused(
            f"this editor does not let a server create files, and {location.path} is not there yet",
            hint="Create it, empty, and ask again, or run `devstral-ls act tests`.",
        )
    existing = await _existing_tests(context, location)
    request = context.request(target, location.opening, framework=location.framework.name, existing=existing)
    request = replace(request, max_tokens=min(MAX_TOKENS, context.model.context_tokens // 3))
    answer = await context.chat.ask(request, partial(is_closed, request.prefix))
    text, fault = _test_code(context, location, request, answer)
    if fault:
        context.chat.enter("trying once more")
        again = f"That cannot be used: it {fault}. Write fewer and shorter tests, complete and correct."
        request = request.followed_by(answer, again)
        answer = await context.chat.ask(request, partial(is_closed, request.prefix))
        text, fault = _test_code(context, location, request, answer)
    if fault:
        raise ActionRefused(f"the model's test code {fault}")
    return _result(context, location, text)


async def _existing_tests(context: ActionContext, location: TestsLocation) -> str:
    """The beginning of the test file for the prompt; empty if it has nothing that the model may see."""
    text = masked_file(location.before or "", context.privacy)[:MAX_SHOWN]
    if not text.strip() or location.path == context.project.path(context.snapshot.uri):
        return ""
    if await context.may_show(context.project.uri(location.path)) is not Visibility.VISIBLE:
        return ""
    return f" These tests are there already:\n```{context.language.id}\n{text}\n```\nWrite others."


def _test_code(
    context: ActionContext, location: TestsLocation, request: ChatRequest, answer: ChatAnswer
) -> tuple[str, str]:
    """The text for the file, and what is wrong with it, as the rest of a sentence."""
    code, name = code_in(request.prefix, answer.text), context.target.name
    if not answer.text.strip() or not code.text.strip():
        return "", "is empty"
    if not code.in_fence:
        return "", "is prose"
    text = code.text.rstrip()
    if request.prefix and not text.startswith(location.opening[:20].rstrip()) and location.is_new:
        text = location.opening + text if name not in text else text
    checks = Checks(Snapshot(f"untitled:{location.path}", 0, context.language.id, ""))
    if not answer.complete and not code.closed:
        text = _whole_tests(checks, text)
    n_before = 0 if location.before is None else _n_errors(checks, location.before)
    syntax = checks.parsed(_file_text(location, text))
    if syntax is not None and (errors := parse_errors(syntax)).n_errors > n_before:
        return "", f"does not parse ({errors.first})"
    if text.count(name) <= location.opening.count(name) or len(text) <= len(location.opening):
        return "", f"does not test {context.target.words}"
    return text, ""


def _whole_tests(checks: Checks, text: str) -> str:
    """``text``, which was cut off, up to the end of its last whole test."""
    lines = text.split("\n")
    while len(lines) > 1:
        lines.pop()
        syntax = checks.parsed("\n".join(lines))
        is_end = not lines[-1].strip() or lines[-1].startswith(("}", ")"))
        if is_end and syntax is not None and parse_errors(syntax).n_errors == 0:
            return "\n".join(lines).rstrip()
    return text


def _n_errors(checks: Checks, text: str) -> int:
    syntax = checks.parsed(text)
    return 0 if syntax is None else parse_errors(syntax).n_errors


def _file_text(location: TestsLocation, text: str) -> str:
    """The text of the test file afterwards."""
    if location.before is None or location.is_new:
        return f"{text}\n"
    return f"{location.before.rstrip()}\n\n\n{text}\n"


def _result(context: ActionContext, location: TestsLocation, text: str) -> Result:
    path, before = location.path, location.before
    outcome = f"wrote tests for {context.target.words} in {path}"
    if before is None:
        return context.result(files=(FileEdit(path, f"{text}\n", None),), outcome=outcome)
    at = len(before.rstrip())
    added = _file_text(location, text)[at:]
    if "\r\n" in before:
        added = added.replace("\n", "\r\n")
    if path == context.project.path(context.snapshot.uri) or before == context.snapshot.text:
        return context.result(edit=Edit(Span(at, len(before)), added), outcome=outcome)
    return context.result(files=(FileEdit(path, added, at, before),), outcome=outcome)
