"""An action in one call: code with ``▮`` for the cursor or ``«`` ``»`` around a selection, and what the model says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from devstral_ls.actions.query import ActionCallbacks, ActionQuery, ActionRefused, Result
from devstral_ls.actions.runner import ActionRunner
from devstral_ls.code_context import Diagnostic
from devstral_ls.generation import GenerationRequest
from devstral_ls.languages.syntax.document_tree import parse_once
from devstral_ls.retrieval.visibility import Visibility
from devstral_ls.testing.scripted_engine import ScriptedEngine
from devstral_ls.text import Edit, Snapshot, Span, apply

Says = str | Sequence[str] | Callable[[GenerationRequest], str]

EXTENSIONS = {"python": "py", "typescript": "ts", "go": "go", "rust": "rs", "java": "java", "plaintext": "txt"}


def placed(code: str, language: str = "python") -> tuple[Snapshot, Span]:
    """The document and what is selected in it."""
    uri = f"file:///w/src/prices.{EXTENSIONS.get(language, 'x')}"
    if "▮" in code:
        at = code.index("▮")
        return Snapshot(uri, 1, language, code.replace("▮", "")), Span(at, at)
    start, end = code.index("«"), code.index("»") - 1
    return Snapshot(uri, 1, language, code.replace("«", "").replace("»", "")), Span(start, end)


@dataclass
class Files:
    """A project in memory."""

    files: Mapping[str, str] = field(default_factory=dict)
    creates_files: bool = True

    def path(self, uri: str) -> str | None:
        return uri.removeprefix("file:///w/")

    def uri(self, path: str) -> str:
        return f"file:///w/{path}"

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def names(self, folder: str) -> list[str]:
        lead = f"{folder}/" if folder else ""
        return sorted({path[len(lead) :].split("/")[0] for path in self.files if path.startswith(lead)})


@dataclass
class Done:
    """How an action went."""

    engine: ScriptedEngine
    snapshot: Snapshot
    result: Result | None
    refused: str = ""
    drafts: list[Edit] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The document afterwards."""
        assert self.result is not None, self.refused
        edit = self.result.whole_edit(self.snapshot)
        assert edit is not None
        return apply(self.snapshot.text, edit)


def saying(says: Says) -> str | Callable[[GenerationRequest], str]:
    """One answer after the other; the last one again and again."""
    if isinstance(says, str) or callable(says):
        return says
    left = list(says)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


async def show_anything(_uri: str) -> Visibility:
    return Visibility.VISIBLE


async def act(action: str, code: str, says: Says, language: str = "python", **options: Any) -> Done:
    """Do ``action``; a refusal is told, not raised."""
    snapshot, span = placed(code, language)
    engine = options.pop("engine", None) or ScriptedEngine(saying(says))
    problems = tuple(diagnostic_on(snapshot, line, message) for line, message in options.pop("problems", ()))
    files = Files(options.pop("files", {}))
    query = ActionQuery(action, snapshot, span, options.pop("instruction", ""), problems, options.pop("tried", ""))
    done = Done(engine, snapshot, None)

    async def draft(edit: Edit) -> None:
        done.drafts.append(edit)

    try:
        done.result = await ActionRunner(engine, options.pop("may_show", show_anything), **options).run(
            query, ActionCallbacks(draft), files
        )
    except ActionRefused as refused:
        done.refused = refused.message
    return done


def diagnostic_on(snapshot: Snapshot, line: int, message: str) -> Diagnostic:
    return Diagnostic(snapshot.line_span(line - 1), "error", message)


def n_errors(text: str, language: str = "python") -> int:
    """How many errors the tree of ``text`` has."""
    from devstral_ls.languages.syntax.parse_errors import parse_errors

    syntax = parse_once(Snapshot("file:///w/x", 1, language, text))
    assert syntax is not None
    return parse_errors(syntax).n_errors
