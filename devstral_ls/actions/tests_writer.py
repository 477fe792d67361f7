"""Tests: a new test file, or more tests at the end of one, in the project's framework and place."""

from __future__ import annotations

from dataclasses import replace

from devstral_ls.actions.answer import code_in
from devstral_ls.actions.chat_session import Answer, Question
from devstral_ls.actions.checks import Checks
from devstral_ls.actions.job import ActionContext
from devstral_ls.actions.privacy import shown_file
from devstral_ls.actions.query import ActionRefused, FileEdit, Result
from devstral_ls.actions.replace import TOO_LONG
from devstral_ls.actions.target import language_at
from devstral_ls.actions.tests_place import TestsPlace, place_of
from devstral_ls.actions.windows import piece_chars
from devstral_ls.errors import PromptTooLong
from devstral_ls.languages.syntax.errors import parse_errors
from devstral_ls.text import Edit, Snapshot, Span

MAX_TOKENS = 400
MAX_SHOWN = 1_200
"""Characters of existing tests the model is shown."""


async def tests(job: ActionContext) -> Result:
    """Write tests of the target.

    Raises:
        ActionRefused: no place for them is known, or what the model wrote does not parse.
    """
    target, language = job.target, language_at(job.snapshot)
    place = place_of(language.id, job.snapshot, target.name, job.project)
    if place is None:
        raise ActionRefused(f"no place for tests is known for {language.name} here")
    if len(target.span) > piece_chars(job.model):
        raise ActionRefused(f"{target.words} is too long for {job.model.name}", hint=TOO_LONG)
    existing = ""
    own = job.project.path(job.snapshot.uri)
    if own is None:
        raise ActionRefused("this document is no file of a project, so there is no place beside it for tests")
    shown = shown_file(place.path, place.before or "", job.privacy)[:MAX_SHOWN]
    if shown.strip() and place.path != own and await job.allows(_file(job, place)):
        existing = f" These tests are there already:\n```{job.fence}\n{shown}\n```\nWrite others."
    question = job.question(target, place.opening, framework=place.framework.name, existing=existing)
    question = replace(question, max_tokens=min(MAX_TOKENS, job.model.context_tokens // 3))
    answer = await _ask(job, question)
    text, fault = _text(job, place, question, answer)
    if fault:
        job.asker.stage = "trying once more"
        again = f"That cannot be used: it {fault}. Write fewer and shorter tests, complete and correct."
        question = replace(question, turns=((question.user, question.opened + answer.text),), user=again)
        text, fault = _text(job, place, question, await _ask(job, question))
    if fault:
        raise ActionRefused(f"the model's test code {fault}")
    return _result(job, place, text)


def _file(job: ActionContext, place: TestsPlace) -> Snapshot:
    return Snapshot(job.project.uri(place.path), 0, job.snapshot.language, place.before or "")


async def _ask(job: ActionContext, question: Question) -> Answer:
    try:
        return await job.asker.ask(question, lambda text: text.endswith("\n") and code_in(question.opened, text).closed)
    except PromptTooLong as error:
        raise ActionRefused(f"{job.target.words} is too long for {job.model.name}", hint=TOO_LONG) from error


def _text(job: ActionContext, place: TestsPlace, question: Question, answer: Answer) -> tuple[str, str]:
    """What goes into the file, and what is wrong with it."""
    code = code_in(question.opened, answer.text)
    if not answer.text.strip() or not code.text.strip():
        return "", "is empty"
    if not code.in_fence:
        return "", "is prose"
    text = code.text.rstrip()
    if question.opened and not text.startswith(place.opening[:20].rstrip()) and place.before is None:
        text = place.opening + text if job.target.name not in text else text
    if not answer.complete and not code.closed:
        text = _whole_tests(job, place, text)
    checks = Checks(Snapshot(f"untitled:{place.path}", 0, job.fence, ""))
    before = 0 if place.before is None else _n_errors(checks, place.before)
    whole = _joined(place, text)
    syntax = checks.parsed(whole)
    if syntax is not None and (found := parse_errors(syntax)).n_errors > before:
        return "", f"does not parse ({found.first})"
    if text.count(job.target.name) <= place.opening.count(job.target.name) or len(text) <= len(place.opening):
        return "", f"does not test {job.target.words}"
    return text, ""


def _whole_tests(job: ActionContext, place: TestsPlace, text: str) -> str:
    """Of code that was cut off, what ends before the last test began: whole tests only."""
    checks = Checks(Snapshot(f"untitled:{place.path}", 0, job.fence, ""))
    lines = text.split("\n")
    while len(lines) > 1:
        lines.pop()
        syntax = checks.parsed("\n".join(lines))
        ends = not lines[-1].strip() or lines[-1].startswith(("}", ")"))
        if ends and syntax is not None and parse_errors(syntax).n_errors == 0:
            return "\n".join(lines).rstrip()
    return text


def _n_errors(checks: Checks, text: str) -> int:
    syntax = checks.parsed(text)
    return 0 if syntax is None else parse_errors(syntax).n_errors


def _joined(place: TestsPlace, text: str) -> str:
    if place.before is None:
        return f"{text}\n"
    return f"{place.before.rstrip()}\n\n\n{text}\n"


def _result(job: ActionContext, place: TestsPlace, text: str) -> Result:
    notes = (f"{place.framework.name}: {place.path}",)
    if place.before is None:
        return job.result(files=(FileEdit(place.path, f"{text}\n", None),), notes=notes)
    at = len(place.before.rstrip())
    added = _joined(place, text)[at:]
    if "\r\n" in place.before:
        added = added.replace("\n", "\r\n")
    if place.path == job.project.path(job.snapshot.uri) or place.before == job.snapshot.text:
        return job.result(edit=Edit(Span(at, len(place.before)), added), notes=notes)
    return job.result(files=(FileEdit(place.path, added, at, place.before),), notes=notes)
